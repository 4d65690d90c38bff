"""Content, style and smoothness: pure functions of features and images.

Every loss is *relative*: a squared distance divided by the squared size of its target. So 1.0 means "as far from the
target as nothing at all is", at every layer and every resolution, and one weight keeps its meaning. (Dividing
instead by one constant for all layers, as a well-known example does, weights the first block a thousand times
the last.) Style is a *statistic* of the features that averages linearly, so that styles can be blended before
they are compared.
"""

import math
from typing import Any

import numpy as np

from ..backend import at_least_float32, keras, ops

EPSILON = 1e-8  # keeps a zero target finite; VGG's squared features are of the order of 1e3 to 1e6


def content_loss(features: Any, target: Any) -> Any:
    """How far the features are from the content photo's: ``|F - T|² / |T|²``.

    Gatys et al. (2016, eq. 1) use ``½ |F - T|²``, whose size depends on layer and resolution.

    Args:
        features, target: ``[B, H, W, C]``; computed in at least float32.
    Returns:
        A scalar, the mean over the batch: 0 for equal features, 1 for zero features.
    """
    return _relative(features, target)


def gram_matrix(features: Any, weights: Any = None) -> Any:
    """Channel co-activations averaged over positions: the style of one layer.

    ``G = FᵀF / P`` for features ``F`` of ``P`` positions, so that a weight means the same at every
    resolution. Gatys et al. (2016, eq. 3) leave the division to the loss. With weights ``w`` (a region's mask) it is
    ``Fᵀ diag(w) F / Σw`` (the guided Gram matrix of Gatys et al. 2017, section 4, with ``w`` for their squared guide).

    Args:
        features: ``[B, H, W, C]``, any float type; computed in at least float32.
        weights: ``[B, H, W, 1]``, not negative; None counts every position once.
    Returns:
        ``[B, C, C]``, symmetric, positive semidefinite.
    """
    rows, share = _rows(features, weights)
    return ops.matmul(ops.swapaxes(share * rows, 1, 2), rows)


def gram_loss(gram: Any, target: Any) -> Any:
    """How far a style is from the painting's: ``|G - A|² / |A|²`` (Frobenius norms).

    Gatys et al. (2016, eq. 4) divide by ``4 C² P²``; dividing by the target's own size makes layers comparable.

    Args:
        gram, target: ``[B, C, C]`` from :func:`gram_matrix`.
    Returns:
        A scalar, the mean over the batch: 0 for equal matrices, 1 for a zero one.
    """
    return _relative(gram, target)


def moments(features: Any, weights: Any = None) -> Any:
    """Mean and standard deviation of each channel: the cheapest style statistic, AdaIN's.

    Huang and Belongie (2017, eq. 5 to 8), with their 1e-5 under the root.

    Args:
        features: ``[B, H, W, C]``.
        weights: as in :func:`gram_matrix`.
    Returns:
        ``[B, 2, C]``: means, then standard deviations.
    """
    rows, share = _rows(features, weights)
    mean = ops.sum(share * rows, axis=1, keepdims=True)
    variance = ops.sum(share * ops.square(rows - mean), axis=1, keepdims=True)
    return ops.concatenate([mean, ops.sqrt(variance + 1e-5)], axis=1)


def moments_loss(statistics: Any, target: Any) -> Any:
    """``(|μ - μₜ|² + |σ - σₜ|²) / (|μₜ|² + |σₜ|²)``: Huang and Belongie (2017, eq. 13), squared and relative.

    Args:
        statistics, target: ``[B, 2, C]`` from :func:`moments`.
    Returns:
        A scalar, the mean over the batch.
    """
    return _relative(statistics, target)


def mean_covariance(features: Any, weights: Any = None) -> Any:
    """Mean and second raw moment of the features as a Gaussian's statistics: input of :func:`w2_loss`.

    The raw moment ``E[f fᵀ]`` is kept rather than the covariance since it averages linearly over styles. It is
    computed as ``C + μ μᵀ``: so a flat picture's covariance comes back as zero, not as what rounding leaves of it.

    Args:
        features: ``[B, H, W, C]``.
        weights: as in :func:`gram_matrix`.
    Returns:
        ``[B, 1 + C, C]``: the mean, then the rows of the second raw moment (the Gram matrix).
    """
    rows, share = _rows(features, weights)
    mean = ops.sum(share * rows, axis=1, keepdims=True)
    centered = rows - mean
    covariance = ops.matmul(ops.swapaxes(share * centered, 1, 2), centered)
    return ops.concatenate([mean, covariance + ops.swapaxes(mean, 1, 2) * mean], axis=1)


def w2_loss(statistics: Any, target: Any) -> Any:
    """Squared 2-Wasserstein distance of two Gaussians, relative to the target's size.

    ``|μ - μₜ|² + tr(C + Cₜ - 2 (LᵀC L)^½)`` with ``Cₜ = L Lᵀ`` (Cholesky), over ``|μₜ|² + tr Cₜ`` (Gelbrich 1990; as a
    style loss: Crowson 2021). The usual form has ``Cₜ^½`` for L: the eigenvalues, so the trace, are the same,
    and L costs less. Both covariances get 1e-4 of the target's mean squared feature on the diagonal, so that
    rank-deficient ones have roots, and 32 times what rounding leaves in a difference of raw moments, so that it
    cannot make a flat picture's negative. The gradient of ``tr (LᵀC L)^½`` by C is ``½ L (LᵀC L)^-½ Lᵀ``: it is
    inserted as it stands, since differentiating through the iteration for the root costs three times as much and
    loses digits.

    Args:
        statistics, target: ``[B, 1 + C, C]`` from :func:`mean_covariance`.
    Returns:
        A scalar, the mean over the batch; 0 for equal statistics. First derivatives only.
    """
    statistics, target = at_least_float32(statistics), at_least_float32(target)
    mean, mean_t = statistics[:, 0], target[:, 0]
    covariance, covariance_t = _covariance(statistics), _covariance(target)
    size, size_t = _trace(statistics[:, 1:]), _trace(target[:, 1:])  # |μ|² + tr C: mean square, summed over channels
    rounding = 32 * float(np.finfo(keras.backend.standardize_dtype(covariance.dtype)).eps)
    channels = covariance.shape[-1]
    ridge = (1e-4 * size_t + rounding * ops.stop_gradient(size)) / channels + EPSILON
    ridge = ridge[:, None, None] * ops.eye(channels, dtype=covariance.dtype)
    covariance, covariance_t = covariance + ridge, covariance_t + ridge

    factor = ops.stop_gradient(ops.cholesky(covariance_t))
    transposed = ops.swapaxes(factor, 1, 2)
    root, inverse_root = _roots(ops.stop_gradient(transposed @ covariance @ factor))
    slope = ops.stop_gradient(0.5 * factor @ inverse_root @ transposed)
    moved = covariance - ops.stop_gradient(covariance)  # zero in value, the covariance in gradient
    overlap = _trace(root) + ops.sum(slope * moved, axis=(1, 2))

    distance = ops.sum(ops.square(mean - mean_t), axis=1) + _trace(covariance) + _trace(covariance_t) - 2 * overlap
    return ops.mean(distance / (size_t + EPSILON))


def total_variation(images: Any) -> Any:
    """Roughness: the mean squared difference between neighbors, rows plus columns.

    The square-integrable form of Mahendran and Vedaldi (2015, eq. 3, β = 2). As a mean per pixel it measures
    noise the same at every size: white noise of variance s² has 4 s².

    Args:
        images: ``[B, H, W, C]``.
    Returns:
        A scalar: 0 for constant images.
    """
    images = at_least_float32(images)
    down, right = images[:, 1:] - images[:, :-1], images[:, :, 1:] - images[:, :, :-1]
    return sum(ops.mean(ops.square(d)) for d in (down, right) if 0 not in d.shape)


def weave(images: Any, period: int = 4, window: int = 32) -> Any:
    """How strongly a pattern repeats every ``period`` pixels: the fishnet that style networks lay over quiet grounds.

    A network that commutes with shifts by ``period`` pixels (ours halves twice, so by 4) can paint nothing else on a
    constant ground, and the Gram matrices like any texture better than none. Odena et al. (2016, "Deconvolution and
    checkerboard artifacts") describe the pattern; the measure is ours. In each window the means of the ``period``²
    phases are what repeats, and strokes average out; their variance over the phases is the power of the pattern.

    Args:
        images: ``[B, H, W, C]``, both sides at least ``period`` and known where the function is traced.
        period: in pixels.
        window: side of the windows, a multiple of ``period``; what remains at the right and the bottom is left out.
    Returns:
        A scalar, the mean over windows and channels: 0 for constant images; a checkerboard of ±a has a².
    """
    images = at_least_float32(images)
    batch, height, width, channels = ops.shape(images)
    sides = [min(window, side // period * period) for side in (height, width)]
    rows, columns = (side // window_side for side, window_side in zip((height, width), sides, strict=True))
    cut = images[:, : rows * sides[0], : columns * sides[1]]
    cells = (rows, sides[0] // period, period, columns, sides[1] // period, period)
    phases = ops.mean(ops.reshape(cut, (batch, *cells, channels)), axis=(2, 5))  # [B, rows, p, columns, p, C]
    return ops.mean(ops.var(phases, axis=(2, 4)))


def _relative(x: Any, target: Any) -> Any:
    x, target = at_least_float32(x), at_least_float32(target)
    axes = tuple(range(1, len(target.shape)))
    error = ops.mean(ops.square(x - target), axis=axes)
    return ops.mean(error / (ops.mean(ops.square(target), axis=axes) + EPSILON))


def _rows(features: Any, weights: Any) -> tuple[Any, Any]:
    """Features as ``[B, P, C]``, and each position's share of the total weight, ``[B or 1, P or 1, 1]``."""
    features = at_least_float32(features)
    batch, height, width, channels = ops.shape(features)
    rows = ops.reshape(features, (batch, height * width, channels))
    if weights is None:
        return rows, ops.ones((1, 1, 1), rows.dtype) / ops.cast(height * width, rows.dtype)
    flat = ops.reshape(ops.cast(weights, rows.dtype), (batch, height * width, 1))
    return rows, flat / (ops.sum(flat, axis=1, keepdims=True) + EPSILON)


def _covariance(statistics: Any) -> Any:
    mean, second = statistics[:, :1], statistics[:, 1:]
    return second - ops.swapaxes(mean, 1, 2) * mean


def _trace(matrices: Any) -> Any:
    return ops.sum(ops.diagonal(matrices, axis1=1, axis2=2), axis=1)


def _roots(matrices: Any) -> tuple[Any, Any]:
    """Square root and inverse square root by the coupled Newton-Schulz iteration (Higham 2008, eq. 6.35).

    Only matrix products: at 512 channels ten times as fast here as an eigendecomposition. Roots grow by 1.5 a step at
    first, so k steps reach eigenvalues of 2.25^-k of the norm. We stop where rounding begins, after 20 steps in float32
    and 45 in float64: beyond it an eigenvalue may be negative, and the iteration diverges. On VGG16's features the
    gradient in float32 is therefore off by 1 to 3 percent.
    """
    epsilon = float(np.finfo(keras.backend.standardize_dtype(matrices.dtype)).eps)
    norm = ops.sqrt(ops.sum(ops.square(matrices), axis=(1, 2), keepdims=True))
    identity = ops.eye(matrices.shape[-1], dtype=matrices.dtype)
    y, z = matrices / norm, ops.broadcast_to(identity, ops.shape(matrices))
    for _ in range(math.ceil(math.log(1 / epsilon, 2.25))):
        t = 1.5 * identity - 0.5 * z @ y
        y, z = y @ t, t @ z
    return y * ops.sqrt(norm), z / ops.sqrt(norm)
