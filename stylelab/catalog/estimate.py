"""How long a run would take and how much it would write: measured on a few of its rows, in a folder that is deleted."""

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ResourceError, StyleLabError
from . import journal, pipeline, tables
from .ledger import Ledger
from .settings import Settings
from .work import Worker

SAMPLE = 3  # rows, of small, middling and large files
TOLD = 10  # sentences on rows that cannot be used


@dataclass(frozen=True)
class Estimate:
    """What a run would come to.

    Attributes:
        rows: of the catalog.
        todo: rows that there is something to do for.
        unusable: rows that would fail at once.
        sentences: on the first of them.
        seconds: of the run on this machine, as loaded as it is now.
        bytes: that it would write.
        sampled: rows that were tried.
        states: what became of those, as ``{"done": 2, "review": 1}``.
    """

    rows: int
    todo: int
    unusable: int
    sentences: tuple[str, ...]
    seconds: float
    bytes: int
    sampled: int
    states: dict[str, int]


def run(catalog: str | Path, out: str | Path, settings: Settings) -> Estimate:
    """Checks a run's settings, catalog and files, and does a few of its rows for measure. Writes nothing into ``out``.

    Raises:
        SettingsError, ImageError, ResourceError: as ``pipeline.run``.
    """
    settings.check()
    digest, folder, catalog = settings.digest(), Path(out), Path(catalog)
    ledger = Ledger()
    try:
        ledger.plan(tables.entries(catalog))
        for entry in journal.entries(folder):
            ledger.remember(entry)
        begin = pipeline.start(catalog, folder, settings, digest)
        worker = Worker(settings, digest, begin["photos"], begin["out"])
        todo, sizes, sentences = [], [], [known.row.fault for known in ledger.reported() if known.row.fault]
        for number, task in enumerate(pipeline.tasks(ledger)):
            try:
                size = worker.bytes_to_read(task)
            except StyleLabError as error:
                sentences.append(str(error))
                continue
            if size is not None:
                todo.append(number)
                sizes.append(size)
        chosen = _spread(todo, sizes)
        sample = [task for number, task in enumerate(pipeline.tasks(ledger)) if number in chosen]
        rows = sum(ledger.counts().values())
    finally:
        ledger.close()
    seconds, written, states = _tried(sample, len(todo), settings, begin) if sample else (0.0, 0, {})
    told = tuple(sentences[:TOLD])
    return Estimate(rows, len(todo), len(sentences), told, seconds, written, len(sample), states)


def _spread(rows: list[int], sizes: list[int]) -> set[int]:
    """The rows in the middle of each third by size of file, which stands for pixels and detail."""
    ranked = sorted(range(len(rows)), key=lambda place: (sizes[place], place))
    return {rows[ranked[len(ranked) * (2 * third + 1) // (2 * SAMPLE)]] for third in range(SAMPLE)} if rows else set()


def _tried(
    sample: list[dict[str, Any]], todo: int, settings: Settings, begin: dict[str, Any]
) -> tuple[float, int, dict[str, int]]:
    """Seconds, bytes and states for ``todo`` rows like those of the sample."""
    with tempfile.TemporaryDirectory() as folder:
        workers = pipeline.engine(settings, {**begin, "out": folder}, todo)
        try:
            # Each worker loads its network at its first row, and then all of them work at once, as in the run.
            start = time.perf_counter()
            _entries(workers, [sample[k % len(sample)] for k in range(workers.count)])
            loaded = time.perf_counter()
            again = [task for task in sample for _ in range(workers.count)]
            entries = _entries(workers, again)
            each = (time.perf_counter() - loaded) / len(again)
        finally:
            workers.close()
    written = sum(sum(entry["files"].values()) for entry in entries) / len(entries)
    found = [entry["state"] for entry in entries[:: workers.count]]
    states = {state: found.count(state) for state in sorted(set(found))}
    return max(0.0, loaded - start - workers.count * each) + todo * each, round(todo * written), states


def _entries(workers: pipeline.Engine, tasks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    # Two workers at one row at once need two names for it.
    asked = ({**task, "force": True, "stem": f"{k}", "number": k} for k, task in enumerate(tasks))
    found = {}
    for task, answer in workers.work(asked):
        if "stop" in answer:
            raise ResourceError(f"The run would stop: {answer['stop']}")
        found[task["number"]] = answer.get("entry") or {"state": "failed", "files": {}}
    return [found[k] for k in range(len(tasks))]
