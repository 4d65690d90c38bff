"""The report's numbers for one product picture: what became of the product, and how much of the frame it fills."""

import os
from dataclasses import dataclass
from typing import Any

import numpy as np

from stylelab import images
from stylelab.catalog.product import FRAMES, Product, core
from stylelab.catalog.text import Box, text_boxes
from stylelab.errors import ImageError

CHANGED = 8 / 255  # a change that is seen beside lettering; JPEG at quality 95 stays below
TOUCHED = 0.1  # of a text region's pixels: a third of what letters cover of it


@dataclass(frozen=True)
class Measures:
    """What :func:`measure` found.

    The product is where its mask is at least 0.5; its core as in ``product.core``. Colors and edges are the core's,
    since the ring around it blends into the new ground by design, or the whole product's when it is too thin for one.

    Attributes:
        core_difference: the largest difference in the core, in levels of 255; 0 when there is no core.
        product_color: the product's mean CIEDE2000; below about 1 nobody sees it.
        product_color_largest: of its pixel that changed most.
        share: of the frame's area that the product fills, 0..1.
        fill: of the frame that the product fills along the side that it fills more, 0..1: marketplaces' 85 %.
        edges: how well the product's edges survive, 0..1.
        text_regions: text-like regions whose pixels changed.
        text_found: all text-like regions of the photo; in a cut-out only those on the product.
    """

    core_difference: float
    product_color: float
    product_color_largest: float
    share: float
    fill: float
    edges: float
    text_regions: int
    text_found: int


def measure(product: Product, result: np.ndarray, mode: str, *, texts: list[Box] | None = None) -> Measures:
    """The numbers of a picture that ``product.render`` made.

    Args:
        product: from ``product.prepare``.
        result: ``[H, W, 3]`` in 0..1.
        mode: of both.
        texts: :func:`text_boxes` of ``product.rgb``, where several results of one product are measured.
    Raises:
        ImageError: no image, or another size than the product's.
    """
    return _measured(product.rgb, images.check(result, "result"), product.mask, mode, texts)


def measure_file(path: str | os.PathLike[str], product: Product, mode: str) -> Measures:
    """The same of a written file, decoded again: what JPEG and WebP did to the product.

    The reference is what a lossless file of the same depth would hold: rounded, and without alpha laid over white.

    Raises:
        ImageError: as ``images.open_picture``, or another size than the product's.
    """
    written = images.open_picture(path)
    levels = 255 if written.bits == 8 else 65535
    reference = product.rgb
    if product.alpha is not None and written.alpha is None:
        reference = images.composite(reference, np.ones_like(reference), product.alpha)
    reference = (np.rint(reference * levels) / levels).astype("float32")
    return _measured(reference, written.rgb, product.mask, mode, None)


def _measured(
    reference: np.ndarray, result: np.ndarray, mask: np.ndarray, mode: str, texts: list[Box] | None
) -> Measures:
    from skimage.color import deltaE_ciede2000, rgb2lab

    from stylelab import metrics

    if result.shape != reference.shape:
        shapes = f"{result.shape} and its product {reference.shape}"
        raise ImageError(f"The picture to measure has the shape {shapes}: they must be the same.")
    kept, product = core(mask), mask >= 0.5
    _, changed = images.channel_range(np.abs(result - reference))
    judged = kept if kept.any() else product
    where = ((changed > 0) & judged)[..., 0]  # elsewhere it is 0, and CIEDE2000 takes its time
    colors = deltaE_ciede2000(rgb2lab(result[where]), rgb2lab(reference[where])) if where.any() else np.zeros(1)
    texts = text_boxes(reference) if texts is None else texts
    if mode in FRAMES:  # the photo's ground is gone, and what it shows of itself in a box around letters
        changed = changed * product
        texts = [box for box in texts if product[(box[1] + box[3]) // 2, (box[0] + box[2]) // 2, 0]]
    touched = [(changed[top:bottom, left:right] > CHANGED).mean() > TOUCHED for left, top, right, bottom in texts]
    return Measures(
        core_difference=float(changed[kept].max(initial=0)) * 255,
        product_color=float(colors.sum()) / max(1, int(judged.sum())),
        product_color_largest=float(colors.max()),
        share=float(product.mean()),
        fill=max(_extent(product.any(axis)) for axis in (0, 1)),
        edges=metrics.edge_preservation(result, reference, judged),
        text_regions=int(sum(touched)),
        text_found=len(texts),
    )


def _extent(filled: Any) -> float:
    """From the first to the last, as a share of all."""
    places = np.flatnonzero(filled)
    return float((places[-1] + 1 - places[0]) / len(filled)) if len(places) else 0.0
