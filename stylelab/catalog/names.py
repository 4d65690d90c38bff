"""What a catalog calls its products, made harmless where it is used: in file names, spreadsheets and pages.

Anybody may have written a catalog: a supplier, a form on the web, a cat on a keyboard. A SKU is data, so nothing here
is guessed back from a file's name; the report holds both.
"""

import hashlib
import re
import unicodedata

LONGEST = 40  # characters, at most 160 bytes: with digits, number and suffix below the 255 bytes of file systems
DIGITS = 12  # hexadecimal: two of a million SKUs share them with a chance of 0.002

# Windows's device names, whatever follows a dot (learn.microsoft.com, "Naming files, paths, and namespaces").
_RESERVED = {"con", "prn", "aux", "nul", "conin$", "conout$"}
_RESERVED |= {port + number for port in ("com", "lpt") for number in "0123456789¹²³"}
_MARKED = re.compile(rf"\.[0-9a-f]{{{DIGITS}}}$")
_FORMULA = re.compile(r"^[\s\ufeff]*[=+\-@＝＋－＠\t\r\n|%]")


def folder(sku: str, alone: bool = True) -> str:
    """A folder's name for a SKU that every file system takes: the SKU itself, if that is possible.

    Letters and digits of any script, ``_``, ``-`` and single dots inside stay; anything else becomes ``-``, and then a
    few digits of the SKU's hash tell it from others.

    Args:
        sku: any text.
        alone: False if another SKU of the catalog has the same :func:`place`: both get the digits.
    """
    text = re.sub(r"[^\w.-]+|\.{2,}", "-", unicodedata.normalize("NFC", sku))[:LONGEST].strip("-.")
    reserved = text.partition(".")[0].lower() in _RESERVED
    if text and alone and text == sku and not reserved and not _MARKED.search(text):
        return text
    digits = hashlib.sha256(sku.encode(errors="surrogatepass")).hexdigest()[:DIGITS]
    return f"{'_' if reserved else ''}{text or 'sku'}.{digits}"


def place(text: str) -> str:
    """Equal for names that some file system takes for one: Windows and macOS ignore case, macOS composition too."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def cell(text: str) -> str:
    """Text for a spreadsheet's cell that no spreadsheet computes: ``'`` goes before what would begin a formula.

    OWASP, "CSV injection": a formula can read other cells and send them away, or start a program. Line breaks and
    control characters become spaces, since some programs begin a new cell there.
    """
    flat = "".join(" " if unicodedata.category(sign) in ("Cc", "Zl", "Zp") else sign for sign in text)
    return f"'{flat}" if _FORMULA.match(text) or _FORMULA.match(flat) else flat


def displayable(text: str) -> str:
    """Text for a page or a terminal: control characters, which could move the cursor, are shown as ``�``.

    Signs of HTML stay: the page escapes them.
    """
    return "".join("�" if unicodedata.category(sign) in ("Cc", "Cs") else sign for sign in text)
