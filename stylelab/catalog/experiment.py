"""Which picture do shoppers prefer: an A/B test planned, tested and watched, and a comparison repaired that was none.

Tests and intervals are statsmodels'; what is ours are the limits for several looks and the adjustment for groups.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from stylelab.errors import SettingsError


def sample_size(rate: float, lift: float, *, power: float = 0.8, alpha: float = 0.05) -> int:
    """Visitors that *each* arm needs in a two-sided test of two click rates (statsmodels; Fleiss 1981, eq. 3.14).

    Args:
        rate: click rate of the photo as it is, between 0 and 1.
        lift: smallest relative change worth finding: 0.1 finds 5.5 % beside 5 %.
        power: chance to find it if it is there.
        alpha: chance to find something if nothing is there.
    Raises:
        SettingsError: a rate, power or alpha outside 0..1, or no lift.
    """
    from statsmodels.stats.proportion import samplesize_proportions_2indep_onetail

    other = rate * (1 + lift)
    if not 0 < rate < 1 or not 0 < other < 1 or lift == 0:
        raise SettingsError(f"A rate of {rate} and a lift of {lift} make {other:.4g}: give two rates between 0 and 1.")
    if not 0 < alpha < power < 1:
        raise SettingsError(f"Power is {power} and alpha {alpha}: both lie between 0 and 1, and power is the larger.")
    needed = samplesize_proportions_2indep_onetail(other - rate, rate, power, alpha=alpha, alternative="two-sided")
    return math.ceil(needed)


@dataclass(frozen=True)
class Comparison:
    """Two arms held against each other; all intervals have the confidence ``1 - alpha``.

    Attributes:
        rates: click rates of A (as it was) and B (new).
        difference: B's rate less A's, with ``difference_interval``.
        lift: B's rate over A's, less 1, with ``lift_interval``; infinite where A has no click.
        z: the score statistic: the difference over its standard error if there were none.
        p: how probable a difference of this size or more is if there is none.
    """

    rates: tuple[float, float]
    difference: float
    difference_interval: tuple[float, float]
    lift: float
    lift_interval: tuple[float, float]
    z: float
    p: float


def compare_arms(clicks: Sequence[int], views: Sequence[int], *, alpha: float = 0.05) -> Comparison:
    """Score test of two click rates, and how large the difference is (statsmodels; Newcombe 1998, Walter 1976).

    Both intervals hold for few clicks too; at the border of ``alpha`` they and the test may disagree.

    Args:
        clicks: of A and B.
        views: of A and B, one a visitor, so that they are independent.
        alpha: 1 less the confidence.
    Raises:
        SettingsError: counts that are none, or so few that nothing can be said.
    """
    from statsmodels.stats import proportion

    hits, seen = np.asarray(clicks, "float64"), np.asarray(views, "float64")
    counts = f"Clicks {hits.tolist()} of views {seen.tolist()}"
    if hits.shape != (2,) or seen.shape != (2,) or not ((hits >= 0) & (hits <= seen) & (seen > 0)).all():
        raise SettingsError(f"{counts}: give two of each, with at most one click a view.")
    if not 0 < hits.sum() < seen.sum():
        raise SettingsError(f"{counts} are none or all: wait until both have happened.")
    if not 0 < alpha < 1:
        raise SettingsError(f"Alpha is {alpha}: it is the chance of a false alarm, between 0 and 1.")
    two = (hits[1], seen[1], hits[0], seen[0])
    z, p = proportion.proportions_ztest(hits[::-1], seen[::-1])
    apart, times = (
        proportion.confint_proportions_2indep(*two, method=method, compare=kind, alpha=alpha)
        for kind, method in (("diff", "newcomb"), ("ratio", "log-adjusted"))
    )
    a, b = (float(rate) for rate in hits / seen)
    return Comparison(
        rates=(a, b),
        difference=b - a,
        difference_interval=(float(apart[0]), float(apart[1])),
        lift=b / a - 1 if a else math.inf,
        lift_interval=(float(times[0]) - 1, float(times[1]) - 1),
        z=float(z),
        p=float(p),
    )


def crossing(fractions: Any, limits: Any, drift: float = 0.0) -> np.ndarray:
    """Chance that a statistic looked at several times has passed its limits, by each look.

    With information ``t`` in 0..1 the score ``S = z √t`` is a Brownian motion with the given drift, so what is still
    inside after a look spreads by the next one as a normal law (Armitage, McPherson and Rowe 1969); integrated by
    Gauss and Legendre.

    Args:
        fractions: of the planned visitors at each look, rising to at most 1.
        limits: the test stops at a look when ``|z|`` is at least this.
        drift: mean of z at the full number: 0 without a difference; ``z(1 - alpha / 2) + z(power)`` as planned.
    Returns:
        ``[K]``, rising; the last one is the chance that the test ever stops early or rejects.
    Raises:
        SettingsError: fractions that do not rise in 0..1, or not one positive limit for each.
    """
    from scipy.special import ndtr

    t, bound = _looks(fractions), np.asarray(limits, "float64")
    if bound.shape != t.shape or not (bound > 0).all():
        raise SettingsError(f"{t.size} looks and limits {bound.tolist()}: give one positive limit for each look.")
    nodes, weights = np.polynomial.legendre.leggauss(121)
    at, mass = np.zeros(1), np.ones(1)  # where the score stands that is still inside; all of it begins at 0
    inside = []
    for step, edge in zip(np.diff(t, prepend=0.0), bound * np.sqrt(t), strict=True):
        mean, spread = at + drift * step, math.sqrt(step)
        inside.append((ndtr((edge - mean) / spread) - ndtr((-edge - mean) / spread)) @ mass)
        at = edge * nodes
        law = np.exp(-(((at[:, None] - mean) / spread) ** 2) / 2) / (spread * math.sqrt(2 * math.pi))
        mass = edge * weights * (law @ mass)
    return 1 - np.array(inside)


def looks_limits(fractions: Any, *, alpha: float = 0.05, shape: float = 0.0) -> np.ndarray:
    """Limits of ``|z|`` for several looks that together give the chance ``alpha`` of a false alarm.

    ``c · t^(shape - 1/2)`` (Wang and Tsiatis 1987): shape 0 is O'Brien and Fleming's (1979), which is severe at first
    and costs nearly nothing at the end; 1/2 is Pocock's (1977), the same at every look.

    Args:
        fractions: of the planned visitors at each look, rising to at most 1; decided before the first.
        alpha: for all looks together.
        shape: 0 to 1/2.
    Returns:
        ``[K]``.
    Raises:
        SettingsError: fractions that do not rise in 0..1, or alpha or shape outside its range.
    """
    from scipy.optimize import brentq

    t = _looks(fractions)
    if not 0 < alpha < 1 or not 0 <= shape <= 0.5:
        raise SettingsError(f"Alpha is {alpha} and shape {shape}: alpha lies between 0 and 1, shape in 0..1/2.")
    form = t ** (shape - 0.5)
    return brentq(lambda c: crossing(t, c * form)[-1] - alpha, 0.01, 20.0, xtol=1e-9) * form


def adjusted_rates(group: Any, arm: Any, click: Any) -> np.ndarray:
    """Click rate of each arm if *all* visitors had seen it, from a log in which groups saw the arms in unequal shares.

    ``Σ_g P(g) · mean(click | g, a)``, which is also ``mean(click · [arm = a] / P(a | g))`` with the log's own
    shares: each click weighs as much as its arm was rare in its group (Rosenbaum and Rubin 1983; Robins 1986). True
    only if nothing but the group decided both what was shown and who clicks.

    Args:
        group: index of each visitor's group, ``[N]``.
        arm: index of the picture shown, ``[N]``.
        click: 0 or 1, ``[N]``.
    Returns:
        ``[A]``.
    Raises:
        SettingsError: lengths that differ, or a group that never saw an arm: nothing can be said about it there.
    """
    g, a, y = np.asarray(group), np.asarray(arm), np.asarray(click, "float64")
    if g.ndim != 1 or not g.shape == a.shape == y.shape or not len(g):
        raise SettingsError(
            f"Groups, arms and clicks have the shapes {g.shape}, {a.shape}, {y.shape}: give one a visit."
        )
    seen = np.zeros((g.max() + 1, a.max() + 1))
    hits = np.zeros_like(seen)
    np.add.at(seen, (g, a), 1)
    np.add.at(hits, (g, a), y)
    there = seen.sum(1) > 0
    if (seen[there] == 0).any():
        lost, never = np.argwhere(there[:, None] & (seen == 0))[0]
        raise SettingsError(f"Group {lost} never saw arm {never}: leave the group out, or show it the arm.")
    return (seen[there].sum(1) / len(g)) @ (hits[there] / seen[there])


def _looks(fractions: Any) -> np.ndarray:
    t = np.asarray(fractions, "float64")
    if t.ndim != 1 or not len(t) or not (np.diff(t, prepend=0.0) > 0).all() or t[-1] > 1 + 1e-12:
        raise SettingsError(f"Looks are at the fractions {t.tolist()}: they must rise, above 0 and to at most 1.")
    return t
