"""Training the decoder: any photo in the style of any picture."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .. import datasets, images
from ..backend import keras, ops, tf
from ..learning import PerceptualLearner
from ..losses import Terms
from .network import generate, style_moments


class Learner(PerceptualLearner):
    """A :class:`Decoder` with the objective that it is trained on.

    Huang and Belongie (2017, eq. 12 and 13) compare with the normalized features and with means and deviations; ours is
    the objective of the other methods. A batch is photos ``[B, S, S, 3]``, pictures ``[B, T, T, 3]`` in whose style
    they shall be, and strengths ``[B]``: below 1 the photo's own style has the rest.
    """

    def terms(self, photos: Any, pictures: Any, strengths: Any) -> Terms:
        """The objective of a batch and its parts."""
        objective = self.objective
        features, painted = objective.extractor(photos), objective.extractor(pictures)
        share = ops.reshape(strengths, (-1, 1, 1, 1))

        def mixed(own: Any, theirs: Any) -> Any:
            part = ops.reshape(share, (-1, *[1] * (len(own.shape) - 1)))
            return (1 - part) * own + part * theirs

        style = keras.tree.map_structure(mixed, style_moments(features), style_moments(painted))
        target = keras.tree.map_structure(mixed, objective.statistics(features), objective.statistics(painted))
        content = {name: features[name] for name in objective.content_layers}
        return objective(generate(self.network, features, style), content, [target])


def pairs(
    photos: Sequence[Path],
    pictures: Sequence[Path],
    size: int,
    batch: int,
    *,
    style_size: int,
    seed: int = 0,
    first: int = 0,
) -> Any:
    """Endless batches for the :class:`Learner`, the same for the same seed, from any batch on.

    The decoder must not learn the pictures by heart. So each is shown at scales up to 2.5, mirrored or not, every
    second time with its color channels in another order; and of 20 examples 3 have part of the style and 1 none.

    Args:
        photos, pictures: files; a picture that stands twice in the list is drawn twice as often.
        size, style_size: side in pixels of the photos' and the pictures' crops.
    """

    def draw(rng: np.random.Generator) -> np.ndarray:
        strength = (0.0, rng.random(), rng.random(), rng.random(), *[1.0] * 16)[rng.integers(20)]
        return np.array([strength, *(rng.permutation(3) if rng.random() < 0.5 else range(3))])

    content = datasets.stream(photos, size, batch, seed=seed, first=first)
    style = datasets.stream(pictures, style_size, batch, seed=seed + 1, first=first, zoom=2.5, extra=draw)

    def together(photos: Any, drawn: tuple[Any, Any]) -> tuple[Any, ...]:
        pictures, numbers = drawn
        order = tf.cast(numbers[:, 1:], "int32")
        return photos, tf.gather(pictures, order, axis=3, batch_dims=1), numbers[:, 0]

    return tf.data.Dataset.zip((content, style)).map(together)


def held_out_pairs(photos: Sequence[Path], pictures: Sequence[Path], size: int, batch: int, *, style_size: int) -> Any:
    """Held-out data: the middle square of each photo in the full style of the pictures in turn, always the same."""
    squares = np.stack([datasets.middle_square(images.read(file), size) for file in photos])
    drawn = [datasets.middle_square(images.read(file), style_size) for file in pictures]
    styles = np.stack([drawn[k % len(drawn)] for k in range(len(squares))])
    return tf.data.Dataset.from_tensor_slices((squares, styles, np.ones(len(squares), "float32"))).batch(batch)
