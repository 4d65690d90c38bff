"""``stylelab lint`` and ``stylelab verify``: which slot a picture is fit for, and whether it is as it was sealed."""

import argparse
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ..errors import SettingsError
from . import jobs
from .terminal import complain, note, say, sentence


def add(commands: Any) -> None:
    """Adds both commands to the parser."""
    lint = commands.add_parser(
        "lint",
        help="for which slot of a marketplace a picture is fit, and why not for the others",
        description="Checks pictures against marketplaces' rules. Exit code 1: one is fit for none, or unreadable.",
    )
    option = lint.add_argument
    option("photos", metavar="PHOTO", nargs="+", help="picture file, or folder of pictures")
    option("--slot", action="append", metavar="NAME", help="check this slot only (can be given more than once)")
    option("--rules", metavar="FILE", help="YAML file of your own slots, instead of those that ship")
    option("--mask", metavar="FILE", help="white where the product is, for one photo (default: it is found out)")
    option("--json", action="store_true", help="print one JSON object per photo and nothing else on stdout")
    lint.set_defaults(command=run_lint)

    verify = commands.add_parser(
        "verify",
        help="whether pictures, their masks and their sidecars are as they were written",
        description="Compares pictures with their sidecars. Exit code 1: one is not as it was sealed, or unreadable.",
    )
    option = verify.add_argument
    option("photos", metavar="FILE", nargs="+", help="picture file with its sidecar FILE.json, or folder of these")
    option("--source", metavar="PHOTO", help="the photo that the one FILE should have been made from")
    option("--json", action="store_true", help="print one JSON object per file and nothing else on stdout")
    verify.set_defaults(command=run_verify)


def run_lint(arguments: argparse.Namespace) -> int:
    """Checks all pictures; one that cannot be read is told of and does not stop the others.

    Returns:
        0, or 1 when a picture is fit for no slot or cannot be read.
    Raises:
        StyleLabError: the rules, a slot's name or the options are wrong.
    """
    from ..catalog import rules

    pictures = _one_for(arguments, "mask")
    slots = _chosen(rules.slots(arguments.rules), arguments.slot)
    failed, used = 0, set()
    for path in pictures:
        record: dict[str, Any] = {"file": str(path), "slots": {}, "error": None}
        try:
            for verdict in rules.lint(path, mask=arguments.mask, slots=slots):
                record["slots"][verdict.slot] = {"fit": verdict.fit, "reasons": verdict.reasons}
        except Exception as error:
            record["error"] = _told(path, error)
            complain(record["error"])
        fit = [name for name, found in record["slots"].items() if found["fit"]]
        failed += not fit
        used.update(fit)
        if arguments.json:
            say(json.dumps(record))
        elif record["error"] is None:
            say(str(path))
            for name, found in record["slots"].items():
                say(f"  {name}: {' '.join(['not fit.', *found['reasons']]) if found['reasons'] else 'fit'}")
    for slot in slots:
        if slot.name in used and slot.unchecked:
            note(f"not checked for {slot.name}, and for a person to see: {slot.unchecked}.")
    return 1 if failed else 0


def run_verify(arguments: argparse.Namespace) -> int:
    """Verifies all pictures.

    Returns:
        0, or 1 when one is not as it was sealed or cannot be read.
    Raises:
        StyleLabError: the options are wrong.
    """
    from ..catalog import provenance

    failed = 0
    for path in _one_for(arguments, "source"):
        try:
            found = provenance.verify(path, source=arguments.source)
        except Exception as error:
            found = provenance.Verified((_told(path, error),))
        failed += bool(found.failures)
        if arguments.json:
            say(json.dumps({"file": str(path), "failures": found.failures, "notes": found.notes}))
        else:
            state = "not as it was sealed." if found.failures else "as it was sealed."
            say(" ".join([f"{path}: {state}", *found.failures, *found.notes]))
    return 1 if failed else 0


def _chosen(slots: Sequence[Any], names: Sequence[str] | None) -> list[Any]:
    known = {slot.name: slot for slot in slots}
    for name in names or ():
        if name not in known:
            raise SettingsError(f"No slot is called {name!r}: choose one of {', '.join(known)}.")
    return [known[name] for name in dict.fromkeys(names or known)]


def _one_for(arguments: argparse.Namespace, option: str) -> list[Path]:
    """The pictures; only one when an option was given that belongs to one."""
    pictures = list(_pictures(arguments.photos))
    if getattr(arguments, option) is not None and len(pictures) > 1:
        raise SettingsError(f"--{option} belongs to one picture, and there are {len(pictures)}; give one.")
    return pictures


def _pictures(names: Sequence[str]) -> Iterator[Path]:
    """What is named, and the pictures in what is a folder, but for hidden ones and masks that lie beside pictures.

    A folder without pictures stands for itself: that it cannot be read is then told like any other failure.
    """
    for name in names:
        if not os.path.isdir(name):  # noqa: PTH112 - Path.is_dir raises for a name that is too long
            yield Path(name)
            continue
        below = sorted(path for path in Path(name).rglob("*") if path.suffix.lower() in jobs.PICTURES)
        shown = [path for path in below if not any(part.startswith(".") for part in path.relative_to(name).parts)]
        yield from [path for path in shown if path.suffixes[-2:-1] != [".mask"]] or [Path(name)]


def _told(path: Path, error: Exception) -> str:
    told = sentence(error) or f"{path} failed by a mistake in StyleLab ({type(error).__name__}: {error})."
    return told if str(path) in told else f"{path}: {told}"
