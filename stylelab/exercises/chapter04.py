"""Exercises of chapter 04: conditional instance normalization, the overlaps of a transposed one, a strength each."""

from typing import Any

import numpy as np

from stylelab.errors import SettingsError
from stylelab.exercises import REQUIRED, Exercise, register
from stylelab.exercises.attempt import Attempt, Verdict, array, close, compare

# conditional-normalization


def conditional_normalization(f: Any, shares: Any, scales: Any, shifts: Any) -> Any:
    """Features with each channel's mean and deviation replaced by a blend of the styles' (Dumoulin et al. 2017)."""
    mean = np.mean(f, axis=(0, 1))
    variance = np.var(f, axis=(0, 1))
    scale = shares @ scales
    shift = shares @ shifts
    return scale * (f - mean) / np.sqrt(variance + 1e-5) + shift


_ALONG = "axis=(0, 1)"
NORMALIZATION_MISTAKES = (
    (_ALONG, "axis=-1, keepdims=True", "you normalize each position over its channels; take each channel by itself."),
    (_ALONG, "axis=None", "one mean and variance serve all channels; each channel has its own."),
    (_ALONG, "axis=0", "you take moments over rows only, and each column has its own; take them over both."),
    (_ALONG, "axis=1, keepdims=True", "you take moments over columns only, and each row has its own; take both."),
    ("(f - mean)", "f", "the mean is not subtracted: the photo's brightness goes through."),
    ("np.sqrt(variance + 1e-5)", "(variance + 1e-5)", "you divide by the variance; its root has the unit of f."),
    ("/ np.sqrt(variance + 1e-5)", "", "nothing is divided by the deviation: the photo's contrast goes through."),
    ("np.sqrt(variance + 1e-5)", "np.sqrt(np.mean(f**2, (0, 1)) + 1e-5)", "your variance is a mean square of f."),
    (
        "np.sqrt(variance + 1e-5)",
        "np.sqrt(variance)",
        "nothing is added to the variance: a constant channel would divide by zero. Add 1e-5.",
    ),
    (
        "np.sqrt(variance + 1e-5)",
        "(np.sqrt(variance) + 1e-5)",
        "1e-5 is added to the deviation; add it to the variance, under the root.",
    ),
    ("1e-5", "1e-3", "you add 1e-3 to the variance; add 1e-5, or faint channels stay faint."),
    (
        "np.var(f, axis=(0, 1))",
        "np.var(f, axis=(0, 1), ddof=1)",
        "you divide by P - 1, as for a sample; a variance over all positions divides by P.",
    ),
    ("shares @ scales", "scales[0]", "the first style's scale serves every blend; weight the rows by their shares."),
    ("shares @ shifts", "shifts[0]", "the first style's shift serves every blend; weight the rows by their shares."),
    ("shares @ scales", "np.mean(scales, axis=0)", "all styles scale alike; weight the rows by their shares."),
    ("shares @ shifts", "np.mean(shifts, axis=0)", "all styles shift alike; weight the rows by their shares."),
    ("shares @ scales", "scales[np.argmax(shares)]", "the largest share's scale is taken whole; blend the rows."),
    ("shares @ shifts", "shifts[np.argmax(shares)]", "the largest share's shift is taken whole; blend the rows."),
    ("shares @ scales", "1", "the scale is missing; the normalized features are multiplied by it."),
    (" + shift\n", "\n", "the shift is missing; it is added last."),
    ("scale * (f - mean)", "(f - mean)", "the scale is missing; the normalized features are multiplied by it."),
    ("shares @ scales", "shares @ shifts", "the shifts stand in the scale's place too."),
    (
        "scale * (f - mean) / np.sqrt(variance + 1e-5) + shift",
        "scale * ((f - mean) / np.sqrt(variance + 1e-5) + shift)",
        "the shift is multiplied by the scale; add it after.",
    ),
    (
        "scale * (f - mean) / np.sqrt(variance + 1e-5) + shift",
        "shift * (f - mean) / np.sqrt(variance + 1e-5) + scale",
        "scale and shift have changed places.",
    ),
)


def _normalization_inputs() -> tuple[np.ndarray, ...]:
    """Features of faint and of strong channels, three styles in unequal shares, the largest not the first."""
    rng = np.random.default_rng(0)
    f = (rng.normal(size=(5, 4, 6)) + rng.normal(size=6)) * [0.003, 0.01, 1, 2, 3, 4]
    return f, np.array([0.2, 0.5, 0.3]), rng.normal(1, 0.5, (3, 6)), rng.normal(0, 1, (3, 6))


def _features(value: Any, shape: tuple[int, ...]) -> np.ndarray:
    return array(value, "your result", shape)


def _normalization_formula(attempt: Attempt) -> str | None:
    args = _normalization_inputs()
    return compare(
        attempt,
        args,
        conditional_normalization,
        NORMALIZATION_MISTAKES,
        lambda got: {"your result": _features(got, args[0].shape)},
    )


def _normalization_constant(attempt: Attempt) -> str | None:
    """A channel without contrast."""
    f, *others = _normalization_inputs()
    f[..., 5] = 0.5
    got = _features(attempt(f, *others), f.shape)
    right = close(got, conditional_normalization(f, *others))
    return None if right else "a constant channel should become its shift, and nothing else."


register(
    Exercise(
        name="conditional-normalization",
        chapter="04",
        task="Write conditional_normalization(f, shares, scales, shifts) for features f [H, W, C], shares [S] that sum "
        "to 1, and one row for each style in scales and shifts [S, C]: normalize each channel over its positions, "
        "with 1e-5 added to the variance, then scale and shift it as the blend says.",
        hints=(
            "Which axes hold positions? Mean and variance are one number for each channel.",
            "np.mean(f, axis=(0, 1)) and np.var(f, axis=(0, 1)) have the shape [C] and broadcast over f.",
            "The blend's scale is the sum of the rows of scales, each times its share: shares @ scales.",
            "shares @ scales * (f - mean) / np.sqrt(variance + 1e-5) + shares @ shifts.",
        ),
        checks=(_normalization_formula, _normalization_constant),
        right="what the photo's contrast was is gone, and 2 C numbers say what it becomes: those numbers are the "
        "style, and a blend of styles is a blend of numbers.",
        answer=conditional_normalization,
        mistakes=NORMALIZATION_MISTAKES,
    )
)

# overlap-counts


def overlaps(length: int, kernel: int, stride: int) -> np.ndarray:
    """How many inputs each output pixel of an uncropped transposed convolution hears of, in one dimension."""
    counts = np.zeros((length - 1) * stride + kernel)
    for position in range(length):
        counts[position * stride : position * stride + kernel] += 1
    return counts


_LENGTH, _PLACE = "(length - 1) * stride + kernel", "counts[position * stride : position * stride + kernel] += 1"
OVERLAP_MISTAKES = (
    (
        _PLACE,
        "counts[position * stride : position * stride + kernel] = 1",
        "no count is above 1: where two kernels overlap, both count.",
    ),
    (_PLACE, "counts[position : position + kernel] += 1", "your kernels lie one pixel apart; they are a stride apart."),
    (
        _PLACE,
        "counts[position * kernel : position * kernel + kernel] += 1",
        "your kernels lie side by side, a kernel apart; they are a stride apart.",
    ),
    (
        _PLACE,
        "counts[position * stride : position * stride + stride] += 1",
        "each input reaches only stride pixels; it reaches as many as the kernel is wide.",
    ),
    (_PLACE, "counts[position * stride] += 1", "each input reaches one pixel; it reaches kernel pixels."),
    (_PLACE, "counts[position * stride + 1 : position * stride + kernel] += 1", "a kernel's first pixel is missing."),
    (_PLACE, "counts[position * stride : position * stride + kernel - 1] += 1", "a kernel's last pixel is missing."),
    ("range(length)", "range(length - 1)", "the last input is missing."),
    ("range(length)", "range(1, length)", "the first input is missing."),
    ("+= 1", "+= 1 / kernel", "each input adds 1 over the kernel; count it as 1."),
)


def _overlap_lengths(attempt: Attempt) -> str | None:
    for args in ((5, 3, 2), (4, 2, 3), (2, 3, 2)):
        length, kernel, stride = args
        got, wanted = np.shape(attempt(*args)), (length - 1) * stride + kernel
        if got == (wanted,):
            continue
        called = f"for {length} inputs, kernel {kernel}, stride {stride}"
        if len(got) != 1:
            return f"{called} you return the shape {list(got)}; wanted is one count for each of {wanted} pixels."
        if got[0] == length * stride:
            return f"{called} you return {got[0]} counts: that is cropped; count all {wanted} pixels."
        reach = "Where does the last input's kernel end?"
        return f"{called} you return {got[0]} counts; wanted are {wanted}. {reach}"
    return None


def _overlap_counts(attempt: Attempt) -> str | None:
    """First with gaps between the kernels, where no two of the known mistakes agree."""
    for args in ((4, 3, 5), (5, 3, 2), (6, 5, 2), (5, 4, 2), (4, 7, 3), (3, 3, 1)):
        wanted = overlaps(*args)
        counts = {"the count": array(attempt(*args), "the count", wanted.shape)}
        message = compare(attempt, args, overlaps, OVERLAP_MISTAKES, lambda got: {"the count": np.asarray(got)})
        if message and "median size" in message:
            got, right = ([f"{n:g}" for n in x] for x in (counts["the count"], wanted))
            called = f"for {args[0]} inputs, kernel {args[1]}, stride {args[2]}"
            return f"{called} you count {' '.join(got)}; wanted is {' '.join(right)}."
        if message:
            return message
    return None


register(
    Exercise(
        name="overlap-counts",
        chapter="04",
        task="Write overlaps(length, kernel, stride) -> how many of the length inputs each output pixel of a "
        "transposed convolution hears of, in one dimension and without cropping.",
        hints=(
            "Every input lays its own copy of the kernel into the output. Where does copy number i begin?",
            "Copy i covers the pixels from i * stride to i * stride + kernel - 1, so the last one ends at "
            "(length - 1) * stride + kernel - 1.",
            "Begin with np.zeros((length - 1) * stride + kernel), and add 1 to the slice of each copy.",
        ),
        checks=(_overlap_lengths, _overlap_counts),
        right="inside, the counts are even only where the stride divides the kernel; and even then the weights in "
        "the phases may differ. Repeating pixels before a plain convolution has no phases to begin with.",
        answer=overlaps,
        mistakes=OVERLAP_MISTAKES,
    )
)

# strength-for-each


def strength_for_each(photos: Any, style: Any, stylizer: Any, bound: float) -> list[float]:
    """For each photo the largest strength whose content distance keeps the bound, by halving the interval.

    A search on a grid does as well; the distance rises with the strength, so eight halvings find it to 0.004.
    """
    from stylelab import metrics

    found = []
    for photo in photos:
        low, high = 0.0, 2.0  # beyond 1, so that 1 itself is tried
        for _ in range(9):
            middle = min((low + high) / 2, 1.0)
            picture = stylizer.stylize(photo[None], style, strength=middle)[0]
            keeps = metrics.content_distance(picture, photo, max(photo.shape[:2])) <= bound
            low, high = (middle, high) if keeps else (low, middle)
            if low == 1:
                break
        found.append(low)
    return found


def _numbers(attempt: Attempt, count: int) -> np.ndarray:
    value = attempt()
    if isinstance(value, dict):
        value = list(value.values())
    strengths = array(value, "your answer", np.shape(value))
    if strengths.shape == ():
        raise Verdict("wrong", f"you return one number; wanted are {count}, a strength for each product.")
    strengths = array(value, "your answer", (count,))
    if strengths.min() < 0 or strengths.max() > 1:
        percent = " These look like percent." if strengths.max() > 2 else ""
        low, high = strengths.min(), strengths.max()
        raise Verdict("wrong", f"your strengths run from {low:g} to {high:g}; wanted is 0 to 1.{percent}")
    return strengths


def _strengths(attempt: Attempt, *, photos: Any, style: Any, stylizer: Any, bound: float) -> str | None:
    """No product over the bound, and none left further below it than a tenth."""
    from stylelab import metrics

    if not len(photos) or not bound > 0:
        raise SettingsError(
            f"The shelf has {len(photos)} photos and the bound is {bound}: give photos and a bound > 0."
        )
    strengths = _numbers(attempt, len(photos))
    distances, verdict = [], ""
    for number, (photo, strength) in enumerate(zip(photos, strengths, strict=True), 1):
        picture = stylizer.stylize(photo[None], style, strength=float(strength))[0]
        distance = metrics.content_distance(picture, photo, max(photo.shape[:2]))
        distances.append(f"{distance:.2f}")
        if distance > bound:
            verdict = verdict or f"Product {number} lost too much; what would a little less strength cost it?"
        elif distance < 0.9 * bound and strength < 1:
            verdict = verdict or f"Product {number} has room for more style: its strength is only {strength:.2f}."
    if not verdict:
        return None
    if np.ptp(strengths) == 0 and len(strengths) > 1:
        verdict += " One strength for all is not one distance for all."
    return f"content distances {', '.join(distances)}, each to lie within a tenth below {bound:.2f}. {verdict}"


register(
    Exercise(
        name="strength-for-each",
        chapter="04",
        task="Find a strength for each product of the shelf, as large as it may be with a content distance (at the "
        "photo's own size) of at most the bound. Check a list of them, or a function that returns it.",
        hints=(
            "Style one product at strengths 0.2, 0.4, ... 1 and print the content distances. How do they run?",
            "The distance rises with the strength: halve the interval between one that keeps the bound and one "
            "that breaks it. Where 1 keeps it, 1 is the answer.",
            "metrics.content_distance(stylizer.stylize(photo[None], style, strength=s)[0], photo, "
            "max(photo.shape[:2])) is what is compared with the bound.",
        ),
        checks=(_strengths,),
        right="the same loss for every product, not the same setting. A shelf looks like one series when what is "
        "measured is equal.",
        answer=strength_for_each,
        given={"photos": REQUIRED, "style": REQUIRED, "stylizer": REQUIRED, "bound": REQUIRED},
        takes_value=True,
        open=True,
    )
)
