"""Pictures larger than memory: tile by tile through a style network, with the whole picture's statistics.

An instance normalization looks at the whole picture. Given tiles, it looks at each one alone, and neighbors come out
in different colors. So a thumbnail goes through the network first, and every tile is normalized with the thumbnail's
means and variances (thumbnail instance normalization: URST, Chen et al. 2022, arXiv 2103.11784, section 3.2). What
remains is a network of convolutions: a tile is then as the whole picture would be there, if it is painted with a
border as wide as the network sees.
"""

import math
from typing import Any

import numpy as np

from . import images
from .errors import SettingsError
from .feedforward.description import MULTIPLE, Architecture
from .feedforward.stylizer import FeedForward, mirrored, painted
from .machine import require_memory
from .stylizers import Style, Wrapper


class Tiled(Wrapper):
    """A :class:`FeedForward` on pictures of any size, in the memory of one tile.

    Measured with the shipped sizes through OpenVINO at 4096 x 4096 px: 0.9 GB above what the process held with the
    photo, 0.4 GB of it the photo's checked copy and the result; at once even 2048 x 2048 px took 0.8 GB.
    A picture up to the thumbnail's size is its own thumbnail, and so the result that of the stylizer alone.

    Args:
        stylizer: with any styles and engine.
        tile: side of a tile in pixels, without its overlap. 1024 took as long as 512 here, and a fifth more memory.
        overlap: pixels of the neighbors that a tile is painted with and that are cut off; None for all that the network
            sees (:func:`receptive_radius`), with which no seam is left. URST has 32 at tiles of 1000.
        thumbnail: long side in pixels of the picture whose statistics are used. URST has 1024.
        frozen: False normalizes each tile with its own statistics: only to see what the thumbnail is for.
    Raises:
        SettingsError: a size out of range.
    """

    stylizer: FeedForward

    def __init__(
        self,
        stylizer: FeedForward,
        *,
        tile: int = 512,
        overlap: int | None = None,
        thumbnail: int = 1024,
        frozen: bool = True,
    ):
        super().__init__(stylizer)
        least = receptive_radius(stylizer.architecture) if overlap is None else overlap
        self.tile, self.overlap = tile, math.ceil(least / MULTIPLE) * MULTIPLE
        self.thumbnail, self.frozen = thumbnail, frozen
        if tile < 16 or tile % MULTIPLE or thumbnail < 16 or least < 0:
            raise SettingsError(
                f"Tiles must be at least 16 px and a multiple of {MULTIPLE}, the thumbnail at least 16 px and the "
                f"overlap not negative, not {tile}, {thumbnail} and {least} px."
            )

    def memory_needed(self, height: int, width: int) -> int:
        """Bytes at its peak: for a tile and for the thumbnail, the photo's checked copy and the result."""
        side = max(self.tile + 2 * self.overlap, self.thumbnail)
        return 2 * self.stylizer.memory_needed(min(height, side), min(width, side)) + 24 * height * width

    def _stylize(self, content: np.ndarray, style: Style, **settings: Any) -> np.ndarray:
        height, width = content.shape[1:3]
        if max(height, width) <= min(self.thumbnail, self.tile):
            return self.stylizer.stylize(content, style, **settings)
        require_memory(self.memory_needed(height, width), f"Stylizing at {width}x{height} px in tiles")
        result = np.empty_like(content)
        for k, photo in enumerate(content):
            self._paint(photo, result[k], style, settings["strength"])
        return result

    def _paint(self, photo: np.ndarray, result: np.ndarray, style: Style, strength: float) -> None:
        """Fills the result tile by tile."""
        thumbnail = images.resize(photo, min(self.thumbnail, max(photo.shape[:2])))
        known: dict[bytes, np.ndarray] = {}
        numbers = ((2, sum(self.stylizer.architecture.channels)),)

        def paint(tile: np.ndarray, shares: np.ndarray) -> np.ndarray:
            if not self.frozen:
                return self.stylizer.paint(tile, shares)
            of = shares.tobytes()
            if of not in known:
                known[of] = self.stylizer.compiled(_moments)(mirrored(thumbnail), shares)
            return painted(self.stylizer.compiled(_frozen_tile, numbers), tile, shares, known[of])

        rows, columns = (stretches(side, self.tile, self.overlap) for side in photo.shape[:2])
        for (top, bottom), row in rows:
            for (left, right), column in columns:
                tile = self.stylizer.at_strength(paint, photo[row, column], style, strength)
                cut = tile[top - row.start : bottom - row.start, left - column.start : right - column.start]
                result[top:bottom, left:right] = cut


def receptive_radius(architecture: Architecture) -> int:
    """How many pixels away a pixel of the result can see, at most, when the statistics are given.

    From the result back, in pixels: half the last kernel, 1 at full resolution, 2 at half of it, 4 for each of the two
    convolutions of a block, 2 and 2 in the encoder, and 3 to the far side of its own square of 4.
    """
    return architecture.last // 2 + 1 + 2 + 4 * 2 * architecture.blocks + 2 + 2 + 3


def stretches(side: int, tile: int, overlap: int) -> list[tuple[tuple[int, int], slice]]:
    """Where the tiles of one side of a picture begin and end, and what of the picture each is painted from.

    The tiles are about equal, and begin at multiples of 4, as the network's own squares do. At the picture's border a
    tile has no overlap: there the network mirrors it, as it does the whole picture.
    """
    step = math.ceil(side / math.ceil(side / tile) / MULTIPLE) * MULTIPLE
    found = []
    for begin in range(0, side, step):
        end = min(begin + step, side)
        first = max(0, min(begin - overlap, (side - 16) // MULTIPLE * MULTIPLE))  # the network needs 16 px
        found.append(((begin, end), slice(first, min(end + overlap, side))))
    return found


def seam_ratio(image: np.ndarray, tile: int) -> float:
    """The mean step from pixel to pixel across the borders of tiles, over that nearby: about 1 without seams.

    Nearby is at multiples of 4 up to 64 px away: the steps between a network's squares of 4 are not those within.

    Args:
        image: ``[H, W, C]``, larger than one tile.
    """
    at, nearby = [], []
    for axis in (0, 1):
        steps = np.abs(np.diff(image, axis=axis)).mean((1 - axis, 2))
        borders = [begin - 1 for (begin, _), _ in stretches(image.shape[axis], tile, 0)][1:]
        around = {border + away for border in borders for away in range(-64, 65, MULTIPLE)} - {*borders}
        at.extend(steps[borders])
        nearby.extend(steps[[place for place in around if 0 <= place < len(steps)]])
    return float(np.mean(at) / np.mean(nearby))


def _moments(network: Any, photo: Any, shares: Any) -> Any:
    """All normalizations' means, and variances, ``[2, channels]``."""
    from .backend import ops

    used = network.with_moments(photo, shares)[1]
    return ops.stack([ops.concatenate([ops.reshape(pair[k], (-1,)) for pair in used]) for k in (0, 1)])


def _frozen_tile(network: Any, photo: Any, shares: Any, numbers: Any) -> Any:
    """The picture, normalized with what :func:`_moments` found."""
    from .backend import ops

    ends = np.cumsum(network.architecture.channels)[:-1]
    means, variances = (ops.split(ops.reshape(row, (1, 1, 1, -1)), ends, axis=-1) for row in (numbers[0], numbers[1]))
    given = list(zip(means, variances, strict=True))
    return ops.clip(network.with_moments(photo, shares, given)[0], 0.0, 1.0)
