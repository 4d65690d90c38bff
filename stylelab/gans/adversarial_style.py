"""Style transfer as the project's article describes it: frozen features in, a picture out, and a judge of style.

VGG16's features h of the photo and k of the painting, both frozen, go into a generator; a PatchGAN discriminator is
shown its pictures and pieces of the painter's own, and judges whether a picture has the style. The generator minimizes

    L_G = λ1 L_S(G(h, k), painting) + λ2 L_C(G(h, k), photo) + λ3 L_A(D(G(h, k)))

each term with its own target, the discriminator the usual loss of real against painted. So it needs no Gram matrix to
know what a brush stroke looks like; and it is one network for one painter.
"""

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from .. import datasets, images, samples
from ..adain import AdaIN, Decoder, generate, style_moments
from ..backend import ops, tf
from ..errors import SettingsError, WeightsError
from ..features import shared_extractor
from ..learning import network_objective
from ..stylizers import Style
from ..training import layer_policy
from .augment import check_policy, diff_augment
from .game import Draws, Game, Outcome, adversarial_loss
from .networks import patch_discriminator


class AdversarialLearner(Game):
    """The game of photos and one painter.

    The generator is :class:`stylelab.adain.Decoder`: h are the photo's features at three layers, k the mean and the
    deviation of the painting's channels at four, which is what of a painting does not depend on where things stand.

    A batch is photos ``[B, S, S, 3]`` and pieces of paintings ``[B, T, T, 3]``: the pieces give k, the targets of
    the style loss, and the discriminator's real pictures.

    Args:
        decoder: the generator to begin with; None for a new one. The one that ships knows what pictures look like,
            and only has to learn the painter: the article's transfer learning.
        adversarial_weight: λ3.
        loss: one of ``losses.ADVERSARIAL_LOSSES``; the hinge with spectral normalization (Miyato et al. 2018) needs no
            penalty, whose second derivatives would cost as much as the rest.
        width, levels: of the PatchGAN; two levels see 34 px, a few brush strokes.
        augment: names of the changes of DiffAugment: the painter's pieces are few.
        average, seed: see :class:`Game`.
        weights: ``style_weight`` λ1, ``content_weight`` λ2, and the others of
            :func:`stylelab.learning.network_objective`.
    """

    def __init__(
        self,
        decoder: Decoder | None = None,
        *,
        adversarial_weight: float = 1.0,
        loss: str = "hinge",
        width: int = 32,
        levels: int = 2,
        augment: Sequence[str] = ("translation", "cutout"),
        average: float = 0.99,
        seed: int = 0,
        **weights: float,
    ):
        policy = layer_policy()
        judge = patch_discriminator(width=width, levels=levels, spectral=True, dtype=policy)
        parts = ("style", "content", "adversarial", "real", "fake")
        generator = decoder or Decoder(dtype=policy)
        super().__init__(generator, judge, Decoder(dtype=policy), average=average, parts=parts, seed=seed)
        self.adversarial_weight, self.policy = adversarial_weight, check_policy(augment)
        self.loss_pair = adversarial_loss(loss)
        self.objective = network_objective(**weights)

    def holds(self) -> tuple[str, ...]:
        """Photos and pieces."""
        return ("pictures", "pictures")

    def outcome(self, batch: Any, draws: Draws) -> Outcome:
        """Both players' losses; ``style``, ``content`` and ``adversarial`` are L_S, L_C and L_A without weights."""
        photos, pieces = batch
        objective = self.objective
        h, k = objective.extractor(photos), objective.extractor(pieces)
        painted = generate(self.generator, h, style_moments(k))
        content = {name: h[name] for name in objective.content_layers}
        terms = objective(painted, content, [objective.statistics(k)])
        parts = {"style": terms.style, "content": terms.content}
        zero = ops.zeros(())
        if not self.adversarial_weight:
            return Outcome(terms.total, zero, {**parts, "adversarial": zero, "real": zero, "fake": zero})
        seed = draws.seed()

        def judged(pictures: Any) -> Any:
            return self.discriminator(diff_augment(pictures, seed, self.policy), training=True)

        real, fake = judged(pieces), judged(painted)
        adversarial = self.loss_pair.generator(fake)
        parts |= {"adversarial": adversarial, "real": ops.mean(real), "fake": ops.mean(fake)}
        total = terms.total + self.adversarial_weight * adversarial
        return Outcome(total, self.loss_pair.discriminator(real, fake), parts)


def pieces(
    photos: Sequence[Path],
    paintings: Sequence[Path],
    size: int,
    batch: int,
    *,
    zoom: float = 2.0,
    seed: int = 0,
    first: int = 0,
) -> Any:
    """Endless batches for the learner: crops of photos, and of paintings at scales from the whole short side on.

    Args:
        photos, paintings: picture files.
        size: side of both crops in pixels, a multiple of 8.
        zoom: the largest scale of a painting, whose short side then measures ``zoom * size`` px.
    Raises:
        SettingsError: another size, or no files.
    """
    if size < 16 or size % 8:
        raise SettingsError(f"The crops' side must be a multiple of 8 from 16 px on, not {size}.")
    if not photos or not paintings:
        raise SettingsError(f"{'Paintings' if photos else 'Photos'} are missing: give at least one file of each kind.")
    stream = partial(datasets.stream, size=size, batch=batch, first=first)
    return tf.data.Dataset.zip((stream(photos, seed=seed), stream(paintings, seed=seed + 1, zoom=zoom)))


class AdversarialStyle(AdaIN):
    """The painter's network as a method like the others: one pass, for the paintings that it was trained on.

    Args:
        weights: a decoder's ``.weights.h5`` file with a ``.json`` of the same name that lists its ``styles``; None for
            the one that ships.
    """

    def __init__(self, weights: str | Path | None = None):
        file = Path(weights or samples.weights("adversarial_style"))
        listing = file.with_name(file.name.removesuffix(".weights.h5") + ".json")
        try:
            self.styles: Sequence[str] = json.loads(listing.read_text(encoding="utf-8"))["styles"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise WeightsError(f"{listing}, which names the styles of {file.name}, cannot be used: {error}.") from error
        super().__init__(file)

    def _resolve(self, style: Any) -> Style:
        style = super()._resolve(style)
        unknown = [name or style.name for name in style.names if name not in self.styles]
        if unknown:
            raise SettingsError(
                f"This network was trained for {', '.join(self.styles)}, not for {unknown[0]!r}; "
                f"choose one of these, or the method 'any'."
            )
        return style


def contact(decoder: Any, photos: Sequence[np.ndarray], painting: np.ndarray) -> np.ndarray:
    """Photos ``[H, W, 3]``, sides in multiples of 8, painted by a decoder in training: ``[B, H, W, 3]`` in 0..1."""
    extractor = shared_extractor(pooling="average")
    k = style_moments(extractor(images.check(painting)[None]))
    return np.clip(np.concatenate([generate(decoder, extractor(photo[None]), k) for photo in photos]), 0, 1)
