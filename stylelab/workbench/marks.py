"""What a visitor marks on the photo: a box, and strokes as the text ``product 120,80 140,95; ground 10,10``.

The page's script writes such text where a hand draws, and a keyboard types it. Points are x,y in px of the photo.
"""

import re

import numpy as np

from ..catalog import masks
from ..errors import ImageError

KINDS = ("product", "ground")
PEN = 0.01  # of the photo's long side: wide enough to see, narrow enough for a strap
Box = tuple[int, int, int, int]
_POINT = re.compile(r"(-?[0-9]{1,6}),(-?[0-9]{1,6})")


def read(text: str) -> list[tuple[str, np.ndarray]]:
    """The strokes of a text: one of ``KINDS`` and int32 ``[N, 2]``, the points that its line joins; one is a dot.

    Raises:
        ImageError: it cannot be read.
    """
    strokes = []
    for part in filter(None, map(str.strip, text.split(";"))):
        kind, *places = re.sub(r"\s*,\s*", ",", part).lower().split()
        points = [point.groups() for point in map(_POINT.fullmatch, places) if point]
        if kind not in KINDS or len(points) < max(1, len(places)):
            raise ImageError(
                f"The stroke {part[:40]!r} cannot be read: write product or ground, then its points in px,"
                " such as: product 120,80 140,95; ground 10,10."
            )
        strokes.append((kind, np.array(points, np.int32)))
    return strokes


def hint(text: str, box: Box | None, size: tuple[int, int]) -> masks.Hint | None:
    """What the marks say of a photo; None when there are none.

    Args:
        text: strokes, as for :func:`read`.
        box: left, top, right, bottom in px, right and bottom excluded, or None.
        size: height and width of the photo.
    Raises:
        ImageError: a mark that cannot be read, leaves the photo or contradicts another.
    """
    import cv2

    height, width = size
    photo = (0, 0, width, height)
    left, top, right, bottom = box or photo
    if not (0 <= left < right <= width and 0 <= top < bottom <= height):
        raise ImageError("The box is empty or leaves the photo: its left must be below its right, top bottom.")
    strokes = read(text)
    if not strokes:
        return None if box is None else masks.Hint(box=box)
    drawn = {kind: np.zeros(size, np.uint8) for kind in KINDS}
    for kind, points in strokes:
        area = box if box and kind == "product" else photo
        if not ((points >= area[:2]) & (points < area[2:])).all():
            corners = f"{area[0]},{area[1]} to {area[2] - 1},{area[3] - 1}"
            where = "photo" if area == photo else "box"
            raise ImageError(f"A stroke on {kind} leaves the {where}: its points must lie from {corners}.")
        line = np.vstack([points, points[-1:]])  # cv2 draws no line of one point
        cv2.polylines(drawn[kind], [line], False, 1, max(1, round(PEN * max(size))))
    keep, drop = (drawn[kind][..., None] > 0 for kind in KINDS)
    if (keep & drop).any():
        raise ImageError("Strokes on product and on ground touch: undo one of them, or draw them apart.")
    keep[:top] = keep[bottom:] = keep[:, :left] = keep[:, right:] = (
        False  # where a pen at the box's edge painted beyond
    )
    return masks.Hint(box, keep, drop)
