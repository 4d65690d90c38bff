"""What a run knows of every row: what the catalog says, and what became of it.

A temporary database on disk, because a catalog may have a million rows; it is made anew from the catalog and the
journal at each start, so it need not survive anything.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass
from typing import Any

from . import names
from .tables import Row

STATES = ("failed", "review", "open", "done")  # the order of the report

_TABLES = """
CREATE TABLE rows(number INTEGER PRIMARY KEY, sku, image, mask, title, part, fault, place, stem, variant INTEGER);
CREATE TABLE results(sku, variant INTEGER, state, entry, PRIMARY KEY(sku, variant)) WITHOUT ROWID;
CREATE INDEX by_sku ON rows(sku, image, number);
CREATE INDEX by_place ON rows(place, sku);
CREATE INDEX by_row ON rows(sku, variant);
"""
# Rows with one SKU and different pictures are variants, numbered in the catalog's order; a repetition is a fault.
_RESOLVE = """
UPDATE rows SET fault = 'Row ' || number || ' of the catalog repeats row ' || (
    SELECT min(number) FROM rows AS r WHERE r.sku = rows.sku AND r.image = rows.image AND r.fault = ''
) || ': delete one of them.' WHERE fault = '' AND EXISTS (
    SELECT 1 FROM rows AS r WHERE r.sku = rows.sku AND r.image = rows.image AND r.number < rows.number AND r.fault = ''
);
UPDATE rows SET variant = numbered.variant FROM (
    SELECT number, row_number() OVER (PARTITION BY sku ORDER BY number) AS variant FROM rows WHERE fault = ''
) AS numbered WHERE rows.number = numbered.number;
UPDATE rows SET stem = stem(sku, variant, NOT EXISTS (
    SELECT 1 FROM rows AS r WHERE r.place = rows.place AND r.sku <> rows.sku
)) WHERE fault = '';
"""
_STATE = "CASE WHEN fault <> '' THEN 'failed' ELSE coalesce(state, 'open') END"
_JOINED = "FROM rows LEFT JOIN results USING (sku, variant)"


@dataclass(frozen=True)
class Known:
    """A row with what became of it.

    Attributes:
        row: what the catalog says.
        variant: 1 for a SKU's first picture, 2 for its second, and so on.
        stem: what all files of the row are called by: no other row's, whatever the file system.
        state: one of ``STATES``.
        entry: the journal's latest entry of the row, or {}.
    """

    row: Row
    variant: int
    stem: str
    state: str
    entry: dict[str, Any]


class Ledger:
    """The rows of a catalog, and what became of them."""

    def __init__(self) -> None:
        self._base = sqlite3.connect("")  # "": a file that SQLite deletes; ":memory:" would grow
        self._base.create_function("stem", 3, _stem, deterministic=True)
        self._base.executescript(_TABLES)

    def plan(self, rows: Iterable[Row]) -> None:
        """Takes the catalog's rows in, numbers the variants and names their files."""
        wanted = ((*astuple(row), names.place(row.sku)) for row in rows)
        columns = "number, sku, image, mask, title, part, fault, place"
        self._base.executemany(f"INSERT INTO rows({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", wanted)
        self._base.executescript(_RESOLVE)

    def remember(self, entry: dict[str, Any]) -> None:
        """Takes an entry of the journal in; it replaces an earlier one of the same row."""
        values = (entry["sku"], entry["variant"], entry["state"], json.dumps(entry))
        self._base.execute("INSERT OR REPLACE INTO results VALUES (?, ?, ?, ?)", values)

    def entry(self, sku: str, variant: int) -> dict[str, Any]:
        """The latest entry of a row, or {}."""
        query = "SELECT entry FROM results WHERE sku = ? AND variant = ?"
        found = self._base.execute(query, (sku, variant)).fetchone()
        return json.loads(found[0]) if found else {}

    def usable(self) -> Iterator[Known]:
        """All rows without a fault, in the catalog's order; entries may be remembered meanwhile."""
        columns = "number, sku, image, mask, title, part, fault, variant, stem"
        query = f"SELECT {columns} FROM rows WHERE fault = '' ORDER BY number"
        for *fields, variant, stem in self._base.execute(query):
            row = Row(*fields)
            entry = self.entry(row.sku, variant)
            yield Known(row, variant, stem, entry.get("state", "open"), entry)

    def reported(self) -> Iterator[Known]:
        """All rows, failures first, then those for review, those not done yet and those done."""
        order = " ".join(f"WHEN '{state}' THEN {rank}" for rank, state in enumerate(STATES))
        query = f"""SELECT number, sku, image, mask, title, part, fault, variant, stem, {_STATE} AS was, entry
            {_JOINED} ORDER BY CASE was {order} END, number"""
        for *fields, variant, stem, state, entry in self._base.execute(query):
            yield Known(Row(*fields), variant or 0, stem or "", state, json.loads(entry) if entry else {})

    def counts(self) -> dict[str, int]:
        """How many rows are in each of ``STATES``."""
        found = dict(self._base.execute(f"SELECT {_STATE} AS was, count(*) {_JOINED} GROUP BY was"))
        return {state: found.get(state, 0) for state in STATES}

    def count(self, only: str | None = None) -> int:
        """How many rows :meth:`usable` yields, of one state alone if that is given."""
        query = f"SELECT count(*) {_JOINED} WHERE fault = '' AND coalesce(state, 'open') = coalesce(?, state, 'open')"
        return self._base.execute(query, (only,)).fetchone()[0]

    def gone(self) -> int:
        """How many rows the journal knows that the catalog has no more."""
        query = """SELECT count(*) FROM results WHERE NOT EXISTS (
            SELECT 1 FROM rows WHERE rows.sku = results.sku AND rows.variant = results.variant)"""
        return self._base.execute(query).fetchone()[0]

    def close(self) -> None:
        """Deletes the database."""
        self._base.close()


def _stem(sku: str, variant: int, alone: int) -> str:
    # "~" is in no folder's name, so a SKU "A~2" is not taken for the second picture of "A".
    return names.folder(sku, bool(alone)) + (f"~{variant}" if variant > 1 else "")
