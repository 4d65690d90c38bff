"""The weighted sum of perceptual losses that optimization and training minimize, and its targets."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from ..backend import keras, ops, tf
from ..errors import SettingsError
from ..features import CONTENT_LAYERS, STYLE_LAYERS, FeatureExtractor
from .perceptual import (
    content_loss,
    gram_loss,
    gram_matrix,
    mean_covariance,
    moments,
    moments_loss,
    total_variation,
    w2_loss,
    weave,
)

# name: (statistic of one layer's features, distance of two statistics)
STYLE_LOSSES: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "gram": (gram_matrix, gram_loss),
    "moments": (moments, moments_loss),
    "w2": (mean_covariance, w2_loss),
}


class Terms(NamedTuple):
    """The objective and its parts before weighting; scalars."""

    total: Any
    content: Any
    style: Any
    smoothness: Any


class PerceptualObjective:
    """``L = w_C · content + w_S · mean over layers of style + w_T · total variation``.

    Gatys et al. (2016, eq. 7) with relative losses (:mod:`stylelab.losses.perceptual`) and Mahendran and
    Vedaldi's (2015) total variation.
    Targets are computed once, by :meth:`content_target` and :meth:`style_target`, and handed to every call.

    Args:
        extractor: returns at least the content and style layers.
        content_weight, style_weight, smoothness_weight: the three weights, not negative.
        weave_weight: of :func:`weave`, which only networks need; it is part of the total and no term of its own.
        style_loss: ``"gram"``, ``"moments"`` or ``"w2"``.
        content_layers, style_layers: names; each loss is the mean over its layers.
    """

    def __init__(
        self,
        extractor: FeatureExtractor,
        *,
        content_weight: float = 1.0,
        style_weight: float = 1.0,
        smoothness_weight: float = 0.0,
        weave_weight: float = 0.0,
        style_loss: str = "gram",
        content_layers: Sequence[str] = CONTENT_LAYERS,
        style_layers: Sequence[str] = STYLE_LAYERS,
    ):
        if style_loss not in STYLE_LOSSES:
            raise SettingsError(f"Style loss {style_loss!r} is not known; choose one of {', '.join(STYLE_LOSSES)}.")
        weights = (content_weight, style_weight, smoothness_weight)
        if not all(0 <= weight < float("inf") for weight in (*weights, weave_weight)):
            raise SettingsError("The weights of an objective must be finite and not negative; give 0 to leave one out.")
        self.extractor = extractor
        self.weights, self.weave_weight = weights, weave_weight
        self.content_layers, self.style_layers = tuple(content_layers), tuple(style_layers)
        self._statistic, self._distance = STYLE_LOSSES[style_loss]

    def content_target(self, images: Any) -> dict[str, Any]:
        """The content layers' features of ``images`` ``[B, H, W, 3]``."""
        features = self.extractor(images)
        return {name: features[name] for name in self.content_layers}

    def style_target(self, images: Any, masks: Any = None) -> list[dict[str, Any]]:
        """The style layers' statistics of ``images``, one dictionary a region (one region if ``masks`` is None)."""
        return self._statistics(self.extractor(images), masks)

    def targets(self, images: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """Content target and style target (of one region) of ``images``, in one pass through the network."""
        features = self.extractor(images)
        return {name: features[name] for name in self.content_layers}, self.statistics(features)

    def statistics(self, features: dict[str, Any]) -> dict[str, Any]:
        """The style layers' statistics of features that the extractor gave, for a style target of one region."""
        return self._statistics(features, None)[0]

    def __call__(
        self,
        images: Any,
        content: dict[str, Any],
        style: Sequence[dict[str, Any]],
        masks: Any = None,
        weights: Any = None,
    ) -> Terms:
        """The objective at ``images``.

        Args:
            images: ``[B, H, W, 3]`` in 0..1.
            content: from :meth:`content_target`, of the same size.
            style: statistics by layer, one dictionary a region.
            masks: ``[B, H, W, R]``, how much each pixel belongs to each of the regions; None for one region,
                everywhere.
            weights: of content, style and smoothness, ``[3]``, in place of the objective's own: one compiled function
                then serves them all.
        """
        features = self.extractor(images)
        content_term = sum(content_loss(features[name], target) for name, target in content.items()) / len(content)
        regions = self._statistics(features, masks)
        distances = [
            sum(self._distance(region[name], target[name]) for name in self.style_layers) / len(self.style_layers)
            for region, target in zip(regions, style, strict=True)
        ]
        if masks is None:
            style_term = distances[0]
        else:  # by area, so that a tiny region does not pull as hard as the whole picture
            area = ops.mean(masks, axis=(0, 1, 2))
            style_term = ops.sum(ops.stack(distances) * area / ops.sum(area))
        smoothness = total_variation(images)
        of_content, of_style, of_smoothness = self.weights if weights is None else ops.unstack(weights)
        total = of_content * content_term + of_style * style_term + of_smoothness * smoothness
        if self.weave_weight:
            total = total + self.weave_weight * weave(images)
        return Terms(total, content_term, style_term, smoothness)

    def _statistics(self, features: dict[str, Any], masks: Any) -> list[dict[str, Any]]:
        if masks is None:
            return [{name: self._statistic(features[name]) for name in self.style_layers}]
        small = {
            name: tf.image.resize(masks, tf.shape(features[name])[1:3], antialias=True) for name in self.style_layers
        }
        return [
            {name: self._statistic(features[name], small[name][..., r : r + 1]) for name in self.style_layers}
            for r in range(masks.shape[-1])
        ]


def blend(targets: Sequence[Any], weights: Sequence[float]) -> Any:
    """The weighted mean of style targets (nested alike).

    For several paintings in one style, and for strength: part of the photo's own statistics, part of the style's.
    Gram matrices and raw moments are averages, so theirs is the mean of two halves of one canvas. Standard deviations
    are not; blending those of ``moments`` is AdaIN's way (Huang and Belongie 2017).
    """
    total = float(sum(weights))
    return keras.tree.map_structure(lambda *t: sum(w * x for w, x in zip(weights, t, strict=True)) / total, *targets)
