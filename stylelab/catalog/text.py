"""Where a picture has what looks like text: lettering is what a changed product is noticed by first."""

import numpy as np

from stylelab import images

Box = tuple[int, int, int, int]  # left, top, right, bottom in px; right and bottom excluded

READ_AT = 1600  # px, the long side at which letters are looked for; smaller pictures are enlarged up to twofold
LETTER = (7, 160)  # px of height, at that size


def text_boxes(rgb: np.ndarray) -> list[Box]:
    """The lines of what looks like text, from the top.

    Letters are maximally stable extremal regions (Matas et al. 2002; OpenCV's detector) of a letter's size and shape.
    At least three of like height, side by side, are a line (after Neumann and Matas 2010). It is made to miss little:
    twigs and gravel are found, too. Missed are letters under 7 px at 1,600 px, vertical lines and most script.
    ``python -m tests.benchmarks.bench_product text`` prints its recall on rendered text.

    Args:
        rgb: ``[H, W, 3]`` in 0..1.
    """
    import cv2

    height, width = rgb.shape[:2]
    gray = images.to_uint8(images.resize(images.luminance(rgb), min(READ_AT, 2 * max(height, width)))[..., 0])
    if min(gray.shape) < LETTER[0]:
        return []
    # By position, since OpenCV 4 and 5 name them differently: delta, smallest and largest area, largest variation,
    # smallest diversity. OpenCV 5.0.0 takes the last for a least variation and drops the most stable regions (its
    # issue 29652); 0 means none to both, and brings letters twice, which is mended below.
    regions, boxes = cv2.MSER.create(8, 24, gray.size // 100, 0.5, 0.0).detectRegions(gray)
    if not len(boxes):
        return []
    scale = np.array([width, height] * 2) / np.array([gray.shape[1], gray.shape[0]] * 2)
    lines = _lines(_letters(np.asarray(boxes), np.array([len(region) for region in regions])))
    found = [np.rint(np.concatenate([line[:, :2].min(0), line[:, 2:].max(0)]) * scale).astype(int) for line in lines]
    return sorted(((left, top, right, bottom) for left, top, right, bottom in map(list, found)), key=lambda b: b[1::-1])


def _letters(boxes: np.ndarray, areas: np.ndarray) -> np.ndarray:
    """Of regions (left, top, width, height) and their pixels, letters as ``[N, 4]``: left, top, right, bottom."""
    left, top, width, height = boxes.T
    shape, filled = width / height, areas / (width * height)
    fits = (height >= LETTER[0]) & (height <= LETTER[1]) & (shape > 0.08) & (shape < 2.2) & (filled > 0.15)
    letters = np.stack([left, top, left + width, top + height], 1)[fits]
    if not len(letters):
        return letters
    # The same letter at several thresholds: boxes that agree to a quarter of their height.
    coarse = np.maximum(3, (letters[:, 3:] - letters[:, 1:2]) / 4)
    _, first = np.unique(np.rint(letters / coarse).astype(int), axis=0, return_index=True)
    return letters[np.sort(first)]


def _lines(letters: np.ndarray) -> list[np.ndarray]:
    """Groups of letters of like height, one beside the other, with at least three side by side."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    if len(letters) < 3:
        return []
    left, top, right, bottom = letters.T
    height, width = bottom - top, right - left
    pairs = []
    for k in range(len(letters) - 1):  # row by row: texture has thousands of regions, and their square is no array
        smaller, larger = (pick(height[k], height[k + 1 :]) for pick in (np.minimum, np.maximum))
        gap = np.maximum(left[k], left[k + 1 :]) - np.minimum(right[k], right[k + 1 :])
        beside = np.minimum(bottom[k], bottom[k + 1 :]) - np.maximum(top[k], top[k + 1 :])
        near = (gap < smaller) & (gap > -0.3 * np.minimum(width[k], width[k + 1 :]))
        found = k + 1 + np.flatnonzero(near & (smaller > 0.6 * larger) & (beside > 0.6 * smaller))
        pairs.append(np.stack([np.full_like(found, k), found]))
    edges = np.concatenate(pairs, axis=1)
    graph = coo_array((np.ones(edges.shape[1], bool), edges), shape=(len(letters),) * 2)
    count, group = connected_components(graph, directed=False)
    lines = (letters[group == k] for k in np.flatnonzero(np.bincount(group, minlength=count) >= 3))
    return [line for line in lines if _side_by_side(line) >= 3]


def _side_by_side(letters: np.ndarray) -> int:
    """How many of the letters lie beside each other, not within."""
    count, end = 0, -1.0
    for left, _, right, _ in letters[np.argsort(letters[:, 0])]:
        if (left + right) / 2 >= end:
            count, end = count + 1, right
    return count
