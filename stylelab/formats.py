"""The bytes of picture files to pixels and back: color profiles, 16 bits, transparency, EXIF.

Only ``images.py`` calls this module. It knows no file names: an ``ImageError`` raised here holds the reason
and what to do, and ``images.py`` puts the name before it.
"""

import io
import struct
import warnings
import zlib
from dataclasses import dataclass, replace
from typing import BinaryIO

import numpy as np
from PIL import ExifTags, Image, PngImagePlugin, TiffImagePlugin, UnidentifiedImageError

from stylelab import profiles
from stylelab.errors import ImageError

MAX_PIXELS = 100_000_000
BITS_PER_SAMPLE = 258
PNG_XMP = "XML:com.adobe.xmp"
EXIF_DAMAGED = "its EXIF data is damaged: what could not be read was dropped"

# Pillow reads more, but that runs programs (EPS), has no signature (TGA) or loses its depth unnoticed (PPM).
READABLE = ("JPEG", "MPO", "PNG", "WEBP", "TIFF", "GIF", "BMP", "AVIF", "HEIF")
EIGHT_BIT_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr")
HEIC_BRANDS = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1")

# fmt: off
# Of the first EXIF directory only what describes the picture: in a TIFF the same directory holds its layout.
KEPT_EXIF = (
    "ImageDescription", "Make", "Model", "XResolution", "YResolution", "ResolutionUnit", "Software",
    "DateTime", "Artist", "HostComputer", "Copyright", "Rating", "RatingPercent",
    "XPTitle", "XPComment", "XPAuthor", "XPKeywords", "XPSubject",
)
# Of the second all but serial numbers, the maker's block (it repeats them) and what writing outdates.
DROPPED_EXIF = (
    "BodySerialNumber", "LensSerialNumber", "MakerNote",
    "ExifImageWidth", "ExifImageHeight", "ExifInteroperabilityOffset",
)
# fmt: on


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture file's content, upright and in sRGB.

    Attributes:
        rgb: float32 ``[H, W, 3]`` in 0..1, straight (not multiplied with alpha).
        alpha: float32 ``[H, W, 1]``, or None when the file has no transparency.
        exif: without location, serial numbers, maker note and thumbnail, orientation 1; may be empty.
        bits: 8 or 16, the depth of the file.
        notes: sentences for the user on what was decided while reading.
    """

    rgb: np.ndarray
    alpha: np.ndarray | None
    exif: bytes
    bits: int
    notes: tuple[str, ...]


def decode(file: BinaryIO) -> Picture:
    """Reads the first picture of an open file.

    Raises:
        ImageError: not a picture, too large, damaged, or of a kind whose colors would have to be guessed.
    """
    # What Pillow warns of is refused or noted here, and would otherwise stand in the reader's notebook.
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            with _open(file) as image:
                picture = _decode(image, file)
        except ImageError:
            raise
        except MemoryError:
            raise ImageError("it does not fit into this machine's memory; make it smaller") from None
        except Exception as error:  # Pillow's plugins raise anything from SyntaxError to struct.error
            reason = " ".join(str(error).split()).rstrip(".") or type(error).__name__
            raise ImageError(f"the file is damaged ({reason}); get a new copy of it") from error
    if any(word in str(warning.message) for warning in warned for word in ("EXIF", "Truncated")):
        return replace(picture, notes=(*picture.notes, EXIF_DAMAGED))
    return picture


def _open(file: BinaryIO) -> Image.Image:
    header = file.read(16)
    file.seek(0)
    if not header:
        raise ImageError("the file is empty; get a new copy of it")
    heic = header[4:8] == b"ftyp" and header[8:12] in HEIC_BRANDS
    if heic:
        try:
            import pillow_heif

            pillow_heif.register_heif_opener()
        except ImportError:
            pass
    Image.init()
    try:
        image = Image.open(file, formats=[name for name in READABLE if name in Image.OPEN])
    except UnidentifiedImageError:
        if heic and "HEIF" not in Image.OPEN:
            advice = "install the extra heic (pip install -e '.[heic]') or convert it to JPEG"
            raise ImageError(f"HEIC pictures need the package pillow-heif; {advice}") from None
        kinds = "a whole JPEG, PNG, WebP, TIFF, GIF, BMP, AVIF or HEIC picture"
        raise ImageError(f"its content is not {kinds}; convert it or get a new copy") from None
    except Image.DecompressionBombError:
        raise ImageError(f"it claims far more than {MAX_PIXELS:,} pixels; make it smaller") from None
    if image.width * image.height > MAX_PIXELS:
        size = f"{image.width} x {image.height} pixels, over the limit of {MAX_PIXELS:,}"
        raise ImageError(f"it has {size}; make it smaller")
    return image


def _decode(image: Image.Image, file: BinaryIO) -> Picture:
    notes: list[str] = []
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and image.format != "MPO":  # phones and cameras store a preview as a JPEG's second picture
        kind = "animation of {} frames" if image.format in ("GIF", "PNG", "WEBP", "AVIF") else "file of {} pictures"
        notes.append(f"{kind.format(frames)}: the first is used")
    bits = _depth(image, file)
    if bits == 16:
        pixels = _sixteen_bits(image, file, notes)
        orientation, exif = _exif(image)
    else:
        pixels = _eight_bits(image, notes)
        orientation, exif = _exif(image)  # after loading: some plugins turn the picture themselves
    pixels = np.ascontiguousarray(_upright(pixels, orientation))
    alpha = pixels[..., 3:].copy() if pixels.shape[2] == 4 else None
    return Picture(np.ascontiguousarray(pixels[..., :3]), alpha, exif, bits, tuple(notes))


def _depth(image: Image.Image, file: BinaryIO) -> int:
    if image.format == "PNG":
        file.seek(24)  # IHDR: the bit depth follows signature, chunk head, width and height
        return 16 if file.read(1) == b"\x10" else 8
    if isinstance(image, TiffImagePlugin.TiffImageFile) and 16 in image.tag_v2.get(BITS_PER_SAMPLE, (1,)):
        return 16
    if image.mode not in EIGHT_BIT_MODES:
        kind = f"its pixels are of a kind without a fixed range or meaning here (Pillow mode {image.mode})"
        raise ImageError(f"{kind}; save it as 8-bit or 16-bit RGB")
    return 8


def _eight_bits(image: Image.Image, notes: list[str]) -> np.ndarray:
    """float32 ``[H, W, 3 or 4]`` in sRGB."""
    image.load()
    gray, profile = image.mode in ("1", "L", "LA"), image.info.get("icc_profile")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        pixels = np.asarray(image).astype(np.float32)
        pixels[..., :3] = np.asarray(profiles.to_srgb(image.convert("RGB"), gray, profile, notes))
    else:
        pixels = np.asarray(profiles.to_srgb(image, gray, profile, notes)).astype(np.float32)
    return pixels / 255


def _sixteen_bits(image: Image.Image, file: BinaryIO, notes: list[str]) -> np.ndarray:
    """The same for a PNG or TIFF of 16 bits, of which Pillow keeps only the high byte."""
    file.seek(0)
    pixels = (_png_16 if image.format == "PNG" else _tiff_16)(image, file).astype(np.float32) / 65535
    rgb = pixels[..., :3]
    gray = bool((rgb == rgb[..., :1]).all())
    pixels[..., :3] = profiles.to_srgb_deep(rgb, gray, image.info.get("icc_profile"), notes)
    return pixels


def _png_16(image: Image.Image, file: BinaryIO) -> np.ndarray:
    from stylelab.backend import tf

    channels = 4 if image.has_transparency_data else 3
    try:
        return tf.io.decode_png(file.read(), channels=channels, dtype=tf.uint16).numpy()
    except tf.errors.InvalidArgumentError:
        raise ValueError("broken PNG data") from None


def _tiff_16(image: Image.Image, file: BinaryIO) -> np.ndarray:
    import tifffile

    page = tifffile.TiffFile(file).pages.first
    photometric = int(page.photometric)
    if page.dtype != np.uint16 or photometric not in (0, 1, 2):  # white is zero, black is zero, RGB
        raise ImageError("it is a 16-bit TIFF that is neither gray nor RGB; save it as 16-bit RGB")
    try:
        pixels = page.asarray().reshape(page.shape)
    except ValueError as error:
        if "imagecodecs" not in str(error):
            raise
        kind = tifffile.COMPRESSION(page.compression).name
        advice = "save it uncompressed or with ZIP compression, or install the package imagecodecs"
        raise ImageError(f"it is a 16-bit TIFF compressed with {kind}; {advice}") from None
    pixels = np.moveaxis(pixels, page.axes.index("S"), -1) if "S" in page.axes else pixels[..., None]
    colors = 3 if photometric == 2 else 1
    color = 65535 - pixels[..., :colors] if photometric == 0 else pixels[..., :colors]
    color = np.broadcast_to(color, (*color.shape[:2], 3))
    extra = int(page.extrasamples[0]) if page.extrasamples else 0
    if extra not in (1, 2):  # 1 alpha multiplied into the colors, 2 straight alpha, 0 unspecified
        return color
    alpha = pixels[..., colors : colors + 1]
    if extra == 1:
        color = np.minimum(np.rint(color / np.maximum(alpha, 1) * 65535.0), 65535).astype(np.uint16)
    return np.concatenate([color, alpha], axis=-1)


def _upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Undoes the EXIF orientation (tag 274) of ``[H, W, C]``: 5 to 8 are transposed, then mirrored."""
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return pixels


def _exif(image: Image.Image) -> tuple[int, bytes]:
    """The orientation (1..8) and the EXIF that may be written again."""
    orientation, kept = 1, b""
    try:
        exif = image.getexif()
        orientation = exif.get(ExifTags.Base.Orientation, 1)
        kept = _clean(exif)
    except Exception:  # as many kinds of damage as kinds of exception
        warnings.warn(EXIF_DAMAGED, stacklevel=1)  # joins Pillow's own in decode
    return orientation if orientation in range(1, 9) else 1, kept


def _clean(exif: Image.Exif) -> bytes:
    """Without location, serial numbers, maker note and thumbnail; upright; ``b""`` when nothing is left."""
    kept = Image.Exif()
    for tag in (ExifTags.Base[name] for name in KEPT_EXIF):
        if tag in exif:
            kept[tag] = exif[tag]
    dropped = {ExifTags.Base[name] for name in DROPPED_EXIF}
    details = exif.get_ifd(ExifTags.IFD.Exif).items()
    if rest := {tag: value for tag, value in details if tag not in dropped}:
        kept[ExifTags.IFD.Exif] = rest
    if not len(kept):
        return b""
    kept[ExifTags.Base.Orientation] = 1
    return kept.tobytes()


def encode(pixels: np.ndarray, suffix: str, *, exif: bytes, quality: int, xmp: bytes = b"") -> bytes:
    """The bytes of a file that holds sRGB pixels.

    Args:
        pixels: uint8 or uint16 (PNG and TIFF only) ``[H, W, 3 or 4]``; four channels not for JPEG.
        suffix: lower case, with the dot.
        exif: cleaned again, because a caller may have it from elsewhere.
        xmp: a whole packet, stored as it is where the format has its place (ISO 16684-3); at most 65,502 bytes in JPEG.
    """
    loaded = Image.Exif()
    loaded.load(exif)
    exif = _clean(loaded)
    if suffix in (".tif", ".tiff"):
        return _tiff(pixels, exif, xmp)
    if pixels.dtype == np.uint16:
        return _png_of_16(pixels, exif, xmp)
    buffer = io.BytesIO()
    kind = {".png": "PNG", ".webp": "WEBP"}.get(suffix, "JPEG")
    info = PngImagePlugin.PngInfo()
    if xmp:
        info.add_itxt(PNG_XMP, xmp.decode())
    # Each takes its own. JPEG's default halves the colors, seen at a red shoe's edge; PNG's 6 is slower for 0.4 %.
    options = {"quality": quality, "subsampling": 0, "xmp": xmp, "pnginfo": info, "compress_level": 4}
    Image.fromarray(pixels).save(buffer, kind, icc_profile=profiles.SRGB_BYTES, exif=exif, **options)
    return buffer.getvalue()


def _png_of_16(pixels: np.ndarray, exif: bytes, xmp: bytes) -> bytes:
    """Pillow has no 16-bit RGB, and TensorFlow's encoder no metadata: its chunks go in after the header."""
    from stylelab.backend import tf

    png = tf.io.encode_png(pixels).numpy()
    itxt = PNG_XMP.encode() + bytes(5) + xmp if xmp else b""  # not compressed, no language, no translation
    profile = b"sRGB\0\0" + zlib.compress(profiles.SRGB_BYTES)
    for name, data in ((b"iCCP", profile), (b"eXIf", exif.removeprefix(b"Exif\0\0")), (b"iTXt", itxt)):
        if data:
            chunk = struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
            png = png[:33] + chunk + png[33:]  # signature 8, IHDR 25
    return png


def _tiff(pixels: np.ndarray, exif: bytes, xmp: bytes) -> bytes:
    """One deflated strip with horizontal differences (TIFF 6.0, section 14), any depth, EXIF included."""
    height, width, channels = pixels.shape
    bits = pixels.itemsize * 8
    steps = np.diff(pixels, axis=1, prepend=pixels.dtype.type(0))  # unsigned: wraps around, as it should
    strip = zlib.compress(steps.astype(steps.dtype.newbyteorder("<")).tobytes())
    head = b"II*\0\x08\0\0\0"
    directory = TiffImagePlugin.ImageFileDirectory_v2(head)
    described = Image.Exif()
    described.load(exif)
    for tag in described:
        directory[tag] = described.get_ifd(tag) if tag == ExifTags.IFD.Exif else described[tag]
    layout = {
        "ImageWidth": width,
        "ImageLength": height,
        "BitsPerSample": (bits,) * channels,
        "Compression": 8,  # deflate
        "PhotometricInterpretation": 2,  # RGB
        "StripOffsets": 0,  # counted by Pillow from the end of the directory
        "SamplesPerPixel": channels,
        "RowsPerStrip": height,
        "StripByteCounts": len(strip),
        "Predictor": 2,  # horizontal differences
        "InterColorProfile": profiles.SRGB_BYTES,
    }
    for name, value in layout.items():
        directory[ExifTags.Base[name]] = value
    if channels == 4:
        directory[338] = 2  # ExtraSamples: straight alpha
    if xmp:
        directory[700] = xmp
    return head + directory.tobytes(len(head)) + strip
