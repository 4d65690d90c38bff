"""Exercises of chapter 12: the score test of two click rates, and a comparison repaired for its groups."""

from typing import Any

import numpy as np

from stylelab.exercises import Exercise, register
from stylelab.exercises.attempt import Attempt, array, close, compare

# score-test


def score(clicks: Any, views: Any) -> Any:
    """``z`` of B against A: the difference of the rates over its standard error if both arms had one rate."""
    rates = clicks / views
    pooled = clicks.sum() / views.sum()
    error = np.sqrt(pooled * (1 - pooled) * (1 / views).sum())
    return (rates[1] - rates[0]) / error


_POOLED, _SPREAD = "clicks.sum() / views.sum()", "np.sqrt(pooled * (1 - pooled) * (1 / views).sum())"
_Z = "(rates[1] - rates[0]) / error"
SCORE_MISTAKES = (
    (_POOLED, "rates.mean()", "the pooled rate is all clicks over all views; the mean of two rates forgets the sizes."),
    (
        _SPREAD,
        "np.sqrt((rates * (1 - rates) / views).sum())",
        "each arm has its own rate here; if there is no difference both have one, and that is what is tested.",
    ),
    (_SPREAD, "pooled * (1 - pooled) * (1 / views).sum()", "this is the variance of the difference; take its root."),
    ("(1 / views).sum()", "1 / views.sum()", "variances of the arms add: 1 / views[0] + 1 / views[1]."),
    ("(1 / views).sum()", "2 / views.mean()", "with unequal arms 1/n + 1/m is not 2 over the mean."),
    (" * (1 / views).sum()", "", "the views are missing: the more of them, the smaller the error."),
    ("pooled * (1 - pooled)", "pooled", "the variance of a click is p (1 - p)."),
    (_Z, "abs(rates[1] - rates[0]) / error", "keep the sign: it says which arm is ahead."),
    (_Z, "(rates[0] - rates[1]) / error", "the sign is turned: positive means that B, the second, is clicked more."),
    (_Z, "rates[1] - rates[0]", "the difference is not yet divided by its standard error."),
    (
        _Z,
        "(rates[1] / rates[0] - 1) / error",
        "this is the lift over the error of the difference; take the difference.",
    ),
    (_Z, "(clicks[1] - clicks[0]) / error", "these are clicks; divide them by the views first."),
)


def _one_number(value: Any) -> dict[str, np.ndarray]:
    return {"z": array(value, "z", ())}


def _score_formula(attempt: Attempt) -> str | None:
    """Arms of unequal sizes, and rates that are far apart, so that no two of the formulas agree."""
    for clicks, views in (([120.0, 460.0], [600.0, 1500.0]), ([90.0, 10.0], [200.0, 90.0])):
        said = compare(attempt, (np.array(clicks), np.array(views)), score, SCORE_MISTAKES, _one_number)
        if said:
            return said
    return None


def _score_is_pearsons(attempt: Attempt) -> str | None:
    """Its square is Pearson's chi-square of the table (SciPy), for random tables."""
    from scipy.stats import chi2_contingency

    rng = np.random.default_rng(1)
    for _ in range(3):
        views = rng.integers(100, 900, 2)
        clicks = rng.binomial(views, rng.uniform(0.1, 0.9, 2))
        wanted = chi2_contingency([clicks, views - clicks], correction=False).statistic
        got = float(array(attempt(clicks, views), "z", ())) ** 2
        if not close(got, wanted):
            return f"for clicks {clicks.tolist()} of {views.tolist()} z² is {got:.4g}; Pearson's is {wanted:.4g}."
    return None


register(
    Exercise(
        name="score-test",
        chapter="12",
        task="Write score(clicks, views) -> z of B against A, for arrays [2] of clicks and views of A and B: the "
        "difference of the rates over its standard error if there were none.",
        hints=(
            "What would the standard error of rates[1] - rates[0] be if both arms had the same rate?",
            "The best guess of that one rate is all clicks over all views, whoever saw what.",
            "error = np.sqrt(pooled * (1 - pooled) * (1 / views[0] + 1 / views[1])).",
        ),
        checks=(_score_formula, _score_is_pearsons),
        right="beyond 1.96 in size it happens once in twenty tests of two equal pictures, if you look once.",
        answer=score,
        mistakes=SCORE_MISTAKES,
    )
)

# repaired-effect


def repaired(group: Any, arm: Any, click: Any) -> Any:
    """The effect of picture 1 over picture 0 on the click rate of *all* visitors: groups first, then their shares."""
    effect = 0.0
    for g in np.unique(group):
        here = group == g
        new, old = here & (arm == 1), here & (arm == 0)
        effect += here.mean() * (click[new].mean() - click[old].mean())
    return effect


_SHARE = "here.mean()"
REPAIRED_MISTAKES = (
    (_SHARE, "1 / len(np.unique(group))", "every group weighs the same here; weigh each by its share of the visitors."),
    (_SHARE, "1", "the effects of the groups are added; weigh each by its share of the visitors."),
    (
        _SHARE,
        "new.sum() / (arm == 1).sum()",
        "weighed by who saw picture 1 this is the effect on *them*; the question is about all visitors.",
    ),
    (
        _SHARE,
        "old.sum() / (arm == 0).sum()",
        "weighed by who saw picture 0 this is the effect on *them*; the question is about all visitors.",
    ),
    (
        "effect += here.mean() * (click[new].mean() - click[old].mean())",
        "effect += new.sum() / (arm == 1).sum() * click[new].mean() - old.sum() / (arm == 0).sum() * click[old].mean()",
        "each arm has weights of its own, and with those the groups cancel out: this is the plain comparison.",
    ),
    ("click[new].mean() - click[old].mean()", "click[old].mean() - click[new].mean()", "the sign is turned: 1 over 0."),
    ("click[new].mean() - click[old].mean()", "click[new].sum() - click[old].sum()", "you subtract clicks, not rates."),
    (
        "click[new].mean() - click[old].mean()",
        "click[new].mean() / click[old].mean() - 1",
        "this averages lifts; take differences of rates.",
    ),
    (
        "click[new].mean() - click[old].mean()",
        "click[new].mean()",
        "this is the rate of picture 1; subtract that of 0.",
    ),
    (
        "click[new].mean() - click[old].mean()",
        "click[here].mean() - click[old].mean()",
        "compare with all of the group, and part of the effect is on both sides: compare those who saw 1 and 0.",
    ),
)


def _log(rng: np.random.Generator, count: int = 3000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A log in which groups of unequal sizes and habits saw the pictures in unequal shares."""
    group = rng.choice(4, count, p=[0.1, 0.2, 0.3, 0.4])
    arm = (rng.random(count) < np.array([0.8, 0.6, 0.15, 0.3])[group]).astype(int)
    rates = np.array([[0.5, 0.3], [0.3, 0.45], [0.1, 0.25], [0.2, 0.1]])
    return group, arm, (rng.random(count) < rates[group, arm]).astype(float)


def _effect(value: Any) -> dict[str, np.ndarray]:
    return {"your effect": array(value, "your effect", ())}


def _repaired_formula(attempt: Attempt) -> str | None:
    return compare(attempt, _log(np.random.default_rng(0)), repaired, REPAIRED_MISTAKES, _effect)


def _repaired_is_weighting(attempt: Attempt) -> str | None:
    """Held against weights of 1 / share, visit by visit; groups need not be numbered from 0."""
    group, arm, click = _log(np.random.default_rng(1))
    share = np.array([arm[group == g].mean() for g in range(4)])[group]
    wanted = np.mean(click * arm / share) - np.mean(click * (1 - arm) / (1 - share))
    got = float(array(attempt(5 * group + 3, arm, click), "your effect", ()))
    if not close(got, wanted):
        return f"with groups 3, 8, 13 and 18 your effect is {got:+.4f}; weighting each visit gives {wanted:+.4f}."
    return None


def _repaired_leaves_a_fair_test_alone(attempt: Attempt) -> str | None:
    """One group, and groups that all saw both pictures equally often: nothing is to be repaired."""
    rng = np.random.default_rng(2)
    click = rng.integers(0, 2, 400).astype(float)
    arm = np.arange(400) % 2
    plain = click[arm == 1].mean() - click[arm == 0].mean()
    for name, group in (("in one group", np.zeros(400, int)), ("after a fair test", np.repeat(np.arange(4), 100))):
        got = float(array(attempt(group, arm, click), "your effect", ()))
        if not close(got, plain):
            return f"{name} the plain comparison is right, {plain:+.4f}; yours says {got:+.4f}."
    return None


register(
    Exercise(
        name="repaired-effect",
        chapter="12",
        task="Write repaired(group, arm, click) -> by how much the click rate of all visitors would rise if everybody "
        "saw picture 1 and not picture 0, from a log [N] in which groups saw them in unequal shares.",
        hints=(
            "Inside one group nothing but chance decided who saw what. What is the effect there?",
            "Everybody means everybody: weigh each group's effect by its share of the visitors, whatever they saw.",
            "Or weigh visits: click * arm / share - click * (1 - arm) / (1 - share), with share = P(arm 1 | group).",
        ),
        checks=(_repaired_formula, _repaired_is_weighting, _repaired_leaves_a_fair_test_alone),
        right="repaired for what the log knows. For what it does not know, only a coin repairs it.",
        answer=repaired,
        mistakes=REPAIRED_MISTAKES,
    )
)
