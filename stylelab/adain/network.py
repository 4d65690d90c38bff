"""Adaptive instance normalization, and the decoder that turns normalized features back into a picture."""

from collections.abc import Mapping
from typing import Any

from ..backend import keras, ops, tf
from ..features import STYLE_LAYERS
from ..layers import ReflectedConv2D, enlarged, instance_moments

ENCODED = STYLE_LAYERS[-1]  # block4_conv1, Huang and Belongie's (2017, section 6) relu4_1
WIDEST = "block2_conv1"  # half the picture's size: there the decoder takes over block1_conv1's moments too
CHANNELS = dict(zip(STYLE_LAYERS, (64, 128, 256, 512), strict=True))
# The size of each layer's features: their mean standard deviation on the shipped paintings and photos, rounded.
UNITS = {"block1_conv1": 40.0, "block2_conv1": 190.0, "block3_conv1": 250.0, "block4_conv1": 115.0}

Moments = tuple[Any, Any]  # mean and standard deviation, [B, 1, 1, C] each, or [B, H, W, C] where they differ by region


def style_moments(features: Mapping[str, Any]) -> dict[str, Moments]:
    """Mean and standard deviation of each channel of the style layers: all that the network learns of a painting.

    Args:
        features: ``[B, H, W, C]`` by layer, from VGG16.
    Returns:
        For each of ``STYLE_LAYERS`` two tensors ``[B, 1, 1, C]``.
    """
    found = {}
    for name in STYLE_LAYERS:
        mean, variance = instance_moments(features[name])
        found[name] = (mean, ops.sqrt(variance + 1e-5))
    return found


def adain(features: Any, style: Moments) -> Any:
    """The features with the style's mean and standard deviation: ``σ_s (x - μ_x) / σ_x + μ_s``.

    Huang and Belongie (2017, eq. 8), with their 1e-5 under the root.

    Args:
        features: ``[B, H, W, C]``, computed in float32.
        style: mean and standard deviation, ``[B or 1, 1, 1, C]``, or ``[1, H, W, C]`` to style by regions.
    """
    features = ops.cast(features, "float32")
    mean, variance = instance_moments(features)
    deviation = features - mean
    # On a flat ground nothing but rounding is left, some 1e-7 of the features' size, which three levels of dividing by
    # it would blow up to stripes: what is that small counts as zero.
    rounding = 2e-6 * ops.sqrt(ops.mean(variance + ops.square(mean), -1, keepdims=True))  # of their mean square
    deviation = ops.where(ops.abs(deviation) > rounding, deviation, 0.0)
    return style[1] * deviation * ops.rsqrt(variance + 1e-5) + style[0]


def generate(decoder: Any, features: Mapping[str, Any], style: Mapping[str, Moments]) -> Any:
    """G(h, k): the photo's features take over the painting's moments and become a picture, around 0..1.

    Args:
        decoder: a :class:`Decoder`.
        features: h, of the photo, by layer, as VGG16 gives them.
        style: k, moments for each of ``STYLE_LAYERS``, see :func:`style_moments`.
    """
    return decoder(({**features, ENCODED: adain(features[ENCODED], style[ENCODED])}, style))


class Decoder(keras.Model):
    """From VGG16's ``block4_conv1`` back to a picture, renormalized with the style at every level on the way.

    Huang and Belongie (2017) normalize once, at ``block4_conv1``, and their decoder has no normalization: it must read
    from 512 means and deviations what the strokes and colors are like. Ours mirrors the encoder, and takes over the
    painting's moments of ``block3_conv1``, ``block2_conv1`` and ``block1_conv1`` where it has as many channels: in the
    same sense, at the scale where they were measured. One convolution a level less than the encoder, none of 64
    channels at full resolution: a CPU's time goes there.

    Theirs sees the photo at an eighth of its size only. Ours is shown the photo's ``block3_conv1`` and ``block2_conv1``
    too, with the painting's moments, added by lateral 1 x 1 convolutions (Lin et al. 2017, "Feature pyramid networks",
    section 3): what the product looks like need not be guessed.

    Args:
        dtype: policy of the layers; variables are float32 in all of them.
    """

    def __init__(self, dtype: str = "float32"):
        super().__init__(dtype=dtype, autocast=False)

        def convolution(filters: int) -> Any:
            return ReflectedConv2D(filters, 3, dtype=dtype)

        def lateral(filters: int) -> Any:
            return keras.layers.Conv2D(filters, 1, use_bias=False, dtype=dtype)

        self.eighth = convolution(256)
        self.quarter = [convolution(256), convolution(128)]
        self.half = [convolution(128), convolution(64)]
        self.full = [convolution(32), convolution(3)]
        self.laterals = {name: lateral(CHANNELS[name]) for name in ("block3_conv1", "block2_conv1")}
        neutral = {name: (tf.zeros((1, 1, 1, c)), tf.ones((1, 1, 1, c))) for name, c in CHANNELS.items()}
        sides = {ENCODED: 2, "block3_conv1": 4, "block2_conv1": 8}
        self(({name: tf.zeros((1, s, s, CHANNELS[name])) for name, s in sides.items()}, neutral))  # builds variables

    def call(self, inputs: tuple[Mapping[str, Any], Mapping[str, Moments]]) -> Any:
        """The picture.

        Args:
            inputs: features of the photo, normalized ones ``[B, h, w, 512]`` of ``block4_conv1``, its own
                ``[B, 2 h, 2 w, 256]`` of ``block3_conv1`` and ``[B, 4 h, 4 w, 128]`` of ``block2_conv1``; and the
                moments for the other layers, of which those by region are ``[1, H, W, C]`` at the size of the layer's
                features, or of ``WIDEST``'s.
        Returns:
            float32 ``[B, 8 h, 8 w, 3]`` around 0..1, not clipped: clipping would stop the gradient.
        """
        features, style = inputs

        def normalized(x: Any, name: str) -> Any:
            mean, deviation = style[name]
            return ops.cast(adain(x, (mean / UNITS[name], deviation / UNITS[name])), self.compute_dtype)

        def level(x: Any, name: str, convolution: Any) -> Any:
            """Twice the size, with what the photo has there, in the style's moments of a layer."""
            x = convolution(enlarged(x)) + self.laterals[name](normalized(features[name], name))
            return ops.relu(normalized(x, name))

        x = ops.cast(features[ENCODED] / UNITS[ENCODED], self.compute_dtype)
        x = ops.relu(self.eighth(x))
        x = ops.relu(self.quarter[1](level(x, "block3_conv1", self.quarter[0])))
        x = self.half[1](level(x, "block2_conv1", self.half[0]))
        first, second = self.full
        x = ops.relu(normalized(x, "block1_conv1"))
        return 0.5 + 0.25 * ops.cast(second(ops.relu(first(enlarged(x)))), "float32")
