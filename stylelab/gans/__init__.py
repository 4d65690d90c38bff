"""Generative adversarial networks: the game, and what style transfer makes of it.

One module a model, each a ``keras.Model`` whose ``train_step`` moves both players: ``game`` has what they share,
``networks`` and ``style_networks`` the parts, ``augment`` DiffAugment.
"""

from .adversarial_style import AdversarialLearner, AdversarialStyle
from .augment import diff_augment
from .cyclegan import CycleGAN, LinearDecay, Pool
from .dcgan import DCGAN
from .game import Draws, Game, Outcome, adam
from .networks import patch_discriminator, receptive_field
from .pix2pix import Pix2Pix, unet
from .stylegan import StyleGAN

__all__ = [
    "DCGAN",
    "AdversarialLearner",
    "AdversarialStyle",
    "CycleGAN",
    "Draws",
    "Game",
    "LinearDecay",
    "Outcome",
    "Pix2Pix",
    "Pool",
    "StyleGAN",
    "adam",
    "diff_augment",
    "patch_discriminator",
    "receptive_field",
    "unet",
]
