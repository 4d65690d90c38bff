"""One network, many styles, one pass: what optimization finds for one photo, learned for all of them.

Parts load when they are asked for: a converted network (:mod:`stylelab.engines`) styles a photo without TensorFlow,
whose import alone takes longer than that.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .description import Architecture
    from .learn import Learner
    from .network import StyleNetwork
    from .stylizer import FeedForward

__all__ = ["Architecture", "FeedForward", "Learner", "StyleNetwork", "load"]
_HOMES = {"Architecture": "description", "FeedForward": "stylizer", "Learner": "learn", "StyleNetwork": "network"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)


def load(engine: str = "auto") -> "FeedForward":
    """The stylizer that ships: all shipped paintings in one network.

    Args:
        engine: what computes it, see :mod:`stylelab.engines`.
    Raises:
        WeightsError: its weights are missing or damaged.
    """
    from .stylizer import FeedForward

    return FeedForward(engine=engine)
