"""Exercises of chapter 05: right answers however they are written, and the wrong ones that students write.

The known mistakes of an exercise are edits of its answer; tests/test_course.py sees that each is told apart. Here are
wrong functions written by hand, with the sentence that each must bring forth.
"""

import numpy as np
import pytest

from stylelab import course, images, metrics, samples
from stylelab.errors import SettingsError
from stylelab.exercises import chapter05


def named(value):
    return getattr(value, "__name__", "")


# ---- match-moments ---------------------------------------------------------------------------------------------


def with_rows(x, mean, deviation):
    rows = x.reshape(-1, x.shape[-1])
    white = (rows - rows.mean(0)) / (rows.var(0) + 1e-5) ** 0.5
    return (white * deviation + mean).reshape(x.shape)


def as_scale_and_shift(x, mean, deviation):
    scale = deviation / np.sqrt(x.var((0, 1)) + 1e-5)
    return x * scale + (mean - x.mean((0, 1)) * scale)


def of_the_package(x, mean, deviation):
    from stylelab.adain import adain

    return adain(x[None], (mean.astype("float32"), deviation.astype("float32")))[0]


def channel_by_channel(x, mean, deviation):
    result = np.empty_like(x)
    for c in range(x.shape[-1]):
        own = x[..., c]
        result[..., c] = (own - own.mean()) / np.sqrt(((own - own.mean()) ** 2).mean() + 1e-5) * deviation[c] + mean[c]
    return result


@pytest.mark.parametrize(
    "function", [chapter05.match_moments, with_rows, as_scale_and_shift, of_the_package, channel_by_channel]
)
def test_right_moments(function):
    assert course.exercise("match-moments").check(function)


def layer_normalized(x, mean, deviation):
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5) * deviation + mean


def over_one_axis(x, mean, deviation):
    return (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-5) * deviation + mean


def dealt_to_channels(x, mean, deviation):
    rows = x.reshape(x.shape[-1], -1)
    white = (rows - rows.mean(1, keepdims=True)) / np.sqrt(rows.var(1, keepdims=True) + 1e-5)
    return (white * deviation[:, None] + mean[:, None]).reshape(x.shape)


def without_epsilon(x, mean, deviation):
    return (x - x.mean((0, 1))) / x.std((0, 1)) * deviation + mean


def epsilon_only_for_constants(x, mean, deviation):
    spread = x.std((0, 1))
    return (x - x.mean((0, 1))) / np.where(spread > 0, spread, 1) * deviation + mean


def dead_channels_stay(x, mean, deviation):
    return np.where(x.std((0, 1)) > 0, chapter05.match_moments(x, mean, deviation), 0)


def relu_at_the_end(x, mean, deviation):
    return np.maximum(chapter05.match_moments(x, mean, deviation), 0)


def the_paintings_noise(x, mean, deviation):
    """The right moments, and the photo is gone."""
    noise = np.random.default_rng(0).normal(size=x.shape)
    return (noise - noise.mean((0, 1))) / noise.std((0, 1)) * deviation + mean


def shuffled(x, mean, deviation):
    return chapter05.match_moments(x, mean, deviation)[::-1]


def by_the_largest(x, mean, deviation):
    return (x - x.mean((0, 1))) / np.abs(x).max((0, 1)) * deviation + mean


def tuple_of_moments(x, mean, deviation):
    return chapter05.match_moments(x, mean, deviation), mean


def rows_only(x, mean, deviation):
    return with_rows(x, mean, deviation).reshape(-1, x.shape[-1])


def in_place(x, mean, deviation):
    x -= x.mean((0, 1))
    return x / np.sqrt(x.var((0, 1)) + 1e-5) * deviation + mean


NOT_RIGHT = "your result is not right"
MOMENTS_WRONG = [
    (layer_normalized, "taken over the channels; wanted is one mean a channel"),
    (over_one_axis, "taken over the rows; wanted is one mean a channel"),
    (dealt_to_channels, NOT_RIGHT),
    (without_epsilon, NOT_RIGHT),
    (epsilon_only_for_constants, NOT_RIGHT),
    (dead_channels_stay, "a channel that is zero everywhere should become the painting's mean."),
    (relu_at_the_end, NOT_RIGHT),
    (the_paintings_noise, NOT_RIGHT),
    (shuffled, NOT_RIGHT),
    (by_the_largest, NOT_RIGHT),
    (tuple_of_moments, "not an array of numbers"),
    (rows_only, "your result has shape [20, 3]; wanted is [5, 4, 3]."),
    (in_place, "changes its input x in place"),
    (lambda x, m, d: x, "you return the features as they were."),
    (lambda x, m, d: np.broadcast_to(m, x.shape), NOT_RIGHT),
]


@pytest.mark.parametrize(("function", "words"), MOMENTS_WRONG, ids=named)
def test_wrong_moments(function, words):
    said = course.exercise("match-moments").check(function)
    assert said.status == "wrong"
    assert words in said.message


# ---- whiten-and-color ------------------------------------------------------------------------------------------


def by_svd(x, style, ridge):
    def power(c, p):
        u, s, vt = np.linalg.svd(c)
        return u @ np.diag(np.maximum(s, 1e-12) ** p) @ vt

    a, b = (f.reshape(-1, f.shape[-1]) for f in (x, style))
    own, wanted = np.cov(a.T, bias=True), np.cov(b.T, bias=True)
    white = (a - a.mean(0)) @ power(own + ridge * np.eye(len(own)), -0.5)
    return (white @ power(wanted, 0.5) + b.mean(0)).reshape(x.shape)


def with_one_matrix(x, style, ridge):
    from scipy.linalg import fractional_matrix_power as power

    c = x.shape[-1]
    own, wanted = (np.cov(f.reshape(-1, c), rowvar=False, ddof=0) for f in (x, style))
    tiny = 1e-12 * np.eye(c)
    matrix = np.real(power(own + ridge * np.eye(c) + tiny, -0.5) @ power(wanted + tiny, 0.5))
    return np.einsum("hwc,cd->hwd", x - x.mean((0, 1)), matrix) + style.mean((0, 1))


@pytest.mark.parametrize("function", [chapter05.whiten_and_color, by_svd, with_one_matrix])
def test_right_covariance(function):
    assert course.exercise("whiten-and-color").check(function)


def flat(f):
    return f.reshape(-1, f.shape[-1])


def adain_only(x, style, ridge):
    return chapter05.match_moments(x, style.mean((0, 1)), style.std((0, 1)))


def optimal_transport(x, style, ridge):
    """The nearest features with that covariance: right in every moment, and not the map that was asked for."""
    from scipy.linalg import sqrtm

    own, wanted = (np.cov(flat(f).T, bias=True) for f in (x, style))
    own = own + ridge * np.eye(len(own))
    root = np.real(sqrtm(own))
    back = np.linalg.inv(root)
    return (x - x.mean((0, 1))) @ (back @ np.real(sqrtm(root @ wanted @ root)) @ back) + style.mean((0, 1))


def ridge_on_both(x, style, ridge):
    def power(c, p):
        values, vectors = np.linalg.eigh(c + ridge * np.eye(len(c)))
        return vectors * np.maximum(values, 1e-12) ** p @ vectors.T

    own, wanted = (np.cov(flat(f).T, bias=True) for f in (x, style))
    return (x - x.mean((0, 1))) @ power(own, -0.5) @ power(wanted, 0.5) + style.mean((0, 1))


def ridge_on_the_root(x, style, ridge):
    values, vectors = np.linalg.eigh(np.cov(flat(x).T, bias=True))
    white = (x - x.mean((0, 1))) @ (vectors / (np.sqrt(np.maximum(values, 0)) + ridge) @ vectors.T)
    values, vectors = np.linalg.eigh(np.cov(flat(style).T, bias=True))
    return white @ (vectors * np.sqrt(np.maximum(values, 0)) @ vectors.T) + style.mean((0, 1))


def transposed(x, style, ridge):
    rows = flat(x).T
    return chapter05.whiten_and_color(rows.reshape(*x.shape), style, ridge)


def resampled(x, style, ridge):
    """Features of the painting: its statistics nearly, and nothing of the photo."""
    return flat(style)[np.arange(x.shape[0] * x.shape[1]) % len(flat(style))].reshape(x.shape)


def elementwise_roots(x, style, ridge):
    own, wanted = (np.cov(flat(f).T, bias=True) for f in (x, style))
    return (x - x.mean((0, 1))) @ np.linalg.inv(np.sqrt(np.abs(own))) @ np.sqrt(np.abs(wanted)) + style.mean((0, 1))


def eigenvectors_in_rows(x, style, ridge):
    def power(c, p):
        values, vectors = np.linalg.eigh(c)
        return vectors.T * np.maximum(values, 1e-12) ** p @ vectors

    own, wanted = (np.cov(flat(f).T, bias=True) for f in (x, style))
    white = (x - x.mean((0, 1))) @ power(own + ridge * np.eye(len(own)), -0.5)
    return white @ power(wanted, 0.5) + style.mean((0, 1))


def fixed_ridge(x, style, ridge):
    return chapter05.whiten_and_color(x, style, 0.5)


def no_ridge_when_few(x, style, ridge):
    if len(flat(x)) < x.shape[-1]:
        own = np.cov(flat(x).T, bias=True)
        with np.errstate(all="ignore"):
            return x @ (np.log(-np.abs(own)))
    return chapter05.whiten_and_color(x, style, ridge)


def roots_of_what_rounding_made_negative(x, style, ridge):
    def power(c, p):
        values, vectors = np.linalg.eigh(c)
        return vectors * values**p @ vectors.T

    own, wanted = (np.cov(flat(f).T, bias=True) for f in (x, style))
    white = (x - x.mean((0, 1))) @ power(own + ridge * np.eye(len(own)), -0.5)
    return white @ power(wanted, 0.5) + style.mean((0, 1))


TURNED = "mean and covariance are right, but your roots are not the symmetric ones: they turn the channels."
COVARIANCE_WRONG = [
    (adain_only, "the mean of your features is the style's, and their covariance is not."),
    (optimal_transport, "their covariance is not"),
    (ridge_on_both, "their covariance is not"),
    (ridge_on_the_root, "their covariance is not"),
    (transposed, "their covariance is not"),
    (resampled, "these are the style's own features: the photo is gone."),
    (elementwise_roots, "their covariance is not"),
    (eigenvectors_in_rows, "their covariance is not"),
    (fixed_ridge, "without a ridge the covariance should be the style's; it is off by"),
    (roots_of_what_rounding_made_negative, "a style of 6 positions and 10 channels gives values that are not finite"),
    (no_ridge_when_few, "with 6 positions and 10 channels your features are not finite"),
    (lambda x, s, r: chapter05.whiten_and_color(x, s, r) + 1, "the mean of your features is not the style's."),
    (
        lambda x, s, r: flat(chapter05.whiten_and_color(x, s, r)),
        "your result has shape [30, 4]; wanted is [6, 5, 4].",
    ),
    (lambda x, s, r: chapter05.whiten_and_color(s, x, r), "your result has shape [4, 9, 4]; wanted is [6, 5, 4]."),
    (lambda x, s, r: x, "you return the features as they were."),
]


@pytest.mark.parametrize(("function", "words"), COVARIANCE_WRONG, ids=named)
def test_wrong_covariance(function, words):
    said = course.exercise("whiten-and-color").check(function)
    assert said.status == "wrong"
    assert words in said.message


def test_turned_channels_are_told_from_wrong_covariances():
    """Right in mean and covariance, as every rotation of the whitened features is."""

    def turned(x, style, ridge):
        rows = flat(x)
        own = np.cov(rows.T, bias=True) + ridge * np.eye(rows.shape[1])
        values, vectors = np.linalg.eigh(own)
        # With a ridge they are not quite white: only a turn along their own axes leaves the covariance as it is.
        turn = vectors @ np.diag([-1] + [1] * (len(values) - 1)) @ vectors.T
        white = (rows - rows.mean(0)) @ (vectors * values**-0.5 @ vectors.T) @ turn
        values, vectors = np.linalg.eigh(np.cov(flat(style).T, bias=True))
        return (white @ (vectors * np.maximum(values, 0) ** 0.5 @ vectors.T) + style.mean((0, 1))).reshape(x.shape)

    assert str(course.exercise("whiten-and-color").check(turned)) == f"Not yet: {TURNED}"


def test_the_gram_matrix_is_the_style_s():
    """What the chapter concludes from mean and covariance, by the answer and the package's own Gram matrix."""
    from stylelab.losses import gram_matrix

    x, style = chapter05._features(1, (9, 8, 5)), chapter05._features(2, (7, 7, 5))
    matched, wanted = (np.asarray(gram_matrix(f[None])) for f in (chapter05.whiten_and_color(x, style, 0.0), style))
    np.testing.assert_allclose(matched, wanted, rtol=1e-6)


# ---- within-two-bounds -----------------------------------------------------------------------------------------

PHOTO = np.full((24, 24, 3), 0.8, "float32")
PAINTING = np.full((24, 24, 3), 0.2, "float32")
BOUNDS = {"style_bound": 0.25, "content_bound": 0.4}


@pytest.fixture
def bounds(monkeypatch):
    """The exercise with distances of pixels in place of features: bounds and sentences are what is tested here."""
    monkeypatch.setattr(metrics, "style_distance", lambda image, style, size: float(np.abs(image - style).mean()))
    monkeypatch.setattr(metrics, "content_distance", lambda image, content, size: float(np.abs(image - content).mean()))
    return course.exercise("within-two-bounds", content=PHOTO, style=PAINTING, **BOUNDS)


def mixed(share):
    return ((1 - share) * PHOTO + share * PAINTING).astype("float32")


@pytest.mark.parametrize("form", [lambda p: p, lambda p: lambda: p, lambda p: p[None], lambda p: p.astype("float64")])
def test_between_the_bounds_passes(bounds, form):
    assert bounds.check(form(mixed(0.62)))


@pytest.mark.parametrize(
    ("picture", "sentence"),
    [
        (PHOTO, "style distance 0.600 (at most 0.250), content distance 0.00 (at most 0.40). The photo is safe"),
        (PAINTING, "content distance 0.60 (at most 0.40). The painting is there and the photo is going."),
        (mixed(0.5), "style distance 0.300 (at most 0.250), content distance 0.30 (at most 0.40). The photo is safe"),
        (mixed(0.75), "content distance 0.45 (at most 0.40). The painting is there"),
        (np.ones_like(PHOTO), "style distance 0.800 (at most 0.250), content distance 0.20 (at most 0.40). The photo"),
        (np.zeros_like(PHOTO) + np.float32([1, 1, 0]), "Neither is there yet"),
        (PHOTO[:-1], "your picture has shape [23, 24, 3]; wanted is [24, 24, 3]."),
        (images.to_uint8(PHOTO), "your picture holds whole numbers (uint8); divide it by 255."),
        (PHOTO * np.nan, "values that are not finite"),
        (None, "returned None"),
    ],
)
def test_outside_the_bounds_it_says_which(bounds, picture, sentence):
    said = bounds.check(lambda: picture)
    assert not said
    assert sentence in str(said)


@pytest.mark.parametrize("bound", [0, -1.0, float("inf"), float("nan")])
def test_a_bound_that_is_none_is_the_chapters_fault(bound):
    ex = course.exercise("within-two-bounds", content=PHOTO, style=PAINTING, style_bound=bound, content_bound=1.0)
    with pytest.raises(SettingsError, match="give two positive numbers"):
        ex.check(PHOTO)


@pytest.mark.weights
def test_the_bounds_of_the_chapter_can_be_met_and_missed():
    """On the chapter's pair, real metrics, and bounds made as the chapter makes them."""
    from stylelab.adain import AdaIN

    photo = images.resize(samples.load("armchair_blue"), 128)
    painting = samples.load("vangogh_langlois_bridge")
    method = AdaIN()

    def measured(picture):
        return metrics.style_distance(picture, painting, 128), metrics.content_distance(picture, photo, 128)

    full = method.stylize(photo[None], painting)[0]
    (style_before, _), (style_after, content_after) = measured(photo), measured(full)
    ex = course.exercise(
        "within-two-bounds",
        content=photo,
        style=painting,
        style_bound=style_after + 0.2 * (style_before - style_after),
        content_bound=0.75 * content_after,
    )
    assert "The photo is safe" in ex.check(photo).message
    assert "The photo is safe" in ex.check(method.stylize(photo[None], painting, strength=0.1)[0]).message
    assert "the photo is going" in ex.check(full).message
    assert "the photo is going" in ex.check(images.resize(painting, photo.shape[:2])).message
    assert ex.check(chapter05.within(photo, painting))
