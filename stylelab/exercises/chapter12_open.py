"""The open exercise of chapter 12: sell well while you learn, and know something about every picture at the end."""

from typing import Any

import numpy as np

from stylelab.errors import SettingsError
from stylelab.exercises import REQUIRED, Exercise, register
from stylelab.exercises.attempt import Attempt, Verdict, array


def my_shares(clicks: Any, views: Any, day: int) -> Any:
    """One of many answers: as probable as each arm is the best, and never less than a small share of the visitors."""
    from stylelab.catalog.bandit import best_chances

    chances = best_chances(clicks, views, np.random.default_rng(day), draws=1000)
    least = 0.08
    return least + (1 - least * len(views)) * chances


def _valid(attempt: Attempt, clicks: np.ndarray, views: np.ndarray, day: int) -> np.ndarray:
    shares = array(attempt(clicks, views, day), "your shares", views.shape)
    if shares.min() < -1e-9 or abs(shares.sum() - 1) > 1e-6:
        raise Verdict("wrong", f"your shares on day {day} are {shares.round(3).tolist()}: not negative, and sum to 1.")
    return np.clip(shares, 0, None) / np.clip(shares, 0, None).sum()


def _season(attempt: Attempt, rates: np.ndarray, visits: np.ndarray, seed: int) -> tuple[float, np.ndarray]:
    """Regret, and views ``[G, A]``, of the student's rule, group by group and day by day."""
    from stylelab.catalog.bandit import simulate

    day = iter(range(len(visits)))

    def rule(clicks: np.ndarray, views: np.ndarray, today: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        now = next(day)
        shares = [_valid(attempt, k.copy(), n.copy(), now) for k, n in zip(clicks, views, strict=True)]
        return rng.multinomial(today, shares)

    season = simulate(rule, rates, visits, np.random.default_rng(seed))
    return float(season.regret()[-1]), season.views.sum(0)


def _sells_and_knows(
    attempt: Attempt, *, rates: Any, visits: Any, regret_share: float, width: float, seed: int = 0
) -> str | None:
    """Regret against uniform play, and the widest interval against uniform play's, over markets it has not seen.

    The markets are the given one with its arms renamed and its groups exchanged, so that a rule that knows the winner
    wins nothing.
    """
    rates, visits = np.asarray(rates, "float64"), np.asarray(visits)
    if rates.ndim != 2 or visits.ndim != 2 or rates.shape[1] < 2 or visits.shape[1] != len(rates):
        raise SettingsError(f"Rates {rates.shape} and visits {visits.shape}: give [G, A] and [D, G].")
    rng = np.random.default_rng(seed)
    lost, blind, widths = 0.0, 0.0, []
    for world in range(3):
        here = rng.permuted(rng.permutation(rates), axis=1)
        regret, seen = _season(attempt, here, visits, world)
        lost += regret
        blind += float((visits.sum(0) * (here.max(1) - here.mean(1))).sum())
        fair = visits.sum(0)[:, None] / here.shape[1]
        widths.append(np.sqrt(fair / np.maximum(seen, 1)).max())  # an interval is as wide as 1 / √views
    share, widest = lost / blind, max(widths)
    sells, knows = share <= regret_share, widest <= width
    if sells and knows:
        return None
    if knows:
        verdict = "You know everything and sell little: show what looks best more often."
    elif sells:
        verdict = "You sell well, and about some picture you know next to nothing: it was given up early. Never let a "
        verdict += "share fall to 0."
    else:
        verdict = "Neither is there yet: does your rule look at clicks / views of each arm?"
    return (
        f"regret {share:.0%} of that of equal shares (at most {regret_share:.0%}), the widest interval {widest:.1f} "
        f"times theirs (at most {width:.1f}). {verdict}"
    )


register(
    Exercise(
        name="sell-and-know",
        chapter="12",
        task="Write my_shares(clicks, views, day) -> the shares [A] of one group's visitors that see each picture "
        "today, from its counts [A] so far: with at most half of the regret of equal shares, and no interval more than "
        "twice as wide as theirs. Draw random numbers from np.random.default_rng(day).",
        hints=(
            "Equal shares know most and sell least; the bandit of the chapter sells best and forgets the losers.",
            "Half as many views make an interval 1.4 times as wide. What is the least share an arm needs to be seen?",
            "A mixture of shares has shares too: least + (1 - A * least) * chances, with bandit.best_chances.",
        ),
        checks=(_sells_and_knows,),
        right="selling and knowing are two aims, and you said in a number what one is worth in the other.",
        answer=my_shares,
        given={"rates": REQUIRED, "visits": REQUIRED, "regret_share": 0.5, "width": 2.0},
        open=True,
    )
)
