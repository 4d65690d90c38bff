"""Names to the pictures and weights that ship in ``data/``, each with its licence and credit."""

import difflib
import functools
import hashlib
import json
import tomllib
from pathlib import Path
from typing import Any

import numpy as np

from stylelab import images
from stylelab.errors import SettingsError, StyleLabError, WeightsError

KINDS = ("products", "styles", "photos", "patterns", "product_renders")
WEIGHTS = {
    "vgg16": "weights/vgg16_imagenet_notop.weights.h5",
    "feedforward": "weights/feedforward.weights.h5",
    "adain": "weights/adain.weights.h5",
    "dcgan": "weights/dcgan.weights.h5",
    "adversarial_style": "weights/adversarial_style.weights.h5",
    "pix2pix": "weights/pix2pix.weights.h5",
    "cyclegan": "weights/cyclegan.weights.h5",
    "stylegan": "weights/stylegan.weights.h5",
    "garment_classifier": "weights/garment_classifier.weights.h5",
    "product_mask": "weights/product_mask.weights.h5",
}


def data_root() -> Path:
    """The folder ``data`` of the clone that the package runs from.

    Raises:
        StyleLabError: the package is not an editable install, so its data is not beside it.
    """
    root = Path(__file__).resolve().parent.parent / "data"
    if not (root / "manifest.json").is_file():
        raise StyleLabError(
            f"StyleLab's pictures and weights are not in {root}: "
            "install it from a clone of its repository with pip install -e ."
        )
    return root


@functools.cache
def version() -> str:
    """The project's version, from pyproject.toml: on Colab the package runs from its folder and is not installed."""
    text = (data_root().parent / "pyproject.toml").read_text(encoding="utf-8")
    return str(tomllib.loads(text)["project"]["version"])


def names(kind: str) -> list[str]:
    """The sorted names of the shipped pictures of one kind: ``products``, ``styles``, ``photos``, ...

    Raises:
        SettingsError: not one of ``KINDS``.
    """
    if kind not in KINDS:
        raise SettingsError(f"{kind!r} is no kind of sample: choose one of {', '.join(KINDS)}.")
    return sorted(name.partition("/")[2] for name in _pictures(data_root()) if name.startswith(kind + "/"))


def path(name: str) -> Path:
    """The file of a shipped picture.

    Args:
        name: ``"sneaker_black"`` or ``"products/sneaker_black"``.
    Raises:
        SettingsError: no picture has the name; with the nearest ones.
    """
    return data_root() / _entry(name)["path"]


def load(name: str) -> np.ndarray:
    """A shipped picture as float32 ``[H, W, 3]`` in 0..1, transparent parts laid over white."""
    return images.read(path(name))


def mask(name: str) -> np.ndarray:
    """The hand-drawn mask of a shipped product photo: float32 ``[H, W, 1]`` of the photo's size, 1 = product.

    Raises:
        SettingsError: no picture has the name, or none of its kind has a mask.
    """
    file = (data_root() / "masks" / _entry(name)["path"]).with_suffix(".png")
    if not file.is_file():
        raise SettingsError(f"There is no mask for {name!r}: only products have one.")
    return images.read_mask(file)


def credit(name: str) -> str:
    """Who made a shipped picture and what its licence is, in one line."""
    entry = _entry(name)
    return f"{entry['credit']}, {entry['licence']}"


def weights(name: str = "vgg16") -> Path:
    """The file of shipped weights, checked against its SHA-256 once per process.

    Raises:
        SettingsError: not one of ``WEIGHTS``.
        WeightsError: missing, or not the file that ``data/manifest.json`` describes.
    """
    if name not in WEIGHTS:
        raise SettingsError(f"No weights {name!r} are shipped: choose one of {', '.join(WEIGHTS)}.")
    return _verified(data_root(), WEIGHTS[name])


def manifest() -> list[dict[str, Any]]:
    """All files in ``data``: path, sha256, bytes, licence, credit, source; size (width, height) of pictures."""
    return list(_manifest(data_root()))


@functools.cache
def _manifest(root: Path) -> list[dict[str, Any]]:
    return json.loads((root / "manifest.json").read_text(encoding="utf-8"))


@functools.cache
def _pictures(root: Path) -> dict[str, dict[str, Any]]:
    """The entries of all shipped pictures by ``kind/name``."""
    entries = ((Path(entry["path"]), entry) for entry in _manifest(root))
    return {file.with_suffix("").as_posix(): entry for file, entry in entries if file.parent.as_posix() in KINDS}


def _entry(name: str) -> dict[str, Any]:
    pictures = _pictures(data_root())
    for kind in ("", *(f"{kind}/" for kind in KINDS)):
        if f"{kind}{name}" in pictures:
            return pictures[f"{kind}{name}"]
    known = [full.partition("/")[2] for full in pictures]
    near = difflib.get_close_matches(str(name).rpartition("/")[2], known, n=3)
    advice = f"did you mean {' or '.join(near)}?" if near else "stylelab styles and samples.names list them."
    raise SettingsError(f"No shipped picture is called {name!r}: {advice}")


@functools.cache  # of a failure nothing is kept: a restored file is found in the same process
def _verified(root: Path, name: str) -> Path:
    file = root / name
    advice = f"restore them with git checkout -- {file}"
    expected = next((entry["sha256"] for entry in _manifest(root) if entry["path"] == name), None)
    if expected is None:
        listing = root / "manifest.json"
        raise WeightsError(f"{listing} has no entry for {name}: restore it with git checkout -- {listing}.")
    try:
        with file.open("rb") as opened:
            found = hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError as error:
        what = "are missing" if isinstance(error, FileNotFoundError) else "cannot be read"
        raise WeightsError(f"The weights {file} {what}: {advice}.") from error
    if found != expected:
        raise WeightsError(f"The weights {file} are damaged: {advice}.")
    return file
