"""Marketplace rules: pictures drawn here that break one rule each, and files of rules with one mistake each.

What is right is known from the drawing: the product's box, the ground's levels, the size. The detector of text is
``measures``' and tested there; here it is mostly replaced by one that knows where text was drawn.
"""

import copy
import datetime
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image, ImageDraw

from stylelab import images
from stylelab.catalog import checks, masks, measures, product, provenance, rules, xmp
from stylelab.errors import ImageError, SettingsError

SIZE = 1000
SHIPPED = {slot.name: slot for slot in rules.slots()}
RULES = yaml.safe_load(Path(rules.__file__).with_name("rules.yaml").read_text(encoding="utf-8"))
BLUE = (40, 80, 160)
DETECTOR = measures.text_boxes


def shop_photo(width: int = SIZE, height: int = SIZE, fill: float = 0.9, ground: Any = 255) -> np.ndarray:
    """uint8 ``[height, width, 3]``: a blue box, ``fill`` of the frame wide and half of it high, in its middle."""
    picture = np.empty((height, width, 3), np.uint8)
    picture[:] = ground
    wide, high = round(fill * width), height // 2
    picture[(height - high) // 2 :, (width - wide) // 2 :][:high, :wide] = BLUE
    return picture


def put(path: Path, pixels: np.ndarray, **options: Any) -> Path:
    Image.fromarray(pixels).save(path, **options)
    return path


@pytest.fixture(autouse=True)
def text(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int, int, int]]:
    """Where the detector finds text; empty until a test draws some."""
    boxes: list[tuple[int, int, int, int]] = []
    monkeypatch.setattr(measures, "text_boxes", lambda rgb: boxes)
    return boxes


def reasons(path: Path, slot: str, **given: Any) -> tuple[str, ...]:
    """What one shipped slot has against a picture."""
    (verdict,) = rules.lint(path, slots=[SHIPPED[slot]], **given)
    assert verdict.slot == slot and verdict.fit == (not verdict.reasons)
    for reason in verdict.reasons:
        assert reason[-1] == "." and "\n" not in reason and len(reason) < 500
    return verdict.reasons


def only(path: Path, slot: str, words: str, **given: Any) -> None:
    """The slot has this one reason and no other."""
    found = reasons(path, slot, **given)
    assert len(found) == 1 and re.search(words, found[0]), found


# ---- the rules that ship -------------------------------------------------------------------------


def test_every_slot_says_where_and_when_its_rules_were_read():
    assert {"amazon_main", "amazon_secondary", "google_image", "google_lifestyle", "house_brand"} == set(SHIPPED)
    for slot in SHIPPED.values():
        day = datetime.date.fromisoformat(slot.date)
        assert datetime.date(2026, 1, 1) <= day <= datetime.date(2027, 12, 31)
        assert "https://" in slot.source or slot.name == "house_brand"
        assert slot.title and slot.caveat and slot.checks
    for name in ("amazon_main", "amazon_secondary"):
        assert "Seller Central's own page was not seen" in SHIPPED[name].caveat


def test_what_the_marketplaces_are_known_to_ask():
    main = SHIPPED["amazon_main"].checks
    assert main["white_ground"]["level"] == 255 and main["product_fill"]["least"] == 0.85
    assert main["longest_side"]["least"] == 1000 and "no_text" in main
    assert not set(provenance.AI) & set(main["source_type"]["allowed"])
    assert provenance.SOURCE_TYPES["clean"] in main["source_type"]["allowed"]
    assert all("tagged_if_ai" in SHIPPED[name].checks for name in ("google_image", "google_lifestyle"))


def test_every_check_is_explained_and_every_argument_has_a_kind():
    for name, check in checks.CHECKS.items():
        assert check.__doc__ and name == check.__name__
    used = {name for slot in SHIPPED.values() for name in slot.checks}
    assert used == set(checks.CHECKS), "a check that no slot asks for is not tested by the pictures below"


# ---- one rule broken, one reason -----------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif", "a.gif"])
def test_a_good_photo_is_fit_for_every_slot(tmp_path, name):
    path = put(tmp_path / name, shop_photo(fill=0.88), **({"quality": 80} if name == "a.jpg" else {}))
    assert rules.lint(path) == [rules.Verdict(name, True, ()) for name in SHIPPED]


@pytest.mark.parametrize(("side", "fit"), [(999, False), (1000, True)])
@pytest.mark.parametrize("slot", ["amazon_main", "amazon_secondary"])
def test_a_thousand_pixels(tmp_path, side, fit, slot):
    path = put(tmp_path / "a.png", shop_photo(side, 600))
    assert (reasons(path, slot) == ()) == fit
    if not fit:
        only(path, slot, "longer side has 999 px; at least 1000 are asked for")


def test_ten_thousand_pixels(tmp_path):
    assert reasons(put(tmp_path / "a.png", shop_photo(10_000, 40)), "amazon_main") == ()
    only(put(tmp_path / "a.png", shop_photo(10_001, 40)), "amazon_main", "10001 px; at most 10000")


@pytest.mark.parametrize(("wide", "fit"), [(849, False), (850, True), (851, True), (1000 - 2, True)])
def test_eighty_five_percent(tmp_path, wide, fit):
    path = put(tmp_path / "a.png", shop_photo(fill=wide / SIZE))
    assert (reasons(path, "amazon_main") == ()) == fit
    if not fit:
        only(path, "amazon_main", r"fills 84\.9 % of the frame; at least 85 %")
    tall = put(tmp_path / "b.png", np.ascontiguousarray(shop_photo(fill=wide / SIZE).swapaxes(0, 1)))
    assert (reasons(tall, "amazon_main") == ()) == fit, "the height counts like the width"


def test_dust_and_letters_are_no_part_of_the_product(tmp_path, text):
    picture = shop_photo(fill=0.5)
    picture[20:28, 20:28] = 0
    text.append((18, 18, 30, 30))
    found = reasons(put(tmp_path / "a.png", picture), "amazon_main")
    assert len(found) == 2 and "fills 50 %" in found[0] and "like text" in found[1]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda p: p.__setitem__((0, 500), 254), r"0\.02\d* % of its edge is not white"),
        (lambda p: np.minimum(p, 254, out=p), "100 % of its edge"),
        (lambda p: p.__setitem__(np.s_[:, :3], 200), "of its edge is not white"),  # a border
        (lambda p: p.__setitem__(np.s_[300:, 400:600], BLUE), "of its edge"),  # a product that is cut off
        (lambda p: p.__setitem__(np.s_[50:150, 400:600], 252), r"% of its ground is not white \(255\)"),
        (lambda p: p.__setitem__(np.s_[50:150, 400:600, 1], 254), "of its ground is not white"),
    ],
    ids=["one pixel", "all", "border", "cut off", "patch", "one channel"],
)
def test_a_ground_that_is_not_white(tmp_path, change, words):
    picture = shop_photo()
    change(picture)
    only(put(tmp_path / "a.png", picture), "amazon_main", words)


def test_a_thousandth_of_the_ground_may_be_off(tmp_path):
    picture = shop_photo()
    gap = SHIPPED["amazon_main"].checks["white_ground"]["gap"]
    ground = SIZE * SIZE - (900 + 2 * gap) * (500 + 2 * gap)
    for off, fit in ((ground // 1000, True), (ground // 1000 + 1, False)):
        other = picture.copy()
        other[100:103].reshape(-1, 3)[1 : off + 1] = 254
        other[100:103, [0, -1]] = 255
        missing = off - int((other != picture).all(-1).sum())
        other[110, 1 : missing + 1] = 254
        path = put(tmp_path / "a.png", other)
        assert (reasons(path, "amazon_main") == ()) == fit


def test_blur_of_jpeg_beside_the_product_is_forgiven(tmp_path):
    path = put(tmp_path / "a.jpg", shop_photo(), quality=40, subsampling=2)
    assert (images.to_uint8(images.read(path)) == 255).all(-1).sum() < SIZE * SIZE - 900 * 500, "there is some"
    assert reasons(path, "amazon_main") == ()


def test_the_mask_decides_what_is_ground(tmp_path):
    picture = shop_photo()
    picture[790:810, 100:900] = 190  # a hard shadow, below the product and apart from it
    picture[750:790, 100:900] = 220  # and touching it
    path = put(tmp_path / "a.png", picture)
    mask = put(tmp_path / "mask.png", np.where(shop_photo() == BLUE, 255, 0).astype(np.uint8))
    only(path, "amazon_main", "of its ground is not white", mask=mask)
    with pytest.raises(ImageError, match=r"mask\.png is 10 x 10 px"):
        rules.lint(path, mask=put(tmp_path / "mask.png", np.zeros((10, 10), np.uint8)))
    only(path, "house_brand", "no product in it", mask=put(tmp_path / "m.png", np.zeros((SIZE, SIZE), np.uint8)))


@pytest.mark.parametrize(("slot", "fit"), [("amazon_main", 0), ("google_image", 0), ("amazon_secondary", 1)])
def test_text_beside_the_product(tmp_path, text, slot, fit):
    image = Image.fromarray(shop_photo())
    draw = ImageDraw.Draw(image)
    draw.text((100, 100), "SALE -50 %", fill=(200, 0, 0), font_size=60)
    text.append(draw.textbbox((100, 100), "SALE -50 %", font_size=60))
    image.save(path := tmp_path / "a.png")
    if fit:
        assert reasons(path, slot) == ()
    else:
        only(path, slot, "1 region beside the product looks like text")


def test_the_real_detector_sees_a_price(tmp_path, monkeypatch):
    monkeypatch.setattr(measures, "text_boxes", DETECTOR)
    image = Image.fromarray(shop_photo())
    assert reasons(put(tmp_path / "a.png", np.asarray(image)), "amazon_main") == ()
    ImageDraw.Draw(image).text((100, 100), "SALE now 50 percent off", fill=(200, 0, 0), font_size=60)
    only(put(tmp_path / "a.png", np.asarray(image)), "amazon_main", "beside the product looks? like text")


def test_strokes_of_a_painted_ground_are_no_text(tmp_path, text):
    """So many regions are a pattern; of them those with one brightness around them are lettering on a plain part."""
    levels, mask = shop_photo(), np.zeros((SIZE, SIZE), np.uint8)
    mask[SIZE // 4 : -SIZE // 4, 50:-50] = 255
    levels[: SIZE // 4, 500:] = np.random.default_rng(0).integers(0, 256, (SIZE // 4, SIZE - 500, 1))
    path, where = put(tmp_path / "a.png", levels), put(tmp_path / "m.png", mask)
    text += [(520 + 40 * k, 40, 550 + 40 * k, 60) for k in range(11)]
    assert reasons(path, "google_image", mask=where) == ()
    text.append((20, 20, 100, 40))
    only(path, "google_image", "1 region beside the product looks like text", mask=where)
    del text[1:-1]
    only(path, "google_image", "2 regions beside the product look like text", mask=where)


def test_text_on_the_product_is_the_products(tmp_path, text):
    text.append((300, 400, 700, 600))
    assert reasons(put(tmp_path / "a.png", shop_photo()), "amazon_main") == ()


def test_formats_and_suffixes(tmp_path):
    webp = put(tmp_path / "a.webp", shop_photo(), lossless=True)
    only(webp, "amazon_main", "is a WEBP; JPEG, PNG, TIFF or GIF is asked for")
    assert reasons(webp, "google_image") == ()
    only(webp, "google_lifestyle", "is a WEBP")
    named = put(tmp_path / "b.jpg", shop_photo(), format="PNG")
    assert reasons(named, "amazon_main") == ()
    only(named, "google_image", r"suffix '\.jpg' is not one of its format, PNG")


def test_transparency(tmp_path):
    alpha = np.full((SIZE, SIZE, 1), 255, np.uint8)
    assert reasons(put(tmp_path / "a.png", np.dstack([shop_photo(), alpha])), "amazon_main") == ()
    alpha[:100] = 0
    only(put(tmp_path / "a.png", np.dstack([shop_photo(), alpha])), "amazon_secondary", "10 % of it is transparent")


def test_google_limits(tmp_path):
    only(put(tmp_path / "a.png", shop_photo(800, 499)), "google_image", "shorter side has 499 px; at least 500")
    path = put(tmp_path / "a.png", shop_photo(800, 500))
    assert reasons(path, "google_image") == ()
    limits = SHIPPED["google_image"].checks
    assert (limits["megapixels"], limits["file_size"]) == ({"most": 64}, {"most": 16})
    subject, size = checks.Subject(path, images.open_picture(path)), path.stat().st_size / 1e6
    assert checks.megapixels(subject, most=0.4) is None and checks.file_size(subject, most=size) is None
    assert checks.megapixels(subject, most=0.3999) == "It has 0.4 megapixels; at most 0.3999 are asked for."
    assert "MB; at most" in checks.file_size(subject, most=size - 1e-6)


def test_the_brand_kit(tmp_path):
    cream, mint = (244, 239, 230), (120, 220, 180)
    good = shop_photo(fill=0.6, ground=cream)
    mask = put(tmp_path / "mask.png", np.where(good == BLUE, 255, 0).astype(np.uint8))
    assert reasons(put(tmp_path / "a.png", good), "house_brand", mask=mask) == ()
    wrong = shop_photo(fill=0.6, ground=mint)
    only(put(tmp_path / "a.png", wrong), "house_brand", "0 % of the ground has the palette's colors", mask=mask)
    half = good.copy()
    half[:500][(good[:500] != BLUE).any(-1)] = mint
    only(put(tmp_path / "a.png", half), "house_brand", r"(49|50)[.\d]* % of the ground", mask=mask)
    near = shop_photo(fill=0.6, ground=(236, 233, 226))
    assert reasons(put(tmp_path / "a.png", near), "house_brand", mask=mask) == (), "a shade of the cream"
    wide = np.concatenate([good, good[:11]])
    tall = put(tmp_path / "tall.png", np.where(wide == BLUE, 255, 0).astype(np.uint8))
    only(put(tmp_path / "a.png", wide), "house_brand", r"Width to height is 0\.99; 1\.00", mask=tall)


@pytest.mark.parametrize(("fill", "fit"), [(0.9, True), (0.902, False)])
def test_margins(tmp_path, fill, fit):
    path = put(tmp_path / "a.png", shop_photo(fill=fill))
    if fit:
        assert reasons(path, "house_brand") == ()
    else:
        only(path, "house_brand", r"margin at the (left|right) is 4\.9 % of the frame; at least 5 %")


def test_where_the_product_is_may_be_unknown(tmp_path, monkeypatch):
    calls = []

    def of(picture: images.Picture) -> masks.Mask:
        calls.append(picture)
        return masks.Mask(np.ones((SIZE, SIZE, 1), np.float32), masks.ACCEPT - 0.01, "photo")

    monkeypatch.setattr(masks, "of", of)
    path = put(tmp_path / "a.png", shop_photo(ground=(60, 120, 90)))
    assert "Where its product is could not be told: give its mask." in reasons(path, "house_brand")
    assert len(reasons(path, "house_brand")) == 1 and len(calls) == 2, "found out once for each picture"
    assert reasons(put(tmp_path / "a.png", np.full((SIZE, SIZE, 3), 255, np.uint8)), "amazon_main") == (
        "There is no product in it.",
    )


# ---- what a picture says of itself ---------------------------------------------------------------


def sealed(folder: Path, mode: str, name: str = "a.png") -> Path:
    photo = put(folder / "photo.png", shop_photo())
    rgb = images.read(photo)
    return provenance.seal(folder / name, rgb, source=photo, settings={"mode": mode, "strength": 1.0})


@pytest.mark.parametrize("mode", ["scene", "backdrop", "whole"])
def test_a_stylized_picture_is_never_a_main_image(tmp_path, mode):
    """Its pixels are those of the good photo."""
    found = {verdict.slot: verdict.reasons for verdict in rules.lint(sealed(tmp_path, mode)) if not verdict.fit}
    term = provenance.SOURCE_TYPES[mode]
    assert found == {"amazon_main": (f"It is declared as {term}, and only a real photograph is taken.",)}


def test_a_stylized_picture_that_hides_it(tmp_path):
    path = sealed(tmp_path, "scene")
    whole, term = path.read_bytes(), provenance.SOURCE_TYPES["scene"]
    put(path, shop_photo())  # the packet is gone, the sidecar tells
    only(path, "amazon_main", f"declared as {term}")
    for slot in ("google_image", "google_lifestyle"):
        only(path, slot, f"sidecar says {term}, and the file has lost the tag")
    path.write_bytes(whole)  # the sidecar is gone, the packet tells
    provenance.sidecar(path).unlink()
    only(path, "amazon_main", f"declared as {term}")
    put(path, shop_photo())  # the packet is gone, and the sidecar says nothing: nobody vouches for it
    provenance.sidecar(path).write_bytes(b"{}")
    only(path, "amazon_main", "Its sidecar does not tell what it is: ")


@pytest.mark.parametrize("name", ["clean.png", "clean.jpg"])
def test_a_cut_out_is_a_main_image(tmp_path, monkeypatch, name):
    """What the mode clean makes of a photo on gray, with the detector of text as it is."""
    monkeypatch.setattr(measures, "text_boxes", DETECTOR)
    photo = put(tmp_path / "photo.png", shop_photo(fill=0.4, ground=120))
    mask = np.where((shop_photo(fill=0.4, ground=120) == BLUE).all(-1, keepdims=True), 1, 0).astype(np.float32)
    prepared = product.prepare(images.open_picture(photo), mask, "clean", SIZE)
    rgb = product.render(prepared, "clean", None, None)
    path = provenance.seal(tmp_path / name, rgb, source=photo, settings={"mode": "clean"})
    assert reasons(path, "amazon_main") == ()
    where = images.write(tmp_path / "mask.png", np.repeat(mask, 3, axis=-1))
    assert len(reasons(photo, "amazon_main", mask=where)) == 2, "the photo itself: a gray ground, a small product"


@pytest.mark.parametrize(("term", "fit"), [("digitalCapture", 1), ("trainedAlgorithmicMedia", 0), ("unheard of", 0)])
def test_what_other_tools_declare(tmp_path, term, fit):
    path = images.write(tmp_path / "a.png", shop_photo() / 255.0, xmp=xmp.packet(term, "", "another tool"))
    assert (reasons(path, "amazon_main") == ()) == fit


def test_a_broken_picture_is_an_error(tmp_path):
    (tmp_path / "a.png").write_bytes(b"no picture")
    for path in (tmp_path / "a.png", tmp_path / "missing.png", tmp_path):
        with pytest.raises(ImageError, match=re.escape(str(path))):
            rules.lint(path)


# ---- files of rules ------------------------------------------------------------------------------


def own(tmp_path: Path, **changes: Any) -> Path:
    """A file of rules with one slot, changed in one place (``None`` takes a key out)."""
    slot = copy.deepcopy(RULES["house_brand"]) | changes
    path = tmp_path / "own.yaml"
    path.write_text(yaml.safe_dump({"shop": {key: value for key, value in slot.items() if value is not None}}))
    return path


def test_ones_own_rules(tmp_path):
    (slot,) = rules.slots(own(tmp_path, checks={"longest_side": {"most": 999}}))
    assert slot.name == "shop" and slot.date == "2026-11-26"
    picture = put(tmp_path / "a.png", shop_photo())
    assert rules.lint(picture, slots=[slot])[0].reasons == ("The longer side has 1000 px; at most 999 are asked for.",)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"title": None}, "key 'title' is missing"),
        ({"source": ""}, "key 'source' is missing"),
        ({"date": "yesterday"}, "key 'date' is no day"),
        ({"date": datetime.datetime(2026, 1, 1, 1)}, "key 'date' is no day"),
        ({"titel": "x"}, "key 'titel' is not known"),
        ({"name": "x"}, "key 'name' is not known"),
        ({"title": 3}, "key 'title' is no text"),
        ({"checks": ["no_text"]}, "key 'checks' holds no checks"),
        ({"checks": {"no_txt": {}}}, "check 'no_txt' is not known; there are file_format"),
        ({"checks": {"no_text": True}}, "check 'no_text' needs its arguments in braces"),
        ({"checks": {"no_text": {"x": 1}}}, "check 'no_text' has no key 'x'; it has none"),
        ({"checks": {"margins": {}}}, "check 'margins' needs the key 'least'"),
        ({"checks": {"margins": {"least": 5}}}, "key 'least' must be a number from 0 to 1, not 5"),
        ({"checks": {"margins": {"least": True}}}, "key 'least' must be a number from 0 to 1, not True"),
        ({"checks": {"longest_side": {"least": "1000"}}}, "key 'least' must be a whole number"),
        ({"checks": {"longest_side": {"least": 10.5}}}, "key 'least' must be a whole number"),
        ({"checks": {"file_size": {"most": float("nan")}}}, "key 'most' must be a number above 0"),
        ({"checks": {"file_format": {"allowed": "PNG"}}}, "key 'allowed' must be a list of texts"),
        ({"checks": {"file_format": {"allowed": []}}}, "key 'allowed' must be a list of texts"),
        (
            {"checks": {"palette": {"colors": ["red"], "distance": 5, "share": 1}}},
            "key 'colors' must be a list of colors such as '#f4efe6'",
        ),
    ],
    ids=lambda value: json.dumps(value, default=str)[:40] if isinstance(value, dict) else "",
)
def test_a_mistake_in_the_rules_is_one_sentence(tmp_path, changes, words):
    path = own(tmp_path, **changes)
    with pytest.raises(SettingsError, match=re.escape(words)) as caught:
        rules.slots(path)
    sentence = str(caught.value)
    assert str(path) in sentence and "'shop'" in sentence and "\n" not in sentence and sentence[-1] == "."


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefghi", "bcdefghij", strict=True)
)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "hold no slots"),
        (b"- a\n- b\n", "hold no slots"),
        (b"a: [", "are not YAML near line"),
        (b"!!python/object/apply:os.system ['true']", "are not YAML near line 1"),
        (b"\xff\xfe\xfa", "cannot be read"),
        (b"[" * 1000, "are not YAML"),
        (b"a: b", "slot 'a': it holds no keys"),
        (b"1: {}", "slot 1: its name is no text"),
        (b"x: 2026-99-99", "are not YAML"),
        (BOMB.encode(), "slot 'a': it holds no keys"),
        (b"s: {title: t, source: s, date: 2026-01-01, checks: {margins: {least: &x [*x]}}}", "not [[[["),
        (b"#" * 200_000, "more than 100,000 bytes"),
    ],
    ids="empty list cut python binary deep text number day bomb loop large".split(),  # noqa: SIM905
)
def test_a_hostile_file_of_rules(tmp_path, content, words):
    path = tmp_path / "own.yaml"
    path.write_bytes(content)
    with pytest.raises((SettingsError, ImageError), match=re.escape(words)) as caught:
        rules.slots(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value) and len(str(caught.value)) < 500


def test_rules_that_are_not_there(tmp_path):
    for path in (tmp_path / "missing.yaml", tmp_path):
        with pytest.raises(ImageError, match=re.escape(f"The rules {path} cannot be read: ")):
            rules.slots(path)
