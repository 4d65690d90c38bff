"""Colors to sRGB, through the ICC profile that a picture file carries. Only ``formats.py`` calls this."""

import functools
import io
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image, ImageCms

from stylelab.errors import ImageError

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
# Bytes 24 to 35 hold the date of creation: without it the same picture gives the same file.
SRGB_BYTES = SRGB.tobytes()[:24] + bytes(12) + SRGB.tobytes()[36:]
IGNORED = "its color profile is damaged or for another kind of picture, and was ignored"


def to_srgb(image: Image.Image, gray: bool, profile: bytes | None, notes: list[str]) -> Image.Image:
    """An 8-bit picture as sRGB; what had to be assumed is added to ``notes``.

    Args:
        image: mode RGB, CMYK, or one that converts to RGB without loss; no transparency.
        gray: its three channels are, or will be, equal.
        profile: the ICC profile; None and damaged ones count as sRGB (CMYK: as Pillow's plain formula).
    """
    if profile:
        try:
            space = _space(profile, gray, cmyk=image.mode == "CMYK")
            if space != "RGB" or not _is_srgb(profile):
                image = _transform(image, space, profile)
            return image.convert("RGB")
        except (ImageCms.PyCMSError, OSError, ValueError):
            notes.append(IGNORED)
    if image.mode == "CMYK":
        notes.append("its CMYK inks have no color profile: the colors are approximate")
    return image.convert("RGB")


def to_srgb_deep(rgb: np.ndarray, gray: bool, profile: bytes | None, notes: list[str]) -> np.ndarray:
    """The same in floating point, for 16-bit pictures, because ImageCms converts 8 bits only.

    Values become linear light through the profile's curves, amounts of sRGB's primaries through its matrix
    (ICC.1:2010, F.3), and sRGB values through sRGB's own curve (IEC 61966-2-1).

    Args:
        rgb: ``[H, W, 3]`` in 0..1.
    Raises:
        ImageError: a profile made of tables; 8 bits would be all that is left of the depth.
    """
    if not profile:
        return rgb
    try:
        space = _space(profile, gray, cmyk=False)
        if space == "RGB" and _is_srgb(profile):
            return rgb
    except (ImageCms.PyCMSError, OSError, ValueError):
        notes.append(IGNORED)
        return rgb
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile)).profile
    tags = {}
    for entry in range(int.from_bytes(profile[128:132], "big")):
        name, start, length = struct.unpack_from(">4sII", profile, 132 + 12 * entry)
        tags[name] = profile[start : start + length]
    if space == "GRAY" and b"kTRC" in tags:
        linear = _curve(tags[b"kTRC"])(rgb)
    elif space == "RGB" and source.is_matrix_shaper:
        curves = [_curve(tags[name]) for name in (b"rTRC", b"gTRC", b"bTRC")]
        linear = np.stack([curve(rgb[..., i]) for i, curve in enumerate(curves)], axis=-1)
        linear = linear @ (np.linalg.inv(_colorants(SRGB.profile)) @ _colorants(source)).T
    else:
        raise ImageError("its 16-bit colors have a profile made of tables; convert it to sRGB or to 8 bits")
    linear = np.clip(linear, 0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def _space(profile: bytes, gray: bool, cmyk: bool) -> str:
    space = ImageCms.ImageCmsProfile(io.BytesIO(profile)).profile.xcolor_space.strip()
    if space != "CMYK" if cmyk else space != "RGB" and not (gray and space == "GRAY"):
        raise ValueError(f"a {space} profile does not fit this picture")
    return space


def _transform(image: Image.Image, space: str, profile: bytes) -> Image.Image:
    source, mode = ImageCms.ImageCmsProfile(io.BytesIO(profile)), "L" if space == "GRAY" else space
    result = ImageCms.applyTransform(image.convert(mode), ImageCms.buildTransform(source, SRGB, mode, "RGB"))
    assert result is not None  # it is None only when done in place
    return result


@functools.lru_cache(maxsize=8)
def _is_srgb(profile: bytes) -> bool:
    """Whether an RGB profile moves no color by more than rounding: then the pixels stay bit by bit."""
    grid = (np.indices((18, 18, 18)).reshape(3, -1).T * 15).astype(np.uint8)[None]
    moved = np.asarray(_transform(Image.fromarray(grid), "RGB", profile))
    return int(np.abs(moved.astype(int) - grid).max()) <= 1


def _colorants(profile: Any) -> np.ndarray:
    """XYZ of the three primaries as columns, adapted to D50."""
    return np.array([profile.red_colorant[0], profile.green_colorant[0], profile.blue_colorant[0]]).T


def _curve(tag: bytes) -> Callable[[np.ndarray], np.ndarray]:
    """The curve of a ``curv`` or ``para`` tag (ICC.1:2010, 10.5 and 10.15), from values to linear light."""
    if tag[:4] == b"curv":
        count = int.from_bytes(tag[8:12], "big")
        table = np.frombuffer(tag, ">u2", count, offset=12).astype(float)
        if count == 1:
            return lambda x: x ** (table[0] / 256)
        return lambda x: np.interp(x, np.linspace(0, 1, count), table / 65535) if count else x
    known = {0: 1, 3: 5, 4: 7}.get(int.from_bytes(tag[8:10], "big"))
    if tag[:4] != b"para" or known is None:
        raise ImageError("its color profile has a rare kind of tone curve; convert it to sRGB")
    values = [value / 65536 for value in struct.unpack_from(f">{known}i", tag, 12)]
    g, a, b, c, d, e, f = values + [1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0][known:]
    return lambda x: np.where(x >= d, np.maximum(a * x + b, 0) ** g + e, c * x + f)
