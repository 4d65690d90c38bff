"""Which photos a command means, and which file each of them writes: all of it known before any work.

Results carry their photos' names, in the photos' folders below the output's. So no two of them have one name, and a
photo's result has the same name whoever else is in the run; what a file system takes for one name all the same
(``A.jpg`` and ``a.jpg``) is told apart by a few digits.
"""

import hashlib
import os
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from glob import glob
from itertools import takewhile
from pathlib import Path

from .. import files, images
from ..datasets import SUFFIXES
from ..errors import ImageError, SettingsError

# What a folder is searched for; a file that is named may have any suffix.
PICTURES = (*SUFFIXES, ".gif", ".avif", ".heic", ".heif")


@dataclass(frozen=True)
class Job:
    """A photo, and the file that its result is written to."""

    photo: Path
    output: Path


@dataclass(frozen=True)
class Jobs:
    """What a run has to do.

    Attributes:
        jobs: at least one, sorted; no output is an input, or another's output.
        several: whether the output is a folder: a failure is then one photo's and not the run's.
        skipped: files in the folders that are no pictures.
    """

    jobs: list[Job]
    several: bool
    skipped: int = 0


def plan(photos: Sequence[str], output: str, others: Iterable[str | Path] = ()) -> Jobs:
    """Finds the photos and names their results.

    Args:
        photos: files, folders (with all folders in them, but for hidden ones and the output's) and patterns such as
            ``shoes/*.jpg``, which not every shell expands.
        output: a file for one photo that is a file, else a folder.
        others: files that no result may replace either.
    Raises:
        SettingsError: nothing found, or an output of the wrong kind.
        ImageError: the output cannot be written, or is an input.
    """
    if len(photos) == 1 and not (output.endswith(("/", os.sep)) or _is_folder(photos[0]) or _is_pattern(photos[0])):
        return Jobs([Job(Path(photos[0]), images.check_output(output, [*photos, *others]))], several=False)
    folder = Path(output)
    if not output:
        raise ImageError("The name of the output is empty: give the path of a folder.")
    if folder.suffix.lower() in images.SUFFIXES and not _is_folder(output):
        raise SettingsError(f"Several photos are written into a folder, and {output} names one file; give -o DIR.")
    with files.explained(f"{folder} cannot be written into"):
        folder.mkdir(parents=True, exist_ok=True)
        with files.temporary(folder / "result"):
            pass
    found: dict[str, Path] = {}  # absolute name: as the user spelled it
    bases, skipped = [], 0
    for photo in photos:
        base, named, searched = _found(photo, folder)
        pictures = [file for file in searched if file.suffix.lower() in PICTURES]
        skipped += len(searched) - len(pictures)
        found |= {os.path.abspath(file): file for file in [*named, *pictures]}  # noqa: PTH100 - links stay
        bases.append(os.path.abspath(base))  # noqa: PTH100
    if not found:
        raise SettingsError(f"No pictures in {', '.join(photos)}; their names must end in {', '.join(PICTURES)}.")
    try:
        common = os.path.commonpath(bases)
    except ValueError as error:
        raise SettingsError("The photos lie on several drives; style those of each drive in its own run.") from error
    names = _distinct([os.path.relpath(file, common) for file in found], folder)
    jobs = [Job(photo, folder / name) for photo, name in zip(found.values(), names, strict=True)]
    lost = {_identity(file) for file in [*found, *others]} - {None}
    for job in jobs:
        if _identity(job.output) in lost:
            raise ImageError(f"{job.output} is one of the inputs, which would be lost; choose another folder.")
    return Jobs(sorted(jobs, key=lambda job: job.output), True, skipped)


def _is_folder(photo: str) -> bool:
    return os.path.isdir(photo)  # noqa: PTH112 - Path.is_dir raises for a name that is too long


def _is_pattern(photo: str) -> bool:
    return any(sign in photo for sign in "*?[") and not os.path.lexists(photo)


def _found(photo: str, output: Path) -> tuple[Path, list[Path], list[Path]]:
    """The folder that names begin below, the file if it was named itself, and what was found by searching."""
    if _is_folder(photo):
        return Path(photo), [], list(_below(Path(photo), output))
    if not _is_pattern(photo):
        return Path(photo).parent, [Path(photo)], []
    matches = [Path(match) for match in glob(photo, recursive=True)]  # noqa: PTH207 - Path.glob takes no absolute pattern
    if not matches:
        raise SettingsError(f"No file matches {photo}; check the folder and the pattern.")
    base = Path(*takewhile(lambda part: not any(sign in part for sign in "*?["), Path(photo).parts))
    searched = {file: None for match in matches for file in (_below(match, output) if match.is_dir() else [match])}
    return base, [], list(searched)


def _below(folder: Path, output: Path) -> Iterator[Path]:
    """All files in the folder and below, but for hidden ones and an earlier run's results."""

    def refuse(error: OSError) -> None:
        raise error

    with files.explained(f"{folder} cannot be searched"):
        for parent, folders, names in os.walk(folder, onerror=refuse):
            inside = [name for name in folders if not name.startswith(".")]
            folders[:] = [name for name in inside if not (Path(parent) / name).samefile(output)]
            yield from (Path(parent) / name for name in names if not name.startswith("."))


def _distinct(names: list[str], folder: Path) -> list[Path]:
    """The results' names: the photos' own, with ``.png`` where the photo's format cannot be written."""
    paths = [Path(name if name.lower().endswith(images.SUFFIXES) else f"{name}.png") for name in names]

    def place(path: Path) -> str:
        # What Windows and macOS take for one name, and links between folders of the output.
        real = os.path.join(os.path.realpath((folder / path).parent), path.name)  # noqa: PTH118
        return unicodedata.normalize("NFC", real).casefold()

    places = Counter(map(place, paths))
    distinct = []
    for name, path in zip(names, paths, strict=True):
        digits = hashlib.sha256(os.fsencode(name)).hexdigest()[:8]
        distinct.append(path if places[place(path)] == 1 else path.with_name(f"{path.stem}.{digits}{path.suffix}"))
    if len(set(map(place, distinct))) < len(distinct):
        raise SettingsError("Two photos would be written to one file; rename one of them.")
    return distinct


def _identity(file: str | Path) -> tuple[int, int] | None:
    """By which the system knows a file, whatever its spelling; None where there is none."""
    try:
        status = os.stat(file)  # noqa: PTH116
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino
