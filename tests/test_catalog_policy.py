"""Who sees what: places held against SHA-256 itself, shares and independence against chi-square, records against both.

SciPy's chi-square is wrapped; the hash and what is cut from it are ours.
"""

import hashlib
import math

import numpy as np
import pytest
from scipy import stats

from stylelab.catalog import policy
from stylelab.errors import SettingsError

VISITORS = [f"visitor-{k}" for k in range(20_000)]


def test_a_place_is_what_sha_256_says():
    digest = hashlib.sha256(b"pepper/autumn/Zo\xc3\xab").hexdigest()
    assert policy.place("autumn", "Zoë", "pepper") == (int(digest[:16], 16) >> 11) / 2**53


def test_places_are_uniform_and_of_two_experiments_independent():
    first, second = (np.array([policy.place(name, v) for v in VISITORS]) for name in ("autumn", "winter"))
    for places in (first, second):
        assert places.min() >= 0
        assert places.max() < 1
        assert stats.chisquare(np.histogram(places, 100, (0, 1))[0]).pvalue > 1e-3
    table = np.histogram2d(first, second, 10, [[0, 1]] * 2)[0]
    assert stats.chi2_contingency(table).pvalue > 1e-3
    salted = np.array([policy.place("autumn", v, "pepper") for v in VISITORS])
    assert abs(np.corrcoef(first, salted)[0, 1]) < 4 / math.sqrt(len(VISITORS))


TWO = policy.Policy("autumn", {"Plants": {"plain": 0.5, "wave": 0.5}, "Photo": {"plain": 0.2, "wave": 0.3, "own": 0.5}})


def test_styles_have_their_shares_for_ever():
    for group, shares in TWO.shares.items():
        seen = [TWO.style(group, v) for v in VISITORS]
        assert seen == [policy.Policy("autumn", TWO.shares).style(group, v) for v in VISITORS]
        assert policy.sample_ratio([seen.count(s) for s in shares], list(shares.values())) > policy.SUSPECT


def test_who_has_seen_the_new_picture_goes_on_to_while_its_share_grows():
    def seers(share):
        growing = policy.Policy("autumn", {"": {"plain": 1 - share, "wave": share}})
        return {v for v in VISITORS[:3000] if growing.style("", v) == "wave"}

    few, some, all_of_them = seers(0.05), seers(0.5), seers(1.0)
    assert 0 < len(few) < len(some) < len(all_of_them) == 3000
    assert few < some


def test_a_share_of_zero_is_never_seen_and_a_decision_always():
    decided = policy.Policy("done", {"": {"plain": 0, "wave": 1, "own": 0}})
    assert {decided.style("", v) for v in VISITORS[:500]} == {"wave"}
    thirds = policy.Policy("thirds", {"": {"a": 1 / 3, "b": 1 / 3, "c": 1 / 3, "never": 0}})
    assert {thirds.style("", v) for v in VISITORS[:500]} == {"a", "b", "c"}


def test_the_last_place_of_all(monkeypatch):
    monkeypatch.setattr(policy, "place", lambda *_: 1 - 2**-53)
    tenths = {str(k): 0.1 for k in range(10)}  # their sum is 1 less a rounding
    assert policy.Policy("tenths", {"": {**tenths, "never": 0}}).style("", "v") == "9"


def test_a_record_can_be_audited():
    record = TWO.record("Photo", "visitor-7")
    assert record["place"] == policy.place("autumn", "visitor-7")
    ends = np.cumsum(list(TWO.shares["Photo"].values()))
    assert record["style"] == list(TWO.shares["Photo"])[int((record["place"] >= ends).sum())]
    assert record["digest"] == policy.Policy("autumn", {k: dict(v) for k, v in TWO.shares.items()}).digest
    others = [
        policy.Policy("winter", TWO.shares),
        policy.Policy("autumn", TWO.shares, "pepper"),
        policy.Policy("autumn", {**TWO.shares, "Photo": {"plain": 0.3, "wave": 0.2, "own": 0.5}}),
        policy.Policy("autumn", {**TWO.shares, "Plants": {"wave": 0.5, "plain": 0.5}}),
    ]
    assert len({record["digest"], *(other.digest for other in others)}) == 5


def test_visitors_with_slashes_stay_apart():
    assert len({policy.place("a", "b/c"), policy.place("a", "b"), policy.place("a", "c")}) == 3


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: policy.place("", "v"), "The experiment is ''"),
        (lambda: policy.place("a", ""), "The visitor is ''"),
        (lambda: policy.place("a", 7), "The visitor is 7: give text"),
        (lambda: policy.place("a/b", "v"), "'a/b' has a slash"),
        (lambda: policy.place("a", "v", "s/t"), "'s/t' has a slash"),
        (lambda: policy.Policy("a", {}), "has no group"),
        (lambda: policy.Policy("a", {"g": {}}), 'The shares of group "g" are []'),
        (lambda: policy.Policy("a", {"g": {"x": 0.5, "y": 0.4}}), "must sum to 1"),
        (lambda: policy.Policy("a", {"g": {"x": 1.5, "y": -0.5}}), "must not be negative"),
        (lambda: policy.Policy("a", {"g": {"x": math.nan}}), "must sum to 1"),
        (lambda: TWO.style("Hats", "v"), 'has no group "Hats": it has Plants, Photo.'),
        (lambda: policy.sample_ratio([5], [1.0]), "There are 1 counts and 1 shares"),
        (lambda: policy.sample_ratio([5, 5], [0.5]), "There are 2 counts and 1 shares"),
        (lambda: policy.sample_ratio([0, 0], [0.5, 0.5]), "Counts [0.0, 0.0]"),
        (lambda: policy.sample_ratio([5, 5], [1.0, 0.0]), "shares are positive"),
    ],
)
def test_policies_that_make_no_sense(make, words):
    with pytest.raises(SettingsError) as error:
        make()
    assert words in str(error.value)


def test_the_sample_ratio_finds_lost_visitors_and_no_others():
    rng = np.random.default_rng(0)
    fair = [policy.sample_ratio(rng.multinomial(10_000, [0.8, 0.2]), [0.8, 0.2]) for _ in range(400)]
    assert stats.binomtest(int(np.sum(np.array(fair) < 0.1)), 400, 0.1).pvalue > 1e-4
    assert policy.sample_ratio([10_000, 9_600], [0.5, 0.5]) == pytest.approx(2 * stats.norm.sf(400 / 140), rel=1e-9)
    assert policy.sample_ratio([100_000, 98_000], [0.5, 0.5]) < policy.SUSPECT
