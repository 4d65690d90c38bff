"""StyleGAN (Karras et al. 2019, 2020), small: the game with styles, and what one can do with them."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from ..backend import ops, tf
from ..errors import SettingsError
from ..losses import r1_penalty
from .augment import check_policy, diff_augment
from .game import Draws, Game, Outcome, adversarial_loss
from .style_networks import Generator, discriminator


class StyleGAN(Game):
    """The game with styles.

    Non-saturating losses, R1 every ``every``-th step with ``every`` times its weight (Karras et al. 2020, section
    3.1), no path-length penalty (it costs a second pass, for smoother interpolation), DiffAugment.

    A batch is pictures ``[B, size, size, 3]`` in 0..1.

    Args:
        size, latent, width, mapping_layers, dtype: see :class:`Generator`.
        r1: weight γ of ``losses.r1_penalty``: Karras et al. (2019, appendix C) have 10 for pictures of -1..1, which is
            2.5 for pictures of 0..1.
        every: steps between two R1 penalties; theirs is 16. At 64 px R1 is cheap, and the spikes are lower.
        mixing: share of the pictures with two styles, the second from a random layer on (Karras et al. 2019, section
            3.1: 0.9).
        loss: one of ``losses.ADVERSARIAL_LOSSES``.
        augment: names of the changes of DiffAugment.
        average, seed: see :class:`Game`.
    """

    def __init__(
        self,
        size: int = 64,
        *,
        latent: int = 128,
        width: int = 16,
        mapping_layers: int = 4,
        r1: float = 2.5,
        every: int = 4,
        mixing: float = 0.9,
        loss: str = "non_saturating",
        augment: Sequence[str] = ("color", "translation", "cutout"),
        average: float = 0.999,
        seed: int = 0,
        dtype: str | None = None,
    ):
        make = partial(Generator, size, latent=latent, width=width, mapping_layers=mapping_layers, dtype=dtype)
        judge = discriminator(size, width=width, dtype=dtype)
        super().__init__(make(), judge, make(), average=average, parts=("real", "fake", "slope"), seed=seed)
        self.size, self.policy, self.loss_pair = size, check_policy(augment), adversarial_loss(loss)
        self.r1, self.every, self.mixing = r1, every, mixing

    def outcome(self, batch: Any, draws: Draws) -> Outcome:
        """Both players' losses: ``real`` and ``fake`` are the mean logits.

        ``slope`` is ``every`` times R1, without its weight, in every ``every``-th step and else 0: its mean is R1.
        """
        count = tf.shape(batch)[0]
        styles = self.mixed(count, draws)
        fake = self.generator(styles, noise(self.generator.sides, count, draws))
        seed = draws.seed()

        def critic(pictures: Any) -> Any:
            return self.discriminator(diff_augment(pictures, seed, self.policy))

        real_logits, fake_logits = critic(batch), critic(fake)
        slope = tf.cond(
            tf.equal(self.step % self.every, 0), lambda: self.every * r1_penalty(critic, batch), lambda: tf.zeros(())
        )
        judged = self.loss_pair.discriminator(real_logits, fake_logits) + self.r1 * slope
        means = {"real": ops.mean(real_logits), "fake": ops.mean(fake_logits), "slope": slope}
        return Outcome(self.loss_pair.generator(fake_logits), judged, means)

    def mixed(self, count: Any, draws: Draws) -> Any:
        """Styles ``[count, layers, latent]`` of new noise: of two, the second from a random layer on."""
        generator, layers = self.generator, len(self.generator.sides)
        first, second = (generator.styles(draws.normal((count, generator.latent))) for _ in range(2))
        # Karras et al. (2019): the mean w̄ follows with 0.995.
        mean = tf.stop_gradient(ops.mean(first[:, 0], 0))
        generator.mean_style.assign(0.995 * generator.mean_style + 0.005 * mean)
        cut = 1 + draws.integers((count, 1, 1), layers - 1)
        cut = tf.where(draws.uniform((count, 1, 1)) < self.mixing, cut, layers)
        return tf.where(tf.range(layers)[None, :, None] < cut, first, second)

    def sample(
        self, count: int, *, seed: int = 0, truncation: float = 1.0, network: Generator | None = None
    ) -> np.ndarray:
        """Pictures ``[count, size, size, 3]`` in 0..1 of the averaged generator; the same seed, the same noise.

        Raises:
            SettingsError: fewer than 1.
        """
        if count < 1:
            raise SettingsError(f"At least 1 picture can be drawn, not {count}.")
        network = network or self.sampler
        latents = np.random.default_rng(seed).normal(size=(count, network.latent)).astype("float32")
        return synthesize(network, network.styles(latents, truncation), seed)


def noise(sides: Sequence[int], count: Any, draws: Draws) -> list[Any]:
    """Noise ``[count, side, side, 1]`` for each layer."""
    return [draws.normal((count, side, side, 1)) for side in sides]


def synthesize(network: Generator, styles: Any, seed: int = 0) -> np.ndarray:
    """Pictures ``[B, size, size, 3]`` in 0..1 of styles ``[B, layers, latent]``, all with the same noise.

    So a difference between two of them is one of their styles. For a mixing table give styles whose first layers are of
    one picture and whose others are of another.
    """
    fixed = noise(network.sides, 1, Draws(seed, 0))
    pictures = []
    for some in np.array_split(np.asarray(styles), max(1, -(-len(styles) // 64))):
        pictures.append(network(some, [ops.tile(each, (len(some), 1, 1, 1)) for each in fixed]))
    return np.clip(np.concatenate(pictures), 0, 1)
