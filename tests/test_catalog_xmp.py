"""Packets and sidecars as other programs and strangers leave them.

Oracles: exiftool and Pillow's own reader (with defusedxml) for the packets that we write, ElementTree and exiftool for
those that we read.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from stylelab import images
from stylelab.catalog import provenance, sidecar, xmp

RGB = np.random.default_rng(0).random((16, 24, 3)).astype(np.float32)
FILES = [("a.png", 8), ("a.png", 16), ("a.jpg", 8), ("a.webp", 8), ("a.tif", 8), ("a.tif", 16)]
TERM = "compositeWithTrainedAlgorithmicMedia"
METADATA = "Metadata changed, pixels the same"
HOSTILE = [
    "</rdf:li><script>alert(1)</script>",
    "]]><!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]>&e;",
    "\0\x01\x1b[31m \ud800 \uffff",
    '" onload="x' + "'",
    "Ünïcödé 鞋 \U0001f45f",
    "{tool}{0}%s",
    "x" * 100_000,
    "&" * 100_000,
]
every_file = pytest.mark.parametrize(("name", "bits"), FILES, ids=lambda value: str(value))
needs_exiftool = pytest.mark.skipif(shutil.which("exiftool") is None, reason="exiftool is not installed")


def sealed(folder: Path, name: str = "a.png", bits: int = 8, **given: Any) -> Path:
    photo = images.write(folder / "photo.jpg", RGB)
    given = {"settings": {"mode": "scene"}, "title": "A shoe & more", "sku": "S<1>"} | given
    return provenance.seal(folder / name, RGB, source=photo, bits=bits, **given)


def exiftool(*arguments: Any) -> str:
    done = subprocess.run(["exiftool", *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


# ---- what we write is read by others -------------------------------------------------------------


@every_file
def test_the_packet_lies_in_the_file_as_it_was_given(tmp_path, name, bits):
    packet = xmp.packet(TERM, "0" * 64, "StyleLab", title="é")
    with Image.open(images.write(tmp_path / name, RGB, bits=bits, xmp=packet)) as image:
        image.load()
        assert image.info["xmp"] == packet
    plain = images.write(tmp_path / f"plain{name}", RGB, bits=bits)
    assert b"xpacket" not in plain.read_bytes() and xmp.declared(plain).source_type is None
    assert (images.read(plain) == images.read(tmp_path / name)).all()


@every_file
def test_pillow_reads_it(tmp_path, name, bits):
    pytest.importorskip("defusedxml")
    with Image.open(sealed(tmp_path, name, bits)) as image:
        image.load()
        description = image.getxmp()["xmpmeta"]["RDF"]["Description"]
    assert description["DigitalSourceType"] == f"http://cv.iptc.org/newscodes/digitalsourcetype/{TERM}"
    assert description["title"]["Alt"]["li"]["text"] == "A shoe & more"
    assert description["identifier"] == "S<1>"


@needs_exiftool
@every_file
def test_exiftool_reads_it_and_finds_nothing_to_warn_of(tmp_path, name, bits):
    path = sealed(tmp_path, name, bits)
    (found,) = json.loads(exiftool("-j", "-G1", "-a", "-warning", "-error", "-XMP:all", path))
    assert found["XMP-iptcExt:DigitalSourceType"] == f"{xmp.IPTC}{TERM}"
    assert found["XMP-dc:Title"] == "A shoe & more" and found["XMP-dc:Identifier"] == "S<1>"
    assert found["XMP-stylelab:Record"] == xmp.declared(path).record
    assert not [key for key in found if "Warning" in key or "Error" in key]


@needs_exiftool
@every_file
def test_what_exiftool_adds_is_a_note(tmp_path, name, bits):
    path = sealed(tmp_path, name, bits)
    exiftool("-overwrite_original", "-XMP-dc:Rights=mine", "-EXIF:Artist=me", "-XMP-dc:Title=Another title", path)
    found = provenance.verify(path)
    assert found.failures == ()
    assert [note.startswith(METADATA) for note in found.notes] == [True]


@needs_exiftool
@pytest.mark.parametrize(
    ("name", "edit", "words"),
    [
        *((name, "-XMP:all=", "lost its XMP packet") for name in ("a.png", "a.jpg", "a.webp", "a.tif")),
        ("a.jpg", "-all=", "lost its XMP packet"),
        ("a.png", f"-XMP-iptcExt:DigitalSourceType={xmp.IPTC}digitalCapture", "digitalCapture"),
        ("a.jpg", "-XMP-iptcExt:DigitalSourceType=", "declares no source type"),
        ("a.tif", "-XMP-stylelab:all=", "belongs to another record"),
    ],
)
def test_what_exiftool_takes_away_is_a_failure(tmp_path, name, edit, words):
    path = sealed(tmp_path, name)
    exiftool("-overwrite_original", edit, path)
    (failure,) = provenance.verify(path).failures
    assert words in failure and failure.endswith("the pixels are the same.")


@needs_exiftool
def test_a_turned_picture_is_another_picture(tmp_path):
    path = sealed(tmp_path, "a.jpg")
    exiftool("-overwrite_original", "-n", "-EXIF:Orientation=6", path)
    assert provenance.verify(path).failures == ("The pixels are not those that were sealed.",)


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text[:12]))
@pytest.mark.parametrize("name", ["a.png", "a.jpg"])
def test_any_text_is_a_title(tmp_path, name, text):
    path = sealed(tmp_path, name, title=text, sku=text)
    assert provenance.verify(path) == provenance.Verified(())
    with Image.open(path) as image:
        image.load()
        root = ElementTree.fromstring(image.info["xmp"])
    (title,) = root.iter("{http://www.w3.org/1999/02/22-rdf-syntax-ns#}li")
    (sku,) = root.iter("{http://purl.org/dc/elements/1.1/}identifier")
    for found in (title, sku):
        assert not len(found), "text, no elements"
        assert len(found.text) == min(len(text), xmp.LONGEST)
        same = [a == b for a, b in zip(found.text, text, strict=False) if b not in "\0\x01\x1b\ud800\uffff"]
        assert all(same) and same
    assert provenance.read(path)["title"] == text[: xmp.LONGEST]


# ---- what strangers write ------------------------------------------------------------------------

OPEN = '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
CLOSE = "</rdf:RDF></x:xmpmeta>"
VALUE = f"{xmp.IPTC}digitalCapture"
ATTRIBUTE = f'<rdf:Description rdf:about="" xmlns:I="{xmp.IPTC_EXT}" I:DigitalSourceType="{VALUE}"/>'
TWO = f'<rdf:Description rdf:about=""/><rdf:Description xmlns:I="{xmp.IPTC_EXT}"><I:DigitalSourceType> {VALUE} '
TWO += "</I:DigitalSourceType></rdf:Description>"
BOMB = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">' + "".join(
    f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("packet", "term"),
    [
        (f"{OPEN}{ATTRIBUTE}{CLOSE}", "digitalCapture"),
        (f"{OPEN}{ATTRIBUTE.replace('http://cv', 'https://cv')}{CLOSE}", "digitalCapture"),
        (f"{OPEN}{TWO}{CLOSE}\0\0  ", "digitalCapture"),
        ("\ufeff" + f"{OPEN}{ATTRIBUTE}{CLOSE}", "digitalCapture"),
        (f"{OPEN}{ATTRIBUTE.replace(xmp.IPTC, 'urn:x:')}{CLOSE}", "urn:x:digitalCapture"),
        (f"{OPEN}{ATTRIBUTE.replace(VALUE, ' ')}{CLOSE}", None),
        (f"{OPEN}{ATTRIBUTE.replace(xmp.IPTC_EXT, 'urn:other/')}{CLOSE}", None),
        (f"{BOMB}]>{OPEN}{ATTRIBUTE.replace(VALUE, '&i;')}{CLOSE}", None),
        (f'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>{OPEN}{ATTRIBUTE.replace(VALUE, "&e;")}{CLOSE}', None),
        (f'<!DOCTYPE x [<!ENTITY e "{VALUE}">]>{OPEN}{ATTRIBUTE.replace(VALUE, "&e;")}{CLOSE}', None),
        (f"{OPEN}<!-- a comment -->{ATTRIBUTE}{CLOSE}", "digitalCapture"),
        (f"{OPEN}{ATTRIBUTE}", None),
        ("<a>" * 5000 + "</a>" * 5000, None),
        ("no XML at all", None),
        (f"{OPEN}{ATTRIBUTE}{' ' * xmp.LARGEST}{CLOSE}", None),
    ],
    ids="attribute https padded mark other blank namespace bomb file entity comment cut deep text large".split(),  # noqa: SIM905
)
@pytest.mark.parametrize("name", ["a.png", "a.webp", "a.tif"])
def test_a_strangers_packet(tmp_path, name, packet, term):
    path = images.write(tmp_path / name, RGB, xmp=packet.encode())
    assert xmp.declared(path) == xmp.Declared(Image.open(path).format, term)


def test_a_packet_behind_the_pixels(tmp_path):
    path = images.write(tmp_path / "a.png", RGB, xmp=xmp.packet(TERM, "0" * 64, "StyleLab"))
    data = path.read_bytes()
    start = data.index(b"iTXt") - 4
    end = start + 12 + int.from_bytes(data[start : start + 4], "big")
    path.write_bytes(data[:start] + data[end:-12] + data[start:end] + data[-12:])  # before IEND, of 12 bytes
    assert xmp.declared(path).source_type == TERM


@pytest.mark.parametrize("content", [b"", b"text", b"\x89PNG\r\n\x1a\n" + b"\0" * 50, b"%!PS-Adobe-3.0 EPSF-3.0\n"])
def test_what_is_no_picture_declares_nothing(tmp_path, content):
    (tmp_path / "a.png").write_bytes(content)
    assert xmp.declared(tmp_path / "a.png") == xmp.Declared("")
    assert xmp.declared(tmp_path / "missing.png") == xmp.Declared("")


def loop(file: Path) -> None:
    file.unlink()
    file.symlink_to(file.with_name("other"))
    file.with_name("other").symlink_to(file)


def folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def huge(file: Path) -> None:
    with file.open("r+b") as opened:
        opened.truncate(100_000_000)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (Path.unlink, "there is no such file"),
        (folder, "it is a folder"),
        (loop, "symbolic links"),
        pytest.param(
            pipe, "not a regular file", marks=pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes")
        ),
        (huge, "larger than 1,000,000 bytes"),
        (b"", "not JSON"),
        (b"[" * 500_000, "not JSON"),
        (b'{"a":' * 100_000, "not JSON"),
        (b"\xff\xfe\0", "not JSON"),
        (b"1" * 10_000, "not JSON"),
        (b"null", "its content is not an object"),
        (b"[]", "its content is not an object"),
        (b"{}", "the keys of its content are not"),
        (b"NaN", "its content is not an object"),
    ],
    ids=lambda value: value.__name__ if callable(value) else ascii(value[:12]),
)
def test_a_hostile_sidecar_is_one_sentence(tmp_path, damage, words):
    path = sealed(tmp_path)
    file = sidecar.of(path)
    damage(file) if callable(damage) else file.write_bytes(damage)
    (failure,) = provenance.verify(path).failures
    assert words in failure and str(file) in failure
    assert failure[-1] == "." and "\n" not in failure and len(failure) < 400


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("input", {"name": 1, "sha256": "x"}),
        ("mask", 3),
        ("mask", {"file": "/etc", "pixels_sha256": ""}),
        ("settings", []),
        ("settings", {"a": float("nan")}),
        ("format", True),
        ("format", 2),
        ("output", None),
        ("extra", 1),
    ],
)
def test_a_sidecar_of_other_types(tmp_path, key, value):
    path = sealed(tmp_path)
    content = json.loads(sidecar.of(path).read_text()) | {key: value}
    rest = {name: one for name, one in content.items() if name != "seal"}
    if key != "settings" or value == []:  # closed anew, as by somebody who knows how
        content["seal"] = sidecar.digest(rest)
    sidecar.of(path).write_bytes(json.dumps(content, indent=1, sort_keys=True).encode() + b"\n")
    found = provenance.verify(path).failures
    assert found and all(one[-1] == "." and "\n" not in one for one in found)


def test_a_picture_that_cannot_be_read_is_a_failure(tmp_path):
    for path in (tmp_path / "missing.png", tmp_path):
        (failure,) = provenance.verify(path).failures
        assert str(path) in failure
    path = sealed(tmp_path)
    path.write_bytes(path.read_bytes()[:-30])
    assert "damaged" in provenance.verify(path).failures[0]
