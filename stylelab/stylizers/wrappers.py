"""What is wrapped around any method: the photo's colors, a product's pixels or the photo's white are kept."""

from typing import Any

import numpy as np

from .. import images
from ..errors import ImageError, SettingsError
from .contract import Style, Stylizer


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
        self.keep = soft_edge(mask >= 0.5, ring)

    def _stylize(self, content: np.ndarray, style: Style, **settings: Any) -> np.ndarray:
        if self.keep.shape[:2] != content.shape[1:3]:
            (height, width), (rows, columns) = self.keep.shape[:2], content.shape[1:3]
            raise ImageError(
                f"The mask is {width}x{height} px and the photo {columns}x{rows} px; they must be the same size."
            )
        result = self.stylizer.stylize(content, style, **settings)
        return np.stack([images.composite(c, r, self.keep) for c, r in zip(content, result, strict=True)])


class KeepWhite(Wrapper):
    """Leaves the photo's white untouched, as shops want the ground of a product photo, whatever the method.

    A pixel counts by the lowest of its three channels, so that pale colors are no white: up to 230 of 255 it takes the
    style, from 242 on it is the photo's, bit by bit, and between it is mixed in proportion, so that a shadow fades
    out. The white of photos is seldom 255: the ground of the shipped `sneaker_black` has 242 to 255 after lighting
    and JPEG, while the gray one of `sneaker_knit` has 229 and is meant to be painted. A network cannot do this by
    itself: instance normalization removes a constant's mean, by which alone white differs from black.

    Args:
        stylizer: any method.
        begin: the lowest channel, in 0..1, up to which the style is not held back.
        full: the lowest channel from which on the photo is kept.
    """

    def __init__(self, stylizer: Stylizer, begin: float = 230 / 255, full: float = 242 / 255):
        if not 0 <= begin < full <= 1:
            raise SettingsError(f"White is kept from one level to a higher one in 0..1, not from {begin} to {full}.")
        super().__init__(stylizer)
        self.begin, self.full = begin, full

    def _stylize(self, content: np.ndarray, style: Style, **settings: Any) -> np.ndarray:
        lowest, _ = images.channel_range(content)
        white = np.clip((lowest - self.begin) / (self.full - self.begin), 0, 1)
        return images.composite(content, self.stylizer.stylize(content, style, **settings), white)


def soft_edge(product: np.ndarray, ring: int) -> np.ndarray:
    """1 in the product's core, 0 outside the product, rising in equal steps over ``ring`` pixels between."""
    from scipy.ndimage import distance_transform_cdt

    # Padded by product, so that the picture's own border is no edge of it.
    inside = distance_transform_cdt(np.pad(product[..., 0], 1, mode="edge"), "chessboard")[1:-1, 1:-1, None]
    if product.all():
        return np.ones(product.shape, "float32")
    return np.clip(inside / (ring + 1), 0, 1).astype("float32")
