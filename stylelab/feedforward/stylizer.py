"""The network as a method like the others."""

from pathlib import Path
from typing import Any

import numpy as np

from .. import samples
from ..backend import tf
from ..errors import SettingsError
from ..layers import padded
from ..stylizers import Style, Stylizer
from ..training import require_memory
from .network import MULTIPLE, StyleNetwork, load


class FeedForward(Stylizer):
    """One pass through a :class:`StyleNetwork`: for the styles that it was trained on.

    Args:
        weights: a ``.weights.h5`` file that ``stylelab train`` wrote; None for the network that ships, which knows all
            shipped paintings.
        network: a network in place of a file.
    """

    def __init__(self, weights: str | Path | None = None, *, network: StyleNetwork | None = None):
        self.network = network or load(weights or samples.weights("feedforward"))
        self.styles = tuple(self.network.styles)
        self._forward = tf.function(
            lambda images, shares: tf.clip_by_value(self.network((images, shares)), 0.0, 1.0),
            input_signature=[tf.TensorSpec([None, None, None, 3]), tf.TensorSpec([None, 1 + len(self.styles)])],
        )

    def memory_needed(self, height: int, width: int) -> int:
        """Bytes that one picture of this size takes at its peak: a few full-resolution layers at a time."""
        return 4 * height * width * 3 * (self.network.architecture.full + self.network.architecture.half)

    def shares(self, style: Style, strength: float = 1.0) -> np.ndarray:
        """The network's second input for a style: ``[1, 1 + styles]``, the photo's own share first; they sum to 1."""
        shares = np.zeros((1, 1 + len(self.styles)), "float32")
        for name, weight in zip(style.names, style.weights, strict=True):
            shares[0, 1 + self.styles.index(name)] += strength * weight / sum(style.weights)
        shares[0, 0] = 1 - strength
        return shares

    def _resolve(self, style: Any) -> Style:
        if not isinstance(style, Style):
            several = style if isinstance(style, list | tuple) else [style]
            style = Style.trained([one if isinstance(one, str) else "" for one in several])
        unknown = [name for name in style.names or [""] if name not in self.styles]
        if unknown:
            raise SettingsError(
                f"The fast network was not trained for {unknown[0] or 'pictures of your own'}; choose one of "
                f"{', '.join(self.styles)}, or the method 'any' or 'optimize'."
            )
        return style

    def _stylize(
        self, content: np.ndarray, style: Style, *, strength: float, seed: int, callback: Any, regions: Any
    ) -> np.ndarray:
        height, width = content.shape[1:3]
        require_memory(self.memory_needed(height, width), f"Stylizing at {width}x{height} px")
        shares = self.shares(style, strength)
        results = []
        for photo in content:  # one at a time: a batch needs more memory and no less time on a CPU
            result = self._painted(photo[None], shares)
            if strength < 1:
                # The network keeps a photo only nearly; what it misses is added as far as the photo is wanted.
                own = self._painted(photo[None], self.shares(style, 0.0))
                result = np.clip(result + (1 - strength) * (photo - own), 0, 1)
            results.append(result[0])
        return np.stack(results)

    def _painted(self, photo: np.ndarray, shares: np.ndarray) -> np.ndarray:
        height, width = photo.shape[1:3]
        return self._forward(padded(photo, MULTIPLE), shares).numpy()[:, :height, :width]
