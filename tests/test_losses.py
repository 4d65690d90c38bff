"""Perceptual losses against NumPy and SciPy, their invariants, their gradients by finite differences, hostile input.

All are ours. Oracles are computed here another way: position by position, with SciPy's matrix root, in float64.
"""

import functools
import itertools

import numpy as np
import pytest
import scipy.linalg

from stylelab.backend import ops, tf
from stylelab.losses import (
    content_loss,
    gram_loss,
    gram_matrix,
    mean_covariance,
    moments,
    moments_loss,
    total_variation,
    w2_loss,
    weave,
)

STATISTICS = {"gram": gram_matrix, "moments": moments, "w2": mean_covariance}
DISTANCES = {"gram": gram_loss, "moments": moments_loss, "w2": w2_loss}
LOSSES = ["content", *STATISTICS]


def loss(name, features, target, weights=None):
    """The loss ``name`` of features, as an objective uses it: statistic, then distance."""
    if name == "content":
        return content_loss(features, target)
    return DISTANCES[name](STATISTICS[name](features, weights), STATISTICS[name](target))


def features(*shape, seed=0, dtype="float64", scale=1.0, mix=True):
    """Like a network's behind a ReLU: not negative, many zeros, a mean, and channels that know of each other."""
    rng = np.random.default_rng(seed)
    x = rng.normal(0.3, 1, shape)
    if mix:
        x = x @ rng.normal(0, 1, (shape[-1], shape[-1])) / np.sqrt(shape[-1])
    return (scale * np.maximum(x, 0)).astype(dtype)


def value_and_gradient(function, x):
    x = tf.convert_to_tensor(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = function(x)
    return np.asarray(value), np.asarray(tape.gradient(value, x))


# ---- oracles ---------------------------------------------------------------------------------------------------


def gram_oracle(x):
    """The mean over positions of the outer product of a position's features with themselves."""
    return np.array([np.mean([np.outer(f, f) for f in picture.reshape(-1, x.shape[-1])], axis=0) for picture in x])


def relative_oracle(x, target):
    return np.mean([((a - b) ** 2).sum() / (b**2).sum() for a, b in zip(x, target, strict=True)])


def moments_oracle(x):
    rows = x.reshape(len(x), -1, x.shape[-1])
    return np.stack([rows.mean(1), np.sqrt(rows.var(1) + 1e-5)], axis=1)


def w2_oracle(x, target):
    """Covariances around the mean, the documented ridge on them, and SciPy's matrix root."""
    losses = []
    for a, b in zip(x.reshape(len(x), -1, x.shape[-1]), target.reshape(len(target), -1, x.shape[-1]), strict=True):
        mean_a, mean_b = a.mean(0), b.mean(0)
        cov_a, cov_b = np.cov(a.T, bias=True), np.cov(b.T, bias=True)
        size = mean_b @ mean_b + np.trace(cov_b)
        ridge = 1e-4 * size / len(mean_a) * np.eye(len(mean_a))
        root_b = scipy.linalg.sqrtm(cov_b + ridge)
        overlap = scipy.linalg.sqrtm(root_b @ (cov_a + ridge) @ root_b)
        shape = np.trace(cov_a + cov_b + 2 * ridge - 2 * overlap.real)
        losses.append((((mean_a - mean_b) ** 2).sum() + shape) / size)
    return np.mean(losses)


def total_variation_oracle(x):
    total = 0.0
    for axis in (1, 2):
        total += np.mean(np.diff(x, axis=axis) ** 2)
    return total


class TestValues:
    """Against the oracles, in float64."""

    x, target = features(2, 7, 5, 4, seed=1), features(2, 7, 5, 4, seed=2, scale=1.3)

    def test_gram_matrix(self):
        np.testing.assert_allclose(gram_matrix(self.x), gram_oracle(self.x), rtol=1e-12)

    def test_moments(self):
        np.testing.assert_allclose(moments(self.x), moments_oracle(self.x), rtol=1e-12)

    def test_mean_covariance_is_the_mean_above_the_second_raw_moment(self):
        expected = np.concatenate([self.x.mean((1, 2))[:, None], gram_oracle(self.x)], axis=1)
        np.testing.assert_allclose(mean_covariance(self.x), expected, rtol=1e-12)

    def test_content_loss(self):
        np.testing.assert_allclose(content_loss(self.x, self.target), relative_oracle(self.x, self.target), rtol=1e-6)

    def test_gram_loss(self):
        expected = relative_oracle(gram_oracle(self.x), gram_oracle(self.target))
        np.testing.assert_allclose(loss("gram", self.x, self.target), expected, rtol=1e-6)

    def test_moments_loss(self):
        expected = relative_oracle(moments_oracle(self.x), moments_oracle(self.target))
        np.testing.assert_allclose(loss("moments", self.x, self.target), expected, rtol=1e-6)

    def test_w2_loss(self):
        np.testing.assert_allclose(loss("w2", self.x, self.target), w2_oracle(self.x, self.target), rtol=1e-6)

    def test_w2_loss_of_two_one_dimensional_gaussians(self):
        """By hand: ``(μ - μₜ)² + (σ - σₜ)²`` over ``μₜ² + σₜ²``."""
        x, target = features(1, 40, 40, 1, seed=3), features(1, 40, 40, 1, seed=4, scale=3.0)
        by_hand = (x.mean() - target.mean()) ** 2 + (x.std() - target.std()) ** 2
        np.testing.assert_allclose(loss("w2", x, target), by_hand / (target**2).mean(), rtol=2e-4)

    def test_total_variation(self):
        np.testing.assert_allclose(total_variation(self.x), total_variation_oracle(self.x), rtol=1e-12)

    def test_total_variation_of_a_ramp(self):
        """By hand: a step of 0.1 down and 0.3 to the right everywhere."""
        ramp = 0.1 * np.arange(6)[:, None] + 0.3 * np.arange(4)
        np.testing.assert_allclose(total_variation(ramp[None, :, :, None]), 0.01 + 0.09, rtol=1e-12)


def weave_oracle(x, period, window):
    """Window by window: the mean at each phase, and the variance of these means."""
    each = []
    sides = [min(window, side // period * period) for side in x.shape[1:3]]
    for picture in x:
        for top in range(0, x.shape[1] - sides[0] + 1, sides[0]):
            for left in range(0, x.shape[2] - sides[1] + 1, sides[1]):
                part = picture[top : top + sides[0], left : left + sides[1]]
                means = [part[i::period, j::period].mean((0, 1)) for i, j in np.ndindex(period, period)]
                each.append(np.var(means, axis=0))
    return np.mean(each)


class TestWeave:
    """What repeats every few pixels, and nothing else."""

    @pytest.mark.parametrize(("period", "window"), [(4, 32), (4, 8), (2, 8), (3, 9)])
    @pytest.mark.parametrize("shape", [(2, 40, 70, 3), (1, 17, 9, 2), (1, 4, 32, 1)])
    def test_against_numpy(self, period, window, shape):
        x = features(*shape, seed=40)
        np.testing.assert_allclose(weave(x, period, window), weave_oracle(x, period, window), rtol=1e-10)

    @pytest.mark.parametrize("cells", [1, 2])
    def test_of_a_checkerboard_it_is_the_square_of_its_amplitude(self, cells):
        row = np.arange(64) // cells
        board = 0.3 * (-1.0) ** np.add.outer(row, row)
        np.testing.assert_allclose(weave(0.5 + board[None, :, :, None]), 0.09, rtol=1e-9)

    def test_where_the_pattern_begins_does_not_count(self):
        x = np.tile(features(1, 4, 4, 3, seed=41), (1, 16, 16, 1))
        for by in (1, 2, 3):
            np.testing.assert_allclose(weave(np.roll(x, (by, 2 * by), (1, 2))), weave(x), rtol=1e-9)

    def test_patterns_of_other_periods_and_noise_do_not_count(self):
        board = np.tile(features(1, 4, 4, 1, seed=42), (1, 16, 16, 1))
        for other in (3, 5, 7, 8):
            line = np.cos(2 * np.pi * np.arange(64) / other)
            # 32 px hold no whole number of most periods: a little leaks.
            assert float(weave(np.tile(line, (64, 1))[None, :, :, None])) < 0.05 * line.var()
        noise = np.random.default_rng(43).normal(0, board.std(), (1, 256, 256, 1))
        assert float(weave(noise)) < 0.03 * float(weave(board))  # 64 cells a window: a 64th is expected

    def test_of_a_batch_it_is_the_mean_of_its_pictures(self):
        x = features(2, 32, 36, 3, seed=44)
        np.testing.assert_allclose(weave(x), np.mean([weave(picture[None]) for picture in x]), rtol=1e-12)


class TestInvariants:
    x, target = features(2, 6, 8, 5, seed=5), features(2, 6, 8, 5, seed=6, scale=2.0)

    @pytest.mark.parametrize("name", LOSSES)
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_zero_for_itself(self, name, dtype):
        x = self.x.astype(dtype)
        assert abs(float(loss(name, x, x))) < (2e-6 if dtype == "float32" else 1e-8)

    @pytest.mark.parametrize("name", LOSSES)
    def test_not_zero_for_another(self, name):
        assert loss(name, self.x, self.target) > 0.05

    @pytest.mark.parametrize("name", STATISTICS)
    def test_style_forgets_where_things_are(self, name):
        order = np.random.default_rng(0).permutation(48)
        shuffled = self.x.reshape(2, 48, 5)[:, order].reshape(2, 8, 6, 5)
        np.testing.assert_allclose(STATISTICS[name](shuffled), STATISTICS[name](self.x), rtol=1e-12)

    def test_content_does_not(self):
        assert content_loss(self.x[:, ::-1], self.x) > 0.1

    @pytest.mark.parametrize("name", STATISTICS)
    def test_statistics_are_those_of_any_resolution(self, name):
        tiled = np.tile(self.x, (1, 2, 2, 1))
        np.testing.assert_allclose(STATISTICS[name](tiled), STATISTICS[name](self.x), rtol=1e-12)

    @pytest.mark.parametrize("name", LOSSES)
    def test_losses_are_those_of_any_resolution(self, name):
        tiled = [np.tile(f, (1, 2, 2, 1)) for f in (self.x, self.target)]
        np.testing.assert_allclose(loss(name, *tiled), loss(name, self.x, self.target), rtol=1e-9)

    def test_total_variation_of_white_noise_is_four_variances_at_every_size(self):
        for side in (60, 240):
            noise = np.random.default_rng(side).normal(0, 0.1, (1, side, side, 3))
            np.testing.assert_allclose(total_variation(noise), 4 * 0.01, rtol=0.05)

    @pytest.mark.parametrize("name", LOSSES)
    @pytest.mark.parametrize("shape", [(2, 3, 3, 1), (1, 16, 9, 3), (3, 5, 5, 64)])
    def test_one_is_as_far_as_nothing_at_all(self, name, shape):
        """At every number of channels and size, so that one weight keeps its meaning across layers.

        Not to the digit for moments (1e-5 under the root) and w2 (its ridge); features as large as a network's.
        """
        target = features(*shape, seed=7, scale=30.0)
        exact = name in ("content", "gram")
        np.testing.assert_allclose(loss(name, np.zeros(shape), target), 1, rtol=1e-9 if exact else 0.03)

    @pytest.mark.parametrize("name", LOSSES)
    def test_does_not_depend_on_the_unit(self, name):
        """Both of w2's ridges grow with the features; moments' 1e-5 does not."""
        expected = loss(name, self.x, self.target)
        np.testing.assert_allclose(
            loss(name, 50 * self.x, 50 * self.target), expected, rtol=1e-3 if name == "moments" else 1e-6
        )

    @pytest.mark.parametrize(("name", "power"), [("content", 1), ("gram", 2), ("moments", 1), ("w2", 1)])
    @pytest.mark.parametrize("a", [0.0, 0.5, 3.0])
    def test_features_of_another_contrast(self, name, power, a):
        """``a F`` has the Gram matrix ``a² G``, moments ``a μ, a σ``, and ``(a - 1)²`` of squared W2 distance."""
        np.testing.assert_allclose(loss(name, a * self.x, self.x), (a**power - 1) ** 2, rtol=0.03 if a == 0 else 1e-3)

    @pytest.mark.parametrize("name", LOSSES)
    def test_a_batch_has_the_mean_of_its_pictures(self, name):
        single = [float(loss(name, self.x[k : k + 1], self.target[k : k + 1])) for k in range(2)]
        assert single[0] != pytest.approx(single[1], rel=0.02)
        np.testing.assert_allclose(loss(name, self.x, self.target), np.mean(single), rtol=1e-9)

    def test_total_variation_of_a_batch_is_the_mean_of_its_pictures(self):
        single = [total_variation(picture[None]) for picture in self.x]
        np.testing.assert_allclose(total_variation(self.x), np.mean(single), rtol=1e-12)

    @pytest.mark.parametrize("name", STATISTICS)
    def test_one_target_serves_a_batch(self, name):
        """A style's statistics have batch size 1; every picture of a batch is compared with them."""
        target = self.target[:1]
        np.testing.assert_allclose(
            loss(name, self.x, target), loss(name, self.x, np.concatenate([target] * 2)), rtol=1e-12
        )

    def test_a_gram_matrix_is_symmetric_and_positive_semidefinite(self):
        gram = np.asarray(gram_matrix(features(1, 2, 1, 6)))[0]
        np.testing.assert_allclose(gram, gram.T, rtol=1e-12)
        assert np.linalg.eigvalsh(gram).min() > -1e-12

    @pytest.mark.parametrize("name", ["gram", "w2"])
    def test_statistics_average_linearly(self, name):
        """Two pictures side by side have the mean of their statistics: what blending styles rests on."""
        statistic = STATISTICS[name]
        both = statistic(np.concatenate([self.x, self.target], axis=2))
        np.testing.assert_allclose(both, (statistic(self.x) + statistic(self.target)) / 2, rtol=1e-12)


class TestWeights:
    """``weights``: the mask of a region."""

    x = features(2, 6, 7, 4, seed=8)
    mask = np.random.default_rng(9).integers(0, 2, (2, 6, 7, 1)).astype("float64")

    @pytest.mark.parametrize("name", STATISTICS)
    def test_a_mask_selects_positions(self, name):
        weighted = STATISTICS[name](self.x, self.mask)
        for picture, mask, row in zip(self.x, self.mask, weighted, strict=True):
            selected = picture[mask[..., 0] == 1][None, None]
            np.testing.assert_allclose(row, STATISTICS[name](selected)[0], rtol=1e-6)

    @pytest.mark.parametrize("name", STATISTICS)
    def test_a_weight_of_three_counts_a_position_three_times(self, name):
        weights = np.random.default_rng(10).integers(0, 4, (1, 6, 7, 1))
        repeated = np.repeat(self.x[0].reshape(-1, 4), weights.ravel(), axis=0)[None, None]
        np.testing.assert_allclose(STATISTICS[name](self.x[:1], weights), STATISTICS[name](repeated), rtol=1e-6)

    @pytest.mark.parametrize("name", STATISTICS)
    @pytest.mark.parametrize("value", [1.0, 0.01])
    def test_equal_weights_are_no_weights(self, name, value):
        weights = np.full((2, 6, 7, 1), value)
        np.testing.assert_allclose(STATISTICS[name](self.x, weights), STATISTICS[name](self.x), rtol=1e-6)

    @pytest.mark.parametrize("name", STATISTICS)
    def test_an_empty_mask_is_finite(self, name):
        target = STATISTICS[name](self.x.astype("float32"))

        def of(x):
            return DISTANCES[name](STATISTICS[name](x, np.zeros((2, 6, 7, 1), "float32")), target)

        value, gradient = value_and_gradient(of, self.x.astype("float32"))
        assert np.isfinite(value)
        assert np.isfinite(gradient).all()


class TestGradients:
    """Central differences along random directions, in float64."""

    def check(self, function, x, rtol):
        _, gradient = value_and_gradient(function, x)
        rng = np.random.default_rng(11)
        h = 1e-4
        for _ in range(4):
            direction = rng.normal(0, 1, x.shape)
            slope = (float(function(x + h * direction)) - float(function(x - h * direction))) / (2 * h)
            np.testing.assert_allclose((gradient * direction).sum(), slope, rtol=rtol)

    x, target = features(2, 5, 6, 3, seed=12), features(2, 5, 6, 3, seed=13, scale=1.5)

    @pytest.mark.parametrize("name", LOSSES)
    def test_of_losses(self, name):
        self.check(lambda x: loss(name, x, self.target), self.x, 1e-5 if name == "w2" else 1e-6)

    @pytest.mark.parametrize("name", STATISTICS)
    def test_within_a_mask(self, name):
        weights = np.random.default_rng(14).random((2, 5, 6, 1))
        self.check(lambda x: loss(name, x, self.target, weights), self.x, 1e-5 if name == "w2" else 1e-6)

    def test_of_total_variation(self):
        self.check(total_variation, self.x, 1e-6)

    def test_of_weave(self):
        self.check(weave, features(1, 13, 9, 2, seed=45), 1e-6)

    def test_of_w2_with_fewer_positions_than_channels(self):
        """The ridge keeps it smooth; the root's iteration stops before its smallest eigenvalues, so to 1 %."""
        self.check(lambda x: loss("w2", x, features(1, 2, 3, 12, seed=15)), features(1, 2, 3, 12, seed=16), 1e-2)

    @pytest.mark.parametrize("name", LOSSES)
    def test_none_at_the_target_itself(self, name):
        _, away = value_and_gradient(lambda x: loss(name, x, self.target), self.x)
        _, there = value_and_gradient(lambda x: loss(name, x, self.target), self.target)
        assert np.abs(there).max() < 1e-6 * np.abs(away).max()


def _constant(value):
    """A flat picture's features: each channel has its own value, which float32's arithmetic does not hit exactly."""
    return np.broadcast_to(value * np.random.default_rng(17).random(24), (1, 9, 11, 24))


HOSTILE = {
    "zero": np.zeros((1, 9, 11, 24)),
    "one": np.ones((1, 9, 11, 24)),
    "small constant": _constant(1e-3),
    "constant": _constant(1.0),
    "large constant": _constant(1e3),
    "nearly constant": _constant(100.0) + 0.03 * features(1, 9, 11, 24, seed=18),
    "one channel alive": features(1, 9, 11, 24, seed=19) * (np.arange(24) == 3),
    "one position alive": features(1, 9, 11, 24, seed=20) * (np.arange(99) == 5).reshape(1, 9, 11, 1),
    "ordinary": features(1, 9, 11, 24, seed=21, scale=100.0),
}


class TestHostileInput:
    @pytest.mark.parametrize("target", HOSTILE)
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    @pytest.mark.parametrize("name", LOSSES)
    def test_value_and_gradient_are_finite(self, name, dtype, target):
        """All of them in one batch, so that one picture's trouble is the batch's."""
        fixed, x = HOSTILE[target].astype(dtype), np.concatenate(list(HOSTILE.values())).astype(dtype)
        value, gradient = value_and_gradient(lambda x: loss(name, x, fixed), x)
        assert value >= 0
        assert np.isfinite(value)
        assert [case for case, g in zip(HOSTILE, gradient, strict=True) if not np.isfinite(g).all()] == []

    @pytest.mark.parametrize("case", HOSTILE)
    def test_total_variation_is_finite(self, case):
        value, gradient = value_and_gradient(total_variation, HOSTILE[case].astype("float32"))
        assert np.isfinite(value)
        assert np.isfinite(gradient).all()

    @pytest.mark.parametrize("case", HOSTILE)
    def test_weave_is_finite_and_not_negative(self, case):
        value, gradient = value_and_gradient(weave, HOSTILE[case].astype("float32"))
        assert 0 <= value < np.inf
        assert np.isfinite(gradient).all()
        if case in ("zero", "one"):
            assert value == 0

    @pytest.mark.parametrize("shape", [(2, 1, 9, 3), (2, 9, 1, 3)])
    def test_total_variation_of_a_line_is_that_along_it(self, shape):
        x = features(*shape)
        along = np.mean(np.diff(x.reshape(2, 9, 3), axis=1) ** 2)
        value, gradient = value_and_gradient(total_variation, x)
        np.testing.assert_allclose(value, along, rtol=1e-12)
        assert np.isfinite(gradient).all()

    def test_total_variation_of_one_pixel_is_zero(self):
        assert float(total_variation(np.ones((1, 1, 1, 3), "float32"))) == 0

    @pytest.mark.parametrize("positions", [(1, 1), (2, 3), (4, 4)])
    def test_w2_with_fewer_positions_than_channels(self, positions):
        """Covariances without full rank: the documented ridge gives them roots; float32 keeps three digits."""
        x, target = features(1, *positions, 20, seed=22), features(1, *positions, 20, seed=23)
        expected = w2_oracle(x, target)
        np.testing.assert_allclose(loss("w2", x, target), expected, rtol=2e-3)
        np.testing.assert_allclose(loss("w2", x.astype("float32"), target.astype("float32")), expected, rtol=2e-3)


class TestPrecision:
    x, target = features(1, 12, 12, 6, seed=24, scale=4.0), features(1, 12, 12, 6, seed=25, scale=5.0)

    @pytest.mark.parametrize("name", LOSSES)
    @pytest.mark.parametrize(("dtype", "rtol"), [("float16", 2e-3), ("bfloat16", 2e-2)])
    def test_half_precision_is_computed_in_float32(self, name, dtype, rtol):
        half = loss(name, tf.cast(self.x, dtype), tf.cast(self.target, dtype))
        assert half.dtype == "float32"
        np.testing.assert_allclose(half, loss(name, self.x, self.target), rtol=rtol)

    @pytest.mark.parametrize("name", LOSSES)
    def test_large_half_precision_features_do_not_overflow(self, name):
        """float16 ends at 65504: squares of 1e3 do not fit."""
        x, target = (tf.cast(200 * f, "float16") for f in (self.x, self.target))
        assert float(tf.reduce_max(x)) > 1e3
        np.testing.assert_allclose(loss(name, x, target), loss(name, self.x, self.target), rtol=5e-3)

    def test_total_variation_in_half_precision(self):
        half = total_variation(tf.cast(1000 * self.x, "float16"))
        assert half.dtype == "float32"
        np.testing.assert_allclose(half, 1e6 * total_variation(self.x), rtol=5e-3)

    def test_weave_in_half_precision(self):
        half = weave(tf.cast(self.x, "float16"))
        assert half.dtype == "float32"
        np.testing.assert_allclose(half, weave(self.x), rtol=5e-2)

    @pytest.mark.parametrize("name", STATISTICS)
    def test_distances_of_half_precision_statistics(self, name):
        statistics = [STATISTICS[name](f) for f in (self.x, self.target)]
        half = DISTANCES[name](*[tf.cast(s, "bfloat16") for s in statistics])
        assert half.dtype == "float32"
        np.testing.assert_allclose(half, DISTANCES[name](*statistics), rtol=5e-2)

    @pytest.mark.parametrize("name", LOSSES)
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_full_precision_stays(self, name, dtype):
        value, gradient = value_and_gradient(lambda x: loss(name, x, self.target.astype(dtype)), self.x.astype(dtype))
        assert value.dtype == gradient.dtype == dtype

    @pytest.mark.parametrize("name", STATISTICS)
    @pytest.mark.parametrize("mask", ["float32", "float64", "bool"])
    def test_statistics_take_the_features_type_whatever_the_mask_s(self, name, mask):
        for dtype in ("float32", "float64"):
            statistic = STATISTICS[name](self.x.astype(dtype), np.ones((1, 12, 12, 1), mask))
            assert statistic.dtype == dtype

    def test_float64_keeps_its_digits(self):
        """A difference of 1e-9 of the features is lost in float32."""
        assert 0 < float(content_loss(self.x * (1 + 1e-9), self.x)) < 1e-17


@pytest.mark.parametrize("name", LOSSES)
def test_inside_a_compiled_function(name):
    """As optimization calls them: shapes known only when running."""
    x, target = features(1, 9, 7, 4, dtype="float32"), features(1, 9, 7, 4, seed=1, dtype="float32")
    compiled = tf.function(
        lambda x: loss(name, x, target), input_signature=[tf.TensorSpec([1, None, None, 4], tf.float32)]
    )
    np.testing.assert_allclose(compiled(x), loss(name, x, target), rtol=1e-5)
    assert ops.shape(compiled(x)) == ()


@functools.cache
def real_features():
    """At 64 px the last layer has 64 positions for 512 channels, and a flat picture's covariance is zero."""
    from stylelab import images, samples
    from stylelab.features import FeatureExtractor

    extractor = FeatureExtractor("vgg16", ("block1_conv1", "block3_conv1", "block4_conv1"), pooling="average")
    pictures = {name: samples.load(name) for name in ("sneaker_knit", "hokusai_great_wave")}
    pictures |= {"white": np.ones((64, 64, 3), "float32"), "black": np.zeros((64, 64, 3), "float32")}
    return {name: extractor(images.resize(picture, (64, 64))[None]) for name, picture in pictures.items()}


@pytest.mark.weights
@pytest.mark.parametrize("layer", ["block1_conv1", "block3_conv1", "block4_conv1"])
def test_w2_between_real_pictures(layer):
    """Against singular values in float64, without the ridge."""
    every = {name: np.asarray(of[layer]) for name, of in real_features().items()}
    for (name, x), (other, target) in itertools.product(every.items(), repeat=2):
        value, gradient = value_and_gradient(lambda x, target=target: loss("w2", x, target), x)
        assert np.isfinite(gradient).all(), (name, other)
        a, b = (f.reshape(-1, f.shape[-1]).astype("float64") for f in (x, target))
        # tr (S C S)^½ is the sum of the singular values of A Bᵀ / P, of centered features; R of QR keeps them.
        r, t = (np.linalg.qr(f - f.mean(0), mode="r") for f in (a, b))
        roots = np.linalg.svd(r @ t.T / len(a), compute_uv=False)
        distance = ((a.mean(0) - b.mean(0)) ** 2).sum() + a.var(0).sum() + b.var(0).sum() - 2 * roots.sum()
        size = (b.mean(0) ** 2).sum() + b.var(0).sum()
        np.testing.assert_allclose(value, distance / size, rtol=0.02, atol=5e-3, err_msg=f"{name}, {other}")
