"""Any folder of photos as an endless, repeatable stream of crops."""

import warnings
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

import numpy as np

from .. import images
from ..errors import ImageError, SettingsError

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp")

Thing = TypeVar("Thing")


def picture_files(*folders: str | Path) -> list[Path]:
    """The picture files in the folders and all folders below them, sorted; a file stands for itself.

    Raises:
        SettingsError: a folder that is not there, or none that holds a picture.
    """
    found: list[Path] = []
    for folder in map(Path, folders):
        if not folder.exists():
            raise SettingsError(f"There is no folder {folder}; give one with photos in it.")
        inside = [folder] if folder.is_file() else folder.rglob("*")
        found += [file for file in inside if file.suffix.lower() in SUFFIXES and file.is_file()]
    if not found:
        raise SettingsError(f"No pictures in {', '.join(map(str, folders))}; they must end in {', '.join(SUFFIXES)}.")
    return sorted(set(found))


def held_out(files: Sequence[Thing], count: int) -> tuple[list[Thing], list[Thing]]:
    """The files to train on and ``count`` others, taken evenly from the sorted list, that training must never see.

    Raises:
        SettingsError: fewer than one would be left to train on.
    """
    if not 0 < count < len(files):
        raise SettingsError(f"Of {len(files)} photos {count} cannot be held out; give more photos.")
    chosen = {round((k + 0.5) * len(files) / count - 0.5) for k in range(count)}
    return [f for k, f in enumerate(files) if k not in chosen], [f for k, f in enumerate(files) if k in chosen]


def crop(picture: images.Picture, size: int, rng: np.random.Generator, zoom: float = 1.25) -> np.ndarray:
    """A random square of a photo: its short side scaled to 1 to ``zoom`` times ``size`` px, cut, mirrored or not.

    A cut-out is laid on a plain ground first: white for every second one, as in a shop, else any color.

    Returns:
        ``[size, size, 3]`` in 0..1.
    """
    rgb = picture.rgb
    if picture.alpha is not None:
        ground = np.ones(3) if rng.random() < 0.5 else rng.random(3)
        rgb = images.composite(rgb, np.broadcast_to(ground.astype("float32"), rgb.shape), picture.alpha)
    height, width = rgb.shape[:2]
    scale = size * rng.uniform(1, zoom) / min(height, width)
    rgb = images.resize(rgb, tuple(max(size, round(side * scale)) for side in (height, width)))
    top, left = (rng.integers(side - size + 1) for side in rgb.shape[:2])
    square = rgb[top : top + size, left : left + size]
    return square[:, ::-1] if rng.random() < 0.5 else square


def middle_square(photo: np.ndarray, size: int) -> np.ndarray:
    """The middle square of a photo whose short side is scaled to ``size`` px: ``[size, size, 3]``."""
    height, width = photo.shape[:2]
    scale = size / min(height, width)
    photo = images.resize(photo, (max(size, round(height * scale)), max(size, round(width * scale))))
    top, left = ((side - size) // 2 for side in photo.shape[:2])
    return photo[top : top + size, left : left + size]


def stream(
    files: Sequence[Path],
    size: int,
    batch: int,
    *,
    seed: int = 0,
    first: int = 0,
    zoom: float = 1.25,
    extra: Callable[[np.random.Generator], np.ndarray] | None = None,
) -> Any:
    """Batches of random crops without end, the same for the same seed, from any position on.

    Every epoch has its own order, drawn from ``(seed, epoch)``, and every crop its own draws, from ``(seed, epoch,
    position)``; so a run that resumes at batch ``first`` sees what it would have seen. A file that cannot be read is
    warned of once, and the next one stands in for it.

    Args:
        files: photos.
        size: side of the crops in pixels.
        batch: crops in a batch.
        first: number of the first batch.
        zoom: as in :func:`crop`.
        extra: what else each example needs, drawn with the crop's generator: a float32 vector.
    Returns:
        A ``tf.data.Dataset`` of ``[batch, size, size, 3]`` in 0..1, or of pairs with ``extra``'s ``[batch, N]``.
    """
    from ..backend import tf

    files = list(files)
    order = lru_cache(4)(lambda epoch: np.random.default_rng((seed, epoch)).permutation(len(files)))
    broken: set[Path] = set()
    # Reading a picture records Python's warnings, of the whole process: the threads below would take each other's.
    reading = Lock()

    def example(index: np.int64) -> list[np.ndarray]:
        epoch, position = divmod(int(index), len(files))
        rng = np.random.default_rng((seed, epoch, position))
        for step in range(len(files)):
            file = files[order(epoch)[(position + step) % len(files)]]
            with reading:
                try:
                    picture = images.open_picture(file)
                except ImageError as error:
                    if file not in broken:
                        broken.add(file)
                        warnings.warn(f"A photo was left out: {error}", stacklevel=1)
                    continue
            square = crop(picture, size, rng, zoom)
            return [square.astype("float32"), *([] if extra is None else [extra(rng).astype("float32")])]
        raise ImageError("None of the photos can be read; see the warnings above.")

    shapes = [(size, size, 3)] + ([] if extra is None else [extra(np.random.default_rng(0)).shape])

    def load(index: Any) -> tuple[Any, ...]:
        loaded = tf.numpy_function(example, [index], [tf.float32] * len(shapes))
        return tuple(tf.ensure_shape(x, shape) for x, shape in zip(loaded, shapes, strict=True))

    examples = tf.data.Dataset.range(first * batch, np.iinfo("int64").max).map(load, num_parallel_calls=2)
    batches = examples.batch(batch, drop_remainder=True).prefetch(2)
    return batches if extra is not None else batches.map(lambda photos: photos)
