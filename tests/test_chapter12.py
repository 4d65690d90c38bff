"""Exercises of chapter 12: every right answer, however it is written, and the wrong ones that students write.

The known mistakes of an exercise are edits of its answer; tests/test_course.py sees that each is told apart. Here are
wrong functions written by hand, with the sentence that each must bring forth.
"""

import numpy as np
import pytest
from statsmodels.stats.proportion import proportions_ztest

from stylelab import course
from stylelab.catalog import bandit, experiment
from stylelab.errors import SettingsError
from stylelab.exercises import chapter12, chapter12_open


def message(name, answer, **given):
    result = course.exercise(name, **given).check(answer)
    assert result.status == "wrong", result
    return result.message


# ---- score-test ------------------------------------------------------------------------------------------------


def by_the_package(clicks, views):
    return experiment.compare_arms(clicks, views).z


def by_statsmodels(clicks, views):
    return proportions_ztest(clicks[::-1], views[::-1])[0]


def by_each_person(clicks, views):
    """A correlation: z is √N times that of arm and click."""
    arm = np.repeat([0, 0, 1, 1], np.stack([clicks, views - clicks], 1).astype(int).ravel())
    click = np.repeat([1, 0, 1, 0], np.stack([clicks, views - clicks], 1).astype(int).ravel())
    return np.sqrt(len(arm)) * np.corrcoef(arm, click)[0, 1]


@pytest.mark.parametrize("function", [chapter12.score, by_the_package, by_statsmodels, by_each_person])
def test_right_score(function):
    assert course.exercise("score-test").check(function)


def continuity(clicks, views):
    """Yates' correction, which makes z smaller than the normal law wants it."""
    gap = abs(clicks[1] / views[1] - clicks[0] / views[0]) - (1 / views).sum() / 2
    return np.sign(chapter12.score(clicks, views)) * gap / np.sqrt(_pooled(clicks, views) * (1 / views).sum())


def _pooled(clicks, views):
    pooled = clicks.sum() / views.sum()
    return pooled * (1 - pooled)


def arcsine(clicks, views):
    angle = 2 * np.arcsin(np.sqrt(clicks / views))
    return (angle[1] - angle[0]) / np.sqrt((1 / views).sum())


def log_odds(clicks, views):
    odds = np.log(clicks / (views - clicks))
    return (odds[1] - odds[0]) / np.sqrt((1 / clicks + 1 / (views - clicks)).sum())


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (continuity, "z is not right"),
        (arcsine, "z is not right"),
        (log_odds, "z is not right"),
        (lambda x, n: x / n, "z has shape [2]; wanted is []."),
        (lambda x, n: proportions_ztest(x[::-1], n[::-1])[1], "z is not right"),
        (lambda x, n: proportions_ztest(x, n)[0], "the sign is turned"),
        (lambda x, n: chapter12.score(x, n) ** 2, "z is not right"),
        (lambda x, n: 1.96, "z is not right"),
        (lambda x, n: np.divide(x, n, out=x)[0], "changes its input x in place"),
    ],
    ids=["continuity", "arcsine", "log odds", "rates", "p", "A over B", "chi-square", "1.96", "in place"],
)
def test_wrong_score(function, words):
    assert words in message("score-test", function)


# ---- repaired-effect -------------------------------------------------------------------------------------------


def by_weights(group, arm, click):
    """Each visit alone, by the inverse of its arm's share in its group."""
    chance = {g: np.mean(arm[group == g]) for g in set(group.tolist())}
    share = np.array([chance[g] for g in group.tolist()])
    return np.mean(click * arm / share - click * (1 - arm) / (1 - share))


def by_regression(group, arm, click):
    """The effect of the arm in each group from one least-squares fit, averaged over the visitors."""
    dummies = (group[:, None] == np.unique(group)).astype(float)
    design = np.concatenate([dummies, dummies * arm[:, None]], 1)
    fit = np.linalg.lstsq(design, click, rcond=None)[0][dummies.shape[1] :]
    return (dummies @ fit).mean()


def by_adjusted_rates(group, arm, click):
    old, new = experiment.adjusted_rates(np.unique(group, return_inverse=True)[1], arm, click)
    return new - old


@pytest.mark.parametrize("function", [chapter12.repaired, by_weights, by_regression, by_adjusted_rates])
def test_right_repair(function):
    assert course.exercise("repaired-effect").check(function)


def as_it_is(group, arm, click):
    return click[arm == 1].mean() - click[arm == 0].mean()


def one_slope(group, arm, click):
    """Regression without interactions: groups weigh by how evenly they were split."""
    dummies = (group[:, None] == np.unique(group)).astype(float)
    return np.linalg.lstsq(np.concatenate([dummies, arm[:, None]], 1), click, rcond=None)[0][-1]


def propensity_not_inverted(group, arm, click):
    share = np.array([arm[group == g].mean() for g in group])
    return np.mean(click * arm * share - click * (1 - arm) * (1 - share))


def same_weight_for_both(group, arm, click):
    share = np.array([arm[group == g].mean() for g in group])
    return np.mean(click * arm / share - click * (1 - arm) / share)


def overall_propensity(group, arm, click):
    share = arm.mean()
    return np.mean(click * arm / share - click * (1 - arm) / (1 - share))


def groups_from_zero(group, arm, click):
    effect = 0.0
    for g in range(4):
        new, old = (group == g) & (arm == 1), (group == g) & (arm == 0)
        rates = [click[here].sum() / max(here.sum(), 1) for here in (new, old)]
        effect += (group == g).mean() * (rates[0] - rates[1])
    return effect


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (as_it_is, "this is the plain comparison"),
        (overall_propensity, "this is the plain comparison"),
        (one_slope, "your effect is not right"),
        (propensity_not_inverted, "your effect is not right"),
        (same_weight_for_both, "your effect is not right"),
        (groups_from_zero, "with groups 3, 8, 13 and 18 your effect is"),
        (lambda group, arm, click: by_weights(group, 1 - arm, click), "the sign is turned"),
        (lambda group, arm, click: 0.0, "your effect is not right"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_wrong_repair(function, words):
    assert words in message("repaired-effect", function)


# ---- sell-and-know ---------------------------------------------------------------------------------------------

RATES = np.array([[0.05, 0.08, 0.04, 0.05], [0.10, 0.08, 0.09, 0.14]])
VISITS = np.full((40, 2), 600)
GIVEN = {"rates": RATES, "visits": VISITS}


def equal(clicks, views, day):
    return np.full(len(views), 1 / len(views))


def leader(clicks, views, day):
    return np.eye(len(views))[np.argmax((clicks + 1) / (views + 2))]


def pure_thompson(clicks, views, day):
    return bandit.best_chances(clicks, views, np.random.default_rng(day), draws=300)


def mostly_the_leader(clicks, views, day):
    return 0.075 + 0.7 * leader(clicks, views, day)


def half_a_test(clicks, views, day):
    return equal(clicks, views, day) if day < 14 else leader(clicks, views, day)


def thompson_with_a_floor(clicks, views, day):
    return (0.3 * equal(clicks, views, day) + 0.7 * pure_thompson(clicks, views, day)).tolist()


@pytest.mark.parametrize(
    "function",
    [chapter12_open.my_shares, mostly_the_leader, half_a_test, thompson_with_a_floor],
    ids=lambda f: f.__name__,
)
def test_rules_that_sell_and_know(function):
    assert course.exercise("sell-and-know", **GIVEN).check(function)


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (equal, "You know everything and sell little"),
        (lambda clicks, views, day: (clicks + 1) / (clicks + 1).sum(), "You know everything and sell little"),
        (lambda clicks, views, day: np.eye(4)[views.argmin()], "You know everything and sell little"),
        (lambda clicks, views, day: np.eye(4)[day % 4], "You know everything and sell little"),
        (leader, "about some picture you know next to nothing"),
        (pure_thompson, "Never let a share fall to 0."),
        (lambda clicks, views, day: np.array([0.05, 0.05, 0.05, 0.85]), "Neither is there yet"),
        (lambda clicks, views, day: views / views.sum() if day else np.eye(4)[0], "Neither is there yet"),
        (lambda clicks, views, day: 2 * equal(clicks, views, day), "not negative, and sum to 1."),
        (lambda clicks, views, day: [1.5, -0.5, 0, 0], "your shares on day 0 are [1.5, -0.5, 0.0, 0.0]"),
        (lambda clicks, views, day: clicks / views, "4 of 4 values that are not finite"),
        (lambda clicks, views, day: 1, "your shares has shape []; wanted is [4]."),
        (lambda clicks, views: equal(clicks, views, 0), "cannot be called with 3 arguments"),
    ],
    ids=[
        "equal",
        "by clicks",
        "fewest",
        "in turn",
        "leader",
        "Thompson",
        "knows the winner",
        "rich get richer",
        "sum 2",
        "negative",
        "no views yet",
        "one number",
        "no day",
    ],
)
def test_rules_that_do_not(function, words):
    assert words in message("sell-and-know", function, **GIVEN)


@pytest.mark.parametrize("changed", [{"rates": RATES[0]}, {"visits": VISITS[0]}, {"visits": VISITS[:, :1]}])
def test_what_the_chapter_must_give(changed):
    with pytest.raises(SettingsError, match=r"give \[G, A\] and \[D, G\]"):
        course.exercise("sell-and-know", **{**GIVEN, **changed}).check(equal)
