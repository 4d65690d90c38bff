"""What every style transfer method shares: the style, the contract, and what is wrapped around any method.

A method is a :class:`Stylizer`. Keeping the photo's colors and keeping a product's pixels are wrappers, so every
method has them. The command line, the catalog and the workbench know nothing else of a method.
"""

import importlib
import inspect
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from . import images, samples
from .errors import ImageError, SettingsError

# name: (module, class). A new method is one new module and one line here; modules load when they are asked for.
_METHODS = {
    "fast": ("stylelab.feedforward", "FeedForward"),
    "any": ("stylelab.adain", "AdaIN"),
    "optimize": ("stylelab.optimize", "Optimize"),
}


@dataclass(frozen=True)
class Style:
    """One or more pictures with weights.

    Attributes:
        name: what a list or a file name shows.
        pictures: images ``[H, W, 3]`` in 0..1, any sizes; none for a method that was trained for the names.
        weights: one per picture, positive; they need not sum to 1.
        names: by which a method that was trained for some styles knows them, one per picture: a shipped painting's
            name, or "" for a picture of the user's own.
    """

    name: str
    pictures: tuple[np.ndarray, ...]
    weights: tuple[float, ...]
    names: tuple[str, ...] = ()

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
            " + ".join(label for label, _, _ in named),
            tuple(picture for _, picture, _ in named),
            tuple(float(w) for w in weights) if weights is not None else (1.0,) * len(named),
            tuple(name for _, _, name in named),
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


def _named_picture(source: Any) -> tuple[str, np.ndarray, str]:
    """What a list shows, the picture, and the shipped painting's name or ""."""
    if isinstance(source, str | Path):
        if not str(source).strip():
            raise SettingsError("A style has an empty name; give a painting's name or a file.")
        file = Path(source)
        if is_file(file):
            return file.stem, images.read(file), ""
        return file.name, samples.load(str(source)), file.name
    return "picture", images.check(source, "style"), ""


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
        if not 0 <= strength <= 1:
            raise SettingsError(f"Strength must be from 0 (the photo) to 1 (the full style), not {strength}.")
        if not 0 <= seed < 2**32:
            raise SettingsError(f"The seed must be from 0 to {2**32 - 1}, not {seed}.")
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


class Wrapper(Stylizer):
    """A method around another one: it takes the styles that the inner one takes."""

    def __init__(self, stylizer: Stylizer):
        self.stylizer = stylizer
        self.styles, self.regions = stylizer.styles, stylizer.regions

    def _resolve(self, style: Any) -> Style:
        return self.stylizer._resolve(style)


class KeepColor(Wrapper):
    """Keeps the photo's colors, whatever the method.

    Both ways are Gatys et al.'s (2016, "Preserving color in neural artistic style transfer").

    Args:
        stylizer: any method.
        method: ``"luminance"`` takes the brightness of the result and the color of the photo: colors stay in place.
            ``"coral"`` gives the style pictures the photo's color statistics first: strokes stay colorful.
    """

    def __init__(self, stylizer: Stylizer, method: str = "luminance"):
        if method not in ("luminance", "coral"):
            raise SettingsError(f"Color can be kept by 'luminance' or 'coral', not by {method!r}.")
        if method == "coral" and stylizer.styles is not None:
            raise SettingsError(
                "CORAL recolors the style picture, and this method has its styles built in; use 'luminance'."
            )
        super().__init__(stylizer)
        self.method = method

    def _stylize(self, content: np.ndarray, style: Style, **settings: Any) -> np.ndarray:
        if self.method == "luminance":
            result = images.rgb_to_ycbcr(self.stylizer.stylize(content, style, **settings))
            result[..., 1:] = images.rgb_to_ycbcr(content)[..., 1:]
            return np.clip(images.ycbcr_to_rgb(result), 0, 1)
        return np.concatenate(
            [
                self.stylizer.stylize(
                    photo[None],
                    # A recolored painting is no longer the one that its name stands for.
                    Style(style.name, tuple(coral(p, photo) for p in style.pictures), style.weights),
                    **settings,
                )
                for photo in content
            ]
        )


def coral(image: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """The image with the reference's mean and covariance of colors.

    ``x ↦ Cᵣ^½ Cᵢ^-½ (x - μᵢ) + μᵣ`` (correlation alignment, Sun et al. 2016; Gatys et al. 2016, "Preserving color",
    eq. 4 to 7 with the symmetric root), clipped to 0..1.

    Args:
        image, reference: ``[H, W, 3]`` in 0..1, any sizes.
    """

    def root(pixels: np.ndarray, power: float) -> np.ndarray:
        values, vectors = np.linalg.eigh(np.cov(pixels.T) + 1e-5 * np.eye(3))  # a gray picture has rank 1
        return vectors * values**power @ vectors.T

    pixels, wanted = (x.reshape(-1, 3).astype("float64") for x in (image, reference))
    aligned = (pixels - pixels.mean(0)) @ root(pixels, -0.5) @ root(wanted, 0.5) + wanted.mean(0)
    return np.clip(aligned, 0, 1).astype("float32").reshape(image.shape)


class KeepProduct(Wrapper):
    """Leaves a masked product untouched: inside the mask, less a ring at its edge, pixels are the photo's, bit by bit.

    Args:
        stylizer: any method.
        mask: ``[H, W, 1]``, 1 = product (0.5 and above counts); for a batch of one size.
        ring: width in pixels, 0 to 2, of the soft edge inside the mask.
    """

    def __init__(self, stylizer: Stylizer, mask: Any, ring: int = 2):
        if ring not in (0, 1, 2):
            raise SettingsError(f"The ring at the product's edge may be 0, 1 or 2 px wide, not {ring}.")
        mask = np.asarray(mask, "float32")
        if mask.ndim != 3 or mask.shape[-1] != 1 or not np.isfinite(mask).all():
            raise ImageError(f"A mask must be a finite array of shape [H, W, 1], not {mask.shape}.")
        super().__init__(stylizer)
        self.keep = _soft_edge(mask >= 0.5, ring)

    def _stylize(self, content: np.ndarray, style: Style, **settings: Any) -> np.ndarray:
        if self.keep.shape[:2] != content.shape[1:3]:
            (height, width), (rows, columns) = self.keep.shape[:2], content.shape[1:3]
            raise ImageError(
                f"The mask is {width}x{height} px and the photo {columns}x{rows} px; they must be the same size."
            )
        result = self.stylizer.stylize(content, style, **settings)
        return np.stack([images.composite(c, r, self.keep) for c, r in zip(content, result, strict=True)])


def _soft_edge(product: np.ndarray, ring: int) -> np.ndarray:
    """1 in the product's core, 0 outside the product, rising in equal steps over ``ring`` pixels between."""
    from scipy.ndimage import distance_transform_cdt

    # Padded by product, so that the picture's own border is no edge of it.
    inside = distance_transform_cdt(np.pad(product[..., 0], 1, mode="edge"), "chessboard")[1:-1, 1:-1, None]
    if product.all():
        return np.ones(product.shape, "float32")
    return np.clip(inside / (ring + 1), 0, 1).astype("float32")


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
