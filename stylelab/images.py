"""Pictures: read, write, check, resize, composite; color spaces. The one place that touches picture files.

An image is float32 ``[H, W, 3]`` in 0..1, in sRGB; a mask or an alpha is float32 ``[H, W, 1]``, 1 = product.
"""

import errno
import operator
import os
import stat
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from stylelab import files, formats
from stylelab.errors import ImageError
from stylelab.formats import MAX_PIXELS as MAX_PIXELS
from stylelab.formats import Picture as Picture

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff")  # that can be written
LONGEST_SIDE = {".jpg": 65_500, ".jpeg": 65_500, ".webp": 16_383}


def open_picture(path: str | os.PathLike[str]) -> Picture:
    """Reads a picture file whatever its suffix: upright, in sRGB, with its transparency and its depth.

    JPEG, PNG, WebP, TIFF, GIF, BMP, AVIF; HEIC with the extra ``heic``. Of several frames or pages the first.

    Raises:
        ImageError: missing, no file, not readable, no picture, damaged, over ``MAX_PIXELS``, or its colors
            would have to be guessed.
    """
    if not os.fspath(path):
        raise ImageError("The name of the picture is empty: give the path of a file.")
    path = Path(path)
    with files.explained(f"{path} cannot be read"):
        # Asked before opening: opening a named pipe would wait forever for somebody to write into it.
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise ImageError("it is a folder; give one picture file")
        if not stat.S_ISREG(mode):
            raise ImageError("it is not a regular file; give a picture file")
        with path.open("rb") as file:
            return formats.decode(file)


def read(path: str | os.PathLike[str]) -> np.ndarray:
    """The picture as float32 ``[H, W, 3]``, transparent parts laid over white. Raises as ``open_picture``."""
    return over(open_picture(path))


def read_mask(path: str | os.PathLike[str], size: tuple[int, int] | None = None) -> np.ndarray:
    """A gray picture as float32 ``[H, W, 1]``: white = product, black = background, gray in between.

    Of a colored picture it is the luminance, of a transparent one that over black.

    Raises:
        ImageError: as ``open_picture``, or the mask is not ``size`` (height, width).
    """
    mask = luminance(over(open_picture(path), 0.0))
    if size is not None and mask.shape[:2] != tuple(size):
        (height, width), (rows, columns) = mask.shape[:2], size
        sizes = f"is {width} x {height} px and its picture {columns} x {rows} px"
        raise ImageError(f"The mask {path} {sizes}: make both the same size.")
    return mask


def check_output(path: str | os.PathLike[str], inputs: Iterable[str | os.PathLike[str]] = ()) -> Path:
    """Finds out before hours of work whether its result can be written; makes the parent folder.

    Args:
        path: of the file to write; an existing file may be replaced unless it is write-protected.
        inputs: files that must not be overwritten, through whatever link or spelling.
    Raises:
        ImageError: empty name, unknown suffix, a folder, not writable, or one of the inputs.
    """
    if not os.fspath(path):
        raise ImageError("The name of the output is empty: give the path of a file.")
    path = Path(path)
    with files.explained(f"{path} cannot be written"):
        if path.suffix.lower() not in SUFFIXES:
            raise ImageError(f"its suffix is none of {', '.join(SUFFIXES)}; choose one of them")
        if path.is_dir():
            raise ImageError("it is a folder; give the name of a file")
        # os.path.exists says no where Path.exists raises: a name that is too long, a folder that is closed.
        if any(path.exists() and os.path.exists(other) and path.samefile(other) for other in inputs):  # noqa: PTH110
            raise ImageError("it is one of the inputs, which would be lost; choose another name")
        path.parent.mkdir(parents=True, exist_ok=True)
        # Tried instead of asked: permission bits say nothing of read-only disks, and nothing to root.
        with files.temporary(path):
            pass
        if path.exists() and not os.access(path, os.W_OK):
            raise PermissionError(errno.EACCES, "write-protected")
    return path


def write(
    path: str | os.PathLike[str],
    rgb: np.ndarray,
    alpha: np.ndarray | None = None,
    *,
    exif: bytes = b"",
    xmp: bytes = b"",
    bits: int = 8,
    quality: int = 95,
) -> Path:
    """Writes a picture file: all of it or nothing, rounded, with an sRGB profile.

    Args:
        path: its suffix, one of ``SUFFIXES``, chooses the format; the parent folder is made.
        rgb: ``[H, W, 3]`` in 0..1.
        alpha: ``[H, W, 1]`` in 0..1; JPEG has none, there the picture is laid over white.
        exif: of a ``Picture``.
        xmp: a whole XMP packet.
        bits: 8 or 16; JPEG and WebP hold 8.
        quality: 1..100, of JPEG and WebP.
    Raises:
        ImageError: as ``check`` and ``check_output``, a side too long for the format, or the disk is full.
    """
    rgb = check(rgb)
    if alpha is not None:
        alpha = _checked(alpha, "alpha", 1)
        if alpha.shape[:2] != rgb.shape[:2]:
            shapes = f"{alpha.shape} and its image {rgb.shape}"
            raise ImageError(f"The alpha has the shape {shapes}: make both the same size.")
    if bits not in (8, 16):
        raise ImageError(f"A picture of {bits} bits cannot be written: choose 8 or 16.")
    path = check_output(path)
    suffix = path.suffix.lower()
    if alpha is None:
        pixels = rgb
    elif suffix in (".jpg", ".jpeg"):
        pixels = composite(rgb, np.ones_like(rgb), alpha)
    else:
        pixels = np.concatenate([rgb, alpha], axis=-1)
    if bits == 16 and suffix in (".png", ".tif", ".tiff"):
        pixels = np.rint(pixels * 65535).astype(np.uint16)
    else:
        pixels = to_uint8(pixels)
    with files.explained(f"{path} cannot be written"):
        if max(pixels.shape) > LONGEST_SIDE.get(suffix, max(pixels.shape)):
            raise ImageError(f"its format holds at most {LONGEST_SIDE[suffix]} px a side; choose .png")
        data = formats.encode(pixels, suffix, exif=exif, quality=quality, xmp=xmp)
    return files.write(path, data)


def check(array: np.ndarray, name: str = "image") -> np.ndarray:
    """The array as an image, or the reason why it is none.

    Args:
        array: float32 or float64 ``[H, W, 3]`` in 0..1; up to 0.001 outside is rounding and is clipped.
        name: what it is, for the sentence.
    Returns:
        float32 ``[H, W, 3]`` in 0..1.
    Raises:
        ImageError: type, shape, range, or a value that is no number.
    """
    return _checked(array, name, 3)


def _checked(array: np.ndarray, name: str, channels: int) -> np.ndarray:
    array = np.asarray(array)
    if array.dtype not in (np.float32, np.float64):
        hint = " and divide by 255" if array.dtype.kind in "iu" else ""
        raise ImageError(f"The {name} has the type {array.dtype}: convert it to float32{hint}.")
    if array.ndim != 3 or array.shape[2] != channels or 0 in array.shape:
        raise ImageError(f"The {name} has the shape {array.shape}: it must be [height, width, {channels}].")
    if not np.isfinite(array).all():
        raise ImageError(f"The {name} has values that are NaN or infinite: look for a division by zero.")
    low, high = float(array.min()), float(array.max())
    if low < -1e-3 or high > 1 + 1e-3:
        advice = "divide it by 255" if high > 2 else "clip or rescale it"
        raise ImageError(f"The {name} has values from {low:.4g} to {high:.4g}, outside 0..1: {advice}.")
    return np.clip(array, 0, 1).astype(np.float32, copy=False)


def resize(image: np.ndarray, size: int | tuple[int, int]) -> np.ndarray:
    """Resized with a bicubic filter, which widens when shrinking: a fine pattern turns gray, not into moiré.

    Bicubic rings less than Lanczos around a product on white.

    Args:
        image: float ``[H, W, C]`` or ``[B, H, W, C]`` in 0..1, any number of channels.
        size: the longer side (the ratio is kept, at least 1 px), or ``(height, width)``.
    Returns:
        float32 in 0..1; the values themselves when the size does not change.
    Raises:
        ImageError: another type, rank or size.
    """
    return np.clip(_resampled(image, size), 0, 1)


def resize_visible(
    rgb: np.ndarray, alpha: np.ndarray | None, size: int | tuple[int, int]
) -> tuple[np.ndarray, np.ndarray | None]:
    """A picture and its alpha resized, each pixel counting by its alpha.

    Else the ground of a cut-out, or the color hidden under its transparent parts, would run into its edge.

    Args:
        rgb: ``[H, W, 3]`` in 0..1, straight (not multiplied with alpha).
        alpha: ``[H, W, 1]``, or None: as ``resize`` alone.
        size: as of ``resize``; what has it already is returned as it is.
    Returns:
        float32 ``[h, w, 3]`` and ``[h, w, 1]`` or None.
    Raises:
        ImageError: as ``resize``.
    """
    resized = None if alpha is None else resize(alpha, size)
    if alpha is None or resized is None or resized.shape == alpha.shape:
        return resize(rgb, size), resized
    counts = np.maximum(alpha, 1e-3)  # of what is hidden, too, a color is left
    # Both overshoot alike beside an edge: clipped before the division, only one of them would.
    colors = _resampled(rgb * counts, size) / np.maximum(_resampled(counts, size), 1e-3)
    return np.clip(colors, 0, 1), resized


def _resampled(image: np.ndarray, size: int | tuple[int, int]) -> np.ndarray:
    """``resize``, with what the filter overshoots."""
    image = np.asarray(image)
    if image.ndim not in (3, 4) or image.dtype.kind != "f" or 0 in image.shape:
        what = f"An array of type {image.dtype} and shape {image.shape}"
        raise ImageError(f"{what} cannot be resized: give floats [H, W, C].")
    old = image.shape[-3:-1]
    try:
        if isinstance(size, int | np.integer):
            height, width = (max(min(1, size), round(side * size / max(old))) for side in old)
        else:
            height, width = (operator.index(side) for side in size)
    except (TypeError, ValueError):
        height = width = 0
    if min(height, width) < 1:
        raise ImageError(f"No image can be resized to {size!r}: give the longer side or (height, width).")
    if (height, width) == old:
        return image.astype(np.float32)
    planes = np.moveaxis(image, -1, -3).astype(np.float32)  # Pillow resizes floats one channel at a time
    resized = np.empty((*planes.shape[:-2], height, width), np.float32)
    for index in np.ndindex(planes.shape[:-2]):
        plane = Image.fromarray(np.ascontiguousarray(planes[index]))
        resized[index] = plane.resize((width, height), Image.Resampling.BICUBIC)
    return np.ascontiguousarray(np.moveaxis(resized, -3, -1))


def composite(foreground: np.ndarray, background: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """``mask * foreground + (1 - mask) * background``; where the mask is 1 or 0 one of them, bit by bit.

    Args:
        foreground: ``[H, W, C]`` or a batch of them.
        background: the same size.
        mask: ``[H, W, 1]``, or one for each of the batch.
    Raises:
        ImageError: the sizes differ.
    """
    foreground, background, mask = np.asarray(foreground), np.asarray(background), np.asarray(mask)
    if foreground.shape[-3:] != background.shape[-3:] or mask.shape[-3:] != (*foreground.shape[-3:-1], 1):
        shapes = f"{foreground.shape}, {background.shape} and mask {mask.shape}"
        raise ImageError(f"Images of the shapes {shapes} cannot be laid over each other: make them one size.")
    blend = mask * foreground + (1 - mask) * background
    return np.where(mask == 1, foreground, np.where(mask == 0, background, blend))


def over(picture: Picture, paper: float = 1.0) -> np.ndarray:
    """The colors of a picture, transparent parts laid over a gray: 0 is black, 1 white."""
    if picture.alpha is None:
        return picture.rgb
    return composite(picture.rgb, np.full_like(picture.rgb, paper), picture.alpha)


def channel_range(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each pixel's lowest and highest channel, ``[..., 1]`` each: NumPy's own over the last axis takes 30 times longer.

    Args:
        image: ``[..., 3]``.
    """
    red, green, blue = image[..., :1], image[..., 1:2], image[..., 2:3]
    return np.minimum(np.minimum(red, green), blue), np.maximum(np.maximum(red, green), blue)


def to_uint8(image: np.ndarray) -> np.ndarray:
    """0..1 to 0..255, rounded: truncation would darken a picture a little at each reading and writing."""
    return np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)


def rgb_to_ycbcr(image: np.ndarray) -> np.ndarray:
    """Luminance and two color differences, each in 0..1 (ITU-T T.871, JFIF: BT.601 over the full range).

    ``Y = 0.299 R + 0.587 G + 0.114 B``, ``Cb = (B - Y) / 1.772 + 1/2``, ``Cr = (R - Y) / 1.402 + 1/2``

    Args:
        image: ``[..., 3]`` in 0..1.
    Returns:
        ``[..., 3]``.
    """
    y = luminance(image)
    cb, cr = (image[..., 2:] - y) / 1.772 + 0.5, (image[..., :1] - y) / 1.402 + 0.5
    return np.concatenate([y, cb, cr], axis=-1)


def ycbcr_to_rgb(ycbcr: np.ndarray) -> np.ndarray:
    """The inverse of ``rgb_to_ycbcr``; not clipped, because not every YCbCr triple is a color of sRGB."""
    y, cb, cr = ycbcr[..., :1], ycbcr[..., 1:2] - 0.5, ycbcr[..., 2:] - 0.5
    red, blue = y + 1.402 * cr, y + 1.772 * cb
    return np.concatenate([red, y - (0.299 * 1.402 * cr + 0.114 * 1.772 * cb) / 0.587, blue], axis=-1)


def luminance(image: np.ndarray) -> np.ndarray:
    """``0.299 R + 0.587 G + 0.114 B`` as ``[..., 1]``, the Y of ``rgb_to_ycbcr``."""
    red, green, blue = image[..., :1], image[..., 1:2], image[..., 2:3]
    return green + 0.299 * (red - green) + 0.114 * (blue - green)  # this form leaves gray exactly as it is
