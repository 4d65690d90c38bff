"""What a generator and its discriminator play for: five adversarial losses and two gradient penalties.

A discriminator (or critic) gives each picture a *logit*: any real number, larger for "more like a real one", one per
picture or one per patch. The losses take logits, never probabilities: ``log(sigmoid(x))`` is minus infinity in
float32 for x below about -100, while ``-softplus(-x)``, the same number, is exact. Every loss is a mean over all
logits, and **all are to be minimized**: where a paper maximizes, the sign is turned.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from ..backend import at_least_float32, keras, ops, tf
from ..errors import SettingsError


class AdversarialLoss(NamedTuple):
    """The two players' losses: scalar functions of logits, each to be minimized by its player alone.

    Attributes:
        generator: of ``fake_logits``.
        discriminator: of ``real_logits, fake_logits``.
    """

    generator: Callable[[Any], Any]
    discriminator: Callable[[Any, Any], Any]


def cross_entropy_discriminator(real_logits: Any, fake_logits: Any, real_target: float = 1.0) -> Any:
    """``-E[log D(x)] - E[log(1 - D(G(z)))]`` with ``D = sigmoid(logit)``: ``E[softplus(-real)] + E[softplus(fake)]``.

    Goodfellow et al. (2014, eq. 1), where the discriminator maximizes the opposite. It is smallest at
    ``D = p / (p + q)`` for densities p of real and q of generated pictures (their proposition 1), and there equals
    ``2 log 2 - 2 JSD(p, q)`` (their eq. 6).

    Args:
        real_logits, fake_logits: any shape, any float type; computed in at least float32.
        real_target: what the discriminator shall say of real pictures: below 1 one-sided label smoothing (Salimans et
            al. 2016, section 3.4: 0.9), ``-E[t log D(x) + (1 - t) log(1 - D(x))]``. Generated ones keep the target
            0: smoothing them too would pull D to where there are none.
    Returns:
        A scalar, at least 0; ``2 log 2`` for a discriminator that knows nothing (all logits 0).
    """
    real, fake = at_least_float32(real_logits), at_least_float32(fake_logits)
    smoothed = (1 - real_target) * real if real_target != 1 else 0.0  # softplus(r) = softplus(-r) + r
    return ops.mean(ops.softplus(-real) + smoothed) + ops.mean(ops.softplus(fake))


def minimax_generator(fake_logits: Any) -> Any:
    """The zero-sum game: ``E[log(1 - D(G(z)))] = -E[softplus(fake)]``, minus the discriminator's second term.

    Goodfellow et al. (2014, eq. 1). Where the discriminator is sure (a logit far below 0) the slope by the logit,
    ``-sigmoid(fake)``, vanishes: the generator learns least where it is worst.

    Args:
        fake_logits: any shape, any float type; computed in at least float32.
    Returns:
        A scalar, at most 0, unbounded below.
    """
    return -ops.mean(ops.softplus(at_least_float32(fake_logits)))


def non_saturating_generator(fake_logits: Any) -> Any:
    """What is used in its place: ``-E[log D(G(z))] = E[softplus(-fake)]``.

    Goodfellow et al. (2014, section 3): the same fixed point, but the slope, ``-sigmoid(-fake)``, is -1 where the
    discriminator is sure.

    Args:
        fake_logits: any shape, any float type; computed in at least float32.
    Returns:
        A scalar, at least 0.
    """
    return ops.mean(ops.softplus(-at_least_float32(fake_logits)))


def least_squares_discriminator(real_logits: Any, fake_logits: Any) -> Any:
    """Real pictures at 1, generated ones at 0: ``½ E[(D(x) - 1)²] + ½ E[D(G(z))²]``, D the logit itself.

    Mao et al. (2017, eq. 9: a = 0, b = c = 1). Smallest at ``D = p / (p + q)``.

    Args:
        real_logits, fake_logits: any shape, any float type, up to 1e18 (squares of more leave float32's range);
            computed in at least float32.
    Returns:
        A scalar, at least 0.
    """
    real, fake = at_least_float32(real_logits), at_least_float32(fake_logits)
    return (ops.mean(ops.square(real - 1)) + ops.mean(ops.square(fake))) / 2


def least_squares_generator(fake_logits: Any) -> Any:
    """Generated pictures at 1: ``½ E[(D(G(z)) - 1)²]``, Mao et al. (2017, eq. 9).

    Args:
        fake_logits: any shape, any float type, up to 1e18; computed in at least float32.
    Returns:
        A scalar, at least 0.
    """
    return ops.mean(ops.square(at_least_float32(fake_logits) - 1)) / 2


def hinge_discriminator(real_logits: Any, fake_logits: Any) -> Any:
    """A margin and no more: ``E[max(0, 1 - D(x))] + E[max(0, 1 + D(G(z)))]``.

    Lim and Ye (2017); Miyato et al. (2018, section 4).

    Args:
        real_logits, fake_logits: any shape, any float type; computed in at least float32.
    Returns:
        A scalar, at least 0: 0, with no gradient, where every real logit is above 1 and every other below -1.
    """
    real, fake = at_least_float32(real_logits), at_least_float32(fake_logits)
    return ops.mean(ops.relu(1 - real)) + ops.mean(ops.relu(1 + fake))


def wasserstein_critic(real_logits: Any, fake_logits: Any) -> Any:
    """``E[D(G(z))] - E[D(x)]``: for the best D of Lipschitz constant 1, minus the Wasserstein-1 distance.

    Arjovsky et al. (2017, eq. 2 and algorithm 1). Keeping the constant is the caller's part: add
    :func:`gradient_penalty`. One number added to all logits changes nothing.

    Args:
        real_logits, fake_logits: any shape, any float type; computed in at least float32.
    Returns:
        A scalar, unbounded.
    """
    return ops.mean(at_least_float32(fake_logits)) - ops.mean(at_least_float32(real_logits))


def wasserstein_generator(fake_logits: Any) -> Any:
    """``-E[D(G(z))]``: Arjovsky et al. (2017, algorithm 1), and the generator's side of the hinge as well.

    Args:
        fake_logits: any shape, any float type; computed in at least float32.
    Returns:
        A scalar, unbounded.
    """
    return -ops.mean(at_least_float32(fake_logits))


ADVERSARIAL_LOSSES: dict[str, AdversarialLoss] = {
    "minimax": AdversarialLoss(minimax_generator, cross_entropy_discriminator),
    "non_saturating": AdversarialLoss(non_saturating_generator, cross_entropy_discriminator),
    "least_squares": AdversarialLoss(least_squares_generator, least_squares_discriminator),
    "hinge": AdversarialLoss(wasserstein_generator, hinge_discriminator),
    "wasserstein": AdversarialLoss(wasserstein_generator, wasserstein_critic),
}


def gradient_penalty(critic: Callable[[Any], Any], real: Any, fake: Any, seed: Any = 0) -> Any:
    """How far the critic's slope is from 1 between real and generated: ``E[(|∇D(x̂)| - 1)²]``.

    Gulrajani et al. (2017, eq. 3), two-sided; the caller multiplies by λ = 10. ``x̂ = ε x + (1 - ε) G(z)`` with one ε
    for each sample, uniform in 0..1. The norm has 1e-12 under its root, so that its gradient is finite (zero) where
    the critic is flat.

    Args:
        critic: a function of a batch that judges each sample by itself (no batch normalization: their section 4).
            Where it gives a sample several logits (patches), the slope is that of their mean, which is what the
            losses see.
        real, fake: ``[B, ...]`` of one shape, any float type; computed in at least float32.
        seed: an int draws the same ε at every call; in a loop give a ``keras.random.SeedGenerator``, or a tensor of two
            integers as TensorFlow's stateless functions take it.
    Returns:
        A scalar, at least 0, differentiable by the critic's variables.
    Raises:
        SettingsError: two shapes.
    """
    real, fake = at_least_float32(real), at_least_float32(fake)
    if not real.shape.is_compatible_with(fake.shape):
        shapes = f"{tuple(real.shape)} and {tuple(fake.shape)}"
        raise SettingsError(f"A gradient penalty needs as many real as generated samples of one shape, not {shapes}.")
    each = (ops.shape(real)[0], *[1] * (len(real.shape) - 1))
    if tf.is_tensor(seed):
        share = tf.random.stateless_uniform(each, seed, dtype=real.dtype)
    else:
        share = keras.random.uniform(each, dtype=real.dtype, seed=seed)
    squared = _squared_slope(critic, share * real + (1 - share) * ops.cast(fake, real.dtype))
    return ops.mean(ops.square(ops.sqrt(squared + 1e-12) - 1))


def r1_penalty(critic: Callable[[Any], Any], real: Any) -> Any:
    """How steep the discriminator is at the real pictures: ``½ E[|∇D(x)|²]``.

    Mescheder et al. (2018, eq. 9); the caller multiplies by γ. They prove that with it the game converges locally,
    where the plain one circles around its solution.

    Args:
        critic: as in :func:`gradient_penalty`.
        real: ``[B, ...]``, any float type; computed in at least float32.
    Returns:
        A scalar, at least 0, differentiable by the critic's variables.
    """
    return ops.mean(_squared_slope(critic, at_least_float32(real))) / 2


def _squared_slope(critic: Callable[[Any], Any], x: Any) -> Any:
    """``|∇D|²`` of each sample, ``[B]``. Samples do not see each other, so the gradient of the sum holds them all."""
    with tf.GradientTape() as tape:
        tape.watch(x)
        logits = critic(x)
        total = ops.sum(ops.mean(logits, axis=tuple(range(1, len(logits.shape)))))
    slope = tape.gradient(total, x, unconnected_gradients="zero")
    return ops.sum(ops.square(slope), axis=tuple(range(1, len(x.shape))))
