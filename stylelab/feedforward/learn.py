"""Training the network: the styles' targets, the shares that it is shown, and the photos it is judged by."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .. import datasets, images
from ..backend import tf
from ..errors import SettingsError
from ..learning import PerceptualLearner
from ..losses import Terms
from .network import StyleNetwork


class Learner(PerceptualLearner):
    """A :class:`StyleNetwork` with the objective that it is trained on.

    A batch is a pair: photos ``[B, S, S, 3]`` and shares ``[B, 1 + styles]``. The style target of an example is the
    mean of the paintings' Gram matrices by its shares; the photo's own takes part in it as style 0.

    Args:
        network: to be trained.
        pictures: one painting per style of the network, in its order, at the size that strokes shall have.
        weights: of the objective, as :class:`PerceptualLearner` has them.
    """

    def __init__(self, network: StyleNetwork, pictures: Sequence[np.ndarray], **weights: float):
        super().__init__(network, **weights)
        if len(pictures) != len(network.styles):
            raise SettingsError(f"{len(network.styles)} styles need as many pictures, not {len(pictures)}.")
        each = [self.objective.style_target(picture[None])[0] for picture in pictures]
        self._paintings = {name: tf.concat([target[name] for target in each], 0) for name in each[0]}

    def terms(self, photos: Any, shares: Any) -> Terms:
        """The objective of a batch and its parts."""
        content, own = self.objective.targets(photos)
        # The Gram matrix of a canvas painted in shares is the mean of the shares' matrices.
        target = {
            name: shares[:, 0, None, None] * own[name] + tf.einsum("bs,scd->bcd", shares[:, 1:], self._paintings[name])
            for name in own
        }
        return self.objective(self.network((photos, shares)), content, [target])


def shares(styles: int) -> Callable[[np.random.Generator], np.ndarray]:
    """Draws the shares of an example's styles, the photo's own first.

    Of 20 examples 13 are one style in full, 4 one style in part, 2 a blend of two and 1 the photo's own: what is never
    trained, as blends and strengths in most networks, is left to chance.
    """

    def draw(rng: np.random.Generator) -> np.ndarray:
        share = np.zeros(1 + styles, "float32")
        kind, one = rng.integers(20), 1 + rng.integers(styles)
        if kind == 0:
            share[0] = 1
        elif kind < 5:
            share[one] = rng.random()
            share[0] = 1 - share[one]
        elif kind < 7:
            part = rng.random()
            share[one] += part
            share[1 + rng.integers(styles)] += 1 - part
        else:
            share[one] = 1
        return share

    return draw


def full_styles(files: Sequence[Path], styles: int, size: int, batch: int) -> Any:
    """Held-out data: the middle square of each photo in one full style, the styles in turn, always the same."""
    weights = np.zeros((len(files), 1 + styles), "float32")
    weights[np.arange(len(files)), 1 + np.arange(len(files)) % styles] = 1
    squares = np.stack([datasets.middle_square(images.read(file), size) for file in files])
    return tf.data.Dataset.from_tensor_slices((squares, weights)).batch(batch)
