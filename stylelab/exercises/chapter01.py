"""Exercises of chapter 01: a convolution, the receptive field of a stack of layers, the same product found again."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from stylelab.errors import SettingsError
from stylelab.exercises import REQUIRED, Exercise, register
from stylelab.exercises.attempt import Attempt, Verdict, array, close, compare, wrong_versions

# convolution


def convolve(x: Any, kernel: Any, bias: Any, stride: int, pad: int) -> Any:
    """What a network calls a convolution: each window's weighted sum over rows, columns and channels, plus a bias."""
    x = np.pad(x, [(pad, pad), (pad, pad), (0, 0)])
    high, wide = kernel.shape[:2]
    rows = (x.shape[0] - high) // stride + 1
    columns = (x.shape[1] - wide) // stride + 1
    out = np.zeros((rows, columns, kernel.shape[3]))
    for i in range(rows):
        for j in range(columns):
            window = x[i * stride :, j * stride :][:high, :wide]
            out[i, j] = np.tensordot(window, kernel, 3) + bias
    return out


_SUM, _PAD = "np.tensordot(window, kernel, 3)", "[(pad, pad), (pad, pad), (0, 0)])"
CONVOLUTION_MISTAKES = (
    ("kernel, 3", "kernel[::-1, ::-1], 3", "you turn the kernel around; networks lay it on the picture as it stands."),
    ("kernel, 3", "kernel[::-1], 3", "your kernel stands upside down."),
    ("kernel, 3", "kernel[:, ::-1], 3", "your kernel is mirrored, its left column at the right."),
    ("(window, kernel", "(window[..., ::-1], kernel", "the channels meet the kernel's in the wrong order."),
    (_SUM, "np.tensordot(window[..., :1], kernel[:, :, :1], 3)", "you use the first channel only; sum over all."),
    (_SUM, f"{_SUM} / window.size", "you take the mean of the window; a convolution sums."),
    (_SUM, f"{_SUM} / window.shape[2]", "you take the mean over the channels; sum over them."),
    (" + bias", "", "the bias is missing; each filter adds its own number."),
    (" + bias", " - bias", "you subtract the bias; add it."),
    (" + bias", " + bias.sum()", "you add all biases to each filter; each has its own."),
    (_PAD, f"{_PAD[:-1]}, 'symmetric')", "you mirror the border, as the package does; here it is zeros."),
    (_PAD, f"{_PAD[:-1]}, 'edge')", "you repeat the pixels at the border; here it is zeros."),
    (_PAD, "[(0, 2 * pad), (0, 2 * pad), (0, 0)])", "your zeros are at the bottom and right only; pad all four sides."),
    (_PAD, "[(2 * pad, 0), (2 * pad, 0), (0, 0)])", "your zeros are at the top and left only; pad all four sides."),
    ("x[i * stride :, j * stride :]", "x[i:, j:]", "your windows are one pixel apart; they are stride pixels apart."),
    ("return out", "return np.maximum(out, 0)", "you cut at zero: that is the ReLU, which comes after."),
)

# height, width, kernel height, kernel width, filters, stride, padding
_SIZES = ((6, 9, 3, 2, 4, 1, 0), (9, 6, 2, 3, 4, 1, 2), (12, 7, 3, 3, 5, 2, 0), (11, 8, 3, 2, 4, 3, 2))


def _convolution_inputs(size: Sequence[int], seed: int = 0) -> tuple[Any, ...]:
    """Arguments on which no two formulas agree: nothing square, three channels, no bias near zero."""
    rng = np.random.default_rng(seed)
    height, width, high, wide, filters, stride, pad = size
    x, kernel = rng.normal(0.5, 1, (height, width, 3)), rng.normal(0, 1, (high, wide, 3, filters))
    return x, kernel, rng.uniform(1, 3, filters), stride, pad


def _wrong_sizes(size: Sequence[int]) -> Iterator[tuple[tuple[int, ...], str]]:
    """Shapes that a slip gives, each with its sentence; the likeliest first."""
    h, w, high, wide, n, s, p = size

    def out(left: int, right: int) -> tuple[int, ...]:
        return (left // s + 1, right // s + 1, n)

    rows, columns = h + 2 * p - high, w + 2 * p - wide
    yield out(rows, columns)[:2], f"there are {n} filters, and each gives a map; stack them in a last axis."
    yield (n, *out(rows, columns)[:2]), "the filters come first; here they are the last axis."
    yield out(columns, rows), "rows and columns are exchanged."
    yield out(h + 2 * p - wide, w + 2 * p - high), "the kernel's height and width are exchanged."
    yield (rows // s, columns // s, n), "the window at place 0 counts too: divide, round down, then add 1."
    yield (-(-rows // s) + 1, -(-columns // s) + 1, n), "your last window hangs over the edge; round down."
    yield (rows + 1, columns + 1, n), "the stride is missing: of these places only every stride-th is used."
    yield out(h - high, w - wide), "the padding is missing."
    yield out(h + p - high, w + p - wide), "you count the padding on one side; a border has two."
    yield out(h + 2 * p, w + 2 * p), "a window that starts at the last pixel hangs over; subtract the kernel's size."
    yield (-(-h // s), -(-w // s), n), "that is Keras's 'same'; here pad says how much border there is."
    yield (*out(rows, columns)[:2], 3), "the last axis has the picture's channels; it should have one map a filter."


def _convolution_shape(attempt: Attempt) -> str | None:
    for size in _SIZES:
        args = _convolution_inputs(size)
        got, wanted = np.shape(attempt(*args)), convolve(*args).shape
        if got == wanted:
            continue
        h, w, high, wide, n, s, p = size
        sentence = next((words for shape, words in _wrong_sizes(size) if shape == got), "count its windows on paper.")
        return (
            f"a {h} x {w} picture and {n} filters of {high} x {wide} at stride {s} and pad {p} give "
            f"{list(wanted)}, and yours has {list(got)}: {sentence}"
        )
    return None


def _convolution_values(attempt: Attempt) -> str | None:
    """At the size where every part of the formula counts, then at the others."""

    def parts(value: Any) -> dict[str, np.ndarray]:
        return {"your map": array(value, "your map", shape)}

    for seed, size in enumerate(_SIZES[::-1], 1):
        args = _convolution_inputs(size, seed)
        shape = convolve(*args).shape
        if message := compare(attempt, args, convolve, CONVOLUTION_MISTAKES, parts):
            return message
    return None


register(
    Exercise(
        name="convolution",
        chapter="01",
        task="Write convolve(x, kernel, bias, stride, pad) -> [rows, columns, N] in NumPy, for x of shape [H, W, C], "
        "a kernel of [h, w, C, N], N biases, and a border of pad zeros on all four sides.",
        hints=(
            "First the border (np.pad, but not on the channel axis), then count the windows, then one sum for each.",
            "A window of h rows has H + 2 pad - h + 1 places in a column; of these every stride-th is used.",
            "There are (H + 2 * pad - h) // stride + 1 rows. Row i begins at pixel i * stride of the padded picture.",
            "For one window: np.tensordot(window, kernel, 3) sums over height, width and channels; N numbers are left.",
        ),
        checks=(_convolution_shape, _convolution_values),
        right="that is all a convolution is. A layer of VGG16 is this with pad 1, a mirrored border and a ReLU.",
        answer=convolve,
        mistakes=CONVOLUTION_MISTAKES,
    )
)

# receptive-field


def receptive_field(layers: Any) -> Any:
    """Size of what one unit sees, and the distance between two neighbors, in pixels of the input."""
    size, step = 1, 1
    for kernel, stride in layers:
        size = size + (kernel - 1) * step
        step = step * stride
    return size, step


_ADD, _STEP = "(kernel - 1) * step", "step = step * stride"
FIELD_MISTAKES = (
    ("return size, step", "return step, size", "what you return is not in the order size, step."),
    (_ADD, f"{_ADD} * stride", "a layer's own stride is for those after it: update step after size."),
    (_ADD, "kernel * step", "of a kernel's taps one falls on what was seen already: add kernel - 1."),
    (_ADD, "(kernel - 1)", "you add kernel - 1 pixels whatever came before; the taps are step pixels apart."),
    (_ADD, "(kernel - 1) * stride", "you multiply by the layer's own stride; what counts are those before it."),
    (_ADD, "kernel // 2 * step", "you count one side of the kernel; it reaches out on both."),
    (f"size + {_ADD}", "size * kernel", "your sizes multiply; each layer adds to what is seen already."),
    (_STEP, "step = step + stride", "your steps add up; a stride of 2 after a stride of 2 is 4."),
    (_STEP, "step = step + stride - 1", "your steps add up; a stride of 2 after a stride of 2 is 4."),
    (_STEP, "step = stride", "your step is that of the last layer only; strides multiply."),
    (_STEP, "step = step", "your step stays at 1; each stride multiplies it."),
    ("in layers", "in layers[::-1]", "you begin at the last layer; the first one reads the pixels."),
    ("kernel, stride in", "stride, kernel in", "each pair is (kernel, stride), in this order."),
    ("size, step = 1, 1", "size, step = 0, 1", "without any layer a unit is a pixel and sees 1, not 0."),
)

_STACKS = (
    ((3, 2), (5, 1), (2, 3), (4, 2), (7, 1)),  # no two formulas agree on this one
    *((), ((3, 1),), ((7, 2),), ((3, 1), (3, 1), (2, 2)), ((7, 2), (3, 2), (1, 1), (3, 1)), ((1, 2), (3, 1), (5, 3))),
)


def measured_field(layers: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """The oracle, which knows no formula: marks the pixels that units 0 and 1 read, layer by layer, and measures."""
    pixels = 2
    for kernel, stride in reversed(layers):
        pixels = (pixels - 1) * stride + kernel
    reads = np.eye(pixels, dtype=bool)  # a row for each unit: the pixels that it reads
    for kernel, stride in layers:
        starts = range(0, len(reads) - kernel + 1, stride)
        reads = np.array([reads[start : start + kernel].any(0) for start in starts])
    (first, *_, last), (beside, *_) = (np.flatnonzero(reads[unit])[[0, -1]] for unit in (0, 1))
    return int(last - first + 1), int(beside - first)


def _two_numbers(value: Any) -> dict[str, np.ndarray]:
    if not isinstance(value, tuple | list | np.ndarray) or np.shape(value) != (2,):
        raise Verdict("wrong", f"you returned {value!r}; return two whole numbers: size, step.")
    return {name: array(part, name, ()) for name, part in zip(("size", "step"), value, strict=True)}


def _field(attempt: Attempt) -> str | None:
    """Measured; where a known mistake gives the same numbers on that stack, its sentence."""
    for layers in _STACKS:
        got, wanted = _two_numbers(attempt(list(layers))), _two_numbers(measured_field(layers))
        if all(close(got[name], wanted[name]) for name in wanted):
            continue
        for function, sentence in wrong_versions(receptive_field, FIELD_MISTAKES):
            wrong = _two_numbers(function(list(layers)))
            if all(close(got[name], wrong[name]) for name in wanted):
                return sentence
        name = next(name for name in wanted if not close(got[name], wanted[name]))
        return (
            f"for {list(layers)} your {name} is {got[name]:g}; marking the pixels that are read gives {wanted[name]:g}."
        )
    return None


register(
    Exercise(
        name="receptive-field",
        chapter="01",
        task="Write receptive_field(layers) -> (size, step) for a list of (kernel, stride) pairs in the order in which "
        "the picture passes them: how many pixels across a unit sees, and how far apart two neighbors look.",
        hints=(
            "Start with a pixel: it sees 1 pixel, and its neighbor is 1 pixel away. What does one layer change?",
            "A kernel of k taps reads k units below. They are step pixels apart, so k - 1 steps from first to last.",
            "size grows by (kernel - 1) * step, with the step before this layer; then step is multiplied by stride.",
        ),
        checks=(_field,),
        right="only strides make the field grow fast: after four poolings each 3 x 3 kernel adds 32 pixels.",
        answer=receptive_field,
        mistakes=FIELD_MISTAKES,
    )
)

# same-product


def describe(features: Any) -> Any:
    """One of many answers: the largest responses in the middle, where the product is, of the two deepest layers."""
    parts = []
    for layer in ("block4_conv3", "block5_conv3"):
        f = np.asarray(features[layer])
        height, width = f.shape[1] // 4, f.shape[2] // 4
        largest = f[:, height:-height, width:-width].max((1, 2))
        parts.append(largest / np.linalg.norm(largest, axis=1, keepdims=True))
    return np.concatenate(parts, 1)


class Features(dict[str, Any]):
    """Arrays by layer, not to be written to: they are too large to be copied for every call."""

    def __init__(self, features: Mapping[str, Any]):
        super().__init__({name: np.asarray(f).view() for name, f in features.items()})
        for f in self.values():
            f.flags.writeable = False

    def __deepcopy__(self, memo: Any) -> "Features":
        return Features(self)

    def __eq__(self, other: Any) -> bool:
        return self.keys() == other.keys() and all(np.shares_memory(f, other[name]) for name, f in self.items())

    __hash__ = None


def _rows(attempt: Attempt, features: Mapping[str, Any]) -> np.ndarray:
    """What the student's function gives, as ``[N, D]`` with rows of length 1."""
    value = attempt(Features(features))
    count = len(next(iter(features.values())))
    shape = np.shape(value)
    if len(shape) != 2 or shape[0] != count or not shape[1]:
        raise Verdict("wrong", f"you returned the shape {list(shape)}; wanted is [{count}, D], a row a picture.")
    rows = array(value, "your description", shape)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    if not lengths.all():
        raise Verdict("wrong", f"{(lengths == 0).sum()} of {count} descriptions are all zero, and have no direction.")
    return rows / lengths


def _alone(attempt: Attempt, *, first: Mapping[str, Any], second: Mapping[str, Any], **_: Any) -> str | None:
    """A picture's description is its own: it does not depend on the others, nor on their order."""
    names = list(first)
    if not names or names != list(second) or len({len(f) for f in (*first.values(), *second.values())}) != 1:
        raise SettingsError("The two shoots need the features of the same layers for the same number of products.")
    together, back = _rows(attempt, first), _rows(attempt, {name: f[::-1] for name, f in first.items()})
    if together.shape == back.shape and not np.allclose(together, back[::-1], atol=1e-4):
        return "the description of a picture changes when the batch is turned around; make it from its own features."
    half = _rows(attempt, {name: f[: max(1, len(f) // 2)] for name, f in first.items()})
    if half.shape[1] != together.shape[1] or not np.allclose(half, together[: len(half)], atol=1e-4):
        return "the description of a picture depends on its neighbors in the batch; a catalog comes one by one."
    return None


def _found(attempt: Attempt, *, first: Any, second: Any, names: Any, scenes: Any, bound: float) -> str | None:
    """Each product's nearest picture in the other shoot, by the angle between the descriptions."""
    one, two = _rows(attempt, first), _rows(attempt, second)
    likeness = one @ two.T
    right = np.diag(likeness).copy()
    np.fill_diagonal(likeness, -np.inf)
    nearest, found = likeness.argmax(1), right > likeness.max(1) + 1e-9
    if found.mean() >= bound:
        return None
    missed = [int(k) for k in np.flatnonzero(~found)]
    by_scene = sum(scenes[0][k] == scenes[1][int(nearest[k])] for k in missed)
    message = f"{found.sum()} of {len(found)} products are found again (at least {np.ceil(bound * len(found)):.0f}); "
    message += f"{names[missed[0]]} is taken for {names[int(nearest[missed[0]])]}. "
    if np.ptp(likeness[np.isfinite(likeness)]) < 1e-9:
        return message + "All your descriptions point the same way; what tells two products apart?"
    if by_scene > 0.6 * len(missed):
        share = f"{by_scene} of {len(missed)} mistakes are other products in the asked one's own scene. "
        return message + share + "Which positions are background, and which layer cares least for it?"
    return message + "The scene is not what misleads you; does your layer know shapes, or only colors and edges?"


register(
    Exercise(
        name="same-product",
        chapter="01",
        task="Write describe(features) -> [N, D], one row a picture, from a dictionary of features [N, h, w, C] by "
        "layer: so that each product's nearest picture in the other shoot, by angle, is the same product.",
        hints=(
            "Three choices: which layers, which positions, and how positions become one number a channel.",
            "Mirroring and moving a product changes where a channel responds. Mean and maximum do not know where.",
            "The scene fills the rim of the picture, the product its middle; f[:, h // 4 : -h // 4] drops rows of rim.",
            "Layers have units of their own: divide each layer's row by its length before you join two of them.",
        ),
        checks=(_alone, _found),
        right="which layer, where, and pooled how: a search for doubles in a catalog is made of these three choices.",
        answer=describe,
        given={**dict.fromkeys(("first", "second", "names", "scenes"), REQUIRED), "bound": 0.75},
        open=True,
    )
)
