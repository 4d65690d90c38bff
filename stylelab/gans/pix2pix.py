"""pix2pix (Isola et al. 2017): a picture of one kind to the same picture of another, learned from pairs."""

from functools import partial
from typing import Any

import numpy as np

from ..backend import keras, ops
from ..errors import ImageError, SettingsError
from ..training import layer_policy
from .augment import check_policy, diff_augment
from .game import Draws, Game, Outcome, adversarial_loss
from .networks import (
    as_pictures,
    convolution,
    doubled,
    instance_normalization,
    leaky,
    patch_discriminator,
)


def unet(size: int = 64, *, width: int = 64, dtype: str | None = None) -> keras.Model:
    """A U-Net: halved down to 2 x 2, doubled up again, with what each size was on the way down beside it.

    Isola et al. (2017, appendix 6.1.1): convolutions 4 x 4 of stride 2 with LeakyReLU, channels doubling up to 8 times
    ``width`` (theirs 64), no normalization in the first, tanh at the end. Departures: their transposed convolutions are
    resize-convolutions 3 x 3; batch normalization is instance normalization, which is what theirs is at their batch of
    one; no dropout, which was to be the noise and, as they write in section 3.1, changed the pictures little; a
    convolution 3 x 3 at full size and its skip, without which no line of one pixel of the input can be kept.

    Args:
        size: side in pixels, a power of two from 16 on.
        width: channels of the first convolution.
        dtype: policy of the layers; None for the fastest on this machine.
    Returns:
        A Keras model from ``[B, size, size, 3]`` in 0..1 to float32 of the same shape and range.
    Raises:
        SettingsError: another size.
    """
    if size < 16 or size & (size - 1):
        raise SettingsError(f"A U-Net halves its pictures down to 2 px: give a power of two from 16 on, not {size} px.")
    dtype = dtype or layer_policy()
    levels = size.bit_length() - 2
    pictures = keras.Input((size, size, 3), dtype="float32")
    x = convolution(width, 3, bias=False, dtype=dtype)(pictures * 2 - 1)
    beside = []
    for level in range(levels):
        beside.append(x)
        x = convolution(width * min(2**level, 8), 4, 2, bias=False, dtype=dtype)(leaky(x))
        # At 2 x 2 px instance normalization would leave four numbers of fixed mean and spread.
        if 0 < level < levels - 1:
            x = instance_normalization(dtype=dtype)(x)
    for level in reversed(range(levels)):
        channels = beside[level].shape[-1]
        x = convolution(channels, 3, bias=False, dtype=dtype)(doubled(ops.relu(x), dtype))
        x = ops.concatenate([instance_normalization(dtype=dtype)(x), beside[level]], -1)
    return keras.Model(pictures, as_pictures(convolution(3, 3, dtype=dtype)(ops.relu(x))), name="unet")


class Pix2Pix(Game):
    """The game of pairs: the pixels are to be near the target, and the discriminator is not to tell it from real ones.

    ``L_G = adversarial_weight · L_A + l1_weight · E|y - G(x)|₁`` (Isola et al. 2017, eq. 4, λ = 100), the adversarial
    loss non-saturating and, as theirs (section 3.3), the discriminator's objective halved.

    A batch is ``x, y``: inputs and targets, ``[B, size, size, 3]`` each.

    Args:
        size, width, dtype: see :func:`unet`.
        levels: of the PatchGAN, see :func:`networks.patch_discriminator`: 1, 2, 3 for patches of 16, 34, 70 px.
        loss: one of ``losses.ADVERSARIAL_LOSSES``.
        conditional: whether the discriminator sees the input beside the picture, as theirs; without it ("L1+GAN" in
            their table 1) it cannot hold against a pair that the two do not lie on one another.
        adversarial_weight, l1_weight: 0 leaves a term out; without the adversarial one no discriminator is run.
            Theirs is for pictures of -1..1: in 0..1 a difference is half as large.
        augment: names of the changes of DiffAugment, the same for both pictures of a pair.
        average, seed: see :class:`Game`.
    """

    def __init__(
        self,
        size: int = 64,
        *,
        width: int = 64,
        levels: int = 2,
        loss: str = "non_saturating",
        conditional: bool = True,
        adversarial_weight: float = 1.0,
        l1_weight: float = 200.0,
        augment: tuple[str, ...] = (),
        average: float = 0.999,
        seed: int = 0,
        dtype: str | None = None,
    ):
        make = partial(unet, size, width=width, dtype=dtype)
        channels = 6 if conditional else 3
        judge = patch_discriminator(channels, width=width, levels=levels, dtype=dtype or layer_policy())
        super().__init__(make(), judge, make(), average=average, parts=("l1", "adversarial"), seed=seed)
        self.size, self.policy, self.conditional = size, check_policy(augment), conditional
        self.loss_pair, self.adversarial_weight, self.l1_weight = adversarial_loss(loss), adversarial_weight, l1_weight

    def holds(self) -> tuple[str, ...]:
        """Inputs and targets."""
        return ("pictures", "pictures")

    def outcome(self, batch: Any, draws: Draws) -> Outcome:
        """Both players' losses: ``l1`` and ``adversarial`` are the generator's terms without their weights."""
        inputs, targets = batch
        painted = self.generator(inputs, training=True)
        l1 = ops.mean(ops.abs(painted - targets))
        if not self.adversarial_weight:
            zero = ops.zeros(())
            return Outcome(self.l1_weight * l1, zero, {"l1": l1, "adversarial": zero})
        seed = draws.seed()

        def judged(pictures: Any) -> Any:
            shown = (inputs, pictures) if self.conditional else (pictures,)
            views = [diff_augment(part, seed, self.policy) for part in shown]
            return self.discriminator(ops.concatenate(views, -1), training=True)

        fake_logits = judged(painted)
        adversarial = self.loss_pair.generator(fake_logits)
        return Outcome(
            self.adversarial_weight * adversarial + self.l1_weight * l1,
            self.loss_pair.discriminator(judged(targets), fake_logits) / 2,
            {"l1": l1, "adversarial": adversarial},
        )

    def translate(self, pictures: Any, *, network: Any = None) -> np.ndarray:
        """What the averaged generator makes of pictures ``[B, size, size, 3]`` in 0..1."""
        return translated(network or self.sampler, pictures, self.size)


def translated(network: Any, pictures: Any, size: int | None = None) -> np.ndarray:
    """A network's pictures of pictures, in batches.

    Raises:
        ImageError: no batch of pictures, or of another size than the network is for.
    """
    pictures = np.asarray(pictures, "float32")
    if pictures.ndim != 4 or pictures.shape[-1] != 3 or not len(pictures) or not np.isfinite(pictures).all():
        raise ImageError(f"Translating needs finite pictures [B, H, W, 3], not an array of shape {pictures.shape}.")
    if size and pictures.shape[1:3] != (size, size):
        raise ImageError(f"This network was built for {size} px, not for {pictures.shape[2]}x{pictures.shape[1]}.")
    return network.predict(pictures, batch_size=32, verbose=0)
