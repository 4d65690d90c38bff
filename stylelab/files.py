"""Writing files whole or not at all, and why the system refuses one, in a sentence."""

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from stylelab.errors import ImageError

_DENIED = "permission denied; change its permissions or choose another place"
_NO_FOLDER = "a part of its path is a file, not a folder; check the path"
REASONS = {
    errno.ENOENT: "there is no such file; check its name and folder",
    errno.ENOTDIR: _NO_FOLDER,
    errno.EEXIST: _NO_FOLDER,
    errno.EACCES: _DENIED,
    errno.EPERM: _DENIED,
    errno.EROFS: "the disk is read-only; choose another place",
    errno.ENOSPC: "the disk is full; free some space",
    errno.EDQUOT: "your share of the disk is full; free some space",
    errno.EFBIG: "the file would be larger than this system allows; make it smaller or raise the limit",
    errno.ENAMETOOLONG: "the name is too long; choose a shorter one",
    errno.EISDIR: "it is a folder; give the name of a file",
}


def write(path: str | os.PathLike[str], content: bytes) -> Path:
    """Writes a file so that its name never stands on half of it; makes its folder.

    Raises:
        ImageError: it cannot be written; a file that was there is then as it was.
    """
    path = Path(path)
    with explained(f"{path} cannot be written"):
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary(path) as unfinished:
            with unfinished.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())  # or a power cut could leave the new name on an empty file
            unfinished.replace(path)
    return path


@contextlib.contextmanager
def temporary(path: Path) -> Iterator[Path]:
    """A new empty file beside ``path``, gone at the end unless it was renamed."""
    file = path.with_name(f".stylelab-{secrets.token_hex(8)}.tmp")
    file.touch(exist_ok=False)
    try:
        yield file
    finally:
        file.unlink(missing_ok=True)


@contextlib.contextmanager
def explained(failure: str) -> Iterator[None]:
    """Makes one sentence of ``failure``, which names the file, and of what went wrong."""
    try:
        yield
    except OSError as error:
        reason = REASONS.get(error.errno or 0, f"{error.strerror or error}; check the path and the disk")
        raise ImageError(f"{failure}: {reason}.") from error
    except (ImageError, ValueError) as error:  # ValueError: a null character in a name
        raise ImageError(f"{failure}: {' '.join(str(error).split()).rstrip('.')}.") from error
