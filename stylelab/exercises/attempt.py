"""Calls a student's function and finds out what is wrong; whatever the function does becomes a sentence."""

import copy
import inspect
import linecache
import textwrap
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal

import numpy as np

Mistake = tuple[str, str, str]  # part of the answer's source, what stands there instead, the sentence


class Verdict(Exception):
    """Ends a check early with its result."""

    def __init__(self, status: Literal["not attempted", "wrong"], message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class Attempt:
    """The student's function, callable so that whatever it does ends in a value or in a :class:`Verdict`.

    Args:
        function: what the student gave to ``check``.
        takes_value: take anything that is no function as the value itself.
    """

    def __init__(self, function: Any, takes_value: bool = False) -> None:
        if function is None or function is ...:
            raise Verdict("not attempted", f"there is nothing to check but {_shown(function)}.")
        if not callable(function):
            if not takes_value:
                raise Verdict(
                    "wrong",
                    f"this is of type {type(function).__name__}; give the function: ex.check(my_function).",
                )
            value = function

            def function() -> Any:
                return value

        self.function = function
        self.name = getattr(function, "__name__", type(function).__name__)
        if self.name == "<lambda>":
            self.name = "your function"

    def __call__(self, *args: Any) -> Any:
        names = self._names(args)
        before = copy.deepcopy(args)
        try:
            with np.errstate(all="ignore"):  # NumPy's warnings would only repeat what the check is about to say
                value = self.function(*args)
        except NotImplementedError as error:
            if self._frames(error)[-1:] != traceback.extract_tb(error.__traceback__)[-1:]:
                raise self._raised(error) from error  # a library's own, not the placeholder's
            raise Verdict("not attempted", f"{self.name} raises NotImplementedError.") from None
        except Exception as error:
            raise self._raised(error) from error
        for name, old, new in zip(names, before, args, strict=True):
            if not _equal(old, new):
                raise Verdict(
                    "wrong",
                    f"{self.name} changes its input {name} in place, and so the caller's {name}; "
                    f"make a new one: {name} = {name} + ..., not {name} += ...",
                )
        parts = value if isinstance(value, tuple | list) and value else [value]
        if all(part is None or part is ... for part in parts):
            hint = " If you have written it, its return is missing." if value is None else ""
            raise Verdict("not attempted", f"{self.name} returned {_shown(value)}.{hint}")
        return value

    def _names(self, args: tuple[Any, ...]) -> list[str]:
        """What the student calls the arguments; a Verdict where the function cannot take them."""
        try:
            signature = inspect.signature(self.function)
        except ValueError:  # some functions written in C have none
            return [f"number {number}" for number in range(1, len(args) + 1)]
        try:
            bound = signature.bind(*args)
        except TypeError as error:
            message = f"{self.name}{signature} cannot be called with {len(args)} arguments: {error}."
            raise Verdict("wrong", message) from None
        names: list[str] = []
        for name, value in bound.arguments.items():
            many = signature.parameters[name].kind is inspect.Parameter.VAR_POSITIONAL
            names += [f"{name}[{index}]" for index in range(len(value))] if many else [name]
        return names

    def _frames(self, error: BaseException) -> list[traceback.FrameSummary]:
        """The student's part of the traceback: the frames in the cell that holds the function."""
        code = getattr(inspect.unwrap(self.function), "__code__", None)
        return [f for f in traceback.extract_tb(error.__traceback__) if code and f.filename == code.co_filename]

    def _raised(self, error: Exception) -> Verdict:
        words = " ".join(str(error).split())
        what = f"{type(error).__name__}: {words[:200]}" if words else type(error).__name__
        frames = self._frames(error)
        if not frames:
            return Verdict("wrong", f"{self.name} raises {what}")
        line = linecache.getline(frames[-1].filename, frames[-1].lineno or 0).strip()
        return Verdict("wrong", f"{self.name} raises {what}, at line {frames[-1].lineno}: {line}".rstrip(": "))


def array(value: Any, name: str, shape: Sequence[int]) -> np.ndarray:
    """A student's value as float64 of the wanted shape; a Verdict that says what it is otherwise."""
    try:
        result = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise Verdict("wrong", f"{name} is of type {type(value).__name__}, not an array of numbers.") from None
    if result.shape != tuple(shape):
        raise Verdict("wrong", f"{name} has shape {list(result.shape)}; wanted is {list(shape)}.")
    bad = int((~np.isfinite(result)).sum())
    if bad:
        raise Verdict("wrong", f"{name} has {bad} of {result.size} values that are not finite (nan or inf).")
    return result


def picture_of(attempt: Attempt, shape: Sequence[int]) -> np.ndarray:
    """The student's picture as an image of the wanted shape (a batch of one will do); a Verdict otherwise."""
    value = np.asarray(attempt())
    value = value[0] if value.ndim == 4 and len(value) == 1 else value
    if value.dtype.kind in "iu":
        raise Verdict("wrong", f"your picture holds whole numbers ({value.dtype}); divide it by 255.")
    picture = array(value, "your picture", shape)
    low, high = picture.min(), picture.max()
    if low < -1e-3 or high > 1 + 1e-3:
        raise Verdict("wrong", f"your picture runs from {low:.2f} to {high:.2f}; wanted is 0..1.")
    return np.clip(picture, 0, 1).astype("float32")


def close(a: Any, b: Any) -> bool:
    """Equal to four digits: far closer than any wrong formula, and within reach of float32."""
    return bool(np.allclose(a, b, rtol=1e-4, atol=1e-6))


def wrong_versions(answer: Callable[..., Any], mistakes: Sequence[Mistake]) -> Iterator[tuple[Callable[..., Any], str]]:
    """``answer`` with each of the mistakes made in its source, beside the sentence for who made it."""
    source = textwrap.dedent(inspect.getsource(answer))
    for part, instead, sentence in mistakes:
        if part not in source:
            raise ValueError(f"{part!r} is no part of {answer.__name__}")
        namespace = dict(vars(inspect.getmodule(answer)))
        exec(compile(source.replace(part, instead), f"<{instead}>", "exec"), namespace)
        yield namespace[answer.__name__], sentence


def compare(
    attempt: Attempt,
    args: tuple[Any, ...],
    answer: Callable[..., Any],
    mistakes: Sequence[Mistake],
    parts: Callable[[Any], Mapping[str, np.ndarray]],
) -> str | None:
    """Compares the student's result with the answer's; where a known mistake gives the same, says which.

    Args:
        attempt: the student's function.
        args: called with these; random, so that no two of the formulas agree on them.
        answer: the oracle.
        mistakes: as for :func:`wrong_versions`; ``{ratio:.2f}`` in a sentence is the student's size over the
            right one (medians).
        parts: a result's arrays by name, in the order in which they depend on each other.
    """
    got, right = parts(attempt(*args)), parts(answer(*args))
    for name, wanted in right.items():
        if close(got[name], wanted):
            continue
        with np.errstate(all="ignore"):
            ratio = np.median(np.abs(got[name])) / np.median(np.abs(wanted))
            for function, sentence in wrong_versions(answer, mistakes):
                try:
                    wrong = parts(function(*args))[name]
                except Verdict:  # this mistake gives no number here (a division by zero)
                    continue
                if close(got[name], wrong) and not close(wrong, wanted):
                    return sentence.format(ratio=ratio)
        return f"{name} is not right: its median size is {ratio:.2f} times what it should be."
    return None


def _equal(old: Any, new: Any) -> bool:
    if isinstance(old, np.ndarray):
        return old.shape == new.shape and bool(np.array_equal(old, new, equal_nan=old.dtype.kind == "f"))
    return bool(old == new)


def _shown(value: Any) -> str:
    return "the placeholder ..." if value is ... else str(value).replace("Ellipsis", "...")
