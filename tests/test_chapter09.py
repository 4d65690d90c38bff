"""Exercises of chapter 09: every right answer, however it is written, and the wrong ones that students write.

The known mistakes of an exercise are edits of its answer; tests/test_course.py sees that each is told apart. Here are
wrong functions written by hand, with the sentence that each must bring forth.
"""

import numpy as np
import pytest

from stylelab import course, metrics
from stylelab.backend import ops
from stylelab.errors import SettingsError
from stylelab.exercises import chapter09_losses, chapter09_open
from stylelab.gans import receptive_field
from tests.answers import message

# ---- patch-field -----------------------------------------------------------------------------------------------


def forwards(layers):
    """From the picture to the logit: every stride so far is a step in pixels."""
    side, step = 1, 1
    for kernel, stride in layers:
        side, step = side + (kernel - 1) * step, step * stride
    return side


def recursive(layers):
    if not layers:
        return 1
    *before, (kernel, _) = layers
    first = recursive(before)
    span = np.prod([s for _, s in before]) if before else 1
    return first + (kernel - 1) * span


@pytest.mark.parametrize(
    "function", [chapter09_losses.field, forwards, recursive, lambda layers: np.int64(forwards(layers))]
)
def test_right_field(function):
    assert course.exercise("patch-field").check(function)


@pytest.mark.parametrize("levels", [1, 2, 3, 4])
def test_the_exercise_and_the_package_agree(levels):
    layers = [(4, 2)] * levels + [(4, 1)] * 2
    assert chapter09_losses.field(layers) == receptive_field(levels)
    assert chapter09_losses.reached(layers, 3 * receptive_field(levels)) == receptive_field(levels)


def strides_of_the_layer_itself(layers):
    """Forwards, but the stride counts one layer too early."""
    side, step = 1, 1
    for kernel, stride in layers:
        step *= stride
        side += (kernel - 1) * step
    return side


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda layers: sum(kernel for kernel, _ in layers), "the side is not right"),
        (strides_of_the_layer_itself, "the side is not right"),
        (lambda layers: np.prod([stride for _, stride in layers]), "the kernels are missing."),
        (lambda layers: 70, "the side is not right"),
        (lambda layers: forwards(layers[:-1]), "the side is not right"),
        (lambda layers: [forwards(layers)] * 2, "the side has shape [2]; wanted is []."),
        (lambda layers: forwards(layers) if layers else 0, "no layer at all: you say 0 px; counted by hand it is 1."),
        (lambda layers: layers.pop() and 1, "changes its input layers in place"),
    ],
    ids=["sum of kernels", "early stride", "strides", "seventy", "last forgotten", "both sides", "no layer", "pops"],
)
def test_wrong_field(function, words):
    assert words in message("patch-field", function)


# ---- cycle-objective -------------------------------------------------------------------------------------------


def as_keras(x, y, forth, back, cycle, identity):
    def off(a, b):
        return ops.mean(ops.abs(ops.convert_to_tensor(a) - ops.convert_to_tensor(b)))

    same = off(forth(y), y) + off(back(x), x)
    return cycle * (off(back(forth(x)), x) + off(forth(back(y)), y) + identity * same)


def in_loops(x, y, forth, back, cycle, identity):
    total = 0.0
    for start, there, here, weight in (
        (x, forth, back, cycle),
        (y, back, forth, cycle),
        (y, forth, None, cycle * identity),
        (x, back, None, cycle * identity),
    ):
        end = there(start) if here is None else here(there(start))
        total += weight * np.abs(end - start).sum() / start.size
    return total


@pytest.mark.parametrize("function", [chapter09_losses.owed, as_keras, in_loops])
def test_right_objective(function):
    assert course.exercise("cycle-objective").check(function)


def same_heap_size(x, y, forth, back, cycle, identity):
    """Compares across the heaps, which here have different sizes."""
    return cycle * np.mean(np.abs(forth(x) - y))


def as_a_table(x, y, forth, back, cycle, identity):
    again = np.abs(back(forth(x)) - x).mean((1, 2, 3)).sum() + np.abs(forth(back(y)) - y).mean((1, 2, 3)).sum()
    return again * cycle


def root_of_squares(x, y, forth, back, cycle, identity):
    def off(a, b):
        return np.sqrt(np.mean((a - b) ** 2))

    return cycle * (off(back(forth(x)), x) + off(forth(back(y)), y) + identity * (off(forth(y), y) + off(back(x), x)))


def cycle_twice(x, y, forth, back, cycle, identity):
    return 2 * chapter09_losses.owed(x, y, forth, back, cycle, identity / 2)


def sizes_that_cancel(sizeless):
    """Right but for one of the four differences, whose absolute value is not taken."""

    def objective(x, y, forth, back, cycle, identity):
        off = (back(forth(x)) - x, forth(back(y)) - y, forth(y) - y, back(x) - x)
        terms = [np.mean(d if k == sizeless else np.abs(d)) for k, d in enumerate(off)]
        return cycle * (sum(terms[:2]) + identity * sum(terms[2:]))

    return objective


def in_place(x, y, forth, back, cycle, identity):
    total = chapter09_losses.owed(x, y, forth, back, cycle, identity)
    x -= back(x)
    return total


def four_terms(x, y, forth, back, cycle, identity):
    return (cycle * np.abs(back(forth(x)) - x), cycle * np.abs(forth(back(y)) - y))


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (same_heap_size, "raises ValueError"),
        (as_a_table, "your loss is not right"),
        (root_of_squares, "your loss is not right"),
        (cycle_twice, "your loss is not right"),
        (in_place, "changes its input x in place"),
        *((sizes_that_cancel(k), "your loss is not right") for k in range(4)),
        (four_terms, "your loss is of type tuple"),
        (lambda x, y, forth, back, cycle, identity: 0.0, "your loss is not right"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_wrong_objective(function, words):
    assert words in message("cycle-objective", function)


# ---- better-than-copying ---------------------------------------------------------------------------------------

RNG = np.random.default_rng(0)
INPUTS = np.concatenate([RNG.uniform(0.3, 0.4, (8, 16, 16, 2)), RNG.uniform(0.3, 0.4, (8, 16, 16, 1))], -1)
INPUTS = INPUTS.astype("float32")
TARGETS = np.clip(INPUTS + 0.3 + RNG.uniform(0, 0.05, INPUTS.shape), 0, 1).astype("float32")


@pytest.fixture
def by_green(monkeypatch):
    """A perceptual distance that sees nothing but mean green, so that a test can say what a translation does."""

    def distances(a, b):
        return np.abs(np.mean(a[..., 1] - b[..., 1], (1, 2)))

    monkeypatch.setattr(metrics, "perceptual_distances", distances)


def icons(**given):
    return {"inputs": INPUTS, "targets": TARGETS, **given}


def greener(pictures, by=0.3):
    return pictures + np.array([0, by, 0], "float32")


def bolder(pictures):
    """Right in green, and further off in the two others."""
    return np.clip(pictures + np.array([-0.3, 0.3, -0.3], "float32"), 0, 1)


def half_of_them(pictures):
    """Right for every second input, by its first pixel, and far off for the others."""
    some = pictures[:, :1, :1, :1] < np.median(INPUTS[:, 0, 0, 0])
    return np.where(some, greener(pictures, 0.3), greener(pictures, -0.15))


def with_neighbors(pictures):
    return greener(pictures) + 0.1 * (len(pictures) > 1)


def answers(pictures):
    return TARGETS[: len(pictures)]


@pytest.mark.parametrize(
    "function",
    [greener, lambda p: greener(p, 0.2), lambda p: list(greener(p)), lambda p: ops.convert_to_tensor(greener(p))],
    ids=["exact", "nearly", "a list", "a tensor"],
)
def test_right_translation(by_green, function):
    assert course.exercise("better-than-copying", **icons()).check(function)


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda pictures: pictures, "This is copying."),
        (lambda pictures: greener(pictures, 0.02), "the perceptual distance wants more"),
        (lambda pictures: greener(pictures, -0.1), "Neither is there yet; begin with the margin"),
        (bolder, "Near enough, and bought with L1"),
        (half_of_them, "The mean is good and not sure"),
        (with_neighbors, "depends on its neighbors in the batch"),
        (answers, "8 of your pictures are the answers themselves"),
        (lambda pictures: greener(pictures, 0.9), "your pictures run from"),
        (lambda pictures: (greener(pictures) * 255).astype("uint8"), "divide them by 255"),
        (lambda pictures: greener(pictures)[..., 0], "your pictures has shape [8, 16, 16]"),
        (lambda pictures: greener(pictures) * np.nan, "values that are not finite"),
    ],
    ids=["copy", "too little", "the wrong way", "L1", "unsure", "batch", "answers", "range", "bytes", "gray", "nan"],
)
def test_wrong_translation(by_green, function, words):
    assert words in message("better-than-copying", function, **icons())


def test_the_numbers_are_said(by_green):
    said = message("better-than-copying", lambda pictures: greener(pictures, 0.02), **icons(least=0.25, l1_share=0.5))
    gain = metrics.bootstrap_mean(np.full(8, -0.02))
    copying = np.abs(INPUTS - TARGETS).mean()
    assert said.startswith(f"perceptual distance less copying's {gain.value:+.3f}")
    assert "at most -0.250" in said
    assert f"(at most {0.5 * copying:.3f})" in said


@pytest.mark.parametrize("given", [{"targets": TARGETS[:3]}, {"inputs": INPUTS[:1], "targets": TARGETS[:1]}])
def test_what_the_chapter_must_give(given):
    with pytest.raises(SettingsError, match="at least two inputs and as many targets"):
        course.exercise("better-than-copying", **icons(**given)).check(greener)


@pytest.mark.weights
def test_the_solution_is_better_than_copying_and_what_the_chapter_shows_is_not():
    from stylelab import datasets, images

    held = datasets.icon_split(datasets.icons(64))[1]
    given = {"inputs": held.twemoji, "targets": held.openmoji}
    result = course.exercise("better-than-copying", **given).check(chapter09_open.my_translation)
    assert result, result

    def smaller(pictures):
        return np.pad(images.resize(pictures, (56, 56)), [(0, 0), (4, 4), (4, 4), (0, 0)], constant_values=1)

    assert "L1 agrees" in message("better-than-copying", smaller, **given)
