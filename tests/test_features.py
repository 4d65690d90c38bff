"""Frozen networks: the same numbers as Keras's own away from the border, and no frame at the border.

The unit tier builds networks with random weights. Oracles: ``keras.applications`` with the same weights, and
convolutions written here in NumPy.
"""

import functools
import logging
import warnings

import h5py
import numpy as np
import pytest
import scipy.special

from stylelab import features, samples
from stylelab.backend import keras, tf
from stylelab.errors import ImageError, SettingsError, WeightsError
from stylelab.features import (
    CONTENT_LAYERS,
    STYLE_LAYERS,
    FeatureExtractor,
    shared_extractor,
    smooth_activations,
)

APPLICATIONS = {
    "vgg16": (keras.applications.VGG16, keras.applications.vgg16.preprocess_input),
    "vgg19": (keras.applications.VGG19, keras.applications.vgg19.preprocess_input),
    "resnet50": (keras.applications.ResNet50, keras.applications.resnet.preprocess_input),
    "inception_v3": (keras.applications.InceptionV3, keras.applications.inception_v3.preprocess_input),
}
# Early and late, so that every kind of padding lies before them.
LAYERS = {
    "vgg16": ("block1_conv1", "block3_conv1", "block5_conv3"),
    "vgg19": ("block2_conv1", "block5_conv4"),
    "resnet50": ("conv1_relu", "pool1_pool", "conv2_block1_out", "conv5_block3_out"),
    "inception_v3": ("mixed0", "mixed7", "mixed10"),
}

slow = pytest.mark.slow  # ResNet50's 175 layers take 5 s to build and trace, Inception's 311 take 10
BACKBONES = ["vgg16", "vgg19", pytest.param("resnet50", marks=slow), pytest.param("inception_v3", marks=slow)]


@functools.cache
def extractor(backbone="vgg16", layers=None, **settings):
    """Random weights, the same ones for the same backbone; built once for all tests."""
    keras.utils.set_random_seed(0)
    return FeatureExtractor(backbone, layers or LAYERS[backbone], weights=None, **settings)


def image(height=48, width=40, batch=1, seed=0, dtype="float32"):
    return np.random.default_rng(seed).random((batch, height, width, 3)).astype(dtype)


def kept(of):
    """The network's weights by layer."""
    return {layer.name: layer.get_weights() for layer in of.network.layers if layer.weights}


def numbered(network):
    """The network's layers by kind and number; Inception's names count on through the process."""
    found = {}
    for layer in network.layers:
        kind, _, number = layer.name.rpartition("_")
        kind, number = (kind, int(number)) if kind and number.isdigit() else (layer.name, 0)
        found.setdefault(kind, {})[number] = layer
    return {(kind, number - min(layers)): layer for kind, layers in found.items() for number, layer in layers.items()}


@functools.cache
def like_keras(backbone):
    """``keras.applications``' network, untouched, with the extractor's weights and layers."""
    of = extractor(backbone)
    network = APPLICATIONS[backbone][0](weights=None, include_top=False)
    theirs = numbered(network)
    for name, layer in numbered(of.network).items():
        if layer.weights:
            theirs[name].set_weights(layer.get_weights())
    return keras.Model(network.inputs, [network.get_layer(name).output for name in of.layers])


def first_output(network, x):
    return keras.tree.flatten(network([x]))[0]


def caffe(x):
    """VGG's and ResNet's preprocessing, written out: blue first, the mean of ImageNet subtracted."""
    return 255.0 * x[..., ::-1] - np.array([103.939, 116.779, 123.68])


def convolved(x, kernel, bias):
    """3 x 3 convolution with mirrored border and ReLU, a sum of nine shifted products."""
    height, width = x.shape[1:3]
    padded = np.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)], mode="symmetric")
    shifted = [padded[:, i : i + height, j : j + width] @ kernel[i, j] for i in range(3) for j in range(3)]
    return np.maximum(sum(shifted) + bias, 0)


def relative_error(x, reference):
    x, reference = np.asarray(x, "float64"), np.asarray(reference, "float64")
    return np.linalg.norm(x - reference) / np.linalg.norm(reference)


class TestAgainstKeras:
    @pytest.mark.parametrize(
        ("backbone", "layer"),
        [
            ("vgg16", "block3_conv1"),
            pytest.param("resnet50", "conv2_block1_out", marks=slow),
            pytest.param("inception_v3", "mixed0", marks=slow),
        ],
    )
    def test_interior_features_are_those_of_keras(self, backbone, layer):
        """Four positions from the border no padding is seen; at the border it is another one."""
        x = image(96, 104)
        theirs = like_keras(backbone)([APPLICATIONS[backbone][1](255 * x.copy())])
        theirs = np.asarray(theirs[LAYERS[backbone].index(layer)])
        ours = np.asarray(extractor(backbone)(x)[layer])
        assert ours.shape == theirs.shape
        inside = (slice(None), slice(4, -4), slice(4, -4))
        assert relative_error(ours[inside], theirs[inside]) < 1e-5
        assert relative_error(ours[:, 0], theirs[:, 0]) > 0.01

    def test_first_layers_by_hand_up_to_the_border(self):
        of = extractor(layers=("block1_conv1", "block1_conv2", "block1_pool"))
        weights = kept(of)
        x = image(18, 21, batch=2)
        first = convolved(caffe(x.astype("float64")), *weights["block1_conv1"])
        second = convolved(first, *weights["block1_conv2"])
        pooled = second[:, :18, :20].reshape(2, 9, 2, 10, 2, 64).max((2, 4))
        for name, expected in zip(of.layers, (first, second, pooled), strict=True):
            np.testing.assert_allclose(of(x)[name], expected, rtol=1e-4, atol=1e-4 * expected.max())

    @pytest.mark.parametrize("backbone", BACKBONES)
    def test_does_its_own_preprocessing(self, backbone):
        """The network behind it gets exactly what Keras's ``preprocess_input`` makes of 0..255."""
        x = image(80, 76)
        prepared = APPLICATIONS[backbone][1](255 * x.copy())
        np.testing.assert_allclose(prepared, 2 * x - 1 if backbone == "inception_v3" else caffe(x), atol=1e-3)
        expected = np.asarray(first_output(extractor(backbone).network, prepared))
        ours = extractor(backbone)(x)[LAYERS[backbone][0]]
        np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-5 * expected.max())


class TestBorder:
    @pytest.mark.parametrize(
        ("backbone", "height", "width"),
        [
            ("vgg16", 48, 37),
            ("vgg19", 33, 48),
            pytest.param("resnet50", 65, 80, marks=slow),
            pytest.param("inception_v3", 131, 150, marks=slow),
        ],
    )
    def test_a_flat_picture_has_flat_features(self, backbone, height, width):
        """Zero padding would frame it."""
        flat = np.broadcast_to(np.float32([0.8, 0.3, 0.6]), (1, height, width, 3))
        for name, f in extractor(backbone)(flat).items():
            f = np.asarray(f)
            assert np.abs(f).max() > 0, name
            assert np.ptp(f, axis=(1, 2)).max() < 1e-4 * np.abs(f).max(), name

    def test_with_average_pooling_too(self):
        flat = np.full((1, 40, 33, 3), 0.7, "float32")
        for name, f in extractor(pooling="average")(flat).items():
            assert np.ptp(np.asarray(f), axis=(1, 2)).max() < 1e-4 * np.abs(f).max(), name

    def test_a_mirrored_picture_has_mirrored_features(self):
        """Left and right, top and bottom are treated alike. With the kernels mirrored as well, sizes of whole cells."""
        of = extractor(layers=("block1_conv2",))
        mirrored = keras.models.clone_model(
            of.network, clone_function=lambda layer: type(layer).from_config(layer.get_config())
        )
        for name, (kernel, bias) in kept(of).items():
            mirrored.get_layer(name).set_weights([kernel[:, ::-1], bias])
        x = caffe(image(24, 32)).astype("float32")
        ours, theirs = (np.asarray(first_output(n, p)) for n, p in ((of.network, x), (mirrored, x[:, :, ::-1])))
        np.testing.assert_allclose(theirs[:, :, ::-1], ours, rtol=1e-4, atol=1e-3)


class TestPooling:
    def test_average_pooling_averages(self):
        layers = ("block1_conv2", "block1_pool", "block2_pool")
        x = image(20, 22)
        average, highest = extractor(layers=layers, pooling="average")(x), extractor(layers=layers)(x)
        np.testing.assert_allclose(average["block1_conv2"], highest["block1_conv2"], rtol=1e-5)
        cells = np.asarray(average["block1_conv2"]).reshape(1, 10, 2, 11, 2, 64)
        np.testing.assert_allclose(average["block1_pool"], cells.mean((2, 4)), rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(highest["block1_pool"], cells.max((2, 4)), rtol=1e-4, atol=1e-4)
        assert relative_error(average["block2_pool"], highest["block2_pool"]) > 0.1

    def test_of_a_constant_is_the_constant(self):
        of = extractor(layers=("block1_conv2", "block1_pool"), pooling="average")
        f = of(np.full((1, 16, 18, 3), 0.4, "float32"))
        np.testing.assert_allclose(f["block1_pool"][0, 0, 0], f["block1_conv2"][0, 0, 0], rtol=1e-5)

    @slow
    @pytest.mark.parametrize(("pooling", "of_window"), [("average", np.mean), ("max", np.max)])
    def test_resnet_s_pooling_too(self, pooling, of_window):
        layers = ("conv1_relu", "pool1_pool")
        of = extractor("resnet50") if pooling == "max" else extractor("resnet50", layers, pooling=pooling)
        f = of(image(64, 64))
        padded = np.pad(np.asarray(f["conv1_relu"]), [(0, 0), (1, 1), (1, 1), (0, 0)], mode="symmetric")
        windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))[:, ::2, ::2]
        np.testing.assert_allclose(f["pool1_pool"], of_window(windows, axis=(-1, -2)), rtol=1e-4, atol=1e-4)


class TestSizes:
    @pytest.mark.parametrize(
        ("backbone", "sizes"),
        [
            ("vgg16", [(n, 56 - n) for n in range(16, 41)]),
            pytest.param("resnet50", [(16, 16), (17, 40), (33, 31)], marks=slow),
            pytest.param("inception_v3", [(75, 75), (76, 97)], marks=slow),
        ],
    )
    def test_every_size_has_features_of_keras_s_size(self, backbone, sizes):
        of = extractor(backbone)
        reference = like_keras(backbone)
        for height, width in sizes:
            expected = reference.compute_output_shape((1, height, width, 3))
            for (name, f), shape in zip(of(image(height, width)).items(), expected, strict=True):
                assert tuple(f.shape) == tuple(shape), (name, height, width)
                assert np.isfinite(f).all(), (name, height, width)

    def test_halves_and_rounds_down(self):
        f = extractor()(image(39, 17))
        assert [tuple(f[name].shape) for name in LAYERS["vgg16"]] == [(1, 39, 17, 64), (1, 9, 4, 256), (1, 2, 1, 512)]

    def test_one_trace_serves_all_sizes(self):
        of = extractor(layers=("block2_conv1",))
        for size in (16, 33, 40):
            of(image(size, size + 1, batch=size % 3 + 1))
        assert of._forward.experimental_get_tracing_count() == 1

    @pytest.mark.parametrize(
        ("backbone", "least"),
        [("vgg16", 16), pytest.param("resnet50", 16, marks=slow), pytest.param("inception_v3", 75, marks=slow)],
    )
    @pytest.mark.parametrize("low", [True, False])
    def test_too_small_a_picture(self, backbone, least, low):
        size = (least - 1, least + 9) if low else (least + 9, least - 1)
        with pytest.raises(ImageError, match=f"{backbone} needs .* at least {least} px, not {size[1]}x{size[0]}"):
            extractor(backbone)(image(*size))

    @pytest.mark.parametrize("shape", [(20, 20, 3), (1, 20, 20), (1, 20, 20, 1), (1, 20, 20, 4), (1, 3, 20, 20), (20,)])
    def test_what_is_no_batch_of_images(self, shape):
        with pytest.raises(ImageError, match=r"\[B, H, W, 3\]"):
            extractor()(np.zeros(shape, "float32"))

    def test_pictures_of_a_batch_do_not_see_each_other(self):
        x = image(24, 31, batch=3)
        together = extractor()(x)
        for k in range(3):
            for name, f in extractor()(x[k : k + 1]).items():
                np.testing.assert_allclose(together[name][k], f[0], rtol=1e-3, atol=1e-5 * np.abs(f).max())


class TestFrozen:
    def test_nothing_trains_and_the_gradient_reaches_the_picture(self):
        of = extractor()
        before = {name: [w.copy() for w in weights] for name, weights in kept(of).items()}
        x = tf.constant(image(24, 24))
        with tf.GradientTape() as tape:
            tape.watch(x)
            total = sum(tf.reduce_mean(f) for f in of(x).values())
        gradient = tape.gradient(total, x)
        assert of.network.trainable_weights == []
        assert np.isfinite(gradient).all()
        assert (np.abs(gradient) > 0).mean() > 0.99
        for name, weights in kept(of).items():
            for now, then in zip(weights, before[name], strict=True):
                np.testing.assert_array_equal(now, then)

    @pytest.mark.parametrize("backbone", BACKBONES[2:])
    def test_batch_normalization_uses_its_stored_statistics(self, backbone):
        of = extractor(backbone)
        x = image(80, 80, batch=2)
        x[1] *= 0.1
        alone, together = of(x[:1]), of(x)
        name = LAYERS[backbone][2]
        np.testing.assert_allclose(together[name][:1], alone[name], rtol=1e-3, atol=1e-4 * np.abs(alone[name]).max())

    def test_layers_come_in_the_order_asked_for(self):
        layers = ("block2_conv1", "block1_pool", "block1_conv1")
        f = extractor(layers=layers)(image(16, 20))
        assert tuple(f) == layers
        assert [tuple(f[name].shape) for name in layers] == [(1, 8, 10, 128), (1, 8, 10, 64), (1, 16, 20, 64)]

    @pytest.mark.parametrize("batch", [1, 2])
    def test_a_single_layer_keeps_its_batch_axis(self, batch):
        f = extractor(layers=("block2_conv2",))(image(20, 16, batch=batch))
        assert {name: tuple(x.shape) for name, x in f.items()} == {"block2_conv2": (batch, 10, 8, 128)}

    def test_is_cut_behind_its_last_layer(self):
        assert [layer.name for layer in extractor(layers=("block1_conv2",)).network.layers][1:] == [
            "block1_conv1",
            "block1_conv2",
        ]

    def test_activations_per_pixel_by_hand(self):
        assert extractor(layers=("block1_conv2",)).activations_per_pixel() == 64 + 64
        at_half = (64 + 128 + 128) / 4
        assert extractor(layers=("block1_conv1", "block2_conv2")).activations_per_pixel() == 64 + 64 + at_half


class TestPrecision:
    """On three layers; deeper ones multiply the error."""

    layers = ("block1_conv1", "block2_conv1", "block3_conv1")

    @pytest.mark.parametrize(("dtype", "most"), [("bfloat16", 0.03), ("float16", 0.004)])
    def test_half_precision_is_close_and_comes_back_as_float32(self, dtype, most):
        x = image(40, 48)
        full, half = extractor(layers=self.layers)(x), extractor(layers=self.layers, dtype=dtype)(x)
        for name in self.layers:
            assert half[name].dtype == "float32"
            assert 1e-5 < relative_error(half[name], full[name]) < most

    def test_float64_is_computed_in_float64(self):
        x = image(20, 20, dtype="float64")
        f = extractor(layers=self.layers, dtype="float64")(x)
        assert {f[name].dtype.name for name in self.layers} == {"float64"}
        weights = kept(extractor(layers=self.layers, dtype="float64"))
        np.testing.assert_allclose(
            f["block1_conv1"], convolved(caffe(x), *weights["block1_conv1"]), rtol=1e-9, atol=1e-9
        )

    def test_the_gradient_by_finite_differences(self):
        of = extractor(layers=("block1_conv1", "block3_conv1"), dtype="float64", pooling="average")
        probe = [np.random.default_rng(1).normal(0, 1, f.shape) for f in of(image(18, 16)).values()]

        def project(x):
            return sum(tf.reduce_sum(p * f) for p, f in zip(probe, of(x).values(), strict=True))

        x = tf.constant(image(18, 16, dtype="float64"))
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = project(x)
        direction = np.random.default_rng(2).normal(0, 1, x.shape)
        h = 1e-8  # small, so that no ReLU changes sides
        slope = float(project(x + h * direction) - project(x - h * direction)) / (2 * h)
        np.testing.assert_allclose((tape.gradient(value, x).numpy() * direction).sum(), slope, rtol=1e-5)

    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_takes_arrays_and_tensors_of_either_precision(self, dtype):
        x = image(16, 16, dtype=dtype)
        f = extractor()(x)
        np.testing.assert_allclose(f["block1_conv1"], extractor()(tf.constant(x))["block1_conv1"], rtol=1e-6)
        assert f["block1_conv1"].dtype == "float32"


def entropy(x):
    """Of the activations as a distribution, relative to the even one."""
    shares = np.asarray(x, "float64").ravel() / np.sum(x, dtype="float64")
    return -scipy.special.xlogy(shares, shares).sum() / np.log(shares.size)


class TestSmoothActivations:
    """SWAG. The softmax itself wraps Keras's; SciPy's is the oracle."""

    peaky = np.random.default_rng(3).gamma(0.2, 2.0, (2, 5, 4, 6))  # most of it in few activations, like a ResNet's

    @pytest.mark.parametrize("temperature", [0.5, 1.0, 30.0])
    def test_is_scipy_s_softmax_over_the_whole_layer(self, temperature):
        expected = 120 * scipy.special.softmax(self.peaky / temperature, axis=(1, 2, 3))
        np.testing.assert_allclose(smooth_activations(self.peaky, temperature), expected, rtol=1e-9)

    def test_the_paper_s_temperature_is_1(self):
        np.testing.assert_array_equal(smooth_activations(self.peaky), smooth_activations(self.peaky, 1.0))

    def test_mean_one_for_each_picture_at_every_size(self):
        tiled = np.tile(self.peaky, (1, 3, 2, 1))
        smooth = np.asarray(smooth_activations(tiled, 3.0))
        np.testing.assert_allclose(smooth.mean((1, 2, 3)), 1, rtol=1e-12)
        np.testing.assert_allclose(smooth[:, :5, :4], smooth_activations(self.peaky, 3.0), rtol=1e-12)

    def test_keeps_the_order(self):
        smooth = np.asarray(smooth_activations(self.peaky, 0.7))
        for before, after in zip(self.peaky.reshape(2, -1), smooth.reshape(2, -1), strict=True):
            np.testing.assert_array_equal(np.argsort(before), np.argsort(after))

    def test_batch_mates_do_not_matter(self):
        np.testing.assert_allclose(
            smooth_activations(self.peaky * [[[[1]]], [[[9]]]])[:1], smooth_activations(self.peaky[:1]), rtol=1e-12
        )

    @pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
    def test_entropy_rises_from_the_largest_activation_on(self, scale):
        """As documented; of even activations too, and higher temperatures smooth more. Far below, one peak is left."""
        for seed in range(5):
            x = scale * np.random.default_rng(seed).gamma(10.0 ** (seed - 2), 1.0, (1, 6, 5, 8))
            raised = [entropy(smooth_activations(x, x.max() * t)) for t in (1, 3)]
            assert entropy(x) < raised[0] < raised[1]
            assert entropy(smooth_activations(x, x.max() * 1e-3)) < entropy(x)

    @pytest.mark.parametrize("value", [0.0, -3.0, 1e4])
    def test_constant_features_become_ones(self, value):
        np.testing.assert_allclose(smooth_activations(np.full((1, 3, 3, 2), value, "float32")), 1, rtol=1e-6)

    @pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
    def test_half_precision_is_computed_in_float32(self, dtype):
        x = tf.cast(3e4 * self.peaky / self.peaky.max(), dtype)
        smooth = smooth_activations(x, 1e4)
        assert smooth.dtype == "float32"
        np.testing.assert_allclose(smooth, smooth_activations(tf.cast(x, "float64"), 1e4), rtol=1e-5)

    @pytest.mark.parametrize("scale", [1e4, 1e30])
    def test_huge_activations_leave_one_peak_and_are_finite(self, scale):
        x = tf.constant(scale * self.peaky[:1], "float32")
        with tf.GradientTape() as tape:
            tape.watch(x)
            smooth = smooth_activations(x)
        assert np.isfinite(tape.gradient(smooth, x, smooth)).all()
        assert float(tf.reduce_max(smooth)) == pytest.approx(120, rel=1e-5)

    def test_the_gradient_by_finite_differences(self):
        x, probe = tf.constant(self.peaky), np.random.default_rng(4).normal(0, 1, self.peaky.shape)
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = tf.reduce_sum(probe * smooth_activations(x, 2.0))
        way = np.random.default_rng(5).normal(0, 1, x.shape)
        ahead, behind = (tf.reduce_sum(probe * smooth_activations(x + h * way, 2.0)) for h in (1e-5, -1e-5))
        np.testing.assert_allclose(np.sum(tape.gradient(value, x) * way), float(ahead - behind) / 2e-5, rtol=1e-8)


class TestSwag:
    """As the extractor's option."""

    layers = ("block1_conv1", "block2_conv1")

    @pytest.mark.parametrize(("swag", "temperature"), [(25.0, 25.0), (True, 1.0)])
    def test_each_layer_is_smoothed_at_its_temperature(self, swag, temperature):
        x = image(20, 18, batch=2)
        plain, smooth = extractor(layers=self.layers)(x), extractor(layers=self.layers, swag=swag)(x)
        assert tuple(smooth) == self.layers
        for name in self.layers:
            np.testing.assert_allclose(smooth[name], smooth_activations(plain[name], temperature), rtol=1e-4)

    def test_it_is_off_unless_asked_for(self):
        x = image(20, 18)
        for swag in (0.0, False):
            f = extractor(layers=self.layers, swag=swag)(x)
            for name in self.layers:
                np.testing.assert_array_equal(f[name], extractor(layers=self.layers)(x)[name])

    def test_the_gradient_reaches_the_picture(self):
        """In float64, by finite differences through the network."""
        of = extractor(layers=self.layers, dtype="float64", pooling="average", swag=40.0)
        x = tf.constant(image(16, 18, dtype="float64"))
        probe = [np.random.default_rng(6).normal(0, 1, f.shape) for f in of(x).values()]

        def project(x):
            return sum(tf.reduce_sum(p * f) for p, f in zip(probe, of(x).values(), strict=True))

        with tf.GradientTape() as tape:
            tape.watch(x)
            value = project(x)
        assert value.dtype == "float64"
        way, h = np.random.default_rng(7).normal(0, 1, x.shape), 1e-8
        slope = float(project(x + h * way) - project(x - h * way)) / (2 * h)
        np.testing.assert_allclose(np.sum(tape.gradient(value, x) * way), slope, rtol=1e-5)

    def test_half_precision_networks_too(self):
        f = extractor(layers=self.layers, dtype="bfloat16", swag=25.0)(image(20, 18))
        for name in self.layers:
            assert f[name].dtype == "float32"
            np.testing.assert_allclose(np.mean(f[name]), 1, rtol=1e-4)

    def test_shared_extractors_differ_by_it(self):
        plain = shared_extractor("vgg16", ("block1_conv1",), None)
        smooth = shared_extractor("vgg16", ("block1_conv1",), None, swag=9.0)
        assert (plain.swag, smooth.swag) == (0.0, 9.0)
        assert smooth is shared_extractor("vgg16", ("block1_conv1",), None, swag=9.0)


def sentence(error):
    """What a user reads: one line, one full stop, at its end."""
    text = str(error.value)
    assert "\n" not in text
    assert text.endswith((".", "?"))
    return text


class TestSettings:
    def test_unknown_backbone(self):
        with pytest.raises(SettingsError, match="'vgg' is not known; choose one of vgg16, vgg19, resnet50") as error:
            FeatureExtractor("vgg", weights=None)
        sentence(error)

    def test_an_unknown_layer_is_answered_with_the_nearest(self):
        with pytest.raises(SettingsError, match="no layer 'block4_conv22'; did you mean 'block4_conv2'") as error:
            FeatureExtractor("vgg16", ("block1_conv1", "block4_conv22"), weights=None)
        sentence(error)

    def test_or_with_all(self):
        with pytest.raises(SettingsError, match=r"no layer 'relu'; it has block1_conv1, .*block5_pool"):
            FeatureExtractor("vgg16", ("relu",), weights=None)

    @pytest.mark.parametrize(
        ("settings", "words"),
        [
            ({"layers": ()}, "at least one layer"),
            ({"pooling": "mean"}, "'mean' is not known; choose 'max' or 'average'"),
            ({"dtype": "int8"}, "'int8' is not known; choose float16"),
            ({"swag": -1.0}, "SWAG must be positive, or 0 for none, not -1.0"),
            ({"swag": float("nan")}, "SWAG must be positive"),
            ({"swag": float("inf")}, "SWAG must be positive"),
        ],
    )
    def test_other_settings(self, settings, words):
        with pytest.raises(SettingsError, match=words) as error:
            FeatureExtractor("vgg16", weights=None, **settings)
        sentence(error)

    def test_backbones_are_listed(self):
        assert set(features.backbones()) >= set(APPLICATIONS)

    def test_many_extractors_do_not_warn(self, caplog, monkeypatch):
        """TensorFlow takes the traces of one function's many instances for retracing and warns at the fifth."""
        monkeypatch.setattr(logging.getLogger("tensorflow"), "handlers", [caplog.handler])
        for _ in range(6):  # the control: this is what warns
            tf.function(lambda x: x + 1)(tf.ones(1))
        assert "retracing" in caplog.text
        caplog.clear()
        network = keras.applications.VGG16(weights=None, include_top=False)
        monkeypatch.setitem(features._BACKBONES, "vgg16", (lambda **_: network, APPLICATIONS["vgg16"][1], 16))
        for _ in range(6):
            FeatureExtractor("vgg16", ("block1_conv1",), weights=None)(image(16, 16))
        assert "retracing" not in caplog.text


class TestWeights:
    """What goes wrong with weights; no bundled file needed."""

    def test_only_vgg16_is_bundled(self):
        with pytest.raises(WeightsError, match="for vgg19 use weights='imagenet'") as error:
            FeatureExtractor("vgg19", weights="bundled")
        sentence(error)

    def test_a_failed_download(self, monkeypatch):
        def unreachable(*args, **kwargs):
            raise Exception("URL fetch failure on https://example.org/vgg19.h5: None -- [Errno -3] no such host")

        monkeypatch.setattr("keras.src.utils.file_utils.get_file", unreachable)
        with pytest.raises(WeightsError, match=r"of vgg19 could not be downloaded \(URL fetch failure") as error:
            FeatureExtractor("vgg19", ("block1_conv1",), weights="imagenet")
        assert "weights='bundled'" in sentence(error)

    @pytest.mark.parametrize(
        "kind", ["empty", "text", "no layers", "another network's", "other suffix", "folder", "missing"]
    )
    def test_a_file_that_holds_no_such_weights(self, kind, tmp_path):
        file = tmp_path / ("given.txt" if kind == "other suffix" else "given.weights.h5")
        if kind == "empty":
            file.write_bytes(b"")
        elif kind in ("text", "other suffix"):
            file.write_text("not weights")
        elif kind == "no layers":
            with h5py.File(file, "w") as opened:
                opened["x"] = np.zeros(3)
        elif kind == "another network's":
            other = keras.Sequential(
                [keras.Input((None, None, 3)), keras.layers.Conv2D(64, 3), keras.layers.Conv2D(4, 3)]
            )
            other.save_weights(file)
        elif kind == "folder":
            file.mkdir()
        with warnings.catch_warnings(action="error"), pytest.raises(WeightsError, match=r"given\.") as error:
            FeatureExtractor("vgg16", ("block1_conv1",), weights=file)
        sentence(error)

    def test_saved_weights_come_back(self, tmp_path):
        """Of all VGG16 with random weights, in half precision to keep the file small, as ours is on disk."""
        network = keras.applications.VGG16(weights=None, include_top=False)
        expected = network.get_layer("block2_conv2").get_weights()
        network.save_weights(tmp_path / "mine.weights.h5")
        of = FeatureExtractor("vgg16", ("block2_conv2",), weights=tmp_path / "mine.weights.h5")
        for ours, theirs in zip(kept(of)["block2_conv2"], expected, strict=True):
            np.testing.assert_array_equal(ours, theirs)


@functools.cache
def bundled(layers=STYLE_LAYERS + CONTENT_LAYERS, **settings):
    return FeatureExtractor("vgg16", layers, **settings)


@pytest.mark.weights
class TestBundledWeights:
    photo = staticmethod(
        functools.cache(lambda size=96: samples.load("sneaker_knit")[None, 300 : 300 + size, 300 : 300 + size])
    )

    def test_first_convolutions_by_hand_from_the_file(self):
        """Read with h5py, computed in NumPy: kernels in their order, blue first, mirrored at the border."""
        with h5py.File(samples.weights()) as file:
            stored = [[np.float64(file[f"layers/{name}/vars/{k}"]) for k in (0, 1)] for name in ("conv2d", "conv2d_1")]
        x = self.photo()[:, :40, :52]
        first = convolved(caffe(np.float64(x)), *stored[0])
        second = convolved(first, *stored[1])
        f = bundled(("block1_conv1", "block1_conv2"))(x)
        np.testing.assert_allclose(f["block1_conv1"], first, rtol=1e-4, atol=1e-3)
        np.testing.assert_allclose(f["block1_conv2"], second, rtol=1e-3, atol=1e-2)

    def test_interior_features_are_those_of_keras(self):
        network = keras.applications.VGG16(weights=None, include_top=False)
        network.load_weights(samples.weights())
        x = self.photo(192)
        reference = keras.Model(network.inputs, network.get_layer("block4_conv2").output)
        theirs = np.asarray(first_output(reference, keras.applications.vgg16.preprocess_input(255 * x.copy())))
        ours = np.asarray(bundled()(x)["block4_conv2"])
        assert relative_error(ours[:, 6:-6, 6:-6], theirs[:, 6:-6, 6:-6]) < 1e-5
        assert relative_error(ours, theirs) > 1e-2

    def test_they_know_pictures(self):
        """Trained features tell two crops of one painting from another painting."""

        def style(name, top):
            crop = samples.load(name)[None, top : top + 128, 40:168]
            f = np.asarray(bundled()(crop)["block4_conv1"]).reshape(-1, 512)
            return (f.T @ f / len(f)).ravel()

        wave, again, night = (
            style("hokusai_great_wave", 100),
            style("hokusai_great_wave", 230),
            style("vangogh_starry_night", 100),
        )
        assert np.corrcoef(wave, again)[0, 1] > np.corrcoef(wave, night)[0, 1] + 0.05

    def test_no_layer_is_dead_or_explodes(self):
        every = tuple(layer.name for layer in keras.applications.VGG16(weights=None, include_top=False).layers[1:])
        for name, f in bundled(every)(self.photo()).items():
            f = np.asarray(f)
            assert 0.01 < (f > 0).mean() < 0.99, name
            assert 1 < f.max() < 1e5, name

    def test_a_flat_picture_has_flat_features(self):
        for name, f in bundled()(np.full((1, 64, 48, 3), 0.9, "float32")).items():
            assert np.ptp(np.asarray(f), axis=(1, 2)).max() < 1e-4 * np.abs(f).max(), name

    @pytest.mark.parametrize(("dtype", "most"), [("bfloat16", 0.03), ("float16", 0.005)])
    def test_half_precision_is_close(self, dtype, most):
        full, half = bundled()(self.photo()), bundled(dtype=dtype)(self.photo())
        for name, f in full.items():
            assert 1e-6 < relative_error(half[name], f) < most, name

    def test_a_path_to_them_is_the_same(self):
        of = FeatureExtractor("vgg16", ("block2_conv1",), weights=str(samples.weights()))
        np.testing.assert_array_equal(
            of(self.photo())["block2_conv1"], bundled(("block2_conv1",))(self.photo())["block2_conv1"]
        )

    def test_downloaded_weights_are_used(self, monkeypatch):
        """The path through Keras's downloader, which here hands over the bundled file."""
        monkeypatch.setattr("keras.src.utils.file_utils.get_file", lambda *args, **kwargs: str(samples.weights()))
        of = FeatureExtractor("vgg16", ("block2_conv1",), weights="imagenet")
        np.testing.assert_array_equal(
            of(self.photo())["block2_conv1"], bundled(("block2_conv1",))(self.photo())["block2_conv1"]
        )

    def test_a_truncated_file(self, tmp_path):
        damaged = tmp_path / "cut.weights.h5"
        damaged.write_bytes(samples.weights().read_bytes()[:-1000])
        with pytest.raises(WeightsError, match=r"cut\.weights\.h5 does not hold weights of vgg16") as error:
            FeatureExtractor("vgg16", weights=damaged)
        sentence(error)

    @pytest.mark.parametrize("backbone", ["vgg19", pytest.param("resnet50", marks=slow)])
    def test_weights_of_another_network(self, backbone):
        with (
            warnings.catch_warnings(action="error"),
            pytest.raises(WeightsError, match=f"weights of {backbone}") as error,
        ):
            FeatureExtractor(backbone, LAYERS[backbone], weights=samples.weights())
        sentence(error)
