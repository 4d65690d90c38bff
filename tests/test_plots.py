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
from stylelab.plots.figure import short

DOTS = 110  # per inch
RED, GREEN, BLUE = ([0.9, 0.1, 0.1], [0.1, 0.7, 0.1], [0.1, 0.1, 0.9])


def flat(color, height=40, width=60):
    return np.broadcast_to(np.float32(color), (height, width, 3))


def photo(seed, height=200, width=300):
    """Speckled, the worst for JPEG that a photo may be."""
    return np.random.default_rng(seed).random((height // 4, width // 4, 3)).repeat(4, 0).repeat(4, 1).astype("float32")


def maps(strengths, height=24, width=36):
    """Channels with one bright quarter each, at top left, top right, bottom left, bottom right in turn."""
    features = np.zeros((height, width, len(strengths)), "float32")
    for k, strength in enumerate(strengths):
        top, left = height // 2 * (k % 4 // 2), width // 2 * (k % 2)
        features[top : top + height // 2, left : left + width // 2, k] = strength
    return features


def bowl():
    """``z, x, y`` of ``x² + 10 y²``."""
    xs, ys = np.linspace(-2, 2, 30), np.linspace(-1, 3, 40)
    return xs**2 + 10 * ys[:, None] ** 2, xs, ys


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
    "feature_maps": lambda: plots.feature_maps(maps([0.1, 40.0, 3.0, 0.0, 2e3]), 4),
    "filters": lambda: plots.filters(np.random.default_rng(0).normal(0, 1, (3, 3, 3, 40))),
    "gradient_check": lambda: plots.gradient_check(
        10.0 ** -x[:12], {"content": 10.0 ** -x[:12], "Gram, eq. 4": 2.0 ** np.abs(x[:12] - 6)}, title="Differences"
    ),
    "surface": lambda: plots.surface(*bowl(), ("left", "right"), path=[(1, 2), (0.5, 1), (0, 0)], title="A bowl"),
    "matrix": lambda: plots.matrix(
        [[0.5, 0.9, 1.0], [0.1, 0.2, 0.3]], "Entropy", value="share", rows=["plain", "SWAG"], columns=["a", "b", "c"]
    ),
    "large matrix": lambda: plots.matrix(np.random.default_rng(0).gamma(0.3, 1, (256, 256)), "Gram matrix", value="G"),
}
JPEG = ("compare", "grid", "feature_maps")


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
    def test_bytes_are_a_small_picture_of_the_announced_kind_with_nothing_cut_off(self, name):
        plot = EVERY[name]()
        data = plot.bytes()
        assert len(data) < (100_000 if name == "large matrix" else 40_000)
        picture = Image.open(io.BytesIO(data))
        assert picture.format.lower() == plot.kind == ("jpeg" if name in JPEG else "png")
        assert picture.width <= 1.06 * plots.WIDTH * DOTS
        drawn = np.asarray(picture.convert("RGB"), "float32") / 255
        assert np.ptp(drawn) > 0.5
        for edge in (drawn[0], drawn[-1], drawn[:, 0], drawn[:, -1]):  # a white margin all around
            assert edge.min() > 0.95

    def test_shows_itself_in_a_notebook_and_saves_the_same_each_time(self, name, tmp_path):
        plot = EVERY[name]()
        data, metadata = plot._repr_mimebundle_()
        kind = f"image/{plot.kind}"
        assert set(data) == {kind, "text/plain"}
        assert data["text/plain"] == repr(plot) == f"Figure: {plot.alt}"
        assert metadata == {kind: {"alt": plot.alt}}
        plot.save(tmp_path / "figure")
        assert (tmp_path / "figure").read_bytes() == base64.b64decode(data[kind], validate=True)

    def test_texts_do_not_overlap(self, name):
        assert overlapping(EVERY[name]().figure) == []


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("compare", ["photo", "painting"]),
        ("grid", ["0.1", "1", "Adam", "L-BFGS", "down", "across"]),
        ("curves", ["loss against step", "Adam ends at 0.0204", "L-BFGS ends at 0.000416"]),
        ("trade_off", ["style distance against content distance", "w = 1: 0.1, 0.5", "w = 10: 0.8, 0.1"]),
        ("spread", ["style distance", "content: 0.11 ± 0.01", "noise: 0.25 ± 0.041"]),
        ("feature_maps", ["channels 4, 1, 2, 0 of 5", "strongest first"]),
        ("filters", ["40 filters of 3x3 pixels", "16 in a row"]),
        ("gradient_check", ["content: best 1.0e-12 at h = 1.0e-12", "Gram, eq. 4: best 1.0e+00 at h = 1.0e-06"]),
        ("surface", ["loss over left and right, from 0.0", "to 94", "3 points from (1, 2) to (0, 0)"]),
        ("matrix", ["Entropy, 2 rows and 3 columns, 0.1 to 1"]),
    ],
)
def test_alt_text_says_what_it_shows(name, words):
    alt = EVERY[name]().alt
    for word in words:
        assert word in alt


@pytest.mark.parametrize("name", [name for name in EVERY if name not in JPEG])
def test_saving_bytes_changes_no_color_visibly(name):
    """PNGs get a palette of 256 colors, unless somebody could see it."""
    plot = EVERY[name]()
    every = io.BytesIO()
    FigureCanvasAgg(plot.figure).print_figure(every, dpi=DOTS, format="png", bbox_inches="tight", facecolor="white")
    exact = np.asarray(Image.open(every).convert("RGB"), "float32") / 255
    assert np.abs(pixels(plot) - exact).max() < 0.07


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


class TestFeatureMaps:
    def tiles(self, plot):
        """The pictures as drawn, by title."""
        return {axes.get_title(): np.asarray(axes.get_images()[0].get_array()) for axes in plot.figure.axes}

    def test_strongest_first_with_number_and_scale(self):
        tiles = self.tiles(plots.feature_maps(maps([0.1, 40.0, 3.0, 0.0, 2000.0]), 3))
        assert list(tiles) == ["#4: 0 to 2000", "#1: 0 to 40", "#2: 0 to 3"]

    def test_strength_is_the_mean_square_so_negative_counts_too(self):
        features = maps([1.0, -5.0, 3.0])
        assert list(self.tiles(plots.feature_maps(features))) == ["#1: -5 to 0", "#2: 0 to 3", "#0: 0 to 1"]

    def test_each_channel_is_black_to_white(self):
        for features in (maps([0.01, 300.0]), -maps([0.01, 300.0]), maps([0.01, 300.0]) - 7):
            for tile in self.tiles(plots.feature_maps(features)).values():
                assert (tile.min(), tile.max()) == (0, 1)

    def test_the_picture_s_orientation_is_kept(self):
        (tile,) = self.tiles(plots.feature_maps(maps([1, 1, 1]), channels=[1])).values()
        assert tile[:12, 18:].min() == 1
        assert tile[12:].max() == tile[:, :18].max() == 0

    def test_one_peak_does_not_leave_the_rest_black(self):
        features = np.random.default_rng(0).random((40, 40, 1)).astype("float32")
        features[3, 4] = 1e5
        (tile,) = self.tiles(plots.feature_maps(features)).values()
        assert 0.3 < np.median(tile) < 0.7

    def test_a_channel_alive_at_a_few_positions_shows_them(self):
        features = np.zeros((40, 40, 1), "float32")
        features[3, 4] = 2
        (tile,) = self.tiles(plots.feature_maps(features)).values()
        assert tile[3, 4] == 1
        assert tile.sum() == 1

    def test_a_dead_channel_is_black(self):
        (tile,) = self.tiles(plots.feature_maps(np.zeros((9, 9, 1)))).values()
        assert tile.max() == 0

    def test_channels_as_asked_for(self):
        plot = plots.feature_maps(maps([1, 2, 3, 4]), channels=[2, 0])
        assert [title.split(":")[0] for title in self.tiles(plot)] == ["#2", "#0"]
        assert "channels 2, 0 of 4, as asked for" in plot.alt

    def test_no_more_than_there_are_in_rows(self):
        tiles = plots.feature_maps(maps([1, 2, 3, 4, 5]), 99, columns=2).figure.axes
        assert len(tiles) == 5
        assert len({round(axes.get_position().y0, 3) for axes in tiles}) == 3

    @pytest.mark.parametrize("shape", [(1, 9, 9, 3), (9, 9), (0, 9, 3), (9, 9, 0)])
    def test_what_is_no_feature_map(self, shape):
        with pytest.raises(ImageError, match=r"need the shape \[H, W, C\], not .*f\[0\]"):
            plots.feature_maps(np.zeros(shape))

    def test_not_a_number(self):
        with pytest.raises(ImageError, match="not finite"):
            plots.feature_maps(np.full((9, 9, 2), np.nan))

    @pytest.mark.parametrize(
        "settings", [{"channels": [4]}, {"channels": [-1]}, {"channels": []}, {"count": 0}, {"columns": 0}]
    )
    def test_channels_that_are_not_there(self, settings):
        with pytest.raises(SettingsError, match="at least one channel between 0 and 3"):
            plots.feature_maps(maps([1, 2, 3, 4]), **settings)


class TestFilters:
    def canvas(self, kernel, **settings):
        return np.asarray(plots.filters(kernel, **settings).figure.axes[0].get_images()[0].get_array())

    def test_a_weight_is_a_square_of_its_color(self):
        """Red at top left, against it blue at bottom right; the rest is gray."""
        kernel = np.zeros((2, 2, 3, 1))
        kernel[0, 0, 0, 0], kernel[1, 1, 2, 0] = 5.0, -5.0
        canvas = self.canvas(kernel)
        side = len(canvas) // 2
        np.testing.assert_array_equal(canvas[:side, :side], np.broadcast_to([1, 0.5, 0.5], (side, side, 3)))
        np.testing.assert_array_equal(canvas[side:, side:], np.broadcast_to([0.5, 0.5, 0], (side, side, 3)))
        np.testing.assert_array_equal(canvas[:side, side:], 0.5)

    def test_each_in_its_own_scale_in_rows(self):
        kernel = np.ones((1, 1, 3, 5)) * [1e-4, -20.0, 3.0, 0.0, -1.0]
        canvas = self.canvas(kernel, columns=3)
        assert canvas.shape[:2] == (2 * 48 + 4, 3 * 48 + 2 * 4)
        centers = canvas[24::52, 24::52, 0]
        np.testing.assert_array_equal(centers, [[1, 0, 1], [0.5, 0, 1]])  # the last place is white paper

    def test_bars_between_them_are_white(self):
        canvas = self.canvas(-np.ones((3, 3, 3, 2)))
        assert canvas[:, 48:52].min() == 1
        assert canvas[:, :48].max() == canvas[:, 52:].max() == 0

    @pytest.mark.parametrize("shape", [(3, 3, 64, 9), (3, 3, 3), (3, 3, 3, 0)])
    def test_what_is_no_color_kernel(self, shape):
        with pytest.raises(ImageError, match=r"shape \[h, w, 3, N\], not"):
            plots.filters(np.zeros(shape))

    def test_not_a_number(self):
        with pytest.raises(ImageError, match="not finite"):
            plots.filters(np.full((3, 3, 3, 2), np.inf))


class TestGradientCheck:
    def test_curves_and_their_best_steps(self):
        steps, errors = [1e-2, 1e-5, 1e-8], {"a": [1e-4, 1e-9, 1e-6], "b": [1e-3, 1e-5, 1e-7]}
        axes = plots.gradient_check(steps, errors).figure.axes[0]
        assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
        curves, marks = axes.get_lines()[::2], axes.get_lines()[1::2]
        for line, mark, values, best in zip(curves, marks, errors.values(), (1, 2), strict=True):
            np.testing.assert_array_equal(line.get_xydata(), np.transpose([steps, values]))
            np.testing.assert_array_equal(mark.get_xydata(), [[steps[best], values[best]]])
            assert mark.get_markeredgecolor() == line.get_color()
        assert [text.get_text() for text in axes.get_legend().get_texts()] == [
            "a: best 1.0e-09 at h = 1.0e-05",
            "b: best 1.0e-07 at h = 1.0e-08",
        ]

    def test_one_curve_needs_no_name(self):
        assert "gradient: best 1.0e-09" in plots.gradient_check([1e-2, 1e-5], [1e-3, 1e-9]).alt

    def test_no_error_at_all_has_a_place(self):
        line = plots.gradient_check([1e-2, 1e-5], [0.0, 1e-9]).figure.axes[0].get_lines()[0]
        np.testing.assert_array_equal(line.get_ydata(), [1e-17, 1e-9])

    def test_the_legend_covers_no_curve(self):
        figure = plots.gradient_check(
            10.0 ** -x[:9], {f"a rather long name {k}": 10.0 ** -x[:9] for k in range(7)}
        ).figure
        renderer = FigureCanvasAgg(figure).get_renderer()
        figure.draw(renderer)
        axes = figure.axes[0]
        assert axes.get_legend().get_window_extent(renderer).y1 < axes.get_window_extent(renderer).y0
        assert overlapping(figure) == []

    @pytest.mark.parametrize(("steps", "errors"), [([], []), ([1.0], {}), ([1.0], {"a": []})])
    def test_nothing_to_draw(self, steps, errors):
        with pytest.raises(SettingsError, match="nothing to draw"):
            plots.gradient_check(steps, errors)

    @pytest.mark.parametrize(
        ("steps", "errors"), [([1, 0], [1, 1]), ([1, 2], [1, np.nan]), ([1, np.inf], [1, 1]), ([1, 2], [1, 2, 3])]
    )
    def test_what_has_no_place(self, steps, errors):
        with pytest.raises(SettingsError, match="'a' needs positive steps and one finite error for each"):
            plots.gradient_check(steps, {"a": errors})


class TestSurface:
    def colors_at(self, plot, points):
        """Colors of the drawing at points of the axes."""
        axes = plot.figure.axes[0]
        canvas = FigureCanvasAgg(plot.figure)
        canvas.draw()
        drawn = np.asarray(canvas.buffer_rgba())[..., :3]
        dots = axes.transData.transform(points).astype(int)
        return [drawn[len(drawn) - 1 - row, column].astype(int) for column, row in dots]

    def test_low_is_dark_and_axes_are_not_exchanged(self):
        z, xs, ys = bowl()
        bottom, along_x, along_y = self.colors_at(plots.surface(z, xs, ys), [(0.05, 0.05), (1.9, 0.05), (0.05, 1.9)])
        assert bottom.sum() < along_x.sum() + 30
        assert along_y.sum() > bottom.sum() + 60

    def test_up_is_up(self):
        xs = np.linspace(0, 1, 5)
        low, high = self.colors_at(plots.surface(np.tile(xs[:, None], 5), xs, xs), [(0.5, 0.05), (0.5, 0.95)])
        assert high.sum() > low.sum() + 100

    def test_a_path_is_its_points_and_does_not_move_the_axes(self):
        z, xs, ys = bowl()
        axes = plots.surface(z, xs, ys, path=[(9, 9), (1, 1), (0, 0.5)]).figure.axes[0]
        line, start, end = axes.get_lines()
        np.testing.assert_array_equal(line.get_xydata(), [(9, 9), (1, 1), (0, 0.5)])
        np.testing.assert_array_equal(start.get_xydata(), [(9, 9)])
        np.testing.assert_array_equal(end.get_xydata(), [(0, 0.5)])
        assert (axes.get_xlim(), axes.get_ylim()) == ((-2, 2), (-1, 3))
        assert [text.get_text() for text in axes.get_legend().get_texts()] == ["start", "end"]

    def test_labels_and_the_color_scale_s(self):
        z, xs, ys = bowl()
        axes, bar = plots.surface(z, xs, ys, ("left", "right"), value="error", title="Bowl").figure.axes
        assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_title()) == ("left", "right", "Bowl")
        assert bar.get_ylabel() == "error"

    def test_logarithmic_shows_decades_alike(self):
        """Ten times as much is the same step in color."""
        xs = np.linspace(0, 4, 50)
        for log, share in ((True, 0.25), (False, 0.001)):
            drawn = plots.surface(np.tile(10**xs, (3, 1)), xs, [0, 1, 2], log=log).figure.axes[0].collections[0]
            np.testing.assert_allclose(drawn.norm(10.0), share, atol=1e-3)

    @pytest.mark.parametrize("log", [False, True])
    @pytest.mark.parametrize("value", [5.0, 1e-9, 1e9])
    def test_a_flat_one_is_one_color(self, log, value):
        plot = plots.surface(np.full((3, 4), value), range(4), range(3), log=log)
        a, b = self.colors_at(plot, [(0.5, 0.5), (2.5, 1.5)])
        np.testing.assert_array_equal(a, b)

    @pytest.mark.parametrize(
        ("settings", "words"),
        [
            ({"z": np.zeros((4, 3))}, r"over 4 values of x and 3 of y needs the shape \(3, 4\)"),
            ({"z": np.zeros(3)}, "needs 2 axes"),
            ({"z": np.zeros((3, 1)), "x": [0]}, r"at least \(2, 2\)"),
            ({"z": np.full((3, 4), np.nan)}, "surface has values that are not finite"),
            ({"x": [0, 1, np.inf, 3]}, "x axis has values that are not finite"),
            ({"log": True}, "needs positive values, not 0; leave log out"),
            ({"path": [[0, 0, 0]]}, r"points \(x, y\) in the shape \[N, 2\], not \(1, 3\)"),
            ({"path": np.zeros((0, 2))}, "path needs 2 axes of at least one number"),
        ],
    )
    def test_what_cannot_be_drawn(self, settings, words):
        good = {"z": np.zeros((3, 4)), "x": range(4), "y": range(3)}
        with pytest.raises(SettingsError, match=words):
            plots.surface(**{**good, **settings})


class TestMatrix:
    def test_row_zero_is_on_top(self):
        m = np.arange(10.0, 16.0).reshape(2, 3)
        figure = plots.matrix(m).figure
        np.testing.assert_array_equal(figure.axes[0].get_images()[0].get_array(), m)
        boxes = {text.get_text(): text.get_window_extent() for text in figure.axes[0].texts}
        assert boxes["10"].y0 > boxes["13"].y1
        assert boxes["13"].x1 < boxes["15"].x0

    def test_a_small_table_holds_its_numbers_readably(self):
        """White on dark, black on light."""
        figure = plots.matrix([[0.0, 1.0]]).figure
        ink = {text.get_text(): text.get_color() for text in figure.axes[0].texts}
        assert ink == {"0": "white", "1": "black"}

    def test_a_large_one_does_not(self):
        assert not plots.matrix(np.ones((9, 9))).figure.axes[0].texts

    def test_both_signs_have_white_at_zero(self):
        image = plots.matrix([[-1.0, 0.0, 4.0]]).figure.axes[0].get_images()[0]
        assert (image.norm.vmin, image.norm.vmax) == (-4, 4)
        assert min(image.to_rgba(0.0)) > 0.95

    def test_a_few_largest_do_not_leave_the_rest_black(self):
        m = np.random.default_rng(0).random((100, 100))
        m[3, 4] = 1e6
        figure = plots.matrix(m).figure
        assert figure.axes[0].get_images()[0].norm.vmax <= 1
        assert "1e+06" in plots.matrix(m).alt

    def test_a_small_table_is_shown_from_end_to_end(self):
        norm = plots.matrix([[1.0, 2.0], [3.0, 1000.0]]).figure.axes[0].get_images()[0].norm
        assert (norm.vmin, norm.vmax) == (1, 1000)

    @pytest.mark.parametrize("shape", [(1, 1), (2, 30), (30, 2), (8, 8), (300, 300)])
    @pytest.mark.parametrize("labels", [False, True])
    def test_fits_the_page_without_overlaps(self, shape, labels):
        rows, columns = ([f"block{k}_conv1" for k in range(n)] if labels and n < 50 else None for n in shape)
        plot = plots.matrix(np.random.default_rng(0).normal(0, 1, shape), "a title", rows=rows, columns=columns)
        drawn = pixels(plot)
        assert drawn.shape[1] <= 1.06 * plots.WIDTH * DOTS
        assert drawn.shape[0] <= 7.5 * DOTS
        for label in plot.figure.axes[0].get_xticklabels():  # boxes of slanted texts overlap where the texts do not
            label.set_visible(label.get_rotation() != 30)
        assert overlapping(plot.figure) == []

    def test_labels(self):
        axes = EVERY["matrix"]().figure.axes[0]
        assert [t.get_text() for t in axes.get_yticklabels()] == ["plain", "SWAG"]
        assert [t.get_text() for t in axes.get_xticklabels()] == ["a", "b", "c"]

    @pytest.mark.parametrize(
        ("m", "settings", "words"),
        [
            (np.zeros((1, 2, 2)), {}, r"needs 2 axes of at least one number each, not the shape \(1, 2, 2\)"),
            (np.zeros((0, 2)), {}, "needs 2 axes"),
            ([[np.nan]], {}, "matrix has values that are not finite"),
            (np.zeros((2, 2)), {"rows": ["a"]}, "2 rows cannot have 1 row labels"),
            (np.zeros((2, 2)), {"columns": ["a"] * 3}, "2 columns cannot have 3 column labels"),
        ],
    )
    def test_what_is_no_matrix(self, m, settings, words):
        with pytest.raises(SettingsError, match=words):
            plots.matrix(m, **settings)


@pytest.mark.parametrize(
    ("number", "text"),
    [(0.0, "0"), (0.01234, "0.0123"), (-999.4, "-999"), (6034.2, "6034"), (-25000, "-25000"), (2.5e6, "2.5e+06")],
)
def test_numbers_are_short_without_exponents_where_it_can_be(number, text):
    assert short(number) == text
