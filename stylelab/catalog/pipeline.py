"""A whole catalog in one command: pictures, a report, and a journal that a killed run goes on from.

What makes it safe: every file is written whole or not at all; a row's line in the journal comes after all its files,
and the row is done anew unless the line and the files are there; one process holds the folder's lock and writes the
journal; the workers die with it.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from .. import files, machine
from ..errors import ImageError, ResourceError, SettingsError, StyleLabError
from . import journal as journals
from . import outputs, report, tables
from .ledger import Ledger
from .pool import Pool
from .settings import Settings as Settings

LOCK = "run.lock"
ONLY = ("review", "failed")
MEMORY = 1_500_000_000  # bytes that a worker takes with TensorFlow, the encoder and a picture of 1000 px


@dataclass(frozen=True)
class Step:
    """One row is finished: what a progress bar is told.

    Attributes:
        done, total: rows.
        sku: of the row.
        state: "done", "review" or "failed".
        new: whether there was something to do.
    """

    done: int
    total: int
    sku: str
    state: str
    new: bool


@dataclass(frozen=True)
class Summary:
    """What a run came to.

    Attributes:
        done, review, failed, open: rows of the catalog in each state; open ones were not reached.
        worked: rows that this run worked on; the others were as they should be.
        gone: rows that earlier runs knew and the catalog has no more; their pictures are still there.
        seconds: of this run.
        report: the first page.
    """

    done: int
    review: int
    failed: int
    open: int
    worked: int
    gone: int
    seconds: float
    report: Path


class Engine(Protocol):
    """What works on rows: ``pool.Pool``, or Ray's.

    Attributes:
        count: of its workers.
    """

    count: int

    def work(self, tasks: Iterator[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
        """Yields each row with its answer, in any order; few are under way at a time."""

    def close(self) -> None:
        """Ends all workers at once."""


def run(
    catalog: str | Path,
    out: str | Path,
    settings: Settings,
    *,
    only: str | None = None,
    progress: Callable[[Step], None] | None = None,
) -> Summary:
    """Makes the pictures of a catalog, or what is missing of them.

    A row is done anew when its photo, its mask, what a person said of it, its line in the catalog, the settings or the
    weights have changed, or one of its files is missing; what it had before and has no more is then removed, so that
    the folder never shows an old photo's picture. Pictures of rows that the catalog has no more stay.

    Args:
        catalog: a CSV or Parquet file, see ``tables.entries``.
        out: the run's folder: new, empty, or an earlier run's.
        settings: how.
        only: "review" or "failed": rows in that state alone; failed ones are then tried even if nothing changed.
        progress: called after each row.
    Returns:
        What it came to. One bad row is one line in the report.
    Raises:
        SettingsError: the settings, the catalog as a whole or the folder cannot be used, or another run works there.
        ResourceError: the disk is full, or no worker can start; the report then holds what was done.
    """
    began = time.perf_counter()
    settings.check()
    if only not in (None, *ONLY):
        raise SettingsError(f"Only {only!r} cannot be asked for: choose one of {', '.join(ONLY)}.")
    digest, folder, catalog = settings.digest(), Path(out), Path(catalog)
    ledger = Ledger()
    try:
        ledger.plan(tables.entries(catalog))
        with _held(folder), _closing(journals.Journal(folder)) as journal:
            for entry in journals.entries(folder):
                ledger.remember(entry)
            _sweep(folder)
            try:
                worked = _work(catalog, folder, settings, digest, only, progress, ledger, journal)
            except BaseException:
                with suppress(StyleLabError, OSError):  # the disk may be full; what ended the run is said
                    report.write(folder, ledger, catalog.name, settings)
                raise
            first = report.write(folder, ledger, catalog.name, settings)
        return Summary(
            **ledger.counts(), worked=worked, gone=ledger.gone(), seconds=time.perf_counter() - began, report=first
        )
    finally:
        ledger.close()


def start(catalog: Path, folder: Path, settings: Settings, digest: str) -> dict[str, Any]:
    """What a worker is told at its start."""
    photos = Path(settings.photos) if settings.photos else catalog.parent
    return {
        "settings": settings.as_json(),
        "digest": digest,
        "photos": str(photos.absolute()),
        "out": str(folder.absolute()),
    }


def engine(settings: Settings, begin: dict[str, Any], rows: int) -> Engine:
    """The engine that the settings name, with as many workers as the machine and the work have room for."""
    if settings.engine == "ray":
        from .ray_engine import RayEngine

        return RayEngine(settings.workers, begin)
    return Pool(min(settings.workers or _workers(), max(1, rows)), begin)


def tasks(ledger: Ledger, only: str | None = None) -> Iterator[dict[str, Any]]:
    """The rows for the workers, see ``work.Worker.do``."""
    for known in ledger.usable():
        if only is None or known.state == only:
            row = {name: getattr(known.row, name) for name in ("sku", "image", "mask", "title", "number")}
            more = {"variant": known.variant, "stem": known.stem, "previous": known.entry, "force": only == "failed"}
            yield row | more


def _work(
    catalog: Path,
    folder: Path,
    settings: Settings,
    digest: str,
    only: str | None,
    progress: Callable[[Step], None] | None,
    ledger: Ledger,
    journal: journals.Journal,
) -> int:
    """Lets the workers do what is to be done, and returns how many rows that was."""
    worked, total = 0, ledger.count(only)
    workers = engine(settings, start(catalog, folder, settings, digest), total)
    try:
        for done, (task, answer) in enumerate(workers.work(tasks(ledger, only)), 1):
            if "stop" in answer:
                raise ResourceError(f"The run stopped: {answer['stop']} Run it again then, and it goes on.")
            entry = answer["entry"] if "entry" in answer else _dead(folder, task, answer["died"])
            if entry:
                worked += 1
                journal.append(entry)
                ledger.remember(entry)
            if progress is not None:
                state = (entry or task["previous"])["state"]
                progress(Step(done, total, task["sku"], state, bool(entry)))
    finally:
        workers.close()
        _sweep(folder)
    return worked


def _dead(folder: Path, task: dict[str, Any], why: str) -> dict[str, Any]:
    """The entry of a row that no worker survived; without a key, so that the next run tries it again."""
    outputs.tidy(folder, task["stem"], {})
    sentence = f"{task['image']} ended its worker twice ({why}): look at the photo, or use fewer --workers."
    row = {name: task[name] for name in ("sku", "variant", "stem")}
    return {**row, "state": "failed", "sentence": sentence, "files": {}, "seconds": 0.0}


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Makes the folder and holds its lock.

    Raises:
        SettingsError: another run holds it, or the folder holds something else.
    """
    from filelock import FileLock, Timeout

    with files.explained(f"The folder {folder} cannot be used"):
        folder.mkdir(parents=True, exist_ok=True)
        own = {LOCK, journals.NAME}
        others = (path.name for path in folder.iterdir() if path.name not in own and not _is_unfinished(path.name))
        if not (folder / journals.NAME).exists() and (other := next(others, None)) is not None:
            raise ImageError(f"it holds {other} and no journal of a run; choose a new or empty folder")
        lock = FileLock(folder / LOCK)
        try:
            lock.acquire(blocking=False)
        except Timeout:
            raise SettingsError(f"Another run works in {folder}: wait for it, or choose another folder.") from None
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _closing(journal: journals.Journal) -> Iterator[journals.Journal]:
    try:
        yield journal
    finally:
        journal.close()


def _is_unfinished(name: str) -> bool:
    return name.startswith(".stylelab-") and name.endswith(".tmp")  # of files.temporary


def _sweep(folder: Path) -> None:
    """Removes what killed writers left unfinished."""
    for parent, _, found in os.walk(folder):
        for name in filter(_is_unfinished, found):
            with suppress(OSError):
                (Path(parent) / name).unlink()


def _workers() -> int:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores, machine.memory_available() // MEMORY))
