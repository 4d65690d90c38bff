"""A/B tests, simulated shoppers and bandits, each held against something computed another way.

statsmodels wraps: sample size, score test, intervals. Ours: the limits for several looks (against published tables,
SciPy's multivariate normal law and simulation), the adjustment for groups (against weighting by inverse propensities),
Thompson's rule (against an integral and against uniform play).
"""

import math

import numpy as np
import pytest
from scipy import integrate, stats

from stylelab.catalog import bandit, experiment, policy, shoppers
from stylelab.errors import SettingsError


def binomial_range(rate, count, chance=1e-4):
    """Shares that a simulation of ``count`` runs shows but for one seed in 1 / chance."""
    return [stats.binom.ppf(q, count, rate) / count for q in (chance / 2, 1 - chance / 2)]


# ---- the test --------------------------------------------------------------------------------------------------


def many_tests(rates, views, runs, seed):
    """Clicks ``[2, runs]`` and z of the pooled score test, many at a time, written out."""
    rng = np.random.default_rng(seed)
    clicks = rng.binomial(views, np.array(rates)[:, None], (2, runs))
    pooled = clicks.sum(0) / (2 * views)
    z = (clicks[1] - clicks[0]) / views / np.sqrt(pooled * (1 - pooled) * 2 / views)
    return clicks, z


@pytest.mark.parametrize(("rate", "lift", "power"), [(0.05, 0.2, 0.8), (0.05, -0.2, 0.8), (0.3, 0.1, 0.9)])
def test_the_sample_size_gives_the_power_that_was_asked_for(rate, lift, power):
    views = experiment.sample_size(rate, lift, power=power)
    runs = 20_000
    low, high = binomial_range(power, runs)
    _, z = many_tests([rate, rate * (1 + lift)], views, runs, seed=1)
    assert low - 0.005 <= np.mean(np.abs(z) > stats.norm.ppf(0.975)) <= high + 0.005
    _, z = many_tests([rate, rate], views, runs, seed=2)
    low, high = binomial_range(0.05, runs)
    assert low <= np.mean(np.abs(z) > stats.norm.ppf(0.975)) <= high


def test_the_sample_size_is_the_formula_of_the_chapter():
    a, b = 0.04, 0.05
    middle, (za, zb) = (a + b) / 2, stats.norm.ppf([0.975, 0.8])
    by_hand = (za * math.sqrt(2 * middle * (1 - middle)) + zb * math.sqrt(a * (1 - a) + b * (1 - b))) ** 2
    assert experiment.sample_size(a, b / a - 1) == math.ceil(by_hand / (b - a) ** 2)
    assert experiment.sample_size(0.05, 0.1, alpha=0.01) > experiment.sample_size(0.05, 0.1)


def test_a_comparison_is_pearsons():
    found = experiment.compare_arms([480, 560], [10_000, 11_000])
    table = [[480, 9_520], [560, 10_440]]
    oracle = stats.chi2_contingency(table, correction=False)
    assert found.z**2 == pytest.approx(oracle.statistic)
    assert found.p == pytest.approx(oracle.pvalue)
    assert found.z > 0
    assert found.difference == pytest.approx(560 / 11_000 - 480 / 10_000)
    assert found.lift == pytest.approx(found.rates[1] / found.rates[0] - 1)
    turned = experiment.compare_arms([560, 480], [11_000, 10_000])
    assert turned.z == pytest.approx(-found.z)
    np.testing.assert_allclose(turned.difference_interval, np.negative(found.difference_interval)[::-1])
    np.testing.assert_allclose(1 + np.array(turned.lift_interval), 1 / (1 + np.array(found.lift_interval))[::-1])


def test_the_interval_is_made_of_wilsons():
    """Newcombe 1998, method 10, from SciPy's intervals of each arm."""
    found = experiment.compare_arms([12, 30], [200, 250], alpha=0.1)
    (a, b), (low, high) = found.rates, found.difference_interval
    first, second = (stats.binomtest(k, n).proportion_ci(0.9, method="wilson") for k, n in [(12, 200), (30, 250)])
    assert low == pytest.approx(b - a - math.hypot(b - second.low, first.high - a))
    assert high == pytest.approx(b - a + math.hypot(second.high - b, a - first.low))


def test_intervals_hold_what_they_promise():
    rates, views, runs = [0.05, 0.065], 600, 2_500
    clicks, _ = many_tests(rates, views, runs, seed=3)
    known, inside = {}, np.zeros(2)
    for pair in map(tuple, clicks.T):
        if pair not in known:
            known[pair] = experiment.compare_arms(pair, [views] * 2, alpha=0.1)
        found = known[pair]
        for k, (truth, (low, high)) in enumerate(
            [(rates[1] - rates[0], found.difference_interval), (rates[1] / rates[0] - 1, found.lift_interval)]
        ):
            inside[k] += low <= truth <= high
    low, high = binomial_range(0.9, runs)
    assert (inside / runs > low).all()
    assert (inside / runs < high + 0.01).all()


@pytest.mark.parametrize("clicks", [(0, 6), (6, 0), (100, 94)])
def test_no_click_and_all_clicks(clicks):
    found = experiment.compare_arms(clicks, [100, 100])
    assert found.difference_interval[0] < found.difference < found.difference_interval[1]
    assert np.isfinite(found.lift_interval).all()
    assert found.lift == (math.inf if clicks[0] == 0 else clicks[1] / clicks[0] - 1)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: experiment.sample_size(0.0, 0.1), "A rate of 0.0 and a lift of 0.1"),
        (lambda: experiment.sample_size(0.6, 0.9), "make 1.14: give two rates between 0 and 1"),
        (lambda: experiment.sample_size(0.05, 0.0), "a lift of 0.0"),
        (lambda: experiment.sample_size(0.05, 0.1, power=1.0), "Power is 1.0"),
        (lambda: experiment.sample_size(0.05, 0.1, alpha=0.9), "power is the larger"),
        (lambda: experiment.compare_arms([1, 2, 3], [9, 9, 9]), "give two of each"),
        (lambda: experiment.compare_arms([11, 2], [10, 10]), "at most one click a view"),
        (lambda: experiment.compare_arms([0, 0], [10, 10]), "wait until both have happened"),
        (lambda: experiment.compare_arms([10, 10], [10, 10]), "wait until both have happened"),
        (lambda: experiment.compare_arms([1, 2], [10, 10], alpha=0), "Alpha is 0"),
        (lambda: experiment.looks_limits([]), "must rise"),
        (lambda: experiment.looks_limits([0.5, 0.5]), "must rise"),
        (lambda: experiment.looks_limits([0.0, 1.0]), "must rise, above 0"),
        (lambda: experiment.looks_limits([0.5, 1.5]), "to at most 1"),
        (lambda: experiment.looks_limits([0.5, 1.0], shape=1.0), "shape in 0..1/2"),
        (lambda: experiment.looks_limits([0.5, 1.0], alpha=1.0), "Alpha is 1.0"),
        (lambda: experiment.crossing([0.5, 1.0], [2.0]), "2 looks and limits [2.0]"),
        (lambda: experiment.crossing([0.5, 1.0], [2.0, -2.0]), "one positive limit"),
        (lambda: experiment.adjusted_rates([0, 1], [0, 1], [1.0]), "give one a visit"),
        (lambda: experiment.adjusted_rates([], [], []), "give one a visit"),
        (lambda: experiment.adjusted_rates([0, 0, 1], [0, 1, 1], [1, 0, 0]), "Group 1 never saw arm 0"),
    ],
)
def test_questions_without_an_answer(make, words):
    with pytest.raises(SettingsError) as error:
        make()
    assert words in str(error.value)


# ---- several looks ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("looks", "pocock", "fleming", "peeking"),
    # Jennison and Turnbull 2000, "Group Sequential Methods", tables 2.1 and 2.3; Armitage et al. 1969, table 2.
    [(2, 2.178, 1.977, 0.083), (5, 2.413, 2.040, 0.142), (10, 2.555, 2.087, 0.193)],
)
def test_limits_are_the_published_ones(looks, pocock, fleming, peeking):
    t = np.arange(1, looks + 1) / looks
    assert experiment.looks_limits(t, shape=0.5) == pytest.approx(pocock, abs=6e-4)
    limits = experiment.looks_limits(t)
    assert limits[-1] == pytest.approx(fleming, abs=6e-4)
    np.testing.assert_allclose(limits * np.sqrt(t), limits[-1])
    assert experiment.crossing(t, np.full(looks, 1.96))[-1] == pytest.approx(peeking, abs=6e-4)


def test_crossing_is_the_multivariate_normal_law():
    t, limits, drift = np.array([0.2, 0.7, 1.0]), np.array([2.5, 2.2, 1.9]), 1.3
    z = stats.multivariate_normal(drift * np.sqrt(t), np.sqrt(np.minimum.outer(t, t) / np.maximum.outer(t, t)))
    inside = z.cdf(limits, lower_limit=-limits, rng=np.random.default_rng(0))
    found = experiment.crossing(t, limits, drift)
    assert found[-1] == pytest.approx(1 - inside, abs=1e-4)
    assert found[0] == pytest.approx(stats.norm.sf(2.5 - drift * 0.2**0.5) + stats.norm.cdf(-2.5 - drift * 0.2**0.5))
    assert (np.diff(found) > 0).all()


def test_one_look_is_the_usual_test():
    assert experiment.looks_limits([1.0]) == pytest.approx(stats.norm.ppf(0.975))
    drift = stats.norm.ppf([0.975, 0.8]).sum()
    assert experiment.crossing([1.0], [stats.norm.ppf(0.975)], drift)[0] == pytest.approx(0.8, abs=1e-4)


@pytest.mark.parametrize("shape", [0.0, 0.25, 0.5])
def test_peeking_errs_and_limits_mend_it(shape):
    """Shoppers, day by day, under no difference; a look each week."""
    rng = np.random.default_rng(4)
    runs, looks, views = 10_000, 6, 1_500
    clicks = rng.binomial(views, 0.08, (2, looks, runs)).cumsum(1)
    total = views * np.arange(1, looks + 1)[:, None]
    pooled = clicks.sum(0) / (2 * total)
    z = np.abs(clicks[1] - clicks[0]) / total / np.sqrt(pooled * (1 - pooled) * 2 / total)
    t = np.arange(1, looks + 1) / looks
    low, high = binomial_range(0.05, runs)
    assert low <= np.mean((z >= experiment.looks_limits(t, shape=shape)[:, None]).any(0)) <= high
    peeked = np.mean((z >= 1.96).any(0))
    low, high = binomial_range(experiment.crossing(t, np.full(looks, 1.96))[-1], runs)
    assert low <= peeked <= high
    assert peeked > 0.12


# ---- cause and correlation -------------------------------------------------------------------------------------


def market(**changes):
    made = {
        "groups": ["Footwear", "Plants", "Photo"],
        "arms": ["plain", "wave", "own"],
        "visitors": [0.5, 0.3, 0.2],
        "base": [0.05, 0.12, 0.03],
        "taste": [[0, 0.3, -0.2], [0, -0.3, 0.2], [0, 0.1, 0.5]],
    }
    return shoppers.Market(**{**made, **changes})


def weighted(group, arm, click):
    """By inverse propensities, visit by visit."""
    shares = np.zeros((group.max() + 1, arm.max() + 1))
    np.add.at(shares, (group, arm), 1)
    shares /= shares.sum(1, keepdims=True)
    return np.array([np.mean(click * (arm == a) / shares[group, a]) for a in range(shares.shape[1])])


def test_stratifying_is_weighting():
    rng = np.random.default_rng(5)
    visits = market().visits(5_000, 7, rng)
    arm = (rng.random(5_000)[:, None] > np.cumsum([[0.1, 0.6], [0.8, 0.1], [0.3, 0.3]], 1)[visits.group]).sum(1)
    click = market().clicks(visits, arm, rng)
    np.testing.assert_allclose(experiment.adjusted_rates(visits.group, arm, click), weighted(visits.group, arm, click))


def test_the_adjustment_finds_the_cause_and_a_hidden_one_fools_it():
    rng = np.random.default_rng(6)
    for regulars, biased in ((0.0, False), (0.4, True)):
        shop = market(regulars=regulars, eagerness=1.5)
        truth, errors, plain = shop.visitors @ shop.rates(), [], []
        for _ in range(30):
            visits = shop.visits(20_000, 1, rng)
            chance = np.array([0.2, 0.7, 0.4])[visits.group] * np.where(visits.regular, 1, 0.3)
            arm = (rng.random(20_000) < chance).astype(int)
            click = shop.clicks(visits, arm, rng)
            errors.append(experiment.adjusted_rates(visits.group, arm, click)[1] - truth[1])
            plain.append(click[arm == 1].mean() - truth[1])
        error = stats.sem(errors)
        assert (abs(np.mean(errors)) > 5 * error) == biased
        assert abs(np.mean(plain)) > 5 * stats.sem(plain)


# ---- shoppers --------------------------------------------------------------------------------------------------


def test_clicks_come_at_the_stated_rates():
    rng = np.random.default_rng(7)
    shop = market(novelty=0.5, half_life=2, regulars=0.3, eagerness=0.8)
    visits = shop.visits(200_000, 3, rng)
    assert stats.chisquare(np.bincount(visits.group), 200_000 * shop.visitors).pvalue > 1e-3
    arm = rng.integers(3, size=200_000)
    click = shop.clicks(visits, arm, rng)
    for day, group, picture in ((0, 0, 1), (2, 1, 0), (1, 2, 2)):
        here = (visits.day == day) & (visits.group == group) & (arm == picture)
        low, high = binomial_range(shop.rates([0, 1, 2])[day, group, picture], here.sum())
        assert low <= click[here].mean() <= high


def test_rates_say_what_the_table_says():
    shop = market(novelty=0.5, half_life=2)
    odds = shop.rates() / (1 - shop.rates())
    np.testing.assert_allclose(shop.rates()[:, 0], shop.base)
    np.testing.assert_allclose(np.log(odds / odds[:, :1]), shop.taste, atol=1e-12)
    first, second = (np.log(r / (1 - r)) for r in shop.rates([0, 2]))
    np.testing.assert_allclose((first - second)[:, 1:], 0.25)
    np.testing.assert_allclose((first - second)[:, 0], 0, atol=1e-12)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"base": [0.1, 0.1]}, "A market of 3 groups and 3 arms"),
        ({"taste": [[0, 1]] * 3}, "taste [3, 3], not (3,), (3,) and (3, 2)"),
        ({"visitors": [0.5, 0.5, 0.5]}, "sum to 1"),
        ({"regulars": 1.5}, "that of regulars lies in 0..1"),
        ({"base": [0.0, 0.1, 0.1]}, "Base click rates lie between 0 and 1"),
        ({"taste": [[0, math.inf, 0]] * 3}, "tastes are finite"),
        ({"taste": [[0.1, 0, 0]] * 3}, "The first arm is the photo as it is"),
        ({"half_life": 0}, "half_life is a number of days"),
    ],
)
def test_markets_that_make_no_sense(changes, words):
    with pytest.raises(SettingsError) as error:
        market(**changes)
    assert words in str(error.value)


def test_no_visits():
    with pytest.raises(SettingsError, match="0 visits in 3 days"):
        market().visits(0, 3, np.random.default_rng(0))


# ---- bandits ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("clicks", "views", "prior"), [([40, 52], [800, 820], (1.0, 1.0)), ([1, 4], [10, 30], (5.0, 50.0))]
)
def test_the_chance_to_be_best_is_an_integral(clicks, views, prior):
    a, b = (stats.beta(prior[0] + k, prior[1] + n - k) for k, n in zip(clicks, views, strict=True))
    exact = integrate.quad(lambda x: b.pdf(x) * a.cdf(x), 0, 0.5, points=[0.06])[0]
    draws = 100_000
    found = bandit.best_chances(clicks, views, np.random.default_rng(8), draws=draws, prior=prior)
    low, high = binomial_range(exact, draws)
    assert low <= found[1] <= high
    assert found.sum() == pytest.approx(1)


def test_thompson_shows_an_arm_as_often_as_it_may_be_the_best():
    rng = np.random.default_rng(9)
    clicks, views = np.array([[30, 40, 20], [0, 0, 0]]), np.array([[600, 610, 590], [0, 0, 0]])
    today = bandit.thompson(clicks, views, np.array([60_000, 60_000]), rng)
    assert today.sum(1).tolist() == [60_000, 60_000]
    np.testing.assert_allclose(today[0] / 60_000, bandit.best_chances(clicks[0], views[0], rng), atol=0.02)
    assert policy.sample_ratio(today[1], [1 / 3] * 3) > policy.SUSPECT
    sure = bandit.thompson(clicks * 0, views * 0, np.array([100, 0]), rng, prior=(1e6, 1.0))
    assert sure.sum() == 100


def test_one_rule_for_all_keeps_what_it_decided():
    def decided(clicks, views, visits, rng):
        assert clicks.tolist() == [[5, 9]]
        assert views.tolist() == [[70, 90]]
        return np.array([[30, 70]])

    clicks, views = np.array([[2, 4], [3, 5]]), np.array([[30, 40], [40, 50]])
    for seed in range(20):
        today = bandit.for_all(decided)(clicks, views, np.array([60, 40]), np.random.default_rng(seed))
        assert today.sum(0).tolist() == [30, 70]
        assert today.sum(1).tolist() == [60, 40]


def total_regret(rule, days, runs=6):
    rng = np.random.default_rng(10)
    shop = market()
    visits = rng.multinomial(2_000, shop.visitors, size=days)
    return np.mean([bandit.simulate(rule, shop.rates(), visits, rng).regret() for _ in range(runs)], 0)


def test_thompsons_regret_flattens_and_uniforms_does_not():
    steady, learning, blind = (total_regret(rule, 80) for rule in RULES)
    assert steady[79] / steady[19] == pytest.approx(4, rel=0.02)
    assert learning[79] / learning[19] < 2
    assert learning[79] < 0.15 * steady[79]
    assert learning[79] < blind[79] < steady[79]


RULES = (bandit.uniform, bandit.thompson, bandit.for_all(bandit.thompson))


@pytest.mark.parametrize("rule", RULES)
def test_a_season_adds_up_and_repeats(rule):
    shop = market()
    visits = np.random.default_rng(11).multinomial(500, shop.visitors, size=12)
    one, two = (bandit.simulate(rule, shop.rates(range(12)), visits, np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(one.views.sum(2), visits)
    assert (one.clicks <= one.views).all()
    np.testing.assert_array_equal(one.clicks, two.clicks)
    assert (np.diff(one.regret(), prepend=0) >= 0).all()
    best, first = (shop.rates().max(1) * visits).sum(), (shop.rates()[:, 0] * visits).sum()
    assert one.regret()[-1] == pytest.approx(best - (1 + one.lift()) * first)


def test_uniforms_lift_is_the_mean_lift():
    shop = market()
    visits = np.random.default_rng(12).multinomial(100_000, shop.visitors, size=5)
    lift = bandit.simulate(bandit.uniform, shop.rates(), visits, np.random.default_rng(0)).lift()
    assert lift == pytest.approx(shop.visitors @ shop.rates().mean(1) / (shop.visitors @ shop.base) - 1, abs=0.003)


@pytest.mark.parametrize(
    ("rule", "rates", "visits", "words"),
    [
        (bandit.uniform, np.full((2, 3), 0.1), [[1.5, 2]], "give whole numbers [D, G]"),
        (bandit.uniform, np.full((2, 3), 0.1), [[1, 2, 3]], "Visits (1, 3) of type int64 with rates (2, 3)"),
        (bandit.uniform, np.full(3, 0.1), [[1, 2, 3]], "rates [G, A] or [D, G, A]"),
        (lambda c, v, n, rng: v * 0, np.full((2, 3), 0.1), [[1, 2]], "does not show one picture to each visitor"),
        (lambda c, v, n, rng: v[0] * 0, np.full((2, 3), 0.1), [[1, 2]], "On day 0 the rule"),
        (lambda *four: bandit.thompson(*four, prior=(0, 1)), np.full((2, 3), 0.1), [[1, 2]], "The prior is (0, 1)"),
    ],
)
def test_seasons_that_make_no_sense(rule, rates, visits, words):
    with pytest.raises(SettingsError) as error:
        bandit.simulate(rule, rates, np.array(visits), np.random.default_rng(0))
    assert words in str(error.value)
