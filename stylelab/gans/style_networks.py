"""StyleGAN's networks (Karras et al. 2019, 2020): mapping, modulated convolutions and noise, and the discriminator."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..backend import keras, ops
from ..errors import SettingsError
from ..training import layer_policy
from .networks import doubled, leaky

START = 4  # px: the constant that every picture begins with, Karras et al. (2019, section 2)
GAIN = np.sqrt(2.0)  # keeps the variance through a ReLU: He et al. (2015, eq. 10)


@keras.saving.register_keras_serializable("stylelab")
class ModulatedConv2D(keras.layers.Layer):
    """A convolution whose input channels the style scales, and whose output it keeps at variance 1.

    Karras et al. (2020, section 2.2): ``w'_ijk = s_i w_ijk`` (eq. 1) and ``w''_ijk = w'_ijk / sqrt(Σ_ik w'_ijk² + ε)``
    (eq. 3), for input channel i, output channel j, position k. Scaling input and output in place of the weights is
    the same, since a convolution is linear, and lets all pictures of a batch share one convolution.

    Args:
        filters: output channels.
        kernel: side of the kernel.
        demodulate: False for the layer that gives colors, their appendix B.
    """

    def __init__(self, filters: int, kernel: int = 3, demodulate: bool = True, **settings: Any):
        super().__init__(**settings)
        self.filters, self.kernel_size, self.demodulate = filters, kernel, demodulate

    def get_config(self) -> dict[str, Any]:
        """Keras's, and the arguments."""
        own = {"filters": self.filters, "kernel": self.kernel_size, "demodulate": self.demodulate}
        return {**super().get_config(), **own}

    def build(self, features_shape: Any, style_shape: Any = None) -> None:
        """Kernel from N(0, 1 / n), n the numbers that each output sums, so that none changes the variance; bias 0."""
        inputs = features_shape[-1]
        start = keras.initializers.RandomNormal(0.0, (self.kernel_size**2 * inputs) ** -0.5)
        self.kernel = self.add_weight((self.kernel_size, self.kernel_size, inputs, self.filters), start, name="kernel")
        self.bias = self.add_weight((self.filters,), "zeros", name="bias")
        self.built = True

    def call(self, features: Any, style: Any) -> Any:
        """The convolved features.

        Args:
            features: ``[B, H, W, C]``.
            style: ``[B, C]``, one factor a channel, around 1.
        """
        style = ops.cast(style, "float32")
        scaled = features * ops.cast(style[:, None, None], features.dtype)
        result = ops.conv(scaled, ops.cast(self.kernel, features.dtype), padding="same")
        if self.demodulate:
            energy = ops.sum(ops.square(ops.cast(self.kernel, "float32")), (0, 1))  # [C, filters]
            factor = ops.rsqrt(ops.matmul(ops.square(style), energy) + 1e-8)
            result = result * ops.cast(factor[:, None, None], result.dtype)
        return result + ops.cast(self.bias, result.dtype)

    def compute_output_shape(self, features_shape: Any, style_shape: Any = None) -> Any:
        """As many channels as filters."""
        return (*features_shape[:-1], self.filters)


@keras.saving.register_keras_serializable("stylelab")
class Noise(keras.layers.Layer):
    """Adds noise, one number a pixel, with a strength that is learned and begins at 0 (Karras et al. 2020, fig. 2c)."""

    def build(self, features_shape: Any, noise_shape: Any = None) -> None:
        """The strength."""
        self.strength = self.add_weight((), "zeros", name="strength")
        self.built = True

    def call(self, features: Any, noise: Any) -> Any:
        """``[B, H, W, C]`` features and ``[B, H, W, 1]`` noise."""
        return features + ops.cast(noise, features.dtype) * ops.cast(self.strength, features.dtype)


def layer_sides(size: int) -> list[int]:
    """The side in pixels of each of the synthesis network's layers that takes a style: 4, 8, 8, 16, 16, ..., size."""
    if size < 8 or size & (size - 1):
        raise SettingsError(f"A StyleGAN paints powers of two from 8 px on, not {size} px.")
    doubled = [START * 2**k for k in range(1, size.bit_length() - START.bit_length() + 1)]
    return [START, *(side for side in doubled for _ in range(2))]


def channels_at(side: int, size: int, width: int, most: int = 8) -> int:
    """Channels at a side: ``width`` at full size, doubling as it halves, up to ``most * width``."""
    return width * min(size // side, most)


def mapping(latent: int = 128, *, layers: int = 4) -> keras.Model:
    """From noise to styles: z, normalized, through ``layers`` dense layers to w.

    Karras et al. (2019, section 2) have 8 layers of 512, Karras et al. (2020b, ADA, appendix) 2 for small sets. They
    learn at a hundredth of the rate (2019, section C): here and there through weights that are stored a hundred times
    as large, so that Adam's steps, whose size does not depend on the gradient's, change them a hundredth as much.
    """
    latents = keras.Input((latent,), dtype="float32")
    x = latents * ops.rsqrt(ops.mean(ops.square(latents), -1, keepdims=True) + 1e-8)
    for _ in range(layers):
        start = keras.initializers.VarianceScaling(2.0 * 100**2, "fan_in")  # He et al. (2015), a hundredfold
        x = leaky(keras.layers.Dense(latent, kernel_initializer=start)(x) / 100)
    return keras.Model(latents, x, name="mapping")


def synthesis(size: int = 64, *, latent: int = 128, width: int = 16, dtype: str | None = None) -> keras.Model:
    """From styles, one for each layer, to a picture.

    Karras et al. (2020, figure 7, output skips): a learned constant of 4 x 4; at each size modulated convolutions,
    noise and LeakyReLU; at each size colors, which are enlarged and added up.

    Args:
        size: side of the pictures, a power of two.
        latent: length of a style w.
        width: channels at full size; theirs is 32 at 1024 px.
    Returns:
        A Keras model from ``[B, layers, latent]`` and a list of noise ``[B, side, side, 1]`` for each of
        :func:`layer_sides`, to float32 ``[B, size, size, 3]`` around 0..1.
    """
    dtype = dtype or layer_policy()
    sides = layer_sides(size)
    styles = keras.Input((len(sides), latent), dtype="float32")
    noises = [keras.Input((side, side, 1), dtype="float32") for side in sides]

    def affine(layer: int, channels: int) -> Any:
        return keras.layers.Dense(channels, bias_initializer="ones", kernel_initializer="lecun_normal")(
            styles[:, layer]
        )

    colors: Any = None
    x = Constant(channels_at(START, size, width), dtype=dtype)(styles)
    for layer, side in enumerate(sides):
        channels = channels_at(side, size, width)
        if layer and sides[layer - 1] != side:
            x = doubled(x, dtype)
        x = ModulatedConv2D(channels, dtype=dtype)(x, affine(layer, x.shape[-1]))
        x = leaky(Noise(dtype=dtype)(x, noises[layer])) * GAIN
        if layer == len(sides) - 1 or sides[layer + 1] != side:
            added = ModulatedConv2D(3, 1, demodulate=False, dtype=dtype)(x, affine(layer, channels))
            added = ops.cast(added, "float32")
            colors = added if colors is None else added + doubled(colors, "float32")
    return keras.Model([styles, noises], 0.5 + 0.25 * colors, name="synthesis")


@keras.saving.register_keras_serializable("stylelab")
class Constant(keras.layers.Layer):
    """The learned ``4 x 4`` features that every picture begins with (Karras et al. 2019, section 2)."""

    def __init__(self, channels: int, **settings: Any):
        super().__init__(**settings)
        self.channels = channels

    def get_config(self) -> dict[str, Any]:
        """Keras's, and the channels."""
        return {**super().get_config(), "channels": self.channels}

    def build(self, shape: Any) -> None:
        """N(0, 1)."""
        self.value = self.add_weight(
            (1, START, START, self.channels), keras.initializers.RandomNormal(0, 1), name="value"
        )
        self.built = True

    def call(self, styles: Any) -> Any:
        """The same for each picture of the batch."""
        return ops.tile(ops.cast(self.value, self.compute_dtype), (ops.shape(styles)[0], 1, 1, 1))

    def compute_output_shape(self, shape: Any) -> Any:
        """``[B, 4, 4, channels]``."""
        return (shape[0], START, START, self.channels)


class Generator(keras.Model):
    """Mapping and synthesis, and the mean style that truncation pulls towards.

    Args:
        size, latent, width, dtype: see :func:`synthesis`.
        mapping_layers: see :func:`mapping`.
    """

    def __init__(
        self, size: int = 64, *, latent: int = 128, width: int = 16, mapping_layers: int = 4, dtype: str | None = None
    ):
        super().__init__(autocast=False)
        self.size, self.latent, self.sides = size, latent, layer_sides(size)
        self.mapping = mapping(latent, layers=mapping_layers)
        self.synthesis = synthesis(size, latent=latent, width=width, dtype=dtype)
        self.mean_style = self.add_weight((latent,), "zeros", trainable=False, name="mean_style")
        self.built = True

    def call(self, styles: Any, noises: Sequence[Any]) -> Any:
        """Pictures of a style for each layer."""
        return self.synthesis([styles, list(noises)])

    def styles(self, noise: Any, truncation: float = 1.0) -> Any:
        """The styles ``[B, layers, latent]`` of noise ``[B, latent]``, the same in all layers.

        Args:
            truncation: ψ of Karras et al. (2019, appendix B), ``w̄ + ψ (w - w̄)``: below 1 more usual pictures.
        """
        style = self.mapping(noise)
        style = self.mean_style + truncation * (style - self.mean_style)
        return ops.tile(style[:, None], (1, len(self.sides), 1))


def discriminator(size: int = 64, *, width: int = 16, dtype: str | None = None) -> keras.Model:
    """Residual blocks that halve, then how much the pictures of a batch differ, then one logit a picture.

    Karras et al. (2020, figure 7: residual nets) and, for the standard deviation over groups, Karras et al. (2018,
    section 3). Halving is by 2 x 2 means.

    Returns:
        A Keras model from ``[B, size, size, 3]`` in 0..1 to float32 ``[B, 1]``.
    """
    layer_sides(size)  # refuses the same sizes
    dtype = dtype or layer_policy()
    start = {"kernel_initializer": "he_normal", "dtype": dtype}
    pictures = keras.Input((size, size, 3), dtype="float32")
    x = leaky(keras.layers.Conv2D(width, 1, **start)(pictures * 2 - 1))
    side = size
    while side > START:
        channels = channels_at(side // 2, size, width)
        straight = keras.layers.Conv2D(channels, 1, use_bias=False, **start)(
            keras.layers.AveragePooling2D(2, dtype=dtype)(x)
        )
        x = leaky(keras.layers.Conv2D(x.shape[-1], 3, padding="same", **start)(x))
        x = leaky(
            keras.layers.Conv2D(channels, 3, padding="same", **start)(keras.layers.AveragePooling2D(2, dtype=dtype)(x))
        )
        x = (x + straight) * (0.5**0.5)
        side //= 2
    x = keras.layers.Lambda(with_deviation, dtype=dtype)(x)
    x = leaky(keras.layers.Conv2D(channels_at(START, size, width), 3, padding="same", **start)(x))
    x = ops.cast(keras.layers.Flatten(dtype=dtype)(x), "float32")
    return keras.Model(pictures, keras.layers.Dense(1)(x), name="discriminator")


def with_deviation(features: Any) -> Any:
    """The features and a channel more: the mean standard deviation over the batch, the same everywhere.

    Karras et al. (2018, section 3): with it a generator whose pictures are all alike is found out. One group a batch.
    """
    numbers = ops.cast(features, "float32")
    mean = ops.mean(numbers, 0, keepdims=True)
    # Their 1e-8 under the root keeps the gradient finite where pictures are equal.
    deviation = ops.mean(ops.sqrt(ops.mean(ops.square(numbers - mean), 0) + 1e-8))
    channel = ops.cast(ops.ones_like(numbers[..., :1]) * deviation, features.dtype)
    return ops.concatenate([features, channel], -1)
