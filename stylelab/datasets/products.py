"""Product pictures in memory: garments at 28 px, colored, and renders of furniture and household goods."""

import contextlib
import csv
import gzip
import importlib
import io
import socket
import struct
import subprocess
import sys
import threading
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .. import files, images, samples
from ..errors import ImageError, SettingsError

GARMENTS = (
    *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
    *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
)
# Where tfds gets Fashion-MNIST from: without it, tfds would try for minutes.
HOST = "fashion-mnist.s3-website.eu-central-1.amazonaws.com"
# What Colab lacks for tfds: its tensorflow-metadata 1.21 does not import with its protobuf 5 (tensorflow/metadata#68),
# and importlib-resources, which tfds.load needs without saying so, is not on every runtime.
MENDS_TFDS = ("tensorflow-metadata>=1.17,<1.18", "importlib-resources>=6")


class Labeled(NamedTuple):
    """Pictures with classes: float32 ``[N, H, W, 3]`` in 0..1, int32 ``[N]``, and the classes' names in their order."""

    pictures: np.ndarray
    labels: np.ndarray
    names: tuple[str, ...]


def color_garments(gray: np.ndarray, seed: int | Sequence[int]) -> np.ndarray:
    """Gray garments on black, as Fashion-MNIST has them, as garments of one random color each on white.

    ``1 - g (1 - color)`` for each gray value ``g``: the ground (0) becomes white and the brightest cloth (1) the color
    itself. The color is drawn in HSV, hue from U(0, 1), saturation from U(0.2, 0.9), value from U(0.25, 0.95), in this
    order, by ``numpy.random.default_rng(seed).uniform`` as one ``[N, 3]``, and converted by
    ``matplotlib.colors.hsv_to_rgb``. So picture k has the same color whatever comes after it.

    Args:
        gray: ``[N, 28, 28]`` (or of another size) in 0..1, bright on black.
        seed: of the colors.
    Returns:
        float32 ``[N, 28, 28, 3]`` in 0..1.
    Raises:
        ImageError: another rank, or values outside 0..1.
    """
    from matplotlib.colors import hsv_to_rgb

    gray = np.asarray(gray)
    if gray.ndim != 3 or gray.dtype.kind != "f" or not ((gray >= 0) & (gray <= 1)).all():
        found = f"{gray.dtype} of shape {gray.shape}"
        raise ImageError(f"Garments must be floats [N, H, W] in 0..1, not {found}: divide bytes by 255.")
    hsv = np.random.default_rng(seed).uniform((0, 0.2, 0.25), (1, 0.9, 0.95), (len(gray), 3))
    colors = hsv_to_rgb(hsv).astype(np.float32)
    pictures = gray.astype(np.float32)[..., None] * (colors - 1)[:, None, None]
    pictures += 1  # in place: the full set is 0.6 GB
    return pictures


def garments(split: str = "train", *, count: int | None = None, seed: int = 0) -> Labeled:
    """The shipped part of Fashion-MNIST (Xiao et al. 2017, MIT), colored by :func:`color_garments`.

    Args:
        split: ``"train"``, 4,000 of its training pictures, 400 a class; ``"test"``, 1,000 of its test pictures, the
            first 100 a class. They have no picture in common.
        count: only so many, the first of each class, classes equal to within one. A smaller set is part of a larger
            one, each garment with the same color.
        seed: of the colors; the splits draw different ones.
    Returns:
        ``[N, 28, 28, 3]`` on white, labels, and the ten names.
    Raises:
        SettingsError: no such split, or more than there are.
    """
    file = {"train": "fashion_mnist_4k.npz", "test": "fashion_mnist_test_1k.npz"}[_split(split)]
    with np.load(samples.data_root() / "fashion" / file) as stored:
        every = _labeled(stored["x"], stored["y"], split, seed)
    if count is None:
        return every
    labels = every.labels
    if not len(GARMENTS) <= count <= len(labels):
        raise SettingsError(f"{count} garments cannot be taken of {len(labels)}: give from {len(GARMENTS)} on.")
    # How many of its class come before each: by that, and within it by class, the first `count`.
    rank = np.empty(len(labels), int)
    for label in range(len(GARMENTS)):
        rank[labels == label] = np.arange((labels == label).sum())
    chosen = np.sort(np.lexsort((labels, rank))[:count])
    return Labeled(every.pictures[chosen], labels[chosen], GARMENTS)


def full_garments(folder: str | Path, split: str = "train", *, seed: int = 0) -> Labeled:
    """All of Fashion-MNIST, 60,000 to train on and 10,000 to test with, from the four files as published.

    The Debian package ``dataset-fashion-mnist`` has them, as https://github.com/zalandoresearch/fashion-mnist:
    ``train-images-idx3-ubyte``, ``train-labels-idx1-ubyte``, ``t10k-...``, each packed (``.gz``) or not.

    Returns:
        As :func:`garments`; the 60,000 take 0.6 GB.
    Raises:
        SettingsError: no such split, or a file that is missing.
        ImageError: a file that is not what its name says.
    """
    part = {"train": "train", "test": "t10k"}[_split(split)]
    gray = _read_idx(Path(folder), f"{part}-images-idx3-ubyte", 3)
    labels = _read_idx(Path(folder), f"{part}-labels-idx1-ubyte", 1)
    if len(gray) != len(labels) or labels.max(initial=0) >= len(GARMENTS):
        raise ImageError(f"The pictures and the labels of {part} in {folder} do not belong together: get them anew.")
    return _labeled(gray, labels, split, seed)


def load_fashion_mnist(
    online: bool = False, folder: str | Path | None = None, split: str = "train", *, seed: int = 0
) -> Labeled:
    """All of Fashion-MNIST, from a folder, or by TensorFlow Datasets where there is a network.

    Whether there is one is found out before: without, ``tfds.load`` would retry for minutes.

    Args:
        online: whether the network may be used; the first time some 30 MB come down.
        folder: as for :func:`full_garments`; then the network is not used.
        split: ``"train"`` or ``"test"``.
        seed: of the colors.
    Returns:
        As :func:`garments`.
    Raises:
        SettingsError: neither a folder nor a network; says what to do.
    """
    if folder is not None:
        return full_garments(folder, split, seed=seed)
    _split(split)
    otherwise = (
        "give folder=, with the files of Debian's dataset-fashion-mnist, or take the shipped datasets.garments()"
    )
    if not online:
        raise SettingsError(f"Fashion-MNIST in full is not shipped: allow the network with online=True, {otherwise}.")
    if not _reachable(HOST):
        raise SettingsError(f"There is no network, or {HOST} does not answer: {otherwise}.")
    tfds = import_tfds()
    try:
        loaded = tfds.load("fashion_mnist", split=split, batch_size=-1)
    except Exception as error:  # of a download anything may come
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise SettingsError(f"Fashion-MNIST could not be downloaded ({reason}): {otherwise}.") from error
    return _labeled(np.asarray(loaded["image"])[..., 0], np.asarray(loaded["label"]), split, seed)


def renders(size: int, categories: Sequence[str] | None = None) -> Labeled:
    """The shipped renders of products, on white, square, antialiased.

    Args:
        size: side in pixels; the files have 128.
        categories: of ``data/render_categories.csv``, as ``("seating", "tables")``; None for all.
    Returns:
        ``[N, size, size, 3]`` sorted by name, the categories as labels, and their names in alphabetical order or
        in the order of ``categories``.
    Raises:
        SettingsError: a category that does not exist, or a size under 1.
    """
    if size < 1:
        raise SettingsError(f"Renders of {size} px cannot be: give at least 1.")
    of, known = _table()
    names = known if categories is None else tuple(categories)
    if not names or isinstance(categories, str) or not set(names) <= set(known):
        raise SettingsError(f"{categories!r} are no categories of renders: give a tuple of some of {', '.join(known)}.")
    chosen = sorted(name for name in of if of[name] in names)
    pictures = [_square(samples.load(f"product_renders/{name}"), size) for name in chosen]
    return Labeled(np.stack(pictures), np.array([names.index(of[name]) for name in chosen], np.int32), names)


def _table() -> tuple[dict[str, str], tuple[str, ...]]:
    """The category of each render, and all categories in alphabetical order."""
    with (samples.data_root() / "render_categories.csv").open(encoding="utf-8", newline="") as table:
        of = {row["name"]: row["category"] for row in csv.DictReader(table)}
    return of, tuple(sorted(set(of.values())))


def _square(picture: np.ndarray, size: int) -> np.ndarray:
    """The picture in the middle of a white square, resized."""
    height, width = picture.shape[:2]
    side = max(height, width)
    (top, left) = ((side - height) // 2, (side - width) // 2)
    square = np.pad(picture, ((top, side - height - top), (left, side - width - left), (0, 0)), constant_values=1)
    return images.resize(square, (size, size))


def import_tfds() -> Any:
    """TensorFlow Datasets, imported after TensorFlow and as quietly; on Colab it may install what that needs.

    Raises:
        SettingsError: Colab's versions do not import, and what mends that could not be installed.
    """
    if "google.colab" not in sys.modules:
        return _quiet_tfds()
    try:
        with contextlib.redirect_stderr(io.StringIO()):  # pages of traceback, about what is mended below
            return _quiet_tfds()
    except Exception as error:  # protobuf's VersionError is no ImportError
        reason = next(iter(str(error).splitlines()), type(error).__name__)
    wanted = " and ".join(MENDS_TFDS)
    print(f"TensorFlow Datasets does not import with this runtime's versions ({reason}).")
    print(f"Installing {wanted} for it; no other version changes.")
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", *MENDS_TFDS]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        raise SettingsError(f"TensorFlow Datasets needs {wanted} on Colab: install them with %pip and try again.")
    for name in [name for name in sys.modules if name.split(".")[0] in ("tensorflow_datasets", "tensorflow_metadata")]:
        del sys.modules[name]  # half imported, and the second try would find them so
    importlib.invalidate_caches()
    return _quiet_tfds()


def _quiet_tfds() -> Any:
    from ..backend import stderr_held_back

    with stderr_held_back():
        import importlib_resources  # noqa: F401  # for tfds.load
        import tensorflow_datasets as tfds

        if not hasattr(tfds, "load"):  # what stopped its import it only logs; this raises it
            import tensorflow_datasets.public_api
    return tfds


def _split(split: str) -> str:
    if split not in ("train", "test"):
        raise SettingsError(f'There is no split {split!r} of the garments: choose "train" or "test".')
    return split


def _labeled(gray: np.ndarray, labels: np.ndarray, split: str, seed: int) -> Labeled:
    """Fashion-MNIST's bytes and labels, colored with the split's own draws of the seed."""
    pictures = color_garments(gray.astype(np.float32) / 255, seed if split == "train" else (seed, 1))
    return Labeled(pictures, labels.astype(np.int32), GARMENTS)


def _read_idx(folder: Path, name: str, rank: int) -> np.ndarray:
    """An IDX file of bytes, packed or not: two zeros, type 8, rank, then the sides as big-endian int32."""
    path = next((file for file in (folder / name, folder / f"{name}.gz") if file.is_file()), None)
    if path is None:
        raise SettingsError(f"There is no {name} or {name}.gz in {folder}; Debian's dataset-fashion-mnist has them.")
    with files.explained(f"{path} cannot be read"):
        data = path.read_bytes()
        try:
            data = gzip.decompress(data) if path.suffix == ".gz" else data
            zeros, kind, found, *sides = struct.unpack_from(f">HBB{rank}I", data)
            if (zeros, kind, found) != (0, 8, rank):
                raise ValueError
            return np.frombuffer(data, np.uint8, offset=4 + 4 * rank).reshape(sides)
        except (ValueError, EOFError, struct.error, zlib.error) as error:
            raise ImageError(f"it is no IDX file of rank {rank}, or only a part of one; get it anew") from error


def _reachable(host: str, seconds: float = 2.0) -> bool:
    """Whether a host answers in time; the name's look-up, which has no limit of its own, included."""
    answers: list[bool] = []

    def knock() -> None:
        try:
            socket.create_connection((host, 80), timeout=seconds).close()
            answers.append(True)
        except OSError:
            pass

    thread = threading.Thread(target=knock, daemon=True)
    thread.start()
    thread.join(seconds)
    return bool(answers)
