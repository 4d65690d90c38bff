"""The workbench without a browser: the session, what is drawn and said, and the widgets, whose callbacks run here.

The method is a fake that inverts, so that no weights are read; photos have their mask in alpha. The
tests in ``tests/browser`` drive the real ones.
"""

import asyncio
import base64
import hashlib
import io
import json
import re
import socket
import sys
import zipfile
from datetime import UTC, datetime
from typing import ClassVar

import ipywidgets
import numpy as np
import pytest

from stylelab import course, images, stylizers
from stylelab.catalog import masks, product, provenance
from stylelab.errors import ImageError, SettingsError, StyleLabError
from stylelab.workbench import __main__ as server
from stylelab.workbench import marks, pictures, report, view
from stylelab.workbench.later import Later
from stylelab.workbench.session import SUFFIXES, Choices, Made, Session, method_of
from tests import broken

STYLES = (("hokusai_great_wave", 1.0),)
CHOICES = Choices(STYLES)
HALF = np.float32(np.arange(40) < 20)[None, :, None].repeat(32, 0)  # an alpha, so that no network has to look
BAD = [one for one in broken.CORPUS if one.name in ("empty.jpg", "text.jpg", "truncated.jpg", "bomb.png", "phone.heic")]


class Inverting(stylizers.Stylizer):
    """Between the photo and its negative; remembers what it was asked for."""

    asked: ClassVar[list] = []

    def _resolve(self, style):
        Inverting.asked.append(style)
        return style

    def _stylize(self, content, style, *, strength, seed, callback, regions):
        return content + strength * (1 - 2 * content)


@pytest.fixture(autouse=True)
def method(monkeypatch):
    """Which methods were got, in order."""
    got = []
    monkeypatch.setattr(stylizers, "get", lambda name: got.append(name) or Inverting())
    Inverting.asked = []
    return got


@pytest.fixture
def photo(tmp_path):
    """A cut-out 60x48: a textured square with alpha 1 on a ground with alpha 0."""
    rng = np.random.default_rng(0)
    alpha = np.zeros((48, 60, 1), "float32")
    alpha[10:40, 15:45] = 1
    rgb = (rng.uniform(0.2, 0.7, (48, 60, 3)) * 255).astype(int) / 255
    return images.write(tmp_path / "photos" / "shoe.png", rgb.astype("float32"), alpha)


@pytest.fixture
def session(tmp_path, photo):
    session = Session(tmp_path / "out")
    session.open(photo)
    session.find()
    return session


def sha(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


# ---- session -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["shoe.jpg", "../../etc/passwd", "..", ".", "", "a/b\\c.png", "C:\\x\\y.png", "\0\n.png", "x" * 400, "\ud800.png"],
)
def test_an_upload_stays_in_the_sessions_folder(name):
    session = Session()
    first, second = session.keep(name, b"1"), session.keep(name, b"2")
    root = session.keep("x", b"").parent.parent
    assert first.resolve().parent.parent == second.resolve().parent.parent == root.resolve()
    assert (first.read_bytes(), second.read_bytes()) == (b"1", b"2")


def test_the_uploads_go_with_the_session():
    session = Session()
    kept = session.keep("shoe.png", b"1")
    del session
    assert not kept.exists()


@pytest.mark.parametrize("one", BAD, ids=lambda one: one.name[:40])
def test_a_broken_file_gives_a_sentence_and_leaves_the_photo(one, session, tmp_path):
    before, file = session.picture, one.make(tmp_path)
    with pytest.raises(StyleLabError) as raised:
        session.open(file)
    assert session.picture is before
    assert all(word in str(raised.value) for word in one.error)


def test_what_is_said_does_not_name_the_sessions_folder(session):
    kept = session.keep("holiday.jpg", b"no picture")
    with pytest.raises(ImageError) as raised:
        session.open(kept)
    assert str(kept.parent) in str(raised.value)
    assert session.plainly(str(raised.value)).startswith("holiday.jpg cannot be read: ")


def test_a_tiny_photo_is_refused(session, tmp_path):
    small = images.write(tmp_path / "small.png", np.full((15, 400, 3), 0.5, "float32"))
    with pytest.raises(ImageError, match=r"400x15 px.*at least 16"):
        session.open(small)


def test_without_a_photo_or_a_product_it_says_so(session, photo):
    with pytest.raises(ImageError, match="No photo is open"):
        Session().preview(CHOICES, 32, 32)
    session.open(photo)
    with pytest.raises(ImageError, match="not found: draw a box"):
        session.preview(CHOICES, 32, 32)
    assert session.preview(Choices(STYLES, mode="whole"), 32, 32).after.shape == (26, 32, 3)


@pytest.mark.parametrize("box", [(0, 0, 61, 48), (-1, 0, 9, 9), (9, 0, 9, 9), (0, 9, 9, 5)])
def test_a_box_outside_the_photo_is_refused(session, box):
    with pytest.raises(ImageError, match="box"):
        session.find(box)
    assert session.mask is None


def test_a_box_reaches_the_mask_in_px(session, monkeypatch):
    seen = []
    monkeypatch.setattr(masks, "of", lambda picture, *, file, hint: seen.append((file, hint)))
    session.find((1, 2, 30, 40))
    session.find()
    assert seen[0][1].box == (1, 2, 30, 40)
    assert seen[1] == (None, None)


@pytest.mark.parametrize(
    ("text", "strokes"),
    [
        ("", []),
        (" ; ;", []),
        ("product 1,2", [("product", [[1, 2]])]),
        ("Ground 3 , 4   5,6;product 0,0;", [("ground", [[3, 4], [5, 6]]), ("product", [[0, 0]])]),
    ],
)
def test_strokes_are_read(text, strokes):
    assert [(kind, points.tolist()) for kind, points in marks.read(text)] == strokes


@pytest.mark.parametrize(
    "text",
    [
        "product",
        "1,2 3,4",
        "produce 1,2",
        "product 1,2,3",
        "product 1 2",
        "product 1.5,2",
        "ground 1,2 x",
        "product ²,3",
        "product 1,2 ground 3,4",
        f"product {'9' * 5000},1",
        "product 1,2; <b>",
    ],
)
def test_strokes_that_cannot_be_read_are_one_sentence(session, text):
    with pytest.raises(ImageError, match=r"^The stroke '.{1,40}' cannot be read: write product or ground, .*\.$"):
        session.find(strokes=text)
    assert session.mask is None


@pytest.mark.parametrize(
    ("text", "box", "words"),
    [
        ("product 60,20", None, "product leaves the photo.* 0,0 to 59,47"),
        ("product 20,20; ground 3,4 5,-1", None, "ground leaves the photo"),
        ("product 10,10 30,30; ground 30,10 10,30", None, "touch: undo"),
        ("product 30,20 10,20", (20, 10, 40, 40), "product leaves the box.* 20,10 to 39,39"),
        ("product 30,20", (20, 10, 99, 40), "box is empty or leaves"),
    ],
)
def test_strokes_that_contradict_are_one_sentence(session, text, box, words):
    with pytest.raises(ImageError, match=words):
        session.find(box, strokes=text)
    assert session.mask is None


def test_a_stroke_is_as_wide_as_its_pen():
    hint = marks.hint("product 100,50 400,250; ground 800,400", None, (500, 1000))
    y, x = np.mgrid[:500, :1000]
    share = np.clip(((x - 100) * 300 + (y - 50) * 200) / (300**2 + 200**2), 0, 1)
    for drawn, away in (
        (hint.keep, np.hypot(x - 100 - 300 * share, y - 50 - 200 * share)),
        (hint.drop, np.hypot(x - 800, y - 400)),
    ):
        assert drawn.dtype == bool
        assert drawn[away <= 0.4 * marks.PEN * 1000].all()
        assert not drawn[away > 0.5 * marks.PEN * 1000 + 1].any()


def test_a_pen_at_the_edge_of_the_box_stays_inside():
    hint = marks.hint("product 300,200", (300, 200, 400, 300), (500, 1000))
    rows, columns = np.nonzero(hint.keep[..., 0])
    assert (rows.min(), columns.min()) == (200, 300)


def test_strokes_are_obeyed_and_recorded(session):
    mask = session.find((5, 5, 55, 45), strokes="product 20,20 40,30; ground 7,7")
    assert mask.source == "strokes"
    assert (mask.values[[20, 30], [20, 40]] == 1).all()
    assert mask.values[7, 7] == 0
    made = session.make(CHOICES, None, ".png")
    sidecar = json.loads(made.file.with_name(f"{made.file.name}.json").read_text())
    assert '"mask_source": "strokes"' in json.dumps(sidecar)
    assert session.find(strokes=" ").source == "alpha"


@pytest.mark.parametrize("mode", product.MODES)
@pytest.mark.parametrize("size", [32, 60])
def test_a_preview_shows_both_at_one_size(session, mode, size):
    preview = session.preview(Choices(STYLES, mode=mode), size, 60)
    assert preview.before.shape == preview.after.shape
    assert max(preview.after.shape) == 60


def test_a_preview_keeps_the_product_and_not_the_ground(session):
    preview = session.preview(CHOICES, 60, 60)
    core = product.core(session.prepared("scene", 60).mask)[..., 0]
    np.testing.assert_array_equal(preview.before[core], preview.after[core])
    whole = session.preview(Choices(STYLES, mode="whole"), 60, 60)
    np.testing.assert_allclose(whole.after[core], 1 - whole.before[core], atol=1e-6)


def test_strength_and_color_reach_the_method(session):
    none = session.preview(Choices(STYLES, mode="whole", strength=0), 60, 60)
    np.testing.assert_array_equal(none.before, none.after)
    kept = session.preview(Choices(STYLES, mode="whole", keep_color=True), 60, 60)
    turned = session.preview(Choices(STYLES, mode="whole"), 60, 60)
    core = product.core(session.prepared("whole", 60).mask)[..., 0]
    colors = [images.rgb_to_ycbcr(one)[core][:, 1:] for one in (kept.before, kept.after, turned.after)]
    distance = [np.abs(colors[0] - other).mean() for other in colors[1:]]
    assert distance[0] < distance[1] / 3


def test_styles_and_weights_reach_the_method(session, photo, method):
    session.preview(Choices((("hokusai_great_wave", 30.0), ("vangogh_starry_night", 70.0))), 32, 32)
    session.preview(Choices((("hokusai_great_wave", 30.0), (photo, 0.0), (photo, 9.0))), 32, 32)
    by_name, by_picture = Inverting.asked[0], Inverting.asked[-1]
    assert method == ["fast", "any"]
    assert (by_name.names, by_name.weights) == (("hokusai_great_wave", "vangogh_starry_night"), (30.0, 70.0))
    assert by_picture.weights == (30.0, 9.0)
    assert len(by_picture.pictures) == 2


@pytest.mark.parametrize("styles", [(), (("hokusai_great_wave", 0.0),)])
def test_without_a_style_it_says_so(session, styles):
    with pytest.raises(SettingsError, match="choose one"):
        session.preview(Choices(styles), 32, 32)
    assert session.preview(Choices(styles, mode="clean"), 32, 32).after.max() == 1


def test_a_method_is_made_once(session, method):
    for strength in (0.2, 0.4):
        session.preview(Choices(STYLES, strength=strength), 32, 32)
    assert method == ["fast"]
    assert method_of(CHOICES) == "fast"


def test_another_photo_is_prepared_anew(session, photo):
    old = session.prepared("scene", 32)
    assert session.prepared("scene", 32) is old
    session.open(photo)
    session.find()
    assert session.prepared("scene", 32) is not old


@pytest.mark.parametrize("suffix", SUFFIXES.values())
@pytest.mark.parametrize("mode", product.MODES)
def test_a_picture_comes_with_its_provenance(session, photo, tmp_path, mode, suffix):
    before, steps = sha(photo), []
    made = session.make(Choices(STYLES, mode=mode), 64, suffix, lambda number, name: steps.append(number))
    assert steps == [0, 1, 2, 3, 4, 5]
    assert provenance.verify(made.file, source=photo).failures == ()
    assert max(images.read(made.file).shape) == 64
    with zipfile.ZipFile(io.BytesIO(made.pack)) as archive:
        archive.extractall(tmp_path / "elsewhere")
    unpacked = tmp_path / "elsewhere" / made.file.name
    assert provenance.verify(unpacked).failures == ()
    images.write(unpacked, 1 - images.read(unpacked))
    assert provenance.verify(unpacked).failures
    assert sha(photo) == before
    assert {verdict.slot for verdict in made.verdicts} >= {"amazon_main", "google_image"}
    if suffix == ".png":
        assert (made.measures.core_difference == 0) == (mode != "whole")


def test_each_picture_has_a_folder_of_its_own(session):
    first, second = (session.make(CHOICES, None, ".png") for _ in range(2))
    assert first.file.parent != second.file.parent
    assert first.size == (60, 48)


def test_a_failure_leaves_nothing_behind(session, tmp_path, monkeypatch):
    def full(*_, **__):
        raise ImageError("The disk is full.")

    monkeypatch.setattr(images, "write", full)
    with pytest.raises(ImageError, match="full"):
        session.make(CHOICES, 64, ".png")
    assert not list((tmp_path / "out").iterdir())
    (tmp_path / "file").write_text("")
    with pytest.raises(ImageError, match="cannot be written"):
        blocked = Session(tmp_path / "file")
        blocked.__dict__ |= {k: session.__dict__[k] for k in ("path", "picture", "mask")}
        blocked.make(CHOICES, 64, ".png")


@pytest.mark.parametrize(
    ("confidence", "source", "look", "words"),
    [
        (1.0, "alpha", False, "transparency"),
        (1.0, "file", False, "your mask"),
        (masks.ACCEPT, "photo", False, "Product found"),
        (masks.ACCEPT - 0.01, "photo", True, "draw a box"),
        (0.1, "box", True, "closer"),
        (masks.ACCEPT, "strokes", False, "with your strokes"),
        (0.1, "strokes", True, "draw more of them"),
    ],
)
def test_a_person_is_asked_to_look_when_the_mask_is_unsure(confidence, source, look, words):
    sentence, asked = report.verdict_on(masks.Mask(np.ones((4, 4, 1), "float32"), confidence, source))
    assert asked == look
    assert words in sentence


# ---- later ---------------------------------------------------------------------------------------


def test_without_an_event_loop_it_runs_at_once():
    ran = []
    Later(lambda: ran.append(1), 9)()
    assert ran == [1]


def test_of_many_calls_the_newest_state_runs_once():
    state, ran = [0], []

    async def drag():
        later = Later(lambda: ran.append(state[0]), 0.01)
        for value in range(1, 6):
            state[0] = value
            later()
        await asyncio.sleep(0.2)
        assert ran == [5]
        later()
        later.cancel()
        await asyncio.sleep(0.1)

    asyncio.run(drag())
    assert ran == [5]


def test_again_waits_for_rest():
    ran = []

    async def drag():
        later, loop = Later(lambda: ran.append(loop.time()), 0.3), asyncio.get_running_loop()
        for _ in range(4):
            later.again()
            last = loop.time()
            await asyncio.sleep(0.05)
        await asyncio.sleep(1)
        assert len(ran) == 1
        assert ran[0] >= last + 0.29

    asyncio.run(drag())


# ---- what is drawn and said ----------------------------------------------------------------------


def test_the_outline_leaves_the_product_alone():
    photo = np.full((40, 50, 3), 0.25, "float32")
    mask = np.zeros((40, 50, 1), "float32")
    mask[10:30, 10:40] = 1
    shown = pictures.marked(photo, mask)
    inside = mask[..., 0] == 1
    np.testing.assert_array_equal(shown[inside], photo[inside])
    assert (shown[~inside] > 0.25).all(axis=1).any()
    assert (np.abs(shown - pictures.OUTLINE).max(-1) < 1e-6).sum() > 80
    np.testing.assert_array_equal(pictures.marked(photo, None), photo)


@pytest.mark.parametrize("box", [(0.2, 0.1, 0.8, 0.9), (0, 0, 1, 1), (0.5, 0.5, 0.51, 0.51)])
def test_the_box_is_where_it_was_asked(box):
    shown = pictures.marked(np.full((101, 201, 3), 0.5, "float32"), None, box)
    rows, columns = np.nonzero((shown != 0.5).any(-1))
    expected = [box[1] * 100, box[3] * 100, box[0] * 200, box[2] * 200]
    np.testing.assert_allclose([rows.min(), rows.max(), columns.min(), columns.max()], expected, atol=1)


@pytest.mark.parametrize("ground", [0.0, 0.5, 1.0])
def test_strokes_differ_in_color_and_in_shape(ground):
    photo = np.full((101, 201, 3), ground, "float32")
    line = np.array([[0.1, 0.5], [0.9, 0.5]])
    along = {}
    for kind, color in pictures.STROKES.items():
        shown = pictures.marked(photo, None, None, [(kind, line)])
        colored = (np.abs(shown - color) < 1e-6).all(-1)
        assert np.abs(np.nonzero(colored)[0] - 50).max() <= 6
        assert (shown[colored.nonzero()[0].min() - 2 : 50].min(-1) == 1).any()  # white around it
        along[kind] = colored[:, 20:181].any(0)
    assert along["product"].all()
    assert 9 <= (np.diff(along["ground"].astype(int)) == 1).sum() <= 12  # crosses with gaps
    dots = [pictures.marked(photo, None, None, [(kind, line[:1])]) != photo for kind in pictures.STROKES]
    assert all(dot[45:56, 15:26].any() for dot in dots)
    assert (dots[0] != dots[1]).any()


def test_paintings_have_readable_names():
    assert pictures.title("vangogh_starry_night") == "van Gogh: Starry Night"
    assert pictures.title("renoir_moulin_de_la_galette") == "Renoir: Moulin de la Galette"


def test_the_report_escapes_and_the_link_holds_the_file(session):
    made = session.make(CHOICES, 64, ".png")
    evil = Made(made.file.parent / '"><script>' / "a.png", made.size, None, made.verdicts, made.pack)
    link = report.download(evil)
    assert "<script>" not in link
    assert base64.b64decode(re.search(r'base64,([^"]+)"', link)[1]) == made.pack
    page = report.findings(made)
    assert "64 x 51 px" in page
    assert page.count("</li>") == page.count("<li")
    assert "none" in page


# ---- widgets -------------------------------------------------------------------------------------


def give(upload, path):
    """What the browser does when a file is chosen, in ipywidgets 7 and 8."""
    content = path.read_bytes()
    if int(ipywidgets.__version__.split(".")[0]) < 8:
        upload.metadata, upload.data = [{"name": path.name, "size": len(content)}], [content]
        upload._counter += 1
    else:
        now = datetime.now(UTC)
        file = {"name": path.name, "type": "image/png", "size": len(content), "content": memoryview(content)}
        upload.value = (file | {"last_modified": now},)


@pytest.fixture
def bench(session, photo, monkeypatch):
    monkeypatch.setattr(view, "QUICK", 32)
    monkeypatch.setattr(view, "SHARP", 96)
    return view.Workbench(session, photo)


def said(bench):
    return re.sub("<[^>]+>", "", bench.status.value)


def test_it_opens_with_a_picture(bench, session):
    assert "transparency" in bench.sure.value
    assert (bench.box["right"].max, bench.box["bottom"].value) == (60, 48)
    assert bench.photo.value == ""
    shown = images.to_uint8(session.preview(bench.choices(), 96, 96).after)
    assert bench.after.value == pictures.jpeg(shown / 255)
    assert said(bench) == ""


@pytest.mark.parametrize(
    "change",
    [
        lambda bench: setattr(bench.strength, "value", 30),
        lambda bench: setattr(bench.mode, "value", "whole"),
        lambda bench: setattr(bench.keep_color, "value", True),
    ],
)
def test_each_control_changes_the_picture(bench, change):
    bench.mode.value = "scene"
    before = bench.after.value
    change(bench)
    assert bench.after.value != before
    assert said(bench) == ""


def test_paintings_are_ticked_and_blended(bench):
    first = next(number for number, tick in enumerate(bench.paintings) if tick.value)
    other = (first + 1) % len(bench.paintings)
    assert bench.blend.children == ()
    bench.paintings[other].value = True
    assert len(bench.blend.children) == 2
    bench.shares[other].value = 10
    assert dict(bench.choices().styles) == {bench.sources[first]: 50.0, bench.sources[other]: 10.0}
    assert sorted(Inverting.asked[-1].weights) == [10.0, 50.0]
    bench.paintings[first].value = bench.paintings[other].value = False
    assert "choose one" in said(bench)
    bench.paintings[first].value = True
    assert said(bench) == ""


def test_an_uploaded_photo_is_used(bench, session, tmp_path):
    other = images.write(tmp_path / "bag.png", np.full((32, 40, 3), 0.4, "float32"), HALF)
    before = bench.source.value
    give(bench.upload_photo, other)
    assert session.path.name == "bag.png"
    assert bench.box["right"].max == 40
    assert bench.source.value != before
    assert "bag.png" in bench.remarks.value


@pytest.mark.parametrize("button", ["upload_photo", "upload_style", "upload_mask"])
def test_a_broken_upload_gives_one_sentence(bench, session, tmp_path, button):
    file = next(one for one in BAD if one.name == "truncated.jpg").make(tmp_path)
    before, path = bench.after.value, session.path
    give(getattr(bench, button), file)
    assert said(bench).count("truncated.jpg") == 1
    assert "damaged" in said(bench)
    assert str(tmp_path) not in said(bench)
    assert 'role="alert"' in bench.status.value
    assert (bench.after.value, session.path) == (before, path)


def test_an_uploaded_style_is_used_alone(bench, tmp_path, method):
    style = images.write(tmp_path / "my style.png", np.random.default_rng(1).uniform(0, 1, (40, 40, 3)))
    give(bench.upload_style, style)
    assert method[-1] == "any"
    assert [source.name for source, _ in bench.choices().styles] == ["my style.png"]
    assert bench.paintings[-1].description == "my style"
    assert said(bench) == ""


def test_an_uploaded_mask_is_used(bench, session, tmp_path):
    values = np.zeros((48, 60, 3), "float32")
    values[:24] = 1
    give(bench.upload_mask, images.write(tmp_path / "mask.png", values))
    assert session.mask.source == "file"
    assert "your mask" in bench.sure.value


def test_the_box_is_drawn_and_taken(bench, session, monkeypatch):
    seen = []
    found = masks.Mask(session.mask.values, 0.3, "box")
    monkeypatch.setattr(masks, "of", lambda picture, *, file, hint: seen.append(hint) or found)
    before = bench.source.value
    bench.box["left"].value = 12
    assert seen[-1].box == (12, 0, 60, 48)
    assert bench.source.value != before
    assert "sl-look" in bench.sure.value
    bench.whole_photo.click()
    assert seen[-1] is None
    assert bench.box["left"].value == 0


def test_strokes_are_drawn_taken_and_removed(bench, session, monkeypatch):
    seen = []
    found = masks.Mask(session.mask.values, 0.99, "strokes")
    monkeypatch.setattr(masks, "of", lambda picture, *, file, hint: seen.append(hint) or found)
    shown = [bench.source.value]
    bench.strokes.value = "product 20,20; ground 2,3 9,9; "
    assert seen[-1].keep[20, 20]
    assert seen[-1].drop[3, 2]
    assert "with your strokes" in bench.sure.value
    shown.append(bench.source.value)
    bench.undo.click()
    assert bench.strokes.value == "product 20,20"
    assert not seen[-1].drop.any()
    shown.append(bench.source.value)
    bench.strokes.value += "; ground 2,3;"
    bench.no_strokes.click()
    assert (bench.strokes.value, seen[-1]) == ("", None)
    assert len(set(shown)) == 3
    assert bench.source.value == shown[0]


def test_strokes_that_are_wrong_are_told_and_mended(bench, session):
    for text, words in ("product 20,20; grund 1,1", "grund 1,1"), ("product 20,20; ground 20,20", "touch"):
        bench.strokes.value = text
        assert words in said(bench)
        assert 'role="alert"' in bench.status.value
        assert session.mask is None
        bench.undo.click()
        assert said(bench) == ""
        assert session.mask.source == "strokes"


def test_another_photo_or_a_mask_clears_the_strokes(bench, photo, session, tmp_path):
    file = images.write(tmp_path / "mask.png", np.ones((48, 60, 3), "float32") * HALF[:1, :1])
    bench.strokes.value = "product 20,20"
    give(bench.upload_mask, BAD[1].make(tmp_path))
    assert bench.strokes.value == "product 20,20"
    assert session.mask.source == "strokes"
    give(bench.upload_mask, file)
    assert (bench.strokes.value, session.mask.source) == ("", "file")
    bench.strokes.value = "product 20,20"
    give(bench.upload_photo, photo)
    assert (bench.strokes.value, session.mask.source) == ("", "alpha")


def test_a_box_without_an_inside_is_told(bench):
    bench.box["right"].value = 5
    bench.box["left"].value = 20
    assert "box is empty" in said(bench)


def test_the_page_says_when_it_is_there(session, photo, monkeypatch):
    opened = []
    monkeypatch.setattr(session, "open", lambda source: opened.append(source))

    async def visit():
        bench = view.Workbench(session, photo)
        assert opened == []
        bench.ready.click()
        assert opened == [photo]
        told = []
        monkeypatch.setattr(ipywidgets.Image, "send_state", lambda widget, key: told.append(widget))
        bench.ready.click()  # as another page on the same kernel does
        assert opened == [photo]
        assert bench.after in told

    asyncio.run(visit())


def test_without_a_photo_every_control_says_so(tmp_path):
    bench = view.Workbench(Session(tmp_path), tmp_path / "gone.jpg")
    assert "no such file" in said(bench)
    typed = [lambda: setattr(bench.box["left"], "value", 5), lambda: setattr(bench.strokes, "value", "product 1,1")]
    for act in (bench.make.click, bench.whole_photo.click, *typed):
        act()
        assert "No photo is open" in said(bench)
        bench.status.value = ""


def test_the_picture_is_made_and_offered(bench, tmp_path):
    bench.size.value = 512
    bench.make.click()
    (folder,) = (tmp_path / "out").iterdir()
    assert provenance.verify(folder / "shoe.png").failures == ()
    assert folder.name in bench.download.value
    assert "Amazon" in bench.report.value
    assert said(bench).startswith("Done")
    assert not bench.make.disabled
    assert "512 x 410" in bench.caption.value


def test_our_own_mistake_is_a_sentence_too(bench, monkeypatch):
    monkeypatch.setattr(product, "render", lambda *_, **__: 1 / 0)
    bench.make.click()
    assert "mistake in StyleLab (ZeroDivisionError" in said(bench)
    assert not bench.make.disabled


def test_a_name_is_never_markup(bench, tmp_path):
    evil = images.write(tmp_path / "<img src=x onerror=alert(1)>.png", np.full((32, 40, 3), 0.4, "float32"), HALF)
    give(bench.upload_style, evil)
    give(bench.upload_photo, evil)
    every = [bench.remarks, bench.status, bench.sure, bench.css, bench.caption, bench.download, bench.report]
    assert not any("<img" in widget.value for widget in every)


@pytest.mark.parametrize(
    "value",
    [{"a.png": {"metadata": {}, "content": b"1"}, "b.png": {"content": b"2"}}, ({"name": "b.png", "content": b"2"},)],
    ids=["ipywidgets 7", "ipywidgets 8"],
)
def test_uploads_of_both_versions_are_read(value):
    assert course.uploaded(value) == ("b.png", b"2")
    assert course.uploaded(type(value)()) is None


def test_a_port_that_is_taken_is_told(monkeypatch, capsys):
    pytest.importorskip("voila")
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        monkeypatch.setattr(sys, "argv", ["workbench", "--port", str(port)])
        assert server.main() == 2
    said = f"Port {port} is taken: end what uses it, or choose another one with --port.\n"
    assert capsys.readouterr() == ("", said)


def test_without_voila_the_page_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "voila.app", None)
    monkeypatch.setattr(sys, "argv", ["workbench"])
    assert server.main() == 2
    assert "pip install -e '.[app]'" in capsys.readouterr().err
