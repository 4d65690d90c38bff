"""How good is one picture, or how near to another: numbers for style, content, perception, edges and colors.

Style and content distance are ours (the relative losses, on the network as trained: max pooling, float32). SSIM
and CIEDE2000 are scikit-image's, wrapped. Edge preservation and perceptual distance are ours, from published parts.
"""

from typing import Any

import numpy as np

from .. import images
from ..errors import ImageError
from ..features import CONTENT_LAYERS, STYLE_LAYERS, shared_extractor
from ..losses import content_loss, gram_loss, gram_matrix

PERCEPTUAL_LAYERS = ("block1_conv2", "block2_conv2", "block3_conv3", "block4_conv3", "block5_conv3")


def style_distance(image: Any, style: Any, size: int = 384) -> float:
    """Relative Gram error: the mean over VGG16's block1..4_conv1 of ``|G - A|² / |A|²``.

    Args:
        image, style: ``[H, W, 3]`` in 0..1, any sizes; both are compared with ``size`` px on their long side.
        size: long side of the comparison: distances at different sizes are different numbers.
    Returns:
        0 for the style picture itself; a plain photo mostly has 0.4 to 0.9, one on a white ground up to 1.9.
    """
    theirs, ours = _features(style, size), _features(image, size)
    errors = [gram_loss(gram_matrix(ours[name]), gram_matrix(theirs[name])) for name in STYLE_LAYERS]
    return float(sum(errors)) / len(errors)


def content_distance(image: Any, content: Any, size: int = 384) -> float:
    """Relative feature error ``|F - T|² / |T|²`` at VGG16's block4_conv2.

    Args:
        image, content: ``[H, W, 3]`` in 0..1, of the same aspect; both compared with ``size`` px on their long side.
        size: long side of the comparison.
    Returns:
        0 for the photo itself; about 1.3 for a strongly stylized picture.
    Raises:
        ImageError: the two have different sizes.
    """
    image, content = _pair(image, content)
    theirs, ours = _features(content, size), _features(image, size)
    return float(sum(content_loss(ours[name], theirs[name]) for name in CONTENT_LAYERS)) / len(CONTENT_LAYERS)


def ssim(a: Any, b: Any) -> float:
    """Structural similarity (Wang et al. 2004, with their Gaussian window), -1..1; scikit-image's, wrapped.

    Args:
        a, b: ``[H, W, 3]`` in 0..1, the same size, at least 11 px.
    Raises:
        ImageError: no images, different sizes, or too small.
    """
    from skimage.metrics import structural_similarity

    a, b = _pair(a, b)
    if min(a.shape[:2]) < 11:
        raise ImageError(f"SSIM needs pictures of at least 11 px, not {a.shape[1]}x{a.shape[0]}; use a larger one.")
    return float(
        structural_similarity(a, b, channel_axis=-1, data_range=1.0, gaussian_weights=True, use_sample_covariance=False)
    )


def color_difference(a: Any, b: Any, mask: Any = None) -> float:
    """Mean CIEDE2000 color difference (Sharma et al. 2005); scikit-image's, wrapped. Below about 1 nobody sees it.

    Args:
        a, b: ``[H, W, 3]``, sRGB in 0..1, the same size.
        mask: ``[H, W, 1]``: the mean is taken where it is at least 0.5; None for everywhere.
    Raises:
        ImageError: no images, different sizes, or a mask that is nowhere 0.5.
    """
    from skimage.color import deltaE_ciede2000, rgb2lab

    a, b = _pair(a, b)
    inside = _mask(mask, a) >= 0.5
    if not inside.any():
        raise ImageError("The mask of a color difference is below 0.5 everywhere; make the product white.")
    return float(deltaE_ciede2000(rgb2lab(a), rgb2lab(b))[inside].mean())


def edge_preservation(image: Any, reference: Any, mask: Any = None) -> float:
    """How well the reference's edges survive, 0..1: gradient similarity averaged over the reference's edges.

    The gradient magnitude similarity ``(2 g r + c) / (g² + r² + c)`` of Xue et al. (2014, eq. 4: Prewitt
    filters; c = 0.0026) on luminance. They pool its deviation over all pixels; we take the mean weighted by the
    reference's gradient ``r``, since the question is what became of its edges (lettering, seams), not of its
    flat parts.

    Args:
        image, reference: ``[H, W, 3]`` in 0..1, the same size.
        mask: ``[H, W, 1]`` weights; None for everywhere.
    Returns:
        1 for the reference itself, and where it has no edges.
    Raises:
        ImageError: no images, or different sizes.
    """
    from scipy.ndimage import prewitt

    image, reference = _pair(image, reference)

    def gradient(picture: Any) -> np.ndarray:
        gray = images.luminance(picture)[..., 0].astype("float64")
        return np.hypot(prewitt(gray, 0, mode="nearest"), prewitt(gray, 1, mode="nearest")) / 3

    g, r = gradient(image), gradient(reference)
    similarity = (2 * g * r + 0.0026) / (g**2 + r**2 + 0.0026)
    weights = r * _mask(mask, image)
    return float((similarity * weights).sum() / weights.sum()) if weights.sum() > 0 else 1.0


def checkerboard(image: Any) -> float:
    """How much a pattern of period 2 or 4 px stands out: what an uneven enlargement by 2, or by 2 twice, leaves.

    The power spectrum has peaks at multiples of a quarter of the sampling rate then (Odena et al. 2016, "Deconvolution
    and checkerboard artifacts", show the pictures; the measure is ours). Each of the 15 such frequencies is compared
    with its surroundings: mean power of its 3 x 3 bins, the width of a Hann window's peak, over that of the other bins
    within 5. The largest quotient counts.

    Args:
        image: ``[H, W, 3]`` in 0..1, at least 32 px.
    Returns:
        1 for a flat picture, mostly 1.5 to 5 for photos and paintings, tens to hundreds for a visible pattern.
    Raises:
        ImageError: no image, or too small.
    """
    image = images.check(image)
    height, width = (side // 4 * 4 for side in image.shape[:2])
    if min(height, width) < 32:
        size = f"{image.shape[1]}x{image.shape[0]}"
        raise ImageError(f"A checkerboard is looked for in pictures of at least 32 px, not {size}; use a larger one.")
    window = np.outer(*(np.hanning(side + 1)[:side] for side in (height, width)))[..., None]
    image = image[:height, :width].astype("float64")
    power = (np.abs(np.fft.fft2((image - image.mean((0, 1))) * window, axes=(0, 1))) ** 2).sum(-1)
    quotients = []
    for down, right in list(np.ndindex(4, 4))[1:]:  # without (0, 0), the mean color
        near = np.roll(power, (5 - down * height // 4, 5 - right * width // 4), (0, 1))[:11, :11]
        peak = near[4:7, 4:7]
        # Rounding leaves about 1e-20 in a flat picture: as much is nothing.
        quotients.append((peak.mean() + 1e-12) / ((near.sum() - peak.sum()) / (near.size - peak.size) + 1e-12))
    return float(max(quotients))


def l1_distance(a: Any, b: Any) -> float:
    """Mean absolute difference over pixels and channels, 0..1.

    Args:
        a, b: ``[H, W, 3]`` in 0..1, the same size.
    Raises:
        ImageError: no images, or different sizes.
    """
    a, b = _pair(a, b)
    return float(np.abs(a.astype("float64") - b).mean())


def perceptual_distance(a: Any, b: Any) -> float:
    """:func:`perceptual_distances` of one pair, ``[H, W, 3]`` each."""
    a, b = _pair(a, b)
    return float(perceptual_distances(a[None], b[None])[0])


def perceptual_distances(a: Any, b: Any) -> np.ndarray:
    """How different two pictures look: VGG16's activations, of unit length at each position, compared.

    ``|f/|f| - g/|g||²``, averaged over positions and over the five last convolutions before a pooling: Zhang et al.
    (2018, eq. 1) with all weights 1, and a mean over layers where they have a sum. Their LPIPS has weights that were
    learned from people's judgments, so its numbers are others.

    Args:
        a, b: ``[N, H, W, 3]`` in 0..1, of one shape, at least 16 px: pair k is ``a[k]`` and ``b[k]``.
    Returns:
        ``[N]``: 0 for a picture and itself, at most 2; symmetric.
    Raises:
        ImageError: no pictures, different shapes, or too small.
    """
    if np.shape(a) != np.shape(b):
        raise ImageError(f"Pictures of shapes {np.shape(a)} and {np.shape(b)} cannot be compared; resize one of them.")
    a, b = check_batch(a), check_batch(b)
    network = shared_extractor(layers=PERCEPTUAL_LAYERS)
    at_once = max(1, 2**18 // (a.shape[1] * a.shape[2]))
    distances = []
    for first in range(0, len(a), at_once):
        f, g = (network(x[first : first + at_once]) for x in (a, b))
        layers = [((_unit(f[name]) - _unit(g[name])) ** 2).sum(-1).mean((1, 2)) for name in PERCEPTUAL_LAYERS]
        distances.append(np.mean(layers, 0))
    return np.concatenate(distances)


def check_batch(pictures: Any, least: int = 1) -> np.ndarray:
    """The pictures as float32 ``[N, H, W, 3]`` in 0..1, at least so many, or the reason why they are none.

    Raises:
        ImageError: too few, or as ``images.check``.
    """
    pictures = np.asarray(pictures)
    if pictures.ndim != 4 or pictures.shape[3] != 3 or 0 in pictures.shape[1:]:
        raise ImageError(f"A set of pictures must have the shape [N, height, width, 3], not {pictures.shape}.")
    if len(pictures) < least:
        raise ImageError(f"The set has {len(pictures)} pictures and must have at least {least}; give more.")
    return images.check(pictures.reshape(-1, *pictures.shape[2:]), "set of pictures").reshape(pictures.shape)


def _unit(features: Any) -> np.ndarray:
    """Of unit length along the channels; zero stays zero."""
    features = np.asarray(features)
    return features / (np.linalg.norm(features, axis=-1, keepdims=True) + 1e-10)


def _features(image: Any, size: int) -> dict[str, Any]:
    network = shared_extractor()
    small = images.resize(images.check(image), size)
    if min(small.shape[:2]) < network.min_size:  # a very wide or tall picture: its short side is stretched
        small = images.resize(image, tuple(max(network.min_size, side) for side in small.shape[:2]))
    return network(small[None])


def _pair(a: Any, b: Any) -> tuple[np.ndarray, np.ndarray]:
    if np.shape(a) != np.shape(b):
        raise ImageError(f"Pictures of shapes {np.shape(a)} and {np.shape(b)} cannot be compared; resize one of them.")
    return images.check(a), images.check(b)


def _mask(mask: Any, image: np.ndarray) -> np.ndarray:
    """``[H, W]``; ones for None."""
    mask = np.ones((*image.shape[:2], 1)) if mask is None else np.asarray(mask)
    if mask.shape != (*image.shape[:2], 1):
        raise ImageError(f"The mask has the shape {mask.shape}; for its pictures it must be {(*image.shape[:2], 1)}.")
    return mask[..., 0]
