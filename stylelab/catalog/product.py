"""A product and what may be done around it: the modes of a product picture, and the product's pixels kept exactly.

The photo is resampled once, in :func:`prepare`. What :func:`render` makes equals it, bit by bit, inside the product's
:func:`core` in every mode but ``whole``.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from stylelab import images
from stylelab.catalog import scenes
from stylelab.errors import ImageError, SettingsError
from stylelab.stylizers import KeepProduct, KeepWhite, Stylizer
from stylelab.stylizers.wrappers import soft_edge

RING = 2  # px at the product's edge that are no core
LEAST = 16  # px, the smallest side of an output, as of every stylizer's


@dataclass(frozen=True)
class Frame:
    """Where a square picture has its product, in shares of its side.

    Attributes:
        width, height: the room for the product; the side that fills its room first decides.
        floor: how far down the product's lowest point is; None: the product is centered.
    """

    width: float
    height: float
    floor: float | None = None


# 85 % is the least that Amazon takes of a main image (rules/amazon.yaml); 88 % leaves room for rounding.
FRAMES = {"clean": Frame(0.88, 0.88), "backdrop": Frame(0.72, 0.64, scenes.FLOOR)}
MODES = ("scene", "backdrop", "clean", "whole")


@dataclass(frozen=True, eq=False)
class Product:
    """Photo, mask and alpha at the output's size and place, resampled once.

    Attributes:
        rgb: float32 ``[H, W, 3]`` in 0..1; of a cut-out the product with a little of its old ground, white elsewhere.
        mask: float32 ``[H, W, 1]``, 1 = product.
        alpha: float32 ``[H, W, 1]`` or None; of a cut-out None, since its picture has a ground everywhere.
        scale: px of the output per px of the photo: above 1 the photo was enlarged.
    """

    rgb: np.ndarray
    mask: np.ndarray
    alpha: np.ndarray | None
    scale: float = 1.0


def prepare(picture: images.Picture, mask: np.ndarray, mode: str, size: int | None = None) -> Product:
    """Photo, mask and alpha at the size and place that they have in the output.

    A cut-out is placed in a square: of ``clean`` in the middle, of ``backdrop`` standing on the floor, or at the
    frame's border where the photo's cuts it off, as a lamp's cable. Its mask is where both the mask and the alpha are.

    Args:
        picture: as ``images.open_picture`` gives it.
        mask: ``[H, W, 1]`` in 0..1, the picture's size, 1 = product.
        mode: one of ``MODES``.
        size: the long side in px (``scene``, ``whole``), or the square's side. None: no pixel of the photo is
            resampled; a square then is as large as its product needs it.
    Raises:
        SettingsError: an unknown mode, or a size under 16 px or of over ``images.MAX_PIXELS`` pixels.
        ImageError: a mask that does not fit, or is empty where a cut-out needs a product; a picture under 16 px.
    """
    _check_mode(mode)
    rgb, alpha, mask = picture.rgb, picture.alpha, _checked_mask(mask, picture.rgb)
    if size is not None and size < LEAST:
        raise SettingsError(f"A product picture must have at least {LEAST} px, not {size}; choose a larger size.")
    if alpha is not None:
        # What cannot be seen would lend its hidden color to the style; the product's own pixels stay as they are.
        hidden = (alpha == 0) & (mask < 0.5)
        rgb = images.composite(rgb, np.ones_like(rgb), (~hidden).astype("float32"))
    if mode in FRAMES:
        return _cut_out(rgb, mask if alpha is None else np.minimum(mask, alpha), alpha, FRAMES[mode], size)
    height, width = rgb.shape[:2]
    size = max(height, width) if size is None else size
    scale = size / max(height, width)
    _check_pixels(height * width * scale**2, size)
    rgb, alpha = images.resize_visible(rgb, alpha, size)
    if min(rgb.shape[:2]) < LEAST:
        sides = f"{rgb.shape[1]}x{rgb.shape[0]} px"
        raise ImageError(f"The photo at {sides} is too small; both sides need at least {LEAST} px.")
    return Product(rgb, images.resize(mask, rgb.shape[:2]), alpha, scale)


def core(mask: np.ndarray) -> np.ndarray:
    """What is kept exactly: bool ``[H, W, 1]``, inside the mask (0.5 and above), less 2 px at the mask's edge.

    The picture's own border is no edge. Empty where the product is nowhere wider than 4 px.
    """
    return soft_edge(np.asarray(mask) >= 0.5, RING) == 1


def render(
    product: Product,
    mode: str,
    stylizer: Stylizer | None,
    style: Any,
    *,
    strength: float = 1.0,
    seed: int = 0,
    ground: np.ndarray | None = None,
) -> np.ndarray:
    """The product picture; equals ``product.rgb``, bit by bit, in the core in every mode but ``whole``.

    ``scene``: all but the product is in the style; what is white in the photo stays white (``KeepWhite``).
    ``backdrop``: the product stands in a scene made of the style's picture, with a shadow on the floor.
    ``clean``: the product on 255 white; of the other arguments none is used.
    ``whole``: everything is in the style; the alpha is kept all the same.

    Args:
        product: from :func:`prepare`, for the same mode.
        mode: one of ``MODES``.
        stylizer: any method; not needed for ``clean``, nor with a ground.
        style: what the stylizer takes.
        strength: 0 (the photo; of a backdrop a plain gray studio) to 1 (the full style).
        seed: the same seed gives the same picture on the same machine.
        ground: ``[H, W, 3]``, what the product stands on in a backdrop: ``scenes.backdrop`` makes one for all products
            of a size. None: it is made here.
    Returns:
        float32 ``[H, W, 3]`` in 0..1, to be written with ``product.alpha``.
    Raises:
        SettingsError: an unknown mode, no stylizer where one is needed; or as the stylizer.
        ImageError: a ground that is no image or has another size; or as the stylizer.
    """
    _check_mode(mode)
    if mode == "clean":
        return _laid_over(product, np.ones_like(product.rgb))
    if mode == "backdrop" and ground is not None:
        ground = images.check(ground, "ground")
        if ground.shape != product.rgb.shape:
            raise ImageError(f"The ground has the shape {ground.shape} and its product {product.rgb.shape}: make one.")
        return _laid_over(product, ground * (1 - scenes.shadow(product.mask)))
    if stylizer is None:
        raise SettingsError(f"The mode {mode!r} needs a stylizer; give one, or choose the mode 'clean'.")
    if mode == "backdrop":
        made = scenes.backdrop(len(product.rgb), stylizer, style, strength=strength, seed=seed)
        return render(product, mode, None, style, ground=made)
    if mode == "scene":
        stylizer = KeepProduct(KeepWhite(stylizer), product.mask, RING)
    return stylizer.stylize(product.rgb[None], style, strength=strength, seed=seed)[0]


def _cut_out(rgb: np.ndarray, mask: np.ndarray, alpha: np.ndarray | None, frame: Frame, size: int | None) -> Product:
    """The product cut from its photo and placed in a square."""
    rows, columns = (np.flatnonzero((mask[..., 0] >= min(0.5, mask.max())).any(axis)) for axis in (1, 0))
    if mask.max() == 0:
        raise ImageError("The mask is black everywhere, so there is no product to cut out; give another mask.")
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    height, width = bottom - top, right - left
    if size is None:
        size = max(LEAST, math.ceil(max(width / frame.width, height / frame.height)))
        scale = 1.0
    else:
        scale = size * min(frame.width / width, frame.height / height)
    _check_pixels(size**2, size)
    # Some of the old ground comes along, so that the resampled edge is what it is in the photo.
    margin = 2 + math.ceil(2 * RING / scale)
    y, x = max(0, top - margin), max(0, left - margin)
    crop = np.s_[y : bottom + margin, x : right + margin]
    wanted = tuple(max(1, round(side * scale)) for side in mask[crop].shape[:2])
    piece, _ = images.resize_visible(rgb[crop], alpha if alpha is None else alpha[crop], wanted)
    soft = images.resize(mask[crop], wanted)

    def placed(start: int, stop: int, end: int, middle: float) -> int:
        """Where a side of the product begins in the square."""
        length = round((stop - start) * scale)
        if frame.floor is not None and (start == 0) != (stop == end):
            return 0 if start == 0 else size - length
        return round(middle - length / 2)

    upright = size / 2 if frame.floor is None else frame.floor * size - height * scale / 2
    down = placed(top, bottom, rgb.shape[0], upright) - round((top - y) * scale)
    across = placed(left, right, rgb.shape[1], size / 2) - round((left - x) * scale)
    canvas, kept = np.ones((size, size, 3), "float32"), np.zeros((size, size, 1), "float32")
    here = tuple(slice(max(0, s), min(size, s + n)) for s, n in zip((down, across), wanted, strict=True))
    from_piece = tuple(slice(h.start - s, h.stop - s) for h, s in zip(here, (down, across), strict=True))
    canvas[here], kept[here] = piece[from_piece], soft[from_piece]
    return Product(canvas, kept, None, scale)


def _laid_over(product: Product, ground: np.ndarray) -> np.ndarray:
    """The product on a ground: its core as it is, around it a soft edge without the old ground's color."""
    from scipy.ndimage import uniform_filter

    depth = _depth(product.mask[..., 0] >= min(0.5, product.mask.max()))
    # Beyond 2 px outside, a mask is no antialiased edge any more but a guess, and shows the old ground.
    opacity = np.where(depth > -RING, uniform_filter(product.mask[..., 0], 3, mode="nearest"), 0)[..., None]
    result = images.composite(_from_inside(product.rgb, depth), ground, opacity.astype("float32"))
    return np.where(core(product.mask), product.rgb, result)


def _depth(inside: np.ndarray) -> np.ndarray:
    """How many px each pixel of ``[H, W]`` lies inside (1 is the edge), or outside as a negative number."""
    from scipy.ndimage import distance_transform_cdt

    if inside.all():
        return np.full(inside.shape, RING + 1)
    within = distance_transform_cdt(np.pad(inside, 1, mode="edge"), "chessboard")[1:-1, 1:-1]
    return within - distance_transform_cdt(~inside, "chessboard")


def _from_inside(rgb: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """The picture, but in the ring around its edge each pixel has the color of one further inside.

    There the photo is a mix of product and old ground. From each pixel at most five steps go to the deepest neighbor,
    until one is in the core; of a thin part to its middle line.
    """
    y, x = np.nonzero((depth <= RING) & (depth > -RING))
    deep = np.pad(depth, 1, constant_values=-len(depth))
    rows, columns = y.copy(), x.copy()
    # Of neighbors that are equally deep the first counts: to stay, then straight, then askew.
    steps = np.array([(0, 0), (-1, 0), (1, 0), (0, -1), (0, 1), (-1, -1), (-1, 1), (1, -1), (1, 1)])
    for _ in range(5):
        around = np.stack([deep[rows + 1 + down, columns + 1 + right] for down, right in steps])
        best = np.where(around[0] > RING, 0, around.argmax(0))
        rows, columns = rows + steps[best, 0], columns + steps[best, 1]
    colors = rgb.copy()
    colors[y, x] = rgb[rows, columns]
    return colors


def _check_mode(mode: str) -> None:
    if mode not in MODES:
        raise SettingsError(f"{mode!r} is no mode of a product picture; choose one of {', '.join(MODES)}.")


def _check_pixels(pixels: float, size: int) -> None:
    if pixels > images.MAX_PIXELS:
        raise SettingsError(f"The size {size} would make more than {images.MAX_PIXELS:,} pixels; choose less.")


def _checked_mask(mask: np.ndarray, rgb: np.ndarray) -> np.ndarray:
    mask = np.asarray(mask, "float32")
    if mask.shape != (*rgb.shape[:2], 1) or not np.isfinite(mask).all():
        wanted = (*rgb.shape[:2], 1)
        raise ImageError(f"The mask must be finite and of the shape {wanted}, as its photo is, not {mask.shape}.")
    return np.clip(mask, 0, 1)
