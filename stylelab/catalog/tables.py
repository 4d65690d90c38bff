"""Reading a catalog: a CSV or Parquet file, row by row, so that its length costs no memory.

Everything is text as it stands in the file: a SKU ``007`` or ``NA`` is neither a number nor missing, which is why CSV
goes through the standard library's reader and not through pandas; it also knows each row's line. What is wrong with
the file as a whole ends the reading; what is wrong with one row is that row's ``fault``.
"""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import files
from ..errors import SettingsError

NEEDED = ("sku", "image")
OPTIONAL = ("mask", "title", "group")
DELIMITERS = ",;\t|"
BATCH = 1000  # rows of a Parquet file in memory at once
LONGEST = 100_000  # characters of the header
WIDE = "it has more fields than the header: put quotation marks around commas"


@dataclass(frozen=True)
class Row:
    """One row of a catalog, stripped of white space around its fields.

    Attributes:
        number: of its line in a CSV file, where the header is 1; of its row in a Parquet file, from 1.
        sku, image, mask, title, group: "" where the catalog has none.
        fault: a sentence when the row cannot be used, else "".
    """

    number: int
    sku: str
    image: str
    mask: str = ""
    title: str = ""
    group: str = ""
    fault: str = ""


def entries(catalog: str | Path) -> Iterator[Row]:
    """The rows of a catalog.

    CSV in UTF-8 or, with its mark at the start, UTF-16; separated by commas, semicolons (Excel in most of Europe),
    tabs or bars. Columns are found by name, in any order and case; others are ignored.

    Raises:
        ImageError: the file cannot be read.
        SettingsError: it is no catalog: encoding, columns, quotes, an Excel workbook, or no row at all.
    """
    path, count = Path(catalog), 0
    with files.explained(f"The catalog {path} cannot be read"), path.open("rb") as file:
        start = file.read(4)
        if start == b"PAR1":
            found = _parquet(path)
        elif start[:2] == b"PK":
            raise SettingsError(f"The catalog {path} is an Excel workbook: save it as CSV UTF-8.")
        else:
            found = _csv(path, start)
        for row in found:
            count += 1
            yield row
    if not count:
        raise SettingsError(f"The catalog {path} has no rows below its header: add one for each picture.")


def _csv(path: Path, start: bytes) -> Iterator[Row]:
    encoding = "utf-16" if start[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    with path.open(encoding=encoding, newline="") as file:
        try:
            yield from _lines(path, file)
        except UnicodeError:
            advice = "save it as CSV UTF-8 (Excel: Save as, CSV UTF-8)"
            raise SettingsError(f"The catalog {path} is not written in UTF-8: {advice}.") from None


def _lines(path: Path, file: io.TextIOWrapper) -> Iterator[Row]:
    first = file.readline(LONGEST)
    hint = first.lower().startswith("sep=")  # Excel's own first line
    header = file.readline(LONGEST) if hint else first
    if "\0" in header:
        raise SettingsError(f"The catalog {path} is no text: save it as CSV UTF-8 or Parquet.")
    file.seek(0)
    # strict: without it a forgotten quotation mark silently makes one field of many rows.
    reader = csv.reader(file, delimiter=max(DELIMITERS, key=header.count), strict=True)
    try:
        names: list[str] = []
        for _ in range(1 + hint):
            names = next(reader, [])
        columns, begun = _columns(path, names), reader.line_num
        for fields in reader:
            number, begun = begun + 1, reader.line_num
            if any(field.strip() for field in fields):
                values = {name: fields[place] for name, place in columns.items() if place < len(fields)}
                yield _row(number, values, WIDE if any(field.strip() for field in fields[len(names) :]) else "")
    except csv.Error as error:
        where = f"at line {reader.line_num} ({error})"
        advice = "look for a quotation mark without its partner"
        raise SettingsError(f"The catalog {path} cannot be read {where}: {advice}.") from None


def _columns(path: Path, names: Sequence[str]) -> dict[str, int]:
    """Where each known column stands."""
    plain = [name.strip().lower() for name in names]
    for name in (*NEEDED, *OPTIONAL):
        if plain.count(name) > 1:
            raise SettingsError(f"The catalog {path} has {plain.count(name)} columns {name!r}: keep one.")
    if missing := [name for name in NEEDED if name not in plain]:
        found = ", ".join(name.strip()[:40] for name in names if name.strip())[:200] or "none"
        raise SettingsError(f"The catalog {path} has no column {' and no '.join(missing)} (found: {found}): add it.")
    return {name: plain.index(name) for name in (*NEEDED, *OPTIONAL) if name in plain}


def _parquet(path: Path) -> Iterator[Row]:
    import pyarrow
    from pyarrow import parquet

    try:
        file = parquet.ParquetFile(path)
        columns = _columns(path, file.schema_arrow.names)
        number = 0
        named = {name: file.schema_arrow.names[place] for name, place in columns.items()}
        for batch in file.iter_batches(BATCH, columns=list(named.values())):
            for record in batch.to_pylist():
                number += 1
                yield _row(number, {name: _text(record[column]) for name, column in named.items()})
    except pyarrow.ArrowException as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise SettingsError(f"The catalog {path} is a damaged Parquet file ({reason}): write it again.") from None


def _text(value: Any) -> str:
    """A cell as text: pandas writes a column of whole numbers with a gap in it as floats."""
    if value is None or value != value:
        return ""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _row(number: int, values: dict[str, str], fault: str = "") -> Row:
    stripped = {name: value.strip() for name, value in values.items()}
    missing = [name for name in NEEDED if not stripped.get(name)]
    if missing:
        fault = f"it has no {' and no '.join(missing)}: fill it in"
    whole = {name: stripped.get(name, "") for name in (*NEEDED, *OPTIONAL)}
    return Row(number, fault=f"Row {number} of the catalog cannot be used: {fault}." if fault else "", **whole)
