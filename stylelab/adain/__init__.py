"""Any picture as the style, in one pass: adaptive instance normalization (Huang and Belongie 2017)."""

from .learn import Learner
from .network import Decoder, adain, generate, style_moments
from .stylizer import AdaIN

__all__ = ["AdaIN", "Decoder", "Learner", "adain", "generate", "load", "style_moments"]


def load() -> AdaIN:
    """The stylizer that ships.

    Raises:
        WeightsError: the decoder's weights are missing or damaged.
    """
    return AdaIN()
