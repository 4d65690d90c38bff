"""Exercises of chapter 11: every right answer, however it is written, and the wrong ones that students write.

The known mistakes of an exercise are edits of its answer; tests/test_course.py sees that each is told apart. Here are
wrong functions written by hand, with the sentence that each must bring forth.
"""

import numpy as np
import pytest
from scipy import ndimage

from stylelab import course, images, metrics, samples
from stylelab.catalog import product as products
from stylelab.catalog import rules
from stylelab.errors import SettingsError
from stylelab.exercises import chapter11_cuts, chapter11_open, chapter11_pixels
from stylelab.stylizers import KeepProduct, Stylizer
from tests.answers import message

# ---- keep-core -------------------------------------------------------------------------------------------------


def by_masks(photo, styled, depth):
    third = np.where(depth == 1, (photo + 2 * styled) / 3, (2 * photo + styled) / 3)
    return np.where(depth == 0, styled, np.where(depth >= 3, photo, third))


def in_doubles(photo, styled, depth):
    weight = np.minimum(np.asarray(depth, "float64"), 3) / 3
    return np.asarray(photo, "float64") * weight + np.asarray(styled, "float64") * (1 - weight)


def composited(photo, styled, depth):
    return images.composite(photo, styled, np.clip(depth / 3, 0, 1).astype("float32"))


@pytest.mark.parametrize("function", [chapter11_pixels.keep, by_masks, in_doubles, composited])
def test_right_blend(function):
    assert course.exercise("keep-core").check(function)


def test_the_exercise_and_the_package_agree():
    """The answer is what KeepProduct does, for depths counted by the distance transform that it uses."""

    class Dark(Stylizer):
        def _stylize(self, content, style, **settings):
            return content / 3

    rng = np.random.default_rng(0)
    photo, mask = rng.random((40, 50, 3), "float32"), np.zeros((40, 50, 1), "float32")
    mask[5:30, 8:33], mask[12:15, 30:45] = 1, 1
    kept = KeepProduct(Dark(), mask).stylize(photo[None], "hokusai_great_wave")[0]
    depth = ndimage.distance_transform_cdt(mask[..., 0], "chessboard")[..., None]
    ours = chapter11_pixels.keep(photo, photo / 3, depth)
    np.testing.assert_allclose(ours, kept, atol=1e-6)
    core = products.core(mask)[..., 0]
    assert core.sum() > 300
    np.testing.assert_array_equal(ours[core], photo[core])
    assert (core == (depth[..., 0] >= 3)).all()


def eroded(photo, styled, depth):
    """A soft edge by blurring the mask, which eats into the core."""
    weight = ndimage.gaussian_filter((depth > 0).astype(float), (2, 2, 0))
    return weight * photo + (1 - weight) * styled


def ring_outside(photo, styled, depth):
    reach = ndimage.distance_transform_cdt(depth[..., 0] == 0, "chessboard")[..., None]
    weight = np.clip(1 - reach / 3, 0, 1)
    return weight * photo + (1 - weight) * styled


def smoothstep(photo, styled, depth):
    t = np.clip(depth / 3, 0, 1)
    weight = t * t * (3 - 2 * t)
    return weight * photo + (1 - weight) * styled


def overwritten(photo, styled, depth):
    styled[depth[..., 0] >= 3] = photo[depth[..., 0] >= 3]
    return styled


def half_precision(photo, styled, depth):
    return chapter11_pixels.keep(photo.astype("float16"), styled.astype("float16"), depth)


def other_lerp(photo, styled, depth):
    weight = np.clip(depth / 3, 0, 1).astype("float32")
    return photo - (1 - weight) * (photo - styled) + np.float32(1e-8)


def ground_touched(photo, styled, depth):
    return np.where(depth == 0, styled * np.float32(0.9999999), chapter11_pixels.keep(photo, styled, depth))


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (eroded, "your picture is not right"),
        (ring_outside, "your picture is not right"),
        (smoothstep, "your picture is not right"),
        (overwritten, "changes its input styled in place"),
        (half_precision, "your picture is not right"),
        (other_lerp, "only up to rounding"),
        (ground_touched, "only up to rounding"),
        (lambda photo, styled, depth: chapter11_pixels.keep(photo, styled, depth)[..., 0], "has shape [12, 15]"),
        (lambda photo, styled, depth: photo * (depth >= 3) + styled * (depth < 3), "your picture is not right"),
        (lambda photo, styled, depth: None, "returned None"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_wrong_blend(function, words):
    result = course.exercise("keep-core").check(function)
    assert not result
    assert words in result.message


# ---- visible-mean ----------------------------------------------------------------------------------------------


def in_loops(rgb, alpha, k):
    height, width = rgb.shape[0] // k, rgb.shape[1] // k
    colors, small = np.zeros((height, width, 3)), np.zeros((height, width, 1))
    for y, x in np.ndindex(height, width):
        a = alpha[y * k : y * k + k, x * k : x * k + k]
        c = rgb[y * k : y * k + k, x * k : x * k + k]
        small[y, x] = a.mean()
        colors[y, x] = (a * c).sum((0, 1)) / a.sum() if a.sum() else 1.0
    return colors, small


@pytest.mark.parametrize("function", [chapter11_pixels.shrink, in_loops])
def test_right_shrinking(function):
    assert course.exercise("visible-mean").check(function)


def test_the_package_resamples_by_the_same_rule():
    """On blocks of one color and alpha each there is one right answer, whatever the filter: no halo for either."""
    rgb, alpha = np.zeros((32, 32, 3), "float32"), np.zeros((32, 32, 1), "float32")
    rgb[:, :16], rgb[:, 16:], alpha[:, :16] = (0.8, 0.2, 0.1), (0.0, 1.0, 0.0), 1
    small, _ = images.resize_visible(rgb, alpha, 8)
    ours, clear = chapter11_pixels.shrink(rgb, alpha, 4)
    seen = clear[..., 0] > 0.5
    np.testing.assert_allclose(small[seen], ours[seen], atol=0.015)
    assert np.abs(images.resize(rgb, 8)[seen] - ours[seen]).max() > 0.05, "without alpha the green runs in"


def over_black(rgb, alpha, k):
    return chapter11_pixels.shrink(rgb * alpha, np.ones_like(alpha), k)[0], chapter11_pixels.shrink(rgb, alpha, k)[1]


def hidden_in_white(rgb, alpha, k):
    return chapter11_pixels.shrink(np.where(alpha == 0, 1.0, rgb), alpha + 1e-2, k)[0], in_loops(rgb, alpha, k)[1]


def brightest(rgb, alpha, k):
    blocks = alpha.reshape(alpha.shape[0] // k, k, alpha.shape[1] // k, k, 1)
    return in_loops(rgb, alpha, k)[0], blocks.max((1, 3))


def rows_only(rgb, alpha, k):
    weight = alpha.reshape(alpha.shape[0] // k, k, -1, 1).mean(1)
    return (alpha * rgb).reshape(rgb.shape[0] // k, k, -1, 3).mean(1) / weight, weight


def nan_when_clear(rgb, alpha, k):
    colors, small = in_loops(rgb, alpha, k)
    return np.where(small == 0, np.nan, colors), small


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (over_black, "the edge is too dark"),
        (hidden_in_white, "rgb is not right"),
        (brightest, "alpha is not right"),
        (rows_only, "alpha has shape"),
        (nan_when_clear, "not finite"),
        (lambda rgb, alpha, k: in_loops(rgb, alpha, k)[0], "a pair of rgb and alpha"),
        (lambda rgb, alpha, k: in_loops(rgb, alpha, k)[::-1], "alpha has shape"),
        (lambda rgb, alpha, k: (rgb, alpha), "alpha has shape"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_wrong_shrinking(function, words):
    assert words in message("visible-mean", function)


# ---- cut-cost --------------------------------------------------------------------------------------------------


def pair_by_pair(rgb, labels, gamma):
    height, width = labels.shape
    pairs = [((y, x), (y + 1, x)) for y in range(height - 1) for x in range(width)]
    pairs += [((y, x), (y, x + 1)) for y in range(height) for x in range(width - 1)]
    far = [float(((rgb[a] - rgb[b]) ** 2).sum()) for a, b in pairs]
    twice = 2 * sum(far) / len(far) or 1.0
    return gamma * sum(np.exp(-d / twice) for d, (a, b) in zip(far, pairs, strict=True) if labels[a] != labels[b])


def by_means_of_channels(rgb, labels, gamma):
    """The factor 3 is in beta, too."""
    return chapter11_cuts.cut_cost(rgb / np.sqrt(3), labels, gamma)


@pytest.mark.parametrize("function", [chapter11_cuts.cut_cost, pair_by_pair, by_means_of_channels])
def test_right_cost(function):
    assert course.exercise("cut-cost").check(function)


def test_the_cheapest_cut_of_a_square_is_its_outline():
    """What the term is for: of all squares the one that lies on the photo's edge costs least."""
    rgb = np.random.default_rng(0).normal(0.2, 0.01, (20, 20, 3))
    rgb[6:14, 6:14] += 0.5
    costs = {}
    for inset in range(2, 9):
        labels = np.zeros((20, 20), bool)
        labels[inset : 20 - inset, inset : 20 - inset] = True
        costs[inset] = chapter11_cuts.cut_cost(rgb, labels, 50.0)
    assert min(costs, key=costs.get) == 6


def diagonal_too(rgb, labels, gamma):
    far = ((rgb[1:, 1:] - rgb[:-1, :-1]) ** 2).sum(-1)
    cut = labels[1:, 1:] != labels[:-1, :-1]
    return chapter11_cuts.cut_cost(rgb, labels, gamma) + gamma * (cut * np.exp(-far / (2 * far.mean()))).sum()


def of_gray(rgb, labels, gamma):
    return chapter11_cuts.cut_cost(np.repeat(rgb.mean(-1, keepdims=True), 3, -1), labels, gamma)


def signed(rgb, labels, gamma):
    """A difference of labels in place of their being different."""
    step = labels[:, 1:].astype(int) - labels[:, :-1]
    down = labels[1:].astype(int) - labels[:-1]
    return gamma * float(step.sum() + down.sum())


def rolled(rgb, labels, gamma):
    """Neighbors across the border, as np.roll has them."""
    far = [((rgb - np.roll(rgb, 1, axis)) ** 2).sum(-1) for axis in (0, 1)]
    cut = [labels != np.roll(labels, 1, axis) for axis in (0, 1)]
    beta = 1 / max(2 * np.mean(far), 1e-12)
    return gamma * (np.array(cut) * np.exp(-beta * np.array(far))).sum()


def nan_when_flat(rgb, labels, gamma):
    return chapter11_cuts.cut_cost(rgb, labels, gamma) if np.ptp(rgb) else np.nan


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (diagonal_too, "the cost is not right"),
        (of_gray, "the cost is not right"),
        (signed, "the cost is not right"),
        (rolled, "the cost is not right"),
        (nan_when_flat, "not finite"),
        (lambda rgb, labels, gamma: 0.0, "the cost is not right"),
        (lambda rgb, labels, gamma: np.exp(-(rgb**2).sum(-1)), "the cost has shape [9, 11]"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_wrong_cost(function, words):
    assert words in message("cut-cost", function)


# ---- on-brand --------------------------------------------------------------------------------------------------

SLOT = rules.Slot(
    "house", "a test's house", "here", "2026-01-01",
    {"palette": {"colors": ["#f4efe6"], "distance": 10, "share": 0.9}, "shortest_side": {"least": 60}},
)  # fmt: skip
CREAM = np.array([0xF4, 0xEF, 0xE6], "float32") / 255


def _small_product():
    rgb = np.full((64, 64, 3), 0.9, "float32")
    rgb[20:50, 16:48] = np.random.default_rng(0).random((30, 32, 3), "float32") * 0.5
    mask = np.zeros((64, 64, 1), "float32")
    mask[20:50, 16:48] = 1
    return products.Product(rgb, mask, None)


PRODUCT = _small_product()
BLUE = np.full((16, 16, 3), (0.1, 0.2, 0.8), "float32")


@pytest.fixture
def ex(monkeypatch):
    """The style distance is that of mean colors here: rules, pixels and sentences are what is tested."""

    def distance(image, style, size):
        return float(np.abs(image.mean((0, 1)) - style.mean((0, 1))).max())

    monkeypatch.setattr(metrics, "style_distance", distance)
    return course.exercise("on-brand", product=PRODUCT, style=BLUE, slot=SLOT, style_bound=0.68)


def on(ground, inside=PRODUCT.rgb):
    return np.where(PRODUCT.mask == 1, inside, np.broadcast_to(np.float32(ground), (64, 64, 3)))


GRAYER = CREAM - np.float32([0.05, 0.03, 0.0])


@pytest.mark.parametrize("form", [lambda p: p, lambda p: lambda: p, lambda p: p[None], lambda p: p.astype("float64")])
def test_right_picture(ex, form):
    assert ex.check(form(on(GRAYER)))


@pytest.mark.parametrize(
    ("picture", "words"),
    [
        (on(np.float32([1, 1, 1])), "The house is content and the painting is gone."),
        (on(CREAM + 0.02), "The house is content and the painting is gone."),
        (on(BLUE[0, 0]), "The painting is there and the house is not."),
        (on([1.0, 0.2, 0.1]), "Neither is there yet"),
        (on(GRAYER, PRODUCT.rgb + np.float32(2 / 255)), "differs from the photo's by up to 2 of 255 levels"),
        (on(GRAYER, np.float32(0.3)), "the product's core differs"),
        (np.full((64, 64, 3), 0.9, "float32"), "the product's core differs"),
        (on(GRAYER)[:-1], "your picture has shape [63, 64, 3]"),
        (images.to_uint8(on(GRAYER)), "divide it by 255"),
        (on(GRAYER) * np.nan, "not finite"),
        (on(np.float32([1.4, 1, 1])), "your picture runs from"),
        (None, "nothing to check but None"),
    ],
)
def test_wrong_picture(ex, picture, words):
    said = ex.check(picture)
    assert not said
    assert words in str(said)


def test_the_ring_at_the_edge_is_free(ex):
    """Only the core is the shop's to check: the soft edge belongs to the blend."""
    weight = np.clip(ndimage.distance_transform_cdt(PRODUCT.mask[..., 0], "chessboard") / 3, 0, 1)[..., None]
    blend = weight * PRODUCT.rgb + (1 - weight) * GRAYER
    assert ex.check(blend.astype("float32"))


def test_the_rules_are_said_in_their_own_words(ex):
    said = str(ex.check(on(BLUE[0, 0])))
    assert "of the ground has the palette's colors; at least 90 % is asked for." in said
    assert "(at most 0.680)" in said


@pytest.mark.parametrize("bound", [0, -1.0, float("inf"), float("nan")])
def test_a_bound_that_is_none_is_the_chapters_fault(bound):
    ex = course.exercise("on-brand", product=PRODUCT, style=BLUE, slot=SLOT, style_bound=bound)
    with pytest.raises(SettingsError, match="give a positive number"):
        ex.check(PRODUCT.rgb)


@pytest.mark.weights
def test_the_bounds_of_the_chapter_can_be_met_and_missed():
    """On a product and a painting of the chapter, with its house and its bound."""
    from stylelab import stylizers

    picture = images.open_picture(samples.path("cactus_pot"))
    mask = samples.mask("cactus_pot")
    product, painting = products.prepare(picture, mask, "backdrop", 800), samples.load("hokusai_great_wave")
    slot = next(slot for slot in rules.slots() if slot.name == "house_brand")
    colors = [[int(c[i : i + 2], 16) / 255 for i in (1, 3, 5)] for c in slot.checks["palette"]["colors"]]
    cream = np.where(product.mask > 0, product.rgb, np.float32(colors[1]))
    bound = 0.8 * metrics.style_distance(cream, painting, 256)
    ex = course.exercise("on-brand", product=product, style=painting, slot=slot, style_bound=bound)
    assert "the painting is gone" in ex.check(cream).message
    scene = products.render(product, "backdrop", stylizers.get("fast"), "hokusai_great_wave")
    assert "the house is not" in ex.check(scene).message
    assert ex.check(chapter11_open.on_brand(product, painting, colors))
