"""The report of a run: ``report.parquet`` for programs, ``report.html`` and its further pages for people.

Both are written from the ledger row by row, so that a long catalog costs no memory. Only the column ``seconds`` differs
between two runs that made the same pictures.
"""

import dataclasses
import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from .. import files
from . import report_page
from .ledger import Known, Ledger
from .settings import Settings

TABLE = "report.parquet"
BATCH = 200  # lines in memory at once, as Python's objects
GROUP = 5  # batches in a row group: Parquet keeps what describes each group in memory until the file is closed


def write(folder: Path, ledger: Ledger, catalog: str, settings: Settings) -> Path:
    """Writes both; a file that was there is replaced only when the new one is whole.

    Args:
        folder: of the run.
        ledger: the rows and what became of them.
        catalog: its name, for the heading.
        settings: of the run.
    Returns:
        The first page.
    Raises:
        ImageError: a file cannot be written.
    """
    _write_table(folder / TABLE, (line for known in ledger.reported() for line in lines(known)))
    return report_page.write(folder, ledger.reported(), ledger.counts(), catalog, settings)


def lines(known: Known) -> Iterator[dict[str, Any]]:
    """The lines of ``report.parquet`` for a row: one for each picture, or one that says why there is none."""
    row, entry = known.row, known.entry if not known.row.fault else {}
    shared = {
        "row": row.number,
        "sku": row.sku,
        "variant": known.variant,
        "title": row.title,
        "group": row.group,
        "image": row.image,
        "state": known.state,
        "reason": row.fault or entry.get("sentence", ""),
        "notes": " ".join(entry.get("notes", ())),
        "mask": entry.get("mask"),
        "confidence": entry.get("confidence"),
        "seconds": entry.get("seconds"),
    }
    for picture in entry.get("pictures", ()):
        yield shared | {key: value for key, value in picture.items() if key != "measures"} | picture["measures"]
    if not entry.get("pictures"):
        yield shared


def _write_table(path: Path, table: Iterator[dict[str, Any]]) -> None:
    import pyarrow
    from pyarrow import parquet

    schema = _schema()
    batches = iter(lambda: pyarrow.Table.from_pylist(list(islice(table, BATCH)), schema=schema), schema.empty_table())
    with files.explained(f"{path} cannot be written"), files.temporary(path) as unfinished:
        with parquet.ParquetWriter(unfinished, schema) as writer:
            while group := list(islice(batches, GROUP)):
                writer.write_table(pyarrow.concat_tables(group))
        with unfinished.open("rb+") as file:
            os.fsync(file.fileno())
        unfinished.replace(path)


def _schema() -> Any:
    import pyarrow as pa

    from .measures import Measures

    text, whole, real = pa.string(), pa.int64(), pa.float64()
    names = {
        "row": whole, "sku": text, "variant": whole, "title": text, "group": text, "image": text, "state": text,
        "reason": text, "notes": text, "mask": text, "confidence": real, "style": text, "size": whole, "format": text,
        "file": text, "bytes": whole, "width": whole, "height": whole,
    }  # fmt: skip
    names |= {field.name: whole if field.type is int else real for field in dataclasses.fields(Measures)}
    return pa.schema(list((names | {"seconds": real}).items()))
