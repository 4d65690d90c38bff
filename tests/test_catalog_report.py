"""The report: its table, its pages, and that nothing in a catalog can do anything there.

Oracles: Python's HTML and CSV parsers, the hashes of the policy computed again, and a browser.
"""

import base64
import csv
import hashlib
import html.parser
import io
import re
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
from PIL import Image
from pyarrow import parquet

from stylelab.catalog import ledger, names, report, report_page, tables
from tests import catalog_shop as shop

EVIL = [
    "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "' onmouseover='alert(1)", "</title><h1>x",
    "&lt;b&gt;", "=HYPERLINK(\"http://evil\")", "+1", "-1", "@SUM(A1)", "javascript:alert(1)", "\u202egnp",
    "a\x00b\x1b[2J", "${title}", "$title", "{{x}}", "<!--", "]]>", "京都🥿", "x" * 3000, "../../x", "line\nbreak\r=1",
    '",="', "--></script>",
]  # fmt: skip
TAGS = """html head meta link title style body main h1 h2 ul li p nav a div article bdi small figure img figcaption
    details summary table tr th td fieldset legend label input button output script code"""
NUMBERS = {"core_difference": 0.0, "product_color": 0.123456, "share": 0.3, "text_regions": 2}


def entry(sku, stem, state="done", variant=1, styles=(shop.STYLE,), **changes):
    """A line of the journal."""
    pictures = [
        {
            "style": style, "size": 64, "format": "png", "file": f"pictures/{stem}/{style}_64.png", "bytes": 1234,
            "width": 64, "height": 48, "measures": NUMBERS,
        }
        for style in styles
    ]  # fmt: skip
    found = {
        "sku": sku, "variant": variant, "stem": stem, "key": hashlib.sha256(stem.encode()).hexdigest(), "state": state,
        "sentence": "" if state == "done" else f"{sku} is {state}.", "notes": [], "mask": "alpha", "confidence": 1.0,
        "files": {}, "seconds": 0.5, "pictures": pictures if state == "done" else [],
    }  # fmt: skip
    return found | changes


def written(folder, rows, states):
    """The report of rows that are in these states, one after the other; the ledger is closed."""
    book = ledger.Ledger()
    book.plan(rows)
    for number, known in enumerate(list(book.usable())):
        state = states[number % len(states)]
        if state != "open":
            book.remember(entry(known.row.sku, known.stem, state, known.variant))
    first = report.write(folder, book, "catalog.csv", shop.settings(sizes=(64,)))
    book.close()
    return first


def rows(count):
    return [tables.Row(number + 2, f"S{number}", f"{number}.png", title=f"T{number}") for number in range(count)]


class Page(html.parser.HTMLParser):
    """What a browser would see: tags with attributes, and the text outside scripts and styles."""

    def __init__(self, path):
        super().__init__()
        self.tags, self.text, self.inner, self._open = [], "", {}, None
        self.feed(Path(path).read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self._open = tag if tag in ("script", "style", "title") else None

    def handle_endtag(self, tag):
        self._open = None

    def handle_data(self, data):
        if self._open:
            self.inner[self._open] = self.inner.get(self._open, "") + data
        else:
            self.text += data

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


# ---------------------------------------------------------------- the table


def test_a_line_for_each_picture_or_why_there_is_none(tmp_path):
    given = [*rows(6), tables.Row(20, "", "x.png", fault="Row 20 is bad.")]
    written(tmp_path, given, ["done", "failed", "review", "open"])
    table = parquet.read_table(tmp_path / "report.parquet")
    lines = table.to_pylist()
    assert [(line["row"], line["state"]) for line in lines] == [
        (3, "failed"), (7, "failed"), (20, "failed"), (4, "review"), (5, "open"), (2, "done"), (6, "done"),
    ]  # fmt: skip
    assert [line["reason"] for line in lines[:4]] == [
        "S1 is failed.",
        "S5 is failed.",
        "Row 20 is bad.",
        "S2 is review.",
    ]
    done = lines[-1]
    assert done["file"] == f"pictures/S4/{shop.STYLE}_64.png" and done["product_color"] == 0.123456
    assert done["title"] == "T4" and done["seconds"] == 0.5
    assert {"sku", "style", "size", "format", "core_difference", "text_regions"} <= set(table.column_names)


def test_titles_are_the_catalogs_own_in_the_table(tmp_path):
    given = [tables.Row(k + 2, f"S{k}", f"{k}.png", title=text) for k, text in enumerate(EVIL)]
    written(tmp_path, given, ["done"])
    titles = [line["title"] for line in parquet.read_table(tmp_path / "report.parquet").to_pylist()]
    assert titles == EVIL


# ---------------------------------------------------------------- the pages


def test_pages_of_a_hundred_rows_failures_first(tmp_path):
    written(tmp_path, rows(250), ["done"] * 9 + ["failed"])
    names = sorted(path.name for path in tmp_path.glob("report*.html"))
    assert names == ["report-2.html", "report-3.html", "report.html"]
    pages = [Page(tmp_path / name) for name in ("report.html", "report-2.html", "report-3.html")]
    states = [[card["class"] for card in page.all("article")] for page in pages]
    assert [len(page) for page in states] == [100, 100, 50]
    assert [state for page in states for state in page] == ["failed"] * 25 + ["done"] * 225
    for number, page in enumerate(pages, 1):
        links = [link["href"] for link in page.all("a") if link["href"].startswith("report")]
        assert set(links) == set(names)
        (here, _) = [link["href"] for link in page.all("a") if "aria-current" in link]
        assert here == ("report.html" if number == 1 else f"report-{number}.html")
        assert f"page {number} of 3" in page.inner["title"]
    assert "✕ 25 failed" in pages[0].text and "✓ 225 done" in pages[2].text
    (tmp_path / "report-notes.html").write_text("mine")
    written(tmp_path, rows(30), ["done"])
    assert sorted(path.name for path in tmp_path.glob("report*.html")) == ["report-notes.html", "report.html"]


def test_nothing_of_a_catalog_is_code_on_a_page(tmp_path):
    given = [
        tables.Row(k + 2, text.strip() or "x", f"{k}{text}", title=text, group=text) for k, text in enumerate(EVIL)
    ]
    written(tmp_path, given, ["done", "failed", "review"])
    page = Page(tmp_path / "report.html")
    assert len(page.all("script")) == len(page.all("style")) == len(page.all("h1")) == 1
    assert len(page.all("article")) == len(EVIL)
    assert {tag for tag, _ in page.tags} <= set(TAGS.split())
    attributes = {name for _, given in page.tags for name in given}
    assert not [name for name in attributes if name.startswith("on") or name in ("style", "srcdoc", "formaction")]
    for link in [*page.all("a"), *page.all("img")]:
        target = link.get("href") or link["src"]
        assert re.match(r"(pictures|thumbnails|review|report)[/.-]", target)
        assert ".." not in unquote(target) and ":" not in target
    for text in EVIL[:5]:
        assert text in page.text
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", page.text)


def test_the_policy_lets_run_what_is_ours_and_nothing_else(tmp_path):
    written(tmp_path, rows(1), ["done"])
    page = Page(tmp_path / "report.html")
    (policy,) = [meta["content"] for meta in page.all("meta") if "http-equiv" in meta]
    rules = {rule.split()[0]: rule.split()[1:] for rule in policy.split(";")}
    for kind in ("script", "style"):
        digest = base64.b64encode(hashlib.sha256(page.inner[kind].encode()).digest()).decode()
        assert rules[f"{kind}-src"] == [f"'sha256-{digest}'"]
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == ["'none'"]
    assert "http" not in page.inner["script"] and "innerHTML" not in page.inner["script"]


def test_lines_for_the_export_are_harmless_in_a_spreadsheet(tmp_path):
    given = [tables.Row(k + 2, f"={k}", f"{k}.png", title=text) for k, text in enumerate(EVIL)]
    written(tmp_path, given, ["done"])
    fields = Page(tmp_path / "report.html").all("fieldset")
    assert len(fields) == len(EVIL)
    for row, field in zip(given, fields, strict=True):
        (cells,) = csv.reader(io.StringIO(field["data-line"]), strict=True)
        assert len(cells) == len(report_page.COLUMNS) - 1
        assert cells[0] == str(row.number) and cells[1] == f"'{row.sku}"
        assert not any(re.match(r"\s*[=+@\t\r-]", cell) for cell in cells)
    keys = [field["data-key"] for field in fields]
    assert len(set(keys)) == len(keys)


# ---------------------------------------------------------------- in a browser


@pytest.fixture(scope="module")
def browser():
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = next(
        (p for p in ("/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome") if Path(p).exists()),
        None,
    )
    if path is None:
        pytest.skip("no Chromium is installed")
    with api.sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        yield found
        found.close()


@pytest.mark.browser
def test_by_keyboard_decide_and_save(browser, tmp_path):
    given = [tables.Row(k + 2, sku, f"{k}.png", title=t) for k, (sku, t) in enumerate([("A", "One"), ("=B", "<b>Two")])]
    given += [tables.Row(9, "C", "9.png")]
    written(tmp_path, given, ["done", "done", "failed"])
    for place in (tmp_path / "thumbnails" / stem for stem in ("A", names.folder("=B"))):
        place.mkdir(parents=True)
        for name in ("before", shop.STYLE):
            Image.fromarray(np.full((48, 64, 3), 200, np.uint8)).save(place / f"{name}.jpg")
    faults = []
    page = browser.new_page()
    page.on("console", lambda message: faults.append(message.text))
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto((tmp_path / "report.html").as_uri())
    assert page.locator("article").count() == 3
    assert page.evaluate("[...document.images].slice(0, 2).every(i => i.complete && i.naturalWidth === 64)")
    page.locator("fieldset").nth(0).get_by_label("undecided").focus()
    page.keyboard.press("ArrowUp")  # from undecided to reject
    page.locator("fieldset").nth(1).get_by_label("approve").focus()
    page.keyboard.press("Space")
    assert page.locator("output").inner_text() == "1 approved, 1 rejected"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.tagName") == "BUTTON"
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    content = Path(download.value.path()).read_bytes().decode("utf-8-sig")
    assert list(csv.reader(io.StringIO(content, newline=""), strict=True)) == [
        list(report_page.COLUMNS),
        ["2", "A", "1", "One", "pictures/A", "rejected"],
        ["3", "'=B", "1", "<b>Two", f"pictures/{names.folder('=B')}", "approved"],
    ]
    page.wait_for_timeout(500)  # the browser keeps it by another process
    page.reload()
    assert page.locator("output").inner_text() == "1 approved, 1 rejected", "a decision outlives the page"
    assert faults == []
