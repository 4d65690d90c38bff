"""Exercises of chapter 10 on styles: truncation of some layers, and demodulated kernels."""

from typing import Any

import numpy as np

from stylelab.exercises import Exercise, register
from stylelab.exercises.attempt import Attempt, array, close, compare

STYLES, KERNELS = "your styles", "your kernels"

# truncate-coarse


def truncate_coarse(styles: Any, mean: Any, psi: float, layers: int) -> Any:
    """Styles ``[B, L, D]``, the first ``layers`` pulled towards the mean ``[D]`` (Karras et al. 2019, appendix B)."""
    result = np.array(styles)
    result[:, :layers] = mean + psi * (result[:, :layers] - mean)
    return result


_PART = "result[:, :layers]"
_PULLED = f"mean + psi * ({_PART} - mean)"
TRUNCATION_MISTAKES = (
    (_PULLED, _PART, "you return the styles as they were."),
    (_PULLED, f"psi * {_PART}", "you pull towards zero; the middle of the styles is mean."),
    (_PULLED, f"psi * ({_PART} - mean)", "the mean is missing at the end: add it back."),
    (_PULLED, f"mean + psi * {_PART}", "subtract the mean before you scale; only the deviation shrinks."),
    (_PULLED, f"mean - psi * ({_PART} - mean)", "the deviation is turned round: that is -psi."),
    (_PULLED, f"psi * mean + (1 - psi) * {_PART}", "psi and 1 - psi are exchanged: at psi = 1 nothing shall change."),
    (_PULLED, f"mean + psi**2 * ({_PART} - mean)", "the deviation shrinks by psi; by its square it is the variance."),
    (_PULLED, f"mean + np.sqrt(psi) * ({_PART} - mean)", "the deviation shrinks by psi itself, not by its root."),
    (
        _PULLED,
        f"{_PART}.mean(0) + psi * ({_PART} - {_PART}.mean(0))",
        "you pull towards the mean of this batch; take the one that is given.",
    ),
    (_PULLED, f"np.broadcast_to(mean, {_PART}.shape)", "all deviation is gone; psi says how much of it stays."),
    ("[:, :layers]", "[:, layers:]", "the fine layers are truncated and the coarse ones are not: take the first."),
    ("[:, :layers]", "[:, -layers:]", "you truncate the last layers; the coarse ones come first."),
    ("[:, :layers]", "[:, :]", "all layers are truncated; leave those after the first few as they are."),
    ("[:, :layers]", "[:layers]", "that is the first few pictures; layers are the second axis."),
    ("[:, :layers]", "[:, : layers + 1]", "one layer too many is truncated: [:, :layers] ends before it."),
    ("[:, :layers]", "[:, : layers - 1]", "one layer too few is truncated."),
    ("[:, :layers]", "[:, layers - 1 : layers]", "only one layer is truncated; take all up to it."),
)


def _some_styles() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.normal(1, 2, (6, 8, 5)), rng.normal(3, 1, 5)


def _truncation_formula(attempt: Attempt) -> str | None:
    styles, mean = _some_styles()
    args = (styles, mean, 0.6, 3)
    return compare(
        attempt, args, truncate_coarse, TRUNCATION_MISTAKES, lambda w: {STYLES: array(w, STYLES, styles.shape)}
    )


def _truncation_limits(attempt: Attempt) -> str | None:
    """At 1 and for no layer nothing happens; at 0 all pictures agree in the coarse layers; below 0 it goes on."""
    styles, mean = _some_styles()
    for psi, layers, words in ((1.0, 3, "at psi = 1"), (0.5, 0, "with layers = 0")):
        if not close(array(attempt(styles, mean, psi, layers), STYLES, styles.shape), styles):
            return f"{words} nothing shall change."
    if not close(array(attempt(styles, mean, 0.0, 8), STYLES, styles.shape), np.broadcast_to(mean, styles.shape)):
        return "at psi = 0 and for all layers every style shall be the mean."
    wanted = truncate_coarse(styles, mean, -0.5, 2)
    if not close(array(attempt(styles, mean, -0.5, 2), STYLES, styles.shape), wanted):
        return "a negative psi goes through the mean to the other side; yours does not."
    return None


register(
    Exercise(
        name="truncate-coarse",
        chapter="10",
        task="Write truncate_coarse(styles, mean, psi, layers) for styles [B, L, D] and the mean style [D]: the first "
        "layers of each picture truncated by psi, the others as they are.",
        hints=(
            "Truncation is w' = mean + psi (w - mean). Which of the three axes counts layers?",
            "Make a copy with np.array(styles), and assign to a part of it: the input shall stay as it is.",
            "result[:, :layers] = mean + psi * (result[:, :layers] - mean).",
        ),
        checks=(_truncation_formula, _truncation_limits),
        right="shapes become usual and colors stay free: truncation need not be one number for all layers.",
        answer=truncate_coarse,
        mistakes=TRUNCATION_MISTAKES,
    )
)

# demodulated-kernels


def demodulated(kernel: Any, style: Any) -> Any:
    """Kernels ``[B, k, k, C_in, C_out]`` of styles ``[B, C_in]`` (Karras et al. 2020, eq. 1 and 3)."""
    scaled = style[:, None, None, :, None] * kernel
    energy = np.sum(scaled**2, axis=(1, 2, 3), keepdims=True)
    return scaled / np.sqrt(energy + 1e-8)


_SCALED = "style[:, None, None, :, None] * kernel"
_ENERGY = "np.sum(scaled**2, axis=(1, 2, 3), keepdims=True)"
_DIVIDED = "scaled / np.sqrt(energy + 1e-8)"
KERNEL_MISTAKES = (
    (_DIVIDED, "scaled", "the kernels are modulated and not demodulated: divide by what the style has done."),
    (_DIVIDED, "scaled / (energy + 1e-8)", "you divide by the variance; the deviation is its root."),
    (_DIVIDED, "scaled * np.sqrt(energy + 1e-8)", "you multiply by the deviation; divide by it."),
    (_DIVIDED, "scaled / (np.sqrt(energy) + 1e-8)", "the 1e-8 belongs under the root, where the package has it."),
    (_DIVIDED, "scaled / np.sqrt(energy)", "the 1e-8 belongs under the root, where the package has it."),
    (
        _DIVIDED,
        "kernel / np.sqrt(energy + 1e-8)",
        "the style is in the deviation and not in the kernel: scale the input channels first.",
    ),
    (_SCALED, "style[:, None, None, None, :] * kernel", "the style scales the output channels; input comes before."),
    (_SCALED, "np.ones_like(style)[:, None, None, :, None] * kernel", "the style is not used."),
    (_SCALED, "style[:, None, None, :, None] ** 2 * kernel", "the style is squared; only its variance is."),
    (_SCALED, "kernel / style[:, None, None, :, None]", "you divide by the style; it multiplies."),
    (_SCALED, "(1 + style[:, None, None, :, None]) * kernel", "you add 1 to the style; here it is the factor itself."),
    ("axis=(1, 2, 3)", "axis=(1, 2, 4)", "you sum over the output channels; sum over what one output adds up."),
    (
        "axis=(1, 2, 3)",
        "axis=(1, 2)",
        "each input channel is divided by its own size, and the style is gone again: sum over them.",
    ),
    ("axis=(1, 2, 3)", "axis=3", "you sum over input channels alone; each output adds up places, too."),
    ("axis=(1, 2, 3)", "axis=(1, 2, 3, 4)", "one deviation serves all output channels; each has its own."),
    ("axis=(1, 2, 3)", "axis=(0, 1, 2, 3)", "one deviation serves all pictures; each style makes its own."),
    ("np.sum(", "np.mean(", "variances of independent terms add up; you take their mean."),
    ("scaled**2", "np.abs(scaled)", "you sum sizes; variances are squares."),
    (
        "scaled**2",
        "np.broadcast_to(kernel**2, scaled.shape)",
        "you divide by the kernel's size without the style: sum the squares of the scaled kernel.",
    ),
    (_ENERGY, "np.var(scaled, axis=(1, 2, 3), keepdims=True)", "the numbers' own variance is not their effect's."),
)


def _kernels(value: Any, shape: tuple[int, ...]) -> dict[str, np.ndarray]:
    return {KERNELS: array(value, KERNELS, shape)}


def _kernels_formula(attempt: Attempt) -> str | None:
    """As many channels in as out, so that a wrong axis gives numbers; small enough for the 1e-8 to show."""
    rng = np.random.default_rng(1)
    kernel, style = 1e-4 * rng.normal(size=(3, 3, 4, 4)), rng.uniform(0.3, 2, (4, 4))
    return compare(attempt, (kernel, style), demodulated, KERNEL_MISTAKES, lambda w: _kernels(w, (4, 3, 3, 4, 4)))


def _kernels_keep_the_variance(attempt: Attempt) -> str | None:
    """What it is for: independent inputs of variance 1 come out with variance 1, whatever the style."""
    rng = np.random.default_rng(2)
    kernel, style = rng.normal(size=(3, 1, 5, 7)), np.exp(rng.normal(size=(2, 5)))
    got = array(attempt(kernel, style), KERNELS, (2, 3, 1, 5, 7))
    variance = (got**2).sum((1, 2, 3))
    if not close(variance, 1):
        return f"outputs have variances from {variance.min():.3g} to {variance.max():.3g}; wanted is 1 for each."
    if not np.allclose(array(attempt(kernel, 3 * style), KERNELS, got.shape), got, rtol=1e-4):
        return "a style three times as large shall give the same kernels."
    return None


def _kernels_of_no_style(attempt: Attempt) -> str | None:
    rng = np.random.default_rng(3)
    value = np.asarray(attempt(rng.normal(size=(1, 1, 3, 2)), np.array([[0.0] * 3, [1.0] * 3])), "float64")
    return None if np.isfinite(value).all() else "a style of zeros gives kernels that are not finite; see the 1e-8."


register(
    Exercise(
        name="demodulated-kernels",
        chapter="10",
        task="Write demodulated(kernel, style) -> the kernels [B, k, k, C_in, C_out] of all pictures, from one kernel "
        "[k, k, C_in, C_out] and style [B, C_in], with 1e-8 under the root.",
        hints=(
            "First scale the input channels by the style, then divide each output channel by its deviation.",
            "style[:, None, None, :, None] has the axes picture, row, column, input, output: it multiplies kernel.",
            "The deviation is a root of the sum of squares over rows, columns and inputs: axis=(1, 2, 3), keepdims.",
        ),
        checks=(_kernels_formula, _kernels_keep_the_variance, _kernels_of_no_style),
        right="a style is the ratio of its channels; how large it is no longer matters.",
        answer=demodulated,
        mistakes=KERNEL_MISTAKES,
    )
)
