"""How sure are we of a mask? What was seen while it was found, as one chance that it is right.

Nobody knows the true mask of a new photo, but a wrong one gives itself away: the network sees another thing in the
mirror, GrabCut moves far from what the network saw, the outline runs where the photo has no edge. A logistic regression
over these cues, fitted where the true masks were known, gives the chance that the IoU is at least 0.9.
"""

import json
from functools import cache
from typing import Any

import numpy as np

from stylelab import images, samples

CUES = ("moved", "views", "steady", "doubt", "faint", "thin", "cut off", "small", "parts")


def iou(one: np.ndarray, other: np.ndarray) -> float:
    """Intersection over union of two shapes, bool of any one size; 1 for two empty ones."""
    either = np.count_nonzero(one | other)
    return np.count_nonzero(one & other) / either if either else 1.0


def cues(small: np.ndarray, first: np.ndarray, second: np.ndarray, shape: np.ndarray, other: np.ndarray) -> np.ndarray:
    """What speaks against a shape, each about 0 for a sure one and growing with doubt.

    - ``moved``: 1 - IoU of the shape and what the network saw; ``views``: of what it saw the two times; ``steady``: of
      the shape and the one found from the second view alone;
    - ``doubt``: 1 - IoU expected under the network's chances, ``Σ c m / Σ (c + m - c m)``;
    - ``faint``: share of the outline where the photo's color hardly changes (by less than 4 levels a pixel);
    - ``thin``: pixels of outline for each pixel of shape: of a thin thing a pixel's error costs more;
    - ``cut off``: share of the frame's border that it covers; ``small``: minus log10 of its share of the frame;
    - ``parts``: log2 of the number of its parts.

    Args:
        small: ``[h, w, 3]`` in 0..1.
        first: the network's chances ``[h, w]``.
        second: the same, from another view of the photo.
        shape: bool ``[h, w]``, neither empty nor all.
        other: bool ``[h, w]``, what was found from ``second`` alone.
    Returns:
        float64 ``[9]`` in the order of ``CUES``.
    """
    import cv2
    from scipy import ndimage

    chance, area = (first + second) / 2, np.count_nonzero(shape)
    gray = cv2.GaussianBlur(small, (0, 0), 0.8)
    slopes = (np.abs(cv2.Sobel(gray, cv2.CV_32F, dx, dy, ksize=3)) for dx, dy in ((1, 0), (0, 1)))
    change = [images.channel_range(slope)[1][..., 0] / 8 for slope in slopes]
    strength = cv2.dilate(np.hypot(*change), np.ones((3, 3), np.uint8))
    outline = shape & ~ndimage.binary_erosion(shape, border_value=1)
    border = np.concatenate([shape[0], shape[-1], shape[:, 0], shape[:, -1]])
    return np.array(
        [
            1 - iou(shape, chance > 0.5),
            1 - iou(first > 0.5, second > 0.5),
            1 - iou(shape, other),
            1 - (chance * shape).sum() / (chance + shape - chance * shape).sum(),
            (strength[outline] < 4 / 255).mean() if outline.any() else 1.0,
            np.count_nonzero(outline) / area,
            border.mean(),
            -np.log10(area / shape.size),
            np.log2(ndimage.label(shape)[1]),
        ]
    )


def confidence(found: np.ndarray) -> float:
    """The chance, 0..1, that a mask with these cues has an IoU of at least 0.9; less the more any of them says.

    Args:
        found: of :func:`cues`.
    """
    fitted = _fitted()
    return float(1 / (1 + np.exp(-fitted["bias"] + np.asarray(fitted["weights"]) @ eased(found))))


def eased(found: np.ndarray) -> np.ndarray:
    """The cues on a scale on which doubt grows evenly: the square root, as most of them crowd near 0."""
    return np.sqrt(np.maximum(found, 0))


@cache
def _fitted() -> dict[str, Any]:
    file = samples.data_root() / "weights" / "product_mask.json"
    return json.loads(file.read_text(encoding="utf-8"))["confidence"]
