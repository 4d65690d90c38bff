"""The journal of a run: one JSON line for each row that is finished, on disk before the next step.

It is what a killed run is resumed from. A line is added only after everything that it speaks of is on disk; the last
line may be torn, all others are whole.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .. import files
from ..errors import SettingsError

NAME = "journal.jsonl"
HEADER = {"stylelab": "catalog", "journal": 1}


class Journal:
    """An append-only file of entries.

    Args:
        folder: of the run; must be there.
    Raises:
        SettingsError: a file of the journal's name is none, or a later version's.
        ImageError: it cannot be opened.
    """

    def __init__(self, folder: Path):
        self.path = folder / NAME
        with files.explained(f"The journal {self.path} cannot be opened"):
            self._file = self.path.open("a+b", buffering=0)
            self._check()

    def _check(self) -> None:
        """Cuts off a torn last line; a torn first one is as good as none."""
        self._file.seek(0)
        header, whole = _line(HEADER), 0
        if not header.startswith(self._file.read(len(header))):
            raise SettingsError(f"{self.path} is not a journal that this version knows: choose another folder.")
        self._file.seek(0)
        for line in self._file:
            whole += len(line) if line.endswith(b"\n") else 0
        self._file.truncate(whole)
        if not whole:
            self.append(HEADER)
            _sync_folder(self.path.parent)  # or a power cut could lose the file's name

    def append(self, entry: dict[str, Any]) -> None:
        """Adds an entry, which is on disk when this returns.

        Raises:
            ImageError: the disk is full, or the like; the part that was written is cut off at the next opening.
        """
        line = _line(entry)
        with files.explained(f"The journal {self.path} cannot be written"):
            while line:
                line = line[self._file.write(line) :]
            os.fsync(self._file.fileno())

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


def entries(folder: Path) -> Iterator[dict[str, Any]]:
    """All entries of a folder's journal, oldest first; none without a journal. Nothing is written.

    A line that a damaged disk made unreadable is left out, and its row done anew.
    """
    path = folder / NAME
    if not path.is_file():
        return
    with files.explained(f"The journal {path} cannot be read"), path.open("rb") as file:
        for line in file:
            entry = _parsed(line) if line.endswith(b"\n") else None
            if isinstance(entry, dict) and entry.keys() >= {"sku", "variant", "stem", "state", "files"}:
                yield entry


def _line(entry: dict[str, Any]) -> bytes:
    return json.dumps(entry, separators=(",", ":")).encode() + b"\n"


def _parsed(line: bytes) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return None


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":  # elsewhere a folder cannot be opened
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
