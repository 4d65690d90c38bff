"""A picture as the rules look at it: its pixels as a shop shows them, where its product is, what it says of itself."""

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from .. import images
from ..errors import ImageError
from . import masks, sidecar, xmp

WHITISH = 250  # of 255, lowest channel: from here on a pixel of a picture with a white ground is its ground
FEW = 10  # 15 of 16 shipped products have 43 to 203 such regions in a styled scene, and at most 4 else
PLAIN = 4  # of 255, from the median: with it 2 of 16 styled scenes have one such region, with 8 ten have 1 to 4
SPECK = 0.01  # of the largest part's area: what is smaller, as a letter or a grain of dust, is no product


class Unknown(Exception):
    """What a check needs could not be found out; holds the sentence."""


@dataclass(eq=False)
class Subject:
    """A picture as the checks see it; what costs time is found out when a check asks for it.

    Attributes:
        path: its file.
        picture: as ``images.open_picture`` gives it.
        mask: float ``[H, W, 1]``, 1 = product, when the caller knows.
    """

    path: Path
    picture: images.Picture
    mask: np.ndarray | None = None

    @cached_property
    def declared(self) -> xmp.Declared:
        """What the file says of itself."""
        return xmp.declared(self.path)

    @cached_property
    def recorded(self) -> str | None:
        """The source type in the sidecar; None without a sidecar."""
        if not os.path.lexists(sidecar.of(self.path)):
            return None
        try:
            return sidecar.read(self.path)["digital_source_type"]
        except ImageError as error:
            raise Unknown(f"Its sidecar does not tell what it is: {error}") from error

    @cached_property
    def levels(self) -> np.ndarray:
        """uint8 ``[H, W, 3]``, transparent parts over white, as a shop's page shows them."""
        return images.to_uint8(images.over(self.picture))

    @cached_property
    def lowest(self) -> np.ndarray:
        """uint8 ``[H, W]``: the lowest channel, by which white is white."""
        return images.channel_range(self.levels)[0][..., 0]

    @cached_property
    def product(self) -> np.ndarray:
        """bool ``[H, W]``: from the caller, else transparency, else what is not white on a white ground, else found."""
        alpha = self.picture.alpha
        if self.mask is not None:
            found = self.mask[..., 0] >= 0.5
        elif alpha is not None and alpha.min() < 0.5:
            found = alpha[..., 0] >= 0.5
        elif (edge(self.lowest) >= WHITISH).mean() > 0.5:
            found = _large_parts(self.lowest < WHITISH)
        else:
            if self.guess.confidence < masks.ACCEPT:
                raise Unknown("Where its product is could not be told: give its mask.")
            found = self.guess.values[..., 0] >= 0.5
        if not found.any():
            raise Unknown("There is no product in it.")
        return found

    @cached_property
    def guess(self) -> masks.Mask:
        """Where a product without a white ground seems to be; of all that is found out here it takes the longest."""
        return masks.of(self.picture)

    @cached_property
    def box(self) -> tuple[int, int, int, int]:
        """Left, top, right, bottom of the product in px, right and bottom excluded."""
        (top, bottom), (left, right) = (
            np.flatnonzero(self.product.any(axis=axis))[[0, -1]].tolist() for axis in (1, 0)
        )
        return left, top, right + 1, bottom + 1

    def ground(self, gap: int) -> np.ndarray:
        """bool ``[H, W]``: farther than ``gap`` px from the product."""
        from scipy.ndimage import maximum_filter

        return ~maximum_filter(self.product, 2 * gap + 1)

    @cached_property
    def text(self) -> list[tuple[int, int, int, int]]:
        """Regions beside the product that look like text: left, top, right, bottom in px.

        Where there are more than ``FEW``, the ground is painted or patterned, and its strokes look like letters to the
        detector: then those on a plain part of it count.
        """
        from .measures import text_boxes

        boxes = text_boxes(images.over(self.picture))
        if not boxes:  # where the product is, is then nobody's question
            return []
        beside = ~self.product
        found = [box for box in boxes if beside[box[1] : box[3], box[0] : box[2]].sum() > _area(box) / 2]
        if len(found) <= FEW:
            return found
        gray = images.luminance(self.levels.astype("float32"))[..., 0]
        return [box for box in found if _plain(gray, beside, box)]


def edge(plane: np.ndarray) -> np.ndarray:
    """The outermost pixels of ``[H, W]``, corners twice."""
    return np.concatenate([plane[0], plane[-1], plane[:, 0], plane[:, -1]])


def _area(box: tuple[int, int, int, int]) -> int:
    return (box[2] - box[0]) * (box[3] - box[1])


def _plain(gray: np.ndarray, beside: np.ndarray, box: tuple[int, int, int, int]) -> bool:
    """Whether at least half of what lies around a box, as far as half its height, has nearly one brightness."""
    left, top, right, bottom = box
    reach = max(2, (bottom - top) // 2)
    around = np.s_[max(0, top - reach) : bottom + reach, max(0, left - reach) : right + reach]
    ring = beside[around].copy()
    ring[top - around[0].start : bottom - around[0].start, left - around[1].start : right - around[1].start] = False
    levels = gray[around][ring]
    return bool(len(levels)) and float(np.median(np.abs(levels - np.median(levels)))) <= PLAIN


def _large_parts(marks: np.ndarray) -> np.ndarray:
    """The connected parts of at least ``SPECK`` of the largest one's area."""
    from scipy.ndimage import label

    parts, _ = label(marks, np.ones((3, 3)))
    areas = np.bincount(parts.ravel())
    areas[0] = 0
    return (areas >= max(1, SPECK * areas.max()))[parts]
