"""What marketplaces and a house ask of a picture, as data, and which slot a picture is fit for.

The rules that ship are in ``rules.yaml``, each with its source and the day it was read; one's own come from a file of
the same form. What a check does is in ``checks``.
"""

import datetime
import functools
import inspect
import reprlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import files, images
from ..errors import ImageError, SettingsError
from . import checks
from .subject import Subject, Unknown

LARGEST = 100_000  # bytes of a file of rules
_TEXTS = ("title", "source", "caveat", "unchecked")


@dataclass(frozen=True)
class Slot:
    """A place for a picture, with what is asked of it.

    Attributes:
        name: by which it is chosen, as "amazon_main".
        title: for people.
        source: where the rules are written.
        date: when they were read there, as "2026-11-26".
        checks: name of a check in ``checks.CHECKS`` -> its arguments.
        caveat: how sure the rules are; may be empty.
        unchecked: what pixels do not tell, for a person to look at; may be empty.
    """

    name: str
    title: str
    source: str
    date: str
    checks: dict[str, dict[str, Any]]
    caveat: str = ""
    unchecked: str = ""


@dataclass(frozen=True)
class Verdict:
    """Whether a picture is fit for a slot, and if not, why: one sentence for each rule that it breaks."""

    slot: str
    fit: bool
    reasons: tuple[str, ...]


def slots(file: str | Path | None = None) -> list[Slot]:
    """The slots of a file of rules; None: those that ship.

    Raises:
        SettingsError: the file is no file of rules; with file, slot and key.
        ImageError: it cannot be read.
    """
    return _shipped() if file is None else _read(Path(file))


def lint(path: str | Path, *, mask: str | Path | None = None, slots: Sequence[Slot] | None = None) -> list[Verdict]:
    """Which slots a picture is fit for.

    Args:
        path: the picture's file; its sidecar, if there is one, is read, too.
        mask: a gray picture of the same size, white = product; None: where the product is, is found out.
        slots: what to check; None: what ships.
    Returns:
        One verdict for each slot, in order.
    Raises:
        ImageError: the picture or its mask cannot be read.
    """
    picture = images.open_picture(path)
    values = None if mask is None else images.read_mask(mask, picture.rgb.shape[:2])
    subject = Subject(Path(path), picture, values)
    verdicts = []
    for slot in _shipped() if slots is None else slots:
        reasons = [reason for name, given in slot.checks.items() if (reason := _reason(name, subject, given))]
        verdicts.append(Verdict(slot.name, not reasons, tuple(dict.fromkeys(reasons))))
    return verdicts


def _reason(name: str, subject: Subject, given: dict[str, Any]) -> str | None:
    try:
        return checks.CHECKS[name](subject, **given)
    except Unknown as unknown:
        return str(unknown)


@functools.cache
def _shipped() -> list[Slot]:
    return _read(Path(__file__).with_name("rules.yaml"))


def _read(path: Path) -> list[Slot]:
    import yaml

    with files.explained(f"The rules {path} cannot be read"):
        if path.stat().st_size > LARGEST:
            raise ImageError(f"the file has more than {LARGEST:,} bytes; rules are shorter")
        text = path.read_text(encoding="utf-8")
    try:
        found = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        where = getattr(error, "problem_mark", None)
        line = f" near line {where.line + 1}" if where else ""
        raise SettingsError(f"The rules {path} are not YAML{line}: check indentation and quotation marks.") from None
    if not isinstance(found, dict) or not found:
        raise SettingsError(f"The rules {path} hold no slots: begin with a name, a colon and its title, source, ...")
    return [_slot(path, name, content) for name, content in found.items()]


def _slot(path: Path, name: Any, content: Any) -> Slot:
    def wrong(what: str) -> SettingsError:
        return SettingsError(f"The rules {path}, slot {_short(name)}: {what}.")

    if not isinstance(name, str):
        raise wrong("its name is no text; put it in quotation marks")
    if not isinstance(content, dict):
        raise wrong("it holds no keys; give it title, source, date and checks")
    known = inspect.signature(Slot).parameters
    for key in content:
        if key not in known or key == "name":
            raise wrong(f"key {_short(key)} is not known; it has {', '.join([*known][1:])}")
    for key in ("title", "source", "date", "checks"):
        if not content.get(key):
            raise wrong(f"key {key!r} is missing or empty")
    for key in _TEXTS:
        if not isinstance(content.get(key, ""), str):
            raise wrong(f"key {key!r} is no text")
    if type(content["date"]) is not datetime.date:
        raise wrong("key 'date' is no day such as 2026-11-26")
    if not isinstance(content["checks"], dict):
        raise wrong("key 'checks' holds no checks; give it names with arguments, as no_text: {}")
    for check, given in content["checks"].items():
        if fault := _check_fault(check, given):
            raise wrong(f"check {_short(check)} {fault}")
    return Slot(name, **(content | {"date": content["date"].isoformat()}))


def _check_fault(check: Any, given: Any) -> str | None:
    """What is wrong with a check or its arguments."""
    if check not in checks.CHECKS:
        return f"is not known; there are {', '.join(checks.CHECKS)}"
    if not isinstance(given, dict):
        return "needs its arguments in braces, or {} without any"
    parameters = dict([*inspect.signature(checks.CHECKS[check]).parameters.items()][1:])
    for key, value in given.items():
        if key not in parameters:
            return f"has no key {_short(key)}; it has {', '.join(parameters) or 'none'}"
        kind, fits = checks.KINDS[parameters[key].annotation]
        if not fits(value):
            return f"key {key!r} must be {kind}, not {_short(value)}"
    missing = [key for key, one in parameters.items() if one.default is one.empty and key not in given]
    return f"needs the key {missing[0]!r}" if missing else None


_short = reprlib.repr  # of a stranger's value: an alias in YAML can stand for a list without an end
