"""What ships in ``data/``: every file is described truly, and every name finds its picture."""

import csv
import hashlib
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stylelab import samples
from stylelab.errors import SettingsError, StyleLabError, WeightsError

WEIGHTS = "weights/vgg16_imagenet_notop.weights.h5"


def fake_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **entry: object) -> Path:
    """Another data folder with one entry in its manifest: the weights."""
    root = tmp_path / "data"
    (root / "weights").mkdir(parents=True)
    (root / "manifest.json").write_text(json.dumps([{"path": WEIGHTS, **entry}]))
    monkeypatch.setattr(samples, "__file__", str(tmp_path / "stylelab" / "samples.py"))
    return root / WEIGHTS


# ---------------------------------------------------------------- the manifest


def test_every_file_has_one_entry_and_every_entry_a_file(data: Path) -> None:
    listed = [entry["path"] for entry in samples.manifest()]
    files = [path.relative_to(data).as_posix() for path in data.rglob("*") if path.is_file()]
    assert sorted(listed) == sorted(set(files) - {"manifest.json"})


def test_every_entry_describes_its_file(data: Path) -> None:
    for entry in samples.manifest():
        path = data / entry["path"]
        assert path.stat().st_size == entry["bytes"], entry["path"]
        if entry["bytes"] < 1_000_000:
            assert hashlib.sha256(path.read_bytes()).hexdigest() == entry["sha256"], entry["path"]
        if path.suffix in (".jpg", ".png"):
            with Image.open(path) as image:
                assert list(image.size) == entry["size"], entry["path"]
        for field in ("licence", "credit", "source"):
            assert entry[field].strip() == entry[field] != "", entry["path"]
            assert "see " not in entry["credit"], "a credit names somebody, it does not refer to a page"


@pytest.mark.weights
def test_the_weights_are_the_ones_described(data: Path) -> None:
    path = samples.weights("vgg16")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert path == data / WEIGHTS
    assert digest in (data / "weights" / "README.md").read_text(encoding="utf-8")
    assert digest == next(entry["sha256"] for entry in samples.manifest() if entry["path"] == WEIGHTS)


def test_the_data_stays_small(data: Path) -> None:
    sizes: dict[str, int] = {}
    for entry in samples.manifest():
        kind = "samples"
        if entry["path"].startswith("weights/"):
            first = re.match(r"(vgg16|feedforward|fast|adain|any)?", Path(entry["path"]).name)[1]
            kind = {"vgg16": "vgg16", None: "games"}.get(first, "networks")
        sizes[kind] = sizes.get(kind, 0) + entry["bytes"]
    assert sizes["samples"] <= 15_000_000
    assert sizes["vgg16"] <= 30_000_000
    assert sizes["networks"] <= 15_000_000
    assert sizes["games"] <= 20_000_000


# ---------------------------------------------------------------- the shop's catalog


def test_the_catalog_joins(data: Path) -> None:
    text = (data / "catalog.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    assert list(rows[0]) == ["sku", "image", "title", "group", "price"]
    for row in rows:
        assert None not in row and None not in row.values()  # as many fields as the header
        assert all(value and value == value.strip() and "  " not in value for value in row.values()), row
        assert (data / row["image"]).is_file(), row
        assert re.fullmatch(r"\d+\.\d\d", row["price"]), row
    assert len({row["sku"] for row in rows}) == len(rows)
    assert len({row["title"] for row in rows}) == len(rows)
    shipped = {f"products/{path.name}" for path in (data / "products").iterdir()}
    assert {row["image"] for row in rows} == shipped


def test_variants_share_a_photo_and_say_what_they_are(data: Path) -> None:
    rows = list(csv.DictReader((data / "catalog.csv").read_text(encoding="utf-8").splitlines()))
    shoes = [row for row in rows if row["image"] == "products/sneaker_black.jpg"]
    assert [row["title"] for row in shoes] == [f"Freerun Running Shoe, Size {size}" for size in (40, 42, 44, 46)]
    assert {row["group"] for row in shoes} == {"Footwear"}


# ---------------------------------------------------------------- names


@pytest.mark.parametrize("kind", samples.KINDS)
def test_every_name_finds_its_picture(kind: str, data: Path) -> None:
    names = samples.names(kind)
    assert names == sorted(names)
    assert len(names) == len(list((data / kind).iterdir())) > 0
    for name in names:
        assert samples.path(name) == samples.path(f"{kind}/{name}")
        assert samples.path(name).parent == data / kind
        assert samples.path(name).stem == name
        assert "\n" not in samples.credit(name)


def test_no_two_pictures_have_one_name() -> None:
    names = [name for kind in samples.KINDS for name in samples.names(kind)]
    assert len(set(names)) == len(names)


def test_load_gives_an_image_on_white() -> None:
    photo = samples.load("sneaker_black")
    assert photo.shape == (1600, 1600, 3)
    assert photo.dtype == np.float32
    render = samples.load("product_renders/chair")
    assert render.shape == (128, 128, 3)
    assert (render[0, 0] == 1).all()


@pytest.mark.parametrize("name", samples.names("products"))
def test_every_product_has_a_mask_of_its_photos_size(name: str) -> None:
    mask, photo = samples.mask(name), samples.load(name)
    assert mask.dtype == np.float32
    assert mask.shape == (*photo.shape[:2], 1)
    assert 0.02 < mask.mean() < 0.5
    assert set(np.unique(mask)) >= {0, 1}
    assert samples.path(f"products/{name}").suffix == ".jpg"  # the mask beside it has the same name


def test_pictures_without_a_mask() -> None:
    with pytest.raises(SettingsError, match="no mask for 'hokusai_great_wave'"):
        samples.mask("hokusai_great_wave")


def test_credit_names_the_painter_and_the_licence() -> None:
    assert re.match("Katsushika Hokusai.*public-domain", samples.credit("hokusai_great_wave"))
    assert re.match("Blend Swap contributors.*CC0", samples.credit("armchair"))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("hokusai_grate_wave", "did you mean hokusai_great_wave"),
        ("styles/sneaker_blak", "did you mean sneaker_black"),
        ("zzzzzz", "samples.names"),
        ("", "samples.names"),
        ("../weights/README", "samples.names"),
        ("products/hokusai_great_wave", "did you mean hokusai_great_wave"),
    ],
)
def test_names_that_do_not_exist(name: str, words: str) -> None:
    for call in (samples.path, samples.load, samples.credit):
        with pytest.raises(SettingsError) as caught:
            call(name)
        assert repr(name) in str(caught.value)
        assert words in str(caught.value)


def test_kinds_that_do_not_exist() -> None:
    with pytest.raises(SettingsError, match=r"'weights' is no kind of sample: choose one of products, styles"):
        samples.names("weights")


# ---------------------------------------------------------------- weights and installation


def test_weights_that_are_not_shipped() -> None:
    with pytest.raises(SettingsError, match="'vgg19' are shipped: choose one of vgg16"):
        samples.weights("vgg19")


def test_weights_that_are_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = fake_data(tmp_path, monkeypatch, sha256="0" * 64)
    with pytest.raises(WeightsError, match=f"{path} are missing: restore them"):
        samples.weights()


def test_weights_that_the_manifest_does_not_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_data(tmp_path, monkeypatch, sha256="0" * 64)
    with pytest.raises(WeightsError, match=r"manifest\.json has no entry for weights/adain.*: restore it with git"):
        samples.weights("adain")


def test_weights_that_are_damaged_and_then_restored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = fake_data(tmp_path, monkeypatch, sha256=hashlib.sha256(b"right").hexdigest())
    path.write_bytes(b"cut off")
    with pytest.raises(WeightsError, match=f"{path} are damaged: restore them with git"):
        samples.weights()
    path.write_bytes(b"right")
    assert samples.weights() == path


def test_the_hash_is_computed_once_per_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = fake_data(tmp_path, monkeypatch, sha256=hashlib.sha256(b"right").hexdigest())
    path.write_bytes(b"right")
    samples.weights()
    monkeypatch.setattr(hashlib, "file_digest", lambda *_: pytest.fail("read a second time"))
    assert samples.weights() == path


def test_an_install_without_the_clone_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samples, "__file__", str(tmp_path / "site-packages" / "stylelab" / "samples.py"))
    for call in (samples.data_root, samples.manifest, samples.weights, lambda: samples.names("styles")):
        with pytest.raises(StyleLabError, match=r"install it from a clone of its repository with pip install -e"):
            call()
