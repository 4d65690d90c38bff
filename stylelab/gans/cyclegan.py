"""CycleGAN (Zhu et al. 2017): from one kind of picture to another and back, without pairs."""

from functools import partial
from typing import Any

import numpy as np

from ..backend import keras, ops, tf
from ..errors import ImageError, SettingsError
from ..layers import ReflectedConv2D
from ..training import layer_policy
from .augment import check_policy, diff_augment
from .game import Draws, Game, Outcome, adversarial_loss
from .networks import as_pictures, doubled, instance_normalization, patch_discriminator, small_normal
from .pix2pix import translated


def residual_generator(*, width: int = 64, blocks: int = 6, dtype: str | None = None) -> keras.Model:
    """Halved twice, residual blocks, doubled twice; all borders mirrored, instance normalization everywhere.

    Zhu et al. (2017, appendix 7.2): ``c7s1-64, d128, d256, R256 x 6 (9 from 256 px on), u128, u64, c7s1-3``. Their
    fractionally-strided convolutions are resize-convolutions here.

    Args:
        width: channels at full size; theirs is 64.
        blocks: residual blocks.
        dtype: policy of the layers; None for the fastest on this machine.
    Returns:
        A Keras model from ``[B, H, W, 3]`` in 0..1, sides in multiples of 4 from 16 on, to float32 of the same shape.
    """
    dtype = dtype or layer_policy()

    def level(x: Any, filters: int, kernel: int, stride: int = 1, active: bool = True) -> Any:
        x = ReflectedConv2D(
            filters, kernel, strides=stride, use_bias=False, kernel_initializer=small_normal(), dtype=dtype
        )(x)
        x = instance_normalization(dtype=dtype)(x)
        return ops.relu(x) if active else x

    pictures = keras.Input((None, None, 3), dtype="float32")
    x = level(pictures * 2 - 1, width, 7)
    x = level(level(x, 2 * width, 3, 2), 4 * width, 3, 2)
    for _ in range(blocks):
        x = x + level(level(x, 4 * width, 3), 4 * width, 3, active=False)
    for filters in (2 * width, width):
        x = level(doubled(x, dtype), filters, 3)
    x = ReflectedConv2D(3, 7, kernel_initializer=small_normal(), dtype=dtype)(x)
    return keras.Model(pictures, as_pictures(x), name="resnet")


class Both(keras.Model):
    """Two networks as one player: ``forth`` from the first kind to the second, ``back``; or the two judges."""

    def __init__(self, forth: Any, back: Any):
        super().__init__(autocast=False)
        self.forth, self.back = forth, back
        self.built = True

    def call(self, pictures: Any) -> Any:
        """There and back again."""
        return self.back(self.forth(pictures))


class Pool(tf.Module):
    """The last generated pictures, from which the discriminator is shown some again.

    Shrivastava et al. (2017, section 2.3); Zhu et al. (2017, section 4): 50 pictures. While there is room, each new
    picture is kept and shown. After that each, with a chance of a half, is exchanged for one of the pool, which is
    shown; of those that were there before the batch.

    Args:
        capacity: pictures; 0 always shows the new ones.
        size: their side in pixels.
    """

    def __init__(self, capacity: int, size: int):
        super().__init__()
        self.capacity = capacity
        self.pictures = tf.Variable(tf.zeros((max(capacity, 1), size, size, 3)), trainable=False, name="pool")
        self.held = tf.Variable(0, dtype="int32", trainable=False, name="held")

    def exchange(self, pictures: Any, draws: Draws) -> Any:
        """As many pictures as are given, ``[B, size, size, 3]``, new ones or older ones."""
        if not self.capacity:
            return pictures
        count = tf.shape(pictures)[0]
        kept_before = tf.minimum(self.capacity - self.held, count)
        position = tf.range(count)
        filling = position < kept_before
        # A place each: no two pictures of a batch take the same one. Places that are not filled yet come last.
        unfilled = tf.range(self.capacity) >= self.held
        order = tf.argsort(tf.where(unfilled, 2.0, draws.uniform((self.capacity,))))
        chosen = tf.maximum(position - kept_before, 0)
        places = tf.where(filling, self.held + position, tf.gather(order, chosen % self.capacity))
        swapped = ~filling & (draws.uniform((count,)) < 0.5) & (chosen < self.held)
        shown = tf.where(swapped[:, None, None, None], tf.gather(self.pictures, places), pictures)
        entering = tf.where(filling | swapped)[:, 0]
        self.pictures.scatter_nd_update(tf.gather(places, entering)[:, None], tf.gather(pictures, entering))
        self.held.assign_add(kept_before)
        return shown


class CycleGAN(Game):
    """The game without pairs: two generators that undo one another, and a judge for each kind.

    ``L = L_A(G, D_Y) + L_A(F, D_X) + cycle · E(|F(G(x)) - x| + |G(F(y)) - y|) + cycle · identity · E(|G(y) - y| +
    |F(x) - x|)`` (Zhu et al. 2017, eq. 3 and section 5.2), with least squares and the judges' objectives halved
    (their section 4 and appendix 7.1). Our least squares have the ½ of Mao et al. (2017), theirs have not: the other
    terms weigh twice as much against L_A as in theirs.

    A batch is ``x, y``: pictures of the two kinds that need not have anything to do with one another.

    Args:
        size: side in pixels, for the pool.
        width, blocks, dtype: see :func:`residual_generator`.
        levels: of the PatchGANs.
        loss: one of ``losses.ADVERSARIAL_LOSSES``; theirs is "least_squares".
        cycle: λ = 10 of their eq. 3, for pictures of -1..1: twice that for the same differences of 0..1.
        identity: 0.5 of λ in their section 5.2; 0 leaves the term out, and two of six passes with it.
        pool: pictures in each replay pool; theirs 50, 0 for none.
        augment: names of the changes of DiffAugment, before the judges.
        average, seed: see :class:`Game`.
    """

    def __init__(
        self,
        size: int = 64,
        *,
        width: int = 64,
        blocks: int = 6,
        levels: int = 2,
        loss: str = "least_squares",
        cycle: float = 20.0,
        identity: float = 0.5,
        pool: int = 50,
        augment: tuple[str, ...] = (),
        average: float = 0.999,
        seed: int = 0,
        dtype: str | None = None,
    ):
        make = partial(residual_generator, width=width, blocks=blocks, dtype=dtype)
        judge = partial(patch_discriminator, width=width, levels=levels, dtype=dtype or layer_policy())
        parts = ("adversarial", "cycle", "identity")
        generators, samplers = Both(make(), make()), Both(make(), make())
        super().__init__(generators, Both(judge(), judge()), samplers, average=average, parts=parts, seed=seed)
        self.size, self.policy = size, check_policy(augment)
        self.loss_pair, self.cycle, self.identity = adversarial_loss(loss), cycle, identity
        # Each by itself: tf.train.Checkpoint does not look into Keras's lists.
        self.forth_pool, self.back_pool = Pool(pool, size), Pool(pool, size)

    def holds(self) -> tuple[str, ...]:
        """Pictures of the two kinds."""
        return ("pictures", "pictures")

    def outcome(self, batch: Any, draws: Draws) -> Outcome:
        """Both players' losses, and the generators' terms without their weights."""
        first, second = batch
        forth, back = self.generator.forth, self.generator.back
        painted = {"second": forth(first, training=True), "first": back(second, training=True)}
        again = ops.mean(ops.abs(back(painted["second"], training=True) - first)) + ops.mean(
            ops.abs(forth(painted["first"], training=True) - second)
        )
        same = ops.zeros(())
        if self.identity:
            same = ops.mean(ops.abs(forth(second, training=True) - second)) + ops.mean(
                ops.abs(back(first, training=True) - first)
            )
        fooled, judged = ops.zeros(()), ops.zeros(())
        judges = (
            (self.discriminator.forth, painted["second"], second),
            (self.discriminator.back, painted["first"], first),
        )
        for (judge, fake, real), pool in zip(judges, (self.forth_pool, self.back_pool), strict=True):
            seed = draws.seed()
            fooled += self.loss_pair.generator(judge(diff_augment(fake, seed, self.policy), training=True))
            shown = pool.exchange(tf.stop_gradient(fake), draws)
            logits = [judge(diff_augment(pictures, seed, self.policy), training=True) for pictures in (real, shown)]
            judged += self.loss_pair.discriminator(*logits) / 2
        total = fooled + self.cycle * again + self.cycle * self.identity * same
        return Outcome(total, judged, {"adversarial": fooled, "cycle": again, "identity": same})

    def translate(self, pictures: Any, *, back: bool = False, networks: Any = None) -> np.ndarray:
        """What the averaged generators make of pictures ``[B, H, W, 3]`` in 0..1.

        Args:
            back: from the second kind to the first.
            networks: other generators, such as ``self.generator``.
        Raises:
            ImageError: no batch of pictures, or sides that are no multiples of 4 from 16 on.
        """
        sides = np.shape(pictures)[1:3]
        if any(side < 16 or side % 4 for side in sides):
            raise ImageError(f"A CycleGAN needs sides in multiples of 4 from 16 on, not {sides[-1]}x{sides[0]} px.")
        networks = networks or self.sampler
        return translated(networks.back if back else networks.forth, pictures)


@keras.saving.register_keras_serializable("stylelab")
class LinearDecay(keras.optimizers.schedules.LearningRateSchedule):
    """The rate for the first half of the steps, then a straight line to 0 (Zhu et al. 2017, section 4).

    Args:
        rate: of the first half; theirs is 2e-4.
        steps: of the whole training.
    """

    def __init__(self, rate: float, steps: int):
        super().__init__()
        if steps < 1 or rate <= 0:
            raise SettingsError(f"A decay needs a positive rate and at least 1 step, not {rate} and {steps}.")
        self.rate, self.steps = rate, steps

    def __call__(self, step: Any) -> Any:
        """The rate at a step."""
        done = ops.cast(step, "float32") / self.steps
        return self.rate * ops.clip(2 - 2 * done, 0.0, 1.0)

    def get_config(self) -> dict[str, Any]:
        """Both arguments."""
        return {"rate": self.rate, "steps": self.steps}
