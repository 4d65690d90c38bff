"""Provenance: what ``seal`` wrote is verified, and every single change of picture, mask, packet or sidecar is found.

Oracles: Pillow, tifffile and hashlib. What other programs make of the packet, and what strangers put into packets and
sidecars, is in ``test_catalog_xmp.py``.
"""

import copy
import hashlib
import json
import os
import shutil
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image, PngImagePlugin

from stylelab import images
from stylelab.catalog import provenance, sidecar, xmp
from stylelab.errors import ImageError, SettingsError

RNG = np.random.default_rng(0)
HEIGHT, WIDTH = 17, 23
RGB = RNG.random((HEIGHT, WIDTH, 3)).astype(np.float32)
ALPHA = RNG.random((HEIGHT, WIDTH, 1)).astype(np.float32)
MASK = (RNG.random((HEIGHT, WIDTH, 1)) > 0.5).astype(np.float32)
FILES = [("a.png", 8), ("a.png", 16), ("a.jpg", 8), ("a.jpeg", 8), ("a.webp", 8), ("a.tif", 8), ("a.tiff", 16)]
LOSSLESS = [(name, bits) for name, bits in FILES if name.startswith(("a.png", "a.tif"))]
SETTINGS = {"mode": "scene", "seed": 0, "strength": 0.7, "style": "hokusai_great_wave"}
CLEAN = provenance.Verified(())
LOST = "The file has lost its XMP packet"
every_file = pytest.mark.parametrize(("name", "bits"), FILES, ids=lambda value: str(value))


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """The photo that pictures are made from."""
    return images.write(tmp_path / "photo.jpg", RGB)


def sealed(photo: Path, name: str = "a.png", bits: int = 8, **given: Any) -> Path:
    """A sealed picture beside the photo, with a mask of its own."""
    given = {
        "source": photo,
        "settings": SETTINGS,
        "mask": MASK,
        "alpha": ALPHA,
        "title": "A shoe",
        "sku": "S1",
    } | given
    return provenance.seal(photo.parent / name, RGB, bits=bits, **given)


def failure(path: Path) -> str:
    """The one failure."""
    (found,) = provenance.verify(path).failures
    assert found[-1] == "." and "\n" not in found and len(found) < 600
    return found


def rewrite(path: Path, change: Any) -> None:
    """Changes a lossless file's integers with other libraries, and keeps its packet."""
    packet = Image.open(path).info.get("xmp")
    if path.suffix == ".png":
        info = PngImagePlugin.PngInfo()
        info.add_itxt("XML:com.adobe.xmp", packet.decode())
        Image.fromarray(change(np.array(Image.open(path)))).save(path, pnginfo=info)
    else:
        tag = (700, 1, len(packet), packet, True)
        tifffile.imwrite(path, change(tifffile.imread(path)), photometric="rgb", extrasamples=[2], extratags=[tag])


# ---- what was sealed is verified -----------------------------------------------------------------


@every_file
@pytest.mark.parametrize("mode", provenance.SOURCE_TYPES)
@pytest.mark.parametrize("with_alpha", [True, False], ids=["alpha", "opaque"])
def test_what_was_sealed_is_verified(photo, name, bits, mode, with_alpha):
    before = photo.read_bytes()
    path = sealed(photo, name, bits, settings=SETTINGS | {"mode": mode}, alpha=ALPHA if with_alpha else None)
    assert provenance.verify(path, source=photo) == CLEAN
    assert xmp.declared(path).source_type == provenance.SOURCE_TYPES[mode]
    assert photo.read_bytes() == before


@every_file
def test_two_runs_give_equal_bytes(photo, name, bits):
    first = sealed(photo, name, bits)
    (again := photo.parent / "again").mkdir()
    photo = shutil.copy(photo, again)
    second = sealed(Path(photo), name, bits)
    for suffix in ("", ".json", ".mask.png"):
        one, other = (path.with_name(path.name + suffix).read_bytes() for path in (first, second))
        assert one == other


@pytest.mark.parametrize(("name", "bits"), LOSSLESS)
def test_the_hashes_are_those_that_other_libraries_give(photo, name, bits):
    path = sealed(photo, name, bits)
    content = json.loads(path.with_name(path.name + ".json").read_text())
    pixels = np.concatenate([RGB, ALPHA], axis=-1) * (2**bits - 1)
    if path.suffix != ".png" or bits == 8:  # Pillow has no 16-bit RGB
        stored = tifffile.imread(path) if path.suffix != ".png" else np.array(Image.open(path))
        np.testing.assert_array_equal(stored, np.rint(pixels))
    head = f"{WIDTH} {HEIGHT} 4 {bits}\n".encode()
    body = np.rint(pixels).astype("<u2" if bits == 16 else "u1").tobytes()
    assert content["output"]["pixels_sha256"] == hashlib.sha256(head + body).hexdigest()
    assert content["output"]["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert content["input"] == {"name": "photo.jpg", "sha256": hashlib.sha256(photo.read_bytes()).hexdigest()}
    gray = np.array(Image.open(path.parent / content["mask"]["file"]))
    np.testing.assert_array_equal(gray[..., 0], MASK[..., 0] * 255)
    head = f"{WIDTH} {HEIGHT} 3 8\n".encode()
    assert content["mask"]["pixels_sha256"] == hashlib.sha256(head + gray.tobytes()).hexdigest()


def test_a_sidecar_names_no_machine_and_no_place(photo):
    text = sidecar.of(sealed(photo)).read_text()
    assert str(photo.parent) not in text and "/" not in text
    assert socket.gethostname() not in text and os.environ.get("USER", "nobody ") not in text
    assert list(json.loads(text)) == sorted(json.loads(text))
    assert {**json.loads(text)["settings"]} == SETTINGS


def test_one_mask_file_serves_several_pictures(photo):
    mask = images.write(photo.parent / "masks" / "s1.png", np.repeat(MASK, 3, -1))
    (photo.parent / "out").mkdir()
    paths = [sealed(photo, f"out/{name}", mask=mask) for name in ("one.png", "two.jpg")]
    assert [provenance.verify(path) for path in paths] == [CLEAN, CLEAN]
    assert provenance.read(paths[0])["mask"]["file"] == "../masks/s1.png"
    assert not list(photo.parent.rglob("*.mask.png"))
    assert provenance.verify(sealed(photo, mask=None)) == CLEAN


def test_a_picture_may_move_with_what_belongs_to_it(photo):
    path = sealed(photo)
    moved = photo.parent / "else"
    moved.mkdir()
    for suffix in ("", ".json", ".mask.png"):
        shutil.move(path.with_name(path.name + suffix), moved)
    assert provenance.verify(moved / path.name) == CLEAN
    renamed = (moved / path.name).rename(moved / "b.png")
    (moved / "a.png.json").rename(moved / "b.png.json")
    assert provenance.verify(renamed) == provenance.Verified((), ("Its name was a.png.",))


def test_another_photo_is_another_source(photo):
    path = sealed(photo)
    other = images.write(photo.with_name("other.jpg"), 1 - RGB)
    assert provenance.verify(path, source=other).failures == (
        f"It was not made from {other} but from another file, photo.jpg.",
    )


# ---- every single change is found ----------------------------------------------------------------


@pytest.mark.parametrize(("name", "bits"), [file for file in LOSSLESS if file != ("a.png", 16)])
@pytest.mark.parametrize("channel", [0, 1, 2, 3])
def test_one_bit_of_one_pixel(photo, name, bits, channel):
    path = sealed(photo, name, bits)
    rewrite(path, lambda pixels: pixels.copy())
    assert provenance.verify(path).failures == (), "the other library's file is fine"

    def flip(pixels: np.ndarray) -> np.ndarray:
        pixels[5, 7, channel] ^= 1
        return pixels

    rewrite(path, flip)
    assert failure(path) == "The pixels are not those that were sealed."


@pytest.mark.parametrize("name", ["a.jpg", "a.webp"])
def test_pixels_that_were_compressed_again(photo, name):
    path = sealed(photo, name, quality=95)
    image = Image.open(path)
    image.load()
    image.save(path, quality=60, xmp=image.info["xmp"])
    assert failure(path) == "The pixels are not those that were sealed."


def test_pixels_turned_or_of_another_size(photo):
    path = sealed(photo)
    for change in (np.rot90, lambda pixels: pixels.reshape(WIDTH, HEIGHT, 4)):  # the same bytes, another shape
        rewrite(path, change)
        assert failure(path) == "The pixels are not those that were sealed."


def leaves(content: Any, *path: str) -> list[tuple[str, ...]]:
    if not isinstance(content, dict):
        return [path]
    return [leaf for key, value in content.items() for leaf in leaves(value, *path, key)]


def changed(value: Any) -> Any:
    return value + 1 if isinstance(value, int | float) else f"{value}x"


def test_every_key_of_the_sidecar(photo):
    path = sealed(photo)
    file = sidecar.of(path)
    content = json.loads(file.read_text())
    assert len(leaves(content)) == 17
    for leaf in leaves(content):
        for damage in ("changed", "gone", "another type"):
            other = copy.deepcopy(content)
            at = other
            for key in leaf[:-1]:
                at = at[key]
            if damage == "gone":
                del at[leaf[-1]]
            else:
                at[leaf[-1]] = changed(at[leaf[-1]]) if damage == "changed" else [1]
            file.write_bytes(sidecar.spelled(other))
            assert str(file) in failure(path), leaf
            if leaf[-1] not in ("seal", "sha256", "pixels_sha256") and damage == "changed" and leaf != ("format",):
                # who knows how to close the sidecar anew is still contradicted by the packet in the file, if not about
                # its name, which is only told
                other.pop("seal")
                sidecar.write(path, other)
                assert provenance.verify(path).failures or leaf == ("output", "name"), leaf
    file.write_bytes(sidecar.spelled(content))
    assert provenance.verify(path) == CLEAN


@pytest.mark.parametrize(
    "spelling",
    [
        lambda text: text + b"\n",
        lambda text: text.replace(b" ", b"", 1),
        lambda text: text.replace(b"\n", b"\r\n"),
        lambda text: text.replace(b'"sku": "S1"', b'"sku": "evil",\n "sku": "S1"'),
        lambda text: b"\xef\xbb\xbf" + text,
    ],
    ids=["longer", "blank", "line ends", "key twice", "byte order mark"],
)
def test_another_spelling_is_a_change(photo, spelling):
    path = sealed(photo)
    file = sidecar.of(path)
    assert spelling(file.read_bytes()) != file.read_bytes()
    file.write_bytes(spelling(file.read_bytes()))
    assert str(file) in failure(path)


def test_swapped_sidecars(photo):
    one, other = sealed(photo), sealed(photo, "b.png", settings=SETTINGS | {"seed": 1})
    shutil.copy(sidecar.of(other), sidecar.of(one))
    found = provenance.verify(one)
    assert found.failures == ("The file's XMP belongs to another record than this sidecar; the pixels are the same.",)


def test_a_changed_and_a_missing_mask(photo):
    path = sealed(photo)
    mask = path.with_name("a.png.mask.png")
    pixels = np.array(Image.open(mask))
    pixels[3, 3] ^= 1
    Image.fromarray(pixels).save(mask)
    assert failure(path) == "The mask a.png.mask.png is not the one that was sealed."
    mask.unlink()
    assert failure(path).startswith("Its mask cannot be checked: ") and "no such file" in failure(path)


@every_file
def test_a_packet_that_is_gone_or_says_something_else(photo, name, bits):
    path = sealed(photo, name, bits)
    whole, picture = path.read_bytes(), images.open_picture(path)
    content = provenance.read(path)
    recorded = {key: value for key, value in content.items() if key != "seal"} | {"output": {"name": name}}
    lossless = (name, bits) in LOSSLESS

    def written(packet: bytes) -> str:
        images.write(path, picture.rgb, picture.alpha, bits=bits, xmp=packet)
        found = provenance.verify(path).failures
        return found[-1]

    same = "; the pixels are the same." if lossless else "."
    assert written(b"").startswith(LOST) and written(b"").endswith(same)
    other = xmp.packet("digitalCapture", sidecar.digest(recorded), "StyleLab")
    assert "declares the source type digitalCapture, and it was sealed as compositeWith" in written(other)
    assert "belongs to another record" in written(xmp.packet(content["digital_source_type"], "0" * 64, "StyleLab"))
    path.write_bytes(whole)
    assert provenance.verify(path) == CLEAN


# ---- which term ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "strength", "inherited", "term"),
    [
        ("scene", 1, None, "compositeWithTrainedAlgorithmicMedia"),
        ("backdrop", 1, "digitalCapture", "compositeWithTrainedAlgorithmicMedia"),
        ("whole", 0.01, "digitalCapture", "trainedAlgorithmicMedia"),
        ("clean", 1, "digitalCapture", "algorithmicallyEnhanced"),
        ("scene", 0, None, "algorithmicallyEnhanced"),
        ("whole", 0, None, "algorithmicallyEnhanced"),
        ("backdrop", 0, None, "compositeWithTrainedAlgorithmicMedia"),
        # a generated photo stays one, however honest the cut-out
        ("clean", 1, "trainedAlgorithmicMedia", "trainedAlgorithmicMedia"),
        ("clean", 1, "compositeSynthetic", "compositeSynthetic"),
        ("scene", 1, "trainedAlgorithmicMedia", "trainedAlgorithmicMedia"),
        ("scene", 1, "compositeSynthetic", "compositeWithTrainedAlgorithmicMedia"),
        ("whole", 1, "compositeWithTrainedAlgorithmicMedia", "trainedAlgorithmicMedia"),
        ("clean", 1, "something else", "algorithmicallyEnhanced"),
    ],
)
def test_the_term_for_a_picture(mode, strength, inherited, term):
    assert provenance.source_type(mode, strength, inherited) == term


def test_the_photos_own_declaration_is_asked_for(photo):
    generated = xmp.packet("trainedAlgorithmicMedia", "0" * 64, "another tool")
    images.write(photo, RGB, xmp=generated)
    path = sealed(photo, settings=SETTINGS | {"mode": "clean"})
    assert xmp.declared(path).source_type == "trainedAlgorithmicMedia"


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        ({}, SettingsError, "Mode 'None'"),
        ({"mode": "cubist"}, SettingsError, "scene, backdrop, whole, clean"),
        ({"mode": "scene", "strength": "much"}, SettingsError, "'much'"),
        ({"mode": "scene", "style": Path("a")}, ImageError, "cannot be recorded"),
        ({"mode": "scene", "ratio": float("nan")}, ImageError, "cannot be recorded"),
        ({"mode": "scene", "style": "x" * 1_000_000}, ImageError, "too long to be recorded"),
    ],
)
def test_settings_that_cannot_be_recorded_leave_no_file(photo, settings, error, words):
    with pytest.raises(error, match=words):
        sealed(photo, settings=settings, mask=None)
    assert list(photo.parent.iterdir()) == [photo]


def test_the_photo_is_not_overwritten(photo):
    with pytest.raises(ImageError, match="is one of the inputs"):
        sealed(photo, photo.name)
