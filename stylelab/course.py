"""What every chapter starts and ends with: the set-up cell's work, budgets, the reader's photo and shop page.

The exercises have a package of their own, ``stylelab.exercises``; chapters reach them as ``course.exercise``.
"""

import json
import os
import platform
import re
import shutil
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np

from stylelab import images, samples
from stylelab.errors import ImageError, SettingsError, StyleLabError
from stylelab.exercises import exercise
from stylelab.exercises.progress import out_folder, progress

__all__ = [
    "SETUP_CELL",
    "Shop",
    "budget",
    "exercise",
    "out_folder",
    "own_photo",
    "progress",
    "repository",
    "setup_cell",
    "shop_row",
    "sizes",
    "start",
    "training_folder",
    "uploaded",
]

Value = TypeVar("Value")

# The first code cell of every chapter. It puts the project's folder on the path and installs nothing: Colab
# has all that requirements.txt names, and pip could only exchange its TensorFlow, Keras or NumPy.
SETUP_CELL = """\
# Set-up: finds StyleLab, or clones it on Colab. Run this cell first.
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

REPOSITORY = ""


def places():
    yield Path(os.getenv("STYLELAB_HOME", "."))
    yield from [Path.cwd(), *Path.cwd().parents]
    for pattern in "*", "drive/MyDrive/*", "drive/MyDrive/*/*":
        yield from Path("/content").glob(pattern)


home = next((p for p in places() if (p / "stylelab/course.py").exists()), "")
if not home and REPOSITORY and "google.colab" in sys.modules:
    home = Path("/content/stylelab")
    url = f"https://github.com/{REPOSITORY}.git"
    subprocess.run(["git", "clone", "-q", "--depth=1", url, home])
if home:
    sys.path.insert(0, str(home.resolve()))
if not find_spec("stylelab"):
    raise FileNotFoundError(
        "StyleLab is not here: unpack the project's zip in this folder, "
        "mount the Drive that holds it, or set STYLELAB_HOME to its folder."
    )

from stylelab import course

course.start()
"""


def repository() -> str:
    """``owner/name`` on GitHub from pyproject.toml, the one place that holds it; "" until it is published."""
    text = (samples.data_root().parent / "pyproject.toml").read_text(encoding="utf-8")
    return str(tomllib.loads(text)["tool"]["stylelab"]["repository"])


def setup_cell() -> str:
    """``SETUP_CELL`` with the repository's address, which a notebook needs before it finds a file."""
    return SETUP_CELL.replace('REPOSITORY = ""', f'REPOSITORY = "{repository()}"')


def start() -> None:
    """Imports TensorFlow quietly and prints two lines: the versions, and the device with the sizes it gets.

    Raises:
        StyleLabError: TensorFlow or Keras is not installed in this kernel.
    """
    try:
        from stylelab.backend import keras, tf
    except ModuleNotFoundError as error:
        raise StyleLabError(
            f"The package {error.name} is missing in this kernel ({platform.python_implementation()} at "
            f"{sys.prefix}): choose the kernel of the environment that `make setup` made."
        ) from error
    print(
        f"Python {platform.python_version()}, TensorFlow {tf.__version__}, "
        f"Keras {keras.__version__}, NumPy {np.__version__}"
    )
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        device = tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU")
    elif "google.colab" in sys.modules:
        device = "CPU (for a GPU: menu Runtime > Change runtime type > T4 GPU, then run this cell again)"
    else:
        device = "CPU"
    print(f"Device: {device}. Sizes: {sizes()}.")


def sizes() -> Literal["fast", "cpu", "gpu"]:
    """Which sizes hold: "fast" if STYLELAB_FAST=1, else "gpu" if TensorFlow sees one, else "cpu"."""
    if os.environ.get("STYLELAB_FAST") == "1":
        return "fast"
    from stylelab.backend import tf

    return "gpu" if tf.config.list_physical_devices("GPU") else "cpu"


def budget(*, fast: Value, cpu: Value, gpu: Value) -> Value:
    """The value that this machine can afford: the work gets smaller, and never different.

    ``steps = course.budget(fast=10, cpu=310, gpu=1000)``

    Args:
        fast: for the tests, at most 90 seconds a chapter on two CPU cores.
        cpu: for a laptop; the stored outputs are made with it.
        gpu: for a Colab T4.
    """
    return {"fast": fast, "cpu": cpu, "gpu": gpu}[sizes()]


def training_folder(name: str, steps: int) -> Path:
    """Where a chapter's training keeps its checkpoints, ``out/NAME-SIZES``: on Drive if the project lies there.

    A training that was cut off is left there, so a notebook that runs again goes on with it; one that ended is removed,
    so it begins anew. Each kind of sizes has its own folder, since their networks differ.

    Args:
        name: of the training, as "04_training".
        steps: at which it ends, as given to ``training.Plan``.
    """
    folder = out_folder() / f"{name}-{sizes()}"
    log = folder / "log.jsonl"
    lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
    if lines and json.loads(lines[-1])["step"] >= steps:
        shutil.rmtree(folder)
    return folder


def own_photo(source: Any = None, default: str = "sneaker_black") -> np.ndarray:
    """The reader's own photo or painting, or a sample where there is none yet.

    Args:
        source: a path; an ``ipywidgets.FileUpload`` (its last file, kept in out/uploads for
            the next time); None, or an upload that holds nothing yet.
        default: name of the sample to fall back to.
    Returns:
        ``[H, W, 3]`` float32, 0..1.
    Raises:
        ImageError: the file cannot be read.
        SettingsError: ``source`` is neither a path nor an upload, or there is no such sample.
    """
    if source is not None and not isinstance(source, str | Path):
        source = _kept(source)
    return samples.load(default) if source is None else images.read(source)


def uploaded(upload: Any) -> tuple[str, bytes] | None:
    """Name and content of an upload's last file; None while there is none.

    Args:
        upload: an ``ipywidgets.FileUpload``, or its value: version 7 has ``{name: {content}}``, 8 a tuple of
            ``{name, content}``.
    Raises:
        SettingsError: it is neither.
    """
    value = getattr(upload, "value", upload)
    if isinstance(value, Mapping):
        files = [(name, file["content"]) for name, file in value.items()]
    elif isinstance(value, tuple | list):
        files = [(file["name"], file["content"]) for file in value]
    else:
        raise SettingsError(
            f'Your photo is given as {type(upload).__name__}: give a path ("me.jpg"), a FileUpload, or None.'
        )
    return (str(files[-1][0]), bytes(files[-1][1])) if files else None


def _kept(upload: Any) -> Path | None:
    """An upload's last file, on disk."""
    file = uploaded(upload)
    if file is None:
        return None
    path = out_folder() / "uploads" / Path(file[0]).name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(file[1])
    return path


@dataclass(frozen=True, repr=False)
class Shop:
    """The reader's shop page; shows itself as one line, with a path that says nothing about the machine."""

    path: Path
    rows: int

    def __fspath__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        return f"Your shop page has {self.rows} {'row' if self.rows == 1 else 'rows'}: {_short(self.path)}"

    def _repr_html_(self) -> str:
        text, link = repr(self).rsplit(": ", 1)
        return f'{text}: <a href="{escape(_beside_the_notebook(self.path))}" target="_blank">{escape(link)}</a>'


def shop_row(
    chapter: str,
    title: str,
    pictures: Mapping[str, np.ndarray],
    numbers: Mapping[str, object] | None = None,
    settings: Mapping[str, object] | None = None,
) -> Shop:
    """Puts a chapter's row on the reader's own shop page, ``out/shop.html``; run again, it replaces its row.

    Args:
        chapter: the chapter's number, "03"; the page is in this order.
        title: the row's heading.
        pictures: caption -> image ``[H, W, 3]``, in the order shown; by custom the result comes last.
        numbers: what was measured, as name -> value.
        settings: what was asked for, as name -> value.
    Raises:
        ImageError: a picture is no image, or the page cannot be written.
        SettingsError: ``chapter`` is not a chapter's number.
    """
    if not re.fullmatch(r"\d\d", chapter):
        raise SettingsError(f'The chapter of a shop row is "{chapter}": give its two digits, such as "03".')
    from stylelab.pages import LONG_SIDE

    shop = out_folder() / "shop"
    fresh = shop / f".{chapter}.new"
    shutil.rmtree(fresh, ignore_errors=True)
    files = {}
    for number, (caption, image) in enumerate(pictures.items()):
        image = images.check(image, f'picture "{caption}"')
        image = images.resize(image, LONG_SIDE) if max(image.shape[:2]) > LONG_SIDE else image
        files[caption] = images.write(fresh / f"{number}.jpg", image).name
    row = {"title": title, "pictures": files, "settings": _plain(settings), "numbers": _plain(numbers)}
    (fresh / "row.json").write_text(json.dumps(row, indent=1), encoding="utf-8")
    shutil.rmtree(shop / chapter, ignore_errors=True)
    fresh.rename(shop / chapter)
    return _write_shop(shop)


def _write_shop(shop: Path) -> Shop:
    from stylelab import pages

    cards = []
    for folder in sorted(shop.glob("[0-9][0-9]")):
        try:
            row = json.loads((folder / "row.json").read_text(encoding="utf-8"))
            row["pictures"] = {name: images.read(folder / file) for name, file in row["pictures"].items()}
        except (OSError, ValueError, KeyError, ImageError):
            continue  # half a row of an older version: its chapter writes it again
        cards.append(pages.Card(title=f"{folder.name} · {row.pop('title')}", **row))
    intro = "What I made in the StyleLab course, one row a chapter."
    return Shop(pages.write_page(shop.with_suffix(".html"), "My shop", cards, intro), len(cards))


def _plain(values: Mapping[str, object] | None) -> dict[str, object]:
    """Values as JSON has them: NumPy's and TensorFlow's scalars as numbers, all else as text."""

    def one(value: object) -> object:
        if isinstance(value, str | int | float | None):
            return value
        if isinstance(value, list | tuple):
            return [one(item) for item in value]
        scalar = np.asarray(value)
        return scalar.item() if scalar.ndim == 0 and scalar.dtype.kind in "biuf" else str(value)

    return {name: one(value) for name, value in (values or {}).items()}


def _short(path: Path) -> str:
    """A path in the project's folder relative to it, any other by its last two parts."""
    root = samples.data_root().parent
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else "/".join(path.parts[-2:])


def _beside_the_notebook(path: Path) -> str:
    """A path relative to the notebook, the only link that Jupyter follows to a file."""
    try:
        return Path(os.path.relpath(path)).as_posix()
    except ValueError:  # Windows: on another drive
        return path.name
