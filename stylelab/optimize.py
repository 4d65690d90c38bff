"""Style transfer by optimizing the picture itself (Gatys et al. 2016), coarse to fine.

The picture's pixels are the parameters: start from the photo (or noise, or any picture), and follow the gradient of the
perceptual objective through a frozen network. Large pictures are made coarse to fine (Gatys et al. 2017, section 6):
the large strokes are found at a small size, where a step is cheap and the network sees far, and each larger scale
starts from the last one's change to the photo.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np

from . import images
from .backend import ops, tf
from .descent import adam, lbfgs
from .errors import SettingsError
from .features import CONTENT_LAYERS, STYLE_LAYERS, FeatureExtractor, shared_extractor
from .losses import PerceptualObjective, Terms, blend
from .stylizers import Style, Stylizer
from .training import require_memory, wide_precision


@dataclass(frozen=True)
class Step:
    """What a callback learns at each step.

    Attributes:
        picture: index in the batch.
        size: ``(height, width)`` of the current scale.
        step, steps: steps done and planned for this picture, over all scales, from 1.
        loss: the objective; ``content``, ``style`` and ``smoothness`` are its parts before weighting. They belong to
            the picture *before* this step.
        seconds: since the picture was begun.
        image: gives the current picture, ``[H, W, 3]`` of the current size.
    """

    picture: int
    size: tuple[int, int]
    step: int
    steps: int
    loss: float
    content: float
    style: float
    smoothness: float
    seconds: float
    image: Callable[[], np.ndarray] = field(repr=False)


def pyramid_sizes(size: int, start: int = 128) -> list[int]:
    """Long sides of the working scales, coarse to fine: geometric from ``start`` to ``size``, at most doubling.

    Args:
        size: the final long side in pixels.
        start: the first one; a smaller picture has one scale.
    """
    if size <= start:
        return [size]
    doublings = math.ceil(math.log2(size / start))
    return [round(start * (size / start) ** (k / doublings)) for k in range(doublings + 1)]


def steps_per_scale(steps: int, scales: int, shrink: float = 0.63) -> list[int]:
    """Splits ``steps`` over the scales: each gets ``shrink`` times the one before, at least one."""
    shares = [shrink**k for k in range(scales)]
    split = [max(1, round(steps * share / sum(shares))) for share in shares]
    split[0] = max(1, split[0] + steps - sum(split))
    return split


class Optimize(Stylizer):
    """Optimizes the picture: the slow method that takes any style and needs no training.

    Args:
        steps: gradient evaluations per picture, over all scales.
        optimizer: ``"adam"`` (with an averaged iterate) or ``"lbfgs"`` (SciPy's L-BFGS-B with bounds 0..1).
        learning_rate: Adam's, in units of the 0..1 range; falls to a tenth over each scale.
        start: ``"content"``, ``"noise"`` (uniform, by seed), or an image of any size.
        content_weight, style_weight, smoothness_weight, style_loss, content_layers, style_layers: of the objective,
            see :class:`stylelab.losses.PerceptualObjective`.
        first_size: long side of the coarsest scale; None works at the full size only. Up to 384 px one scale ends lower
            when the run starts from the photo (chapter 03 measures it); above, the network sees too little of the
            picture at once, and strokes stay small.
        backbone, weights, pooling, swag: of the :class:`stylelab.features.FeatureExtractor`.
        dtype: of the convolutions; None takes bfloat16 where the hardware has it, else float32 (float16 would
            overflow). L-BFGS always uses float32: its line search needs the digits.
    """

    regions = True

    def __init__(
        self,
        *,
        steps: int = 400,
        optimizer: str = "adam",
        learning_rate: float = 0.08,
        start: Any = "content",
        content_weight: float = 1.0,
        style_weight: float = 10.0,
        smoothness_weight: float = 3.0,
        style_loss: str = "gram",
        content_layers: tuple[str, ...] = CONTENT_LAYERS,
        style_layers: tuple[str, ...] = STYLE_LAYERS,
        first_size: int | None = 384,
        backbone: str = "vgg16",
        weights: str | Path | None = "bundled",
        pooling: str = "average",
        dtype: str | None = None,
        swag: float = 0.0,
    ):
        if steps < 1:
            raise SettingsError(f"Optimization needs at least 1 step, not {steps}.")
        if optimizer not in ("adam", "lbfgs"):
            raise SettingsError(f"Optimizer {optimizer!r} is not known; choose 'adam' or 'lbfgs'.")
        if learning_rate <= 0:
            raise SettingsError(f"The learning rate must be positive, not {learning_rate}.")
        if first_size is not None and first_size < 16:
            raise SettingsError(f"The coarsest scale must be at least 16 px, not {first_size}.")
        if isinstance(start, str):
            if start not in ("content", "noise"):
                raise SettingsError(f"Start {start!r} is not known; choose 'content', 'noise', or give an image.")
        else:
            start = images.check(start, "start")
        self.steps, self.optimizer, self.learning_rate = steps, optimizer, learning_rate
        self.start, self.first_size = start, first_size
        if dtype not in (None, "bfloat16", "float32"):
            raise SettingsError(f"Dtype {dtype!r} is not for optimization; choose 'bfloat16', 'float32' or None.")
        if optimizer == "lbfgs":
            dtype = "float32"
        self.dtype = dtype or wide_precision()
        self._extractor_settings: dict[str, Any] = {
            "backbone": backbone,
            "layers": tuple(dict.fromkeys((*style_layers, *content_layers))),
            "weights": weights,
            "pooling": pooling,
            "dtype": self.dtype,
            "swag": swag,
        }
        self._objective_settings: dict[str, Any] = {
            "content_weight": content_weight,
            "style_weight": style_weight,
            "smoothness_weight": smoothness_weight,
            "style_loss": style_loss,
            "content_layers": tuple(content_layers),
            "style_layers": tuple(style_layers),
        }

    @cached_property
    def objective(self) -> PerceptualObjective:
        """The objective with its network; built when first needed."""
        return PerceptualObjective(shared_extractor(**self._extractor_settings), **self._objective_settings)

    def memory_needed(self, height: int, width: int) -> int:
        """Bytes that a run at this size takes at its peak, from the network's activations.

        A step holds activations, padded copies and gradients. `make bench` measures the peak: 7 to 8 bytes for each
        number that the network holds, in bfloat16 as in float32, since what bfloat16 saves goes into float32 copies.
        L-BFGS adds its history of 10 pairs and its work space in float64.
        """
        activations = self.objective.extractor.activations_per_pixel() * height * width
        history = 3 * height * width * 8 * 30 if self.optimizer == "lbfgs" else 0
        return int(8.5 * activations + history)

    def _stylize(
        self, content: np.ndarray, style: Style, *, strength: float, seed: int, callback: Any, regions: Any
    ) -> np.ndarray:
        height, width = content.shape[1:3]
        require_memory(self.memory_needed(height, width), f"Optimizing at {width}x{height} px")
        results = []
        for index, photo in enumerate(content):
            report = _Reporter(index, self.steps, callback)
            results.append(self._one(photo, style, strength, np.random.default_rng(seed), report, regions))
        return np.stack(results)

    def _one(
        self,
        photo: np.ndarray,
        style: Style,
        strength: float,
        rng: np.random.Generator,
        report: "_Reporter",
        regions: Any,
    ) -> np.ndarray:
        height, width = photo.shape[:2]
        longest = max(height, width)
        sizes = pyramid_sizes(longest, self.first_size or longest)
        # A very long picture's short side may not shrink below what the network takes.
        least = self.objective.extractor.min_size
        scales = [tuple(max(min(least, side), round(side * s / longest)) for side in (height, width)) for s in sizes]
        scales = list(dict.fromkeys(scales))
        split = steps_per_scale(self.steps, len(scales))
        report.steps = sum(split)

        first = scales[0]
        if isinstance(self.start, str) and self.start == "content":
            image = images.resize(photo, first)
        elif isinstance(self.start, str):
            image = rng.random((*first, 3), dtype="float32")
        else:
            image = images.resize(self.start, first)
        image, slots, before = image[None], None, None
        settings = self._objective_settings
        compiled = _compiled_gradient(
            self.objective.extractor, settings["style_loss"], settings["content_layers"], settings["style_layers"]
        )
        weights = tf.constant(self.objective.weights, "float32")
        for size, steps in zip(scales, split, strict=True):
            small = images.resize(photo, size)[None]
            masks = None
            if regions is not None:
                masks = np.concatenate([images.resize(mask, size) for mask in regions], -1)[None]
            targets = self._targets(small, style, strength, masks)
            if before is not None:
                # The change grows, not the picture: so the photo's fine detail is there from the first step on.
                image = small + np.asarray(ops.image.resize(image - before, size, "bicubic"))
                image = np.clip(image, 0, 1)
            before = small
            gradient = partial(compiled, content=targets[0], style=targets[1], masks=targets[2], weights=weights)
            on_step = partial(report, size)
            if self.optimizer == "adam":
                image, slots = adam(gradient, image, steps, self.learning_rate, on_step, slots)
            else:
                image = lbfgs(gradient, image, steps, on_step)
        return image[0]

    def _targets(self, photo: np.ndarray, style: Style, strength: float, masks: Any) -> tuple[Any, ...]:
        """Content features, style statistics by region, and masks: all that stays constant at one scale."""
        objective = self.objective
        longest = max(photo.shape[1:3])
        each = []
        for picture in style.at(longest, objective.extractor.min_size):
            each.extend(objective.style_target(picture[None]))
        targets = [blend(each, style.weights)] if masks is None else each
        if strength < 1:
            own = objective.style_target(photo, masks)
            targets = [
                blend([mine, theirs], [1 - strength, strength]) for mine, theirs in zip(own, targets, strict=True)
            ]
        return objective.content_target(photo), targets, None if masks is None else ops.convert_to_tensor(masks)


@cache
def _compiled_gradient(
    extractor: FeatureExtractor, style_loss: str, content_layers: tuple[str, ...], style_layers: tuple[str, ...]
) -> Callable[..., tuple[Terms, Any]]:
    """The terms and the gradient at an image; compiled once for all weights, sizes and pictures: it takes seconds."""
    objective = PerceptualObjective(
        extractor, style_loss=style_loss, content_layers=content_layers, style_layers=style_layers
    )

    @tf.function(reduce_retracing=True)
    def gradient(image: Any, content: Any, style: Any, masks: Any, weights: Any) -> tuple[Terms, Any]:
        with tf.GradientTape() as tape:
            tape.watch(image)
            terms = objective(image, content, style, masks, weights)
        return terms, tape.gradient(terms.total, image)

    return gradient


class _Reporter:
    """Counts a picture's steps and hands each to the callback."""

    def __init__(self, picture: int, steps: int, callback: Callable[[Step], None] | None):
        self.picture, self.steps, self.callback = picture, steps, callback
        self.done, self.begun = 0, time.perf_counter()

    def __call__(self, size: tuple[int, int], terms: Terms, image: Callable[[], np.ndarray]) -> None:
        self.done += 1
        if self.callback is None:
            return
        loss, content, style, smoothness = (float(term) for term in terms)
        seconds = time.perf_counter() - self.begun
        self.callback(Step(self.picture, size, self.done, self.steps, loss, content, style, smoothness, seconds, image))
