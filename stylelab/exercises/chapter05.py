"""Exercises of chapter 05: matching moments, matching covariances, a painting within two bounds."""

from typing import Any

import numpy as np

from stylelab.errors import SettingsError
from stylelab.exercises import REQUIRED, Exercise, register
from stylelab.exercises.attempt import Attempt, array, close, compare, picture_of

NAME = "your result"

# match-moments


def match_moments(x: Any, mean: Any, deviation: Any) -> Any:
    """The features with another mean and standard deviation in each channel (Huang and Belongie 2017, eq. 8)."""
    own_mean = np.mean(x, axis=(0, 1))
    own_deviation = np.sqrt(np.var(x, axis=(0, 1)) + 1e-5)
    return deviation * (x - own_mean) / own_deviation + mean


_OWN_MEAN, _OWN_DEVIATION = "np.mean(x, axis=(0, 1))", "np.sqrt(np.var(x, axis=(0, 1)) + 1e-5)"
_ORDER = "deviation * (x - own_mean) / own_deviation + mean"
MOMENTS_MISTAKES = (
    (_ORDER, "x", "you return the features as they were."),
    (_ORDER, "(x - own_mean) / own_deviation", "the photo's moments are taken away and the painting's not put on."),
    (_ORDER, "x + mean", "you add the painting's mean on top of the photo's; take that away first."),
    (_ORDER, "x - own_mean + mean", "the means are exchanged and the deviations are not."),
    (_ORDER, _ORDER.removesuffix(" + mean"), "the painting's mean is missing at the end."),
    (_ORDER, "(x - own_mean) / own_deviation * deviation - mean", "the painting's mean is subtracted; add it."),
    (
        _ORDER,
        "deviation * x / own_deviation + mean",
        "subtract the photo's mean before you scale, or it is scaled too.",
    ),
    (_ORDER, "deviation * (x - own_mean) + mean", "divide by the photo's own deviation: only then are both equal."),
    (_ORDER, "deviation * ((x - own_mean) / own_deviation + mean)", "the painting's mean is scaled too; add it last."),
    (_ORDER, "mean * (x - own_mean) / own_deviation + deviation", "mean and deviation of the painting are exchanged."),
    (_ORDER, "own_deviation * (x - mean) / deviation + own_mean", "this is the way back: the painting to the photo."),
    (_ORDER, "deviation**2 * (x - own_mean) / own_deviation**2 + mean", "these are variances; take their roots."),
    (_OWN_DEVIATION, "np.var(x, axis=(0, 1)) + 1e-5", "you divide by the variance; the deviation is its root."),
    (_OWN_DEVIATION, "np.std(x, axis=(0, 1)) + 1e-5", "the 1e-5 belongs under the root, where the package has it."),
    (_OWN_DEVIATION, "np.sqrt(np.var(x, axis=(0, 1), ddof=1) + 1e-5)", "you divide by P - 1; a moment divides by P."),
    (_OWN_DEVIATION, "np.sqrt(np.mean(x**2, axis=(0, 1)) + 1e-5)", "the root mean square has the mean in it still."),
    (_OWN_DEVIATION, "np.sqrt(np.var(x) + 1e-5)", "one deviation serves all channels; each has its own."),
    (_OWN_MEAN, "np.mean(x)", "one mean serves all channels; each has its own."),
    (_OWN_MEAN, "np.median(x, axis=(0, 1))", "the median is not the mean."),
)


def _features(seed: int, shape: tuple[int, int, int]) -> np.ndarray:
    """Features with channels of their own size and sign, correlated with one another."""
    rng = np.random.default_rng(seed)
    channels = shape[-1]
    mix = rng.normal(0, 1, (channels, channels)) + 2 * np.eye(channels)
    return rng.gamma(1.5, 1.0, shape) @ mix * rng.uniform(0.3, 3, channels) + rng.normal(0, 2, channels)


def _painted(seed: int, channels: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(0, 3, channels), rng.uniform(0.5, 4, channels)


def _one(shape: tuple[int, ...]) -> Any:
    return lambda value: {NAME: array(value, NAME, shape)}


def _moments_axes(attempt: Attempt) -> str | None:
    """Statistics over positions, and not over anything else."""
    x, (mean, deviation) = _features(1, (5, 4, 3)), _painted(2, 3)
    got = array(attempt(x, mean, deviation), NAME, x.shape)
    for axis, over in ((-1, "channels"), (0, "rows"), (1, "columns")):
        centered = x - x.mean(axis, keepdims=True)
        wrong = deviation * centered / np.sqrt(x.var(axis, keepdims=True) + 1e-5) + mean
        if np.allclose(got, wrong, rtol=1e-3, atol=1e-5):
            need = "one mean a channel, over all positions: axis=(0, 1)"
            return f"your mean and deviation are taken over the {over}; wanted is {need}."
    return None


def _moments_formula(attempt: Attempt) -> str | None:
    # Small enough for the 1e-5 to show.
    x, (mean, deviation) = 0.02 * _features(3, (6, 5, 4)), _painted(4, 4)
    return compare(attempt, (x, mean, deviation), match_moments, MOMENTS_MISTAKES, _one(x.shape))


def _moments_of_a_constant(attempt: Attempt) -> str | None:
    """A channel that never fires has no deviation to divide by."""
    x, (mean, deviation) = _features(5, (4, 4, 3)), _painted(6, 3)
    x[..., 1] = 0
    with np.errstate(all="ignore"):
        value = np.asarray(attempt(x, mean, deviation), "float64")
    if not np.isfinite(value).all():
        return "a channel that is zero everywhere gives values that are not finite; what do you divide it by?"
    if not np.allclose(value[..., 1], mean[1], atol=1e-3):
        return "a channel that is zero everywhere should become the painting's mean."
    return None


register(
    Exercise(
        name="match-moments",
        chapter="05",
        task="Write match_moments(x, mean, deviation) for features x [H, W, C] and a painting's moments [C] each: "
        "the features with these moments, channel by channel. Add 1e-5 to the photo's variance under the root.",
        hints=(
            "First make every channel have mean 0 and deviation 1; then give it what it shall have.",
            "The photo's own moments are over positions: np.mean(x, axis=(0, 1)) and np.var(x, axis=(0, 1)).",
            "deviation * (x - own_mean) / np.sqrt(own_variance + 1e-5) + mean.",
        ),
        checks=(_moments_axes, _moments_formula, _moments_of_a_constant),
        right="two numbers a channel, and every position keeps its place: that is all of AdaIN.",
        answer=match_moments,
        mistakes=MOMENTS_MISTAKES,
    )
)

# whiten-and-color


def whiten_and_color(x: Any, style: Any, ridge: float) -> Any:
    """The features with the style's mean and covariance (Li et al. 2017, section 3.2), by symmetric roots."""

    def power(covariance: Any, exponent: float) -> Any:
        values, vectors = np.linalg.eigh(covariance)
        return vectors * np.maximum(values, 1e-12) ** exponent @ vectors.T

    rows, theirs = (np.reshape(f, (-1, f.shape[-1])) for f in (x, style))
    centered = rows - rows.mean(0)
    own = centered.T @ centered / len(rows) + ridge * np.eye(rows.shape[-1])
    wanted = (theirs - theirs.mean(0)).T @ (theirs - theirs.mean(0)) / len(theirs)
    white = centered @ power(own, -0.5)
    return np.reshape(white @ power(wanted, 0.5) + theirs.mean(0), x.shape)


_WHITE, _COLOR = "centered @ power(own, -0.5)", "white @ power(wanted, 0.5)"
_EIGH = "values, vectors = np.linalg.eigh(covariance)"
_CHOLESKY = (
    "if exponent > 0:\n            return np.linalg.cholesky(covariance + 1e-12 * np.eye(len(covariance))).T\n"
    f"        {_EIGH}"
)
_BOTH = f"if exponent < 0:\n            return np.linalg.inv(np.linalg.cholesky(covariance)).T\n        {_CHOLESKY}"
_TRIANGULAR = "mean and covariance are right, by a triangular root, which turns the channels; take the symmetric one."
_PCA = "vectors * np.maximum(values, 1e-12) ** exponent @ vectors.T"
_HALF = (
    "(vectors * np.maximum(values, 1e-12) ** exponent if exponent < 0 "
    "else (vectors * np.maximum(values, 1e-12) ** exponent).T)"
)
COVARIANCE_MISTAKES = (
    (f"{_COLOR} + theirs.mean(0)", "rows", "you return the features as they were."),
    (f"{_COLOR} + theirs.mean(0)", "theirs[: len(rows)]", "these are the style's own features: the photo is gone."),
    (f"{_COLOR} + theirs.mean(0)", "white", "they are white, and color and mean of the style are missing."),
    (_COLOR, "white", "they are white: multiply with the root of the style's covariance."),
    (_WHITE, "centered", "they are colored without having been whitened: both covariances are in them."),
    (f"{_COLOR} + theirs.mean(0)", _COLOR, "the style's mean is missing at the end."),
    (f"{_COLOR} + theirs.mean(0)", f"{_COLOR} + rows.mean(0)", "the mean you add is the photo's; take the style's."),
    (_WHITE, "rows @ power(own, -0.5)", "subtract the photo's mean before you whiten."),
    (_WHITE, "centered @ power(own, -1)", "you whiten with the inverse; half of that power is enough: -1/2."),
    (_WHITE, "centered @ power(own, 0.5)", "you multiply with the root of the photo's covariance; divide by it."),
    (_COLOR, "white @ power(wanted, 1)", "you color with the covariance itself; take its root."),
    (_COLOR, "white @ power(wanted, -0.5)", "you whiten a second time; the style's root has the power +1/2."),
    (
        _COLOR,
        "white * np.sqrt(np.diag(wanted))",
        "you scale each channel on its own: that is AdaIN on white features; channels must be mixed.",
    ),
    (
        "centered.T @ centered / len(rows) + ridge * np.eye(rows.shape[-1])",
        "np.diag(np.diag(centered.T @ centered / len(rows) + ridge * np.eye(rows.shape[-1])))",
        "you whiten each channel on its own; the covariances between channels stay in.",
    ),
    (" + ridge * np.eye(rows.shape[-1])", "", "ridge is not used: it belongs on the diagonal of the photo's."),
    (" + ridge * np.eye(rows.shape[-1])", " + ridge", "ridge is added to every entry; only the diagonal gets it."),
    ("centered / len(rows)", "centered / (len(rows) - 1)", "the photo's covariance divides by P - 1; here it is P."),
    ("centered / len(rows)", "centered", "the photo's covariance is a sum; divide by its number of positions."),
    ("/ len(theirs)", "/ len(rows)", "the style's covariance is divided by the photo's number of positions."),
    ("centered.T @ centered", "rows.T @ rows", "that is the photo's Gram matrix; a covariance subtracts the mean."),
    (
        "(theirs - theirs.mean(0)).T @ (theirs - theirs.mean(0))",
        "theirs.T @ theirs",
        "that is the style's Gram matrix; a covariance subtracts the mean.",
    ),
    (_EIGH, _CHOLESKY, _TRIANGULAR),
    (_EIGH, _BOTH, _TRIANGULAR),
    (
        _PCA,
        _HALF,
        "mean and covariance are right, but the first axis of one picture is laid on the first of the other. "
        "Rotate back: E Λ^p Eᵀ.",
    ),
)


def _covariance(rows: np.ndarray) -> np.ndarray:
    centered = rows - rows.mean(0)
    return centered.T @ centered / len(rows)


def _covariance_formula(attempt: Attempt) -> str | None:
    """Another number of positions than the style's, and a ridge that shows."""
    x, style = _features(7, (6, 5, 4)), _features(8, (4, 9, 4))
    given = (x, style, 0.5)
    message = compare(attempt, given, whiten_and_color, COVARIANCE_MISTAKES, _one(x.shape))
    if not message or not message.startswith(f"{NAME} is not right"):
        return message
    got, wanted = (np.reshape(f(*given), (-1, 4)) for f in (attempt, whiten_and_color))
    if not close(got.mean(0), wanted.mean(0)):
        return "the mean of your features is not the style's."
    if not close(_covariance(got), _covariance(wanted)):
        return "the mean of your features is the style's, and their covariance is not."
    return "mean and covariance are right, but your roots are not the symmetric ones: they turn the channels."


def _covariance_matches(attempt: Attempt) -> str | None:
    """The invariant itself: without a ridge, the style's covariance and so its Gram matrix."""
    x, style = _features(9, (7, 6, 4)), _features(10, (5, 5, 4))
    rows = array(attempt(x, style, 0.0), NAME, x.shape).reshape(-1, 4)
    error = np.abs(_covariance(rows) - _covariance(style.reshape(-1, 4))).max() / np.abs(style).max()
    return None if error < 1e-3 else f"without a ridge the covariance should be the style's; it is off by {error:.2g}."


def _covariance_of_few(attempt: Attempt) -> str | None:
    """Fewer positions than channels: the photo's covariance has no inverse but for the ridge, a style's only roots."""
    x, style = _features(11, (2, 3, 10)), _features(12, (4, 5, 10))
    value = np.asarray(attempt(x, style, 0.1), "float64")
    if value.shape != x.shape or not np.isfinite(value).all():
        return "with 6 positions and 10 channels your features are not finite; where does the ridge go?"
    if not np.allclose(value, whiten_and_color(x, style, 0.1), rtol=1e-3, atol=1e-4):
        return (
            "with 6 positions and 10 channels your features are not right; the ridge belongs on the photo's "
            "covariance only, before its root is taken."
        )
    if not np.isfinite(np.asarray(attempt(style, x, 0.1), "float64")).all():
        return (
            "a style of 6 positions and 10 channels gives values that are not finite: rounding makes an eigenvalue "
            "negative, and that has no root."
        )
    return None


register(
    Exercise(
        name="whiten-and-color",
        chapter="05",
        task="Write whiten_and_color(x, style, ridge) for features x [H, W, C] and style [h, w, C]: the photo's "
        "features with the style's mean and covariance, by the symmetric roots of section 5.4, with ridge on the "
        "diagonal of the photo's covariance. Covariances divide by the number of positions.",
        hints=(
            "One row a position. Subtract the mean, make the covariance the identity, then the style's.",
            "A symmetric matrix is E Λ Eᵀ (np.linalg.eigh), and its power p is E Λ^p Eᵀ: (E * values**p) @ E.T.",
            "white = (rows - mean) @ power(own + ridge * np.eye(C), -0.5), then white @ power(wanted, 0.5) + mean.",
            "np.maximum(values, 1e-12) keeps an eigenvalue that rounding made negative out of the root.",
        ),
        checks=(_covariance_formula, _covariance_matches, _covariance_of_few),
        right="mean and covariance are the style's, so the Gram matrix is: nothing is left for its style loss to say.",
        answer=whiten_and_color,
        mistakes=COVARIANCE_MISTAKES,
    )
)

# within-two-bounds


def within(photo: np.ndarray, painting: np.ndarray) -> np.ndarray:
    """One of many answers: less than the full strength."""
    from stylelab.adain import AdaIN

    return AdaIN().stylize(photo[None], painting, strength=0.6)[0]


def _within(attempt: Attempt, *, content: Any, style: Any, style_bound: float, content_bound: float) -> str | None:
    """The style is there and the photo still is: both measured, both bounded."""
    from stylelab import metrics

    if not 0 < style_bound < float("inf") or not 0 < content_bound < float("inf"):
        raise SettingsError(
            f"The bounds of the exercise are {style_bound} and {content_bound}: give two positive numbers."
        )
    picture, size = picture_of(attempt, np.shape(content)), max(np.shape(content))
    style_distance = metrics.style_distance(picture, style, size)
    content_distance = metrics.content_distance(picture, content, size)
    painted, kept = style_distance <= style_bound, content_distance <= content_bound
    if painted and kept:
        return None
    if painted:
        verdict = "The painting is there and the photo is going. What gives part of the moments back to the photo?"
    elif kept:
        verdict = "The photo is safe and the painting is hardly there. Which number says how far to go?"
    else:
        verdict = "Neither is there yet; begin with the plain call of section 5.6 and lower its strength."
    return (
        f"style distance {style_distance:.3f} (at most {style_bound:.3f}), "
        f"content distance {content_distance:.2f} (at most {content_bound:.2f}). {verdict}"
    )


register(
    Exercise(
        name="within-two-bounds",
        chapter="05",
        task="Bring a painting that the decoder never saw onto the photo, within a bound on the style distance and one "
        "on the content distance, by any means of the course. Check the picture: ex.check(lambda: result).",
        hints=(
            "Full strength misses one bound and the plain photo the other. What lies between them?",
            "Strength mixes the photo's own moments with the painting's; try 0.5 and see which bound you miss.",
            "Each try is a fraction of a second: halve the interval between a strength too weak and one too strong.",
        ),
        checks=(_within,),
        right="a painting that nobody trained on, as strong as it may be and no stronger.",
        answer=within,
        given={"content": REQUIRED, "style": REQUIRED, "style_bound": REQUIRED, "content_bound": REQUIRED},
        takes_value=True,
        open=True,
    )
)
