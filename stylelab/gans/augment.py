"""DiffAugment (Zhao et al. 2020): the discriminator sees pictures only through random, differentiable changes.

With few pictures a discriminator learns them by heart, and the generator no longer gets anything to learn from.
Augmenting only the real ones teaches the generator the augmentation. So real and generated pictures go through the same
changes, in the discriminator's step and in the generator's, whose gradient passes back through them (their
section 3.2, eq. 4 and 5).
"""

from collections.abc import Callable, Sequence
from typing import Any

from ..backend import ops, tf
from ..errors import SettingsError

GROUND = 0.5  # theirs is 0 in pictures of -1..1


def color(images: Any, seed: Any) -> Any:
    """Brightness, saturation and contrast of each picture: their ``color``.

    Adds U(-0.25, 0.25) (theirs: U(-0.5, 0.5) of twice our range), scales the distance from each pixel's gray by
    U(0, 2) and that from the picture's mean by U(0.5, 1.5).

    Args:
        images: ``[B, H, W, 3]`` around 0..1, float32.
        seed: two integers, as TensorFlow's stateless functions take them.
    Returns:
        As the input; not clipped, which would stop the gradient.
    """
    draws = tf.random.stateless_uniform((3, tf.shape(images)[0], 1, 1, 1), seed)
    images = images + 0.5 * draws[0] - 0.25
    gray = ops.mean(images, -1, keepdims=True)
    images = gray + 2 * draws[1] * (images - gray)
    middle = ops.mean(images, (1, 2, 3), keepdims=True)
    return middle + (0.5 + draws[2]) * (images - middle)


def translation(images: Any, seed: Any, share: float = 0.125) -> Any:
    """Each picture moved by up to ``share`` of its sides; what comes in from outside is gray. Arguments as above."""
    batch, height, width = (tf.shape(images)[axis] for axis in range(3))
    far = [tf.cast(tf.round(share * tf.cast(side, "float32")), "int32") for side in (height, width)]
    axis_seeds = tf.random.split(seed, 2)
    down, right = (
        tf.random.stateless_uniform((batch, 1), axis_seeds[k], -far[k], far[k] + 1, "int32") for k in range(2)
    )
    # One row and one column of ground around the picture; positions outside point to them.
    ground = tf.pad(images, [(0, 0), (1, 1), (1, 1), (0, 0)], constant_values=GROUND)
    rows = tf.clip_by_value(tf.range(height)[None] + 1 + down, 0, height + 1)
    columns = tf.clip_by_value(tf.range(width)[None] + 1 + right, 0, width + 1)
    return tf.gather(tf.gather(ground, rows, axis=1, batch_dims=1), columns, axis=2, batch_dims=1)


def cutout(images: Any, seed: Any, share: float = 0.5) -> Any:
    """A gray rectangle of ``share`` of the sides somewhere in each picture, partly outside at times."""
    batch, height, width = (tf.shape(images)[axis] for axis in range(3))
    axis_seeds = tf.random.split(seed, 2)

    def inside(side: Any, axis_seed: Any) -> Any:
        half = tf.cast(side, "float32") * share / 2
        middle = tf.random.stateless_uniform((batch, 1), axis_seed) * tf.cast(side, "float32")
        return tf.abs(tf.range(tf.cast(side, "float32"))[None] + 0.5 - middle) < half

    hole = inside(height, axis_seeds[0])[:, :, None] & inside(width, axis_seeds[1])[:, None]
    return tf.where(hole[..., None], GROUND, images)


CHANGES: dict[str, Callable[[Any, Any], Any]] = {"color": color, "translation": translation, "cutout": cutout}


def check_policy(policy: Sequence[str]) -> tuple[str, ...]:
    """The names of the changes.

    Raises:
        SettingsError: one that is not known.
    """
    unknown = [name for name in policy if name not in CHANGES]
    if unknown:
        raise SettingsError(f"DiffAugment has no change {unknown[0]!r}; choose from {', '.join(CHANGES)}.")
    return tuple(policy)


def diff_augment(images: Any, seed: Any, policy: Sequence[str] = tuple(CHANGES)) -> Any:
    """The pictures changed at random; differentiable, and for one seed always the same change.

    Args:
        images: ``[B, H, W, 3]`` around 0..1, float32.
        seed: two integers; give real and generated pictures the same, and picture i of both is changed alike.
        policy: names of ``CHANGES``, in order; with hundreds of pictures all three, their section 4.4. Empty: none.
    """
    for name, part in zip(policy, tf.unstack(tf.random.split(seed, max(len(policy), 1))), strict=False):
        images = CHANGES[name](images, part)
    return images
