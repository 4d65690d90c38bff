"""What a network is, as far as it can be said without TensorFlow: its sizes, its styles, the file that tells them."""

import json
from dataclasses import dataclass
from pathlib import Path

from ..errors import SettingsError, WeightsError

MULTIPLE = 4  # the encoder halves twice: both sides of what it takes are multiples of this


@dataclass(frozen=True)
class Architecture:
    """The sizes of a :class:`StyleNetwork`.

    Johnson et al. (2016) have 32, 64 and 128 channels and a 9 x 9 convolution at full resolution at both ends. Ours
    begins on 2 x 2 blocks of pixels as channels, and its widest part is at a quarter of the resolution: on a CPU
    the layers at full resolution cost most and see least. `make bench` has the times.

    Attributes:
        half: channels at half resolution.
        quarter: channels at a quarter of it, where the residual blocks are.
        full: channels at full resolution, before the last convolution.
        blocks: residual blocks of two 3 x 3 convolutions.
        last: size of the last convolution's kernel.
    """

    half: int = 32
    quarter: int = 96
    full: int = 16
    blocks: int = 5
    last: int = 5

    def __post_init__(self) -> None:
        if min(self.half, self.quarter, self.full, self.blocks) < 1 or self.last < 1 or self.last % 2 == 0:
            raise SettingsError("A network needs at least 1 channel and block everywhere, and an odd last kernel.")

    @property
    def channels(self) -> list[int]:
        """How many channels each normalization has, in the order of the pass."""
        return [self.half, *[self.quarter] * (1 + 2 * self.blocks), self.half, self.full]


def description_of(path: str | Path) -> Path:
    """The JSON file beside a weights file."""
    return Path(str(path).removesuffix(".weights.h5") + ".json")


def described(path: str | Path) -> tuple[list[str], Architecture]:
    """The styles and the sizes of the network whose weights are in a file.

    Raises:
        WeightsError: no description beside it, or one that is none.
    """
    beside = description_of(path)
    try:
        facts = json.loads(beside.read_text(encoding="utf-8"))
        styles = [str(name) for name in facts["styles"]]
        if not styles or len(set(styles)) < len(styles):
            raise ValueError("its styles must be names, each once")
        return styles, Architecture(**facts["architecture"])
    except (OSError, ValueError, KeyError, TypeError, SettingsError) as error:
        raise WeightsError(
            f"{beside} does not describe a style network ({error}); keep the .json and the .weights.h5 of one "
            f"training together."
        ) from error
