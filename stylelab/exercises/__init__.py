"""Exercises that check themselves: what ``course.exercise("name")`` gives a chapter.

An exercise is a declaration in the module of its chapter (``chapter03.py``): what is asked, hints from vague
to plain, checks, and the answer. A check calls the student's function and returns what is wrong as a
sentence that teaches, or None. It compares with invariants, or with a NumPy oracle computed on the spot,
never with stored numbers. ``attempt.py`` calls the function and turns whatever it does into a sentence;
``progress.py`` keeps what came out.
"""

import difflib
import importlib
import inspect
import pkgutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from html import escape
from typing import Any, Literal

from stylelab.errors import SettingsError, StyleLabError
from stylelab.exercises.attempt import Attempt, Mistake, Verdict
from stylelab.exercises.progress import record

Status = Literal["not attempted", "wrong", "right"]
REQUIRED = object()  # in Exercise.given: the chapter must give it

_REGISTRY: dict[str, "Exercise"] = {}
_LOOKS = {
    "not attempted": ("Not attempted", "#757575"),
    "wrong": ("Not yet", "#b26a00"),
    "right": ("Right", "#2e7d32"),
}


def exercise(name: str, **given: Any) -> "Exercise":
    """The exercise of that name, with ``.check(fn)``, ``.hint()`` and ``.solution()``.

    Args:
        name: such as "adam-step".
        **given: pictures and bounds, for the exercises that ask for them.
    Raises:
        SettingsError: no exercise has the name, or it asks for other arguments.
    """
    known = registered()
    if name not in known:
        close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        hint = f'did you mean "{close[0]}"?' if close else f"there are {', '.join(sorted(known))}."
        raise SettingsError(f'There is no exercise "{name}": {hint}')
    declared = known[name]
    unknown = [key for key in given if key not in declared.given]
    missing = [key for key, value in declared.given.items() if value is REQUIRED and key not in given]
    if unknown or missing:
        problem = f"does not take {', '.join(unknown)}" if unknown else f"needs {', '.join(missing)}"
        raise SettingsError(f'Exercise "{name}" {problem}: it takes {", ".join(declared.given) or "nothing"}.')
    return replace(declared, given={**declared.given, **given})


def registered() -> Mapping[str, "Exercise"]:
    """All exercises of the course by name, as declared."""
    for module in pkgutil.iter_modules(__path__):
        if module.name.startswith("chapter"):
            importlib.import_module(f"{__name__}.{module.name}")
    return _REGISTRY


def register(declared: "Exercise") -> None:
    """Makes an exercise known by its name; each chapter's module does this for its own."""
    known = _REGISTRY.get(declared.name, declared)
    if known.chapter != declared.chapter:
        raise SettingsError(f'"{declared.name}" is an exercise of chapter {known.chapter}: choose another name.')
    _REGISTRY[declared.name] = declared


@dataclass(frozen=True, repr=False)
class Note:
    """A few words to the student: a marked paragraph in a notebook, one line elsewhere."""

    label: str
    message: str
    color: str = "#1565c0"

    def __repr__(self) -> str:
        return f"{self.label}: {self.message}"

    def _repr_html_(self) -> str:
        look = f"border-left: 4px solid {self.color}; padding: 0.2em 0.8em"
        return f'<div style="{look}"><b>{escape(self.label)}:</b> {escape(self.message)}</div>'


@dataclass(frozen=True, repr=False)
class Result(Note):
    """What a check found; true when the answer is right."""

    status: Status = "wrong"

    def __bool__(self) -> bool:
        return self.status == "right"


@dataclass(frozen=True, repr=False)
class Source:
    """Python source: highlighted in a notebook, plain elsewhere."""

    code: str

    def __repr__(self) -> str:
        return self.code

    def _repr_markdown_(self) -> str:
        return f"```python\n{self.code}\n```"


@dataclass
class Exercise:
    """One exercise of a chapter.

    Attributes:
        name: how the chapter asks for it, unique in the course.
        chapter: its two digits.
        task: what to write, in a sentence or two, with the signature.
        hints: from a nudge to nearly the answer.
        checks: called in order as ``check(attempt, **given)``; the first sentence returned is shown.
        right: what to remember, shown when all checks pass.
        answer: the function whose source is the solution, or its place ("stylelab.optimize:pyramid_sizes").
        mistakes: known wrong versions of ``answer``, for :func:`stylelab.exercises.attempt.compare`.
        given: arguments of the checks that the chapter may set, with their defaults or REQUIRED.
        takes_value: whether a value may be checked as well as a function that returns it.
        open: whether it has many right answers, judged by a metric against a bound; each chapter has one.
    """

    name: str
    chapter: str
    task: str
    hints: tuple[str, ...]
    checks: tuple[Callable[..., str | None], ...]
    right: str
    answer: Callable[..., Any] | str
    mistakes: tuple[Mistake, ...] = ()
    given: Mapping[str, Any] = field(default_factory=dict)
    takes_value: bool = False
    open: bool = False
    _hints_given: int = 0

    def check(self, answer: Any) -> Result:
        """Tells whether ``answer``, the student's function, is not attempted, not yet right, or right.

        Called from a notebook's cell or a script, it also keeps the result (``exercises/progress.py``). Called from an
        imported module, as by tests, it does not; nor is anything kept of what was not attempted, so that running a
        chapter as it stands changes no reader's record.
        """
        status: Status = "wrong"
        try:
            attempt = Attempt(answer, self.takes_value)
            message = next(filter(None, (check(attempt, **self.given) for check in self.checks)), None)
            if message is None:
                status, message = "right", self.right
        except Verdict as verdict:
            status, message = verdict.status, verdict.message
        except StyleLabError:
            raise  # what the chapter gave is at fault, not the student
        except Exception as error:  # a kind of value that no check expects: still a sentence, never a traceback
            message = f"the result cannot be compared ({type(error).__name__}: {error})."
        if self.name in _REGISTRY and sys._getframe(1).f_globals.get("__name__") == "__main__":
            message = f"{message} {record(self.name, status)}".rstrip()
        label, color = _LOOKS[status]
        return Result(label, message, color, status)

    def hint(self) -> Note:
        """The next hint; the last one stays."""
        self._hints_given = min(self._hints_given + 1, len(self.hints))
        last = "" if self._hints_given < len(self.hints) else " (The last hint; ex.solution() shows the code.)"
        return Note(f"Hint {self._hints_given} of {len(self.hints)}", self.hints[self._hints_given - 1] + last)

    def solution(self) -> Source:
        """The source of a function that passes: the package's own where it has one."""
        answer = self.answer
        if isinstance(answer, str):
            module, function = answer.split(":")
            answer = getattr(importlib.import_module(module), function)
        return Source(inspect.getsource(answer).rstrip())

    def __repr__(self) -> str:
        return f"Exercise {self.name} (chapter {self.chapter}): {self.task}"
