"""The checks that rules are made of: each asks one thing of a picture and answers with a sentence, or with nothing.

A check is a public function in ``CHECKS``: first the subject, then what the rules give it by name, of the types in
``KINDS``. Which slot asks for what stands in ``rules.yaml``; nothing here knows a marketplace.
"""

import math
import re
from collections.abc import Callable
from typing import Any, NewType

import numpy as np
from PIL import Image

from . import provenance
from .subject import Subject, edge

SAMPLES = 20_000  # pixels of the ground that colors are compared for

Share = NewType("Share", float)
Color = NewType("Color", str)
# What an argument may be, by the type that a check declares for it.
KINDS: dict[Any, tuple[str, Callable[[Any], bool]]] = {
    int: ("a whole number, not negative", lambda x: type(x) is int and x >= 0),
    float: ("a number above 0", lambda x: type(x) in (int, float) and math.isfinite(x) and x > 0),
    Share: ("a number from 0 to 1", lambda x: type(x) in (int, float) and 0 <= x <= 1),
    list[str]: ("a list of texts", lambda x: _all(x, lambda one: True)),
    list[Color]: ("a list of colors such as '#f4efe6'", lambda x: _all(x, re.compile("#[0-9a-fA-F]{6}").fullmatch)),
}


def file_format(subject: Subject, allowed: list[str]) -> str | None:
    """The file's format, whatever its suffix, is one of Pillow's names in ``allowed``."""
    kind = subject.declared.format
    return None if kind in allowed else f"The file is a {kind}; {_either(allowed)} is asked for."


def matching_suffix(subject: Subject) -> str | None:
    """The suffix is one of the file's format."""
    Image.init()
    suffix, kind = subject.path.suffix.lower(), subject.declared.format
    return None if Image.EXTENSION.get(suffix) == kind else f"Its suffix {suffix!r} is not one of its format, {kind}."


def longest_side(subject: Subject, least: int = 0, most: int = 2**31) -> str | None:
    """The longer side has ``least`` to ``most`` px."""
    return _within(max(subject.levels.shape[:2]), "The longer side", least, most)


def shortest_side(subject: Subject, least: int = 0, most: int = 2**31) -> str | None:
    """The shorter side has ``least`` to ``most`` px."""
    return _within(min(subject.levels.shape[:2]), "The shorter side", least, most)


def megapixels(subject: Subject, most: float) -> str | None:
    """At most so many millions of pixels."""
    found = subject.levels[..., 0].size / 1e6
    return None if found <= most else f"It has {found:.1f} megapixels; at most {most:g} are asked for."


def file_size(subject: Subject, most: float) -> str | None:
    """At most so many megabytes (of a million bytes, the stricter reading)."""
    found = subject.path.stat().st_size / 1e6
    return None if found <= most else f"The file has {found:.1f} MB; at most {most:g} are asked for."


def opaque(subject: Subject) -> str | None:
    """No pixel is transparent."""
    alpha = subject.picture.alpha
    clear = 0.0 if alpha is None else float((alpha < 1).mean())
    return f"{_percent(clear)} of it is transparent, which shops show as black or gray." if clear else None


def white_ground(subject: Subject, level: int = 255, share: Share = Share(1.0), gap: int = 0) -> str | None:
    """All of the outermost pixels, and a ``share`` of the ground, have every channel at ``level`` or above.

    The ground is what is farther than ``gap`` px from the product; what looks like text is ``no_text``'s to report.
    """
    white = subject.lowest >= level
    tinted = 1 - float(edge(white).mean())
    if tinted:
        return f"{_percent(tinted)} of its edge is not white ({level}): a tint, a border, or a product cut off."
    ground = subject.ground(gap)
    if (ground & ~white).sum() > (1 - share) * ground.sum():
        for left, top, right, bottom in subject.text:
            ground[max(0, top - gap) : bottom + gap, max(0, left - gap) : right + gap] = False
    bad = int((ground & ~white).sum())
    if bad <= (1 - share) * ground.sum():
        return None
    return f"{_percent(bad / ground.sum())} of its ground is not white ({level})."


def product_fill(subject: Subject, least: Share = Share(0.0), most: Share = Share(1.0)) -> str | None:
    """The product's width or height, whichever is more, is ``least`` to ``most`` of the frame's."""
    left, top, right, bottom = subject.box
    height, width = subject.product.shape
    fill = max((right - left) / width, (bottom - top) / height)
    if least <= fill <= most:
        return None
    asked = f"at least {_percent(least)}" if fill < least else f"at most {_percent(most)}"
    return f"The product fills {_percent(fill)} of the frame; {asked} is asked for."


def margins(subject: Subject, least: Share) -> str | None:
    """Between the product and each side of the frame is ``least`` of the frame's height or width."""
    left, top, right, bottom = subject.box
    height, width = subject.product.shape
    free = {"left": left / width, "top": top / height, "right": 1 - right / width, "bottom": 1 - bottom / height}
    side = min(free, key=lambda name: free[name])
    if round(free[side], 9) >= least:
        return None
    return f"The margin at the {side} is {_percent(free[side])} of the frame; at least {_percent(least)} is asked for."


def aspect(subject: Subject, ratio: float, tolerance: float) -> str | None:
    """Width over height is ``ratio``, up to ``tolerance`` of it."""
    height, width = subject.levels.shape[:2]
    found = width / height
    if abs(found / ratio - 1) <= tolerance:
        return None
    return f"Width to height is {found:.2f}; {ratio:.2f} is asked for."


def no_text(subject: Subject) -> str | None:
    """Nothing that looks like text, but for what is on the product, or in the pattern of a painted ground."""
    count = len(subject.text)
    return (
        f"{count} region{'s' * (count > 1)} beside the product look{'s' * (count == 1)} like text." if count else None
    )


def palette(subject: Subject, colors: list[Color], distance: float, share: Share) -> str | None:
    """A ``share`` of the ground is within ``distance`` (CIEDE2000) of one of the ``colors``."""
    from skimage.color import deltaE_ciede2000, rgb2lab

    ground = subject.levels[subject.ground(2)]  # the soft edge of a product is a mixture, not the ground
    if not len(ground):
        return None
    ground = ground[:: max(1, len(ground) // SAMPLES)]
    wanted = np.array([[int(color[i : i + 2], 16) for i in (1, 3, 5)] for color in colors], np.uint8)
    lab, targets = rgb2lab(ground), rgb2lab(wanted)
    nearest = np.min([deltaE_ciede2000(lab, target[None]) for target in targets], axis=0)
    found = float((nearest <= distance).mean())
    if found >= share:
        return None
    return f"{_percent(found)} of the ground has the palette's colors; at least {_percent(share)} is asked for."


def source_type(subject: Subject, allowed: list[str]) -> str | None:
    """What file and sidecar declare, if anything, is one of IPTC's terms in ``allowed``."""
    declared = [term for term in (subject.declared.source_type, subject.recorded) if term and term not in allowed]
    return f"It is declared as {declared[0]}, and only a real photograph is taken." if declared else None


def tagged_if_ai(subject: Subject) -> str | None:
    """A picture whose sidecar says that AI had a part in it says so itself, by IPTC's DigitalSourceType."""
    if subject.recorded not in provenance.AI or subject.declared.source_type in provenance.AI:
        return None
    return (
        f"Its sidecar says {subject.recorded}, and the file has lost the tag DigitalSourceType that has to say so, too."
    )


# fmt: off
CHECKS: dict[str, Callable[..., str | None]] = {
    check.__name__: check
    for check in (
        file_format, matching_suffix, longest_side, shortest_side, megapixels, file_size, opaque, white_ground,
        product_fill, margins, aspect, no_text, palette, source_type, tagged_if_ai,
    )
}
# fmt: on


def _within(found: int, what: str, least: int, most: int) -> str | None:
    if least <= found <= most:
        return None
    return f"{what} has {found} px; at {f'least {least}' if found < least else f'most {most}'} are asked for."


def _all(values: Any, fits: Callable[[str], Any]) -> bool:
    return isinstance(values, list) and bool(values) and all(isinstance(one, str) and fits(one) for one in values)


def _either(names: list[str]) -> str:
    return " or ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def _percent(share: float) -> str:
    """Three digits, rounded down: 84.96 % are not 85 %."""
    percent = round(100 * share, 9)
    return f"{math.floor(percent * 10) / 10 if percent >= 1 else percent:.3g} %"
