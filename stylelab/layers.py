"""The layers that our image networks are made of: mirrored borders, resize-convolution, conditional normalization."""

from collections.abc import Sequence
from typing import Any

from .backend import keras, ops, tf


@keras.saving.register_keras_serializable("stylelab")
class ReflectedConv2D(keras.layers.Conv2D):
    """A ``"same"`` convolution whose border is mirrored: zeros around a picture are a black frame that networks paint.

    Reflection padding for style networks: Johnson et al. (2016, supplement) pad their input so, Dumoulin et al.
    (2017, appendix A) every convolution.
    """

    def __init__(self, filters: int, kernel_size: int, **kwargs: Any):
        super().__init__(filters, kernel_size, padding="valid", **kwargs)

    def call(self, images: Any) -> Any:
        """``[B, H, W, C]`` to ``[B, ceil(H / stride), ceil(W / stride), filters]``; H, W above half the kernel."""
        return super().call(reflected(images, self.kernel_size[0] // 2))

    def compute_output_shape(self, shape: Any) -> Any:
        """The shape of the result; Keras would reckon without the border."""
        sides = [side and -(-side // stride) for side, stride in zip(shape[1:3], self.strides, strict=True)]
        return (shape[0], *sides, self.filters)

    def get_config(self) -> dict[str, Any]:
        """Keras's, less the padding, which is always the mirror."""
        return {name: value for name, value in super().get_config().items() if name != "padding"}


def reflected(images: Any, border: int) -> Any:
    """The pictures with ``border`` pixels around them, mirrored at the outermost pixel."""
    return tf.pad(images, [(0, 0), (border, border), (border, border), (0, 0)], "REFLECT") if border else images


def padded(images: Any, multiple: int) -> Any:
    """The pictures mirrored at the right and the bottom until both sides are multiples of ``multiple``."""
    height, width = ops.shape(images)[1:3]
    return tf.pad(images, [(0, 0), (0, -height % multiple), (0, -width % multiple), (0, 0)], "REFLECT")


def enlarged(images: Any) -> Any:
    """Each pixel twice in both directions: what a resize-convolution convolves.

    A transposed convolution of stride 2 gives neighbors different numbers of terms, which shows as a checkerboard;
    nearest-neighbor resizing and a plain convolution cannot (Odena et al. 2016, "Deconvolution and checkerboard
    artifacts").
    """
    # Four copies laid out as blocks of 2 x 2: what repeating gives, a fifth of the network's time faster in OpenVINO.
    return tf.nn.depth_to_space(tf.concat([images] * 4, -1), 2)


def instance_moments(features: Any) -> tuple[Any, Any]:
    """Mean and variance over the positions of each picture and channel, ``[B, 1, 1, C]`` each, in float32."""
    mean, variance = tf.nn.moments(ops.cast(features, "float32"), (1, 2), keepdims=True)
    return mean, variance


@keras.saving.register_keras_serializable("stylelab")
class ConditionalInstanceNormalization(keras.layers.Layer):
    """Instance normalization with a scale and a shift for each style: ``γ_s (x - μ) / σ + β_s``.

    Dumoulin et al. (2017, eq. 5). All styles share the convolutions; 2 C numbers a layer make a style. Styles blend as
    ``γ = Σ w_s γ_s``, ``β = Σ w_s β_s`` (their section 3.4).

    Args:
        styles: number of styles.
    """

    def __init__(self, styles: int, **kwargs: Any):
        super().__init__(autocast=False, **kwargs)  # moments and tables stay float32: half precision would blur colors
        self.styles = styles

    def get_config(self) -> dict[str, Any]:
        """Keras's, with the number of styles."""
        return {**super().get_config(), "styles": self.styles}

    def build(self, shape: Sequence[int | None]) -> None:
        """Scales around 1 and shifts around 0, as different from one another as a style's first guess should be."""
        table = (self.styles, shape[-1])
        # Equal rows would get equal gradients wherever styles are alike; Dumoulin et al.'s code has N(0, 0.01) too.
        self.scale = self.add_weight(table, keras.initializers.RandomNormal(1.0, 0.01), name="scale")
        self.shift = self.add_weight(table, keras.initializers.RandomNormal(0.0, 0.01), name="shift")
        self.built = True

    def call(self, features: Any, weights: Any, moments: tuple[Any, Any]) -> Any:
        """The normalized features.

        Args:
            features: ``[B, H, W, C]``.
            weights: ``[B, styles]``, the share of each style.
            moments: mean and variance to normalize with, ``[B or 1, 1, 1, C]``: of the features themselves, see
                :func:`instance_moments`, or of a thumbnail of the whole picture.
        """
        mean, variance = moments
        scale, shift = (ops.matmul(weights, table)[:, None, None] for table in (self.scale, self.shift))
        scale = scale * ops.rsqrt(variance + 1e-5)
        # One multiplication and one addition a number; folded in float32, applied in the network's own precision.
        return features * ops.cast(scale, features.dtype) + ops.cast(shift - mean * scale, features.dtype)
