"""Figures: that they decode, fit the page, are small, say what they show, and leave nothing behind.

What a drawing looks like is measured on its pixels: where pictures lie, whether texts overlap.
"""

import base64
import io
import itertools
import os
import subprocess
import sys

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from stylelab import plots
from stylelab.errors import ImageError, SettingsError

DOTS = 110  # per inch
RED, GREEN, BLUE = ([0.9, 0.1, 0.1], [0.1, 0.7, 0.1], [0.1, 0.1, 0.9])


def flat(color, height=40, width=60):
    return np.broadcast_to(np.float32(color), (height, width, 3))


def photo(seed, height=200, width=300):
    """Speckled, the worst for JPEG that a photo may be."""
    return np.random.default_rng(seed).random((height // 4, width // 4, 3)).repeat(4, 0).repeat(4, 1).astype("float32")


x = np.arange(1, 50)
EVERY = {
    "compare": lambda: plots.compare({"photo": flat(RED), "painting": flat(BLUE, 60, 40)}),
    "grid": lambda: plots.grid([[flat(RED), flat(GREEN)], [flat(BLUE), flat(RED)]], ["0.1", "1"], ["Adam", "L-BFGS"]),
    "curves": lambda: plots.curves(
        {"Adam": (x, 1 / x), "L-BFGS": (x, 1 / x**2)}, "step", "loss", log=True, title="Two"
    ),
    "trade_off": lambda: plots.trade_off({"w = 1": (0.1, 0.5), "w = 10": (0.8, 0.1)}, title="What style costs"),
    "spread": lambda: plots.spread(
        {"content": [0.1, 0.12], "noise": [0.3, 0.2, 0.25]}, "style distance", title="Seeds"
    ),
}
KINDS = {"compare": "jpeg", "grid": "jpeg", "curves": "png", "trade_off": "png", "spread": "png"}


def pixels(plot):
    return np.asarray(Image.open(io.BytesIO(plot.bytes())).convert("RGB"), "float32") / 255


def where(drawn, color):
    """``left, top, right, bottom`` of a color in a drawing, or None."""
    rows, columns = np.nonzero((np.abs(drawn - np.float32(color)) < 0.08).all(-1))
    return (columns.min(), rows.min(), columns.max(), rows.max()) if len(rows) else None


def texts(figure):
    """Every visible text with its box in dots."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw(renderer)
    found = list(figure.texts)
    for axes in figure.axes:
        found += [axes.title, axes.xaxis.label, axes.yaxis.label, *axes.texts]
        low, high = axes.get_xlim()  # matplotlib makes ticks beyond the axes and does not draw them
        found += [label for label in axes.get_xticklabels() if low <= label.get_position()[0] <= high]
        found += axes.get_legend().get_texts() if axes.get_legend() else []
    return [
        (text.get_text(), text.get_window_extent(renderer)) for text in found if text.get_text() and text.get_visible()
    ]


def overlapping(figure):
    pairs = itertools.combinations(texts(figure), 2)
    return [(a, b) for (a, box_a), (b, box_b) in pairs if box_a.overlaps(box_b)]


@pytest.mark.parametrize("name", EVERY)
class TestEvery:
    def test_bytes_are_a_picture_of_the_announced_kind(self, name):
        plot = EVERY[name]()
        picture = Image.open(io.BytesIO(plot.bytes()))
        assert picture.format.lower() == plot.kind == KINDS[name]
        picture.load()
        assert picture.width <= 1.06 * plots.WIDTH * DOTS
        assert np.ptp(pixels(plot)) > 0.5

    def test_shows_itself_in_a_notebook(self, name):
        plot = EVERY[name]()
        data, metadata = plot._repr_mimebundle_()
        kind = f"image/{plot.kind}"
        assert set(data) == {kind, "text/plain"}
        assert base64.b64decode(data[kind], validate=True) == plot.bytes()
        assert data["text/plain"] == repr(plot) == f"Figure: {plot.alt}"
        assert metadata == {kind: {"alt": plot.alt}}

    def test_is_the_same_each_time_it_is_shown(self, name):
        plot = EVERY[name]()
        assert plot.bytes() == plot.bytes()

    def test_saves_what_it_shows(self, name, tmp_path):
        plot = EVERY[name]()
        plot.save(tmp_path / "figure")
        assert (tmp_path / "figure").read_bytes() == plot.bytes()

    def test_texts_do_not_overlap(self, name):
        assert overlapping(EVERY[name]().figure) == []

    def test_nothing_is_cut_off(self, name):
        """A white margin all around."""
        drawn = pixels(EVERY[name]())
        for edge in (drawn[0], drawn[-1], drawn[:, 0], drawn[:, -1]):
            assert edge.min() > 0.95


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("compare", ["photo", "painting"]),
        ("grid", ["0.1", "1", "Adam", "L-BFGS", "down", "across"]),
        ("curves", ["loss against step", "Adam ends at 0.0204", "L-BFGS ends at 0.000416"]),
        ("trade_off", ["style distance against content distance", "w = 1: 0.1, 0.5", "w = 10: 0.8, 0.1"]),
        ("spread", ["style distance", "content: 0.11 ± 0.01", "noise: 0.25 ± 0.041"]),
    ],
)
def test_alt_text_says_what_it_shows(name, words):
    alt = EVERY[name]().alt
    for word in words:
        assert word in alt


def test_needs_no_display_and_leaves_pyplot_alone():
    """In an interpreter without display whose matplotlib would open windows."""
    code = (
        "import sys, numpy as np\nfrom stylelab import plots\n"
        "plot = plots.compare({'a': np.zeros((9, 9, 3)), 'b': np.ones((9, 9, 1))})\n"
        "assert plot._repr_mimebundle_()\nassert plots.curves({'a': ([1, 2], [3, 4])}, 'x', 'y').bytes()\n"
        "assert 'tensorflow' not in sys.modules\n"
        "pyplot = sys.modules.get('matplotlib.pyplot')\nprint(pyplot.get_fignums() if pyplot else [])\n"
    )
    environment = {
        name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY", "MPLBACKEND")
    }
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**environment, "MPLBACKEND": "TkAgg"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "[]\n", "")


class TestPictures:
    def test_side_by_side_in_order_at_one_height(self):
        drawn = pixels(plots.compare({"a": flat(RED, 40, 60), "b": flat(GREEN, 60, 30), "c": flat(BLUE, 30, 30)}))
        boxes = [where(drawn, color) for color in (RED, GREEN, BLUE)]
        assert boxes[0][2] < boxes[1][0] < boxes[1][2] < boxes[2][0]
        assert np.ptp([top for _, top, _, _ in boxes]) <= 2
        assert np.ptp([bottom for _, _, _, bottom in boxes]) <= 2
        aspects = [(right - left) / (bottom - top) for left, top, right, bottom in boxes]
        np.testing.assert_allclose(aspects, [60 / 40, 30 / 60, 1], rtol=0.04)

    @pytest.mark.parametrize("count", [1, 2, 5, 10])
    def test_a_row_fits_the_page(self, count):
        """Portraits and landscapes mixed, none cut."""
        colors = np.random.default_rng(0).random((count, 3))
        row = {f"picture {k}": flat(colors[k], *((50, 90) if k % 2 else (90, 50))) for k in range(count)}
        plot = plots.compare(row, columns=count)
        drawn = pixels(plot)
        assert drawn.shape[1] <= 1.03 * plots.WIDTH * DOTS
        for color in colors:
            assert where(drawn, color) is not None

    def test_a_lone_picture_is_not_blown_up(self):
        assert pixels(plots.compare({"a": flat(RED, 30, 30)})).shape[0] < 3.2 * DOTS

    def test_more_than_five_break_into_rows(self):
        drawn = pixels(plots.compare({str(k): flat(BLUE if k == 5 else RED) for k in range(7)}))
        left, top, _, _ = where(drawn, BLUE)
        assert left < 30
        assert top > where(drawn, RED)[1] + 20

    def test_orientation_and_color_are_kept(self):
        """Top left red, top right green, below blue: nothing mirrored, no channels exchanged."""
        picture = np.concatenate(
            [np.concatenate([flat(RED, 40, 40), flat(GREEN, 40, 40)], axis=1), flat(BLUE, 40, 80)], axis=0
        )
        drawn = pixels(plots.compare({"a": picture}))
        red, green, blue = (where(drawn, color) for color in (RED, GREEN, BLUE))
        assert red[2] <= green[0] + 2
        assert red[3] <= blue[1] + 2
        assert abs(red[1] - green[1]) <= 1

    def test_masks_are_gray_from_black_to_white(self):
        """0.5 is gray also where nothing is black or white: no stretching."""
        drawn = pixels(plots.compare({"mask": np.full((30, 30, 1), 0.5, "float32")}))
        assert where(drawn, [0.5, 0.5, 0.5])[2] > 100

    def test_what_is_outside_0_to_1_is_clipped(self):
        """Feature maps are shown so."""
        drawn = pixels(plots.compare({"a": flat(RED) * 10 - 8.5, "b": flat(BLUE)}))
        assert where(drawn, [0.5, 0, 0]) is not None

    def test_a_row_of_photos_is_small(self):
        assert len(plots.compare({f"photo {k}": photo(k) for k in range(5)}).bytes()) < 200_000

    def test_titles_stand_above_their_pictures_and_wrap(self):
        long = {f"a rather long title for picture {k}": flat(RED, 120, 40) for k in range(5)}
        figure = plots.compare(long).figure
        assert overlapping(figure) == []
        assert [text.replace("\n", " ") for text, _ in texts(figure)] == list(long)

    def test_a_title_of_one_line_leaves_no_empty_lines(self):
        heights = [
            pixels(plots.compare({title: flat(RED)})).shape[0] for title in ("short", "a title of many words " * 6)
        ]
        assert heights[1] > heights[0] + 20

    def test_titles_may_have_a_price(self):
        assert plots.compare({"$5": flat(RED), "100 % _a_": flat(BLUE)}).bytes()

    def test_nothing_to_compare(self):
        with pytest.raises(ImageError, match="nothing to compare"):
            plots.compare({})

    @pytest.mark.parametrize("shape", [(9, 9), (1, 9, 9, 3), (9, 9, 4), (0, 9, 3)])
    def test_what_is_no_picture_is_named(self, shape):
        with pytest.raises(ImageError, match=r"Picture 'result' has the shape .* give \[H, W, 3\]"):
            plots.compare({"photo": flat(RED), "result": np.zeros(shape)})

    def test_bytes_of_0_to_255_would_be_all_white(self):
        with pytest.raises(ImageError, match="'result' has values up to 200; divide it by 255"):
            plots.compare({"result": np.full((9, 9, 3), 200, "uint8")})


class TestGrid:
    def test_rows_down_and_columns_across(self):
        table = [[flat(RED), flat(GREEN)], [flat(BLUE), flat([0.5, 0.5, 0.1])]]
        plot = plots.grid(table, ["first", "second"], ["left", "right"])
        drawn = pixels(plot)
        red, green, blue = (where(drawn, color) for color in (RED, GREEN, BLUE))
        assert red[2] < green[0]
        assert red[3] < blue[1]
        assert abs(red[0] - blue[0]) <= 1
        boxes = dict(texts(plot.figure))
        assert set(boxes) == {"first", "second", "left", "right"}
        assert boxes["left"].x1 < boxes["right"].x0
        assert boxes["first"].y0 > boxes["second"].y1

    def test_columns_stay_aligned_whatever_the_shapes(self):
        table = [[flat(RED, 40, 80), flat(GREEN, 40, 40)], [flat(BLUE, 80, 40), flat([0.5, 0.5, 0.1], 40, 40)]]
        drawn = pixels(plots.grid(table, ["1", "2"], ["a", "b"]))
        red, blue, green, olive = (where(drawn, color) for color in (RED, BLUE, GREEN, [0.5, 0.5, 0.1]))
        assert (red[0] + red[2]) / 2 == pytest.approx((blue[0] + blue[2]) / 2, abs=2)
        assert green[0] == pytest.approx(olive[0], abs=2)

    def test_a_large_one_fits_the_page(self):
        plot = plots.grid(
            [[flat(RED, 60, 90)] * 6] * 3, ["style weight 1", "10", "100"], [f"block{k}_conv1" for k in range(6)]
        )
        assert pixels(plot).shape[1] <= 1.06 * plots.WIDTH * DOTS
        assert overlapping(plot.figure) == []

    @pytest.mark.parametrize("table", [[], [[]]])
    def test_nothing_to_show(self, table):
        with pytest.raises(ImageError, match="nothing to show"):
            plots.grid(table, [""] * len(table), [])

    @pytest.mark.parametrize(
        ("rows", "columns"), [(["1"], ["a", "b"]), (["1", "2"], ["a"]), (["1", "2", "3"], ["a", "b"])]
    )
    def test_labels_that_do_not_fit(self, rows, columns):
        with pytest.raises(SettingsError, match="give one label each"):
            plots.grid([[flat(RED)] * 2] * 2, rows, columns)


class TestLines:
    def test_every_curve_is_drawn_and_told_from_the_others(self):
        """Also the eighth and the fifteenth, when colors begin anew."""
        plot = plots.curves({f"line {k}": (x, k + x) for k in range(15)}, "step", "loss")
        drawn = plot.figure.axes[0].get_lines()
        assert [line.get_label() for line in drawn] == [f"line {k}" for k in range(15)]
        assert len({(line.get_color(), str(line._dash_pattern)) for line in drawn}) == 15
        assert overlapping(plot.figure) == []

    def test_a_curve_is_its_values(self):
        plot = plots.curves({"a": ([1, 2, 4], [10.0, 5.0, 2.5])}, "steps", "loss (relative)", title="Loss")
        (line,) = plot.figure.axes[0].get_lines()
        np.testing.assert_array_equal(line.get_xydata(), [[1, 10], [2, 5], [4, 2.5]])
        axes = plot.figure.axes[0]
        assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_title()) == ("steps", "loss (relative)", "Loss")
        assert axes.get_yscale() == "linear"

    def test_logarithmic_when_asked(self):
        assert EVERY["curves"]().figure.axes[0].get_yscale() == "log"

    def test_the_legend_does_not_cover_many_lines(self):
        figure = plots.curves({f"line {k}": (x, k + x) for k in range(8)}, "step", "loss").figure
        renderer = FigureCanvasAgg(figure).get_renderer()
        figure.draw(renderer)
        axes = figure.axes[0]
        assert axes.get_legend().get_window_extent(renderer).x0 >= axes.get_window_extent(renderer).x1 - 1

    def test_points_are_labeled_without_covering_each_other(self):
        """Results lie close together when methods are nearly as good as each other."""
        points = {"Gram, style weight 1": (1.0, 0.1), "moments": (1.01, 0.101), "w2": (1.02, 0.1), "last": (1.3, 0.05)}
        figure = plots.trade_off(points).figure
        assert overlapping(figure) == []
        shown = dict(texts(figure))
        dots = figure.axes[0].transData.transform(list(points.values()))
        for label, dot in zip(points, dots, strict=True):
            box = shown[label]
            assert box.count_contains(dots) == 0
            assert np.hypot((box.x0 + box.x1) / 2 - dot[0], (box.y0 + box.y1) / 2 - dot[1]) < box.width / 2 + 40
        np.testing.assert_array_equal(figure.axes[0].get_lines()[0].get_xydata(), list(points.values()))

    def test_a_spread_shows_every_value_and_the_mean(self):
        groups = {f"group {k}": [k + 0.1, k + 0.2, k + 0.6] for k in range(9)}
        figure = plots.spread(groups, "seconds").figure
        lines = figure.axes[0].get_lines()
        assert len(lines) == 18
        for k, (dots, mean) in enumerate(zip(lines[::2], lines[1::2], strict=True)):
            np.testing.assert_allclose(dots.get_ydata(), [k + 0.1, k + 0.2, k + 0.6])
            np.testing.assert_allclose(mean.get_ydata(), k + 0.3)
            assert (np.abs(dots.get_xdata() - k) < 0.3).all()
        assert [t.get_text().replace("\n", " ") for t in figure.axes[0].get_xticklabels()] == list(groups)

    def test_long_names_of_groups_wrap(self):
        figure = plots.spread({f"Adam from content {k}": [k, k + 1] for k in range(5)}, "style distance").figure
        assert overlapping(figure) == []

    @pytest.mark.parametrize(
        "draw",
        [
            lambda: plots.curves({}, "x", "y"),
            lambda: plots.curves({"a": ([], [])}, "x", "y"),
            lambda: plots.trade_off({}),
            lambda: plots.spread({}, "y"),
            lambda: plots.spread({"a": [1.0], "b": []}, "y"),
        ],
    )
    def test_nothing_to_draw(self, draw):
        with pytest.raises(SettingsError, match="nothing to draw"):
            draw()
