"""The XMP packet inside a picture file: what kind of source it declares, and which record it belongs to.

Written as ISO 16684-1 has it and read from any file that Pillow opens; a packet is a stranger's XML, so it is read
without ever following a document type.
"""

import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from PIL import Image

from .. import formats

IPTC = "http://cv.iptc.org/newscodes/digitalsourcetype/"  # the vocabulary that DigitalSourceType takes its terms from
IPTC_EXT = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
OURS = "https://stylelab.example/ns/provenance/1.0/"  # .example is reserved (RFC 2606): a name, not an address
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
LARGEST = 1_000_000  # bytes of a packet that is read; ours have under 2,000
LONGEST = 500  # characters of a title: the packet has to fit into the 65,502 bytes that JPEG has for it

_PACKET = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="{rdf}">
  <rdf:Description rdf:about=""
    xmlns:Iptc4xmpExt="{iptc}"
    xmlns:dc="http://purl.org/dc/elements/1.1/"
    xmlns:xmp="http://ns.adobe.com/xap/1.0/"
    xmlns:stylelab="{ours}">
   <Iptc4xmpExt:DigitalSourceType>{source_type}</Iptc4xmpExt:DigitalSourceType>
   <xmp:CreatorTool>{tool}</xmp:CreatorTool>
   <stylelab:Record>{record}</stylelab:Record>{described}
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>"""
_TITLE = '\n   <dc:title><rdf:Alt><rdf:li xml:lang="x-default">{}</rdf:li></rdf:Alt></dc:title>'
_IDENTIFIER = "\n   <dc:identifier>{}</dc:identifier>"


@dataclass(frozen=True)
class Declared:
    """What a picture file says of itself.

    Attributes:
        format: Pillow's name of the file's format, whatever its suffix: "JPEG", "PNG", ...; "" for no picture.
        source_type: IPTC's term, as "digitalCapture"; what is no term of IPTC's as it stands there; None for nothing.
        record: SHA-256 of the record in the sidecar that it belongs to; None when StyleLab did not seal it.
    """

    format: str
    source_type: str | None = None
    record: str | None = None


def packet(source_type: str, record: str, tool: str, *, title: str = "", identifier: str = "") -> bytes:
    """An XMP packet in UTF-8; the same arguments give the same bytes.

    Args:
        source_type: IPTC's term.
        record: the record's SHA-256.
        tool: what made the picture, with its version.
        title: of the product; anybody's text. Signs that XML does not have are replaced, and what is over ``LONGEST``
            characters is cut off.
        identifier: the product's SKU, likewise.
    """
    described = (_TITLE.format(_text(title)) if title else "") + (
        _IDENTIFIER.format(_text(identifier)) if identifier else ""
    )
    return _PACKET.format(
        rdf=RDF,
        iptc=IPTC_EXT,
        ours=OURS,
        source_type=IPTC + _text(source_type),
        tool=_text(tool),
        record=_text(record),
        described=described,
    ).encode()


def declared(path: str | Path) -> Declared:
    """What a picture file declares; a packet that is damaged, too large or no XMP declares nothing.

    Never raises for what is in the file: whether it is a whole picture is for ``images.open_picture`` to say.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # open_picture reports what is worth it
            with Image.open(path, formats=[name for name in formats.READABLE if name in Image.OPEN]) as image:
                kind = "JPEG" if image.format == "MPO" else image.format or ""
                if kind == "PNG" and "xmp" not in image.info:
                    image.load()  # only then Pillow has seen the text behind the pixels
                found = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp") or b""
    except Exception:  # Pillow's plugins raise anything
        return Declared("")
    found = found.encode() if isinstance(found, str) else bytes(found)
    properties = _properties(found) if len(found) <= LARGEST else {}
    source_type = properties.get(f"{{{IPTC_EXT}}}DigitalSourceType")
    if source_type is not None:
        source_type = re.sub(f"^https?{re.escape(IPTC.removeprefix('http'))}", "", source_type)
    return Declared(kind, source_type, properties.get(f"{{{OURS}}}Record"))


def _properties(found: bytes) -> dict[str, str]:
    """The simple properties of a packet: elements with text, and the attributes that XMP allows in their place."""
    try:
        text = found.decode("utf-8-sig").rstrip("\0 ")
        if "<!DOCTYPE" in text:  # XMP has none: what brings one wants its entities expanded
            return {}
        root = ElementTree.fromstring(text)
        properties: dict[str, str] = {}
        for description in root.iter(f"{{{RDF}}}Description"):
            pairs = [*description.attrib.items(), *((child.tag, child.text or "") for child in description)]
            properties |= {name: value.strip() for name, value in pairs if value.strip()}
    except (ElementTree.ParseError, ValueError, RecursionError):
        return {}
    return properties


def _text(text: str) -> str:
    """Escaped; what XML 1.0 (section 2.2) does not allow, as control signs and lone surrogates, is replaced."""
    allowed = re.sub("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\ufffd", str(text)[:LONGEST])
    return escape(allowed)
