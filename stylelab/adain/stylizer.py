"""AdaIN as a method like the others."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .. import images, samples
from ..backend import keras, tf
from ..features import STYLE_LAYERS, shared_extractor
from ..layers import padded
from ..stylizers import Style, Stylizer
from ..training import layer_policy, load_weights, require_memory, wide_precision
from .network import CHANNELS, WIDEST, Decoder, Moments, generate, style_moments

MULTIPLE = 8  # the encoder halves three times


class AdaIN(Stylizer):
    """One pass, any style: encode, take over the style's moments, decode.

    Args:
        weights: a decoder's ``.weights.h5`` file; None for the one that ships.
        decoder: a decoder in place of a file.
    """

    regions = True

    def __init__(self, weights: str | Path | None = None, *, decoder: Decoder | None = None):
        self.encoder = shared_extractor(layers=STYLE_LAYERS, pooling="average", dtype=wide_precision())
        if decoder is None:
            decoder = Decoder(dtype=layer_policy())
            load_weights(decoder, weights or samples.weights("adain"))
        self.decoder = decoder
        # One trace for every size, and for moments with and without regions.
        of_layer = {name: tf.TensorSpec((None, None, None, channels)) for name, channels in CHANNELS.items()}
        of_style = {name: (spec, spec) for name, spec in of_layer.items()}
        self._decode = tf.function(
            lambda features, style: tf.clip_by_value(generate(decoder, features, style), 0.0, 1.0),
            input_signature=[of_layer, of_style],
        )

    def memory_needed(self, height: int, width: int) -> int:
        """Bytes that one picture of this size takes at its peak: the encoder's activations, without gradients."""
        return int(4 * self.encoder.activations_per_pixel() * height * width)

    def _stylize(
        self, content: np.ndarray, style: Style, *, strength: float, seed: int, callback: Any, regions: Any
    ) -> np.ndarray:
        height, width = content.shape[1:3]
        require_memory(self.memory_needed(height, width), f"Stylizing at {width}x{height} px")
        pictures = style.at(max(height, width), self.encoder.min_size)
        each = [style_moments(self.encoder(picture[None])) for picture in pictures]
        results = []
        for photo in content:
            features = self.encoder(padded(photo[None], MULTIPLE))
            own = style_moments(features)
            wanted = self._mixed(each, style.weights) if regions is None else self._placed(each, features, regions)
            result = self._decoded(features, self._mixed([own, wanted], (1 - strength, strength)), height, width)
            if strength < 1:
                # The decoder keeps a photo only nearly; what it misses is added as far as the photo is wanted.
                result = result + (1 - strength) * (photo - self._decoded(features, own, height, width))
            results.append(np.clip(result, 0, 1))
        return np.stack(results)

    def _decoded(
        self, features: Mapping[str, Any], style: Mapping[str, Moments], height: int, width: int
    ) -> np.ndarray:
        return self._decode(features, style).numpy()[0, :height, :width]

    def _mixed(self, each: list[dict[str, Moments]], weights: Any) -> dict[str, Moments]:
        """The weighted mean of moments: Huang and Belongie (2017, eq. 14 and 15) mix the normalized features, which is
        the same, since these are linear in the moments."""
        shares = [float(weight) / sum(weights) for weight in weights]
        return keras.tree.map_structure(lambda *terms: _sum(shares, terms), *each)

    def _placed(self, each: list[dict[str, Moments]], features: Mapping[str, Any], regions: Any) -> dict[str, Moments]:
        """Each picture's moments in its own region, at the size of each layer's features; soft masks mix."""
        placed = {}
        for name in STYLE_LAYERS:
            size = tuple(features[WIDEST if name == STYLE_LAYERS[0] else name].shape[1:3])
            masks = np.stack([images.resize(_continued(mask), size) for mask in regions]) + 1e-6
            shares = (masks / masks.sum(0))[:, None]
            means, deviations = zip(*(moments[name] for moments in each), strict=True)
            placed[name] = (_sum(shares, means), _sum(shares, deviations))
        return placed


def _sum(weights: Any, terms: Any) -> Any:
    return sum(w * x for w, x in zip(weights, terms, strict=True))


def _continued(mask: np.ndarray) -> np.ndarray:
    return padded(mask[None], MULTIPLE).numpy()[0]
