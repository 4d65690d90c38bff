"""Pages: everything inside, everything escaped, complete or not there."""

import base64
import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from stylelab import pages
from stylelab.errors import ImageError
from stylelab.pages import Card, write_page

HOSTILE = """<script>alert("1")</script> & 'it' </title></style> ${cards} --> \u202e"""


class Page(HTMLParser):
    """What a browser would see: tags with their attributes, and the text outside of style."""

    def __init__(self, path):
        super().__init__()
        self.tags, self.text, self.open = [], "", []
        self.feed(path.read_text(encoding="utf-8"))
        assert not self.open, "unclosed tags"

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "link", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"{tag} closes another tag"

    def handle_data(self, data):
        if "style" not in self.open:
            self.text += data

    def all(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


def harmless(folder):
    card = Card("c", {"a": gradient(8, 8)}, {"b": "d"}, {"e": "f"}, note="g")
    return Page(write_page(folder / "harmless.html", "t", [card], intro="i"))


def gradient(height, width, channels=3):
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    planes = [rows / height, columns / width, (rows + columns) / (height + width), rows / height]
    return np.stack(planes[:channels], axis=-1)


def embedded(attrs):
    kind, data = re.fullmatch(r"data:image/(\w+);base64,(.+)", attrs["src"]).groups()
    picture = Image.open(io.BytesIO(base64.b64decode(data, validate=True)))
    assert picture.format == kind.upper()
    return np.asarray(picture, np.float32) / 255


def test_hostile_text_is_text_everywhere(tmp_path):
    card = Card(HOSTILE, {HOSTILE: gradient(8, 8)}, {HOSTILE: HOSTILE}, {HOSTILE: HOSTILE}, note=HOSTILE)
    page = Page(write_page(tmp_path / "page.html", HOSTILE, [card], intro=HOSTILE))
    assert not page.all("script")
    # Title of the tab, heading, intro; the card's title, caption, note and twice name and value.
    assert page.text.count(HOSTILE) == 10
    assert page.all("img")[0]["alt"] == f"{HOSTILE}: {HOSTILE}"
    assert [tag for tag, _ in page.tags] == [tag for tag, _ in harmless(tmp_path).tags]


def test_pictures_decode_back_to_the_input(tmp_path):
    image, cut_out = gradient(60, 90), gradient(40, 30, 4)
    path = write_page(tmp_path / "page.html", "t", [Card("c", {"photo": image, "cut-out": cut_out})])
    jpeg, png = Page(path).all("img")
    assert np.abs(embedded(jpeg) - image).max() < 0.03
    assert np.abs(embedded(png) - cut_out).max() <= 0.5 / 255 + 1e-6
    assert (jpeg["width"], jpeg["height"]) == ("90", "60")  # known before it is decoded: nothing jumps
    assert (jpeg["alt"], png["alt"]) == ("c: photo", "c: cut-out")


def test_large_pictures_shrink_and_keep_their_shape(tmp_path):
    image = gradient(pages.LONG_SIDE * 2, pages.LONG_SIDE // 2)
    (attrs,) = Page(write_page(tmp_path / "p.html", "t", [Card("c", {"a": image})])).all("img")
    assert embedded(attrs).shape == (pages.LONG_SIDE, pages.LONG_SIDE // 4, 3)
    assert (int(attrs["height"]), int(attrs["width"])) == (pages.LONG_SIDE, pages.LONG_SIDE // 4)


def test_nothing_is_asked_from_outside(tmp_path):
    card = Card("c", {"a": gradient(8, 8)}, {"size": 8}, {"seconds": 1.5})
    path = write_page(tmp_path / "page.html", "t", [card])
    page, source = Page(path), path.read_text(encoding="utf-8")
    assert "://" not in source
    assert "url(" not in source
    assert "@import" not in source
    addresses = [a.get("src") or a.get("href") for _, a in page.tags if "src" in a or "href" in a]
    assert addresses, "the page has a picture and an icon"
    assert all(address.startswith("data:") for address in addresses)
    (policy,) = [a["content"] for a in page.all("meta") if "http-equiv" in a]
    assert policy.startswith("default-src 'none';")


def test_phones_and_dark_rooms_are_thought_of(tmp_path):
    path = write_page(tmp_path / "page.html", "t", [])
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in Page(path).all("meta")
    assert "prefers-color-scheme: dark" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.034521, "0.0345"),
        (np.float32(54.23), "54.2"),
        (1234.56, "1,235"),
        (0.0, "0"),
        (float("nan"), "nan"),
        (float("inf"), "inf"),
        (310, "310"),
        (100_000, "100000"),
        (True, "yes"),
        (np.False_, "no"),
        (None, "–"),
        (["wave", 0.25], "wave, 0.25"),
        ("384 x 384", "384 x 384"),
    ],
)
def test_values_read_like_words(tmp_path, value, shown):
    path = write_page(tmp_path / "page.html", "t", [Card("c", {}, settings={"name": value})])
    assert f"<td>{shown}</td>" in path.read_text(encoding="utf-8")


def test_what_is_empty_leaves_no_trace(tmp_path):
    page = Page(write_page(tmp_path / "page.html", "t", [Card("c", {})]))
    assert not page.all("table")
    assert not page.all("div")
    assert not page.all("p")


def test_paragraphs_come_from_blank_lines(tmp_path):
    page = Page(write_page(tmp_path / "page.html", "t", [], intro="one\nline\n\ntwo\n\n"))
    assert len(page.all("p")) == 2


def test_a_failing_page_leaves_the_old_one_and_nothing_else(tmp_path):
    path = write_page(tmp_path / "page.html", "old", [])
    old = path.read_bytes()
    broken = Card("c", {"good": gradient(8, 8), "bad": np.zeros((8, 8, 3), np.uint8)})
    with pytest.raises(ImageError, match='picture "bad" of card "c"'):
        write_page(path, "new", [broken])
    assert path.read_bytes() == old
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_leaves_the_old_page_and_nothing_else(tmp_path, monkeypatch):
    path = write_page(tmp_path / "page.html", "old", [])
    old = path.read_bytes()

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(ImageError, match=r"page\.html cannot be written: the disk is full"):
        write_page(path, "new", [])
    assert path.read_bytes() == old
    assert list(tmp_path.iterdir()) == [path]


def test_places_that_cannot_be_written_are_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ImageError, match="cannot be written"):
        write_page(tmp_path / "file" / "page.html", "t", [])
    with pytest.raises(ImageError, match="cannot be written"):
        write_page(tmp_path, "t", [])
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_folders_are_made_and_names_without_encoding_survive(tmp_path):
    title = "shoe\udcff.jpg"  # a file's name that is no UTF-8, as Python hands it over
    path = write_page(tmp_path / "a" / "b" / "page.html", title, [])
    assert "shoe?.jpg" in path.read_text(encoding="utf-8")


def test_everybody_may_read_the_page(tmp_path):
    reference = tmp_path / "reference"
    reference.write_text("")
    path = write_page(tmp_path / "page.html", "t", [])
    assert path.stat().st_mode == reference.stat().st_mode  # the user's umask, not a temporary file's 0600
