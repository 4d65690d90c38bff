"""Training a network on the perceptual objective: what optimization minimizes for one picture, for all at once."""

from typing import Any

from .backend import keras, tf
from .features import shared_extractor
from .losses import PerceptualObjective, Terms
from .training import wide_precision


def network_objective(
    *,
    content_weight: float = 1.0,
    style_weight: float = 10.0,
    smoothness_weight: float = 3.0,
    weave_weight: float = 3000.0,
) -> PerceptualObjective:
    """What networks are trained on: the objective of optimization, and a term against the weave.

    Args:
        content_weight, style_weight, smoothness_weight: those of :class:`stylelab.optimize.Optimizer`.
        weave_weight: of what optimization never paints and networks do. At 3,000 `metrics.checkerboard` was down to a
            quarter after 300 steps; at 300 it hardly fell.
    """
    return PerceptualObjective(
        shared_extractor(pooling="average", dtype=wide_precision()),
        content_weight=content_weight,
        style_weight=style_weight,
        smoothness_weight=smoothness_weight,
        weave_weight=weave_weight,
    )


class PerceptualLearner(keras.Model):
    """A network with the objective that it is trained on, for ``keras.Model.fit``.

    Johnson et al. (2016, eq. 5), with the objective and the weights that :class:`stylelab.optimize.Optimize` has, so
    that a network can be compared with optimization by what both minimize. A kind of network is a subclass with
    :meth:`terms`.

    Args:
        network: to be trained.
        weights: of the objective, as :func:`network_objective` has them.
    """

    def __init__(self, network: Any, **weights: float):
        super().__init__(dtype=network.dtype_policy, autocast=False)
        self.network = network
        self.objective = network_objective(**weights)
        self._means = {name: keras.metrics.Mean(name) for name in ("loss", "content", "style", "smoothness")}
        self.built = True  # its parts are; under tf.distribute, Keras would call it to find out

    @property
    def metrics(self) -> list[Any]:
        """The objective and its parts, means since the epoch began."""
        return list(self._means.values())

    def terms(self, *batch: Any) -> Terms:
        """The objective of a batch and its parts."""
        raise NotImplementedError

    def train_step(self, data: tuple[Any, ...]) -> dict[str, Any]:
        """One step of the optimizer."""
        with tf.GradientTape() as tape:
            terms = self.terms(*data)
            # Each device sees a part of the batch, and their gradients are summed.
            replicas = tf.distribute.get_strategy().num_replicas_in_sync
            loss = self.optimizer.scale_loss(terms.total / replicas)
        variables = self.network.trainable_variables
        self.optimizer.apply(tape.gradient(loss, variables), variables)
        return self._report(terms)

    def test_step(self, data: tuple[Any, ...]) -> dict[str, Any]:
        """The objective on held-out data."""
        return self._report(self.terms(*data))

    def _report(self, terms: Terms) -> dict[str, Any]:
        for metric, term in zip(self._means.values(), terms, strict=True):
            metric.update_state(term)
        return {name: metric.result() for name, metric in self._means.items()}


def optimizer(steps: int, learning_rate: float, average: float = 0.999) -> Any:
    """Adam with a warm-up, a cosine decay to a hundredth, clipped gradients, and an average of the weights.

    Johnson et al. (2016) have a constant 1e-3; the decay replaces the last third of their steps. Clipping holds
    back the first steps, whose gradients are hundreds of times the later ones.

    Args:
        steps: length of the whole decay.
        learning_rate: the highest rate, reached after a fiftieth of the steps.
        average: decay of the weights' average, which replaces the weights at the end of ``fit``; 0 for none.
    """
    schedule = keras.optimizers.schedules.CosineDecay(
        learning_rate / 20, steps, alpha=0.01, warmup_target=learning_rate, warmup_steps=max(1, steps // 50)
    )
    return keras.optimizers.Adam(
        schedule, global_clipnorm=1.0, use_ema=average > 0, ema_momentum=average or 0.99, ema_overwrite_frequency=None
    )
