"""What every style transfer method shares: the style, the contract, and what is wrapped around any method.

A method is a :class:`Stylizer`. Keeping the photo's colors, a product's pixels or the photo's white are wrappers, so
every method has them. The command line, the catalog and the workbench know nothing else of a method.
"""

import importlib
import inspect
from typing import Any

from ..errors import SettingsError
from .contract import Style, Stylizer, check_settings, is_file
from .wrappers import KeepColor, KeepProduct, KeepWhite, Wrapper, coral

__all__ = [
    "KeepColor",
    "KeepProduct",
    "KeepWhite",
    "Style",
    "Stylizer",
    "Wrapper",
    "check_settings",
    "coral",
    "get",
    "is_file",
    "names",
]

# name: (module, class). A new method is one new module and one line here; modules load when they are asked for.
_METHODS = {
    "fast": ("stylelab.feedforward", "FeedForward"),
    "any": ("stylelab.adain", "AdaIN"),
    "adversarial": ("stylelab.gans.adversarial_style", "AdversarialStyle"),
    "optimize": ("stylelab.optimize", "Optimize"),
}


def names() -> list[str]:
    """The methods that :func:`get` knows."""
    return list(_METHODS)


def get(method: str, **settings: Any) -> Stylizer:
    """A method by name, with its own settings.

    Raises:
        SettingsError: an unknown method or setting.
    """
    if method not in _METHODS:
        raise SettingsError(f"Method {method!r} is not known; choose one of {', '.join(_METHODS)}.")
    module, name = _METHODS[method]
    kind = getattr(importlib.import_module(module), name)
    known = inspect.signature(kind).parameters
    for setting in settings:
        if setting not in known:
            raise SettingsError(f"Method {method!r} has no setting {setting!r}; it has {', '.join(known)}.")
    return kind(**settings)
