"""The layers of our image networks against NumPy and SciPy, their invariants, and half precision.

The convolution itself is Keras's; ours is what happens at the border. Everything else here is ours.
"""

import itertools

import numpy as np
import pytest
from scipy import ndimage

from stylelab.backend import keras, ops, tf
from stylelab.layers import (
    ConditionalInstanceNormalization,
    ReflectedConv2D,
    enlarged,
    instance_moments,
    padded,
    reflected,
)

RNG = np.random.default_rng(0)


def normal(*shape):
    return RNG.normal(size=shape).astype("float32")


# ---- mirrored borders ------------------------------------------------------------------------------------------


def convolution_oracle(x, kernel, stride):
    """SciPy's, filter by filter and channel by channel; its ``mirror`` does not repeat the outermost pixel."""
    result = np.zeros((*x.shape[:3], kernel.shape[-1]))
    for b, c, f in itertools.product(range(len(x)), range(x.shape[-1]), range(kernel.shape[-1])):
        result[b, ..., f] += ndimage.correlate(x[b, ..., c].astype("float64"), kernel[..., c, f], mode="mirror")
    return result[:, ::stride, ::stride]


@pytest.mark.parametrize("size", [(8, 10), (7, 9), (12, 6)])
@pytest.mark.parametrize("kernel", [1, 3, 5, 9])
@pytest.mark.parametrize("stride", [1, 2])
def test_convolution_is_scipys_with_mirrored_borders(size, kernel, stride):
    layer, x = ReflectedConv2D(3, kernel, strides=stride), normal(2, *size, 2)
    got = layer(x)
    np.testing.assert_allclose(got, convolution_oracle(x, layer.kernel.numpy(), stride), atol=1e-5)
    assert layer.compute_output_shape(x.shape) == got.shape


@pytest.mark.parametrize("stride", [1, 2])
def test_convolution_of_a_constant_is_constant(stride):
    layer = ReflectedConv2D(4, 5, strides=stride)
    got = layer(np.broadcast_to(normal(3), (1, 12, 8, 3))).numpy()
    np.testing.assert_allclose(got, np.broadcast_to(got[:, :1, :1], got.shape), atol=1e-5)
    assert np.ptp(got[0, 0, 0]) > 0.01, "and not because it is zero"


def test_convolution_survives_its_configuration():
    layer = ReflectedConv2D(4, 3, strides=2, use_bias=False)
    x = normal(1, 8, 8, 2)
    expected = layer(x)
    twin = keras.layers.deserialize(keras.layers.serialize(layer))
    twin.set_weights(layer.get_weights())
    np.testing.assert_array_equal(twin(x), expected)


@pytest.mark.parametrize("border", [0, 1, 4])
def test_reflected_is_numpys(border):
    x = normal(2, 5, 6, 3)
    np.testing.assert_array_equal(
        reflected(x, border), np.pad(x, [(0, 0), (border,) * 2, (border,) * 2, (0, 0)], "reflect")
    )


@pytest.mark.parametrize(("size", "multiple", "expected"), [((17, 30), 4, (20, 32)), ((16, 8), 8, (16, 8))])
def test_padded_adds_a_mirror_at_the_right_and_the_bottom_only(size, multiple, expected):
    x = normal(1, *size, 2)
    more = [(0, 0), (0, expected[0] - size[0]), (0, expected[1] - size[1]), (0, 0)]
    np.testing.assert_array_equal(padded(x, multiple), np.pad(x, more, "reflect"))


def test_enlarged_is_a_kronecker_product():
    x = normal(2, 3, 4, 5)
    np.testing.assert_array_equal(enlarged(x), np.kron(x, np.ones((1, 2, 2, 1))))


# ---- moments ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_moments_are_numpys_in_float32_whatever_comes_in(dtype):
    x = tf.cast(3 + normal(2, 40, 30, 4), dtype)
    exact = tf.cast(x, "float64").numpy()  # of the rounded numbers: what is left is the moments' own error
    mean, variance = instance_moments(x)
    assert mean.dtype == variance.dtype == "float32"
    np.testing.assert_allclose(mean, exact.mean((1, 2), keepdims=True), rtol=1e-5)
    np.testing.assert_allclose(variance, exact.var((1, 2), keepdims=True), rtol=1e-4)


# ---- conditional instance normalization ------------------------------------------------------------------------


def layer_of(styles, channels, **settings):
    layer = ConditionalInstanceNormalization(styles, **settings)
    layer.build((None, None, None, channels))
    layer.scale.assign(normal(styles, channels))
    layer.shift.assign(normal(styles, channels))
    return layer


def normalized(layer, x, shares):
    return layer(x, ops.convert_to_tensor(shares), instance_moments(x))


def normalization_oracle(x, shares, scale, shift):
    """One picture and channel at a time."""
    result = np.zeros(x.shape)
    for b, c in itertools.product(range(len(x)), range(x.shape[-1])):
        plane = x[b, ..., c].astype("float64")
        gamma, beta = (sum(w * row[c] for w, row in zip(shares[b], table, strict=True)) for table in (scale, shift))
        result[b, ..., c] = gamma * (plane - plane.mean()) / np.sqrt(plane.var() + 1e-5) + beta
    return result


def test_normalization_is_numpys():
    layer, x, shares = layer_of(3, 4), 2 + 3 * normal(2, 6, 5, 4), RNG.dirichlet(np.ones(3), 2).astype("float32")
    expected = normalization_oracle(x, shares, layer.scale.numpy(), layer.shift.numpy())
    np.testing.assert_allclose(normalized(layer, x, shares), expected, atol=1e-4)


def test_every_row_of_a_fresh_layer_is_near_the_plain_normalization_and_no_two_are_equal():
    layer = ConditionalInstanceNormalization(3)
    layer.build((None, None, None, 50))
    for table, center in ((layer.scale, 1), (layer.shift, 0)):
        assert table.shape == (3, 50)
        np.testing.assert_allclose(table, np.full(table.shape, center), atol=0.1)
        assert len(np.unique(table.numpy(), axis=0)) == 3


def test_a_blend_is_linear_in_the_shares_and_one_style_is_itself():
    layer, x = layer_of(3, 4), normal(1, 6, 5, 4)
    each = [normalized(layer, x, np.eye(3, dtype="float32")[[s]]) for s in range(3)]
    shares = np.array([[0.2, 0.5, 0.3]], "float32")
    np.testing.assert_allclose(normalized(layer, x, shares), np.tensordot(shares[0], each, 1), atol=1e-5)
    single = layer_of(1, 4)
    single.scale.assign(layer.scale[1:2])
    single.shift.assign(layer.shift[1:2])
    np.testing.assert_allclose(each[1], normalized(single, x, np.ones((1, 1), "float32")), atol=1e-6)


def test_a_picture_does_not_depend_on_its_batch_mates():
    layer, x, shares = layer_of(2, 3), normal(4, 6, 6, 3), RNG.dirichlet(np.ones(2), 4).astype("float32")
    together = normalized(layer, x, shares)
    for k in range(4):
        np.testing.assert_allclose(together[k], normalized(layer, x[k : k + 1], shares[k : k + 1])[0], atol=1e-6)


def test_contrast_and_brightness_of_a_picture_are_removed():
    layer, x, shares = layer_of(1, 3), normal(1, 16, 16, 3), np.ones((1, 1), "float32")
    np.testing.assert_allclose(normalized(layer, 0.5 * x + 7, shares), normalized(layer, x, shares), atol=1e-3)


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize("value", [0.0, 1.0, 100.0])
def test_a_constant_stays_finite_and_flat(policy, value):
    layer = layer_of(2, 3, dtype=policy)
    x = tf.fill((1, 8, 8, 3), tf.cast(value, layer.compute_dtype))
    got = tf.cast(normalized(layer, x, np.array([[0.5, 0.5]], "float32")), "float32").numpy()
    assert np.isfinite(got).all()
    np.testing.assert_array_equal(got, np.broadcast_to(got[:, :1, :1], got.shape))


@pytest.mark.parametrize(("policy", "eps"), [("mixed_bfloat16", 2**-8), ("mixed_float16", 2**-11)])
def test_half_precision_keeps_float32_tables_and_moments(policy, eps):
    layer, shares = layer_of(2, 3, dtype=policy), np.array([[0.25, 0.75]], "float32")
    x = tf.cast(1 + normal(1, 20, 20, 3), layer.compute_dtype)
    got = normalized(layer, x, shares)
    assert layer.scale.dtype == layer.shift.dtype == "float32"
    assert got.dtype == x.dtype
    exact = normalization_oracle(tf.cast(x, "float32").numpy(), shares, layer.scale.numpy(), layer.shift.numpy())
    # Three roundings of numbers of this size: the folded scale, the folded shift, the result.
    np.testing.assert_allclose(tf.cast(got, "float32"), exact, atol=3 * eps * (1 + np.abs(exact).max()))


def test_normalization_survives_its_configuration():
    layer, x, shares = (
        layer_of(3, 4, dtype="mixed_float16"),
        normal(1, 6, 5, 4).astype("float16"),
        np.eye(3, dtype="float32")[:1],
    )
    twin = keras.layers.deserialize(keras.layers.serialize(layer))
    twin.set_weights(layer.get_weights())
    np.testing.assert_array_equal(normalized(twin, x, shares), normalized(layer, x, shares))


def test_moments_may_be_anothers():
    layer, x, other = layer_of(1, 3), normal(2, 6, 6, 3), 5 + 2 * normal(1, 6, 6, 3)
    got = layer(x, np.ones((2, 1), "float32"), instance_moments(other))
    mean, deviation = other.mean((1, 2), keepdims=True), np.sqrt(other.var((1, 2), keepdims=True) + 1e-5)
    np.testing.assert_allclose(got, (x - mean) / deviation * layer.scale.numpy() + layer.shift.numpy(), atol=1e-5)
