"""The parts of the networks: spectral normalization against NumPy's SVD, patches, DiffAugment, StyleGAN's layers.

All ours. What papers claim of their networks and can be computed is computed.
"""

import numpy as np
import pytest

from stylelab.backend import keras, tf
from stylelab.errors import SettingsError
from stylelab.gans import dcgan, diff_augment, patch_discriminator, receptive_field, unet
from stylelab.gans.augment import CHANGES, GROUND, check_policy, color, cutout, translation
from stylelab.gans.cyclegan import residual_generator
from stylelab.gans.networks import SpectralNormalization, convolution, leaky
from stylelab.gans.style_networks import (
    Constant,
    Generator,
    ModulatedConv2D,
    Noise,
    channels_at,
    discriminator,
    layer_sides,
    mapping,
    synthesis,
    with_deviation,
)
from stylelab.training import set_seed

RNG = np.random.default_rng(0)
PICTURES = RNG.random((4, 16, 12, 3)).astype("float32")
SEED = tf.constant([3, 4])


def normal(*shape):
    return RNG.normal(size=shape).astype("float32")


BUILDERS = {
    "dcgan generator": lambda: dcgan.generator(24, latent=6, width=4, classes=3),
    "dcgan discriminator": lambda: dcgan.discriminator(24, width=4, classes=3, spectral=True),
    "patches": lambda: patch_discriminator(width=4, levels=2),
    "u-net": lambda: unet(16, width=4),
    "residual": lambda: residual_generator(width=4, blocks=2),
    "mapping": lambda: mapping(8, layers=3),
    "synthesis": lambda: synthesis(16, latent=8, width=4),
    "style discriminator": lambda: discriminator(16, width=4),
}


@pytest.mark.parametrize("name", BUILDERS)
class TestBeginning:
    def kernels(self, name, seed):
        set_seed(seed)
        return [w.numpy() for w in BUILDERS[name]().trainable_weights if np.std(w.numpy())]

    def test_it_follows_the_seed(self, name):
        """Also where the modules were imported before the seed was set."""
        one, same, other = (self.kernels(name, seed) for seed in (1, 1, 2))
        assert len(one) > 1
        assert all(np.array_equal(a, b) for a, b in zip(one, same, strict=True))
        assert not any(np.array_equal(a, b) for a, b in zip(one, other, strict=True))

    def test_no_two_layers_begin_alike(self, name):
        begun = self.kernels(name, 0)
        firsts = [k.ravel()[:4] / k.std() for k in begun]
        assert len(np.unique(np.round(firsts, 4), axis=0)) == len(begun)


class TestSpectralNormalization:
    def dense(self, inputs=7, outputs=5):
        layer = SpectralNormalization(keras.layers.Dense(outputs, use_bias=False))
        layer.build((None, inputs))
        layer.layer.kernel.assign(normal(inputs, outputs))
        layer.bias.assign(normal(outputs))
        return layer

    def test_after_many_steps_it_divides_by_the_largest_singular_value(self):
        layer, x = self.dense(), normal(3, 7)
        for _ in range(200):
            layer(x, training=True)
        kernel = layer.layer.kernel.numpy()
        largest = np.linalg.svd(kernel, compute_uv=False)[0]
        np.testing.assert_allclose(layer(x), x @ kernel / largest + layer.bias.numpy(), rtol=1e-4, atol=1e-5)

    def test_a_convolution_s_kernel_is_a_matrix_of_its_filters(self):
        layer = convolution(4, 3, 2, spectral=True)
        x = normal(1, 8, 8, 2)
        for _ in range(200):
            layer(x, training=True)
        kernel = layer.layer.kernel.numpy()
        largest = np.linalg.svd(kernel.reshape(-1, 4), compute_uv=False)[0]
        wanted = tf.nn.conv2d(x, kernel / largest, 2, "SAME")
        np.testing.assert_allclose(layer(x), wanted, rtol=1e-3, atol=1e-5)

    def test_one_step_of_power_iteration_a_call_and_only_in_training(self):
        layer, x = self.dense(), normal(3, 7)
        kernel = layer.layer.kernel.numpy().astype("float64")
        right = layer.direction.numpy().astype("float64")
        layer(x)
        np.testing.assert_array_equal(layer.direction.numpy(), right.astype("float32"))
        for _ in range(3):
            left = right @ kernel.T
            left /= np.linalg.norm(left)
            right = left @ kernel
            right /= np.linalg.norm(right)
            layer(x, training=True)
            np.testing.assert_allclose(layer.direction.numpy(), right, rtol=1e-4, atol=1e-5)
        np.testing.assert_array_equal(layer.layer.kernel.numpy(), kernel.astype("float32"))

    def test_gradient_by_finite_differences_with_the_direction_fixed(self):
        layer, x, weights = self.dense(), normal(3, 7), normal(3, 5)
        kernel = layer.layer.kernel.numpy().astype("float64")
        left = layer.direction.numpy().astype("float64") @ kernel.T
        left /= np.linalg.norm(left)
        right = left @ kernel
        right /= np.linalg.norm(right)

        def value(kernel):
            """As the layer reckons it, in float64, u and v as they are before the step."""
            return ((x @ kernel / (left @ kernel @ right.T) + layer.bias.numpy()) * weights).sum()

        with tf.GradientTape() as tape:
            result = tf.reduce_sum(layer(x, training=True) * weights)
        slope = tape.gradient(result, layer.layer.kernel.value)
        np.testing.assert_allclose(result, value(kernel), rtol=1e-4)
        for _ in range(3):
            way = RNG.normal(size=kernel.shape)
            wanted = (value(kernel + 1e-5 * way) - value(kernel - 1e-5 * way)) / 2e-5
            np.testing.assert_allclose(np.sum(slope * way), wanted, rtol=1e-3, atol=1e-4)

    def test_a_bias_of_the_layer_is_refused(self):
        with pytest.raises(SettingsError, match="use_bias=False"):
            SpectralNormalization(keras.layers.Dense(3))

    def test_the_direction_is_no_weight_that_trains(self):
        layer = self.dense()
        assert len(layer.trainable_variables) == 2
        assert len(layer.non_trainable_variables) == 1


def test_leaky_against_numpy():
    x = normal(50)
    np.testing.assert_allclose(leaky(tf.constant(x)), np.where(x > 0, x, 0.2 * x), rtol=1e-6)


class TestPatchDiscriminator:
    @pytest.mark.parametrize("levels", [0, 1, 2, 3])
    @pytest.mark.parametrize("spectral", [False, True])
    def test_shapes_of_odd_sizes_too(self, levels, spectral):
        judge = patch_discriminator(width=2, levels=levels, spectral=spectral)
        for height, width in ((32, 32), (17, 40), (33, 19)):
            wanted = (2, -(-height // 2**levels), -(-width // 2**levels), 1)  # upwards
            assert judge(normal(2, height, width, 3)).shape == wanted

    @pytest.mark.parametrize(("levels", "side"), [(0, 1), (1, 16), (2, 34), (3, 70)])
    def test_one_logit_sees_as_much_as_the_paper_says(self, levels, side):
        """Isola et al. (2017, section 4.4: 1, 16, 70): the pixels by which one logit has a gradient.

        With spectral normalization, since instance normalization lets every logit see the whole picture's mean.
        """
        judge = patch_discriminator(width=2, levels=levels, spectral=True)
        pictures = tf.constant(RNG.random((1, 104, 104, 3)).astype("float32"))
        with tf.GradientTape() as tape:
            tape.watch(pictures)
            logits = judge(pictures)
            middle = logits.shape[1] // 2
            one = logits[0, middle, middle, 0]
        seen = np.abs(tape.gradient(one, pictures)).max((0, 3)) > 0
        for axis in (0, 1):
            where = np.flatnonzero(seen.any(axis))
            assert 0 < where[0] <= where[-1] < 103, "the border did not cut it"
            assert where[-1] - where[0] + 1 == side
        assert receptive_field(levels) == side

    @pytest.mark.parametrize(
        ("levels", "theirs"),
        [(3, [64, 128, 256, 512, 1]), (1, [64, 128, 1]), (0, [64, 128, 1]), (5, [64, 128, 256, 512, 512, 512, 1])],
    )
    def test_channels_are_theirs(self, levels, theirs):
        """Isola et al. (2017, appendix 6.1.2), in 64ths; the last also has 4 x 4 stride 2 for 286 px."""
        judge = patch_discriminator(width=1, levels=levels)
        kernels = [w.shape for w in judge.trainable_weights if len(w.shape) == 4]
        assert [kernel[-1] * 64 for kernel in kernels[:-1]] + [kernels[-1][-1]] == theirs
        assert {kernel[0] for kernel in kernels} == {4 if levels else 1}

    def test_a_pair_has_six_channels(self):
        judge = patch_discriminator(6, width=2, levels=1)
        assert judge(normal(1, 16, 16, 6)).shape == (1, 8, 8, 1)

    def test_half_precision_gives_float32(self):
        assert patch_discriminator(width=2, levels=1, dtype="mixed_bfloat16")(normal(1, 16, 16, 3)).dtype == "float32"

    def test_a_logit_does_not_depend_on_batch_mates(self):
        judge = patch_discriminator(width=2, levels=2)
        np.testing.assert_allclose(judge(PICTURES)[1:2], judge(PICTURES[1:2]), rtol=1e-3, atol=1e-6)


class TestAugment:
    @pytest.mark.parametrize("name", CHANGES)
    def test_one_seed_one_change_and_two_two(self, name):
        change = CHANGES[name]
        first = change(PICTURES, SEED).numpy()
        assert first.shape == PICTURES.shape
        np.testing.assert_array_equal(first, change(PICTURES, SEED))
        assert np.abs(first - change(PICTURES, SEED + 1)).max() > 0.05
        assert np.abs(first - PICTURES).max() > 0.05

    @pytest.mark.parametrize("name", CHANGES)
    def test_each_picture_has_its_own(self, name):
        same = np.repeat(PICTURES[:1], 8, 0)
        changed = CHANGES[name](same, SEED).numpy()
        assert len(np.unique(changed.reshape(8, -1), axis=0)) >= 6

    def test_picture_i_of_two_batches_is_changed_alike(self):
        """What is done to a batch is an affine function of it, so that of a mean is the mean of both."""
        other = RNG.random(PICTURES.shape).astype("float32")
        one, two, middle = (diff_augment(x, SEED).numpy() for x in (PICTURES, other, (PICTURES + other) / 2))
        np.testing.assert_allclose((one + two) / 2, middle, atol=1e-5)

    def test_color_against_numpy_given_the_numbers(self):
        bright, saturated, contrast = tf.random.stateless_uniform((3, 4, 1, 1, 1), SEED).numpy().astype("float64")
        wanted = PICTURES + (bright - 0.5) / 2
        gray = wanted.mean(-1, keepdims=True)
        wanted = gray + 2 * saturated * (wanted - gray)
        mean = wanted.mean((1, 2, 3), keepdims=True)
        wanted = mean + (contrast + 0.5) * (wanted - mean)
        np.testing.assert_allclose(color(PICTURES, SEED), wanted, atol=1e-5)

    def test_color_moves_the_mean_by_the_brightness_alone(self):
        moved = color(np.repeat(PICTURES[:1], 500, 0), SEED).numpy().mean((1, 2, 3)) - PICTURES[0].mean()
        assert -0.25 <= moved.min() < -0.24 < 0.24 < moved.max() <= 0.25

    def test_color_of_gray_stays_gray(self):
        gray = np.broadcast_to(PICTURES[..., :1], PICTURES.shape)
        assert np.ptp(color(gray, SEED), axis=-1).max() < 1e-5

    def shift(self, picture, down, right):
        """NumPy's roll with gray where it wraps around."""
        moved = np.roll(picture, (down, right), (0, 1))
        moved[: max(down, 0)] = moved[len(moved) + min(down, 0) :] = GROUND
        moved[:, : max(right, 0)] = moved[:, moved.shape[1] + min(right, 0) :] = GROUND
        return moved

    def test_translation_is_one_of_the_moves_and_all_occur(self):
        """A picture of 16 x 12 px: by up to 2 px each way (an eighth: 2, and 1.5 rounded to the even 2)."""
        moves = {(down, right): self.shift(PICTURES[0], down, right) for down in range(-2, 3) for right in range(-2, 3)}
        found = set()
        for picture in translation(np.repeat(PICTURES[:1], 400, 0), SEED).numpy():
            fits = [move for move, wanted in moves.items() if np.array_equal(picture, wanted)]
            assert len(fits) == 1
            found.update(fits)
        assert found == set(moves)

    def test_cutout_is_a_gray_rectangle_of_half_the_sides(self):
        height, width = PICTURES.shape[1:3]
        areas = []
        for picture in cutout(np.repeat(PICTURES[:1], 300, 0), SEED).numpy():
            hole = (picture == GROUND).all(-1)
            np.testing.assert_array_equal(picture[~hole], PICTURES[0][~hole])
            rows, columns = np.flatnonzero(hole.any(1)), np.flatnonzero(hole.any(0))
            assert hole[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all(), "filled"
            assert hole.sum() == len(rows) * len(columns), "one rectangle"
            for found, side in ((rows, height), (columns, width)):
                inside = found[0] > 0 and found[-1] < side - 1
                assert len(found) == side // 2 if inside else side // 4 <= len(found) <= side // 2
            areas.append(hole.sum())
        assert min(areas) < max(areas) == height * width // 4

    def test_color_s_gradient_by_finite_differences(self):
        x, weights = tf.constant(PICTURES), normal(*PICTURES.shape)
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = tf.reduce_sum(color(x, SEED) * weights)
        slope = tape.gradient(value, x).numpy().astype("float64")
        for _ in range(3):
            way = normal(*PICTURES.shape)
            # An affine function: a large difference is exact, and float32 has the digits for it.
            ahead, behind = (
                np.sum(color(PICTURES + s * way, SEED).numpy() * weights, dtype="float64") for s in (1, -1)
            )
            np.testing.assert_allclose((slope * way).sum(), (ahead - behind) / 2, rtol=1e-3, atol=1e-2)

    @pytest.mark.parametrize("change", [translation, cutout])
    def test_the_gradient_is_moved_and_masked_as_the_pixels_are(self, change):
        """Each number of the result is a pixel's or the ground's: counted by pictures that hold their own addresses."""
        x, weights = tf.constant(PICTURES), normal(*PICTURES.shape)
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = tf.reduce_sum(change(x, SEED) * weights)
        address = 2.0 + np.arange(PICTURES.size, dtype="float32").reshape(PICTURES.shape)
        came_from = change(address, SEED).numpy()
        wanted = np.zeros(PICTURES.size)
        inside = came_from >= 2
        wanted[(came_from[inside] - 2).astype(int)] = weights[inside]
        assert 0 < inside.sum() < inside.size
        np.testing.assert_allclose(tape.gradient(value, x), wanted.reshape(PICTURES.shape), rtol=1e-6)

    def test_all_three_let_the_gradient_through_in_a_compiled_function(self):
        @tf.function
        def slope(x):
            with tf.GradientTape() as tape:
                tape.watch(x)
                value = tf.reduce_sum(diff_augment(x, SEED) ** 2)
            return tape.gradient(value, x)

        found = slope(tf.constant(PICTURES)).numpy()
        assert np.isfinite(found).all()
        assert (found != 0).mean() > 0.5

    def test_without_names_nothing_changes(self):
        assert diff_augment(PICTURES, SEED, ()) is PICTURES

    def test_names_in_order_each_with_its_own_seed(self):
        seeds = tf.random.split(SEED, 2)
        wanted = color(cutout(PICTURES, seeds[0]), seeds[1])
        np.testing.assert_array_equal(diff_augment(PICTURES, SEED, ("cutout", "color")), wanted)

    @pytest.mark.parametrize("name", ["", "colour", "flip"])
    def test_an_unknown_name(self, name):
        with pytest.raises(SettingsError) as error:
            check_policy(("color", name))
        assert str(error.value) == f"DiffAugment has no change {name!r}; choose from color, translation, cutout."


class TestModulatedConvolution:
    def layer(self, channels=5, filters=4, kernel=3, **settings):
        layer = ModulatedConv2D(filters, kernel, dtype="float32", **settings)
        layer.build((None, None, None, channels))
        layer.bias.assign(normal(filters))
        return layer

    @pytest.mark.parametrize("demodulate", [True, False])
    @pytest.mark.parametrize("kernel", [1, 3])
    @pytest.mark.parametrize("size", [(4, 4), (7, 5)])
    def test_it_is_a_convolution_with_each_picture_s_own_weights(self, demodulate, kernel, size):
        """Karras et al. (2020, eq. 1 and 3) taken literally: weights in NumPy, TensorFlow's convolution picture by
        picture."""
        layer = self.layer(kernel=kernel, demodulate=demodulate)
        x, styles = normal(3, *size, 5), 1 + normal(3, 5)
        result = layer(x, styles)
        for k in range(3):
            weights = layer.kernel.numpy().astype("float64") * styles[k][:, None]
            if demodulate:
                weights /= np.sqrt((weights**2).sum((0, 1, 2)) + 1e-8)
            wanted = tf.nn.conv2d(x[k : k + 1], weights.astype("float32"), 1, "SAME")[0] + layer.bias.numpy()
            np.testing.assert_allclose(result[k], wanted, rtol=1e-4, atol=1e-5)

    @pytest.mark.parametrize("scale", [1e-2, 1.0, 100.0])
    def test_demodulation_keeps_unit_variance_whatever_the_style(self, scale):
        layer = self.layer(32, 24)
        layer.bias.assign(np.zeros(24))
        styles = scale * RNG.uniform(0.2, 3, (2, 32)).astype("float32")
        inside = layer(normal(2, 40, 40, 32), styles).numpy()[:, 1:-1, 1:-1]  # at the border zeros are convolved
        np.testing.assert_allclose(inside.var((1, 2)), 1, atol=0.2)
        np.testing.assert_allclose(inside.var((1, 2)).mean(), 1, atol=0.03)

    def test_at_the_beginning_the_variance_stays_without_demodulation_too(self):
        layer = self.layer(32, 64, demodulate=False)
        layer.bias.assign(np.zeros(64))
        inside = layer(normal(2, 30, 30, 32), np.ones((2, 32), "float32")).numpy()[:, 1:-1, 1:-1]
        np.testing.assert_allclose(inside.var(), 1, atol=0.15)

    def test_a_style_of_zero_is_finite(self):
        layer = self.layer()
        x, style = tf.constant(normal(1, 4, 4, 5)), tf.zeros((1, 5))
        with tf.GradientTape() as tape:
            tape.watch([x, style])
            value = tf.reduce_sum(layer(x, style))
        assert all(np.isfinite(slope).all() for slope in tape.gradient(value, [x, style]))

    def test_it_comes_back_from_its_settings(self):
        layer = ModulatedConv2D(3, 1, demodulate=False)
        again = ModulatedConv2D.from_config(layer.get_config())
        assert (again.filters, again.kernel_size, again.demodulate) == (3, 1, False)


class TestStyleParts:
    def test_noise_is_nothing_at_first_and_scaled_by_its_strength(self):
        layer, x, noise = Noise(), normal(2, 4, 4, 3), normal(2, 4, 4, 1)
        np.testing.assert_array_equal(layer(x, noise), x)
        layer.strength.assign(0.5)
        np.testing.assert_allclose(layer(x, noise), x + 0.5 * noise, rtol=1e-6)

    def test_every_picture_begins_with_the_same_constant(self):
        layer = Constant(3)
        result = layer(normal(5, 2)).numpy()
        assert result.shape == (5, 4, 4, 3)
        assert np.ptp(result, axis=0).max() == 0

    @pytest.mark.parametrize(
        ("size", "sides"), [(8, [4, 8, 8]), (16, [4, 8, 8, 16, 16]), (64, [4, 8, 8, 16, 16, 32, 32, 64, 64])]
    )
    def test_layers(self, size, sides):
        assert layer_sides(size) == sides

    def test_one_layer_at_the_constant_and_two_at_each_doubling(self):
        """Karras et al. (2020, figure 2c)."""
        sides = layer_sides(1024)
        assert [sides.count(4 * 2**k) for k in range(9)] == [1] + 8 * [2]

    @pytest.mark.parametrize("size", [-8, 0, 4, 12, 63])
    def test_sizes_that_cannot_be(self, size):
        for build in (layer_sides, Generator, discriminator):
            with pytest.raises(SettingsError, match=f"powers of two from 8 px on, not {size} px"):
                build(size)

    def test_channels_are_theirs(self):
        """Karras et al. (2020): 32 at 1024 px, doubled to at most 512; here eight times the width at most."""
        assert [channels_at(side, 1024, 32, 16) for side in (4, 8, 64, 128, 256, 512, 1024)] == [
            *[512] * 3,
            *(256, 128, 64, 32),
        ]

    def test_mapping_does_not_see_the_length_of_its_noise(self):
        network, noise = mapping(6, layers=2), normal(3, 6)
        np.testing.assert_allclose(network(noise), network(7 * noise), rtol=1e-4)

    def test_mapping_is_he_s_dense_layers_with_weights_a_hundredfold(self):
        network, noise = mapping(6, layers=2), normal(3, 6)
        x = noise / np.sqrt((noise**2).mean(-1, keepdims=True) + 1e-8)
        weights = [w.numpy() for w in network.weights]
        for kernel, bias in zip(weights[::2], weights[1::2], strict=True):
            x = (x @ kernel + bias) / 100
            x = np.where(x > 0, x, 0.2 * x)
        np.testing.assert_allclose(network(noise), x, rtol=1e-4, atol=1e-6)
        wide = mapping(128, layers=1).weights[0].numpy()
        assert wide.std() == pytest.approx(100 * np.sqrt(2 / 128), rel=0.05)

    def test_one_step_of_adam_moves_the_mapping_a_hundredth_as_far(self):
        network = mapping(6, layers=1)
        kernel = network.weights[0]
        before = kernel.numpy() / 100
        with tf.GradientTape() as tape:
            value = tf.reduce_sum(network(normal(3, 6)))
        keras.optimizers.Adam(0.1).apply(tape.gradient(value, network.trainable_variables), network.trainable_variables)
        np.testing.assert_allclose(np.abs(kernel.numpy() / 100 - before), 0.001, rtol=1e-2)

    def test_the_deviation_of_a_batch_against_numpy(self):
        x = normal(5, 4, 4, 3)
        result = with_deviation(tf.constant(x)).numpy()
        np.testing.assert_array_equal(result[..., :3], x)
        np.testing.assert_allclose(result[..., 3], np.sqrt(x.var(0) + 1e-8).mean(), rtol=1e-5)

    def test_pictures_that_are_all_alike_are_found_out_and_have_a_gradient(self):
        x = tf.constant(np.repeat(normal(1, 4, 4, 3), 5, 0))
        with tf.GradientTape() as tape:
            tape.watch(x)
            result = with_deviation(x)
        assert result[..., 3].numpy().max() < 1e-3
        assert np.isfinite(tape.gradient(result, x)).all()
