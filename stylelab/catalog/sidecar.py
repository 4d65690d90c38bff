"""The sidecar: a JSON file beside a picture that says what it was made from, and how.

One picture, one sidecar, one spelling: keys sorted, no clock, no name of a machine, no path. So the same work gives the
same bytes, and any change of a byte is seen. A sidecar is a stranger's file when it is read.
"""

import errno
import hashlib
import json
import stat
from pathlib import Path
from typing import Any

import numpy as np

from .. import files, images
from ..errors import ImageError

LARGEST = 1_000_000  # bytes of a sidecar that is read; ours have about 1,500
FORMAT = 1
# What a sidecar must hold, by key; settings are the caller's.
_SHAPE: dict[str, Any] = {
    "digital_source_type": str,
    "format": int,
    "input": {"name": str, "sha256": str},
    "mask": (None, {"file": str, "pixels_sha256": str}),
    "output": {"name": str, "pixels_sha256": str, "sha256": str},
    "seal": str,
    "settings": dict,
    "sku": str,
    "stylelab": str,
    "title": str,
}


def of(path: str | Path) -> Path:
    """The sidecar's path of a picture: ``shoe.png`` has ``shoe.png.json``, so that ``shoe.jpg`` has its own."""
    path = Path(path)
    return path.with_name(f"{path.name}.json")


def hashed(file: str | Path) -> dict[str, str]:
    """A file's name, without its folder, and the SHA-256 of its bytes.

    Raises:
        ImageError: it cannot be read.
    """
    file = Path(file)
    with files.explained(f"{file} cannot be read"):
        _check_regular(file)
        with file.open("rb") as opened:
            return {"name": file.name, "sha256": hashlib.file_digest(opened, "sha256").hexdigest()}


def pixels(picture: images.Picture) -> str:
    """SHA-256 of a picture as it is seen: upright, in sRGB, with its alpha, at its depth.

    Metadata do not count, unless they change what is seen, as an orientation or another color profile does. Hashed are
    the size, as "width height channels bits" in ASCII and a line feed, then the rows of integers, little-endian.
    """
    values = picture.rgb if picture.alpha is None else np.concatenate([picture.rgb, picture.alpha], axis=-1)
    height, width, channels = values.shape
    rounded = np.rint(values * (2**picture.bits - 1)).astype("<u2" if picture.bits == 16 else "u1")
    digest = hashlib.sha256(f"{width} {height} {channels} {picture.bits}\n".encode())
    digest.update(np.ascontiguousarray(rounded).data)
    return digest.hexdigest()


def digest(content: dict[str, Any]) -> str:
    """SHA-256 of the one spelling of some content."""
    return hashlib.sha256(spelled(content)).hexdigest()


def spelled(content: dict[str, Any]) -> bytes:
    """JSON with sorted keys in plain ASCII.

    Raises:
        ImageError: a value that JSON does not have, as NaN or a path.
    """
    try:
        return json.dumps(content, indent=1, sort_keys=True, allow_nan=False).encode() + b"\n"
    except (TypeError, ValueError, RecursionError) as error:
        raise ImageError(f"The settings cannot be recorded: {error}; give numbers, texts and lists.") from error


def write(path: Path, content: dict[str, Any]) -> Path:
    """Writes the sidecar of ``path``, closed by the hash of all the rest."""
    return files.write(of(path), spelled(content | {"seal": digest(content)}))


def read(path: str | Path) -> dict[str, Any]:
    """The content of the sidecar of ``path``, as it was sealed.

    Raises:
        ImageError: there is none, it is no sidecar of ours, or it was changed after it was written.
    """
    file = of(path)
    with files.explained(f"{file} cannot be read"):
        _check_regular(file)
        with file.open("rb") as opened:
            raw = opened.read(LARGEST + 1)
        if len(raw) > LARGEST:
            raise ImageError(f"it is larger than {LARGEST:,} bytes; a sidecar of StyleLab is not")
        try:
            content = json.loads(raw)
        except (ValueError, RecursionError):
            raise ImageError("it is not JSON; restore it or make the picture again") from None
        if fault := _fault(content, _SHAPE):
            raise ImageError(f"it is no sidecar of StyleLab, since {fault}; restore it or make the picture again")
        if content["format"] != FORMAT:
            raise ImageError(f"it has the format {content['format']}, and this StyleLab reads {FORMAT}; update it")
    rest = {key: value for key, value in content.items() if key != "seal"}
    try:
        sealed = content["seal"] == digest(rest) and raw == spelled(content)
    except ImageError:  # NaN, which Python reads and JSON does not have
        sealed = False
    if not sealed:
        raise ImageError(f"{file} was changed after it was written: restore it or make the picture again.")
    return content


def _check_regular(file: Path) -> None:
    # Asked before opening: opening a named pipe would wait forever for somebody to write into it.
    mode = file.stat().st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "folder")
    if not stat.S_ISREG(mode):
        raise ImageError("it is not a regular file; give a file")


def _fault(content: Any, shape: Any, name: str = "its content") -> str | None:
    """What of the content has not the shape; ``(None, shape)`` allows null as well."""
    if isinstance(shape, tuple):
        return None if content is None else _fault(content, shape[1], name)
    if not isinstance(shape, dict):
        fits = isinstance(content, shape) and not isinstance(content, bool)
        return None if fits else f"{name} is not of the type {shape.__name__}"
    if not isinstance(content, dict):
        return f"{name} is not an object"
    if content.keys() != shape.keys():
        return f"the keys of {name} are not {', '.join(shape)}"
    return next(filter(None, (_fault(content[key], shape[key], f"{key!r}") for key in shape)), None)
