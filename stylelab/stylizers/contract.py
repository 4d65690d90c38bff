"""The contract: what a style is, and what a method does with it."""

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from .. import images, samples
from ..errors import ImageError, SettingsError


@dataclass(frozen=True)
class Style:
    """One or more pictures with weights.

    Attributes:
        name: what a list or a file name shows.
        pictures: images ``[H, W, 3]`` in 0..1, any sizes; none for a method that was trained for the names.
        weights: one per picture, positive; they need not sum to 1.
        names: by which a method that was trained for some styles knows them, one per picture: a shipped painting's
            name, or "" for a picture of the user's own.
        notes: what a user should know about the files, as of an animation that only the first frame is used.
    """

    name: str
    pictures: tuple[np.ndarray, ...]
    weights: tuple[float, ...]
    names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        count = len(self.pictures) or len(self.names)
        if not count:
            raise SettingsError("The style has no picture; give a painting's name, a file or an array.")
        if len(self.weights) != count:
            raise SettingsError(
                f"Style {self.name!r} has {count} pictures and {len(self.weights)} weights; give one weight each."
            )
        if not all(np.isfinite(w) and w > 0 for w in self.weights):
            raise SettingsError(
                f"The weights of style {self.name!r} must be positive numbers, not {list(self.weights)}."
            )

    @classmethod
    def of(cls, source: Any, weights: Sequence[float] | None = None) -> "Style":
        """A style from a sample's name, a file, an image, or a list of these.

        Raises:
            SettingsError: no source, a name that is neither a sample nor a file, or weights that do not fit.
            ImageError: a picture that cannot be read.
        """
        if isinstance(source, Style):
            return source if weights is None else replace(source, weights=tuple(weights))
        several = isinstance(source, list | tuple)
        sources = list(source) if several else [source]
        named = [_named_picture(one) for one in sources]
        return cls(
            " + ".join(label for label, *_ in named),
            tuple(picture for _, picture, *_ in named),
            tuple(float(w) for w in weights) if weights is not None else (1.0,) * len(named),
            tuple(name for _, _, name, _ in named),
            tuple(note for *_, notes in named for note in notes),
        )

    @classmethod
    def trained(cls, names: str | Sequence[str], weights: Sequence[float] | None = None) -> "Style":
        """A style by the names that a method was trained for; no picture is read."""
        names = (names,) if isinstance(names, str) else tuple(names)
        return cls(" + ".join(names), (), tuple(weights) if weights is not None else (1.0,) * len(names), names)

    def at(self, size: int, least: int = 16) -> list[np.ndarray]:
        """The pictures with a long side of ``size`` px, as strokes of that size need it.

        Never enlarged, since a blurred painting has another style, and never with a side under ``least``.

        Raises:
            SettingsError: a picture is smaller than ``least``.
        """
        sized = []
        for picture in self.pictures:
            height, width = picture.shape[:2]
            if min(height, width) < least:
                raise SettingsError(
                    f"A picture of style {self.name!r} is {width}x{height} px, too small for the network; "
                    f"both sides need at least {least} px."
                )
            scale = min(1.0, max(size / max(height, width), least / min(height, width)))
            sized.append(images.resize(picture, tuple(max(least, round(side * scale)) for side in (height, width))))
        return sized


def is_file(source: str | Path) -> bool:
    """Whether a style's source means a file: it has a suffix, or is there; else it is the name of a painting."""
    return bool(Path(source).suffix) or os.path.exists(source)  # noqa: PTH110 - Path.exists raises for a long name


def _named_picture(source: Any) -> tuple[str, np.ndarray, str, list[str]]:
    """What a list shows, the picture, the shipped painting's name or "", and notes on the file."""
    if isinstance(source, str | Path):
        if not str(source).strip():
            raise SettingsError("A style has an empty name; give a painting's name or a file.")
        file = Path(source)
        if is_file(file):
            picture = images.open_picture(file)
            return file.stem, images.over(picture), "", [f"{file}: {note}" for note in picture.notes]
        return file.name, samples.load(str(source)), file.name, []
    return "picture", images.check(source, "style"), "", []


def check_settings(strength: float, seed: int) -> None:
    """Refuses what no method takes.

    Raises:
        SettingsError: a strength outside 0..1, or a seed that is no unsigned 32-bit number.
    """
    if not 0 <= strength <= 1:
        raise SettingsError(f"Strength must be from 0 (the photo) to 1 (the full style), not {strength}.")
    if not 0 <= seed < 2**32:
        raise SettingsError(f"The seed must be from 0 to {2**32 - 1}, not {seed}.")


class Stylizer(ABC):
    """The contract of every method.

    Attributes:
        styles: names of the styles that it was trained for; None when it takes any picture.
        regions: whether it can give each of a style's pictures its own region.
    """

    styles: Sequence[str] | None = None
    regions: bool = False

    def stylize(
        self,
        content: Any,
        style: Any,
        *,
        strength: float = 1.0,
        seed: int = 0,
        callback: Callable[[Any], None] | None = None,
        regions: Any = None,
    ) -> np.ndarray:
        """The photos in the style.

        Args:
            content: ``[B, H, W, 3]`` in 0..1, H and W at least 16. A picture's result does not depend on its
            batch mates.
            style: a :class:`Style`, or what :meth:`Style.of` takes.
            strength: 0 (the photo) to 1 (the full style).
            seed: the same seed gives the same picture on the same machine.
            callback: called with a small dataclass at each step of a method that has steps; an exception ends the run.
            regions: ``[R, H, W, 1]``, one mask for each of the style's R pictures; None: all pictures blend everywhere.
        Returns:
            float32 ``[B, H, W, 3]`` in 0..1, of the content's size.
        Raises:
            ImageError, SettingsError, ResourceError: one sentence each.
        """
        content = np.asarray(content)
        if content.ndim != 4:
            raise ImageError(
                f"Content must be a batch [B, H, W, 3], not an array of shape {content.shape}; add the batch axis."
            )
        content = np.stack([images.check(one, "content") for one in content])
        if min(content.shape[1:3]) < 16:
            raise ImageError(
                f"Content of {content.shape[2]}x{content.shape[1]} px is too small; both sides need at least 16 px."
            )
        check_settings(strength, seed)
        style = self._resolve(style)
        if regions is not None:
            regions = self._checked_regions(regions, style, content.shape[1:3])
        if strength == 0:
            return content
        return self._stylize(content, style, strength=strength, seed=seed, callback=callback, regions=regions)

    def _resolve(self, style: Any) -> Style:
        """What the caller gave as the style, as a :class:`Style` that this method can use."""
        return Style.of(style)

    @abstractmethod
    def _stylize(
        self, content: np.ndarray, style: Style, *, strength: float, seed: int, callback: Any, regions: Any
    ) -> np.ndarray:
        """The method itself, on checked arguments."""

    def _checked_regions(self, regions: Any, style: Style, size: tuple[int, int]) -> np.ndarray:
        if not self.regions:
            raise SettingsError(f"{type(self).__name__} cannot style by regions; use the method 'optimize'.")
        regions = np.asarray(regions, "float32")
        wanted = (len(style.pictures), *size, 1)
        if regions.shape != wanted:
            raise SettingsError(
                f"Regions must have the shape {wanted} (one mask per style picture, of the photo's size), "
                f"not {regions.shape}."
            )
        if not np.isfinite(regions).all() or regions.min() < 0 or (regions.max(axis=(1, 2, 3)) == 0).any():
            raise SettingsError("Every region's mask must be finite, not negative, and white somewhere.")
        return regions
