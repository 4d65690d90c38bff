"""Learning while selling: each day's visitors see the pictures that the days before them made probable.

A rule is a function ``(clicks, views, visits, rng) -> views of today``, on ``[G, A]`` counts so far and ``[G]``
visitors today, since a shop counts its clicks overnight. Anything of this form can be simulated.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from stylelab.errors import SettingsError

Rule = Callable[[np.ndarray, np.ndarray, np.ndarray, np.random.Generator], np.ndarray]


def uniform(clicks: np.ndarray, views: np.ndarray, visits: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The rule that learns nothing, as an A/B test does while it runs: every arm has the same chance."""
    arms = views.shape[1]
    return rng.multinomial(visits, np.full(arms, 1 / arms))


def thompson(
    clicks: np.ndarray,
    views: np.ndarray,
    visits: np.ndarray,
    rng: np.random.Generator,
    *,
    prior: tuple[float, float] = (1.0, 1.0),
) -> np.ndarray:
    """Thompson's rule (1933) in each group: draw a click rate for every arm from what is believed, show the largest.

    Belief is ``Beta(prior[0] + clicks, prior[1] + views - clicks)``. Each visitor has a draw of her own, so an arm is
    shown as often as it is probable that it is the best.

    Args:
        clicks, views: so far, ``[G, A]``.
        visits: today, ``[G]``.
        rng: of this run.
        prior: clicks and passes imagined before the first visitor.
    Returns:
        Today's views, ``[G, A]``; rows sum to ``visits``.
    """
    today = np.zeros(views.shape, "int64")
    for group, count in enumerate(visits):
        winners = _draws(clicks[group], views[group], int(count), prior, rng).argmax(1)
        today[group] = np.bincount(winners, minlength=views.shape[1])
    return today


def for_all(rule: Rule) -> Rule:
    """The same rule for a shop that does not tell its groups apart: it sees sums, and shares out what it decides."""

    def together(clicks: np.ndarray, views: np.ndarray, visits: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        pooled = rule(clicks.sum(0, keepdims=True), views.sum(0, keepdims=True), visits.sum(keepdims=True), rng)[0]
        left, today = pooled.copy(), np.zeros(views.shape, "int64")
        for group, count in enumerate(visits):
            today[group] = rng.multivariate_hypergeometric(left, count)
            left -= today[group]
        return today

    return together


def best_chances(
    clicks: Any, views: Any, rng: np.random.Generator, *, draws: int = 10_000, prior: tuple[float, float] = (1.0, 1.0)
) -> np.ndarray:
    """How probable it is for each arm that it is the best, by draws from the beliefs of :func:`thompson`.

    Args:
        clicks, views: ``[A]``.
        rng: for the draws.
        draws: their number; the error is about ``1 / (2 √draws)``.
        prior: as for :func:`thompson`.
    Returns:
        ``[A]``, summing to 1.
    """
    winners = _draws(np.asarray(clicks), np.asarray(views), draws, prior, rng).argmax(1)
    return np.bincount(winners, minlength=np.size(views)) / draws


def _draws(
    clicks: np.ndarray, views: np.ndarray, count: int, prior: tuple[float, float], rng: np.random.Generator
) -> np.ndarray:
    if not min(prior) > 0:
        raise SettingsError(f"The prior is {prior}: give two positive numbers, imagined clicks and passes.")
    return rng.beta(prior[0] + clicks, prior[1] + views - clicks, (count, len(views)))


@dataclass(frozen=True, eq=False)
class Season:
    """What a rule did: ``[D, G, A]`` counts, day by day.

    Attributes:
        views: how often each arm was shown.
        clicks: how often it was clicked.
        rates: the true rates, which the rule did not see.
    """

    views: np.ndarray
    clicks: np.ndarray
    rates: np.ndarray

    def regret(self) -> np.ndarray:
        """Clicks lost so far, on average, against whoever knows the best arm of each group and day: ``[D]``."""
        return np.cumsum((self.views * (self.rates.max(2, keepdims=True) - self.rates)).sum((1, 2)))

    def lift(self) -> float:
        """Expected clicks over those of the first arm, the photo as it is, less 1."""
        plain = (self.views.sum(2) * self.rates[..., 0]).sum()
        return float((self.views * self.rates).sum() / plain - 1)


def simulate(rule: Rule, rates: Any, visits: Any, rng: np.random.Generator) -> Season:
    """Plays a rule against true click rates, day after day.

    Args:
        rule: see the module; :func:`thompson`, :func:`uniform`, ``for_all(thompson)`` or one's own.
        rates: ``[G, A]``, or ``[D, G, A]`` when they change by the day.
        visits: whole numbers ``[D, G]``.
        rng: one for rule and shoppers.
    Raises:
        SettingsError: shapes that do not fit, or a rule that shows more or fewer pictures than there are visitors.
    """
    visits, rates = np.asarray(visits), np.asarray(rates, "float64")
    if visits.ndim != 2 or visits.dtype.kind not in "iu" or rates.shape[-2:-1] != visits.shape[1:]:
        raise SettingsError(
            f"Visits {visits.shape} of type {visits.dtype} with rates {rates.shape}: give whole numbers [D, G] and "
            "rates [G, A] or [D, G, A]."
        )
    days, groups = visits.shape
    rates = np.broadcast_to(rates, (days, groups, rates.shape[-1]))
    views, clicks = np.zeros(rates.shape, "int64"), np.zeros(rates.shape, "int64")
    for day in range(days):
        today = np.asarray(rule(clicks[:day].sum(0), views[:day].sum(0), visits[day], rng))
        if today.shape != rates.shape[1:] or (today < 0).any() or (today.sum(1) != visits[day]).any():
            raise SettingsError(f"On day {day} the rule does not show one picture to each visitor: rows sum to visits.")
        views[day] = today
        clicks[day] = rng.binomial(today, rates[day])
    return Season(views, clicks, rates)
