"""Exercises of chapter 10: every right answer, however it is written, and the wrong ones that students write.

The known mistakes of an exercise are edits of its answer; tests/test_course.py sees that each is told apart. Here are
wrong functions written by hand, with the sentence that each must bring forth.
"""

import numpy as np
import pytest

from stylelab import course, metrics
from stylelab.backend import ops
from stylelab.errors import SettingsError
from stylelab.exercises import chapter10_open, chapter10_styles
from stylelab.gans.style_networks import ModulatedConv2D
from tests.answers import message

# ---- truncate-coarse -------------------------------------------------------------------------------------------


def with_where(styles, mean, psi, layers):
    coarse = np.arange(styles.shape[1]) < layers
    return np.where(coarse[:, None], mean + psi * (styles - mean), styles)


def by_factors(styles, mean, psi, layers):
    """Every layer has a psi of its own; that of the fine ones is 1."""
    factors = np.ones(styles.shape[1])
    factors[:layers] = psi
    return mean + factors[:, None] * (styles - mean)


def layer_by_layer(styles, mean, psi, layers):
    kept = [styles[:, k] if k >= layers else (1 - psi) * mean + psi * styles[:, k] for k in range(styles.shape[1])]
    return ops.stack([ops.convert_to_tensor(part) for part in kept], 1)


@pytest.mark.parametrize("function", [chapter10_styles.truncate_coarse, with_where, by_factors, layer_by_layer])
def test_right_truncation(function):
    assert course.exercise("truncate-coarse").check(function)


def in_place(styles, mean, psi, layers):
    styles[:, :layers] = mean + psi * (styles[:, :layers] - mean)
    return styles


def only_the_coarse(styles, mean, psi, layers):
    return mean + psi * (styles[:, :layers] - mean)


def bounded(styles, mean, psi, layers):
    """A psi that is kept in 0..1, which nobody asked for."""
    return chapter10_styles.truncate_coarse(styles, mean, max(psi, 0), layers)


def at_least_one(styles, mean, psi, layers):
    return chapter10_styles.truncate_coarse(styles, mean, psi, max(layers, 1))


def resampled(styles, mean, psi, layers):
    """The truncation trick of other papers: what lies far out is cut off."""
    return np.clip(styles, mean - psi, mean + psi)


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (in_place, "changes its input styles in place"),
        (only_the_coarse, "your styles has shape [6, 3, 5]; wanted is [6, 8, 5]"),
        (bounded, "a negative psi goes through the mean"),
        (at_least_one, "with layers = 0 nothing shall change"),
        (resampled, "your styles is not right"),
        (lambda styles, mean, psi, layers: mean, "shape [5]; wanted is [6, 8, 5]"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_wrong_truncation(function, words):
    assert words in message("truncate-coarse", function)


# ---- demodulated-kernels ---------------------------------------------------------------------------------------


def in_loops(kernel, style):
    kernels = np.empty((len(style), *kernel.shape))
    for b, s in enumerate(style):
        for j in range(kernel.shape[-1]):
            own = s[:, None] * kernel[..., j].reshape(-1, len(s), 1)
            own = own.reshape(kernel.shape[:-1])
            kernels[b, ..., j] = own / np.sqrt((own**2).sum() + 1e-8)
    return kernels


def by_einsum(kernel, style):
    deviation = np.sqrt(np.einsum("bi,hwio->bo", style**2, kernel**2) + 1e-8)
    return np.einsum("bi,hwio,bo->bhwio", style, kernel, 1 / deviation)


def from_the_package(kernel, style):
    """What the layer convolves with: it answers an impulse in one input channel with that channel's kernel, turned."""
    high, wide, inputs, outputs = kernel.shape
    layer = ModulatedConv2D(outputs, high, dtype="float64")
    if high != wide:  # it has square kernels only
        return by_einsum(kernel, style)
    layer.build((None, 9, 9, inputs))
    layer.kernel.assign(kernel)
    found = np.zeros((len(style), *kernel.shape))
    for i in range(inputs):
        impulse = np.zeros((len(style), 9, 9, inputs))
        impulse[:, 4, 4, i] = 1
        half = high // 2
        answer = np.array(layer(impulse, style))[:, 4 - half : 5 + half, 4 - half : 5 + half]
        found[:, :, :, i] = answer[:, ::-1, ::-1]
    return found


@pytest.mark.parametrize("function", [chapter10_styles.demodulated, in_loops, by_einsum, from_the_package])
def test_right_kernels(function):
    assert course.exercise("demodulated-kernels").check(function)


def without_places(kernel, style):
    energy = np.einsum("bi,hwio->bhwo", style**2, kernel**2)
    return style[:, None, None, :, None] * kernel / np.sqrt(energy + 1e-8)[:, :, :, None]


def of_the_features(kernel, style):
    """Instance normalization of the kernel: its mean goes, too."""
    scaled = style[:, None, None, :, None] * kernel
    return (scaled - scaled.mean((1, 2, 3), keepdims=True)) / (scaled.std((1, 2, 3), keepdims=True) + 1e-8)


def channels_first(kernel, style):
    return np.moveaxis(chapter10_styles.demodulated(kernel, style), -1, 1)


def without_a_guard(kernel, style):
    scaled = style[:, None, None, :, None] * kernel
    energy = np.sum(scaled**2, axis=(1, 2, 3), keepdims=True)
    return scaled / np.sqrt(np.where(energy > 0, energy + 1e-8, 0))


def for_one_picture(kernel, style):
    scaled = style[0][:, None] * kernel
    return scaled / np.sqrt((scaled**2).sum((0, 1, 2)) + 1e-8)


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (without_places, "you sum over input channels alone"),
        (of_the_features, "your kernels is not right"),
        (channels_first, "your kernels has shape [4, 4, 3, 3, 4]"),
        (without_a_guard, "a style of zeros gives kernels that are not finite"),
        (for_one_picture, "shape [3, 3, 4, 4]; wanted is [4, 3, 3, 4, 4]"),
        (lambda kernel, style: kernel * style, "your kernels has shape [3, 3, 4, 4]"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_wrong_kernels(function, words):
    assert words in message("demodulated-kernels", function)


# ---- new-chairs ------------------------------------------------------------------------------------------------


def pictures(count, mean=0.5, spread=0.3, seed=0):
    """Pictures of few colors: what the features below see is their four quarters."""
    rng = np.random.default_rng(seed)
    quarters = np.clip(rng.normal(mean, spread, (count, 2, 2, 3)), 0, 1)
    return quarters.repeat(8, 1).repeat(8, 2).astype("float32")


@pytest.fixture
def by_quarters(monkeypatch):
    """Features that see nothing but the colors of four quarters, so that a test can say what a page is."""

    def features(some, size=None, batch=64):
        return np.asarray(some, "float64").reshape(len(some), 2, 8, 2, 8, 3).mean((2, 4)).reshape(len(some), -1)

    monkeypatch.setattr(metrics, "vgg_features", features)
    return pictures(60)


GIVEN = {"kid_bound": 0.05, "diversity_bound": 0.8}


def test_right_page(by_quarters):
    page = pictures(24, seed=1)
    ex = course.exercise("new-chairs", real=by_quarters, **GIVEN)
    assert ex.check(page)
    assert ex.check(lambda: page)
    assert ex.check(lambda: list(page))


def test_mirror_images_and_equal_pictures_are_no_measure_of_a_copy(by_quarters):
    twice = np.concatenate([by_quarters, by_quarters])
    assert course.exercise("new-chairs", real=twice, **GIVEN).check(pictures(24, seed=1))


def black_and_white(real):
    return np.concatenate([pictures(12, 0.0, 0.2, seed=3), pictures(12, 1.0, 0.2, seed=4)])


def dull(real):
    return np.clip(real.mean(0) + 0.05 * (pictures(24, seed=2) - 0.5), 0, 1)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda real: real[:24], "24 of 24 are copies (at most 0)"),
        (lambda real: np.clip(real[:24] + 0.01, 0, 1), "24 of 24 are copies"),
        (lambda real: np.concatenate([real[:1], pictures(23, seed=1)]), "1 of 24 are copies"),
        (black_and_white, "not what the shop has"),
        (dull, "too much alike"),
        (lambda real: np.ones((24, 16, 16, 3)), "Neither is there yet"),
        (lambda real: pictures(10), "your page has shape [10, 16, 16, 3]; wanted is [24, 16, 16, 3]"),
        (lambda real: 255 * pictures(24), "your page runs from 0.00 to 255.00; wanted is 0..1"),
    ],
    ids=["the real ones", "brighter", "one copy", "another shop", "one thing", "white", "too few", "bytes"],
)
def test_wrong_page(by_quarters, make, words):
    given = {**GIVEN, "kid_bound": 0.3} if words == "too much alike" else GIVEN
    assert words in message("new-chairs", make(by_quarters), real=by_quarters, **given)


@pytest.mark.parametrize("given", [{"real": np.zeros((30, 768))}, {"real": pictures(5)}, {"count": 1}])
def test_what_the_chapter_must_give(by_quarters, given):
    with pytest.raises(SettingsError, match="at least 20 real pictures"):
        course.exercise("new-chairs", **{"real": by_quarters, **given}).check(pictures(24))


def test_the_solution_chooses_better_than_chance(by_quarters):
    drawn = np.concatenate([pictures(100, seed=4), pictures(100, mean=0.8, seed=5)])
    page = chapter10_open.new_chairs(drawn, by_quarters)
    assert page.shape == (24, 16, 16, 3)
    assert len(np.unique(page.reshape(24, -1), axis=0)) == 24

    def kid(some):
        return metrics.kid(metrics.vgg_features(by_quarters), metrics.vgg_features(some), subsets=2).value

    assert kid(page) < min(kid(drawn[first : first + 24]) for first in range(0, 168, 24))


@pytest.mark.weights
def test_on_the_shipped_network_the_plain_sample_fails_and_the_choice_passes(monkeypatch):
    from stylelab import datasets, samples, training
    from stylelab.gans import StyleGAN

    renders = datasets.renders(64, ("seating", "tables")).pictures
    real = np.concatenate([renders, renders[:, :, ::-1]])
    game = StyleGAN(dtype="float32")
    training.load_weights(game.sampler, samples.weights("stylegan"))
    drawn = game.sample(96, seed=2)
    known, features = {}, metrics.vgg_features

    def once(pictures):  # the same real pictures are asked for four times
        key = np.asarray(pictures).tobytes()
        if key not in known:
            known[key] = features(pictures)
        return known[key]

    monkeypatch.setattr(metrics, "vgg_features", once)
    ex = course.exercise("new-chairs", real=real)
    assert ex.check(chapter10_open.new_chairs(drawn, real))
    assert "and choose" in ex.check(drawn[:24]).message
    assert "24 of 24 are copies" in ex.check(renders[:24]).message
