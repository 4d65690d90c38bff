"""Descent on pixels: Adam with an averaged iterate, and L-BFGS, both within 0..1.

Both take ``gradient(image) -> (terms, gradient)``, where ``terms.total`` is the objective, and report each step to
``on_step(terms, image)``, where ``image()`` gives the current picture.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from .backend import ops, tf

# Kingma and Ba (2015) have 0.9 and 0.999 for training. A picture's gradient has no noise to average away and shrinks
# fast: a long memory of its early size only slows the pixels down. Measured on one pair, the objective by
# (beta1, beta2): at 208 px after 120 steps (0.9, 0.99) 0.619, (0.95, 0.9) 0.593, (0.9, 0.9) 0.581; at 384 px after 350
# steps (0.9, 0.95) 0.496, (0.9, 0.9) 0.494, (0.95, 0.9) 0.490, and (0.9, 0.99) 0.499 after 400.
BETA1, BETA2, EPSILON = 0.9, 0.9, 1e-8
AVERAGE_DECAY = 0.9  # of the averaged iterate: about the last ten steps


def adam(
    gradient: Callable[[Any], tuple[Any, Any]],
    start: np.ndarray,
    steps: int,
    learning_rate: float,
    on_step: Callable[..., None],
    slots: Any = None,
) -> tuple[np.ndarray, Any]:
    """Adam with clipping to 0..1 (Kingma and Ba 2015, algorithm 1).

    The rate falls to a tenth over the steps, geometrically. The result is the bias-corrected average of the
    last iterates (their section 7.2).

    Args:
        gradient: see above.
        start: ``[1, H, W, 3]`` in 0..1.
        steps: how many.
        learning_rate: of the first step, in units of the 0..1 range.
        on_step: see above; the terms are those before the step, the image the average after it.
        slots: what an earlier call returned, at any size: the moments move to the next scale with the picture
            (Crowson 2021), so that its first steps are not blind.
    Returns:
        The picture, and the slots for the next call.
    """
    image = tf.constant(start, "float32")
    if slots is None:
        m, v, t = tf.zeros_like(image), tf.zeros_like(image), 0
    else:
        m, v, t = slots
        m = ops.image.resize(m, start.shape[1:3], "bicubic")
        v = ops.relu(ops.image.resize(v, start.shape[1:3], "bilinear"))
    average = corrected = tf.zeros_like(image)
    for k in range(1, steps + 1):
        terms, g = gradient(image)
        t += 1
        m = BETA1 * m + (1 - BETA1) * g
        v = BETA2 * v + (1 - BETA2) * g * g
        rate = learning_rate * 0.1 ** (k / steps)
        direction = (m / (1 - BETA1**t)) / (ops.sqrt(v / (1 - BETA2**t)) + EPSILON)
        image = tf.clip_by_value(image - rate * direction, 0.0, 1.0)
        average = AVERAGE_DECAY * average + (1 - AVERAGE_DECAY) * image
        corrected = average / (1 - AVERAGE_DECAY**k)
        on_step(terms, partial(_first, corrected))
    return np.clip(corrected, 0, 1), (m, v, t)


def lbfgs(
    gradient: Callable[[Any], tuple[Any, Any]], start: np.ndarray, steps: int, on_step: Callable[..., None]
) -> np.ndarray:
    """SciPy's L-BFGS-B (Byrd et al. 1995) with the pixels bounded to 0..1.

    Args:
        gradient, start: as for :func:`adam`.
        steps: evaluations of the gradient; a line search that has begun may use a few more.
        on_step: called at each evaluation, those inside a line search included.
    Returns:
        The picture.
    """
    from scipy.optimize import Bounds, minimize

    def value_and_gradient(x: np.ndarray) -> tuple[float, np.ndarray]:
        image = x.reshape(start.shape).astype("float32")
        terms, g = gradient(tf.constant(image))
        on_step(terms, partial(_first, image))
        return float(terms.total), np.asarray(g, "float64").ravel()

    result = minimize(
        value_and_gradient,
        start.astype("float64").ravel(),
        jac=True,
        method="L-BFGS-B",
        bounds=Bounds(0, 1),
        # Tolerances of 0: a gradient per pixel is tiny, and the steps are the budget.
        options={"maxfun": steps, "maxiter": steps, "ftol": 0, "gtol": 0, "maxcor": 10},
    )
    return np.clip(result.x, 0, 1).reshape(start.shape).astype("float32")


def _first(images: Any) -> np.ndarray:
    return np.asarray(images)[0]
