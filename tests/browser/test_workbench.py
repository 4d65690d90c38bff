"""The workbench as its users meet it: a real Chromium before Voila and before JupyterLab.

The tests of one server share one page and leave it so that the next one can go on; each can be run alone. Nothing is
asserted on time, and what a page shows is waited for. Pictures of the page lie in pytest's folder (``--basetemp``).
"""

import contextlib
import functools
import io
import re
import time
import zipfile

import numpy as np
import pytest
from PIL import Image

from stylelab import images
from stylelab.catalog import provenance
from tests import broken
from tests.browser import servers

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install -e '.[app]'")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(servers.chromium() is None, reason="chromium is not installed"),
]
WAIT = servers.PATIENCE * 1000  # ms
HASH = "async el => { const b = new Uint8Array(await (await fetch(el.src)).arrayBuffer()); let h = b.length;"
HASH += " for (const x of b) h = (h * 31 + x) >>> 0; return h }"


@pytest.fixture(scope="module")
def chromium():
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=servers.chromium(), args=servers.FLAGS)
        yield browser
        browser.close()


class Bench:
    """The page, and what one does on it."""

    def __init__(self, page):
        self.page = page
        self.root = page.locator(".stylelab-workbench")
        self.status = self.find(".sl-status")

    def find(self, selector):
        return self.root.locator(selector)

    def shown(self, kind):
        """A hash of the bytes of a picture on the page."""
        while True:
            with contextlib.suppress(sync_api.Error):  # it was exchanged while it was fetched
                return self.find(f"img.sl-{kind}").evaluate(HASH)
            time.sleep(0.1)

    @contextlib.contextmanager
    def changing(self, kind):
        """What is done inside must change a picture on the page."""
        before, give_up = self.shown(kind), time.monotonic() + servers.PATIENCE
        yield
        while self.shown(kind) == before:
            assert time.monotonic() < give_up, f"the picture stays the same; the page says: {self.status.inner_text()}"
            time.sleep(0.2)

    def becomes(self, kind, shown):
        """Waits until a picture on the page is the one with this hash."""
        give_up = time.monotonic() + servers.PATIENCE
        while self.shown(kind) != shown:
            assert time.monotonic() < give_up, f"it is another picture; the page says: {self.status.inner_text()}"
            time.sleep(0.2)

    def rest(self):
        """Waits until nothing is under way."""
        sync_api.expect(self.find(".sl-caption")).to_contain_text("Preview of 576 px", timeout=WAIT)

    def upload(self, kind, path):
        with self.page.expect_file_chooser() as chooser:
            self.find(f".sl-upload-{kind}").click()
        chooser.value.set_files(path)

    def open(self, path):
        """Uploads a photo, if it is not the one that is open."""
        if path.name not in self.find(".sl-remarks").inner_text():
            with self.changing("photo"), self.changing("after"):
                self.upload("photo", path)
            sync_api.expect(self.find(".sl-remarks")).to_contain_text(path.name, timeout=WAIT)
        self.rest()


@pytest.fixture(scope="module", params=["voila", "lab"])
def bench(request, chromium, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    with getattr(servers, request.param)(folder) as address:
        page = chromium.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True).new_page()
        page.set_default_timeout(WAIT)
        try:
            page.goto(address, timeout=WAIT)
            if request.param == "lab":
                run_the_notebook(page)
            bench = Bench(page)
            bench.find("img.sl-after").wait_for()
            bench.rest()
            yield bench
        finally:
            page.screenshot(path=folder / "last.png")
            page.context.close()


def run_the_notebook(page):
    """As a reader does: menu, Run All Cells. A click that comes before the session is ready is lost, and repeated."""
    page.wait_for_selector("#jupyterlab-splash", state="detached")
    page.wait_for_selector(".jp-Notebook .jp-Cell")
    page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status=idle]")
    prompt, give_up = page.locator(".jp-Notebook .jp-InputPrompt").first, time.monotonic() + servers.PATIENCE
    while not page.locator(".stylelab-workbench").count():
        assert time.monotonic() < give_up, "JupyterLab does not run the cell"
        if prompt.inner_text().strip() == "[ ]:":  # neither waiting nor done
            page.click("css=.lm-MenuBar-item >> text=Run")
            page.click("text=Run All Cells")
        time.sleep(2)


@pytest.fixture
def photo(data):
    return data / "products" / "vintage_camera.jpg"


def test_an_uploaded_photo_becomes_a_picture(bench, photo):
    bench.open(photo)
    sync_api.expect(bench.find(".sl-sure")).to_contain_text(re.compile("outline|transparency"))
    with Image.open(photo) as file:
        assert f"{file.width} x {file.height} px" in bench.find(".sl-remarks").inner_text()


def test_another_style_changes_the_picture(bench, photo):
    bench.open(photo)
    with bench.changing("after"):
        bench.root.get_by_role("checkbox", name="van Gogh: Night Cafe").check()
    sync_api.expect(bench.find(".sl-share")).to_have_count(2)
    with bench.changing("after"):
        bench.find(".sl-share .widget-readout").first.fill("5")
        bench.page.keyboard.press("Enter")
    with bench.changing("after"):
        bench.root.get_by_role("checkbox", name="van Gogh: Night Cafe").uncheck()
    bench.rest()


def test_the_slider_is_moved_by_keys(bench, photo):
    bench.open(photo)
    handle = bench.root.get_by_role("slider", name="Strength")
    before = bench.find(".sl-strength .widget-readout").inner_text()
    with bench.changing("after"):
        handle.focus()
        for _ in range(10):
            bench.page.keyboard.press("ArrowLeft")
    sync_api.expect(bench.find(".sl-strength .widget-readout")).not_to_have_text(before)
    assert bench.root.is_visible(), "JupyterLab took the key and folded the cell"
    bench.rest()


def test_before_and_after_are_compared(bench, photo):
    bench.open(photo)
    wipe = bench.root.get_by_label("Before and after")
    cut = functools.partial(bench.find("img.sl-before").evaluate, "el => getComputedStyle(el).clipPath")
    hidden = cut()
    wipe.focus()
    bench.page.keyboard.press("End")
    assert cut() != hidden
    bench.page.keyboard.press("Home")
    assert cut() == hidden


def test_a_box_is_drawn_with_the_mouse_or_typed(bench, photo):
    bench.open(photo)
    said = bench.find(".sl-sure")
    bench.find("img.sl-photo").scroll_into_view_if_needed()
    area = bench.find("img.sl-photo").bounding_box()
    with bench.changing("photo"):
        bench.page.mouse.move(area["x"] + 0.2 * area["width"], area["y"] + 0.1 * area["height"])
        bench.page.mouse.down()
        bench.page.mouse.move(area["x"] + 0.8 * area["width"], area["y"] + 0.9 * area["height"], steps=3)
        bench.page.mouse.up()
    with Image.open(photo) as file:
        width, height = file.size
    drawn = [int(bench.find(f".sl-box-{side} input").input_value()) for side in ("left", "top", "right", "bottom")]
    expected = [0.2 * width, 0.1 * height, 0.8 * width, 0.9 * height]
    np.testing.assert_allclose(drawn, expected, atol=0.01 * max(width, height))
    sync_api.expect(said).to_contain_text("outline", timeout=WAIT)
    with bench.changing("photo"):
        bench.root.get_by_label("Left").fill("0")
        bench.page.keyboard.press("Enter")
    with bench.changing("photo"):
        bench.find(".sl-no-box").click()
    sync_api.expect(bench.root.get_by_label("Right")).to_have_value(str(width), timeout=WAIT)
    sync_api.expect(said).to_contain_text("outline", timeout=WAIT)
    bench.rest()


def test_strokes_are_drawn_or_typed(bench, photo):
    bench.open(photo)
    with Image.open(photo) as file:
        width, height = file.size
    field, said, page = bench.root.get_by_label("Strokes", exact=True), bench.find(".sl-sure"), bench.page
    line = bench.find(".sl-rubber polyline")
    bench.find("img.sl-photo").scroll_into_view_if_needed()
    area = bench.find("img.sl-photo").bounding_box()

    def drag(kind, *shares):
        bench.find(".sl-draws").get_by_label(kind).check()
        points = [(area["x"] + x * area["width"], area["y"] + y * area["height"]) for x, y in shares]
        page.mouse.move(*points[0])
        page.mouse.down()
        for point in points:
            page.mouse.move(*point, steps=9)
        assert len(line.get_attribute("points").split()) > 9
        page.mouse.up()
        assert line.get_attribute("points") == ""

    with bench.changing("after"):  # since what is marked is no product: strokes are obeyed
        drag("product", (0.02, 0.02), (0.3, 0.02), (0.3, 0.1))
    sync_api.expect(said).to_contain_text("with your strokes", timeout=WAIT)
    shown = bench.shown("photo")
    with bench.changing("photo"):
        drag("ground", (0.4, 0.5), (0.6, 0.5))
    strokes = [one.split() for one in field.input_value().split("; ")]
    assert [kind for kind, *_ in strokes] == ["product", "ground"]
    drawn = [[int(side) for side in point.split(",")] for _, *points in strokes for point in points]
    expected = np.array([(0.02, 0.02), (0.3, 0.02), (0.3, 0.1), (0.4, 0.5), (0.6, 0.5)]) * (width, height)
    np.testing.assert_allclose(drawn, expected, atol=0.01 * max(width, height))
    field.fill(" ".join(strokes[0]))
    page.keyboard.press("Enter")
    bench.becomes("photo", shown)  # as drawn
    with bench.changing("photo"):
        bench.find(".sl-no-strokes").click()
    sync_api.expect(field).to_have_value("", timeout=WAIT)
    sync_api.expect(said).to_contain_text("Product found:", timeout=WAIT)
    bench.find(".sl-draws").get_by_label("a box").check()
    bench.rest()


def test_the_download_opens_and_verifies(bench, photo, tmp_path):
    bench.open(photo)
    bench.find(".sl-size select").select_option("512 px")
    bench.find(".sl-make").click()
    link = bench.find("a.sl-download")
    link.wait_for()
    with bench.page.expect_download() as download:
        link.click()
    with zipfile.ZipFile(io.BytesIO(download.value.path().read_bytes())) as archive:
        archive.extractall(tmp_path)
    (made,) = tmp_path.glob("*[a-z].png.json")
    made = made.with_suffix("")
    assert max(images.read(made).shape) == 512
    assert provenance.verify(made, source=photo).failures == ()
    page = bench.find(".sl-figures").inner_text()
    assert "Change inside the product\tnone" in page
    assert "Amazon" in page
    sync_api.expect(bench.find(".sl-caption")).to_contain_text("finished picture")
    assert bench.find(".sl-make").is_enabled()
    with bench.changing("after"):  # and on with previews
        bench.root.get_by_label("Keep the photo's colors").click()
    bench.rest()


@pytest.mark.parametrize("kind", ["photo", "style"])
def test_a_broken_file_gives_one_sentence(bench, kind, tmp_path):
    file = next(one for one in broken.CORPUS if one.name == "truncated.jpg").make(tmp_path)
    picture = bench.shown("after")
    bench.upload(kind, file)
    alert = bench.find(".sl-status [role=alert]")
    sync_api.expect(alert).to_contain_text("truncated.jpg cannot be read", timeout=WAIT)
    assert bench.status.locator("[aria-live=polite]").count() == 1
    assert alert.inner_text().count(".") == 2  # of the name and of the sentence
    assert bench.shown("after") == picture
    with bench.changing("after"):  # and it goes on
        bench.root.get_by_label("Keep the photo's colors").click()
    sync_api.expect(alert).to_have_count(0, timeout=WAIT)
    bench.rest()


def test_a_painting_of_ones_own(bench, data, photo):
    bench.open(photo)
    with bench.changing("after"):
        bench.upload("style", data / "patterns" / "brick.jpg")
        sync_api.expect(bench.root.get_by_label("brick", exact=True)).to_be_checked(timeout=WAIT)
    bench.rest()


def test_a_photo_larger_than_tornado_takes_by_itself(bench, tmp_path):
    limit = int(re.search(r"Up to (\d+) MB", bench.root.inner_text())[1])
    if limit == 10:  # JupyterLab closes the connection at 10 MiB: all that a page in it can do is to say so
        return
    noise = np.random.default_rng(0).integers(0, 256, (2000, 2000, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "large.png")
    assert (tmp_path / "large.png").stat().st_size > 11e6
    with bench.changing("photo"):
        bench.upload("photo", tmp_path / "large.png")
    sync_api.expect(bench.find(".sl-remarks")).to_contain_text("large.png", timeout=WAIT)


def test_axe_finds_nothing_serious(bench, photo):
    bench.open(photo)
    bench.page.set_viewport_size({"width": 1280, "height": 3000})  # axe leaves out what is not on the screen
    bench.find(".sl-lead").scroll_into_view_if_needed()
    time.sleep(1)
    serious = faults(bench)
    bench.find(".sl-lead").evaluate("el => { el.style.color = '#cccccc' }")
    handle = bench.find(".sl-strength [role=slider]")
    handle.evaluate("el => el.removeAttribute('aria-label')")
    provoked = [one[0] for one in faults(bench)]
    handle.evaluate("el => el.setAttribute('aria-label', 'Strength')")
    bench.find(".sl-lead").evaluate("el => { el.style.color = '' }")
    bench.page.set_viewport_size({"width": 1280, "height": 900})
    assert serious == []
    assert "aria-input-field-name" in provoked
    # Inside JupyterLab's panels axe judges few colors; they are the same as in Voila, where it judges all.
    assert "color-contrast" in provoked or "/lab/" in bench.page.url


def faults(bench):
    """What axe-core calls serious or critical inside the workbench."""
    found = axe.Axe().run(bench.page, context=".stylelab-workbench").response["violations"]
    return [
        (one["id"], one["help"], [node["html"][:200] for node in one["nodes"]][:3])
        for one in found
        if one["impact"] in ("serious", "critical")
    ]


def test_every_control_is_reached_by_the_tab_key(bench):
    wanted = bench.root.evaluate(
        "el => [...el.querySelectorAll('select, button, input, a[href], [role=slider]')]"
        ".filter((x) => x.offsetParent && !x.disabled && x.type !== 'file').length"
    )
    bench.root.evaluate("el => { el.tabIndex = -1; el.focus(); window.reached = new Set() }")
    radios = bench.find("input[type=radio]").count()
    for _ in range(3 * wanted):
        bench.page.keyboard.press("Tab")
        inside = bench.root.evaluate(
            "el => { const x = document.activeElement; if (!el.contains(x)) return false;"
            " window.reached.add(x); return true }"
        )
        if not inside:
            break
    reached = bench.page.evaluate(
        "() => [...window.reached].filter((x) => x.matches('select, button, input, a[href], [role=slider]')).length"
    )
    assert reached >= wanted - (radios - 1)  # of radio buttons at least the chosen one; arrow keys reach the others


def test_nothing_overflows(bench, tmp_path):
    over = {}
    for width in (1280, 800, 420):
        bench.page.set_viewport_size({"width": width, "height": 3000})
        bench.find(".sl-lead").scroll_into_view_if_needed()
        time.sleep(1)
        bench.page.screenshot(path=tmp_path / f"{width}.png")
        if bench.root.bounding_box()["width"] > 300:  # JupyterLab's own side bar leaves less on a phone
            over[width] = bench.root.evaluate(
                "el => [...el.querySelectorAll('*')].filter((x) => {"
                " const a = x.getBoundingClientRect(), b = el.getBoundingClientRect();"
                " return a.width > 1 && a.height > 1 && (a.right > b.right + 1 || a.left < b.left - 1) })"
                ".map((x) => x.className || x.tagName)"
            )
    bench.page.set_viewport_size({"width": 1280, "height": 900})
    assert not any(over.values()), over
    assert {1280, 800} <= over.keys()
