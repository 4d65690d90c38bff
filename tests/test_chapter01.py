"""The exercises of chapter 01: every right answer, and the wrong ones that students write, with the exact sentence.

The known mistakes of an exercise, edits of its answer, are told apart in test_course.py for all chapters. Here stand
wrong functions written by hand, and the oracles held against Keras and against marking pixels one by one.
"""

from typing import ClassVar

import numpy as np
import pytest

from stylelab import course
from stylelab.errors import SettingsError
from stylelab.exercises import chapter01


def said(name, function, **given):
    return str(course.exercise(name, **given).check(function))


# ---- convolution -----------------------------------------------------------------------------------------------


def by_patches(x, kernel, bias, stride, pad):
    """Right, written otherwise: all windows at once."""
    x = np.pad(x, ((pad, pad), (pad, pad), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(x, kernel.shape[:2], (0, 1))[::stride, ::stride]
    return np.einsum("ijcab,abcn->ijn", windows, kernel) + bias


def by_shifts(x, kernel, bias, stride, pad):
    """Right, as section 1.2 writes it, and in float32."""
    x = np.pad(x, ((pad, pad), (pad, pad), (0, 0))).astype("float32")
    high, wide = kernel.shape[:2]
    rows, columns = x.shape[0] - high + 1, x.shape[1] - wide + 1
    total = sum(x[a : a + rows, b : b + columns] @ kernel[a, b] for a in range(high) for b in range(wide))
    return (total + bias)[::stride, ::stride]


@pytest.mark.parametrize("function", [by_patches, by_shifts])
def test_a_convolution_written_otherwise_is_right(function):
    assert course.exercise("convolution").check(function)


@pytest.mark.parametrize("size", chapter01._SIZES, ids=str)
def test_the_answer_is_what_keras_computes(size):
    from stylelab.backend import ops

    x, kernel, bias, stride, pad = chapter01._convolution_inputs(size)
    padded = np.pad(x, ((pad, pad), (pad, pad), (0, 0)))[None]
    theirs = ops.conv(padded.astype("float32"), kernel.astype("float32"), strides=stride) + bias.astype("float32")
    np.testing.assert_allclose(chapter01.convolve(x, kernel, bias, stride, pad), theirs[0], rtol=1e-4, atol=1e-4)


def loop(x, kernel, bias, stride, pad, rows, columns, pixel=None):
    """The answer with another number of windows, or another sum."""
    x = np.pad(x, ((pad, pad + 9), (pad, pad + 9), (0, 0)))
    high, wide = kernel.shape[:2]
    out = np.zeros((rows, columns, kernel.shape[3]))
    for i, j in np.ndindex(rows, columns):
        window = x[i * stride :, j * stride :][:high, :wide]
        out[i, j] = pixel(window, kernel, bias) if pixel else np.tensordot(window, kernel, 3) + bias
    return out


def windows_of(count):
    """A wrong answer by its formula for the number of windows along one side."""

    def convolve(x, kernel, bias, stride, pad):
        rows = count(x.shape[0], kernel.shape[0], stride, pad)
        return loop(x, kernel, bias, stride, pad, rows, count(x.shape[1], kernel.shape[1], stride, pad))

    return convolve


def summed_by(pixel):
    """A wrong answer by its sum for one window."""

    def convolve(x, kernel, bias, stride, pad):
        rows, columns, _ = chapter01.convolve(x, kernel, bias, stride, pad).shape
        return loop(x, kernel, bias, stride, pad, rows, columns, pixel)

    return convolve


def one_map(x, kernel, bias, stride, pad):
    return chapter01.convolve(x, kernel, bias, stride, pad).sum(-1)


def filters_first(*args):
    return np.moveaxis(chapter01.convolve(*args), -1, 0)


def transposed(*args):
    return chapter01.convolve(*args).swapaxes(0, 1)


def kernel_sides_exchanged(x, kernel, bias, stride, pad):
    return chapter01.convolve(x, kernel.swapaxes(0, 1), bias, stride, pad)


def channels_kept(x, kernel, bias, stride, pad):
    rows, columns, _ = chapter01.convolve(x, kernel, bias, stride, pad).shape
    return np.zeros((rows, columns, x.shape[2]))


def same(x, kernel, bias, stride, pad):
    return np.zeros((-(-x.shape[0] // stride), -(-x.shape[1] // stride), len(bias)))


def nothing_right(x, kernel, bias, stride, pad):
    return np.zeros((1, 1, len(bias)))


def pads_channels_too(x, kernel, bias, stride, pad):
    return chapter01.convolve(np.pad(x, pad), np.pad(kernel, ((0, 0), (0, 0), (pad, pad), (0, 0))), bias, stride, 0)


def drops_the_last_row(*args):
    return chapter01.convolve(*args)[:-1]


FIRST = "a 6 x 9 picture and 4 filters of 3 x 2 at stride 1 and pad 0 give [4, 8, 4], and yours has"
SECOND = "a 9 x 6 picture and 4 filters of 2 x 3 at stride 1 and pad 2 give [12, 8, 4], and yours has"
THIRD = "a 12 x 7 picture and 5 filters of 3 x 3 at stride 2 and pad 0 give [5, 3, 5], and yours has"
CONVOLUTION_WRONG = {
    "a mean over a wrong axis": (
        one_map,
        f"{FIRST} [4, 8]: there are 4 filters, and each gives a map; stack them in a last axis.",
    ),
    "axes in another order": (
        filters_first,
        f"{FIRST} [4, 4, 8]: the filters come first; here they are the last axis.",
    ),
    "swapped axes": (transposed, f"{FIRST} [8, 4, 4]: rows and columns are exchanged."),
    "swapped kernel axes": (
        kernel_sides_exchanged,
        f"{FIRST} [5, 7, 4]: the kernel's height and width are exchanged.",
    ),
    "channels for filters": (
        channels_kept,
        f"{FIRST} [4, 8, 3]: the last axis has the picture's channels; it should have one map a filter.",
    ),
    "one window too few": (
        windows_of(lambda n, k, s, p: (n + 2 * p - k) // s),
        f"{FIRST} [3, 7, 4]: the window at place 0 counts too: divide, round down, then add 1.",
    ),
    "the kernel's size not subtracted": (
        windows_of(lambda n, k, s, p: (n + 2 * p) // s + 1),
        f"{FIRST} [7, 10, 4]: a window that starts at the last pixel hangs over; subtract the kernel's size.",
    ),
    "no padding counted": (
        windows_of(lambda n, k, s, p: (n - k) // s + 1),
        f"{SECOND} [8, 4, 4]: the padding is missing.",
    ),
    "padding of one side": (
        windows_of(lambda n, k, s, p: (n + p - k) // s + 1),
        f"{SECOND} [10, 6, 4]: you count the padding on one side; a border has two.",
    ),
    "no stride": (
        windows_of(lambda n, k, s, p: n + 2 * p - k + 1),
        f"{THIRD} [10, 5, 5]: the stride is missing: of these places only every stride-th is used.",
    ),
    "rounded up": (
        windows_of(lambda n, k, s, p: -(-(n + 2 * p - k) // s) + 1),
        f"{THIRD} [6, 3, 5]: your last window hangs over the edge; round down.",
    ),
    "same": (same, f"{FIRST} [6, 9, 4]: that is Keras's 'same'; here pad says how much border there is."),
    "none of these": (nothing_right, f"{FIRST} [1, 1, 4]: count its windows on paper."),
    "a row too few": (drops_the_last_row, f"{FIRST} [3, 8, 4]: count its windows on paper."),
    "the largest, not the sum": (
        summed_by(lambda w, k, b: np.einsum("abc,abcn->abcn", w, k).max((0, 1, 2)) + b),
        "your map is not right: its median size is {ratio} times what it should be.",
    ),
    "turned around": (
        summed_by(lambda w, k, b: np.tensordot(w[::-1, ::-1], k, 3) + b),
        "you turn the kernel around; networks lay it on the picture as it stands.",
    ),
    "transposed window": (
        summed_by(lambda w, k, b: np.tensordot(w.reshape(k.shape[1], k.shape[0], -1).swapaxes(0, 1), k, 3) + b),
        "your map is not right: its median size is {ratio} times what it should be.",
    ),
    "a mean for the sum": (
        summed_by(lambda w, k, b: np.einsum("abc,abcn->abcn", w, k).mean((0, 1, 2)) + b),
        "you take the mean of the window; a convolution sums.",
    ),
    "a sign": (
        summed_by(lambda w, k, b: np.tensordot(w, k, 3) - b),
        "you subtract the bias; add it.",
    ),
    "the bias once for each weight": (
        summed_by(lambda w, k, b: (np.einsum("abc,abcn->abcn", w, k) + b).sum((0, 1, 2))),
        "your map is not right: its median size is {ratio} times what it should be.",
    ),
    "no bias": (
        summed_by(lambda w, k, b: np.tensordot(w, k, 3)),
        "the bias is missing; each filter adds its own number.",
    ),
    "with its ReLU": (
        summed_by(lambda w, k, b: np.maximum(np.tensordot(w, k, 3) + b, 0)),
        "you cut at zero: that is the ReLU, which comes after.",
    ),
    "nan": (
        summed_by(lambda w, k, b: np.tensordot(w, k, 3) + b * np.nan),
        "your map has 80 of 80 values that are not finite (nan or inf).",
    ),
}


@pytest.mark.parametrize("name", CONVOLUTION_WRONG)
def test_wrong_convolution(name):
    function, sentence = CONVOLUTION_WRONG[name]
    message = said("convolution", function)
    begin, _, end = sentence.partition("{ratio}")
    assert message.startswith(f"Not yet: {begin}")
    assert message.endswith(end)
    assert end or message == f"Not yet: {sentence}"


def test_padding_the_channels_changes_nothing():
    assert course.exercise("convolution").check(pads_channels_too), "zeros in more channels are no mistake"


def test_convolution_not_attempted():
    assert said("convolution", lambda x, kernel, bias, stride, pad: None).startswith("Not attempted: ")


# ---- receptive-field -------------------------------------------------------------------------------------------


def field(layers):
    """Right, from the last layer to the first."""
    size, step = 1, 1
    for kernel, stride in layers[::-1]:
        size = (size - 1) * stride + kernel
        step *= stride
    return size, step


@pytest.mark.parametrize(
    "function", [field, lambda layers: list(field(layers)), lambda layers: np.array(field(layers))]
)
def test_a_field_computed_otherwise_is_right(function):
    assert course.exercise("receptive-field").check(function)


def test_the_oracle_is_what_changes():
    """One pixel changed at a time, through layers of sums: whatever changes unit 0 is in its field."""
    rng = np.random.default_rng(0)
    for layers in chapter01._STACKS:
        signal = rng.normal(size=200)

        def run(values, layers=layers):
            for kernel, stride in layers:
                starts = range(0, len(values) - kernel + 1, stride)
                values = np.array([values[s : s + kernel].sum() for s in starts])
            return values

        before = run(signal)
        moved = [np.flatnonzero(~np.isclose(run(signal + 5 * np.eye(200)[k])[:2], before[:2])) for k in range(150)]
        reached = [[k for k, units in enumerate(moved) if unit in units] for unit in (0, 1)]
        size, step = chapter01.measured_field(layers)
        assert (max(reached[0]) - min(reached[0]) + 1, min(reached[1]) - min(reached[0])) == (size, step)


def test_the_field_of_vgg16():
    blocks = [[(3, 1)] * n for n in (2, 2, 3, 3, 3)]
    layers, sizes = [], []
    for block in blocks:
        layers += block
        sizes.append(chapter01.receptive_field(layers)[0])
        layers += [(2, 2)]
    assert sizes == [5, 14, 40, 92, 196]


def step_first(layers):
    size, step = 1, 1
    for kernel, stride in layers:
        step *= stride
        size += (kernel - 1) * step
    return size, step


def no_steps(layers):
    return 1 + sum(kernel - 1 for kernel, _ in layers), int(np.prod([stride for _, stride in layers], dtype=int))


def off_by_one(layers):
    size, step = field(layers)
    return size + 1, step


def one_side(layers):
    size, step = field(layers)
    return (size + 1) // 2, step


def only_size(layers):
    return field(layers)[0]


def centers(layers):
    size, step = field(layers)
    return size, step * 2


def products(layers):
    return int(np.prod([kernel for kernel, _ in layers])), int(np.prod([stride for _, stride in layers]))


FIELD_WRONG = {
    "swapped results": (lambda layers: field(layers)[::-1], "what you return is not in the order size, step."),
    "the layer's own stride": (
        step_first,
        "a layer's own stride is for those after it: update step after size.",
    ),
    "strides forgotten in the size": (
        no_steps,
        "you add kernel - 1 pixels whatever came before; the taps are step pixels apart.",
    ),
    "backwards": (
        lambda layers: chapter01.receptive_field(layers[::-1]),
        "you begin at the last layer; the first one reads the pixels.",
    ),
    "multiplied": (products, "your sizes multiply; each layer adds to what is seen already."),
    "off by one": (
        off_by_one,
        "for [(3, 2), (5, 1), (2, 3), (4, 2), (7, 1)] your size is 104; marking the pixels that are read gives 103.",
    ),
    "one side": (
        one_side,
        "for [(3, 2), (5, 1), (2, 3), (4, 2), (7, 1)] your size is 52; marking the pixels that are read gives 103.",
    ),
    "steps doubled": (
        centers,
        "for [(3, 2), (5, 1), (2, 3), (4, 2), (7, 1)] your step is 24; marking the pixels that are read gives 12.",
    ),
    "no field without layers": (
        lambda layers: field(layers) if layers else (0, 1),
        "without any layer a unit is a pixel and sees 1, not 0.",
    ),
    "wrong for kernels of 1": (
        lambda layers: field([(max(k, 2), s) for k, s in layers]),
        "for [(7, 2), (3, 2), (1, 1), (3, 1)] your size is 23; marking the pixels that are read gives 19.",
    ),
    "one number": (only_size, "you returned 103; return two whole numbers: size, step."),
    "text": (lambda layers: ("a", "b"), "size is of type str, not an array of numbers."),
}


@pytest.mark.parametrize("name", FIELD_WRONG)
def test_wrong_field(name):
    function, sentence = FIELD_WRONG[name]
    assert said("receptive-field", function) == f"Not yet: {sentence}"


def test_field_not_attempted():
    assert said("receptive-field", lambda layers: ...).startswith("Not attempted: ")


# ---- same-product ----------------------------------------------------------------------------------------------

N, SIDE, CHANNELS = 12, 8, 10
DEEP = ("block4_conv3", "block5_conv3")


def shoot(turn):
    """Features of N products before two scenes: the scene at the rim, the product in the middle, weak below block 4."""
    rng = np.random.default_rng(7)
    products, scenes = rng.uniform(0, 1, (N, CHANNELS)), 3 * rng.uniform(0, 1, (2, CHANNELS))
    features = {}
    for layer, clear in (("block1_conv2", 0.0), ("block3_conv3", 0.2), *((layer, 1.0) for layer in DEEP)):
        f = np.empty((N, SIDE, SIDE, CHANNELS))
        for k in range(N):
            f[k] = scenes[(k + turn) % 2]
            noise = np.random.default_rng([k, turn]).uniform(0, 1, CHANNELS)
            f[k, 2:-2, 2:-2] = clear * products[k] + (1 - clear) * noise
        features[layer] = f[:, :, :: -1 if turn else 1]
    return features


class Shop:
    first, second = shoot(0), shoot(1)
    scenes: ClassVar = ([k % 2 for k in range(N)], [1 - k % 2 for k in range(N)])
    given: ClassVar = {"first": first, "second": second, "names": [f"p{k}" for k in range(N)], "scenes": scenes}


def find(function, **changed):
    return said("same-product", function, **{**Shop.given, **changed})


def rim(f):
    return f[:, 2:-2, 2:-2]


@pytest.mark.parametrize(
    "function",
    [
        chapter01.describe,
        lambda fs: rim(fs["block5_conv3"]).mean((1, 2)),
        lambda fs: [list(row) for row in rim(fs["block4_conv3"]).max((1, 2))],
        lambda fs: 1000 * rim(fs["block5_conv3"]).mean((1, 2)).astype("float32"),
    ],
)
def test_a_description_that_finds_the_products(function):
    assert find(function).startswith("Right: ")


def one_vector(fs):
    return fs["block5_conv3"].mean((0, 1, 2))


def not_flat(fs):
    return rim(fs["block5_conv3"])


def over_channels(fs):
    return fs["block5_conv3"].mean(-1)


def centered(fs):
    rows = rim(fs["block5_conv3"]).mean((1, 2))
    return rows - rows.mean(0)


def by_number(fs):
    return np.eye(len(fs["block5_conv3"]))


def constant(fs):
    return np.ones((len(fs["block5_conv3"]), 3))


def zeros(fs):
    return np.zeros((len(fs["block5_conv3"]), 3))


def all_places(fs):
    return fs["block5_conv3"].mean((1, 2))


def place_by_place(fs):
    return fs["block5_conv3"].reshape(len(fs["block5_conv3"]), -1)


def shallow(fs):
    return rim(fs["block1_conv2"]).mean((1, 2))


def in_place(fs):
    fs["block5_conv3"] -= fs["block5_conv3"].mean()
    return rim(fs["block5_conv3"]).mean((1, 2))


def adds_a_layer(fs):
    fs["mine"] = fs["block5_conv3"]
    return rim(fs["mine"]).mean((1, 2))


def wrong_layer(fs):
    return fs["block5_conv4"]


def not_finite(fs):
    return np.log(rim(fs["block5_conv3"]).mean((1, 2)) * 0)


NO_SCENE = "The scene is not what misleads you; does your layer know shapes, or only colors and edges?"
BACKGROUND = "Which positions are background, and which layer cares least for it?"
PRODUCT_WRONG = {
    "a mean over the batch too": (
        one_vector,
        "you returned the shape [10]; wanted is [12, D], a row a picture.",
    ),
    "not flat": (not_flat, "you returned the shape [12, 4, 4, 10]; wanted is [12, D], a row a picture."),
    "a mean over the channels": (
        over_channels,
        "you returned the shape [12, 8, 8]; wanted is [12, D], a row a picture.",
    ),
    "the batch's mean subtracted": (
        centered,
        "the description of a picture depends on its neighbors in the batch; a catalog comes one by one.",
    ),
    "the place in the batch": (
        by_number,
        "the description of a picture changes when the batch is turned around; make it from its own features.",
    ),
    "constant": (
        constant,
        "0 of 12 products are found again (at least 9); p0 is taken for p1. "
        "All your descriptions point the same way; what tells two products apart?",
    ),
    "zero": (zeros, "12 of 12 descriptions are all zero, and have no direction."),
    "a layer added": (
        adds_a_layer,
        "adds_a_layer changes its input fs in place, and so the caller's fs; "
        "make a new one: fs = fs + ..., not fs += ...",
    ),
    "nan": (not_finite, "your description has 120 of 120 values that are not finite (nan or inf)."),
}


@pytest.mark.parametrize("name", PRODUCT_WRONG)
def test_wrong_description(name):
    function, sentence = PRODUCT_WRONG[name]
    assert find(function) == f"Not yet: {sentence}"


@pytest.mark.parametrize(("function", "verdict"), [(all_places, BACKGROUND), (place_by_place, BACKGROUND)])
def test_the_scene_in_place_of_the_product(function, verdict):
    message = find(function)
    assert message.startswith("Not yet: 0 of 12 products are found again (at least 9); p0 is taken for p")
    assert message.endswith(f"12 of 12 mistakes are other products in the asked one's own scene. {verdict}")


def test_a_layer_that_knows_no_product():
    message = find(shallow)
    assert message.startswith("Not yet: ")
    assert message.endswith(NO_SCENE)


def test_the_features_cannot_be_changed():
    before = Shop.first["block5_conv3"].copy()
    message = find(in_place)
    assert message.startswith("Not yet: in_place raises ValueError: output array is read-only, at line ")
    np.testing.assert_array_equal(Shop.first["block5_conv3"], before)


def test_a_layer_that_does_not_exist():
    message = find(wrong_layer)
    assert message.startswith("Not yet: wrong_layer raises KeyError: 'block5_conv4', at line ")


def test_description_not_attempted():
    assert find(lambda features: None).startswith("Not attempted: ")


def test_just_enough_is_enough():
    """The bound counts the products that are found, and a tie is not found."""

    def forgets(count):
        def describe(fs):
            rows = rim(fs["block5_conv3"]).mean((1, 2))
            lost = np.isin(rows.sum(1).round(6), forgotten[:count])
            return np.where(lost[:, None], np.eye(CHANNELS + 1)[-1], np.pad(rows, ((0, 0), (0, 1))))

        return describe

    forgotten = rim(Shop.first["block5_conv3"]).mean((1, 2)).sum(1).round(6)
    assert find(forgets(3)).startswith("Right: ")
    assert find(forgets(4)).startswith("Not yet: 8 of 12 products are found again (at least 9); p0 is taken for p1. ")


def test_features_that_do_not_fit_are_the_chapters_fault():
    fewer = {name: f[:-1] for name, f in Shop.second.items()}
    for second in ({}, fewer, {"block5_conv3": Shop.second["block5_conv3"]}):
        with pytest.raises(SettingsError, match="the same layers for the same number of products"):
            find(chapter01.describe, second=second)


@pytest.mark.weights
def test_the_bound_of_the_open_exercise_can_be_met_and_missed():
    """On the chapter's own pictures: depth at the right place passes; the scene, or a shallow layer, does not."""
    from stylelab import images, samples
    from stylelab.features import FeatureExtractor

    side, count = 128, 32

    def shot(name, ground, shift, mirror):
        render = images.open_picture(samples.path(f"product_renders/{name}"))
        cut = np.concatenate([render.rgb, render.alpha], -1)
        cut = images.resize(cut[:, ::-1] if mirror else cut, 96)
        top, left = (side - cut.shape[0]) // 2, (side - cut.shape[1]) // 2 + shift
        canvas = np.zeros((side, side, 4), "float32")
        canvas[top : top + cut.shape[0], left : left + cut.shape[1]] = cut
        return images.composite(canvas[..., :3], ground, canvas[..., 3:])

    palace, mountain = (images.resize(samples.load(name), 320) for name in ("summer_palace", "mountain"))
    grounds = palace[60 : 60 + side, 110 : 110 + side], mountain[70 : 70 + side, 40 : 40 + side]
    names = list(np.random.default_rng(0).permutation(samples.names("product_renders"))[:count])
    scenes = tuple([(k + turn) % 2 for k in range(count)] for turn in (0, 1))
    network = FeatureExtractor(layers=["block1_conv2", "block3_conv3", "block4_conv3", "block5_conv3"])
    first, second = (
        {
            layer: np.asarray(f)
            for layer, f in network(
                np.stack([shot(n, grounds[s], 8 * turn, bool(turn)) for n, s in zip(names, scenes[turn], strict=True)])
            ).items()
        }
        for turn in (0, 1)
    )
    ex = course.exercise("same-product", first=first, second=second, names=names, scenes=scenes)

    def inner(f):
        h, w = f.shape[1] // 4, f.shape[2] // 4
        return f[:, h:-h, w:-w].mean((1, 2))

    assert ex.check(chapter01.describe)
    assert ex.check(lambda fs: inner(fs["block5_conv3"]))
    for wrong in (
        lambda fs: fs["block5_conv3"].mean((1, 2)),
        lambda fs: fs["block5_conv3"].reshape(count_of(fs), -1),
        lambda fs: inner(fs["block1_conv2"]),
        lambda fs: inner(fs["block3_conv3"]),
    ):
        assert ex.check(wrong).message.endswith(BACKGROUND)


def count_of(fs):
    return len(fs["block5_conv3"])
