"""Exercises of chapter 09: how far a patch judge sees, and what two generators owe each other."""

from typing import Any

import numpy as np

from stylelab.exercises import Exercise, register
from stylelab.exercises.attempt import Attempt, Verdict, array, compare

# patch-field


def field(layers: Any) -> int:
    """Side of the patch that one output of a stack of ``(kernel, stride)`` sees: from the logit back."""
    side = 1
    for kernel, stride in reversed(layers):
        side = (side - 1) * stride + kernel
    return side


_BACK, _STEP = "reversed(layers)", "(side - 1) * stride + kernel"
FIELD_MISTAKES = (
    (_BACK, "layers", "you go from the picture to the logit; begin at the logit and go back: strides multiply on."),
    (_STEP, "side * stride + kernel", "of r outputs only r - 1 steps of the stride lie between first and last."),
    (_STEP, "side + kernel - 1", "the strides are missing: neighbors of an output are stride apart in its input."),
    (_STEP, "side * kernel", "kernels do not multiply: neighboring windows overlap."),
    (_STEP, "(side - 1) * kernel + stride", "kernel and stride have changed places."),
    (_STEP, "(side - 1) * stride + kernel - 1", "the last window is a whole kernel wide, not one less."),
    (_STEP, "side + kernel", "the windows of neighbors overlap, and are stride apart."),
    ("side = 1\n", "side = 0\n", "begin with one logit: its side is 1."),
    (_STEP, "side * stride", "the kernels are missing."),
    (_STEP, "max(side * stride, kernel)", "windows side by side reach further than the larger of the two numbers."),
)


def _side(value: Any) -> dict[str, np.ndarray]:
    return {"the side": array(value, "the side", ())}


def _field_formula(attempt: Attempt) -> str | None:
    """Different kernels and strides in every layer, so that no two formulas agree."""
    for layers in ([(7, 1), (4, 2), (4, 2), (5, 1), (5, 2)], [(3, 2), (5, 3), (4, 1)], [(5, 1)]):
        said = compare(attempt, (layers,), field, FIELD_MISTAKES, _side)
        if said:
            return said
    return None


def reached(layers: Any, length: int) -> int:
    """Counts: which inputs of a line of ``length`` does its first output depend on, layer by layer?"""
    sees = [{k} for k in range(length)]
    for kernel, stride in layers:
        starts = range(0, len(sees) - kernel + 1, stride)
        sees = [set().union(*sees[start : start + kernel]) for start in starts]
    return max(sees[0]) - min(sees[0]) + 1


def _field_counts(attempt: Attempt) -> str | None:
    """The judge of pix2pix by counting, and what needs no formula: no layer, and single pixels."""
    for name, layers in {
        "no layer at all": [],
        "three 1 x 1 convolutions": [(1, 1)] * 3,
        "pix2pix's judge of 70 px": [(4, 2)] * 3 + [(4, 1)] * 2,
    }.items():
        wanted, got = reached(layers, 90), float(array(attempt(layers), "the side", ()))
        if got != wanted:
            return f"{name}: you say {got:g} px; counted by hand it is {wanted}."
    return None


register(
    Exercise(
        name="patch-field",
        chapter="09",
        task="Write field(layers) -> the side in pixels of the patch that one logit sees, for a list of (kernel, "
        "stride) from the picture to the logit.",
        hints=(
            "Begin at the end: one logit. How many inputs of its layer does it need?",
            "r neighboring outputs need the windows from 0 to (r - 1) * stride, and the last one is a kernel wide.",
            "side = 1; for kernel, stride in reversed(layers): side = (side - 1) * stride + kernel.",
        ),
        checks=(_field_formula, _field_counts),
        right="with it you choose a judge: as wide as a stroke and its surroundings, and no wider.",
        answer=field,
        mistakes=FIELD_MISTAKES,
    )
)

# cycle-objective


def owed(x: Any, y: Any, forth: Any, back: Any, cycle: float, identity: float) -> Any:
    """Cycle and identity terms with their weights (Zhu et al. 2017, eq. 2 and section 5.2)."""
    again = np.mean(np.abs(back(forth(x)) - x)) + np.mean(np.abs(forth(back(y)) - y))
    same = np.mean(np.abs(forth(y) - y)) + np.mean(np.abs(back(x) - x))
    return cycle * again + cycle * identity * same


_THERE = "np.mean(np.abs(back(forth(x)) - x))"
_BACK_AGAIN = " + np.mean(np.abs(forth(back(y)) - y))"
_SAME_Y, _SAME_X = "np.mean(np.abs(forth(y) - y))", " + np.mean(np.abs(back(x) - x))"
_SUM = "cycle * again + cycle * identity * same"
OWED_MISTAKES = (
    (_BACK_AGAIN, "", "only one cycle is there: y must come back too, by back and then forth."),
    (f"{_THERE} + ", "", "only one cycle is there: x must come back too, by forth and then back."),
    ("back(forth(x)) - x", "forth(back(x)) - x", "x is of the first kind: it goes forth first, then back."),
    ("forth(back(y)) - y", "back(forth(y)) - y", "y is of the second kind: it goes back first, then forth."),
    ("forth(back(y)) - y", "back(y) - y", "y does not come back: apply forth to back(y)."),
    (
        f"{_SAME_Y}{_SAME_X}",
        "np.mean(np.abs(forth(x) - x)) + np.mean(np.abs(back(y) - y))",
        "you ask that a picture of the wrong kind stays; what is in the right style already should stay.",
    ),
    (_SAME_X, "", "one identity is missing: back should leave x as it is."),
    (f"{_SAME_Y} +", "", "one identity is missing: forth should leave y as it is."),
    (_SUM, "cycle * again + identity * same", "identity is a share of the cycle's weight: cycle * identity."),
    (_SUM, "again + identity * same", "the weight of the cycle is missing."),
    (_SUM, "cycle * again", "the identity terms are missing."),
    (_SUM, "cycle * (again + same)", "the weight of the identity is missing."),
    (_SUM, "cycle * again - cycle * identity * same", "both are losses: add them."),
    (_SUM, "(cycle * again + cycle * identity * same) / 2", "there are two directions, and they are added."),
    ("np.abs(", "np.square(", "you take squares; both terms are absolute differences, for the median's sake."),
    ("np.mean(", "np.sum(", "you take the sum over pixels; take the mean, or a weight depends on the size."),
    ("np.abs(", "(", "without the absolute value errors cancel, and the loss can be negative."),
)


def _terms(value: Any) -> dict[str, np.ndarray]:
    return {"your loss": array(value, "your loss", ())}


def _there(x: Any) -> np.ndarray:
    return np.clip(1.3 * np.asarray(x) ** 2 - 0.2, -1, 2)


def _away(y: Any) -> np.ndarray:
    return np.sqrt(np.abs(np.asarray(y))) * 0.9 + 0.1


def _owed_formula(attempt: Attempt) -> str | None:
    """Heaps of different sizes, and two functions that undo each other only nearly; no difference has one sign."""
    rng = np.random.default_rng(0)
    x, y = rng.uniform(0, 1.4, (3, 4, 5, 3)), rng.uniform(0.3, 1.2, (2, 4, 4, 3))
    return compare(attempt, (x, y, _there, _away, 7.0, 0.3), owed, OWED_MISTAKES, _terms)


def _owed_invariants(attempt: Attempt) -> str | None:
    """What 9.7 and 9.9 say: perfect pairs cost nothing in the cycle, and inverting tells on the identity alone."""
    rng = np.random.default_rng(1)
    x, y = rng.random((2, 4, 4, 3)), rng.random((2, 4, 4, 3))

    def loss(forth: Any, back: Any, identity: float) -> float:
        return float(array(attempt(x, y, forth, back, 20.0, identity), "your loss", ()))

    def leave(picture: Any) -> Any:
        return 1.0 * picture

    def invert(picture: Any) -> Any:
        return 1 - picture

    if abs(loss(leave, leave, 0.5)) > 1e-9:
        return "two functions that leave everything as it is owe nothing; your loss for them is not 0."
    if abs(loss(invert, invert, 0.0)) > 1e-9:
        return "inverting twice is no change: with identity 0 your loss for forth = back = 1 - x must be 0."
    if loss(invert, invert, 0.5) < 1:
        return "with identity 0.5 inverted colors must cost something; your loss does not see them."
    return None


def _owed_asks_each_function(attempt: Attempt) -> str | None:
    """Written without looking at the functions, a formula may be right for two that are the same."""
    calls: list[str] = []

    def named(name: str, function: Any) -> Any:
        def call(picture: Any) -> Any:
            calls.append(name)
            return function(picture)

        return call

    rng = np.random.default_rng(2)
    attempt(rng.random((1, 4, 4, 3)), rng.random((1, 4, 4, 3)), named("forth", _there), named("back", _away), 1.0, 0.5)
    if min(calls.count("forth"), calls.count("back")) < 3:
        raise Verdict("wrong", "each function has three things to do: there, back again, and leave its own kind alone.")
    return None


register(
    Exercise(
        name="cycle-objective",
        chapter="09",
        task="Write owed(x, y, forth, back, cycle, identity) -> cycle times both cycle losses plus cycle * identity "
        "times both identity losses, absolute differences averaged over all pixels.",
        hints=(
            "Four terms: two round trips, and two pictures that should stay as they are.",
            "x goes forth and then back; y goes back and then forth. forth should leave y alone, back should leave x.",
            "again = mean|back(forth(x)) - x| + mean|forth(back(y)) - y|; same = mean|forth(y) - y| + mean|back(x) - "
            "x|; cycle * again + cycle * identity * same.",
        ),
        checks=(_owed_formula, _owed_invariants, _owed_asks_each_function),
        right="the cycle makes the translation one to one, and the identity picks the one with the right colors.",
        answer=owed,
        mistakes=OWED_MISTAKES,
    )
)
