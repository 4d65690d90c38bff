"""Perceptual losses against NumPy and SciPy, their invariants, their gradients by finite differences, hostile input.

All are ours. Oracles are computed here another way: position by position, with SciPy's matrix root, in float64.
"""

import numpy as np
import pytest
import scipy.linalg

from stylelab.backend import ops, tf
from stylelab.losses import (
    content_loss,
    gram_loss,
    gram_matrix,
    mean_covariance,
    moments,
    moments_loss,
    total_variation,
    w2_loss,
)

STATISTICS = {"gram": gram_matrix, "moments": moments, "w2": mean_covariance}
DISTANCES = {"gram": gram_loss, "moments": moments_loss, "w2": w2_loss}
LOSSES = ["content", *STATISTICS]


def loss(name, features, target, weights=None):
    """The loss ``name`` of features, as an objective uses it: statistic, then distance."""
    if name == "content":
        return content_loss(features, target)
    return DISTANCES[name](STATISTICS[name](features, weights), STATISTICS[name](target))


def features(*shape, seed=0, dtype="float64", scale=1.0, mix=True):
    """Like a network's behind a ReLU: not negative, many zeros, a mean, and channels that know of each other."""
    rng = np.random.default_rng(seed)
    x = rng.normal(0.3, 1, shape)
    if mix:
        x = x @ rng.normal(0, 1, (shape[-1], shape[-1])) / np.sqrt(shape[-1])
    return (scale * np.maximum(x, 0)).astype(dtype)


def value_and_gradient(function, x):
    x = tf.convert_to_tensor(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = function(x)
    return np.asarray(value), np.asarray(tape.gradient(value, x))


# ---- oracles ---------------------------------------------------------------------------------------------------


def gram_oracle(x):
    """The mean over positions of the outer product of a position's features with themselves."""
    return np.array([np.mean([np.outer(f, f) for f in picture.reshape(-1, x.shape[-1])], axis=0) for picture in x])


def relative_oracle(x, target):
    return np.mean([((a - b) ** 2).sum() / (b**2).sum() for a, b in zip(x, target, strict=True)])


def w2_oracle(x, target):
    """SciPy's matrix root and covariances around the mean; the ridge is the documented one."""
    losses = []
    for a, b in zip(x.reshape(len(x), -1, x.shape[-1]), target.reshape(len(target), -1, x.shape[-1]), strict=True):
        mean_a, mean_b = a.mean(0), b.mean(0)
        cov_a, cov_b = np.cov(a.T, bias=True), np.cov(b.T, bias=True)
        size = mean_b @ mean_b + np.trace(cov_b)
        ridge = RIDGE(mean_b, cov_b) * np.eye(len(cov_a))
        cov_a, cov_b = cov_a + ridge, cov_b + ridge
        root_b = scipy.linalg.sqrtm(cov_b)
        overlap = scipy.linalg.sqrtm(root_b @ cov_a @ root_b)
        losses.append((((mean_a - mean_b) ** 2).sum() + np.trace(cov_a + cov_b - 2 * overlap.real)) / size)
    return np.mean(losses)
