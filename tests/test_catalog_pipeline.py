"""A catalog run: what it makes, what it does again, and what one bad row, worker, disk or hint costs.

Oracles: the file system, Pillow, ``provenance.verify``, a second run into a new folder, and the negative. Workers are
real processes; the gate and the measures are stand-ins (``catalog_shop``).
"""

import os
import types
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stylelab import images
from stylelab.catalog import journal, pipeline, provenance, work
from stylelab.errors import ImageError, ResourceError, SettingsError
from tests import catalog_shop as shop
from tests.catalog_shop import here as here

pytestmark = pytest.mark.usefixtures("here")
OTHER = "vangogh_cafe_terrace"
ROWS = [
    {"title": "Shoe", "group": "Shoes"},
    {},
    {"sku": "SKU-000"},
    {"sku": "a/b"},
    {"first": (0, 0, 0)},
    {"first": (0, 0, 255)},
    {"make": False},
    {"sku": ""},
    {"sku": "SKU-000", "image": "000.png", "make": False},
]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A catalog of four good rows and one of each kind of bad one, and the folder of its run."""
    folder = tmp_path_factory.mktemp("shop")
    catalog = shop.catalog(folder, ROWS)
    with shop.in_this_process():
        return catalog, folder / "out", pipeline.run(catalog, folder / "out", shop.settings(sizes=(64, 32)))


@pytest.fixture
def small(here, tmp_path):
    """A catalog of three rows with masks, and the folder of its run."""
    catalog = shop.catalog(
        tmp_path / "shop", [{"mask": "mask.png", "title": title} for title in ("Null", "One")] + [{"mask": "other.png"}]
    )
    for name, width in ("mask.png", 30), ("other.png", 34):
        mask = np.zeros((48, 64), np.uint8)
        mask[10:40, 10 : 10 + width] = 255
        Image.fromarray(mask).save(tmp_path / "shop" / name)
    out = tmp_path / "out"
    assert pipeline.run(catalog, out, shop.settings()).worked == 3
    return catalog, out


def states(out):
    return {(line["sku"], line["variant"]): line["state"] for line in shop.report(out)}


# ---------------------------------------------------------------- what it makes


def test_a_picture_for_each_row_style_size_and_format(made):
    _, out, summary = made
    assert (summary.done, summary.review, summary.failed, summary.open) == (4, 1, 4, 0)
    assert (summary.worked, summary.gone) == (7, 0)
    lines = [line for line in shop.report(out) if line["state"] == "done"]
    assert len(lines) == 4 * 2 * 2
    for line in lines:
        with Image.open(out / line["file"]) as picture:
            assert picture.size == (line["width"], line["height"])
            assert max(picture.size) == line["size"]
            assert picture.format == {"png": "PNG", "jpg": "JPEG"}[line["format"]]
        assert (out / line["file"]).stat().st_size == line["bytes"]
    stems = {Path(line["file"]).parent.name for line in lines}
    assert {"SKU-000", "SKU-001", "SKU-000~2"} <= stems and len(stems) == 4
    assert all(len(list((out / "pictures" / stem).iterdir())) == 8 for stem in stems)


def test_each_picture_is_sealed(made):
    catalog, out, _ = made
    for line in shop.report(out):
        if line["state"] == "done":
            checked = provenance.verify(out / line["file"], source=catalog.parent / line["image"])
            assert checked.failures == () and checked.notes == ()
            sealed = provenance.read(out / line["file"])
            assert (sealed["sku"], sealed["title"]) == (line["sku"], line["title"])
            asked = sealed["settings"]
            assert (asked["style"], asked["size"], asked["mode"]) == (shop.STYLE, line["size"], "scene")


def test_the_product_is_kept_and_the_rest_is_painted(made):
    catalog, out, _ = made
    photo = np.asarray(Image.open(catalog.parent / "000.png"))
    styled = np.asarray(Image.open(out / "pictures" / "SKU-000" / f"{shop.STYLE}_64.png"))
    np.testing.assert_array_equal(styled[14:-14, 18:-18], photo[14:-14, 18:-18])
    np.testing.assert_array_equal(styled[..., 3], photo[..., 3])


def test_the_report_says_why(made):
    _, out, _ = made
    reasons = {line["row"]: line["reason"] for line in shop.report(out)}
    assert reasons[2] == ""
    assert reasons[6] == "004.png is blurred: take another photo."
    assert reasons[7] == "005.png is small: take another photo."
    assert "no such file" in reasons[8]
    assert "has no sku" in reasons[9]
    assert reasons[10] == "Row 10 of the catalog repeats row 2: delete one of them."
    assert [line["state"] for line in shop.report(out)[:5]] == ["failed"] * 4 + ["review"]


def test_nothing_unfinished_is_left_and_the_photos_are_as_they_were(made, tmp_path):
    catalog, out, _ = made
    assert not list(out.rglob("*.tmp"))
    photos = {name: digest for name, digest in shop.contents(catalog.parent).items() if "/" not in name}
    again = shop.catalog(tmp_path, ROWS)
    assert photos == shop.contents(again.parent)


# ---------------------------------------------------------------- what it does again


def test_a_second_run_does_nothing(made):
    catalog, out, _ = made
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.parent.name.startswith("SKU")}
    journal_before = (out / "journal.jsonl").read_bytes()
    summary = pipeline.run(catalog, out, shop.settings(sizes=(64, 32)))
    assert (summary.worked, summary.done) == (0, 4)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert (out / "journal.jsonl").read_bytes() == journal_before


def edit(path, old, new):
    path.write_text(path.read_text().replace(old, new))


CHANGES = {
    "a photo": (lambda shop_, out: shop.photo(shop_ / "001.png", 77), 1, {}),
    "a mask of two": (lambda shop_, out: (shop_ / "mask.png").write_bytes((shop_ / "other.png").read_bytes()), 2, {}),
    "nothing": (lambda shop_, out: None, 0, {}),
    "a title": (lambda shop_, out: edit(shop_ / "catalog.csv", ",One", ",Uno"), 1, {}),
    "a sku": (lambda shop_, out: edit(shop_ / "catalog.csv", "SKU-001", "SKU-009"), 1, {}),
    "a lost picture": (lambda shop_, out: (out / "pictures/SKU-001" / f"{shop.STYLE}.png").unlink(), 1, {}),
    "a lost sidecar": (lambda shop_, out: (out / "pictures/SKU-001" / f"{shop.STYLE}.png.json").unlink(), 1, {}),
    "a picture cut short": (lambda shop_, out: os.truncate(out / "pictures/SKU-001" / f"{shop.STYLE}.jpg", 99), 1, {}),
    "a hint": (lambda shop_, out: (out / "review/SKU-001.json").write_text('{"accept": true}'), 1, {}),
    "the style": (lambda shop_, out: None, 3, {"styles": (OTHER,)}),
    "one style more": (lambda shop_, out: None, 3, {"styles": (shop.STYLE, OTHER)}),
    "the strength": (lambda shop_, out: None, 3, {"strength": 0.5}),
    "the seed": (lambda shop_, out: None, 3, {"seed": 1}),
    "the mode": (lambda shop_, out: None, 3, {"mode": "clean", "styles": ()}),
    "the formats": (lambda shop_, out: None, 3, {"formats": ("webp",)}),
    "the sizes": (lambda shop_, out: None, 3, {"sizes": (40,)}),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_has_changed_is_done_anew_as_if_it_had_never_been_otherwise(change, small, tmp_path):
    catalog, out = small
    (out / "review").mkdir()
    act, rows, settings = CHANGES[change]
    act(catalog.parent, out)
    summary = pipeline.run(catalog, out, shop.settings(**settings))
    assert summary.worked == rows and summary.done == 3
    if change in ("a sku", "a hint"):  # pictures of rows that are gone stay; hints are not a run's
        return
    pipeline.run(catalog, tmp_path / "fresh", shop.settings(**settings))
    assert shop.pictures(out) == shop.pictures(tmp_path / "fresh")
    assert shop.report(out) == shop.report(tmp_path / "fresh")


def test_a_photo_that_breaks_takes_its_old_pictures_with_it(small):
    catalog, out = small
    (catalog.parent / "001.png").write_bytes(b"no picture")
    summary = pipeline.run(catalog, out, shop.settings())
    assert (summary.failed, summary.worked) == (1, 1)
    assert not (out / "pictures" / "SKU-001").exists() and not (out / "thumbnails" / "SKU-001").exists()
    assert (out / "pictures" / "SKU-000").exists()


def test_rows_that_the_catalog_has_no_more_are_counted_and_left(small):
    catalog, out = small
    catalog.write_text("".join(catalog.read_text().splitlines(keepends=True)[:2]))
    summary = pipeline.run(catalog, out, shop.settings())
    assert (summary.done, summary.gone, summary.worked) == (1, 2, 0)
    assert (out / "pictures" / "SKU-002").exists()


def test_only_review_and_only_failed(made, tmp_path):
    catalog, _, _ = made
    out, settings = tmp_path / "out", shop.settings()
    pipeline.run(catalog, out, settings)
    assert pipeline.run(catalog, out, settings, only="review").worked == 0
    (out / "review" / "SKU-004.json").write_text('{"accept": true}')
    summary = pipeline.run(catalog, out, settings, only="review")
    assert (summary.worked, summary.review, summary.done) == (1, 0, 5)
    assert not (out / "review" / "SKU-004.png").exists() and (out / "review" / "SKU-004.json").exists()
    assert pipeline.run(catalog, out, settings, only="failed").worked == 2  # tried again, though nothing changed
    with pytest.raises(SettingsError, match="choose one of review, failed"):
        pipeline.run(catalog, out, settings, only="done")


def test_an_interrupted_run_reports_what_was_done_and_goes_on(made, tmp_path):
    catalog, whole, _ = made

    def stop(step):
        if step.done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pipeline.run(catalog, tmp_path, shop.settings(sizes=(64, 32)), progress=stop)
    told = [line["state"] for line in shop.report(tmp_path)]
    assert "open" in told and len({line["row"] for line in shop.report(tmp_path)}) == 9
    steps = []
    summary = pipeline.run(catalog, tmp_path, shop.settings(sizes=(64, 32)), progress=steps.append)
    assert summary.open == 0 and summary.worked == 5
    assert [step.done for step in steps] == list(range(1, 8)) and {step.total for step in steps} == {7}
    assert shop.pictures(tmp_path) == shop.pictures(whole) and shop.report(tmp_path) == shop.report(whole)


# ---------------------------------------------------------------- the folder


def test_a_folder_of_something_else_is_refused(made, tmp_path):
    (tmp_path / "report.html").write_text("mine")
    with pytest.raises(ImageError, match=r"holds report\.html and no journal"):
        pipeline.run(made[0], tmp_path, shop.settings())
    assert shop.contents(tmp_path).keys() == {"report.html"}
    (tmp_path / "report.html").rename(tmp_path / "journal.jsonl")
    with pytest.raises(SettingsError, match="not a journal that this version knows"):
        pipeline.run(made[0], tmp_path, shop.settings())


def test_a_second_run_into_one_folder_is_refused(made, tmp_path):
    told = []

    def again(step):
        if not told:
            with pytest.raises(SettingsError, match="Another run works in") as raised:
                pipeline.run(made[0], tmp_path, shop.settings())
            told.append(raised.value)

    pipeline.run(made[0], tmp_path, shop.settings(), progress=again)
    assert told
    pipeline.run(made[0], tmp_path, shop.settings())  # the lock is free again


def test_a_torn_journal(tmp_path):
    row = {"sku": "A", "variant": 1, "stem": "A", "state": "done", "files": {}}
    book = journal.Journal(tmp_path)
    book.append(row)
    book.append({**row, "sku": "B"})
    book.close()
    whole = (tmp_path / "journal.jsonl").read_bytes()
    for length in range(len(whole)):
        (tmp_path / "journal.jsonl").write_bytes(whole[:length])
        journal.Journal(tmp_path).close()
        kept = list(journal.entries(tmp_path))
        assert len(kept) == max(0, whole[:length].count(b"\n") - 1)
        assert (tmp_path / "journal.jsonl").read_bytes().endswith(b"\n")
    damaged = whole.replace(b'"sku":"A"', b'"sku":A\xff\x00')
    (tmp_path / "journal.jsonl").write_bytes(damaged)
    assert [entry["sku"] for entry in journal.entries(tmp_path)] == ["B"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"mode": "pretty"}, "Mode 'pretty' is not known"),
        ({"engine": "slurm"}, "Engine 'slurm' is not known"),
        ({"formats": ("gif",)}, "Format 'gif' is not known"),
        ({"formats": ()}, "No format was given"),
        ({"formats": ("png", "png")}, "twice"),
        ({"sizes": (8,)}, "from 16 to"),
        ({"styles": ()}, "No style was given"),
        ({"styles": ("nobody",)}, "No shipped picture is called 'nobody'"),
        ({"styles": (shop.STYLE, f"styles/{shop.STYLE}")}, "twice"),
        ({"styles": ("a.jpg",), "method": "fast"}, "use any"),
        ({"mode": "clean"}, "leave the styles away"),
        ({"workers": 0}, "at least one worker"),
        ({"strength": 2}, "Strength must be"),
        ({"method": "slow"}, "Method 'slow' is not known"),
        ({"method": "nowhere:Nothing"}, "cannot be loaded"),
        ({"method": "pathlib:Path"}, "is no method"),
        ({"styles": ("missing.jpg",)}, "no such file"),
    ],
)
def test_what_cannot_work_is_told_before_or_at_the_first_row(changes, words, made, tmp_path):
    with pytest.raises((SettingsError, ImageError, ResourceError), match=words):
        pipeline.run(made[0], tmp_path / "out", shop.settings(**changes))
    assert not list((tmp_path / "out").rglob("*.png")) and not list(journal.entries(tmp_path / "out"))


# ---------------------------------------------------------------- faults


@pytest.mark.parametrize("files", [0, 1, 2, 3, 11])
def test_a_full_disk_stops_the_run_and_loses_nothing(files, made, tmp_path):
    catalog, whole, _ = made
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", os.fsync)
        # The journal's header is one, and each row's line; the report is written or not, which costs nothing.
        shop.disk_full(files)
        with pytest.raises((ResourceError, ImageError), match="the disk is full; free some space"):
            pipeline.run(catalog, tmp_path, shop.settings(sizes=(64, 32)))
    assert not list(tmp_path.rglob("*.tmp"))
    pipeline.run(catalog, tmp_path, shop.settings(sizes=(64, 32)))
    assert shop.pictures(tmp_path) == shop.pictures(whole)


def test_a_disk_too_full_for_the_journal(made, tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    def then(step):
        monkeypatch.setattr(journal, "os", types.SimpleNamespace(**{**vars(os), "fsync": full}))

    with pytest.raises(ImageError, match=r"The journal .* cannot be written: the disk is full"):
        pipeline.run(made[0], tmp_path, shop.settings(), progress=then)
    monkeypatch.setattr(journal, "os", os)
    assert pipeline.run(made[0], tmp_path, shop.settings()).done == 4


def worker(tmp_path, **changes):
    return work.Worker(shop.settings(**changes), "digest", tmp_path / "shop", tmp_path / "out")


def task(image="000.png", **changes):
    row = {"sku": "A", "variant": 1, "stem": "A", "image": image, "mask": "", "title": "", "previous": {}}
    return row | changes


def test_a_photo_that_vanishes_between_listing_and_reading(tmp_path, monkeypatch):
    photo = shop.photo(tmp_path / "shop" / "000.png")
    one, read = worker(tmp_path), images.open_picture

    def vanished(path):
        photo.unlink(missing_ok=True)
        return read(path)

    monkeypatch.setattr(images, "open_picture", vanished)
    entry = one.do(task())
    assert entry["state"] == "failed" and "no such file" in entry["sentence"] and entry["files"] == {}


def test_a_photo_that_changes_while_it_is_read_is_done_again(tmp_path, monkeypatch):
    photo = shop.photo(tmp_path / "shop" / "000.png", 1)
    one, read = worker(tmp_path), images.open_picture

    def changed(path):
        picture = read(path)
        if path == photo:
            shop.photo(photo, 2)
        return picture

    monkeypatch.setattr(images, "open_picture", changed)
    entry = one.do(task())
    monkeypatch.setattr(images, "open_picture", read)
    assert one.do(task(previous=entry))["state"] == "done"


def test_a_mistake_of_ours_costs_its_row(tmp_path, monkeypatch):
    shop.photo(tmp_path / "shop" / "000.png")
    one = worker(tmp_path)
    monkeypatch.setattr(shop.Negative, "_stylize", lambda *a, **k: 1 / 0)
    entry = one.do(task())
    assert entry["state"] == "failed" and "by a mistake in StyleLab (ZeroDivisionError" in entry["sentence"]
    assert not list((tmp_path / "out").rglob("*.*"))


@pytest.mark.parametrize(
    "path", ["/etc/a.png", "../a.png", "x/../../a.png", "..\\a.png", "C:\\a.png", "\\\\h\\s\\a.png"]
)
def test_a_path_that_leaves_the_photos_folder_is_refused(path, tmp_path):
    shop.photo(tmp_path / "a.png")
    entry = worker(tmp_path).do(task(path))
    assert entry["state"] == "failed" and "leaves the folder of the photos" in entry["sentence"]


def test_its_own_pictures_are_no_photos(tmp_path):
    shop.photo(tmp_path / "shop" / "out" / "pictures" / "a.png")
    one = work.Worker(shop.settings(), "digest", tmp_path / "shop", tmp_path / "shop" / "out")
    entry = one.do(task("out/pictures/a.png"))
    assert entry["state"] == "failed" and "this run's own pictures" in entry["sentence"]
