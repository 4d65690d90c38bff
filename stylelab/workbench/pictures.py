"""The workbench's small pictures: what a browser shows, the outline on the photo, the paintings' thumbnails."""

import base64
import functools
from collections.abc import Sequence

import numpy as np

from .. import formats, images, samples

OUTLINE, BOX = (0.95, 0.15, 0.45), (1.0, 0.85, 0.1)  # pink, and yellow in black: seldom a product's
STROKES = {"product": (0.05, 0.5, 0.15), "ground": (0.8, 0.05, 0.05)}
SPELLED = {"vangogh": "van Gogh", "de": "de", "la": "la", "viii": "VIII"}  # what a capital letter does not make right

Box = tuple[float, float, float, float]
Strokes = Sequence[tuple[str, np.ndarray]]


def jpeg(rgb: np.ndarray, quality: int = 88) -> bytes:
    """A JPEG file of ``[H, W, 3]`` in 0..1."""
    return formats.encode(images.to_uint8(rgb), ".jpg", exif=b"", quality=quality)


def within(rgb: np.ndarray, size: int) -> np.ndarray:
    """At most ``size`` px on the long side."""
    return images.resize(rgb, size) if max(rgb.shape[:2]) > size else rgb


def marked(photo: np.ndarray, mask: np.ndarray | None, box: Box | None = None, strokes: Strokes = ()) -> np.ndarray:
    """The photo with the product's outline, the ground paler, a box and strokes.

    Args:
        photo: ``[H, W, 3]`` in 0..1.
        mask: ``[H, W, 1]``, or None.
        box: left, top, right, bottom in shares of the photo's sides, or None.
        strokes: a key of ``STROKES`` and points x, y ``[N, 2]`` in shares: product is a line, ground a row of crosses.
    Returns:
        ``[H, W, 3]``.
    """
    from scipy.ndimage import binary_dilation

    shown = photo.copy()
    if mask is not None:
        inside = mask[..., 0] >= 0.5
        shown = np.where(inside[..., None], shown, 0.45 * shown + 0.55)
        for color, width in ((1.0, 1.0, 1.0), 2), (OUTLINE, 1):  # on white, for outlines on pink products
            edge = binary_dilation(inside, iterations=width) & ~inside
            shown[edge] = color
    if box is not None:
        height, width = photo.shape[:2]
        left, right = (round(share * (width - 1)) for share in box[::2])
        top, bottom = (round(share * (height - 1)) for share in box[1::2])
        for color, inset in ((0.0, 0.0, 0.0), 0), (BOX, 1), (BOX, 2), ((0.0, 0.0, 0.0), 3):
            frame = np.zeros((height, width), bool)
            frame[top + inset : bottom + 1 - inset, left + inset : right + 1 - inset] = True
            frame[top + inset + 1 : bottom - inset, left + inset + 1 : right - inset] = False
            shown[frame] = color
    shown = np.ascontiguousarray(shown, "float32")
    for kind, shares in strokes:
        _draw(shown, kind, np.rint(shares * (photo.shape[1] - 1, photo.shape[0] - 1)).astype(np.int32))
    return shown


def _draw(shown: np.ndarray, kind: str, points: np.ndarray) -> None:
    """A stroke in its color on white, into ``shown``; its points are in px."""
    import cv2

    points = np.vstack([points[:1], points])  # cv2 draws no line of one point
    lengths = np.hypot(*np.diff(points, axis=0, prepend=points[:1]).T).cumsum()
    places = np.arange(0, lengths[-1] + 1, 16)  # px along the line
    crosses = np.stack([np.interp(places, lengths, side) for side in points.T], axis=-1).round().astype(int)
    for color, width in ((1.0, 1.0, 1.0), 7), (STROKES[kind], 3):
        if kind == "product":
            cv2.polylines(shown, [points], False, color, width)
        else:
            for cross in crosses.tolist():
                cv2.drawMarker(shown, cross, color, cv2.MARKER_TILTED_CROSS, 8, width)


@functools.cache
def painting(name: str) -> str:
    """A shipped painting's thumbnail as an address for CSS."""
    return thumbnail(samples.load(name))


def thumbnail(picture: np.ndarray) -> str:
    """The middle of a picture as a small square, as an address for CSS."""
    side = min(picture.shape[:2])
    top, left = ((length - side) // 2 for length in picture.shape[:2])
    small = images.resize(picture[top : top + side, left : left + side], 112)
    return "data:image/jpeg;base64," + base64.b64encode(jpeg(small, 80)).decode()


def title(name: str) -> str:
    """``vangogh_starry_night`` as a person would write it."""
    artist, *rest = (SPELLED.get(word, word.capitalize()) for word in name.split("_"))
    return f"{artist}: {' '.join(rest)}"
