"""How near is a set of pictures to another. KID, FID and the collapse detector are ours; a mean's interval is SciPy's.

Oracles: the double loop for KID, the moments of a Gaussian, SciPy's matrix square root for FID, sets that are collapsed
by construction.
"""

import math
import warnings

import numpy as np
import pytest
from scipy import linalg

from stylelab import images, metrics
from stylelab.errors import ImageError, SettingsError


def gaussian(count, width=6, shift=0.0, seed=0):
    return np.random.default_rng(seed).normal(shift, 1, (count, width))


def quietly(function, *arguments):
    with warnings.catch_warnings(action="ignore"):
        return function(*arguments)


class TestKid:
    @pytest.mark.parametrize(("n", "m"), [(9, 9), (7, 12)])
    def test_is_the_double_loop(self, n, m):
        x, y = gaussian(n), gaussian(m, shift=0.5, seed=1)

        def k(a, b):
            return (sum(p * q for p, q in zip(a, b, strict=True)) / len(a) + 1) ** 3

        within = sum(k(x[i], x[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
        within += sum(k(y[i], y[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
        across = sum(k(a, b) for a in x for b in y) / (n * m)
        assert metrics.kid(x, y).value == pytest.approx(within - 2 * across, rel=1e-10)

    def test_is_unbiased(self):
        """In one dimension by hand: E (xy + 1)³ = 1 + 3 E[x]E[y] + 3 E[x²]E[y²] + E[x³]E[y³]; 10 pictures suffice."""
        moments = np.array([0.5, 1.25, 1.625])  # of N(0.5, 1): m, m² + 1, m³ + 3 m
        other = np.array([0.0, 1.0, 0.0])
        truth = np.array([3, 3, 1]) @ (moments - other) ** 2
        drawn = [
            metrics.kid(gaussian(10, 1, seed=2 * k), gaussian(10, 1, 0.5, seed=2 * k + 1), subsets=2).value
            for k in range(3000)
        ]
        error = np.std(drawn) / math.sqrt(len(drawn))
        assert abs(np.mean(drawn) - truth) < 3 * error < 0.3 * truth
        assert min(drawn) < 0, "unbiased, so sometimes negative"

    @pytest.mark.parametrize("shift", [0.0, 0.15, 0.5])
    def test_the_interval_covers_the_truth(self, shift):
        """200 experiments: 95 % are 190 ± 9 (three standard errors); for one source more, as documented."""
        x, y = gaussian(200_000, 4, seed=7), gaussian(200_000, 4, shift, seed=8)

        def expected(a, b):  # E k(a, b), from pairs that have nothing in common
            return ((np.sum(a * np.roll(b, 1000, 0), 1) / 4 + 1) ** 3).mean()

        truth = expected(x, x) + expected(y, y) - 2 * expected(x, y) if shift else 0.0
        hits = 0
        for k in range(200):  # small, so that the matrix products stay in one thread
            near, far = gaussian(40, 4, seed=100 + k), gaussian(40, 4, shift, seed=10_000 + k)
            estimate = metrics.kid(near, far, subsets=100)
            assert estimate.low <= estimate.value <= estimate.high
            hits += estimate.low <= truth <= estimate.high
        assert hits >= (190 if shift == 0 else 181)

    def test_two_halves_of_one_set_have_zero_in_the_interval(self):
        x = gaussian(600, 32)
        estimate = metrics.kid(x[:300], x[300:])
        assert estimate.low < 0 < estimate.high

    def test_grows_with_the_difference_outside_the_interval(self):
        x = gaussian(300)
        near, far = (metrics.kid(x, gaussian(300, shift=shift, seed=1)) for shift in (0.3, 1.0))
        assert 0 < near.low < near.high < far.low

    def test_more_pictures_narrow_the_interval(self):
        widths = [np.diff(metrics.kid(gaussian(n), gaussian(n, shift=0.5, seed=1))[1:])[0] for n in (60, 240, 960)]
        assert widths[0] > 1.4 * widths[1] > 1.4**2 * widths[2]

    def test_the_order_of_the_pictures_and_of_the_sets_does_not_matter(self):
        x, y = gaussian(40), gaussian(50, shift=0.5, seed=1)
        shuffled = np.random.default_rng(3).permutation(x)
        assert metrics.kid(shuffled, y).value == pytest.approx(metrics.kid(x, y).value)
        assert metrics.kid(y, x).value == pytest.approx(metrics.kid(x, y).value)

    def test_the_seed_draws_the_interval_and_thins_larger_sets(self):
        x, y = gaussian(200), gaussian(200, shift=0.5, seed=1)
        assert metrics.kid(x, y, seed=1) == metrics.kid(x, y, seed=1)
        assert metrics.kid(x, y, seed=1).value == metrics.kid(x, y, seed=2).value
        assert metrics.kid(x, y, seed=1).low != metrics.kid(x, y, seed=2).low
        thin = [metrics.kid(x, y, subset_size=50, seed=seed) for seed in (1, 2)]
        assert thin[0].value != thin[1].value
        assert thin[0].high - thin[0].low > 1.4 * np.diff(metrics.kid(x, y)[1:])[0]

    def test_the_input_is_not_changed(self):
        x, y = gaussian(20), gaussian(20, seed=1)
        before = x.copy(), y.copy()
        metrics.kid(x, y)
        metrics.collapse(x, y)
        quietly(metrics.fid, x, y)
        np.testing.assert_array_equal(before, (x, y))

    @pytest.mark.parametrize("settings", [{"subsets": 1}, {"subset_size": 1}])
    def test_too_few_draws(self, settings):
        with pytest.raises(SettingsError, match="needs 2 subsets of 2 pictures"):
            metrics.kid(gaussian(9), gaussian(9), **settings)


class TestFid:
    @pytest.mark.parametrize("n", [40, 5], ids=["full rank", "fewer pictures than features"])
    def test_is_heusel_s_with_scipy_s_square_root(self, n):
        x = gaussian(n) @ gaussian(6, seed=4)
        y = gaussian(n + 3, shift=0.4, seed=1) @ gaussian(6, seed=5)
        c, d = np.cov(x.T), np.cov(y.T)
        root = linalg.sqrtm(c @ d).real if n > 6 else np.diag(np.sqrt(np.clip(linalg.eigvals(c @ d).real, 0, None)))
        expected = ((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(c + d - 2 * root)
        assert quietly(metrics.fid, x, y) == pytest.approx(expected, rel=1e-5)

    def test_of_one_dimension_by_hand(self):
        """Two Gaussians on a line: (m - n)² + (s - t)²."""
        x, y = gaussian(50, 1), 1 + 3 * gaussian(60, 1, seed=1)
        expected = (x.mean() - y.mean()) ** 2 + (x.std(ddof=1) - y.std(ddof=1)) ** 2
        assert quietly(metrics.fid, x, y) == pytest.approx(expected)

    def test_zero_for_itself_in_any_order_and_symmetric(self):
        x, y = gaussian(40, 12), gaussian(40, 12, 0.2, seed=1)
        assert quietly(metrics.fid, x, x[::-1]) == pytest.approx(0, abs=1e-9)
        assert quietly(metrics.fid, x, y) == pytest.approx(quietly(metrics.fid, y, x))
        constant = np.ones((5, 3))
        assert quietly(metrics.fid, constant, constant + 2) == pytest.approx(12)

    def test_is_biased_and_warns(self):
        """Why: of one source, a twentieth of the pictures has many times the distance."""
        few, many = (quietly(metrics.fid, gaussian(n, 20), gaussian(n, 20, seed=1)) for n in (50, 2000))
        assert few > 10 * many > 0
        with pytest.warns(UserWarning, match=r"50 and 3000 pictures is biased upward; under 2,000 .* metrics\.kid"):
            metrics.fid(gaussian(50), gaussian(3000))
        with warnings.catch_warnings(action="error"):
            metrics.fid(gaussian(2000), gaussian(2000, seed=1))


def modes(kinds, count=400, spread=0.02, width=16):
    """Pictures of these kinds, out of ten that lie far apart, in turn."""
    centers = np.random.default_rng(9).normal(0, 1, (10, width))
    rng = np.random.default_rng((count, len(kinds)))
    return centers[np.resize(kinds, count)] + rng.normal(0, spread, (count, width))


class TestCollapse:
    def test_real_ones_are_not_collapsed(self):
        for real in (gaussian(400, 16), modes(range(10), spread=0.3), gaussian(400, 768)):
            found = metrics.collapse(real[:200], real[200:])
            assert not found.collapsed
            assert found.diversity == pytest.approx(1, abs=0.1)
            assert found.duplicates < 0.1
            assert found.missing < 0.1

    def test_one_picture_with_noise(self):
        found = metrics.collapse(modes([3]), modes(range(10), spread=0.3))
        assert found.collapsed
        assert found.diversity < 0.1
        assert found.missing > 0.7

    @pytest.mark.parametrize("spread", [0.02, 0.3])
    def test_two_of_ten_modes(self, spread):
        found = metrics.collapse(modes([3, 8], spread=spread), modes(range(10), spread=spread))
        assert found.collapsed
        assert found.missing == pytest.approx(0.8, abs=0.05)

    def test_the_same_pictures_again_and_again(self):
        """Ten pictures of all kinds, forty times: as diverse as real ones, and yet collapsed."""
        again = np.repeat(modes(range(10), 10, spread=0.3), 40, 0)
        again += np.random.default_rng(0).normal(0, 1e-3, again.shape)
        found = metrics.collapse(again, modes(range(10), spread=0.3))
        assert found.collapsed
        assert found.diversity > 0.7
        assert found.duplicates > 0.95
        assert found.missing < 0.5

    def test_diversity_by_hand(self):
        """The mean over all pairs of two."""
        x, y = gaussian(7, 3), 0.4 * gaussian(7, 3, seed=1)

        def mean(rows):
            return np.mean([math.dist(rows[i], rows[j]) for i in range(7) for j in range(7) if i != j])

        found = metrics.collapse(y, x)
        assert found.diversity == pytest.approx(mean(y) / mean(x))
        assert found.collapsed == (found.diversity < 0.5)

    def test_duplicates_by_hand(self):
        """On a line, real ones at distance 1 in a mean distance of 11/3; of four others two are near each other."""
        real = np.arange(10.0)[:, None]
        fake = np.array([0, 0.1, 4, 9, 6, 7.5, 2, 20, 30, 40])[:, None]
        ours, theirs = (np.abs(x - x.T)[~np.eye(10, dtype=bool)].reshape(10, 9) for x in (fake, real))
        expected = np.mean(ours.min(1) / ours.mean() < 1 / theirs.mean())
        found = metrics.collapse(fake, real)
        assert 0.2 <= expected < 1
        assert found.duplicates == pytest.approx(expected)

    @pytest.mark.parametrize(("share", "missing"), [(0.15, 0), (0.05, 0.5)])
    def test_a_kind_is_missing_under_a_fifth_of_its_share(self, share, missing):
        """Two kinds, each half of the real pictures: the bound is 0.1."""
        real, fake = np.zeros((2, 400, 3))
        real[:200], fake[: round(400 * share)] = 1, 1
        assert metrics.collapse(fake, real).missing == pytest.approx(missing, abs=0.1 * bool(missing))

    def test_sizes_and_units_do_not_matter(self):
        fake, real = modes(range(10), 300, 0.3), modes(range(10), 1000, 0.3)
        first = metrics.collapse(fake, real)
        assert not first.collapsed
        assert metrics.collapse(1000 * fake, 1000 * real) == pytest.approx(first)
        assert metrics.collapse(fake, real, subset_size=100).duplicates < 0.1

    def test_all_equal(self):
        found = metrics.collapse(np.ones((20, 3)), gaussian(20, 3))
        assert found[:2] == (0, 1)
        assert found.collapsed
        with pytest.raises(ImageError, match="real pictures are all equal"):
            metrics.collapse(gaussian(20, 3), np.ones((20, 3)))
        with pytest.raises(SettingsError, match="at least 2"):
            metrics.collapse(gaussian(20), gaussian(20), subset_size=1)


class TestBootstrapMean:
    def test_is_the_mean_with_its_standard_error(self):
        values = np.random.default_rng(0).normal(3, 1, 400)
        estimate = metrics.bootstrap_mean(values)
        assert estimate.value == pytest.approx(values.mean())
        half = 1.96 * values.std(ddof=1) / math.sqrt(len(values))
        assert estimate.low == pytest.approx(values.mean() - half, abs=0.1 * half)
        assert estimate.high == pytest.approx(values.mean() + half, abs=0.1 * half)

    def test_repeats_with_its_seed(self):
        values = [0.1, 0.5, 0.2, 0.9]
        assert metrics.bootstrap_mean(values, seed=3) == metrics.bootstrap_mean(values, seed=3)

    @pytest.mark.parametrize("values", [[2.0, 2.0, 2.0], [1.0, 3.0]])
    def test_few_or_equal_values(self, values):
        estimate = metrics.bootstrap_mean(values)
        assert min(values) <= estimate.low <= estimate.value <= estimate.high <= max(values)

    @pytest.mark.parametrize("values", [[], [1.0], [1.0, np.nan], np.ones((3, 2)), 4.0])
    def test_what_has_no_mean(self, values):
        with pytest.raises(SettingsError, match="at least 2 finite numbers"):
            metrics.bootstrap_mean(values)


GARMENTS = np.random.default_rng(0).random((4, 28, 28, 3)).astype("float32")


class TestBrokenInput:
    @pytest.mark.parametrize("compare", [metrics.kid, metrics.fid, metrics.collapse])
    @pytest.mark.parametrize(
        ("data", "words"),
        [
            (gaussian(1), "at least 2 pictures"),
            (np.zeros((0, 6)), "at least 2 pictures"),
            (np.full((3, 6), np.nan), "NaN"),
            (np.zeros((3, 6), complex), "type complex128"),
            (np.zeros(6), r"shape \(6,\)"),
            (GARMENTS[..., 0], r"shape \(4, 28, 28\)"),
            (GARMENTS[..., :1], r"must have the shape \[N, height, width, 3\], not \(4, 28, 28, 1\)"),
            (GARMENTS[:1], "has 1 pictures and must have at least 2"),
            (GARMENTS[:0], "has 0 pictures"),
            (255 * GARMENTS, "outside 0..1"),
            (np.full_like(GARMENTS, np.nan), "NaN"),
            ((255 * GARMENTS).astype("uint8"), "divide by 255"),
        ],
    )
    def test_no_set(self, compare, data, words):
        with pytest.raises(ImageError, match=words):
            compare(data, data)

    @pytest.mark.parametrize("compare", [metrics.kid, metrics.fid, metrics.collapse])
    @pytest.mark.parametrize(
        ("first", "second"), [(gaussian(5, 6), gaussian(5, 7)), (GARMENTS, GARMENTS[:, :20]), (GARMENTS, gaussian(5))]
    )
    def test_sets_that_do_not_match(self, compare, first, second):
        with pytest.raises(ImageError, match="cannot be compared; give pictures of one size"):
            compare(first, second)


@pytest.mark.weights
class TestVggFeatures:
    def test_are_means_over_positions(self):
        from stylelab.features import FeatureExtractor

        of = FeatureExtractor("vgg16", ["block3_conv3", "block4_conv3"])
        layers = of(images.resize(GARMENTS, (32, 32)))
        b3, b4 = (np.asarray(layer, "float64").mean((1, 2)) for layer in layers.values())
        found = metrics.vgg_features(GARMENTS, batch=3)
        assert found.shape == (4, 768)
        np.testing.assert_allclose(found, np.hstack([b3 / 300, b4 / 60]), rtol=1e-3, atol=1e-4)

    def test_of_small_pictures_at_32_px_and_of_larger_ones_at_64(self):
        large = np.random.default_rng(1).random((2, 40, 30, 3)).astype("float32")
        np.testing.assert_array_equal(metrics.vgg_features(GARMENTS), metrics.vgg_features(GARMENTS, 32))
        np.testing.assert_array_equal(metrics.vgg_features(large), metrics.vgg_features(large, 64))
        assert not np.allclose(metrics.vgg_features(large), metrics.vgg_features(large, 32), rtol=0.01)

    def test_are_antialiased(self):
        """Stripes of 3 px vanish at a fourth of the size; every fourth pixel has stripes of 3 px again."""
        stripes = np.zeros((2, 128, 128, 3), "float32")
        stripes[:, :, ::3] = 1
        flat = metrics.vgg_features(np.full_like(stripes, 1 / 3), 32)
        vanished, moire = (metrics.vgg_features(x, 32) for x in (stripes, stripes[:, ::4, ::4]))
        assert np.abs(vanished - flat).mean() < 0.1 * np.abs(moire - flat).mean()

    def test_pictures_or_their_features_are_the_same_to_all(self):
        other = np.clip(GARMENTS[::-1] * 0.8, 0, 1)
        x, y = metrics.vgg_features(GARMENTS), metrics.vgg_features(other)
        assert metrics.kid(GARMENTS, other, subsets=5) == metrics.kid(x, y, subsets=5)
        assert metrics.collapse(GARMENTS, other) == metrics.collapse(x, y)
        assert quietly(metrics.fid, GARMENTS, other) == quietly(metrics.fid, x, y)

    @pytest.mark.parametrize("settings", [{"size": 8}, {"batch": 0}])
    def test_settings_out_of_range(self, settings):
        with pytest.raises(SettingsError, match="size of 16 px and a batch of 1"):
            metrics.vgg_features(GARMENTS, **settings)


def drawn_garments(count, seed):
    """Rectangles and ellipses of a random size and color on white: pictures that need no file."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[-14:14, -14:14]
    pictures = np.ones((count, 28, 28, 3), "float32")
    for picture in pictures:
        high, wide = rng.uniform(4, 13, 2)
        round_ = (rows / high) ** 2 + (columns / wide) ** 2 < 1
        inside = round_ if rng.random() < 0.5 else (abs(rows) < high) & (abs(columns) < wide)
        picture[inside] = rng.uniform(0.1, 0.9, 3)
    return pictures


@pytest.mark.weights
class TestOnPictures:
    real, other = (staticmethod(lambda seed=seed: drawn_garments(120, seed)) for seed in (0, 1))

    def test_kid_of_one_source_is_zero_and_orders_damage(self):
        real = metrics.vgg_features(self.real())
        noise = np.random.default_rng(2).normal(0, 1, (120, 28, 28, 3))
        found = [
            metrics.kid(real, metrics.vgg_features(np.clip(self.other() + s * noise, 0, 1))) for s in (0, 0.1, 0.3)
        ]
        assert found[0].low < 0 < found[0].high
        assert found[0].high < found[1].low
        assert found[1].high < found[2].low

    def test_collapse(self):
        real, other = self.real(), self.other()
        noise = np.random.default_rng(2).normal(0, 0.03, real.shape)
        assert not metrics.collapse(other, real).collapsed
        assert metrics.collapse(np.clip(other[:1] + noise, 0, 1), real).collapsed
        assert metrics.collapse(np.clip(np.repeat(other[:6], 20, 0) + noise, 0, 1), real).collapsed
        faded = 0.5 + 0.5 * other
        assert not metrics.collapse(faded, real).collapsed, "pale is bad, not collapsed"
