"""A shop for the tests of the catalog: photos, a method without a network, and what a run left behind.

Its photos have alpha, so that no mask is searched for. ``Negative`` comes to a worker by name; with it come stand-ins
for the quality gate, which would refuse pictures of 64 px, and for the measures, which take longer than all the rest.
"""

import contextlib
import csv
import errno
import hashlib
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stylelab import images, stylizers
from stylelab.catalog import measures, pipeline, quality, text, work

METHOD = "tests.catalog_shop:Negative"
STYLE = "hokusai_great_wave"
FATAL = (255, 0, 254)  # a photo with this first pixel kills its worker
SLOW = (255, 0, 253)  # one with this takes a second


class Negative(stylizers.Stylizer):
    """The negative, which anyone can compute."""

    def _stylize(self, content, style, *, strength, seed, callback, regions):
        first = tuple(np.rint(content[0, 0, 0] * 255).astype(int))
        if first == FATAL:
            os.kill(os.getpid(), signal.SIGKILL)
        if log := os.environ.get("SHOP_LOG"):
            with Path(log).open("ab", buffering=0) as file:
                file.write(b".")
        time.sleep(1 if first == SLOW else float(os.environ.get("SHOP_SECONDS", "0")))
        return strength * (1 - content) + (1 - strength) * content


def gate(picture, *, path=None):
    """A photo with a black first pixel is blurred, one with a blue first pixel too small."""
    first = tuple(np.rint(picture.rgb[0, 0] * 255).astype(int))
    kind = {(0, 0, 0): "blurred", (0, 0, 255): "small"}.get(first)
    return [quality.Flaw(kind, f"{path} is {kind}: take another photo.")] if kind else []


def measured(product, result, mode, *, texts=None):
    """Each number is the largest difference in the product."""
    difference = float(np.abs((result - product.rgb) * (product.mask >= 1)).max() * 255)
    return measures.Measures(**dict.fromkeys(measures.Measures.__annotations__, difference))


def measured_file(path, product, mode):
    return measured(product, images.read(path), mode)


def no_text(rgb):
    return []


STAND_INS = (
    (quality, "flaws", gate),
    (measures, "measure", measured),
    (measures, "measure_file", measured_file),
    (text, "text_boxes", no_text),
)


def disk_full(after):
    """The disk is full after so many files of this process."""
    synced, left = os.fsync, [after]

    def fsync(descriptor):
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        synced(descriptor)

    os.fsync = fsync


def stand_in():
    """Puts the stand-ins in place; done by itself in a worker's process."""
    for module, name, function in STAND_INS:
        setattr(module, name, function)
    if full := os.environ.get("SHOP_FULL"):
        disk_full(int(full))


if Path(sys.argv[0]).name in ("worker.py", "default_worker.py"):  # ours, and Ray's
    stand_in()


class Here:
    """An engine in this process, for what does not depend on processes; put in by ``here``."""

    count = 1

    def __init__(self, begin):
        given = pipeline.Settings.from_json(begin["settings"])
        self.worker = work.Worker(given, begin["digest"], begin["photos"], begin["out"])

    def work(self, tasks):
        for task in tasks:
            try:
                yield task, {"entry": self.worker.do(task)}
            except work.Stop as stop:
                yield task, {"stop": str(stop)}

    def close(self):
        pass


@contextlib.contextmanager
def in_this_process():
    """Runs work in this process, with the stand-ins."""
    with pytest.MonkeyPatch.context() as patch:
        for replaced in STAND_INS:
            patch.setattr(*replaced)
        patch.setattr(pipeline, "engine", lambda settings, begin, rows: Here(begin))
        yield


@pytest.fixture
def here():
    """The same as a fixture."""
    with in_this_process():
        yield


def settings(**changes):
    """Cheap ones."""
    given = {"styles": (STYLE,), "method": METHOD, "workers": 2, "formats": ("png", "jpg"), **changes}
    return pipeline.Settings(**given)


def photo(path, number=0, first=None, size=(48, 64)):
    """An RGBA picture that no other number has, product in the middle."""
    random = np.random.default_rng(number)
    rgba = random.integers(100, 256, (*size, 4)).astype(np.uint8)
    rgba[..., 3] = 0
    rgba[size[0] // 4 : -size[0] // 4, size[1] // 4 : -size[1] // 4, 3] = 255
    rgba[..., :3] = np.where(rgba[..., 3:] > 0, rgba[..., :3], 200)
    if first is not None:
        rgba[0, 0] = (*first, 255)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(rgba).save(path, compress_level=1)
    return path


def catalog(folder, rows, name="catalog.csv"):
    """A CSV of dictionaries; sku and image are filled in, and missing photos made."""
    folder.mkdir(parents=True, exist_ok=True)
    whole = []
    for number, row in enumerate(rows):
        row = {"sku": f"SKU-{number:03}", "image": f"{number:03}.png", **row}
        if row.pop("make", True):
            photo(folder / row["image"], number, row.pop("first", None))
        whole.append(row)
    names = list(dict.fromkeys(name for row in whole for name in row))
    with (folder / name).open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(whole)
    return folder / name


def contents(folder):
    """SHA-256 of every file in a folder by its name."""
    found = (file for file in Path(folder).rglob("*") if file.is_file())
    return {f.relative_to(folder).as_posix(): hashlib.sha256(f.read_bytes()).hexdigest() for f in found}


def pictures(out):
    """Everything that must not differ between two runs: all but the journal, the lock and the Parquet file."""
    others = ("journal.jsonl", "run.lock", "report.parquet")
    return {name: digest for name, digest in contents(out).items() if name not in others}


def report(out):
    """The lines of the report, without the column of times."""
    from pyarrow import parquet

    return parquet.read_table(Path(out) / "report.parquet").drop_columns(["seconds"]).to_pylist()
