"""Exercises of chapter 04: every right answer, however it is written, and the wrong ones that students write.

The known mistakes of an exercise are edits of its answer; tests/test_course.py sees that each is told apart. Here are
wrong functions written by hand, with the exact sentence that each must bring forth.
"""

import numpy as np
import pytest

from stylelab import course, images, metrics, samples
from stylelab.errors import SettingsError
from stylelab.exercises import chapter04
from stylelab.stylizers import Style, Stylizer


def of(sentence):
    return lambda value: getattr(value, "__name__", "") or sentence


# ---- conditional-normalization ---------------------------------------------------------------------------------


def blended(shares, table):
    return np.asarray(shares, "float64") @ np.asarray(table, "float64")


def normalized(f, eps=1e-5, axis=(0, 1)):
    return (f - f.mean(axis, keepdims=True)) / np.sqrt(f.var(axis, keepdims=True) + eps)


def with_keras(f, shares, scales, shifts):
    from stylelab.layers import ConditionalInstanceNormalization, instance_moments

    layer = ConditionalInstanceNormalization(len(shares))
    x = f[None].astype("float32")
    layer.build(x.shape)
    layer.scale.assign(scales)
    layer.shift.assign(shifts)
    return layer(x, np.float32(shares)[None], instance_moments(x))[0]


def in_a_loop(f, shares, scales, shifts):
    result = np.empty(f.shape)
    for c in range(f.shape[-1]):
        plane = f[..., c]
        gamma = sum(w * row[c] for w, row in zip(shares, scales, strict=True))
        beta = sum(w * row[c] for w, row in zip(shares, shifts, strict=True))
        result[..., c] = gamma * (plane - plane.mean()) / (plane.var() + 1e-5) ** 0.5 + beta
    return result


def blends_the_results(f, shares, scales, shifts):
    """Each style by itself, then the mean of the pictures: the same, since it is linear in the tables."""
    each = [normalized(f) * gamma + beta for gamma, beta in zip(scales, shifts, strict=True)]
    return np.tensordot(shares, each, 1)


def in_float32(f, shares, scales, shifts):
    return chapter04.conditional_normalization(*(np.float32(x) for x in (f, shares, scales, shifts)))


RIGHT = [chapter04.conditional_normalization, with_keras, in_a_loop, blends_the_results, in_float32]


@pytest.mark.parametrize("function", RIGHT)
def test_right_normalization(function):
    said = course.exercise("conditional-normalization").check(function)
    assert said, said


def plain(f, shares, scales, shifts):
    return normalized(f)


def layer_normalization(f, shares, scales, shifts):
    return normalized(f, axis=-1) * blended(shares, scales) + blended(shares, shifts)


def whole_picture(f, shares, scales, shifts):
    return normalized(f, axis=None) * blended(shares, scales) + blended(shares, shifts)


def no_epsilon(f, shares, scales, shifts):
    with np.errstate(all="ignore"):
        return normalized(f, eps=0) * blended(shares, scales) + blended(shares, shifts)


def epsilon_beside_the_root(f, shares, scales, shifts):
    y = (f - f.mean((0, 1))) / (f.std((0, 1)) + 1e-5)
    return y * blended(shares, scales) + blended(shares, shifts)


def a_larger_epsilon(f, shares, scales, shifts):
    """Keras's default for GroupNormalization."""
    return normalized(f, eps=1e-3) * blended(shares, scales) + blended(shares, shifts)


def constant_channels_set_to_zero(f, shares, scales, shifts):
    result = in_a_loop(f, shares, scales, shifts)
    result[..., f.var((0, 1)) == 0] = 0
    return result


def blended_by_equal_shares(f, shares, scales, shifts):
    return normalized(f) * scales.mean(0) + shifts.mean(0)


def sums_the_rows(f, shares, scales, shifts):
    return normalized(f) * scales.sum(0) + shifts.sum(0)


def forgets_the_shift(f, shares, scales, shifts):
    return normalized(f) * blended(shares, scales)


def moves_to_the_styles_moments_without_the_root(f, shares, scales, shifts):
    return (f - f.mean((0, 1))) / (f.var((0, 1)) + 1e-5) * blended(shares, scales) + blended(shares, shifts)


def flattened(f, shares, scales, shifts):
    return in_a_loop(f, shares, scales, shifts).reshape(-1, f.shape[-1])


def with_batch_axis(f, shares, scales, shifts):
    return in_a_loop(f, shares, scales, shifts)[None]


def in_place(f, shares, scales, shifts):
    f -= f.mean((0, 1))
    return f


NOT_RIGHT = "your result is not right: its median size is {} times what it should be."
NORMALIZATION_WRONG = [
    (plain, NOT_RIGHT),
    (layer_normalization, "you normalize each position over its channels; take each channel by itself."),
    (whole_picture, "one mean and variance serve all channels; each channel has its own."),
    (no_epsilon, "nothing is added to the variance: a constant channel would divide by zero. Add 1e-5."),
    (epsilon_beside_the_root, "1e-5 is added to the deviation; add it to the variance, under the root."),
    (a_larger_epsilon, "you add 1e-3 to the variance; add 1e-5, or faint channels stay faint."),
    (constant_channels_set_to_zero, "a constant channel should become its shift, and nothing else."),
    (blended_by_equal_shares, NOT_RIGHT),
    (sums_the_rows, NOT_RIGHT),
    (forgets_the_shift, "the shift is missing; it is added last."),
    (
        moves_to_the_styles_moments_without_the_root,
        "you divide by the variance; its root has the unit of f.",
    ),
    (flattened, "your result has shape [20, 6]; wanted is [5, 4, 6]."),
    (with_batch_axis, "your result has shape [1, 5, 4, 6]; wanted is [5, 4, 6]."),
    (
        in_place,
        "in_place changes its input f in place, and so the caller's f; make a new one: f = f + ..., not f += ...",
    ),
]


def assert_says(said, sentence):
    """The whole sentence; a measured number in it is a ``{}``."""
    assert said.status == "wrong"
    begin, hole, end = sentence.partition("{}")
    assert said.message.startswith(begin), said.message
    assert said.message.endswith(end), said.message
    if hole:
        float(said.message.removeprefix(begin).removesuffix(end))
    else:
        assert said.message == sentence


@pytest.mark.parametrize(("function", "sentence"), NORMALIZATION_WRONG)
def test_wrong_normalization(function, sentence):
    assert_says(course.exercise("conditional-normalization").check(function), sentence)


# ---- overlap-counts --------------------------------------------------------------------------------------------


def by_asking_each_pixel(length, kernel, stride):
    pixels = range((length - 1) * stride + kernel)
    return [sum(0 <= i - stride * j < kernel for j in range(length)) for i in pixels]


def by_keras(length, kernel, stride):
    """What a transposed convolution makes of ones, with ones in its kernel."""
    from stylelab.backend import keras

    ones = np.ones((1, length, 1), "float32")
    layer = keras.layers.Conv1DTranspose(1, kernel, stride, kernel_initializer="ones")
    result = np.asarray(layer(ones))[0, :, 0]
    # Keras adds what is missing to a stride where the kernel is shorter than it.
    return result[: (length - 1) * stride + kernel]


def by_convolution(length, kernel, stride):
    spread = np.zeros((length - 1) * stride + 1)
    spread[::stride] = 1
    return np.convolve(spread, np.ones(kernel))


def as_integers(length, kernel, stride):
    return tuple(int(n) for n in chapter04.overlaps(length, kernel, stride))


@pytest.mark.parametrize(
    "function", [chapter04.overlaps, by_asking_each_pixel, by_keras, by_convolution, as_integers], ids=of("")
)
def test_right_overlaps(function):
    said = course.exercise("overlap-counts").check(function)
    assert said, said


def cropped(length, kernel, stride):
    return chapter04.overlaps(length, kernel, stride)[: length * stride]


def only_the_inside(length, kernel, stride):
    return [-(-(kernel - i % stride) // stride) for i in range((length - 1) * stride + kernel)]


def of_a_plain_convolution(length, kernel, stride):
    return np.convolve(np.ones(length), np.ones(kernel))


def with_full_steps(length, kernel, stride):
    counts = np.zeros(length * stride + kernel)
    counts[: (length - 1) * stride + kernel] = chapter04.overlaps(length, kernel, stride)
    return counts


def in_the_plane(length, kernel, stride):
    row = chapter04.overlaps(length, kernel, stride)
    return np.outer(row, row)


def whether_even(length, kernel, stride):
    return kernel % stride == 0


def one_too_many(length, kernel, stride):
    return chapter04.overlaps(length, kernel, stride) + 1


def reversed_roles(length, kernel, stride):
    return chapter04.overlaps(length, stride, kernel)


def shares_of_the_largest(length, kernel, stride):
    counts = chapter04.overlaps(length, kernel, stride)
    return counts / counts.max()


OVERLAPS_WRONG = [
    (
        cropped,
        "for 5 inputs, kernel 3, stride 2 you return 10 counts: that is cropped; count all 11 pixels.",
    ),
    (
        only_the_inside,
        "for 5 inputs, kernel 3, stride 2 you count 2 1 2 1 2 1 2 1 2 1 2; wanted is 1 1 2 1 2 1 2 1 2 1 1.",
    ),
    (
        of_a_plain_convolution,
        "for 5 inputs, kernel 3, stride 2 you return 7 counts; wanted are 11. Where does the last input's kernel end?",
    ),
    (
        with_full_steps,
        "for 5 inputs, kernel 3, stride 2 you return 13 counts; wanted are 11. Where does the last input's kernel end?",
    ),
    (
        in_the_plane,
        "for 5 inputs, kernel 3, stride 2 you return the shape [11, 11]; wanted is one count for each of 11 pixels.",
    ),
    (
        whether_even,
        "for 5 inputs, kernel 3, stride 2 you return the shape []; wanted is one count for each of 11 pixels.",
    ),
    (
        one_too_many,
        "for 4 inputs, kernel 3, stride 5 you count 2 2 2 1 1 2 2 2 1 1 2 2 2 1 1 2 2 2; "
        "wanted is 1 1 1 0 0 1 1 1 0 0 1 1 1 0 0 1 1 1.",
    ),
    (
        reversed_roles,
        "for 5 inputs, kernel 3, stride 2 you return 14 counts; wanted are 11. Where does the last input's kernel end?",
    ),
    (
        shares_of_the_largest,
        "for 5 inputs, kernel 3, stride 2 you count 0.5 0.5 1 0.5 1 0.5 1 0.5 1 0.5 0.5; "
        "wanted is 1 1 2 1 2 1 2 1 2 1 1.",
    ),
]


@pytest.mark.parametrize(("function", "sentence"), OVERLAPS_WRONG)
def test_wrong_overlaps(function, sentence):
    assert_says(course.exercise("overlap-counts").check(function), sentence)


# ---- strength-for-each -----------------------------------------------------------------------------------------

# A shelf on which the same strength costs differently: half of it white, darker from product to product.
SHELF = [np.full((24, 24, 3), value, "float32") for value in (0.9, 0.6, 0.2)]
BOUND = 0.3


class ToBlack(Stylizer):
    """A style that is black: content loses as much as it was bright."""

    styles = ("black",)

    def _resolve(self, style):
        return style if isinstance(style, Style) else Style.trained(style)

    def _stylize(self, content, style, *, strength, **settings):
        return (1 - strength) * content


@pytest.fixture
def shelf(monkeypatch):
    """The exercise with distances of pixels instead of features: bounds and sentences are what is tested here."""

    def distance(image, content, size):
        assert size == 24, "at the photo's own size"
        return float(np.abs(image - content).mean())

    monkeypatch.setattr(metrics, "content_distance", distance)
    return course.exercise("strength-for-each", photos=SHELF, style="black", stylizer=ToBlack(), bound=BOUND)


EXACT = [0.333, 0.499, 1.0]


@pytest.mark.parametrize(
    "form",
    [
        lambda s: s,
        lambda s: lambda: s,
        tuple,
        np.array,
        lambda s: np.float32(s),
        lambda s: {f"product {k}": v for k, v in enumerate(s)},
        lambda s: [0.95 * s[0], 0.95 * s[1], 1],
    ],
    ids=range(7),
)
def test_strengths_just_below_the_bound_pass(shelf, form):
    said = shelf.check(form(EXACT))
    assert said, said


def test_the_answer_passes(shelf):
    found = chapter04.strength_for_each(SHELF, "black", ToBlack(), BOUND)
    np.testing.assert_allclose(found, [1 / 3, 1 / 2, 1], atol=0.01)
    assert shelf.check(found)


ROOM, LOST = "Product {} has room for more style: its strength is only {}.", "Product {} lost too much; "
COST = "what would a little less strength cost it?"
ONE = " One strength for all is not one distance for all."


@pytest.mark.parametrize(
    ("strengths", "distances", "verdict"),
    [
        ([1, 1, 1], "0.90, 0.60, 0.20", LOST.format(1) + COST + ONE),
        ([0, 0, 0], "0.00, 0.00, 0.00", ROOM.format(1, "0.00") + ONE),
        ([1 / 3 - 1e-3] * 3, "0.30, 0.20, 0.07", ROOM.format(2, "0.33") + ONE),
        ([0.333, 0.52, 1], "0.30, 0.31, 0.20", LOST.format(2) + COST),
        ([0.333, 0.4, 1], "0.30, 0.24, 0.20", ROOM.format(2, "0.40")),
        ([0.333, 0.499, 0.99], "0.30, 0.30, 0.20", ROOM.format(3, "0.99")),
        (EXACT[::-1], "0.90, 0.30, 0.07", LOST.format(1) + COST),
        ([0.34, 0.499, 1], "0.31, 0.30, 0.20", LOST.format(1) + COST),
        ([0.667, 0.501, 0], "0.60, 0.30, 0.00", LOST.format(1) + COST),
    ],
    ids=[
        "full",
        "none",
        "one for all",
        "one too strong",
        "one too weak",
        "one left short of full",
        "in the wrong order",
        "just over",
        "photo's share instead of the style's",
    ],
)
def test_strengths_that_miss(shelf, strengths, distances, verdict):
    said = shelf.check(strengths)
    assert said.status == "wrong"
    assert said.message == f"content distances {distances}, each to lie within a tenth below 0.30. {verdict}"


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (0.5, "you return one number; wanted are 3, a strength for each product."),
        ([0.3, 0.5], "your answer has shape [2]; wanted is [3]."),
        ([[0.3, 0.5, 1]], "your answer has shape [1, 3]; wanted is [3]."),
        ([33, 50, 100], "your strengths run from 33 to 100; wanted is 0 to 1. These look like percent."),
        ([0.3, 0.5, 1.2], "your strengths run from 0.3 to 1.2; wanted is 0 to 1."),
        ([-0.1, 0.5, 1], "your strengths run from -0.1 to 1; wanted is 0 to 1."),
        ([0.3, float("nan"), 1], "your answer has 1 of 3 values that are not finite (nan or inf)."),
        (["a", "b", "c"], "your answer is of type list, not an array of numbers."),
    ],
    ids=range(8),
)
def test_what_is_no_list_of_strengths(shelf, answer, sentence):
    assert str(shelf.check(lambda: answer)) == f"Not yet: {sentence}"


def test_nothing_yet(shelf):
    assert shelf.check(lambda: None).status == "not attempted"
    assert shelf.check(lambda: [None, None, None]).status == "not attempted"


@pytest.mark.parametrize("wrong", [{"photos": []}, {"bound": 0.0}, {"bound": float("nan")}], ids=str)
def test_a_shelf_or_bound_that_does_not_fit_is_the_chapters_fault(shelf, wrong):
    shelf.given = {**shelf.given, **wrong}
    with pytest.raises(SettingsError, match="give photos and a bound > 0"):
        shelf.check(EXACT)


@pytest.mark.weights
def test_on_the_chapters_own_shelf_the_answer_passes_and_one_strength_for_all_does_not():
    from stylelab import feedforward

    fast = feedforward.load()
    photos = [images.resize(samples.load(name), 96) for name in ("leather_sofa", "sneaker_black", "cactus_pot")]
    style = "vangogh_starry_night"
    full = [metrics.content_distance(fast.stylize(p[None], style)[0], p, max(p.shape[:2])) for p in photos]
    bound = 0.6 * float(np.median(full))
    ex = course.exercise("strength-for-each", photos=photos, style=style, stylizer=fast, bound=bound)
    assert ex.check(chapter04.strength_for_each(photos, style, fast, bound))
    assert "lost too much" in ex.check([1.0] * 3).message
    assert "has room" in ex.check([0.05] * 3).message
