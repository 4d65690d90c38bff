"""How near a set of generated pictures is to a set of real ones, and whether the generator makes them all alike.

KID, FID and the collapse detector are ours, on the bundled VGG16's features; a mean's interval is SciPy's, wrapped.
"""

import warnings
from typing import Any, NamedTuple

import numpy as np

from .. import images
from ..errors import ImageError, SettingsError
from ..features import shared_extractor
from .pictures import check_batch

# What the features are divided by: about their root mean square over the shipped photos, products and paintings, so
# that x.y/d is about 1 and the kernel's three powers all count.
_SCALES = {"block3_conv3": 300.0, "block4_conv3": 60.0}
# Documented thresholds of `collapse`, tried on 500 colored garments. Over them: one picture with noise, one shape in
# many colors, ten pictures with noise, one class of ten. Under them: blurred, noisy or gray garments, half the classes.
LEAST_DIVERSITY, MOST_DUPLICATES, MOST_MISSING = 0.5, 0.5, 0.6


class Estimate(NamedTuple):
    """A value and its 95 % bootstrap interval, ``low`` to ``high``."""

    value: float
    low: float
    high: float


class Collapse(NamedTuple):
    """Whether a generator makes the same few pictures again and again.

    Attributes:
        diversity: mean distance of two generated pictures over that of two real ones; near 1 for a healthy set.
        duplicates: share of the generated pictures that have a near copy among the generated ones; 0.01 for real ones.
        missing: share of the real pictures that are of kinds which the generator hardly makes; 0 for a healthy set.
        collapsed: diversity under 0.5, duplicates over 0.5, or missing over 0.6.
    """

    diversity: float
    duplicates: float
    missing: float
    collapsed: bool


def vgg_features(pictures: Any, size: int | None = None, batch: int = 64) -> np.ndarray:
    """What VGG16 sees in each picture: the activations of block3_conv3 and block4_conv3, averaged over positions.

    Block 3 answers to strokes, edges and colors, block 4 to parts; the layers above it are about ImageNet's objects and
    would look at 2 x 2 positions here. Each layer is divided by a constant, 300 and 60, about its root mean square
    over the shipped pictures. **Distances in these features are no published ones**: KID and FID are mostly
    reported on Inception v3, at 299 px, and only numbers of the same network and size can be compared.

    Args:
        pictures: ``[N, H, W, 3]`` in 0..1, at least 2.
        size: pixels of both sides that they are resized to, bicubic with antialiasing; None for 32 where neither side
            is longer (6 s for 1,000 pictures on one core), else 64 (22 s).
        batch: pictures in one pass.
    Returns:
        ``[N, 768]`` float64, not negative.
    Raises:
        ImageError: another shape, fewer than 2 pictures, NaN, or values outside 0..1.
        SettingsError: a size or a batch that is too small.
    """
    pictures = check_batch(pictures, least=2)
    network = shared_extractor(layers=tuple(_SCALES))
    size = size or (32 if max(pictures.shape[1:3]) <= 32 else 64)
    if size < network.min_size or batch < 1:
        raise SettingsError(f"Features need a size of {network.min_size} px and a batch of 1, not {size} and {batch}.")
    rows = []
    for first in range(0, len(pictures), batch):
        features = network(images.resize(pictures[first : first + batch], (size, size)))
        rows.append(np.hstack([np.mean(features[name], (1, 2)) / scale for name, scale in _SCALES.items()]))
    return np.concatenate(rows).astype("float64")


def kid(real: Any, fake: Any, *, subsets: int = 1000, subset_size: int = 2000, seed: int = 0) -> Estimate:
    """Kernel Inception distance: unbiased squared MMD with the kernel ``(x.y/d + 1)³``, on VGG16 instead of Inception.

    ``mean k(x, x') + mean k(y, y') - 2 mean k(x, y)``, without the pairs of a picture with itself (Bińkowski et
    al. 2018, section 4; Gretton et al. 2012, lemma 6). Its expectation does not depend on the number of
    pictures, and is 0 for sets from one source; so it is **sometimes negative**, which means nothing but 0.

    The interval is the percentile bootstrap: both sets are drawn anew with replacement, and the same sum is taken,
    without the pairs of a picture with its own copies, which would shift it. For different sources it holds its 95 %
    (less for some 50 pictures that are far off); for one source, where the sum degenerates, it is 1.7 times as wide
    as it had to be, so that 0 is in it more often than in 95 %. The average over subsets, as published, has no
    interval: its subsets share pictures.

    Args:
        real, fake: pictures ``[N, H, W, 3]`` of one size in 0..1, or features ``[N, D]``; the numbers may differ.
        subsets: how many times the sets are drawn anew.
        subset_size: larger sets are thinned at random to so many; time and memory grow with the square (2 s at
            2,000).
        seed: of all draws.
    Raises:
        ImageError: another shape, different sizes, fewer than 2, NaN, or pictures outside 0..1.
        SettingsError: ``subsets`` or ``subset_size`` under 2.
    """
    if min(subsets, subset_size) < 2:
        raise SettingsError(f"KID needs 2 subsets of 2 pictures, not {subsets} of {subset_size}; give larger numbers.")
    rng = np.random.default_rng(seed)
    x, y = (_thinned(rows, subset_size, rng) for rows in _both(real, fake))
    wx, wy = _draws(len(x), subsets, rng), _draws(len(y), subsets, rng)
    values = _mean_of_pairs(_kernel(x, x), wx) + _mean_of_pairs(_kernel(y, y), wy)
    values -= 2 * ((wx @ _kernel(x, y)) * wy).sum(1) / (len(x) * len(y))
    return Estimate(float(values[0]), *np.percentile(values[1:], [2.5, 97.5]).tolist())


def fid(real: Any, fake: Any) -> float:
    """Fréchet distance of two Gaussians: ``|m - n|² + Tr(C + D - 2 (C D)^½)`` (Heusel et al. 2017, eq. 6), on VGG16.

    It is biased: of two sets from one source it is larger the fewer pictures there are. Under 2,000 it warns.

    Args:
        real, fake: pictures ``[N, H, W, 3]`` of one size in 0..1, or features ``[N, D]``.
    Returns:
        Not negative; 0 for a set and itself.
    Raises:
        ImageError: another shape, different sizes, fewer than 2, NaN, or pictures outside 0..1.
    """
    x, y = _both(real, fake)
    if min(len(x), len(y)) < 2000:
        warnings.warn(
            f"FID of {len(x)} and {len(y)} pictures is biased upward; under 2,000 of each use metrics.kid.",
            stacklevel=2,
        )
    c, d = (np.atleast_2d(np.cov(rows, rowvar=False)) for rows in (x, y))
    # Tr (C D)^½ is the sum of the singular values of C^½ D^½: no root of a rounding error, as eigenvalues would have.
    cross = np.linalg.svd(_root(c) @ _root(d), compute_uv=False).sum()
    return float(max(0.0, ((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(c) + np.trace(d) - 2 * cross))


def collapse(fake: Any, real: Any, *, subset_size: int = 2000, seed: int = 0) -> Collapse:
    """Finds mode collapse: are the generated pictures as different from each other as real ones are?

    Ours, in VGG16's features, with Euclidean distances. Three questions, for three ways to collapse:

    * ``diversity``: one picture, more or less. The ratio of the mean distances of two pictures.
    * ``duplicates``: the same pictures again and again. A near copy is nearer than the nearest neighbors of all but
      1 % of the real pictures, both as a share of their set's mean distance, so that blur makes none.
    * ``missing``: whole kinds that never come. K-means cuts half of the real pictures into 20 bins, all others go to
      the nearest one, and a bin is missing where the generated ones' share is under a fifth of the real ones' (after
      Richardson and Weiss 2018, who test each bin's share).

    None of them asks whether the pictures are good, and pictures far from every real one lie in few bins too: see
    :func:`kid`. Two classes of ten may stay under the bound: see ``class_report``.

    Args:
        fake, real: pictures ``[N, H, W, 3]`` of one size in 0..1, or features ``[N, D]``; some hundreds of each, since
            with 100 ``missing`` is off by 0.2 now and then.
        subset_size: both sets are thinned at random to so many, and to the same number: neighbors are the nearer
            the more there are.
        seed: of the thinning and the bins.
    Raises:
        ImageError: another shape, different sizes, fewer than 2, NaN, pictures outside 0..1, or real ones all equal.
        SettingsError: ``subset_size`` under 2.
    """
    if subset_size < 2:
        raise SettingsError(f"Collapse is looked for in at least 2 pictures, not {subset_size}; give more.")
    rng = np.random.default_rng(seed)
    x, y = _both(real, fake)
    size = min(len(x), len(y), subset_size)
    x, y = _thinned(x, size, rng), _thinned(y, size, rng)
    (among_real, near_real), (among_fake, near_fake) = _spread(x), _spread(y)
    if among_real == 0:
        raise ImageError("The real pictures are all equal, so nothing can be less diverse; give different ones.")
    bound = np.percentile(near_real, 1) / among_real
    duplicates = float((near_fake < bound * among_fake).mean()) if among_fake > 0 else 1.0
    diversity, missing = among_fake / among_real, _missing(x, y, rng)
    return Collapse(
        diversity,
        duplicates,
        missing,
        diversity < LEAST_DIVERSITY or duplicates > MOST_DUPLICATES or missing > MOST_MISSING,
    )


def bootstrap_mean(values: Any, seed: int = 0) -> Estimate:
    """The mean of numbers per picture and its 95 % interval: SciPy's bias-corrected bootstrap (BCa), wrapped.

    For a comparison on the same pictures give the differences, picture by picture: outside 0 one is better.

    Args:
        values: ``[N]``, at least 2 finite numbers.
        seed: of the 9,999 resamples.
    Raises:
        SettingsError: another shape, too few, or NaN.
    """
    from scipy.stats import bootstrap

    values = np.asarray(values, "float64")
    if values.ndim != 1 or len(values) < 2 or not np.isfinite(values).all():
        raise SettingsError(f"A mean needs a list of at least 2 finite numbers, not an array of shape {values.shape}.")
    mean = float(values.mean())
    if np.ptp(values) == 0:  # SciPy has NaN for it
        return Estimate(mean, mean, mean)
    interval = bootstrap((values,), np.mean, random_state=np.random.default_rng(seed), batch=1000).confidence_interval
    return Estimate(mean, float(interval.low), float(interval.high))


def _both(real: Any, fake: Any) -> tuple[np.ndarray, np.ndarray]:
    """Features of both sets."""
    real, fake = np.asarray(real), np.asarray(fake)
    if real.shape[1:] != fake.shape[1:]:
        raise ImageError(f"Sets of shapes {real.shape} and {fake.shape} cannot be compared; give pictures of one size.")
    return _rows(real), _rows(fake)


def _rows(data: np.ndarray) -> np.ndarray:
    """Features ``[N, D]`` of pictures; of features themselves."""
    if data.ndim == 4:
        return vgg_features(data)
    if data.ndim != 2 or len(data) < 2 or data.shape[1] == 0 or data.dtype.kind not in "fiu":
        raise ImageError(
            f"A set is at least 2 pictures [N, H, W, 3] or features [N, D], not an array of type {data.dtype} and "
            f"shape {data.shape}."
        )
    if not np.isfinite(data).all():
        raise ImageError("The features have values that are NaN or infinite: look for a division by zero.")
    return data.astype("float64")


def _thinned(rows: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    return rows if len(rows) <= size else rows[rng.choice(len(rows), size, replace=False)]


def _kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return (x @ y.T / x.shape[1] + 1) ** 3


def _draws(count: int, times: int, rng: np.random.Generator) -> np.ndarray:
    """``[1 + times, count]``: how often each picture counts; the first row is the set itself."""
    drawn = rng.multinomial(count, np.full(count, 1 / count), times)
    return np.vstack([np.ones(count), drawn])


def _mean_of_pairs(kernel: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """For each row of weights the mean over pairs of two different pictures."""
    np.fill_diagonal(kernel, 0)
    pairs = weights.sum(1) ** 2 - (weights**2).sum(1)
    return ((weights @ kernel) * weights).sum(1) / np.maximum(pairs, 1)  # 0: a draw of one picture alone


def _root(matrix: np.ndarray) -> np.ndarray:
    """Square root of a symmetric positive semidefinite matrix."""
    values, vectors = np.linalg.eigh(matrix)
    return vectors * np.sqrt(np.clip(values, 0, None)) @ vectors.T


def _spread(rows: np.ndarray) -> tuple[float, np.ndarray]:
    """Mean distance of two rows, and each row's distance to its nearest other one."""
    from scipy.spatial.distance import pdist, squareform

    distances = squareform(pdist(rows))
    count = len(rows)
    mean = float(distances.sum() / (count * (count - 1)))
    np.fill_diagonal(distances, np.inf)
    return mean, distances.min(1)


def _missing(real: np.ndarray, fake: np.ndarray, rng: np.random.Generator) -> float:
    """Share of the real rows that are in bins with less than a fifth of the fake ones that they should have."""
    from scipy.cluster.vq import kmeans2
    from scipy.spatial.distance import cdist

    # One half makes the bins and the other half is counted: a bin holds more of what it was made for.
    order = rng.permutation(len(real))
    half, rest = real[order[::2]], real[order[1::2]]
    count = max(1, min(20, len(half) // 5, len(np.unique(half, axis=0))))
    with warnings.catch_warnings(action="ignore"):  # of an empty bin, which counts for nothing
        centers = kmeans2(half, count, minit="++", seed=rng)[0]
    theirs, ours = (np.bincount(cdist(rows, centers).argmin(1), minlength=count) / len(rows) for rows in (rest, fake))
    return float(theirs[ours < theirs / 5].sum())
