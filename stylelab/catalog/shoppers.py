"""Simulated shoppers, whose every assumption stands in one table, so that a method can be held against the truth.

They show what a *method* does: how often it errs, what it costs, what fools it. They say nothing about people:
whoever sets the tastes knows the winner beforehand.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from stylelab.errors import SettingsError


@dataclass(frozen=True, eq=False)
class Visits:
    """People at the shop's door, one row each: ``[N]`` arrays.

    Attributes:
        group: index of the group whose pages they look at.
        day: whole days since the new pictures came.
        regular: whether they come often, which the shop's log does not say.
    """

    group: np.ndarray
    day: np.ndarray
    regular: np.ndarray


@dataclass(frozen=True, eq=False)
class Market:
    """What shoppers like: the log-odds of a click is a sum of the group's habit, its taste, and what disturbs a test.

    ``logit p = logit base[g] + taste[g, a] + eagerness · [regular] + novelty · 2^(-day / half_life) · [a > 0]``

    Visits are independent of each other; nobody tires, and nobody tells a friend.

    Attributes:
        groups: names.
        arms: names of the pictures; the first is the shop's own photo as it is.
        visitors: share of each group among the visits, ``[G]``.
        base: click rate of the first picture among those who are not regulars, ``[G]`` in 0..1.
        taste: what a picture adds to the log-odds, ``[G, A]``; the first column is 0.
        novelty: what any new picture adds on day 0, in log-odds.
        half_life: days after which half of that is gone.
        regulars: share of the visits by people who come often.
        eagerness: what being a regular adds to the log-odds.
    Raises:
        SettingsError: sizes that do not fit, or rates and shares that are none.
    """

    groups: Sequence[str]
    arms: Sequence[str]
    visitors: Any
    base: Any
    taste: Any
    novelty: float = 0.0
    half_life: float = 7.0
    regulars: float = 0.0
    eagerness: float = 0.0

    def __post_init__(self) -> None:
        for name in ("visitors", "base", "taste"):
            object.__setattr__(self, name, np.asarray(getattr(self, name), "float64"))
        count, arms = len(self.groups), len(self.arms)
        if self.visitors.shape != (count,) or self.base.shape != (count,) or self.taste.shape != (count, arms):
            raise SettingsError(
                f"A market of {count} groups and {arms} arms needs visitors and base [{count}] and taste "
                f"[{count}, {arms}], not {self.visitors.shape}, {self.base.shape} and {self.taste.shape}."
            )
        if not (self.visitors >= 0).all() or not abs(self.visitors.sum() - 1) < 1e-9 or not 0 <= self.regulars <= 1:
            raise SettingsError("Shares of visitors are not negative and sum to 1; that of regulars lies in 0..1.")
        if not ((self.base > 0) & (self.base < 1)).all() or not np.isfinite(self.taste).all():
            raise SettingsError("Base click rates lie between 0 and 1, both left out; tastes are finite log-odds.")
        if self.taste[:, 0].any() or not self.half_life > 0:
            raise SettingsError(
                "The first arm is the photo as it is: its taste is 0; half_life is a number of days > 0."
            )

    def rates(self, day: Any = np.inf) -> np.ndarray:
        """True click rates, regulars and others together; the default is the long run, when nothing is new.

        Args:
            day: one number, or ``[D]`` days.
        Returns:
            ``[G, A]``, or ``[D, G, A]``.
        """
        days = np.asarray(day, "float64")[..., None, None]
        some, often = (self._rate(slice(None), slice(None), days, regular) for regular in (0.0, 1.0))
        return (1 - self.regulars) * some + self.regulars * often

    def visits(self, count: int, days: int, rng: np.random.Generator) -> Visits:
        """``count`` visits spread evenly over ``days`` days."""
        if count < 1 or days < 1:
            raise SettingsError(f"{count} visits in {days} days: give at least one of each.")
        group = rng.choice(len(self.groups), count, p=self.visitors)
        return Visits(group, rng.integers(days, size=count), rng.random(count) < self.regulars)

    def clicks(self, visits: Visits, arm: Any, rng: np.random.Generator) -> np.ndarray:
        """Whether each visitor clicks on the picture that she was shown.

        Args:
            visits: ``N`` of them.
            arm: index of the picture, ``[N]`` or one for all.
        Returns:
            bool ``[N]``.
        """
        rate = self._rate(visits.group, np.asarray(arm), visits.day, visits.regular)
        return rng.random(len(visits.group)) < rate

    def _rate(self, group: Any, arm: Any, day: Any, regular: Any) -> np.ndarray:
        from scipy.special import expit, logit

        habit = logit(self.base)[:, None] + np.zeros(len(self.arms))
        new = np.arange(len(self.arms)) > 0
        fresh = self.novelty * np.exp2(-np.asarray(day, "float64") / self.half_life)
        return expit(habit[group, arm] + self.taste[group, arm] + self.eagerness * regular + fresh * new[arm])
