"""The files that a row has in the run's folder, and the removal of those that it has no more."""

import contextlib
from pathlib import Path

import numpy as np

from .. import images
from . import review

PICTURES, MASKS, THUMBNAILS = FOLDERS = "pictures", "masks", "thumbnails"
THUMBNAIL = 320  # px: twice what the report shows


class Outputs:
    """Writes a row's lesser files, and notes the size of every file.

    Args:
        out: the run's folder.

    Attributes:
        files: size in bytes by name, relative to ``out``.
    """

    def __init__(self, out: Path):
        self.out = out
        self.files: dict[str, int] = {}

    def add(self, file: Path) -> None:
        """Notes a file that was written."""
        self.files[file.relative_to(self.out).as_posix()] = file.stat().st_size

    def thumbnail(self, name: str, rgb: np.ndarray, alpha: np.ndarray | None) -> None:
        """Writes a small JPEG for the report; ``rgb`` is ``[H, W, 3]``, ``alpha`` ``[H, W, 1]`` or None."""
        small = images.resize(rgb, min(THUMBNAIL, max(rgb.shape[:2])))
        clear = None if alpha is None else images.resize(alpha, small.shape[:2])
        self.add(images.write(self.out / name, small, clear, quality=85))

    def mask(self, name: str, values: np.ndarray) -> Path:
        """Writes a mask ``[H, W, 1]``, which the sidecars of all pictures of its size name."""
        file = images.write(self.out / name, np.repeat(values, 3, axis=-1))
        self.add(file)
        return file


def tidy(out: Path, stem: str, kept: dict[str, int]) -> None:
    """Removes what a row had before, or half of what it was to have; what a person put into ``review`` stays."""
    places = [out / folder / stem for folder in FOLDERS]
    found = [file for place in places if place.is_dir() for file in place.iterdir()]
    for file in [*found, *review.proposed_files(out, stem)]:
        if file.relative_to(out).as_posix() not in kept:
            file.unlink(missing_ok=True)
    for place in places:
        with contextlib.suppress(OSError):  # it holds something, or there is none
            place.rmdir()
