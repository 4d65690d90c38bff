"""Where a row's files are: below the photos' folder, or on the web, with consent."""

import hashlib
import re
import time
from pathlib import Path, PurePosixPath, PureWindowsPath

from .. import files
from ..errors import ImageError, SettingsError

LARGEST = 100_000_000  # bytes of a download
SECONDS = 120  # of a whole download: a server that sends a byte now and then passes every single timeout
TIMEOUT = (10, 30)  # seconds to connect, and between two pieces
TRIES = 4
DOWNLOADS = "downloads"
STORES = ("s3", "gs", "az", "abfs", "hdfs", "memory")  # not "file": a path of the catalog stays below the photos
_URL = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*://")


def is_url(reference: str) -> bool:
    """Whether a catalog's entry is an address and no path."""
    return bool(_URL.match(reference))


def find(reference: str, photos: Path, cache: Path, allow_urls: bool) -> Path:
    """The file that a catalog's entry means; one on the web is fetched once and kept in ``cache``.

    Raises:
        ImageError: a path that leaves the photos' folder, so that a stranger's catalog cannot publish other pictures
            of this machine; or an address that cannot be fetched.
        SettingsError: an address without consent.
    """
    if is_url(reference):
        if not allow_urls:
            raise SettingsError(f"{_shown(reference)} is on the web: allow it with --allow-urls, or download it.")
        return _fetched(reference, cache)
    posix, windows = PurePosixPath(reference.replace("\\", "/")), PureWindowsPath(reference)
    if posix.is_absolute() or windows.anchor or ".." in (*posix.parts, *windows.parts):
        raise ImageError(f"{reference} leaves the folder of the photos: copy it there, or choose another --photos.")
    return photos / reference


def cached(url: str, cache: Path) -> Path:
    """Where a download is kept; delete it to have it fetched again."""
    return cache / hashlib.sha256(url.encode(errors="surrogatepass")).hexdigest()[:32]


def _fetched(url: str, cache: Path) -> Path:
    file = cached(url, cache)
    if not file.is_file():
        files.write(file, _download(url))
    return file


def _download(url: str) -> bytes:
    scheme = url.partition("://")[0].lower()
    if scheme in STORES:
        return _stored(url)
    if scheme not in ("http", "https"):
        known = ", ".join(("http", "https", *STORES))
        raise ImageError(f"{_shown(url)} cannot be fetched: give an address of one of {known}.")
    import requests
    from requests.adapters import HTTPAdapter
    from urllib3.util import Retry

    retry = Retry(TRIES - 1, backoff_factor=0.5, status_forcelist=(429, 500, 502, 503, 504), raise_on_status=False)
    ends, content = time.monotonic() + SECONDS, bytearray()
    try:
        with requests.Session() as session:
            for scheme in ("http://", "https://"):
                session.mount(scheme, HTTPAdapter(max_retries=retry))
            with session.get(url, stream=True, timeout=TIMEOUT) as answer:
                if answer.status_code != 200:
                    raise ImageError(f"{_shown(url)} cannot be fetched: the server answers {answer.status_code}.")
                for piece in answer.iter_content(1 << 16):
                    content += piece
                    if len(content) > LARGEST:
                        raise ImageError(f"{_shown(url)} is larger than {LARGEST:,} bytes: make it smaller.")
                    if time.monotonic() > ends:
                        raise ImageError(f"{_shown(url)} did not arrive within {SECONDS} s: try again later.")
    except (requests.RequestException, UnicodeError, ValueError) as error:
        kind = type(error).__name__
        raise ImageError(f"{_shown(url)} cannot be fetched ({kind}): check the address and the network.") from error
    return bytes(content)


def _stored(url: str) -> bytes:
    """From an object store, by fsspec and the package that it names for the store."""
    import fsspec

    try:
        with fsspec.open(url, "rb") as file:
            content = file.read(LARGEST + 1)
    except Exception as error:  # each store has exceptions of its own
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise ImageError(f"{_shown(url)} cannot be fetched ({reason}): check the address and its access.") from error
    if len(content) > LARGEST:
        raise ImageError(f"{_shown(url)} is larger than {LARGEST:,} bytes: make it smaller.")
    return content


def _shown(url: str) -> str:
    """The address without what may be a password or a signature."""
    head, _, rest = url.partition("://")
    return f"{head}://{re.split('[?#]', rest)[0].rpartition('@')[2]}"
