"""Broken and unusual picture files, made when they are needed: what comes in from cameras, shops and the web.

``CORPUS`` holds one record for each kind. Whatever reads pictures must give for each the right picture or one
sentence, and must never change the file. Nothing here is made with StyleLab.
"""

import functools
import io
import os
import struct
import subprocess
import sys
import textwrap
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from PIL import Image, ImageCms

HEIGHT, WIDTH = 24, 32


@dataclass(frozen=True)
class Broken:
    """One kind of file.

    Attributes:
        name: of the file; unique, so it is a test's id.
        make: writes it into a folder and returns its path.
        error: words that the sentence must contain, or None when the file is a picture.
        check: asserts that what ``stylelab.images.open_picture`` returned is right.
    """

    name: str
    make: Callable[[Path], Path]
    error: tuple[str, ...] | None = None
    check: Callable[[Any], None] = lambda picture: None


def scene() -> np.ndarray:
    """uint8 ``[24, 32, 3]``: smooth, and no two corners alike, so that every turn and mirroring shows."""
    y, x = np.mgrid[0 : 1 : HEIGHT * 1j, 0 : 1 : WIDTH * 1j]
    return np.rint(np.stack([40 + 180 * x, 30 + 200 * y, 200 - 150 * x * y], axis=-1)).astype(np.uint8)


def deep_scene() -> np.ndarray:
    """uint16 ``[24, 32, 3]`` whose low bytes differ from what its high bytes would suggest."""
    return (
        scene().astype(np.uint16) * 256 + np.arange(HEIGHT * WIDTH * 3, dtype=np.uint16).reshape(HEIGHT, WIDTH, 3) % 256
    )


def profile(space: bytes, tags: dict[bytes, bytes], pcs: bytes = b"XYZ ") -> bytes:
    """An ICC profile, version 2.4, from the bytes of its tags."""
    tags = {b"wtpt": b"XYZ \0\0\0\0" + struct.pack(">3i", 63190, 65536, 54061), **tags}
    table, body, start = b"", b"", 132 + 12 * len(tags)
    for name, data in tags.items():
        data += bytes(-len(data) % 4)
        table += struct.pack(">4sII", name, start + len(body), len(data))
        body += data
    head = struct.pack(
        ">I4xI4s4s4s12x4s28x3i48x",
        start + len(body),
        0x02400000,
        b"prtr" if space == b"CMYK" else b"mntr",
        space,
        pcs,
        b"acsp",
        63190,
        65536,
        54061,
    )
    return head + struct.pack(">I", len(tags)) + table + body


def matrix_profile(curve: bytes, primaries: tuple[str, str, str] = ("r", "g", "b")) -> bytes:
    """An RGB profile with sRGB's primaries, in any order, and one tone curve for all."""
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).profile
    columns = {"r": srgb.red_colorant[0], "g": srgb.green_colorant[0], "b": srgb.blue_colorant[0]}
    tags = {}
    for channel, primary in zip("rgb", primaries, strict=True):
        xyz = [round(value * 65536) for value in columns[primary]]
        tags[channel.encode() + b"XYZ"] = b"XYZ \0\0\0\0" + struct.pack(">3i", *xyz)
        tags[channel.encode() + b"TRC"] = curve
    return profile(b"RGB ", tags)


def curve(*values: int) -> bytes:
    """A ``curv`` tag: nothing is linear, one value a gamma times 256, more are a table of 16-bit values."""
    return b"curv\0\0\0\0" + struct.pack(f">I{len(values)}H", len(values), *values)


def parametric(kind: int, *values: float) -> bytes:
    """A ``para`` tag."""
    return b"para\0\0\0\0" + struct.pack(f">HH{len(values)}i", kind, 0, *(round(v * 65536) for v in values))


SRGB_CURVE = parametric(3, 2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)


def cmyk_profile() -> bytes:
    """Inks as nobody sells them: 'cyan' prints orange, so what ignores the profile cannot be right."""
    cube = []
    for corner in np.ndindex(2, 2, 2, 2):
        cyan, magenta, yellow, black = corner
        lightness = 255 * (1 - 0.4 * cyan - 0.2 * magenta - 0.1 * yellow) * (1 - black)
        cube += [round(lightness), 128 + 60 * cyan * (1 - black), 128 + 60 * cyan * (1 - black)]
    identity = struct.pack(">9i", *(np.eye(3, dtype=int) * 65536).ravel())
    table = (
        b"mft1\0\0\0\0" + bytes([4, 3, 2, 0]) + identity + bytes(range(256)) * 4 + bytes(cube) + bytes(range(256)) * 3
    )
    return profile(b"CMYK", {b"A2B0": table}, pcs=b"Lab ")


def png(pixels: np.ndarray, *chunks: tuple[bytes, bytes], size: tuple[int, int] | None = None) -> bytes:
    """A PNG of any depth; ``size`` (width, height) is what the header claims instead of the truth."""
    height, width, channels = pixels.shape
    depth, color = pixels.itemsize * 8, {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    rows = b"".join(b"\0" + row.tobytes() for row in pixels.astype(pixels.dtype.newbyteorder(">")))
    claimed = size or (width, height)
    parts = [(b"IHDR", struct.pack(">IIBBBBB", *claimed, depth, color, 0, 0, 0)), *chunks]
    parts += [(b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    packed = (struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def iccp(profile: bytes) -> tuple[bytes, bytes]:
    """The PNG chunk that holds a profile."""
    return b"iCCP", b"p\0\0" + zlib.compress(profile)


def encoded(pixels: Image.Image | np.ndarray, kind: str, **options: Any) -> bytes:
    """The bytes of a file that Pillow writes."""
    image = Image.fromarray(np.ascontiguousarray(pixels)) if isinstance(pixels, np.ndarray) else pixels
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def tiff(pixels: np.ndarray, **options: Any) -> bytes:
    """The bytes of a file that tifffile writes."""
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, pixels, **options)
    return buffer.getvalue()


def exif(orientation: int = 1) -> Image.Exif:
    """What a phone writes: where, which camera, when, by whom."""
    tags = Image.Exif()
    tags[0x010F], tags[0x0112], tags[0x8298] = "Canon", orientation, "(c) a photographer"
    tags[0x8825] = {1: "N", 2: (47.0, 22.0, 1.5), 3: "E", 4: (8.0, 32.0, 0.5)}
    tags[0x8769] = {
        0x9003: "2024:05:01 12:00:00",
        0xA431: "SERIAL0815",
        0xA435: "LENS4711",
        0x927C: b"MAKERNOTE",
    }
    return tags


# How a camera that was held that way stores the upright scene (EXIF 2.32, tag 274).
TURNED: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    1: lambda a: a,
    2: np.fliplr,
    3: lambda a: np.rot90(a, 2),
    4: np.flipud,
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, 1),
    7: lambda a: np.rot90(a, 2).swapaxes(0, 1),
    8: lambda a: np.rot90(a, -1),
}


def shows(
    rgb: np.ndarray, alpha: np.ndarray | None = None, tolerance: float = 0, note: str = "", bits: int = 8
) -> Callable[[Any], None]:
    """A check: these integer pixels, exactly unless told otherwise, and exactly the notes expected."""
    levels = 255 if rgb.dtype == np.uint8 else 65535
    expected = rgb if rgb.ndim == 3 else np.repeat(rgb[..., None], 3, axis=-1)

    def check(picture: Any) -> None:
        assert picture.rgb.dtype == np.float32
        assert picture.rgb.shape == expected.shape
        assert np.abs(picture.rgb * np.float32(levels) - expected).max() <= tolerance + 0.01
        if alpha is None:
            assert picture.alpha is None
        else:
            assert picture.alpha.shape == (*expected.shape[:2], 1)
            assert np.abs(picture.alpha[..., 0] * levels - alpha).max() <= 0.01
        assert picture.bits == bits
        assert len(picture.notes) == bool(note)
        assert note in "".join(picture.notes)

    return check


def cleaned(picture: Any) -> None:
    """A check: the location, the serial numbers and the maker's note are gone, the rest is there."""
    kept = Image.Exif()
    kept.load(picture.exif)
    assert kept[0x010F] == "Canon"
    assert kept[0x8298] == "(c) a photographer"
    assert kept[0x0112] == 1
    assert kept.get_ifd(0x8769) == {0x9003: "2024:05:01 12:00:00"}
    assert 0x8825 not in kept
    for secret in (b"SERIAL0815", b"LENS4711", b"MAKERNOTE"):
        assert secret not in picture.exif


# Arrays that are no image, and the words of the sentence that must say so.
ARRAYS: dict[str, tuple[Any, tuple[str, ...]]] = {
    "nan": (np.full((4, 4, 3), np.nan, np.float32), ("NaN",)),
    "infinite": (np.full((4, 4, 3), np.inf, np.float32), ("infinite",)),
    "one nan": (np.where(np.arange(48).reshape(4, 4, 3) == 17, np.nan, 0.5), ("NaN",)),
    "bytes": (np.zeros((4, 4, 3), np.uint8), ("uint8", "divide by 255")),
    "integers": (np.zeros((4, 4, 3), np.int64), ("int64", "float32")),
    "half": (np.zeros((4, 4, 3), np.float16), ("float16", "float32")),
    "complex": (np.zeros((4, 4, 3), np.complex64), ("complex64",)),
    "text": (np.full((4, 4, 3), "x"), ("float32",)),
    "0 to 255": (np.full((4, 4, 3), 200.0, np.float32), ("200", "divide it by 255")),
    "-1 to 1": (np.linspace(-1, 1, 48).reshape(4, 4, 3), ("-1 to 1", "rescale")),
    "a little too bright": (np.full((4, 4, 3), 1.01), ("1.01",)),
    "batch": (np.zeros((1, 4, 4, 3), np.float32), ("(1, 4, 4, 3)", "[height, width, 3]")),
    "no channels": (np.zeros((4, 4), np.float32), ("(4, 4)",)),
    "gray": (np.zeros((4, 4, 1), np.float32), ("(4, 4, 1)",)),
    "with alpha": (np.zeros((4, 4, 4), np.float32), ("(4, 4, 4)",)),
    "channels first": (np.zeros((3, 4, 4), np.float32), ("(3, 4, 4)",)),
    "no pixels": (np.zeros((0, 4, 3), np.float32), ("(0, 4, 3)",)),
    "nothing": (None, ("object",)),
}


def in_process(script: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Runs Python code in its own process; ``images``, ``ImageError``, ``np``, ``os``, ``sys`` are there."""
    start = "import os, sys, numpy as np; from stylelab import images; from stylelab.errors import ImageError"
    script = f"{start}\n{textwrap.dedent(script)}"
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def as_user(script: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """The same as somebody who may not do everything: root becomes nobody, others stay who they are."""
    # Pillow's plugins are loaded before, because nobody may lack the right to read their folder.
    start = """
    from PIL import Image
    Image.init()
    if os.getuid() == 0:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
    """
    return in_process(textwrap.dedent(start) + textwrap.dedent(script), *arguments)


CORPUS: list[Broken] = []


def bad(name: str, content: bytes | Callable[[Path], Any], *words: str) -> None:
    """Adds a file that cannot be used. ``content`` is its bytes, or makes it at the path that it is given."""
    CORPUS.append(Broken(name, functools.partial(_make, name, content), words))


def good(name: str, content: bytes | Callable[[Path], Any], check: Callable[[Any], None]) -> None:
    """Adds an unusual file that is a picture all the same."""
    CORPUS.append(Broken(name, functools.partial(_make, name, content), None, check))


def _make(name: str, content: bytes | Callable[[Path], Any], folder: Path) -> Path:
    path = folder / name
    if callable(content):
        content(path)
    else:
        path.write_bytes(content)
    return path


RGB, DEEP = scene(), deep_scene()
GRAY = RGB[..., 0]
ALPHA = np.rint(np.linspace(0, 255, WIDTH)).astype(np.uint8) * np.ones((HEIGHT, 1), np.uint8)
DEEP_ALPHA = (ALPHA * 257.0 - 3 * (ALPHA > 3)).astype(np.uint16)
RGBA, DEEP_RGBA = np.dstack([RGB, ALPHA]), np.dstack([DEEP, DEEP_ALPHA])
jpeg = functools.partial(encoded, kind="JPEG", quality=95, subsampling=0)
rgb_tiff = functools.partial(tiff, photometric="rgb")
soft = functools.partial(shows, tolerance=6)  # levels by which JPEG at quality 95 may move a smooth picture
deep = functools.partial(shows, bits=16)

# Not there, not a file, not a picture
bad("missing.jpg", lambda path: None, "no such file", "check its name")
bad("n" * 300 + ".jpg", lambda path: None, "name is too long")
bad("folder.jpg", Path.mkdir, "is a folder", "give one picture")
bad("dangling.jpg", lambda path: path.symlink_to(path.with_name("gone.jpg")), "no such file")
bad("pipe.jpg", os.mkfifo, "not a regular file")
bad("empty.jpg", b"", "is empty", "new copy")
UNKNOWN = ("not a whole JPEG", "convert")
bad("text.jpg", b"sku,price\n1,2\n" * 20, *UNKNOWN)
bad("web_page.png", b"<!DOCTYPE html><html><body>404 Not Found</body></html>", *UNKNOWN)
bad("drawing.png", b'<svg xmlns="http://www.w3.org/2000/svg"><rect width="9" height="9"/></svg>', *UNKNOWN)
bad("postscript.eps", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nquit\n", *UNKNOWN)
bad("page.pdf", b"%PDF-1.7\n1 0 obj\n", *UNKNOWN)
bad("archive.jpg", b"PK\x03\x04" + bytes(60), *UNKNOWN)
bad("film.mp4", b"\0\0\0\x20ftypisom\0\0\2\0isomiso2mp41" + bytes(60), *UNKNOWN)
bad("phone.heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(200), "HEIC")

# Damaged
DAMAGED = ("damaged", "new copy")
bad("truncated.jpg", jpeg(RGB)[: len(jpeg(RGB)) // 2], *DAMAGED)
bad("head_only.jpg", jpeg(RGB)[:30], *DAMAGED)
bad("truncated.png", png(RGB)[: len(png(RGB)) * 2 // 3], *DAMAGED)
bad("truncated16.png", png(DEEP)[:-400], *DAMAGED)
bad("truncated.tif", rgb_tiff(RGB)[:-600], *DAMAGED)
bad("truncated16.tif", rgb_tiff(DEEP, compression="zlib")[:-600], *DAMAGED)
bad("truncated.gif", encoded(RGB, "GIF")[:-300], *DAMAGED)
bad("truncated.webp", encoded(RGB, "WEBP", lossless=True)[:-100], "new copy")
bad("signature_only.png", png(RGB)[:8], "new copy")
bad("flipped_bits.png", png(RGB)[:100] + b"\xa5\x5a" + png(RGB)[102:], *DAMAGED)

# Larger than can be held
bad("bomb.png", png(RGB, size=(100_000, 100_000)), "100,000,000 pixels", "smaller")
bad("bomb16.png", png(DEEP, size=(90_000, 90_000)), "100,000,000 pixels", "smaller")
bad("endless_side.png", png(RGB, size=(2**31 - 1, 2)), "100,000,000 pixels", "smaller")
bad("over_the_limit.png", png(RGB, size=(12_000, 10_000)), "12000 x 10000", "100,000,000", "smaller")

# Colors that would have to be guessed
bad("float_rgb.tif", rgb_tiff(RGB.astype(np.float32)), "convert")
bad("float_gray.tif", tiff(GRAY.astype(np.float32)), "fixed range", "8-bit or 16-bit")
bad("half_float.tif", tiff(GRAY.astype(np.float16)), "convert")
bad("signed16.tif", tiff(GRAY.astype(np.int16)), "neither gray nor RGB")
bad("cmyk16.tif", tiff(np.dstack([DEEP, DEEP_ALPHA]), photometric="separated"), "neither gray nor RGB")

# Sizes
good("1x1.png", encoded(RGB[:1, :1], "PNG"), shows(RGB[:1, :1]))
good("1x4000.png", encoded(np.resize(RGB, (4000, 1, 3)), "PNG"), shows(np.resize(RGB, (4000, 1, 3))))
good("20000_wide.png", encoded(np.resize(RGB, (9, 20_000, 3)), "PNG"), shows(np.resize(RGB, (9, 20_000, 3))))

# Names and wrappings
good("really_png.jpg", png(RGB), shows(RGB))
good("no_extension", png(RGB), shows(RGB))
good("Größe 40 (schön).png", png(RGB), shows(RGB))
good("IMG_0001.JPG", jpeg(RGB), soft(RGB))
good("trailing_garbage.jpg", jpeg(RGB) + bytes(range(256)) * 20, soft(RGB))


def _link(path: Path) -> None:
    path.with_name("target").write_bytes(png(RGB))
    path.symlink_to("target")


good("link.png", _link, shows(RGB))

# Modes
good("progressive.jpg", jpeg(RGB, progressive=True), soft(RGB))
good("old.bmp", encoded(RGB, "BMP"), shows(RGB))
good("lossless_alpha.webp", encoded(RGBA, "WEBP", lossless=True, exact=True), shows(RGB, ALPHA))
good("gray.png", encoded(GRAY, "PNG"), shows(GRAY))
good("gray.jpg", jpeg(Image.fromarray(GRAY)), soft(GRAY))
good("fax.png", encoded(Image.fromarray(GRAY > 128), "PNG"), shows((GRAY > 128) * np.uint8(255)))
good("gray_alpha.png", png(np.dstack([GRAY, ALPHA])), shows(GRAY, ALPHA))
good("rgb_alpha.png", png(RGBA), shows(RGB, ALPHA))
PALETTE = Image.fromarray(RGB).quantize(32)
INDICES, COLORS = np.asarray(PALETTE), np.asarray(PALETTE.convert("RGB"))
FADE = np.arange(256)[::-1].astype(np.uint8)
good("palette.png", encoded(PALETTE, "PNG"), shows(COLORS))
good("palette_hole.png", encoded(PALETTE, "PNG", transparency=3), shows(COLORS, 255 * (INDICES != 3)))
good("palette_fade.png", encoded(PALETTE, "PNG", transparency=FADE.tobytes()), shows(COLORS, FADE[INDICES]))
good("palette_hole.gif", encoded(PALETTE, "GIF", transparency=3), shows(COLORS, 255 * (INDICES != 3)))


def key(pixels: np.ndarray) -> tuple[tuple[bytes, bytes], np.ndarray]:
    """The chunk that makes the first pixel's color transparent, and the alpha that follows from it."""
    return (b"tRNS", pixels[0, 0].astype(">u2").tobytes()), (pixels != pixels[0, 0]).any(axis=-1)


KEY, KEYED = key(RGB)
good("transparent_color.png", png(RGB, KEY), shows(RGB, 255 * KEYED))
KEY, KEYED = key(GRAY[..., None])
good("transparent_gray.png", png(GRAY[..., None], KEY), shows(GRAY, 255 * KEYED))

# 16 bits
good("rgb16.png", png(DEEP), deep(DEEP))
good("gray16.png", png(DEEP[..., :1]), deep(DEEP[..., 0]))
good("rgb_alpha16.png", png(DEEP_RGBA), deep(DEEP, DEEP_ALPHA))
good("gray_alpha16.png", png(np.dstack([DEEP[..., 0], DEEP_ALPHA])), deep(DEEP[..., 0], DEEP_ALPHA))
KEY, KEYED = key(DEEP)
good("transparent_color16.png", png(DEEP, KEY), deep(DEEP, 65535 * KEYED))
good("rgb16.tif", rgb_tiff(DEEP), deep(DEEP))
good("big_endian16.tif", rgb_tiff(DEEP, byteorder=">"), deep(DEEP))
good("planar16.tif", rgb_tiff(np.moveaxis(DEEP, -1, 0), planarconfig="separate"), deep(DEEP))
good("zip16.tif", rgb_tiff(DEEP, compression="zlib", predictor=True), deep(DEEP))
good("gray16.tif", tiff(DEEP[..., 0]), deep(DEEP[..., 0]))
good("white_is_zero16.tif", tiff(65535 - DEEP[..., 0], photometric="miniswhite"), deep(DEEP[..., 0]))
good("rgb_alpha16.tif", rgb_tiff(DEEP_RGBA, extrasamples=["unassalpha"]), deep(DEEP, DEEP_ALPHA))
HALF = np.full((HEIGHT, WIDTH), 32768, np.uint16)
PREMULTIPLIED = rgb_tiff(np.dstack([DEEP // 2, HALF]), extrasamples=["assocalpha"])
good("premultiplied16.tif", PREMULTIPLIED, deep(DEEP, HALF, tolerance=2))

# Color profiles
INKS = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
INKS[:, :8, 0] = INKS[:, 8:16, 1] = INKS[:, 16:24, 3] = 255
CMYK = Image.frombytes("CMYK", (WIDTH, HEIGHT), INKS.tobytes())
PLAIN = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
PLAIN[:, :8, 0] = PLAIN[:, 8:16, 1] = PLAIN[:, 16:24] = 0
good("cmyk.jpg", jpeg(CMYK), shows(PLAIN, tolerance=16, note="approximate"))
good("cmyk.tif", encoded(CMYK, "TIFF"), shows(PLAIN, note="approximate"))


def inks_of_the_profile(picture: Any) -> None:
    """A check: 'cyan' is Lab (60, 60, 60), an orange; black and bare paper are themselves."""
    cyan, black, paper = picture.rgb[4, 4], picture.rgb[4, 20], picture.rgb[4, 28]
    assert cyan[0] > 0.8 and cyan[2] < 0.3
    assert black.max() < 0.1 and paper.min() > 0.95
    assert picture.notes == ()


good("cmyk_profile.jpg", jpeg(CMYK, icc_profile=cmyk_profile()), inks_of_the_profile)
good("cmyk_profile.tif", encoded(CMYK, "TIFF", icc_profile=cmyk_profile()), inks_of_the_profile)

SWAPPED = matrix_profile(SRGB_CURVE, ("g", "r", "b"))
exchanged = functools.partial(shows, RGB[..., [1, 0, 2]], tolerance=1)
deep_exchanged = deep(DEEP[..., [1, 0, 2]], tolerance=24)  # a profile rounds its matrix to 1/65536
good("srgb_profile.png", png(RGB, iccp(matrix_profile(SRGB_CURVE))), shows(RGB))
good("swapped.png", png(RGB, iccp(SWAPPED)), exchanged())
good("swapped_alpha.png", png(RGBA, iccp(SWAPPED)), exchanged(ALPHA))
good("swapped.webp", encoded(RGB, "WEBP", lossless=True, icc_profile=SWAPPED), exchanged())
good("swapped16.png", png(DEEP, iccp(SWAPPED)), deep_exchanged)
good("swapped16.tif", rgb_tiff(DEEP, iccprofile=SWAPPED), deep_exchanged)

LINEAR = profile(b"GRAY", {b"kTRC": curve()})
LIGHT = np.where(GRAY / 255 <= 0.0031308, 12.92 * GRAY / 255, 1.055 * (GRAY / 255) ** (1 / 2.4) - 0.055)
LIGHT_8, LIGHT_16 = np.rint(LIGHT * 255).astype(np.uint8), np.rint(LIGHT * 65535).astype(np.uint16)
good("linear_gray.png", png(GRAY[..., None], iccp(LINEAR)), shows(LIGHT_8, tolerance=1))
good("linear_gray_alpha.png", png(np.dstack([GRAY, ALPHA]), iccp(LINEAR)), shows(LIGHT_8, ALPHA, tolerance=1))
good("linear_gray16.png", png(GRAY[..., None] * np.uint16(257), iccp(LINEAR)), deep(LIGHT_16, tolerance=1))

DAMAGED_PROFILE = SWAPPED[:60] + b"\xff" * 200
IGNORED = "profile is damaged"
good("damaged_profile.png", png(RGB, iccp(DAMAGED_PROFILE)), shows(RGB, note=IGNORED))
good("damaged_profile16.png", png(DEEP, iccp(DAMAGED_PROFILE)), deep(DEEP, note=IGNORED))
good("gray_profile_on_color.png", png(RGB, iccp(LINEAR)), shows(RGB, note=IGNORED))

# EXIF
for _number, _turn in TURNED.items():
    good(f"turned{_number}.jpg", jpeg(_turn(RGB), exif=exif(_number)), soft(RGB))
good("turned99.jpg", jpeg(RGB, exif=exif(99)), soft(RGB))
good("turned6.png", encoded(TURNED[6](RGB), "PNG", exif=exif(6)), shows(RGB))
good("turned6.webp", encoded(TURNED[6](RGB), "WEBP", lossless=True, exif=exif(6)), shows(RGB))
good("turned6.tif", rgb_tiff(TURNED[6](RGB), extratags=[(274, 3, 1, 6, True)]), shows(RGB))
good("turned8_16.tif", rgb_tiff(TURNED[8](DEEP), extratags=[(274, 3, 1, 8, True)]), deep(DEEP))
good("turned5_16.png", png(TURNED[5](DEEP), (b"eXIf", exif(5).tobytes()[6:])), deep(DEEP))
good("private.jpg", jpeg(RGB, exif=exif()), cleaned)
good("private.webp", encoded(RGB, "WEBP", exif=exif()), cleaned)
good("private.png", encoded(RGB, "PNG", exif=exif()), cleaned)
good("private.tif", encoded(RGB, "TIFF", exif=exif().tobytes()), cleaned)
EXIF_DAMAGED = "EXIF data is damaged"
WRONG_OFFSET = b"Exif\0\0II*\0\xff\xff\xff\x7f" + b"\xff" * 40
good("exif_wrong_offset.jpg", jpeg(RGB, exif=WRONG_OFFSET), soft(RGB, note=EXIF_DAMAGED))
for _size in (14, 60, 120, 160):
    good(f"exif_cut{_size}.jpg", jpeg(RGB, exif=exif().tobytes()[:_size]), soft(RGB, note=EXIF_DAMAGED))

# Several pictures in one file
FIRST, *REST = (Image.new("RGB", (WIDTH, HEIGHT), color) for color in ("red", "lime", "blue"))
sequence = functools.partial(encoded, FIRST, save_all=True, append_images=REST)
first = functools.partial(shows, np.asarray(FIRST))
good("animation.gif", sequence("GIF"), first(note="animation of 3 frames: the first"))
good("animation.png", sequence("PNG"), first(note="animation of 3 frames: the first"))
good("animation.webp", sequence("WEBP", lossless=True), first(note="animation of 3 frames: the first"))
good("pages.tif", sequence("TIFF"), first(note="file of 3 pictures: the first"))
good("with_previews.jpg", sequence("MPO", quality=98), first(tolerance=4))
