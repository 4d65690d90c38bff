"""Where products are, learned: a small network over frozen features of VGG16 gives each pixel's chance to be product.

Nothing in a photo's colors says which of two things is for sale; what VGG16 saw in ImageNet's photos does. The network
is a U-Net's decoder (Ronneberger et al. 2015) with VGG16 as its encoder, with a wider view at the coarsest level.
"""

from functools import cache
from typing import Any

import numpy as np

from stylelab import images, samples

LAYERS = ("block1_conv2", "block2_conv2", "block3_conv3", "block4_conv3", "block5_conv3")
SCALES = (200.0, 600.0, 600.0, 200.0, 20.0)  # about the deviation of each layer's activations on photos
CHANNELS = (16, 32, 64, 96, 96)
STEP = 32  # sides are multiples of it, so that every level is half of the one before
SIDE = 320  # longer side that photos are seen at; trained at 256, with products of 0.28 to 0.97 of it
OTHER_SIDE = 256  # for a second view


def build() -> Any:
    """The network: five levels of features and the position to logits at half the picture's size, ``[B, h, w, 1]``."""
    from stylelab.backend import keras

    layers = keras.layers

    def block(x: Any, channels: int, size: int = 3, dilation: int = 1) -> Any:
        x = layers.Conv2D(channels, size, padding="same", use_bias=False, dilation_rate=dilation)(x)
        return layers.ReLU()(layers.GroupNormalization(8)(x))

    depths = (64, 128, 256, 512, 512)
    inputs = [keras.Input((None, None, depth), name=name) for depth, name in zip(depths, LAYERS, strict=True)]
    position = keras.Input((None, None, 3), name="position")
    sides = [layers.Rescaling(1 / scale)(level) for scale, level in zip(SCALES, inputs, strict=True)]
    sides[0] = layers.AveragePooling2D(2)(sides[0])
    sides = [block(level, channels, 1) for level, channels in zip(sides, CHANNELS, strict=True)]
    x = block(layers.Concatenate()([sides[-1], position]), CHANNELS[-1])
    everything = layers.Dense(CHANNELS[-1])(layers.GlobalAveragePooling2D(keepdims=True)(x))
    x = layers.Add()([x, everything])
    for dilation in (2, 4):
        x = layers.Add()([x, block(x, CHANNELS[-1], 3, dilation)])
    for level, side in enumerate(reversed(sides[:-1])):
        if level < 3:  # the first and second level are both at half the picture's size
            x = layers.UpSampling2D(2, interpolation="bilinear")(x)
        x = block(layers.Concatenate()([x, side]), side.shape[-1])
    return keras.Model([*inputs, position], layers.Conv2D(1, 1)(x), name="product_mask")


def positions(height: int, width: int) -> np.ndarray:
    """What tells the middle from the border: ``[height, width, 3]`` of x², y² and y, each from the middle, -1..1."""
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    return np.stack([x**2, y**2, y], -1)


def scores(network: Any, extractor: Any, pictures: Any) -> Any:
    """The network's answer for a batch ``[B, H, W, 3]`` whose sides are multiples of ``STEP``: ``[B, H/2, W/2, 1]``."""
    from stylelab.backend import ops

    count, height, width = pictures.shape[:3]
    place = np.broadcast_to(positions(height // 16, width // 16), (count, height // 16, width // 16, 3))
    return network([*extractor(pictures).values(), ops.convert_to_tensor(place)])


def prior(rgb: np.ndarray, side: int = SIDE, *, mirrored: bool = False) -> np.ndarray:
    """Each pixel's chance to be product, coarse at the edges.

    Args:
        rgb: float32 ``[H, W, 3]`` in 0..1.
        side: longer side in pixels that the photo is seen at.
        mirrored: whether it is seen in a mirror; the answer is mirrored back.
    Returns:
        float32 ``[h, w, 1]`` in 0..1, at half of ``side``.
    """
    height, width = rgb.shape[:2]
    scale = side / max(height, width)
    small = images.resize(rgb, tuple(STEP * max(1, round(scale * length / STEP)) for length in (height, width)))
    small = small[:, ::-1] if mirrored else small
    chance = 1 / (1 + np.exp(-np.asarray(scores(*_loaded(), small[None].copy()))[0]))
    return chance[:, ::-1] if mirrored else chance


@cache
def _loaded() -> tuple[Any, Any]:
    """The shipped network and its features, in the precision that the hardware is fast in."""
    from stylelab import features, training

    network = build()
    training.load_weights(network, samples.weights("product_mask"))
    return network, features.shared_extractor("vgg16", LAYERS, dtype=training.wide_precision())
