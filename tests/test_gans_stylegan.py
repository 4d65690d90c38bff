"""StyleGAN at 8 px: what a step changes, styles, truncation, mixing, noise, bad input.

All ours; its layers are tested in ``test_gans_networks.py``.
"""

import numpy as np
import pytest

from stylelab import training
from stylelab.backend import keras, tf
from stylelab.errors import SettingsError
from stylelab.gans import Draws, StyleGAN, adam, stylegan
from stylelab.gans.augment import diff_augment
from stylelab.losses import r1_penalty

RNG = np.random.default_rng(0)
PICTURES = tf.constant(RNG.random((4, 8, 8, 3)).astype("float32"))
LAYERS = 3  # 4, 8 and 8 px


def values(network):
    return [weight.numpy() for weight in network.weights]


def unmoved(network, before):
    return [w.path for w, old in zip(network.weights, before, strict=True) if np.array_equal(old, w.numpy())]


def small(start=0, **settings):
    keras.utils.set_random_seed(start)
    model = StyleGAN(8, **{"latent": 6, "width": 2, "mapping_layers": 2, "dtype": "float32", **settings})
    model.compile(adam(1e-3, 0.0, 0.99), adam(1e-3, 0.0, 0.99), run_eagerly=True)
    return model


@pytest.fixture(scope="module")
def model():
    """After two steps: the strengths of the noise have left 0."""
    model = small(augment=("color",))
    model.before = [values(part) for part in (model.generator, model.discriminator, model.sampler)]
    for _ in range(2):
        model.train_step(PICTURES)
    return model


class TestStep:
    def test_it_moves_all_three(self, model):
        for before, part in zip(model.before, (model.generator, model.discriminator, model.sampler), strict=True):
            assert unmoved(part, before) == []

    def test_r1_every_fourth_step_with_four_times_its_weight(self, model, monkeypatch):
        monkeypatch.setattr(model, "policy", ())
        wanted = 4 * float(r1_penalty(model.discriminator, PICTURES))
        assert wanted > 0
        step, found, judged = int(model.step), [], []
        for k in range(8):
            model.step.assign(k)
            outcome = model.outcome(PICTURES, Draws(0, 0))
            found.append(float(outcome.parts["slope"]))
            judged.append(float(outcome.discriminator))
        model.step.assign(step)
        np.testing.assert_allclose(found, [wanted, 0, 0, 0] * 2, rtol=1e-4)
        np.testing.assert_allclose(judged[0] - judged[1], 2.5 * wanted, rtol=1e-3)

    def test_r1_is_of_the_pictures_before_their_changes(self, model):
        """The slope goes through the augmentation: the critic is what looks at changed pictures."""
        step = int(model.step)
        model.step.assign(0)
        draws = Draws(7, 7)
        found = float(model.outcome(PICTURES, Draws(7, 7)).parts["slope"])
        model.step.assign(step)
        model.mixed(4, draws)
        stylegan.noise(model.generator.sides, 4, draws)
        seed = draws.seed()
        wanted = r1_penalty(lambda x: model.discriminator(diff_augment(x, seed, ("color",))), PICTURES)
        assert found == pytest.approx(4 * float(wanted), rel=1e-3)

    def test_its_gradient_by_finite_differences_in_a_condition(self, model, monkeypatch):
        """Second derivatives through ``tf.cond``, by one weight of the last layer, in a compiled step."""
        monkeypatch.setattr(model, "policy", ())
        kernel = model.discriminator.trainable_variables[-2]

        def penalty(go):
            return tf.cond(go, lambda: r1_penalty(model.discriminator, PICTURES), lambda: tf.zeros(()))

        @tf.function
        def slope(go):
            with tf.GradientTape() as tape:
                value = penalty(go)
            return tape.gradient(value, kernel.value)

        way, old = RNG.normal(size=kernel.shape).astype("float32"), kernel.numpy()
        sides = []
        for sign in (1, -1):
            kernel.assign(old + sign * 1e-2 * way)  # the penalty is quadratic in it: any difference is exact
            sides.append(float(penalty(True)))
        kernel.assign(old)
        found = float(np.sum(slope(tf.constant(True)) * way))
        assert found == pytest.approx((sides[0] - sides[1]) / 2e-2, rel=1e-2)
        assert not np.any(slope(tf.constant(False)))

    def test_generated_and_real_pictures_go_through_the_same_changes(self, model, monkeypatch):
        monkeypatch.setattr(model, "policy", ("color", "translation", "cutout"))
        network = model.generator

        class Copy:
            sides, latent, mean_style = network.sides, network.latent, network.mean_style
            styles = network.styles

            def __call__(self, styles, noises):
                return PICTURES

        monkeypatch.setattr(model, "generator", Copy())
        parts = model.outcome(PICTURES, Draws(0, 1)).parts
        assert float(parts["real"]) == float(parts["fake"])

    def test_a_batch_of_another_size(self, model):
        with pytest.raises(
            SettingsError, match=r"A batch for StyleGAN is pictures, \(any, 8, 8, 3\), not \(1, 16, 16, 3\)"
        ):
            model.train_step(tf.zeros((1, 16, 16, 3)))

    def test_one_picture(self, model):
        """Its deviation over the batch is nothing, and has a finite gradient."""
        other = small(start=3)
        said = other.train_step(PICTURES[:1])
        assert all(np.isfinite(float(value)) for value in said.values())
        assert all(np.isfinite(weight.numpy()).all() for weight in other.weights)


class TestStyles:
    def test_the_mean_style_follows_and_is_copied_to_the_sampler(self):
        model = small()
        mean = np.zeros(6)
        for step in range(3):
            draws = Draws(5, step)
            first = model.generator.mapping(Draws(5, step).normal((4, 6))).numpy()
            mean = 0.995 * mean + 0.005 * first.mean(0)
            model.mixed(4, draws)
            np.testing.assert_allclose(model.generator.mean_style, mean, rtol=1e-4, atol=1e-7)
        model._follow()
        np.testing.assert_array_equal(model.sampler.mean_style, model.generator.mean_style)

    def test_truncation_pulls_towards_the_mean(self, model):
        network, noise = model.sampler, RNG.normal(size=(3, 6)).astype("float32")
        mean, style = network.mean_style.numpy(), network.mapping(noise).numpy()
        for truncation in (0.0, 0.5, 1.0):
            found = network.styles(noise, truncation).numpy()
            assert found.shape == (3, LAYERS, 6)
            for layer in range(LAYERS):
                np.testing.assert_allclose(found[:, layer], mean + truncation * (style - mean), atol=1e-6)

    def test_truncated_to_nothing_all_pictures_are_one(self, model):
        same = model.sample(4, seed=1, truncation=0.0)
        assert np.ptp(same, axis=0).max() < 1e-5
        assert np.ptp(model.sample(4, seed=1), axis=0).max() > 1e-4

    @pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
    def test_two_styles_meet_at_a_random_layer(self, model, monkeypatch, share):
        monkeypatch.setattr(model, "mixing", share)
        mean = model.generator.mean_style.numpy()
        draws = Draws(2, 2)
        first, second = (model.generator.styles(Draws(2, 2).normal((300, 6))).numpy(), None)
        again = Draws(2, 2)
        again.seed()
        second = model.generator.styles(again.normal((300, 6))).numpy()
        found = model.mixed(300, draws).numpy()
        model.generator.mean_style.assign(mean)
        of_first = np.abs(found - first).max(-1) < 1e-5
        np.testing.assert_allclose(found[~of_first], second[~of_first], atol=1e-5)
        assert of_first[:, 0].all(), "the first layer is the first style's"
        assert (np.diff(of_first.astype(int), axis=1) <= 0).all(), "there is one crossing at most"
        cuts = of_first.sum(1)
        assert abs((cuts < LAYERS).mean() - share) < 0.1
        if share:
            assert set(cuts[cuts < LAYERS]) == {1, 2}

    def test_the_same_noise_for_all_so_that_only_styles_differ(self, model):
        network = model.sampler
        network_strengths = [w for w in network.weights if w.path.endswith("strength")]
        old = [w.numpy() for w in network_strengths]
        for weight in network_strengths:
            weight.assign(1.0)
        styles = network.styles(RNG.normal(size=(2, 6)).astype("float32"))
        pictures = stylegan.synthesize(network, tf.concat([styles, styles[:1]], 0))
        np.testing.assert_allclose(pictures[2], pictures[0], atol=1e-5)
        other = stylegan.synthesize(network, styles, seed=1)
        assert np.abs(other - pictures[:2]).max() > 1e-3
        for weight, value in zip(network_strengths, old, strict=True):
            weight.assign(value)

    def test_a_style_in_a_layer_changes_nothing_before_it(self, model):
        """Colors at 4 px are painted before the second layer's style is asked: their part of the picture stays."""
        network = model.sampler
        styles = network.styles(RNG.normal(size=(1, 6)).astype("float32")).numpy()
        changed = styles.copy()
        changed[:, -1] += 1
        noises = stylegan.noise(network.sides, 1, Draws(0, 0))
        watched = tf.constant(styles)
        with tf.GradientTape() as tape:
            tape.watch(watched)
            value = tf.reduce_sum(network(watched, noises) ** 2)
        slope = tape.gradient(value, watched).numpy()[0]
        assert (np.abs(slope).max(1) > 0).all(), "each layer's style has an effect"
        assert np.abs(network(changed, noises) - network(styles, noises)).max() > 1e-5


class TestSamples:
    def test_the_same_seed_the_same_pictures(self, model):
        first = model.sample(3, seed=1)
        assert first.shape == (3, 8, 8, 3)
        assert 0 <= first.min() < first.max() <= 1
        np.testing.assert_array_equal(first, model.sample(3, seed=1))
        assert np.abs(first - model.sample(3, seed=2)).max() > 1e-4

    def test_more_than_go_into_one_batch(self, model):
        many = model.sample(70, seed=1)
        assert many.shape == (70, 8, 8, 3)
        np.testing.assert_allclose(many[:3], model.sample(70, seed=1)[:3])

    def test_none(self, model):
        with pytest.raises(SettingsError, match="At least 1 picture can be drawn, not 0"):
            model.sample(0)

    def test_weights_in_float16_paint_the_same(self, model, tmp_path):
        """The mean style is among them: truncated samples are the same, too."""
        file = training.save_weights(model.sampler, tmp_path / "net.weights.h5")
        other = small(start=9).sampler
        training.load_weights(other, file)
        for truncation in (1.0, 0.3):
            wanted = model.sample(3, seed=1, truncation=truncation)
            np.testing.assert_allclose(model.sample(3, seed=1, truncation=truncation, network=other), wanted, atol=5e-3)

    def test_a_larger_one_in_half_precision(self):
        model = StyleGAN(16, latent=4, width=1, mapping_layers=1, dtype="mixed_bfloat16")
        pictures = model.generator(
            model.generator.styles(np.ones((2, 4), "float32")), stylegan.noise(model.generator.sides, 2, Draws(0, 0))
        )
        assert pictures.shape == (2, 16, 16, 3)
        assert pictures.dtype == model.discriminator(pictures).dtype == "float32"


@pytest.mark.slow
def test_it_learns_one_picture_and_resumes(tmp_path):
    """Compiled, through ``training.fit``; stopped after a look and resumed with the same weights."""
    picture = np.broadcast_to(np.linspace(0.2, 0.8, 8, dtype="float32")[:, None, None], (4, 8, 8, 3))

    def trained(folder, steps, start):
        model = small(start=start, average=0.9, r1=0.1)
        model.compile(adam(5e-3, 0.0, 0.99), adam(5e-3, 0.0, 0.99))
        data = tf.data.Dataset.from_tensors(picture).repeat()
        training.fit(model, lambda first: data, training.Plan(steps, 100, gain=None), folder)
        return model

    before = np.abs(small(average=0.9).sample(4) - picture).mean()
    whole = trained(tmp_path / "whole", 200, 0)
    assert np.abs(whole.sample(4) - picture).mean() < 0.6 * before
    trained(tmp_path / "parts", 100, 0)
    again = trained(tmp_path / "parts", 200, 1)
    for one, other in zip(values(whole), values(again), strict=True):
        np.testing.assert_array_equal(one, other)
