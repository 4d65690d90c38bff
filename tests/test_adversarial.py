"""Adversarial losses and gradient penalties: against NumPy, their theory on distributions known by hand, finite
differences, hostile input.

All are ours. Oracles take the papers' formulas literally: probabilities and logarithms in float64.
"""

import itertools

import numpy as np
import pytest
import scipy.spatial.distance
import scipy.stats

from stylelab.backend import keras, tf
from stylelab.errors import SettingsError
from stylelab.losses import ADVERSARIAL_LOSSES, gradient_penalty, r1_penalty
from stylelab.losses.adversarial import cross_entropy_discriminator

NAMES = ["minimax", "non_saturating", "least_squares", "hinge", "wasserstein"]
CROSS_ENTROPY = ["minimax", "non_saturating"]
rng = np.random.default_rng(0)
REAL, FAKE = rng.normal(0.5, 2, (6, 3, 2, 1)), rng.normal(-0.3, 2, (4, 3, 2, 1))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


ORACLES = {  # generator of fake, discriminator of real and fake
    "minimax": (
        lambda f: np.log(1 - sigmoid(f)).mean(),
        lambda r, f: -np.log(sigmoid(r)).mean() - np.log(1 - sigmoid(f)).mean(),
    ),
    "non_saturating": (
        lambda f: -np.log(sigmoid(f)).mean(),
        lambda r, f: -np.log(sigmoid(r)).mean() - np.log(1 - sigmoid(f)).mean(),
    ),
    "least_squares": (
        lambda f: 0.5 * ((f - 1) ** 2).mean(),
        lambda r, f: 0.5 * ((r - 1) ** 2).mean() + 0.5 * (f**2).mean(),
    ),
    "hinge": (
        lambda f: -f.mean(),
        lambda r, f: -np.minimum(0, -1 + r).mean() - np.minimum(0, -1 - f).mean(),
    ),
    "wasserstein": (lambda f: -f.mean(), lambda r, f: f.mean() - r.mean()),
}


def generator(name, fake):
    return ADVERSARIAL_LOSSES[name].generator(fake)


def discriminator(name, real, fake):
    return ADVERSARIAL_LOSSES[name].discriminator(real, fake)


def value_and_gradients(function, *inputs):
    inputs = [tf.convert_to_tensor(x) for x in inputs]
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        value = function(*inputs)
    return value, tape.gradient(value, inputs)


class TestValues:
    def test_all_five_are_there(self):
        assert set(ADVERSARIAL_LOSSES) == set(NAMES)

    @pytest.mark.parametrize("name", NAMES)
    @pytest.mark.parametrize("shape", [(12,), (12, 1), (2, 3, 2, 1)])
    def test_oracles_for_every_shape(self, name, shape):
        real, fake = REAL.ravel()[:12].reshape(shape), FAKE.ravel()[:12].reshape(shape)
        for_generator, for_discriminator = ORACLES[name]
        np.testing.assert_allclose(generator(name, fake), for_generator(fake), rtol=1e-12)
        np.testing.assert_allclose(discriminator(name, real, fake), for_discriminator(real, fake), rtol=1e-12)

    @pytest.mark.parametrize("name", NAMES)
    def test_batches_may_differ_in_size(self, name):
        np.testing.assert_allclose(discriminator(name, REAL, FAKE), ORACLES[name][1](REAL, FAKE), rtol=1e-12)

    @pytest.mark.parametrize(
        ("name", "of_generator", "of_discriminator"),
        [
            ("minimax", -np.log(2), 2 * np.log(2)),
            ("non_saturating", np.log(2), 2 * np.log(2)),
            ("least_squares", 0.5, 0.5),
            ("hinge", 0, 2),
            ("wasserstein", 0, 0),
        ],
    )
    def test_a_discriminator_that_knows_nothing(self, name, of_generator, of_discriminator):
        zero = np.zeros((5, 1))
        np.testing.assert_allclose(generator(name, zero), of_generator, atol=1e-12)
        np.testing.assert_allclose(discriminator(name, zero, zero), of_discriminator, atol=1e-12)

    @pytest.mark.parametrize("name", NAMES)
    def test_a_scalar_also_inside_a_compiled_function(self, name):
        specs = [tf.TensorSpec([None, None, 2, 1], tf.float64)] * 2
        compiled = tf.function(lambda r, f: (generator(name, f), discriminator(name, r, f)), input_signature=specs)
        of_generator, of_discriminator = compiled(REAL, FAKE)
        assert of_generator.shape == of_discriminator.shape == ()
        np.testing.assert_allclose(of_generator, generator(name, FAKE), rtol=1e-12)
        np.testing.assert_allclose(of_discriminator, discriminator(name, REAL, FAKE), rtol=1e-12)


class TestInvariants:
    @pytest.mark.parametrize("name", NAMES)
    def test_the_order_of_the_batch_does_not_matter(self, name):
        real, fake = REAL[rng.permutation(6)], FAKE[rng.permutation(4)]
        np.testing.assert_allclose(generator(name, fake), generator(name, FAKE), rtol=1e-12)
        np.testing.assert_allclose(discriminator(name, real, fake), discriminator(name, REAL, FAKE), rtol=1e-12)

    @pytest.mark.parametrize("name", NAMES)
    def test_a_batch_twice_is_the_batch(self, name):
        real, fake = np.concatenate([REAL, REAL]), np.concatenate([FAKE, FAKE])
        np.testing.assert_allclose(generator(name, fake), generator(name, FAKE), rtol=1e-12)
        np.testing.assert_allclose(discriminator(name, real, fake), discriminator(name, REAL, FAKE), rtol=1e-12)

    @pytest.mark.parametrize("name", NAMES)
    def test_each_player_is_led_its_way(self, name):
        """Minimizing raises real logits and lowers fake ones for the discriminator, raises fake ones for the generator.

        At logits inside 0..1, where also least squares and the hinge have a slope.
        """
        logits = np.linspace(0.1, 0.9, 5)
        _, (of_real, of_fake) = value_and_gradients(lambda r, f: discriminator(name, r, f), logits, logits)
        _, (of_generated,) = value_and_gradients(lambda f: generator(name, f), logits)
        assert (np.asarray(of_real) < 0).all()
        assert (np.asarray(of_fake) > 0).all()
        assert (np.asarray(of_generated) < 0).all()

    def test_minimax_is_a_zero_sum_game(self):
        """The sum of both losses does not depend on the generated pictures."""
        sums = [discriminator("minimax", REAL, f) + generator("minimax", f) for f in (FAKE, 3 * FAKE - 1)]
        np.testing.assert_allclose(*sums, rtol=1e-12)
        np.testing.assert_allclose(sums[0], -np.log(sigmoid(REAL)).mean(), rtol=1e-12)

    def test_non_saturating_and_minimax_differ_by_the_mean_logit(self):
        """``log D - log(1 - D)`` is the logit."""
        np.testing.assert_allclose(generator("minimax", FAKE) + generator("non_saturating", FAKE), -FAKE.mean())

    def test_only_minimax_saturates(self):
        """Where the discriminator is sure of a fake, its slope vanishes; the other's is -1."""
        sure = np.full(1, -40.0)
        slopes = {name: value_and_gradients(lambda f, n=name: generator(n, f), sure)[1][0] for name in CROSS_ENTROPY}
        assert -1e-15 < float(slopes["minimax"][0]) < 0
        np.testing.assert_allclose(slopes["non_saturating"], -1, rtol=1e-12)

    def test_hinge_is_zero_beyond_the_margin_without_a_gradient(self):
        value, gradients = value_and_gradients(
            lambda r, f: discriminator("hinge", r, f), np.array([1.01, 5.0]), np.array([-1.01, -7.0])
        )
        assert float(value) == 0
        assert not np.any(gradients)

    def test_hinge_counts_only_what_is_inside_the_margin(self):
        np.testing.assert_allclose(discriminator("hinge", np.array([9.0, 0.5]), np.array([-9.0])), 0.25)
        np.testing.assert_allclose(discriminator("hinge", np.array([9.0]), np.array([-9.0, -0.5])), 0.25)

    def test_wasserstein_does_not_see_a_shift_and_grows_with_the_scale(self):
        expected = discriminator("wasserstein", REAL, FAKE)
        np.testing.assert_allclose(discriminator("wasserstein", REAL + 7, FAKE + 7), expected, rtol=1e-12)
        np.testing.assert_allclose(discriminator("wasserstein", 3 * REAL, 3 * FAKE), 3 * expected, rtol=1e-12)

    def test_wasserstein_is_the_distance_for_the_best_critic(self):
        """Two heaps on a line, one above the other throughout: the best critic is the coordinate. SciPy's distance."""
        right, left = rng.gamma(2, 1, 50) + 20, rng.gamma(2, 1, 50)
        expected = scipy.stats.wasserstein_distance(right, left)
        np.testing.assert_allclose(-discriminator("wasserstein", right, left), expected, rtol=1e-12)


class TestOptimum:
    """Five places, visited by real and generated pictures with known frequencies p and q; one logit for each place."""

    P, Q = np.array([5, 1, 3, 6, 1]), np.array([2, 4, 3, 1, 6])
    p, q = P / 16, Q / 16
    best = p / (p + q)

    def loss(self, name, logits):
        return discriminator(name, tf.repeat(logits, self.P), tf.repeat(logits, self.Q))

    def check_minimum(self, name, logits):
        value, (slope,) = value_and_gradients(lambda x: self.loss(name, x), logits)
        np.testing.assert_allclose(slope, 0, atol=1e-12)
        for k in range(20):
            moved = logits + np.random.default_rng(k).normal(0, 10.0 ** (-k % 4), 5)
            assert float(self.loss(name, moved)) > float(value)
        return value

    @pytest.mark.parametrize("name", CROSS_ENTROPY)
    def test_cross_entropy_measures_the_jensen_shannon_divergence(self, name):
        """Goodfellow et al. (2014), proposition 1 and eq. 6; SciPy's divergence, which is a root."""
        value = self.check_minimum(name, np.log(self.best / (1 - self.best)))
        divergence = scipy.spatial.distance.jensenshannon(self.p, self.q) ** 2
        np.testing.assert_allclose(value, 2 * np.log(2) - 2 * divergence, rtol=1e-12)

    def test_least_squares_is_smallest_at_the_same_probability(self):
        value = self.check_minimum("least_squares", self.best)
        np.testing.assert_allclose(value, 0.5 * (self.p * self.q / (self.p + self.q)).sum(), rtol=1e-12)

    def test_hinge_is_smallest_at_the_sign_and_measures_the_overlap(self):
        """``2 Σ min(p, q)``: Lim and Ye (2017)."""
        value = float(self.loss("hinge", np.sign(self.p - self.q)))
        np.testing.assert_allclose(value, 2 * np.minimum(self.p, self.q).sum(), rtol=1e-12)
        for k in range(20):
            moved = np.sign(self.p - self.q) + np.random.default_rng(k).normal(0, 0.5, 5)
            assert float(self.loss("hinge", moved)) >= value - 1e-12


class TestSmoothing:
    """One-sided label smoothing (Salimans et al. 2016): ``real_target`` below 1."""

    @pytest.mark.parametrize("target", [0.6, 0.9, 1.0])
    def test_against_the_cross_entropy_with_that_target(self, target):
        real, fake = sigmoid(REAL), sigmoid(FAKE)
        wanted = -(target * np.log(real) + (1 - target) * np.log(1 - real)).mean() - np.log(1 - fake).mean()
        np.testing.assert_allclose(cross_entropy_discriminator(REAL, FAKE, target), wanted, rtol=1e-12)

    @pytest.mark.parametrize("target", [0.6, 0.9])
    def test_the_best_answer_to_a_real_picture_is_the_target(self, target):
        best = np.array([np.log(target / (1 - target))])
        value, (slope, of_fake) = value_and_gradients(
            lambda r, f: cross_entropy_discriminator(r, f, target), best, np.zeros(1)
        )
        np.testing.assert_allclose(slope, 0, atol=1e-12)
        np.testing.assert_allclose(of_fake, 0.5, rtol=1e-12)  # generated ones are still to be told 0
        for moved in (best - 0.1, best + 0.1):
            assert float(cross_entropy_discriminator(moved, np.zeros(1), target)) > float(value)

    def test_a_target_of_one_is_the_plain_loss(self):
        plain = cross_entropy_discriminator(REAL, FAKE)
        np.testing.assert_array_equal(cross_entropy_discriminator(REAL, FAKE, 1.0), plain)
        assert float(cross_entropy_discriminator(REAL, FAKE, 0.9)) != pytest.approx(float(plain), rel=1e-3)

    def test_gradients_by_finite_differences(self):
        _, slopes = value_and_gradients(lambda r, f: cross_entropy_discriminator(r, f, 0.9), REAL, FAKE)
        ways = [np.random.default_rng(k).normal(0, 1, x.shape) for k, x in enumerate((REAL, FAKE))]
        ahead, behind = (
            cross_entropy_discriminator(REAL + s * 1e-5 * ways[0], FAKE + s * 1e-5 * ways[1], 0.9) for s in (1, -1)
        )
        slope = sum(float(tf.reduce_sum(g * w)) for g, w in zip(slopes, ways, strict=True))
        np.testing.assert_allclose(slope, float(ahead - behind) / 2e-5, rtol=1e-7)

    def test_huge_logits_stay_finite(self):
        for real in (-1e18, 1e18):
            value, slopes = value_and_gradients(
                lambda r, f: cross_entropy_discriminator(r, f, 0.9), np.float32([real]), np.float32([-1.0])
            )
            assert np.isfinite(value)
            assert all(np.isfinite(slope).all() for slope in slopes)


class TestGradients:
    """Central differences along random directions, in float64."""

    @pytest.mark.parametrize("name", NAMES)
    @pytest.mark.parametrize("player", ["generator", "discriminator"])
    def test_of_losses(self, name, player):
        function = getattr(ADVERSARIAL_LOSSES[name], player)
        inputs = [REAL, FAKE][-1 if player == "generator" else 0 :]
        _, gradients = value_and_gradients(function, *inputs)
        h = 1e-5  # no logit is so near the hinge's kink
        for seed in range(3):
            ways = [np.random.default_rng(seed).normal(0, 1, x.shape) for x in inputs]
            ahead, behind = (function(*[x + s * h * w for x, w in zip(inputs, ways, strict=True)]) for s in (1, -1))
            slope = sum(float(tf.reduce_sum(g * w)) for g, w in zip(gradients, ways, strict=True))
            np.testing.assert_allclose(slope, float(ahead - behind) / (2 * h), rtol=1e-8)


HUGE = 1e18  # the least squares' documented end


class TestHostileInput:
    @pytest.mark.parametrize("name", NAMES)
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_value_and_gradient_are_finite(self, name, dtype):
        """Constant batches, so that one logit's trouble is not another's."""
        for real, fake in itertools.product([-HUGE, -200.0, 0.0, 1.0, HUGE], [-HUGE, -1.0, 0.0, 200.0, HUGE]):
            logits = np.full((2, 3), real, dtype), np.full((2, 3), fake, dtype)
            for function, inputs in zip(ADVERSARIAL_LOSSES[name], (logits[1:], logits), strict=True):
                value, gradients = value_and_gradients(function, *inputs)
                assert np.isfinite(value), (real, fake)
                assert all(np.isfinite(g).all() for g in gradients), (real, fake)

    @pytest.mark.parametrize("name", CROSS_ENTROPY)
    def test_a_sure_discriminator_s_mistake_costs_its_logit(self, name):
        """In float32, where a probability would be 0 and its logarithm infinite."""
        wrong = np.full(3, 500.0, "float32")
        np.testing.assert_allclose(discriminator(name, -wrong, wrong), 1000)
        np.testing.assert_allclose(discriminator(name, wrong, -wrong), 0)
        np.testing.assert_allclose(generator("non_saturating", -wrong), 500)
        np.testing.assert_allclose(generator("minimax", wrong), -500)

    @pytest.mark.parametrize("name", NAMES)
    @pytest.mark.parametrize(("dtype", "rtol"), [("float16", 2e-3), ("bfloat16", 2e-2)])
    def test_half_precision_is_computed_in_float32(self, name, dtype, rtol):
        """With logits whose squares leave float16, and more of them than it can count to."""
        real, fake = np.tile(150 * REAL.ravel(), 200), np.tile(150 * FAKE.ravel(), 200)
        half = [tf.cast(x, dtype) for x in (real, fake)]
        exact = [x.numpy().astype("float64") for x in half]
        of_generator, of_discriminator = generator(name, half[1]), discriminator(name, *half)
        assert of_generator.dtype == of_discriminator.dtype == "float32"
        np.testing.assert_allclose(of_generator, generator(name, exact[1]), rtol=1e-5)
        np.testing.assert_allclose(of_discriminator, discriminator(name, *exact), rtol=1e-5)
        np.testing.assert_allclose(of_discriminator, discriminator(name, real, fake), rtol=rtol)

    @pytest.mark.parametrize("name", NAMES)
    def test_float64_keeps_its_digits(self, name):
        """A change of 1e-12 is lost in float32."""
        inside = np.array([0.25, 0.5])
        for function, inputs in zip(ADVERSARIAL_LOSSES[name], ([inside], [inside, inside]), strict=True):
            value = function(*inputs)
            assert value.dtype == "float64"
            for k in range(len(inputs)):
                moved = [x + 1e-12 * (j == k) for j, x in enumerate(inputs)]
                assert 1e-14 < abs(float(function(*moved)) - float(value)) < 1e-11


class Watched:
    """``½ |x|²`` for each sample, whose slope is x itself; keeps what it was asked."""

    def __call__(self, x):
        self.asked = np.asarray(x)
        return tf.reduce_sum(x * x, axis=tuple(range(1, len(x.shape)))) / 2


def norms(x):
    return np.linalg.norm(x.reshape(len(x), -1), axis=1)


SHAPES = [(6, 5), (6, 4, 3), (6, 4, 3, 2), (2, 3, 4, 2, 2)]


class TestPenaltyValues:
    @pytest.mark.parametrize("shape", SHAPES)
    @pytest.mark.parametrize("size", [0.25, 1.0, 4.0])
    def test_of_a_linear_critic(self, shape, size):
        """By hand: its slope is w everywhere. Two-sided: too flat costs as well as too steep."""
        w = rng.normal(0, 1, shape[1:])
        w *= size / np.linalg.norm(w)
        real, fake = rng.normal(0, 1, (2, *shape))

        def critic(x):
            return tf.reduce_sum(w * x, axis=tuple(range(1, len(shape))))

        np.testing.assert_allclose(gradient_penalty(critic, real, fake), (size - 1) ** 2, rtol=1e-9, atol=1e-20)
        np.testing.assert_allclose(r1_penalty(critic, real), size**2 / 2, rtol=1e-12)

    @pytest.mark.parametrize("shape", SHAPES)
    def test_of_a_quadratic_critic(self, shape):
        """Its slope differs from sample to sample: each has its own norm before the mean."""
        real, fake = rng.normal(0, 1, (2, *shape))
        critic = Watched()
        value = gradient_penalty(critic, real, fake)
        np.testing.assert_allclose(value, ((norms(critic.asked) - 1) ** 2).mean(), rtol=1e-9)
        np.testing.assert_allclose(r1_penalty(critic, real), (norms(real) ** 2).mean() / 2, rtol=1e-12)
        np.testing.assert_array_equal(critic.asked, real)

    def test_a_logit_of_shape_batch_by_one(self):
        real, fake = rng.normal(0, 1, (2, 4, 3))
        column = [gradient_penalty(c, real, fake) for c in (Watched(), lambda x: Watched()(x)[:, None])]
        np.testing.assert_allclose(*column, rtol=1e-12)

    def test_patches_are_averaged_like_the_losses_do(self):
        """Four patches with one linear score each: the slope is that of their mean."""
        w = rng.normal(0, 1, (3, 4))
        real, fake = rng.normal(0, 1, (2, 5, 3))

        def critic(x):
            return tf.reshape(x @ w, (-1, 2, 2, 1))

        size = np.linalg.norm(w.mean(1))
        np.testing.assert_allclose(gradient_penalty(critic, real, fake), (size - 1) ** 2, rtol=1e-9)
        np.testing.assert_allclose(r1_penalty(critic, real), size**2 / 2, rtol=1e-12)

    def test_a_critic_that_does_not_look(self):
        real, fake = rng.normal(0, 1, (2, 4, 3))
        np.testing.assert_allclose(gradient_penalty(lambda x: tf.zeros(4, x.dtype), real, fake), 1, rtol=1e-5)
        assert float(r1_penalty(lambda x: tf.zeros(4, x.dtype), real)) == 0

    @pytest.mark.parametrize("shapes", [((4, 3), (1, 3)), ((4, 3), (4, 2)), ((4, 3), (4, 3, 1))])
    def test_two_shapes(self, shapes):
        with pytest.raises(SettingsError, match="as many real as generated samples of one shape"):
            gradient_penalty(Watched(), np.zeros(shapes[0]), np.zeros(shapes[1]))


class TestInterpolates:
    real, fake = np.zeros((2000, 2, 3)), np.arange(1.0, 7.0).reshape(2, 3) * np.ones((2000, 1, 1))

    def shares(self, seed=0):
        """How much of each entry is the real picture's."""
        critic = Watched()
        gradient_penalty(critic, self.real, self.fake, seed)
        return 1 - critic.asked / self.fake

    def test_one_share_a_sample_uniform_between_real_and_fake(self):
        shares = self.shares()
        assert np.ptp(shares, axis=(1, 2)).max() < 1e-12
        assert scipy.stats.kstest(shares[:, 0, 0], "uniform").pvalue > 0.01

    def test_an_int_repeats_itself_and_another_differs(self):
        np.testing.assert_array_equal(self.shares(3), self.shares(3))
        assert np.abs(self.shares(3) - self.shares(4)).mean() > 0.2

    def test_a_tensor_of_two_integers_decides_as_an_int_does(self):
        """As TensorFlow's stateless functions take it; the numbers are theirs."""
        shares = self.shares(tf.constant([3, 4]))
        wanted = tf.random.stateless_uniform((2000, 1, 1), [3, 4], dtype="float64")
        np.testing.assert_allclose(shares, np.broadcast_to(wanted, shares.shape), atol=1e-12)
        assert np.ptp(shares, axis=(1, 2)).max() < 1e-12
        np.testing.assert_array_equal(shares, self.shares(tf.constant([3, 4])))
        assert np.abs(shares - self.shares(tf.constant([3, 5]))).mean() > 0.2

    def test_a_tensor_is_a_seed_that_a_compiled_function_takes(self):
        compiled = tf.function(
            lambda seed: gradient_penalty(lambda x: tf.reduce_sum(x**2, (1, 2)), self.real[:9], self.fake[:9], seed)
        )
        values = [float(compiled(tf.constant([1, k]))) for k in (0, 1, 0)]
        assert values[0] == values[2] != values[1]

    def test_a_seed_generator_draws_anew_also_in_a_compiled_loop(self):
        seed = keras.random.SeedGenerator(5)
        compiled = tf.function(
            lambda: gradient_penalty(lambda x: tf.reduce_sum(x**2, (1, 2)), self.real[:9], self.fake[:9], seed)
        )
        first, second = float(compiled()), float(compiled())
        assert first != second


def two_layers(w, v):
    """A smooth critic of vectors with variables w and v."""
    return lambda x: tf.tanh(x @ tf.cast(w, x.dtype)) @ tf.cast(v, x.dtype)


PENALTIES = {
    "gradient penalty": lambda critic, real, fake: gradient_penalty(critic, real, fake, seed=1),
    "r1": lambda critic, real, fake: r1_penalty(critic, real),
}


@pytest.mark.parametrize("name", PENALTIES)
class TestPenaltyGradients:
    """By the critic's variables: second derivatives."""

    real, fake = rng.normal(0, 1, (2, 5, 3))

    @pytest.mark.parametrize("compiled", [False, True])
    def test_by_finite_differences(self, name, compiled):
        w, v = tf.Variable(rng.normal(0, 1, (3, 4))), tf.Variable(rng.normal(0, 1, (4, 1)))

        def value():
            return PENALTIES[name](two_layers(w, v), self.real, self.fake)

        def gradient():
            with tf.GradientTape() as tape:
                penalty = value()
            return tape.gradient(penalty, [w, v])

        slopes = (tf.function(gradient) if compiled else gradient)()
        h = 1e-6
        for variable, slope in zip((w, v), slopes, strict=True):
            way = rng.normal(0, 1, variable.shape)
            sides = []
            for sign in (1, -2):
                variable.assign_add(sign * h * way)
                sides.append(float(value()))
            variable.assign_add(h * way)
            np.testing.assert_allclose(np.sum(slope * way), (sides[0] - sides[1]) / (2 * h), rtol=1e-6)

    def test_finite_where_the_critic_is_flat(self, name):
        """The norm has no derivative at 0: documented as 0."""
        w = tf.Variable(np.zeros((3, 1), "float32"))
        with tf.GradientTape() as tape:
            value = PENALTIES[name](lambda x: x @ w, self.real.astype("float32"), self.fake.astype("float32"))
        assert np.isfinite(value)
        np.testing.assert_array_equal(tape.gradient(value, w), np.zeros((3, 1)))

    def test_half_precision_pictures_are_taken_in_float32(self, name):
        w, v = rng.normal(0, 1, (3, 4)), rng.normal(0, 1, (4, 1))
        real, fake = tf.cast(self.real, "float16"), tf.cast(self.fake, "float16")
        half = PENALTIES[name](two_layers(w, v), real, fake)
        assert half.dtype == "float32"
        full = PENALTIES[name](two_layers(w, v), tf.cast(real, "float32"), tf.cast(fake, "float32"))
        np.testing.assert_allclose(half, full, rtol=1e-6)

    @pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
    def test_a_critic_in_mixed_precision(self, name, policy):
        """The slope comes back in float32; the critic's own arithmetic has the digits that it has."""
        w = rng.normal(0, 1, (3, 1))
        critic = keras.layers.Dense(1, dtype=policy, kernel_initializer=lambda *_, **__: w, use_bias=False)
        value = PENALTIES[name](critic, self.real.astype("float32"), self.fake.astype("float32"))
        assert value.dtype == "float32"
        np.testing.assert_allclose(value, PENALTIES[name](lambda x: x @ w, self.real, self.fake), rtol=0.05)

    def test_float64_stays(self, name):
        assert PENALTIES[name](Watched(), self.real, self.fake).dtype == "float64"

    def test_of_a_keras_model_on_pictures_it_can_be_trained_away(self, name):
        keras.utils.set_random_seed(0)
        critic = keras.Sequential(
            [keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3, 2, activation="tanh"), keras.layers.Conv2D(1, 3)]
        )
        real, fake = rng.normal(0, 1, (2, 4, 8, 8, 3)).astype("float32")
        optimizer = keras.optimizers.SGD(0.05)

        @tf.function
        def step():
            with tf.GradientTape() as tape:
                value = PENALTIES[name](critic, real, fake)
            weights = critic.trainable_variables[:3]  # the last bias has no slope
            optimizer.apply_gradients(zip(tape.gradient(value, weights), weights, strict=True))
            return value

        values = [float(step()) for _ in range(40)]
        assert values[-1] < 0.5 * values[0]
