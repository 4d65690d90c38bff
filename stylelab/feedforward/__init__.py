"""One network, many styles, one pass: what optimization finds for one photo, learned for all of them."""

from .learn import Learner
from .network import Architecture, StyleNetwork
from .stylizer import FeedForward

__all__ = ["Architecture", "FeedForward", "Learner", "StyleNetwork", "load"]


def load() -> FeedForward:
    """The stylizer that ships: all shipped paintings in one network.

    Raises:
        WeightsError: its weights are missing or damaged.
    """
    return FeedForward()
