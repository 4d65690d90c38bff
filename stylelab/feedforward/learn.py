"""Training the network: what optimization minimizes for one picture, minimized for all photos at once."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .. import images
from ..backend import keras, tf
from ..errors import SettingsError
from ..features import shared_extractor
from ..losses import PerceptualObjective
from ..training import precision
from .network import StyleNetwork


class Learner(keras.Model):
    """A :class:`StyleNetwork` with the objective that it is trained on, for ``keras.Model.fit``.

    Johnson et al. (2016, eq. 5) with the objective that :class:`stylelab.optimize.Optimize` has, so that both can be
    compared by it. A batch is a pair: photos ``[B, S, S, 3]`` and shares ``[B, 1 + styles]``. The style target of an
    example is the mean of the paintings' Gram matrices by its shares; the photo's own takes part in it as style 0.

    Args:
        network: to be trained.
        pictures: one painting per style of the network, in its order, at the size that strokes shall have.
        content_weight, style_weight, smoothness_weight: of the objective.
    """

    def __init__(
        self,
        network: StyleNetwork,
        pictures: Sequence[np.ndarray],
        *,
        content_weight: float = 1.0,
        style_weight: float = 10.0,
        smoothness_weight: float = 3.0,
    ):
        super().__init__(dtype=network.dtype_policy, autocast=False)
        if len(pictures) != len(network.styles):
            raise SettingsError(f"{len(network.styles)} styles need as many pictures, not {len(pictures)}.")
        # float16 would overflow in VGG: only bfloat16 has float32's range.
        extractor = shared_extractor(pooling="average", dtype="bfloat16" if precision() == "bfloat16" else "float32")
        self.network = network
        self.objective = PerceptualObjective(
            extractor, content_weight=content_weight, style_weight=style_weight, smoothness_weight=smoothness_weight
        )
        each = [self.objective.style_target(picture[None])[0] for picture in pictures]
        self._paintings = {name: tf.concat([target[name] for target in each], 0) for name in each[0]}
        self._metrics = {name: keras.metrics.Mean(name) for name in ("loss", "content", "style", "smoothness")}

    @property
    def metrics(self) -> list[Any]:
        """The objective and its parts, means since the epoch began."""
        return list(self._metrics.values())

    def call(self, inputs: tuple[Any, Any], training: bool = False) -> Any:
        """The painted pictures: see :meth:`StyleNetwork.call`."""
        return self.network(inputs)

    def terms(self, photos: Any, shares: Any) -> Any:
        """The objective of a batch and its parts."""
        content, own = self.objective.targets(photos)
        # The Gram matrix of a canvas painted in shares is the mean of the shares' matrices.
        target = {
            name: shares[:, 0, None, None] * own[name] + tf.einsum("bs,scd->bcd", shares[:, 1:], self._paintings[name])
            for name in own
        }
        return self.objective(self.network((photos, shares)), content, [target])

    def train_step(self, data: tuple[Any, Any]) -> dict[str, Any]:
        """One step of the optimizer."""
        photos, shares = data
        with tf.GradientTape() as tape:
            terms = self.terms(photos, shares)
            # Each device sees a part of the batch; their gradients are summed.
            replicas = tf.distribute.get_strategy().num_replicas_in_sync
            loss = self.optimizer.scale_loss(terms.total / replicas)
        variables = self.network.trainable_variables
        self.optimizer.apply(tape.gradient(loss, variables), variables)
        return self._report(terms)

    def test_step(self, data: tuple[Any, Any]) -> dict[str, Any]:
        """The objective on held-out photos."""
        return self._report(self.terms(*data))

    def _report(self, terms: Any) -> dict[str, Any]:
        for metric, term in zip(self._metrics.values(), terms, strict=True):
            metric.update_state(term)
        return {name: metric.result() for name, metric in self._metrics.items()}


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
    squares, weights = [], np.zeros((len(files), 1 + styles), "float32")
    for k, file in enumerate(files):
        photo = images.read(file)
        height, width = photo.shape[:2]
        photo = images.resize(
            photo, tuple(max(size, round(side * size / min(height, width))) for side in (height, width))
        )
        top, left = ((side - size) // 2 for side in photo.shape[:2])
        squares.append(photo[top : top + size, left : left + size])
        weights[k, 1 + k % styles] = 1
    return tf.data.Dataset.from_tensor_slices((np.stack(squares), weights)).batch(batch)


def optimizer(steps: int, learning_rate: float, average: float = 0.999) -> Any:
    """Adam with a warm-up, a cosine decay to a hundredth, clipped gradients, and an average of the weights.

    Johnson et al. (2016) have a constant 1e-3; the decay replaces the last third of their steps. Clipping holds
    back the first steps, whose gradients are hundreds of times the later ones.
    """
    schedule = keras.optimizers.schedules.CosineDecay(
        learning_rate / 20, steps, alpha=0.01, warmup_target=learning_rate, warmup_steps=max(1, steps // 50)
    )
    return keras.optimizers.Adam(
        schedule, global_clipnorm=1.0, use_ema=average > 0, ema_momentum=average or 0.99, ema_overwrite_frequency=None
    )
