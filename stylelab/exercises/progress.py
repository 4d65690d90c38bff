"""What a reader has done: the best and the last result of each exercise, in one small file of the reader's own.

The file is ``progress.json`` in the out folder. It holds names and words, no times and no answers, and nothing of it
leaves the machine. :meth:`stylelab.exercises.Exercise.check` writes it; ``stylelab progress`` and
``course.progress()`` show it.
"""

import json
import os
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path
from textwrap import shorten
from typing import Any

from stylelab import files, samples
from stylelab.errors import StyleLabError

FILE, ASIDE = "progress.json", "progress.broken.json"
TRIED = ("wrong", "right")
_HEAD = ("Chapter", "Exercise", "What", "Status")
_COLORS = {"not attempted": "#9e9e9e", "wrong": "#b26a00", "right": "#2e7d32"}


def out_folder() -> Path:
    """Where chapters write: ``out/`` in the project's folder, or STYLELAB_OUT."""
    chosen = os.environ.get("STYLELAB_OUT")
    return Path(chosen) if chosen else samples.data_root().parent / "out"


def record(name: str, status: str) -> str:
    """Keeps the result of an attempt; what was right once stays right.

    Args:
        name: the exercise's name.
        status: "right" or "wrong". Anything else, as "not attempted", changes nothing.
    Returns:
        A sentence where something is to be said: the file was none of ours, or it cannot be written. Else "".
    """
    if status not in TRIED:
        return ""
    path = out_folder() / FILE
    kept, fault = _read(path)
    before = kept.get(name, {})
    best = "right" if _is_entry(before) and before["best"] == "right" else status
    entry = {"best": best, "last": status}
    if entry == before:
        return ""
    try:
        if fault:
            path.replace(path.with_name(ASIDE))
        ours = {other: one for other, one in kept.items() if _is_entry(one)}
        files.write(path, json.dumps({**ours, name: entry}, indent=1, sort_keys=True).encode())
    except OSError as error:
        return f"(Your progress is not kept: {fault} It cannot be moved: {error.strerror or error}.)"
    except StyleLabError as error:
        return f"(Your progress is not kept: {error})"
    return f"({fault} It is {path.parent.name}/{ASIDE} now, and a new one has begun.)" if fault else ""


def _read(path: Path) -> tuple[dict[str, Any], str]:
    """The file's entries by name, not yet looked at, and a sentence where it is no record of progress."""
    try:
        kept = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return {}, ""
    except (OSError, ValueError, RecursionError):  # RecursionError: a thousand brackets
        kept = None
    if isinstance(kept, dict):
        return kept, ""
    return {}, f"{path.parent.name}/{path.name} is no record of progress that can be read."


def _is_entry(value: Any) -> bool:
    """Whether it is what :func:`record` writes."""
    return isinstance(value, dict) and value.keys() == {"best", "last"} and all(one in TRIED for one in value.values())


@dataclass(frozen=True)
class Row:
    """An exercise and how far it is: ``status`` is the best result, ``last`` that of the last attempt."""

    chapter: str
    exercise: str
    what: str
    status: str = "not attempted"
    last: str = "not attempted"

    def words(self) -> str:
        """The status, and the last attempt where it says something else."""
        return self.status if self.last == self.status else f"{self.status} (last attempt: {self.last})"


@dataclass(frozen=True, repr=False)
class Progress:
    """Every exercise of the course with its status: a table in a notebook, and the same as text elsewhere.

    Attributes:
        rows: by chapter, the open exercise last.
        note: a sentence on what the file holds and is ignored; "" where there is nothing to say.
    """

    rows: tuple[Row, ...]
    note: str = ""

    def total(self) -> str:
        """How many exercises are right, wrong and not attempted, in a sentence."""
        count = {status: sum(row.status == status for row in self.rows) for status in _COLORS}
        return (
            f"{count['right']} of {len(self.rows)} exercises are right, {count['wrong']} wrong, "
            f"{count['not attempted']} not attempted."
        )

    def json_lines(self) -> str:
        """One JSON object a row."""
        return "\n".join(json.dumps(asdict(row)) for row in self.rows)

    def __repr__(self) -> str:
        table = [_HEAD, *((row.chapter, row.exercise, row.what, row.words()) for row in self.rows)]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = ["  ".join(map(str.ljust, cells, widths)).rstrip() for cells in table]
        return "\n".join([*lines, self.total(), *filter(None, [self.note])])

    def _repr_html_(self) -> str:
        # Words carry the status; the color of the line beside them only repeats it, so that it may be any theme's.
        cell = "text-align: left; padding: 0.15em 0.8em"
        head = "".join(f'<th scope="col" style="{cell}">{name}</th>' for name in _HEAD)
        body = "".join(
            f'<tr><td style="{cell}">{row.chapter}</td><th scope="row" style="{cell}">{escape(row.exercise)}</th>'
            f'<td style="{cell}">{escape(row.what)}</td>'
            f'<td style="{cell}; border-left: 4px solid {_COLORS[row.status]}">{row.words()}</td></tr>'
            for row in self.rows
        )
        note = f"<p>{escape(self.note)}</p>" if self.note else ""
        caption = f'<caption style="{cell}; caption-side: top"><b>{self.total()}</b></caption>'
        return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{note}"


def progress() -> Progress:
    """What the reader of this machine has done of the course; a file that is none of ours counts as nothing done."""
    from stylelab.exercises import registered

    path, known = out_folder() / FILE, registered()
    kept, note = _read(path)
    entries = {name: entry for name, entry in kept.items() if name in known and _is_entry(entry)}
    if ignored := len(kept) - len(entries):
        what = "1 entry is" if ignored == 1 else f"{ignored} entries are"
        note = f"{what} ignored in {path.parent.name}/{FILE}: no result of an exercise of this course."
    rows = []
    for one in sorted(known.values(), key=lambda one: (one.chapter, one.open)):
        entry = entries.get(one.name, {"best": "not attempted", "last": "not attempted"})
        what = shorten(one.task.removeprefix("Write "), 52, placeholder=" ...", break_on_hyphens=False)
        rows.append(Row(one.chapter, one.name, what, entry["best"], entry["last"]))
    return Progress(tuple(rows), note)
