"""One row of a catalog: where its photo comes from, what a person says of it, what broken files cost, what it predicts.

Oracles: a web server of this file's own, the corpus of broken pictures with its own sentences, and a whole run.
"""

import dataclasses
import http.server
import json
import threading

import numpy as np
import pytest
from PIL import Image

from stylelab.catalog import estimate, masks, pipeline, review, scenes, sources, work
from stylelab.errors import ImageError, SettingsError
from tests import broken
from tests import catalog_shop as shop
from tests.catalog_shop import here as here

pytestmark = pytest.mark.usefixtures("here")


def worker(tmp_path, **changes):
    return work.Worker(shop.settings(**changes), "digest", tmp_path / "shop", tmp_path / "out")


def task(image="000.png", **changes):
    row = {"sku": "A", "variant": 1, "stem": "A", "image": image, "mask": "", "title": "", "previous": {}}
    return row | changes


# ---------------------------------------------------------------- the scenes of backdrops


def test_a_scene_is_made_once_for_all_products_of_a_size_and_changes_no_picture(tmp_path, monkeypatch):
    for number in range(3):
        shop.photo(tmp_path / f"shop/{number:03}.png", number)
    made, backdrop = [], scenes.backdrop
    monkeypatch.setattr(scenes, "backdrop", lambda *given, **more: made.append(given[0]) or backdrop(*given, **more))
    one = worker(tmp_path, mode="backdrop", sizes=(32, 48))
    for number in range(3):
        assert one.do(task(f"{number:03}.png", sku=f"{number}", stem=f"{number}"))["state"] == "done"
    assert made == [32, 48]
    together = shop.pictures(tmp_path / "out")
    alone = work.Worker(one.settings, "digest", tmp_path / "shop", tmp_path / "alone")
    alone.do(task("002.png", sku="2", stem="2"))
    assert shop.pictures(tmp_path / "alone").items() <= together.items()


# ---------------------------------------------------------------- photos from the web


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A web server; ``answers`` holds its next answers by path, the last one for ever; ``asked`` what it was asked."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            queue = answers[self.path]
            status, headers, content = queue.pop(0) if len(queue) > 1 else queue[0]
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            pass

    answers, asked = {}, []
    serving = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=serving.serve_forever, daemon=True).start()
    monkeypatch.setattr("urllib3.util.Retry.sleep", lambda self, response=None: None)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    serving.answers, serving.asked = answers, asked
    serving.address = f"http://127.0.0.1:{serving.server_port}"
    yield serving
    serving.shutdown()
    serving.server_close()


def test_a_photo_from_the_web_is_fetched_once_and_only_with_consent(server, tmp_path):
    content = shop.photo(tmp_path / "photo.png").read_bytes()
    server.answers["/p.png?size=2"] = [(200, {}, content)]
    url = f"{server.address}/p.png?size=2"
    refused = worker(tmp_path).do(task(url))
    assert refused["state"] == "failed" and "allow it with --allow-urls" in refused["sentence"]
    assert server.asked == []
    one = worker(tmp_path, allow_urls=True)
    entry = one.do(task(url))
    assert entry["state"] == "done" and server.asked == ["/p.png?size=2"]
    assert one.do(task(url, previous=entry)) == {} and len(server.asked) == 1
    from_disk = tmp_path / "shop" / "000.png"
    from_disk.parent.mkdir()
    from_disk.write_bytes(content)
    worker(tmp_path).do(task(stem="B"))
    painted = [tmp_path / "out" / "pictures" / stem / f"{shop.STYLE}.png" for stem in "AB"]
    assert np.array_equal(*(np.asarray(Image.open(file)) for file in painted))


def test_a_server_that_is_busy_is_asked_again(server, tmp_path):
    server.answers["/p"] = [(503, {}, b""), (429, {"Retry-After": "0"}, b""), (200, {}, b"abc")]
    assert sources.find(f"{server.address}/p", tmp_path, tmp_path / "cache", True).read_bytes() == b"abc"
    assert len(server.asked) == 3


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((404, {}, b""), "the server answers 404"),
        ((503, {}, b""), "the server answers 503"),
        ((200, {"Content-Length": "99"}, b"abc"), "cannot be fetched ("),
        ((200, {}, b"x" * 2000), "larger than 1,000 bytes"),
        ((302, {"Location": "file:///etc/passwd"}, b""), "cannot be fetched (InvalidSchema)"),
        ((302, {"Location": "/p"}, b""), "cannot be fetched (TooManyRedirects)"),
    ],
)
def test_what_the_web_may_answer(answer, words, server, tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "LARGEST", 1000)
    server.answers["/p?token=secret"] = server.answers["/p"] = [answer]
    url = server.address.replace("//", "//user:secret@") + "/p?token=secret"
    with pytest.raises(ImageError) as raised:
        sources.find(url, tmp_path, tmp_path / "cache", True)
    assert words in str(raised.value) and "secret" not in str(raised.value)
    assert not list(tmp_path.rglob("cache/*"))


def test_a_photo_from_an_object_store(tmp_path):
    fsspec = pytest.importorskip("fsspec")
    with fsspec.open("memory://shop/a.png", "wb") as file:
        file.write(shop.photo(tmp_path / "a.png").read_bytes())
    assert worker(tmp_path, allow_urls=True).do(task("memory://shop/a.png"))["state"] == "done"
    missing = worker(tmp_path, allow_urls=True).do(task("memory://shop/b.png"))
    assert missing["state"] == "failed" and "memory://shop/b.png cannot be fetched" in missing["sentence"]


@pytest.mark.parametrize("url", ["ftp://h/a.png", "file:///etc/a.png", "http://[::bad/a", "http://127.0.0.1:1/a"])
def test_addresses_that_cannot_be_fetched(url, tmp_path, monkeypatch):
    monkeypatch.setattr("urllib3.util.Retry.sleep", lambda self, response=None: None)
    with pytest.raises(ImageError, match="cannot be fetched"):
        sources.find(url, tmp_path, tmp_path / "cache", True)
    with pytest.raises(SettingsError, match="allow it"):
        sources.find(url, tmp_path, tmp_path / "cache", False)


# ---------------------------------------------------------------- review


@pytest.fixture
def unsure(tmp_path, monkeypatch):
    """A photo without alpha whose mask is found with little confidence, unless a person gave a hint."""
    pixels = np.random.default_rng(3).integers(0, 256, (48, 64, 3)).astype(np.uint8)
    (tmp_path / "shop").mkdir()
    Image.fromarray(pixels).save(tmp_path / "shop" / "000.png")
    asked = []

    def find(rgb, hint=None, *, backend="auto"):
        asked.append(hint)
        values = np.zeros((*rgb.shape[:2], 1), np.float32)
        values[10:30, 20:50] = 1
        return masks.Mask(values, 0.95 if hint else 0.4, "box" if hint else "photo")

    monkeypatch.setattr(masks, "find", find)
    return asked


def give(tmp_path, name, content):
    (tmp_path / "out" / "review").mkdir(parents=True, exist_ok=True)
    file = tmp_path / "out" / "review" / name
    if isinstance(content, np.ndarray):
        Image.fromarray(content).save(file)
    else:
        file.write_text(content if isinstance(content, str) else json.dumps(content))


def test_an_unsure_mask_goes_to_review_with_something_to_look_at_and_draw_on(unsure, tmp_path):
    entry = worker(tmp_path).do(task())
    assert entry["state"] == "review" and "confidence of 0.40" in entry["sentence"]
    assert set(entry["files"]) == {"review/A.png", "review/A.proposed.png"}
    shown = np.asarray(Image.open(tmp_path / "out" / "review" / "A.png")).astype(int)
    assert shown.shape == (48, 64, 3)
    inside = np.zeros((48, 64), bool)
    inside[10:30, 20:50] = True
    assert (np.ptp(shown[inside], axis=-1) == 0).all(), "the product is gray"
    assert (shown[~inside][:, 2] - shown[~inside][:, 0] > 50).all(), "the ground is blue"
    proposed = np.asarray(Image.open(tmp_path / "out" / "review" / "A.proposed.png"))
    np.testing.assert_array_equal(proposed[..., 0], inside * 255)
    with pytest.raises(ImageError, match="no pure green and no pure red"):  # what is shown has no strokes in it yet
        review._strokes(tmp_path / "out" / "review" / "A.png", (48, 64))


def strokes():
    drawn = np.zeros((48, 64, 3), np.uint8) + 90
    drawn[20:22, 25:40] = (10, 240, 20)
    drawn[2:4, 2:60] = (250, 5, 0)
    return drawn


MASK = np.repeat((strokes()[..., 1:2] > 200) * np.uint8(255), 3, axis=-1)
HINTS = {
    "accept": ("A.json", {"accept": True}, "photo", None),
    "box": ("A.json", {"box": [5, 6, 60, 40]}, "box", masks.Hint(box=(5, 6, 60, 40))),
    "strokes": ("A.strokes.png", strokes(), "box", masks.Hint(keep=MASK[..., :1] > 0)),
    "mask": ("A.mask.png", MASK, "file", None),
}


@pytest.mark.parametrize("kind", HINTS)
def test_what_a_person_gives_finishes_the_row(kind, unsure, tmp_path):
    one = worker(tmp_path)
    before = one.do(task())
    name, content, source, hint = HINTS[kind]
    give(tmp_path, name, content)
    entry = one.do(task(previous=before))
    assert (entry["state"], entry["mask"]) == ("done", source)
    if hint is not None:
        for field in ("box", "keep"):
            np.testing.assert_array_equal(getattr(unsure[-1], field), getattr(hint, field))
    if kind == "strokes":
        assert unsure[-1].drop.sum() == 2 * 58
    assert not (tmp_path / "out" / "review" / "A.png").exists()
    assert (tmp_path / "out" / "review" / name).exists()
    assert one.do(task(previous=entry)) == {}


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("A.json", "{", "not JSON"),
        ("A.json", "[1]", "it must be"),
        ("A.json", {}, "it must be"),
        ("A.json", {"box": [1, 2, 3]}, "it must be"),
        ("A.json", {"box": [1, 2, 3.5, 4]}, "it must be"),
        ("A.json", {"accept": "yes"}, "it must be"),
        ("A.json", {"accept": True, "rm": 1}, "it must be"),
        ("A.json", "[" * 50_000, "not JSON"),
        ("A.strokes.png", np.zeros((4, 4, 3), np.uint8), "make both the same size"),
        ("A.strokes.png", np.zeros((48, 64, 3), np.uint8), "no pure green"),
        ("A.mask.png", np.zeros((4, 4), np.uint8), "make both the same size"),
        ("A.mask.png", "no picture", "is not a whole JPEG"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_hint_that_says_nothing_leaves_the_row_in_review(name, content, words, unsure, tmp_path):
    give(tmp_path, name, content)
    entry = worker(tmp_path).do(task())
    assert entry["state"] == "review"
    assert words in entry["sentence"] and name in entry["sentence"]


def test_a_catalogs_mask_and_alpha_need_no_review(unsure, tmp_path):
    mask = np.zeros((48, 64), np.uint8)
    mask[10:30, 10:30] = 255
    Image.fromarray(mask).save(tmp_path / "shop" / "m.png")
    assert worker(tmp_path).do(task(mask="m.png"))["mask"] == "file"
    shop.photo(tmp_path / "shop" / "001.png")
    assert worker(tmp_path).do(task("001.png"))["mask"] == "alpha"
    assert worker(tmp_path, mode="whole").do(task())["mask"] == "none"
    assert unsure == []
    missing = worker(tmp_path).do(task(mask="gone.png"))
    assert missing["state"] == "failed" and "gone.png" in missing["sentence"]


# ---------------------------------------------------------------- broken files


@pytest.mark.slow
def test_two_hundred_rows_of_broken_and_unusual_files(tmp_path):
    photos = tmp_path / "shop"
    photos.mkdir()
    cases = [case for case in broken.CORPUS if len(case.name) < 200]
    rows = []
    for number in range(200):
        case = cases[number % len(cases)]
        place = photos / str(number // len(cases))
        place.mkdir(exist_ok=True)
        case.make(place)
        rows.append({"sku": f"{number}", "image": f"{place.name}/{case.name}", "make": False})
    catalog = shop.catalog(photos, rows)
    before = shop.contents(photos)
    # Whole pictures, for which no mask is searched: this is about reading.
    summary = pipeline.run(catalog, tmp_path / "out", shop.settings(mode="whole", formats=("png",)))
    assert sum(dataclasses.astuple(summary)[:4]) == 200 and summary.open == 0
    assert shop.contents(photos) == before
    lines = {int(line["sku"]): line for line in shop.report(tmp_path / "out")}
    for number, line in lines.items():
        case = cases[number % len(cases)]
        if case.error is not None:
            assert line["state"] == "failed" and all(word in line["reason"] for word in case.error), line
        elif line["state"] == "failed":  # unusual, and too small for any method
            assert "too small" in line["reason"], line
        else:
            assert line["state"] in ("done", "review")
        assert line["reason"].count("\n") == 0 and "Traceback" not in line["reason"]
    assert summary.done > 90


# ---------------------------------------------------------------- the prediction


def test_a_prediction_writes_nothing_and_knows_what_is_to_be_done(tmp_path):
    rows = [{} for _ in range(9)] + [{"make": False}, {"sku": ""}]
    catalog, out, settings = shop.catalog(tmp_path / "shop", rows), tmp_path / "out", shop.settings()
    found = estimate.run(catalog, out, settings)
    assert not out.exists()
    assert (found.rows, found.todo, found.unusable, found.sampled) == (11, 9, 2, 3)
    assert found.states == {"done": 3}
    assert "no such file" in found.sentences[1] and "no sku" in found.sentences[0]
    pipeline.run(catalog, out, settings)
    files = [path for path in out.rglob("*") if path.is_file() and len(path.relative_to(out).parts) == 3]
    written = sum(path.stat().st_size for path in files)
    assert found.bytes == pytest.approx(written, rel=0.3)
    before = shop.contents(out)
    assert estimate.run(catalog, out, settings).todo == 0
    shop.photo(tmp_path / "shop" / "003.png", 99)
    assert estimate.run(catalog, out, settings).todo == 1
    assert estimate.run(catalog, out, shop.settings(seed=1)).todo == 9
    assert shop.contents(out) == before
