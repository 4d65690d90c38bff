"""Is a photo good enough to work on? Flaws that no style mends, named before work is spent on them.

Each is one published measure and one threshold, chosen by degrading the 16 shipped photos:
``python -m tests.benchmarks.bench_product gate`` prints how often each is found and how often a good photo is blamed.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stylelab import images

SMALL = 500  # px on the long side: the least that Amazon takes (rules.yaml); 1,000 is where its zoom begins
JUDGED = 1000  # px: larger photos are shrunk to this before they are judged, since so large they will be looked at
BLUR = 1.5  # px, the standard deviation of a Gaussian, at that size
NOISE = 4.0  # standard deviation of the luminance, in levels of 255
CLIPPED = 0.04  # of what is no white ground
STEP = 20.0  # levels; libjpeg's quality 30 and below


@dataclass(frozen=True)
class Flaw:
    """One thing that is wrong with a photo.

    Attributes:
        kind: ``"small"``, ``"blurred"``, ``"noisy"``, ``"clipped"`` or ``"compressed"``.
        sentence: what is wrong, with which photo, and what to do.
    """

    kind: str
    sentence: str


def flaws(picture: images.Picture, *, path: str | Path | None = None) -> list[Flaw]:
    """What is wrong with a photo, in the order of :class:`Flaw`'s kinds; an empty list for a good one.

    Args:
        picture: as ``images.open_picture`` gives it; what its alpha hides is not judged.
        path: what the sentences call it.
    """
    name, found = "The photo" if path is None else str(path), []
    height, width = picture.rgb.shape[:2]
    judged = images.resize(images.over(picture), min(JUDGED, max(height, width)))
    if max(height, width) < SMALL:
        advice = f"give one of at least {SMALL} px on its long side"
        found.append(Flaw("small", f"{name} is small ({width}x{height} px): {advice}."))
    if (blur := blur_width(judged)) > BLUR:
        what = f"its sharpest edges are {blur:.1f} px soft"
        found.append(Flaw("blurred", f"{name} is blurred ({what}): focus on the product, or use a tripod."))
    if max(height, width) >= SMALL and (noise := noise_level(judged)) > NOISE:
        what = f"by {noise:.1f} of 255 levels even where it is flat"
        found.append(Flaw("noisy", f"{name} is noisy ({what}): take it with more light and a lower ISO."))
    bright, dark = clipped_shares(judged)
    if max(bright, dark) > CLIPPED:
        what, advice = ("overexposed", "less") if bright > dark else ("underexposed", "more")
        lost = f"{max(bright, dark):.0%} of it lost to {'white' if bright > dark else 'black'}"
        found.append(Flaw("clipped", f"{name} is {what} ({lost}): expose it {advice}."))
    if (step := jpeg_step(images.over(picture))) >= STEP:
        what = f"its brightness comes in steps of {step:.0f} levels"
        found.append(Flaw("compressed", f"{name} is heavily compressed ({what}): get the original file."))
    return found


def blur_width(rgb: np.ndarray) -> float:
    """How blurred the sharpest edges are: the standard deviation, in px, of the Gaussian that would blur them so.

    The energy of the Laplacian (Pech-Pacheco et al. 2000) alone says how much there is to see, too. Over the gradient's
    it does not: across an edge blurred by σ, ``Σ |∇|² / Σ L² = 2 σ²``. The sums run over the one percent of steepest
    pixels, which are those in focus (a soft ground is no flaw), and what lies within 4 px of them.

    Args:
        rgb: ``[H, W, 3]`` in 0..1.
    Returns:
        0.3 to 0.6 for the shipped photos at 1,000 px; 0 for a picture without edges.
    """
    from scipy.ndimage import laplace, maximum_filter, prewitt

    gray = _gray(rgb)
    slope = (prewitt(gray, 0, mode="nearest") ** 2 + prewitt(gray, 1, mode="nearest") ** 2) / 36
    steep = maximum_filter(slope >= max(np.quantile(slope, 0.99), 1.0), 9)  # one level a pixel is no edge
    bend = laplace(gray, mode="nearest")[steep] ** 2
    return float(np.sqrt(slope[steep].sum() / (2 * bend.sum()))) if bend.sum() > 0 else 0.0


def noise_level(rgb: np.ndarray) -> float:
    """Standard deviation of the luminance's noise, in levels of 255, where the photo is flattest.

    Immerkær's (1996) ``√(π/2) / 6 · mean |I * N|`` with ``N = [1 -2 1; -2 4 -2; 1 -2 1]``, which is blind to edges
    but not to texture: so it is computed in blocks of 32 px, of which the lower quartile counts, and small photos are
    not judged: much of their texture is as fine as noise. Blocks with clipped pixels, where noise cannot be seen, are
    left out.

    Args:
        rgb: ``[H, W, 3]`` in 0..1.
    Returns:
        0 where there is no whole block.
    """
    from scipy.ndimage import convolve

    gray, kernel = _gray(rgb), np.outer([1, -2, 1], [1, -2, 1])
    rows, columns = (side // 32 for side in gray.shape)

    def blocks(values: np.ndarray) -> np.ndarray:
        return values[: rows * 32, : columns * 32].reshape(rows, 32, columns, 32).mean((1, 3))

    seen = blocks((gray <= 1) | (gray >= 254)) < 0.1
    noise = blocks(np.abs(convolve(gray, kernel, mode="nearest")))[seen]
    return float(np.sqrt(np.pi / 2) / 6 * np.quantile(noise, 0.25)) if noise.size else 0.0


def clipped_shares(rgb: np.ndarray) -> tuple[float, float]:
    """The shares of pixels that are lost to white and to black, of those that are no white ground.

    Lost to white has two channels of at least 254 of 255: one alone is a strong color. Lost to black has all at most 1.
    A white ground (``KeepWhite``'s: all channels from 242 on) is what of it reaches the border; where most of the
    border is white, all of it, since then it shows through the product's holes, too. A black ground, alike.

    Args:
        rgb: ``[H, W, 3]`` in 0..1.
    """
    lowest, highest = (plane[..., 0] for plane in images.channel_range(rgb))
    red, green, blue = np.moveaxis(rgb >= 254 / 255, -1, 0)
    bright, dark = (red & green) | (green & blue) | (blue & red), highest <= 1 / 255
    ground = _ground(lowest >= 242 / 255)
    rest = max(1, int((~ground).sum()))
    return float((bright & ~ground).sum() / rest), float((dark & ~_ground(dark)).sum() / rest)


def jpeg_step(rgb: np.ndarray) -> float:
    """How coarsely a JPEG encoder once rounded the luminance: the median step, in levels, of five low frequencies.

    The DCT coefficients of its 8 x 8 blocks are still near multiples of the step ``q``, whatever format the picture
    came in since (Fan and de Queiroz 2003), unless it was resized, cropped or recolored. So the mean of
    ``cos(2π c / q)`` over those that are no zeros is near 1 for the true step and its divisors; the largest counts.

    Args:
        rgb: ``[H, W, 3]`` in 0..1, at the file's own size.
    Returns:
        0 when no step is found; 12 for libjpeg's quality 50, 30 for 20.
    """
    from scipy.fft import dctn

    height, width = rgb.shape[:2]
    largest = 0.0
    # Blocks are counted from where the camera held the upper left corner: after a turn from another corner.
    for top, left in {(y, x) for y in (0, height % 8) for x in (0, width % 8)}:
        part = rgb[top:, left:]
        rows, columns = (side // 8 for side in part.shape[:2])
        tiles = part[: rows * 8, : columns * 8].reshape(rows, 8, columns, 8, 3).swapaxes(1, 2)
        some = np.arange(0, rows * columns, max(1, rows * columns // 4096))  # as many as tell it surely
        spectra = dctn(_gray(tiles[np.divmod(some, max(1, columns))]) - 128, axes=(1, 2), norm="ortho")
        steps = [_step(spectra[:, down, right]) for down, right in ((0, 1), (1, 0), (1, 1), (0, 2), (2, 0))]
        largest = max(largest, float(np.median(steps)))
    return largest


def _step(coefficients: np.ndarray) -> int:
    """The step that the coefficients are multiples of; 0 for none, or for less than 30 that are no zero."""
    candidates, size = np.arange(3, 121), np.abs(coefficients)
    scores = np.zeros(len(candidates))
    for k, step in enumerate(candidates):
        some = size[size > 0.6 * step]
        scores[k] = np.cos(2 * np.pi / step * some).mean() if len(some) >= 30 else 0
    likely = scores > max(0.6, 0.9 * scores.max())
    return int(candidates[likely][-1]) if likely.any() else 0


def _ground(like: np.ndarray) -> np.ndarray:
    """Of the pixels that are like the ground those that are."""
    from scipy.ndimage import label

    def border(values: np.ndarray) -> np.ndarray:
        return np.concatenate([values[0], values[-1], values[:, 0], values[:, -1]])

    if border(like).mean() > 0.5:
        return like
    parts, _ = label(like)
    return np.isin(parts, np.setdiff1d(border(parts), 0))


def _gray(rgb: np.ndarray) -> np.ndarray:
    return images.luminance(rgb)[..., 0].astype("float64") * 255
