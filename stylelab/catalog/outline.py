"""From a coarse chance to the product's outline: GrabCut finds the shape, a guided filter brings it to the pixels.

The network sees what is for sale, not where it ends; colors say where things end, not which is for sale. So GrabCut
(Rother et al. 2004, OpenCV's) begins from the network's chance in place of a rectangle, and may not touch what the
network is sure of.
"""

import numpy as np

from stylelab import images

SIDE = 448  # longer side that GrabCut works at, in pixels
SURE = 0.01  # chances below it, and over one less it, are settled; with 0.05 thin legs and stems are lost
ROUNDS = 3  # of GrabCut; from a good beginning it hardly moves after two
REACH, EDGE, GRAIN = 0.25, 0.08, 0.01  # how far a stroke speaks; a change of color below GRAIN a pixel is noise
LEAST = 0.02  # parts and holes below this share of the product are noise
RADIUS, EPSILON = 3, 1e-4  # of the guided filter, in pixels of the small picture and of squared color
STEEP = 2.0  # how much steeper than the filter's the edge is made: about two pixels wide at full size


def led(rgb: np.ndarray, chance: np.ndarray, keep: np.ndarray, drop: np.ndarray) -> np.ndarray:
    """The chances once a person has drawn strokes: certain on them and drawn along around them, as far as colors go.

    A stroke speaks for what can be reached from it without crossing an edge of the photo: a bell over the length of the
    shortest path, where ``REACH`` of the longer side counts 1, and so does a change of color of ``EDGE``. The nearer
    stroke counts; the network's chances hold elsewhere.

    Args:
        rgb: ``[h, w, 3]`` in 0..1.
        chance: ``[h, w]`` in 0..1.
        keep: bool ``[h, w]``, on the product.
        drop: bool ``[h, w]``, on the ground.
    """
    import cv2
    from skimage.graph import MCP_Geometric

    gray = cv2.GaussianBlur(rgb, (0, 0), 1)
    slopes = (np.abs(cv2.Sobel(gray, cv2.CV_32F, dx, dy, ksize=3)) for dx, dy in ((1, 0), (0, 1)))
    change = [images.channel_range(slope)[1][..., 0] / 8 for slope in slopes]
    cost = 1 / (REACH * max(chance.shape)) + np.maximum(np.hypot(*change) - GRAIN, 0) / EDGE
    far = [
        MCP_Geometric(cost).find_costs(np.argwhere(strokes))[0] if strokes.any() else np.full(chance.shape, np.inf)
        for strokes in (keep, drop)
    ]
    pull = np.exp(-0.5 * np.minimum(*far) ** 2)
    return chance + pull * ((far[0] < far[1]) - chance)


def cut(rgb: np.ndarray, chance: np.ndarray, keep: np.ndarray, drop: np.ndarray) -> np.ndarray:
    """The product's shape in a small picture.

    Args:
        rgb: ``[h, w, 3]`` in 0..1.
        chance: ``[h, w]`` in 0..1, to be product.
        keep: bool ``[h, w]``, product for sure.
        drop: bool ``[h, w]``, ground for sure.
    Returns:
        bool ``[h, w]``.
    """
    import cv2

    marks = np.where(chance > 0.5, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    marks[chance < SURE] = cv2.GC_BGD
    marks[chance > 1 - SURE] = cv2.GC_FGD
    marks[keep], marks[drop] = cv2.GC_FGD, cv2.GC_BGD
    product = (marks == cv2.GC_FGD) | (marks == cv2.GC_PR_FGD)
    if not product.any() or product.all():
        return product
    cv2.setRNGSeed(0)  # its color models begin from random pixels
    pixels = np.ascontiguousarray(images.to_uint8(rgb)[..., ::-1])
    try:
        cv2.grabCut(pixels, marks, (0, 0, 0, 0), np.zeros((1, 65)), np.zeros((1, 65)), ROUNDS, cv2.GC_INIT_WITH_MASK)
    except cv2.error:  # fewer colors than its models have parts: then colors have nothing to say
        return product
    return tidy((marks == cv2.GC_FGD) | (marks == cv2.GC_PR_FGD)) | keep


def tidy(shape: np.ndarray) -> np.ndarray:
    """The shape without specks and pinholes, which are below ``LEAST`` of it."""
    from scipy import ndimage

    shape, least = shape.copy(), LEAST * shape.sum()
    for value in (True, False):
        labels, _ = ndimage.label(shape == value)
        sizes = np.bincount(labels.ravel())
        sizes[0] = shape.size  # label 0 is the other kind
        small = sizes < (least if value else 0.1 * least)
        shape[small[labels]] = not value
    return shape


def refine(rgb: np.ndarray, small: np.ndarray, shape: np.ndarray) -> np.ndarray:
    """A shape found in a small picture at the pixels of the large one, soft where the photo is.

    The fast guided filter (He and Sun 2015) with the colors as guide: in every window of the small picture, the shape
    as a linear function of color; the functions, enlarged, of the large picture. Only a band at the edge may change.

    Args:
        rgb: float32 ``[H, W, 3]`` in 0..1.
        small: the same, resized to ``[h, w, 3]``.
        shape: bool ``[h, w]``.
    Returns:
        float32 ``[H, W, 1]`` in 0..1.
    """
    import cv2

    def mean(plane: np.ndarray) -> np.ndarray:
        window = 2 * RADIUS + 1
        return cv2.blur(plane, (window, window), borderType=cv2.BORDER_REFLECT)

    def large(plane: np.ndarray) -> np.ndarray:
        return cv2.resize(np.ascontiguousarray(plane), rgb.shape[1::-1], interpolation=cv2.INTER_LINEAR)

    target = shape.astype(np.float32)
    color, middle = mean(small), mean(target)
    covariance = np.stack([mean(small * small[..., k : k + 1]) - color * color[..., k : k + 1] for k in range(3)], -1)
    together = mean(small * target[..., None]) - color * middle[..., None]
    slope = np.linalg.solve(covariance + EPSILON * np.eye(3, dtype=np.float32), together[..., None])[..., 0]
    offset = middle - (slope * color).sum(-1)
    found = (large(mean(slope)) * rgb).sum(-1) + large(mean(offset))
    found = np.clip(STEEP * (found - 0.5) + 0.5, 0, 1)
    window = np.ones((2 * RADIUS + 1, 2 * RADIUS + 1), np.uint8)
    inside, reach = (large(change(target, window)) for change in (cv2.erode, cv2.dilate))
    return np.clip(np.maximum(np.minimum(found, reach), inside), 0, 1).astype(np.float32)[..., None]
