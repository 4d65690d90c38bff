"""DCGAN (Radford et al. 2016): from noise to a small picture, and the game in its plainest form."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from ..backend import keras, ops, tf
from ..errors import SettingsError
from ..losses import AdversarialLoss, gradient_penalty, r1_penalty
from ..losses.adversarial import cross_entropy_discriminator
from ..training import layer_policy
from .augment import check_policy, diff_augment
from .game import Draws, Game, Outcome, adversarial_loss
from .networks import SpectralNormalization, as_pictures, convolution, doubled, leaky, small_normal


def _start_side(size: int) -> tuple[int, int]:
    """The side of the first feature map and the number of doublings up to ``size``: 28 is 7 doubled twice."""
    side, doublings = size, 0
    while side % 2 == 0 and side > 8:
        side, doublings = side // 2, doublings + 1
    if side > 8 or not doublings:
        raise SettingsError(f"A DCGAN paints sizes like 28, 32, 48 or 64 px, 4 to 8 px doubled, not {size} px.")
    return side, doublings


def generator(
    size: int = 28, *, latent: int = 100, width: int = 32, classes: int = 0, dtype: str | None = None
) -> keras.Model:
    """From noise to pictures: a dense layer, then doublings with a convolution, halving the channels.

    Radford et al. (2016, section 3 and figure 1): batch normalization and ReLU in all layers but the last, tanh there.
    Their fractionally-strided convolutions leave a checkerboard; ours are resize-convolutions, see
    :func:`stylelab.layers.enlarged`.

    Args:
        size: side of the pictures in pixels.
        latent: length of the noise vector; theirs is 100.
        width: channels at full size; theirs 128 before a last convolution to 64 px.
        classes: number of classes, of which an embedding is multiplied with the noise, as in the Keras example of
            Odena et al.'s (2017) ACGAN; 0 for none.
        dtype: policy of the layers; None for the fastest on this machine.
    Returns:
        A Keras model from noise ``[B, latent]``, or noise and labels ``[B]``, to float32 ``[B, size, size, 3]`` in
        0..1.
    """
    dtype = dtype or layer_policy()
    side, doublings = _start_side(size)
    noise = keras.Input((latent,), dtype="float32", name="noise")
    label = keras.Input((), dtype="int32", name="label")
    x = noise * keras.layers.Embedding(classes, latent, dtype="float32")(label) if classes else noise
    x = keras.layers.Dense(
        side * side * width * 2**doublings, use_bias=False, kernel_initializer=small_normal(), dtype=dtype
    )(x)
    x = keras.layers.Reshape((side, side, width * 2**doublings), dtype=dtype)(x)
    x = keras.layers.ReLU(dtype=dtype)(keras.layers.BatchNormalization(dtype=dtype, momentum=0.9)(x))
    for level in reversed(range(doublings)):
        x = doubled(x, dtype)
        x = convolution(width * 2**level, 3, bias=False, dtype=dtype)(x)
        x = keras.layers.ReLU(dtype=dtype)(keras.layers.BatchNormalization(dtype=dtype, momentum=0.9)(x))
    x = as_pictures(convolution(3, 3, dtype=dtype)(x))
    return keras.Model([noise, label] if classes else noise, x, name="generator")


def discriminator(
    size: int = 28, *, width: int = 32, classes: int = 0, spectral: bool = False, dtype: str | None = None
) -> keras.Model:
    """From pictures to a logit: convolutions of stride 2, doubling the channels, LeakyReLU of slope 0.2.

    Radford et al. (2016, section 3) with two departures: no batch normalization, since with it one picture's logit
    depends on the others and penalties on its gradient mean nothing (Gulrajani et al. 2017, section 4); and a class is
    judged by an inner product of its embedding with the last features (Miyato and Koyama 2018, eq. 4).

    Args:
        classes, spectral: see the class.
    Returns:
        A Keras model from ``[B, size, size, 3]`` in 0..1, or pictures and labels ``[B]``, to float32 ``[B, 1]``.
    """
    levels = _start_side(size)[1] + 1
    dtype = dtype or layer_policy()
    pictures = keras.Input((size, size, 3), dtype="float32", name="pictures")
    label = keras.Input((), dtype="int32", name="label")
    x = pictures * 2 - 1
    for level in range(levels):
        x = convolution(width * 2**level, 4, 2, spectral=spectral, dtype=dtype)(x)
        x = leaky(x)
    x = ops.cast(keras.layers.Flatten(dtype=dtype)(x), "float32")
    if spectral:
        logit = SpectralNormalization(keras.layers.Dense(1, use_bias=False, dtype="float32"), dtype="float32")(x)
    else:
        logit = keras.layers.Dense(1, kernel_initializer=small_normal(), dtype="float32")(x)
    if classes:
        kind = keras.layers.Embedding(classes, x.shape[-1], embeddings_initializer=small_normal(), dtype="float32")(
            label
        )
        logit = logit + ops.sum(x * kind, -1, keepdims=True)
    return keras.Model([pictures, label] if classes else pictures, logit, name="discriminator")


class DCGAN(Game):
    """The game of noise and pictures.

    Args:
        size, latent, width, classes, dtype: see :func:`generator`. With classes a batch is pictures and labels.
        loss: one of ``losses.ADVERSARIAL_LOSSES``.
        spectral: spectral normalization in the discriminator (Miyato et al. 2018).
        r1: weight of ``losses.r1_penalty`` (Mescheder et al. 2018 use 10 for pictures of -1..1; for pictures of 0..1,
            whose slopes are twice as large, that is 2.5); 0 for none.
        slope: weight of ``losses.gradient_penalty``; Gulrajani et al. (2017) use 10. None: 10 for "wasserstein", which
            means nothing without it, else 0.
        real_target: below 1 one-sided label smoothing (Salimans et al. 2016, section 3.4: 0.9). Only for the
            cross-entropy losses.
        augment: names of the changes of DiffAugment.
        average, seed: see :class:`Game`.
    Raises:
        SettingsError: a size, loss or change that is not known, or smoothing with another loss.
    """

    def __init__(
        self,
        size: int = 28,
        *,
        latent: int = 100,
        width: int = 32,
        classes: int = 0,
        loss: str = "non_saturating",
        spectral: bool = False,
        r1: float = 0.0,
        slope: float | None = None,
        real_target: float = 1.0,
        augment: Sequence[str] = (),
        average: float = 0.999,
        seed: int = 0,
        dtype: str | None = None,
    ):
        make = partial(generator, size, latent=latent, width=width, classes=classes, dtype=dtype)
        judge = discriminator(size, width=width, classes=classes, spectral=spectral, dtype=dtype)
        super().__init__(make(), judge, make(), average=average, parts=("real", "fake"), seed=seed)
        self.size, self.latent, self.classes = size, latent, classes
        self.policy, self.r1 = check_policy(augment), r1
        self.slope = (10.0 if loss == "wasserstein" else 0.0) if slope is None else slope
        self.loss_pair = _smoothed(loss, real_target)

    def holds(self) -> tuple[str, ...]:
        """Pictures, and labels if there are classes."""
        return ("pictures", "labels") if self.classes else ("pictures",)

    def outcome(self, batch: Any, draws: Draws) -> Outcome:
        """Both players' losses: ``real`` and ``fake`` are the mean logits."""
        real, labels = batch if self.classes else (batch, None)
        count = tf.shape(real)[0]
        given = () if labels is None else (labels,)
        fake = self.generator(_inputs(draws.normal((count, self.latent)), *given), training=True)
        seed = draws.seed()

        def critic(pictures: Any, training: bool = False) -> Any:
            return self.discriminator(_inputs(diff_augment(pictures, seed, self.policy), *given), training=training)

        real_logits, fake_logits = critic(real, True), critic(fake, True)
        judged = self.loss_pair.discriminator(real_logits, fake_logits)
        if self.r1:
            judged += self.r1 * r1_penalty(critic, real)
        if self.slope:
            judged += self.slope * gradient_penalty(critic, real, tf.stop_gradient(fake), draws.seed())
        means = {"real": ops.mean(real_logits), "fake": ops.mean(fake_logits)}
        return Outcome(self.loss_pair.generator(fake_logits), judged, means)

    def sample(self, count: int, *, labels: Any = None, seed: int = 0, network: Any = None) -> np.ndarray:
        """Pictures of the averaged generator.

        Args:
            count: how many.
            labels: ``[count]`` classes; None for all classes in turn. Only for a network with classes.
            seed: the same seed gives the same pictures, and over a training the same noise.
            network: another generator, such as ``self.generator``.
        Returns:
            ``[count, size, size, 3]`` in 0..1.
        Raises:
            SettingsError: no number of pictures, or labels that do not fit.
        """
        if count < 1:
            raise SettingsError(f"At least 1 picture can be drawn, not {count}.")
        noise = np.random.default_rng(seed).normal(size=(count, self.latent)).astype("float32")
        if labels is not None and (not self.classes or np.shape(labels) != (count,)):
            raise SettingsError(f"{count} pictures need {count} labels, and a network that was trained with classes.")
        if labels is not None and not ((np.asarray(labels) >= 0) & (np.asarray(labels) < self.classes)).all():
            raise SettingsError(f"The {self.classes} classes have the labels 0 to {self.classes - 1}: give no others.")
        given = (np.asarray(np.arange(count) % self.classes if labels is None else labels),) if self.classes else ()
        return (network or self.sampler).predict(_inputs(noise, *given), batch_size=256, verbose=0)


def _inputs(first: Any, *more: Any) -> Any:
    return [first, *more] if more else first


def _smoothed(loss: str, real_target: float) -> AdversarialLoss:
    pair = adversarial_loss(loss)
    if real_target == 1:
        return pair
    if pair.discriminator is not cross_entropy_discriminator or not 0.5 < real_target < 1:
        raise SettingsError(
            f"Label smoothing is for the losses with a cross entropy and targets from 0.5 to 1, not for {loss!r} "
            f"with {real_target}; take 'non_saturating' and 0.9."
        )
    return pair._replace(discriminator=partial(cross_entropy_discriminator, real_target=real_target))
