"""Exercises of chapter 02: every right answer, however it is written, and the wrong ones that students write.

The known mistakes of an exercise are edits of its answer; tests/test_course.py sees that each is told apart. Here are
wrong functions written by hand, with the exact sentence that each must bring forth.
"""

import numpy as np
import pytest

from stylelab import course, images, metrics, samples
from stylelab.errors import ImageError, SettingsError
from stylelab.exercises import chapter02

RNG = np.random.default_rng(0)

# ---- gram-normalization ----------------------------------------------------------------------------------------

# Smooth, so that the small map is what a small picture gives: every other position of the large one.
LARGE = RNG.normal(0.5, 1, (6, 8, 4)).repeat(2, axis=0).repeat(2, axis=1)
SMALL = LARGE[::2, ::2]


def sums(f):
    rows = f.reshape(-1, f.shape[-1])
    return rows.T @ rows


def with_einsum(f):
    return np.einsum("hwa,hwb->ab", f, f) / f.shape[0] / f.shape[1]


def with_float32(f):
    return with_einsum(f.astype("float32"))


def with_keras(f):
    from stylelab.losses import gram_matrix

    return gram_matrix(f[None])[0]


def sum_of_outer_products(f):
    rows = f.reshape(-1, f.shape[-1])
    return sum(np.outer(row, row) for row in rows) / len(rows)


@pytest.mark.parametrize("function", [chapter02.gram, with_einsum, with_float32, with_keras, sum_of_outer_products])
@pytest.mark.parametrize("given", [{}, {"small": SMALL, "large": LARGE}])
def test_right_gram(function, given):
    assert course.exercise("gram-normalization", **given).check(function)


def by_the_height(f):
    return sums(f) / f.shape[0]


def by_the_width(f):
    return sums(f) / f.shape[1]


def by_the_sum_of_sides(f):
    return sums(f) / (f.shape[0] + f.shape[1])


def by_the_channels(f):
    return sums(f) / f.shape[-1]


def by_the_root(f):
    return sums(f) / np.sqrt(f.shape[0] * f.shape[1])


def twice(f):
    return sums(f) / (f.shape[0] * f.shape[1]) ** 2


def gatys(f):
    """The division of the paper's loss: channels and positions, both squared."""
    return sums(f) / (4 * f.size**2)


def unit_norm(f):
    """Another way to be the same at every size, and not a mean."""
    return sums(f) / np.linalg.norm(sums(f))


def by_positions_and_channels(f):
    return sums(f) / f.size


def positions_by_positions(f):
    rows = f.reshape(-1, f.shape[-1])
    return rows @ rows.T / len(rows)


def one_row_of_the_map_at_a_time(f):
    return np.swapaxes(f, 1, 2) @ f / f.shape[1]


def over_rows_only(f):
    return np.einsum("hwa,hwb->wab", f, f) / f.shape[0]


def reshaped_to_channels_first(f):
    rows = f.reshape(f.shape[-1], -1)
    return rows @ rows.T / rows.shape[1]


def neighbors(f):
    """A correlation with the next position: it is no longer free of places."""
    rows = f.reshape(-1, f.shape[-1])
    return rows[1:].T @ rows[:-1] / (len(rows) - 1)


def mean_column_of_the_map(f):
    return sums(f.mean(axis=0)[None]) / f.shape[1]


def covariance(f):
    return np.cov(f.reshape(-1, f.shape[-1]).T, bias=True)


def correlation(f):
    return np.corrcoef(f.reshape(-1, f.shape[-1]).T)


def outer_product_of_the_means(f):
    mean = f.mean(axis=(0, 1))
    return np.outer(mean, mean)


def diagonal(f):
    return np.diag(np.mean(f**2, axis=(0, 1)))


def vector(f):
    return np.mean(f**2, axis=(0, 1))


def with_batch_axis(f):
    return with_keras(f)[None]


def in_a_loop_that_skips_the_last(f):
    rows = f.reshape(-1, f.shape[-1])
    return sum(np.outer(row, row) for row in rows[:-1]) / len(rows)


def adds_in_place(f):
    f -= f.mean()
    return chapter02.gram(f)


AT = "at 12 by 16 positions your matrix is {} times the one at 6 by 8."
ORDER = "shuffling the positions changes your matrix: it still knows where things were."
GRAM_WRONG = [
    (sums, AT.format("4.00") + " How many positions were summed?"),
    (by_the_height, AT.format("2.00") + " How many positions were summed?"),
    (by_the_width, AT.format("2.00") + " How many positions were summed?"),
    (by_the_sum_of_sides, AT.format("2.00") + " How many positions were summed?"),
    (by_the_channels, AT.format("4.00") + " How many positions were summed?"),
    (by_the_root, AT.format("2.00") + " How many positions were summed?"),
    (twice, AT.format("0.25") + " How often did you divide by the number of positions?"),
    (gatys, AT.format("0.25") + " How often did you divide by the number of positions?"),
    (
        lambda f: np.zeros((f.shape[-1],) * 2),
        AT.format("nan") + " How often did you divide by the number of positions?",
    ),
    (unit_norm, "your matrix is not right: its median size is {} times what it should be."),
    (by_positions_and_channels, "you divide by the channels too; the mean is over positions only."),
    (
        positions_by_positions,
        "your matrix is 12 by 12, one row a position; wanted is one row a channel. Which axis is summed over?",
    ),
    (
        one_row_of_the_map_at_a_time,
        "your result has shape [3, 2, 2]; rows and columns are both positions: sum over both.",
    ),
    (over_rows_only, "your result has shape [4, 2, 2]; rows and columns are both positions: sum over both."),
    (
        reshaped_to_channels_first,
        "a reshape to [C, P] deals the numbers out anew and mixes channels; reshape to [P, C], then transpose.",
    ),
    (neighbors, ORDER),
    (mean_column_of_the_map, ORDER),
    (
        covariance,
        "you subtract the means: that is the covariance. G keeps them.",
    ),
    (correlation, "your matrix is not right: its median size is {} times what it should be."),
    (outer_product_of_the_means, "your matrix is not right: its median size is {} times what it should be."),
    (diagonal, "your matrix is not right: its median size is {} times what it should be."),
    (vector, "your matrix has shape [2]; wanted is [2, 2]."),
    (with_batch_axis, "your matrix has shape [1, 2, 2]; wanted is [2, 2]."),
    (in_a_loop_that_skips_the_last, ORDER),
    (
        adds_in_place,
        "adds_in_place changes its input f in place, and so the caller's f; make a new one: f = f + ..., not f += ...",
    ),
]


def assert_says(said, sentence):
    """The whole sentence; a measured number in it is a ``{}``."""
    assert said.status == "wrong"
    begin, hole, end = sentence.partition("{}")
    assert said.message.startswith(begin)
    assert said.message.endswith(end)
    if hole:
        float(said.message.removeprefix(begin).removesuffix(end))
    else:
        assert said.message == sentence


@pytest.mark.parametrize(("function", "sentence"), GRAM_WRONG, ids=lambda value: getattr(value, "__name__", ""))
def test_wrong_gram(function, sentence):
    assert_says(course.exercise("gram-normalization", small=SMALL, large=LARGE).check(function), sentence)
    assert course.exercise("gram-normalization").check(function).status == "wrong", "without real features too"


@pytest.mark.parametrize(
    ("small", "large"), [(SMALL, SMALL), (LARGE, SMALL), (SMALL[None], LARGE[None]), (SMALL, LARGE[..., :2])]
)
def test_features_that_are_not_two_sizes_are_the_chapters_fault(small, large):
    with pytest.raises(SettingsError, match="at two sizes have the shapes"):
        course.exercise("gram-normalization", small=small, large=large).check(chapter02.gram)


# ---- gram-gradient ---------------------------------------------------------------------------------------------


def by_tape(f, a):
    from stylelab.backend import tf
    from stylelab.losses import gram_loss, gram_matrix

    x = tf.constant(f[None])
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = gram_loss(gram_matrix(x), a[None])
    return tape.gradient(loss, x)[0]


def by_einsum(f, a):
    g = np.einsum("hwa,hwb->ab", f, f) / f.shape[0] / f.shape[1]
    return 4 * np.einsum("hwa,ab->hwb", f, g - a) / (f.shape[0] * f.shape[1] * (a * a).sum())


def by_differences(f, a, step=1e-5):
    """Central differences of the loss itself: what no algebra can get wrong."""
    found = np.zeros(f.shape)
    for index in np.ndindex(f.shape):
        moved = np.zeros(f.shape)
        moved[index] = step
        found[index] = (the_loss(f + moved, a) - the_loss(f - moved, a)) / (2 * step)
    return found


def in_float32(f, a):
    return by_einsum(f.astype("float32"), a.astype("float32"))


@pytest.mark.parametrize("function", [chapter02.gram_gradient, by_tape, by_einsum, by_differences, in_float32])
def test_right_gradient(function):
    assert course.exercise("gram-gradient").check(function)


def of_the_matrix(f, a):
    """The derivative by G, not by f."""
    return 2 * (chapter02.gram(f) - a) / np.sum(a**2)


def rows_only(f, a):
    return by_einsum(f, a).reshape(-1, f.shape[-1])


def flipped(f, a):
    return by_einsum(f, a)[::-1]


def normalized(f, a):
    g = by_einsum(f, a)
    return g / np.linalg.norm(g)


def pulled_to_the_mean(f, a):
    return by_einsum(f - f.mean((0, 1)), a)


def the_loss(f, a):
    return np.sum((chapter02.gram(f) - a) ** 2) / np.sum(a**2)


def forgets_the_shape_of_the_map(f, a):
    return by_einsum(f, a).swapaxes(0, 1)


def one_sided(f, a):
    """Forward differences with a coarse step."""
    found = np.zeros(f.shape)
    for index in np.ndindex(f.shape):
        moved = f.copy()
        moved[index] += 0.1
        found[index] = (the_loss(moved, a) - the_loss(f, a)) / 0.1
    return found


NOT_RIGHT = "your gradient is not right: its median size is {} times what it should be."
GRADIENT_WRONG = [
    (lambda f, a: by_einsum(f, a) / 2, "you have half of it: F stands in G twice, and both of them move."),
    (
        lambda f, a: -by_einsum(f, a),
        "the sign is turned: this points downhill, and a gradient points uphill.",
    ),
    (
        lambda f, a: by_einsum(f, a) * f.shape[0] * f.shape[1],
        "your gradient is 20 times too large: G is a mean, with 1/P for each position.",
    ),
    (
        lambda f, a: by_einsum(f, a) * np.sum(a**2),
        "the size of the target is missing: the loss is relative, divided by |a|².",
    ),
    (
        lambda f, a: by_einsum(f, a) * np.sqrt(np.sum(a**2)),
        "you divide by |a|; the loss divides by its square.",
    ),
    (of_the_matrix, "your gradient has shape [3, 3]; wanted is [4, 5, 3]."),
    (rows_only, "your gradient has shape [20, 3]; wanted is [4, 5, 3]."),
    (forgets_the_shape_of_the_map, "your gradient has shape [5, 4, 3]; wanted is [4, 5, 3]."),
    (the_loss, "your gradient has shape []; wanted is [4, 5, 3]."),
    (flipped, NOT_RIGHT),
    (normalized, NOT_RIGHT),
    (pulled_to_the_mean, NOT_RIGHT),
    (one_sided, NOT_RIGHT),
    (lambda f, a: f, NOT_RIGHT),
    (lambda f, a: np.zeros_like(f), "your gradient is not right: its median size is 0.00 times what it should be."),
    (
        lambda f, a: by_einsum(f, a) / np.zeros(3),
        "your gradient has 60 of 60 values that are not finite (nan or inf).",
    ),
]


@pytest.mark.parametrize(("function", "sentence"), GRADIENT_WRONG, ids=range(len(GRADIENT_WRONG)))
def test_wrong_gradient(function, sentence):
    assert_says(course.exercise("gram-gradient").check(function), sentence)


def test_a_gradient_that_does_not_end_at_the_target():
    """Right on the input that the formula is tried on, and wrong elsewhere: the invariant finds it."""
    _, tried = chapter02._gradient_inputs((4, 5, 3), 3)

    def remembered(f, a):
        return by_einsum(f, a) + (0 if np.allclose(a, tried) else 0.5)

    assert str(course.exercise("gram-gradient").check(remembered)) == (
        "Not yet: where G is the target already, your gradient is 0.5 and not zero."
    )


# ---- adversarial-pair ------------------------------------------------------------------------------------------


def softplus(x):
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def as_a_list(real, fake):
    return [softplus(-real).mean() + softplus(fake).mean(), softplus(-fake).mean()]


def of_the_package(real, fake):
    from stylelab.losses import ADVERSARIAL_LOSSES

    game = ADVERSARIAL_LOSSES["non_saturating"]
    return game.discriminator(real, fake), game.generator(fake)


def of_keras(real, fake):
    from stylelab.backend import keras, ops

    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    real, fake = real[:, None].astype("float32"), fake[:, None].astype("float32")
    one = [loss(ops.ones_like(x), x) for x in (real, fake)]
    return one[0] + loss(ops.zeros_like(fake), fake), one[1]


@pytest.mark.parametrize("function", [chapter02.adversarial, as_a_list, of_the_package, of_keras])
def test_right_pair(function):
    assert course.exercise("adversarial-pair").check(function)


def d_loss(real, fake):
    return softplus(-real).mean() + softplus(fake).mean()


def g_loss(fake):
    return softplus(-fake).mean()


def from_probabilities(real, fake):
    real, fake = 1 / (1 + np.exp(-real)), 1 / (1 + np.exp(-fake))
    return -np.log(real).mean() - np.log(1 - fake).mean(), -np.log(fake).mean()


def clipped_probabilities(real, fake):
    real, fake = (np.clip(1 / (1 + np.exp(-x)), 1e-12, 1 - 1e-12) for x in (real, fake))
    return -np.log(real).mean() - np.log(1 - fake).mean(), -np.log(fake).mean()


def generator_overflows(real, fake):
    return d_loss(real, fake), np.log(1 + np.exp(-fake)).mean()


def takes_logits_for_probabilities(real, fake):
    return -np.log(np.abs(real)).mean() - np.log(np.abs(1 - fake)).mean(), -np.log(np.abs(fake)).mean()


def value_function(real, fake):
    return -d_loss(real, fake), g_loss(fake)


def each_logit(real, fake):
    return softplus(-real) + softplus(fake[:1]), softplus(-fake)


def least_squares(real, fake):
    return ((real - 1) ** 2).mean() / 2 + (fake**2).mean() / 2, ((fake - 1) ** 2).mean() / 2


def smoothed_labels(real, fake):
    return 0.9 * softplus(-real).mean() + 0.1 * softplus(real).mean() + softplus(fake).mean(), g_loss(fake)


D_WRONG = "D's loss is not right: its median size is {} times what it should be."
PAIR_WRONG = [
    (
        lambda r, f: (d_loss(f, r), g_loss(f)),
        "D's loss has real and fake exchanged: D learns the opposite.",
    ),
    (
        lambda r, f: (softplus(-f).mean() - softplus(r).mean(), g_loss(f)),
        "D's loss is the article's (its section 4.2): exchanged, with a wrong sign, it has no minimum.",
    ),
    (
        value_function,
        "D's loss has the sign of the value function, which D maximizes; here it is minimized.",
    ),
    (
        lambda r, f: (d_loss(r, f), -softplus(f).mean()),
        "G's loss is the saturating one: where D is sure, its slope is zero.",
    ),
    (
        lambda r, f: (d_loss(r, f), -g_loss(f)),
        "G's loss has the wrong sign: minimized, it would lower its logits.",
    ),
    (
        lambda r, f: (d_loss(r, f), softplus(f).mean()),
        "G's loss falls with its logits: this generator wants to be found out.",
    ),
    (lambda r, f: (g_loss(f), d_loss(r, f)), "the two losses are in the other order."),
    (lambda r, f: (d_loss(r, f) / 2, g_loss(f)), "D's loss is half of it; add the two means."),
    (
        lambda r, f: (np.concatenate([softplus(-r), softplus(f)]).mean(), g_loss(f)),
        "D's loss is one mean over both batches; take a mean of each, so that neither outweighs the other.",
    ),
    (
        lambda r, f: (softplus(-r).sum() + softplus(f).sum(), softplus(-f).sum()),
        "D's loss is a sum and grows with the batch; take means.",
    ),
    (
        lambda r, f: (d_loss(r, f), softplus(-f).sum()),
        "G's loss is a sum and grows with the batch; take the mean.",
    ),
    (
        lambda r, f: (d_loss(r, f), g_loss(f) + softplus(r).mean()),
        "G's loss has a term in real, which no generator can change.",
    ),
    (
        from_probabilities,
        "at logits of ±1000 D's loss is inf and should be 1000: sigmoid is 0 or 1 there, so use softplus.",
    ),
    (
        generator_overflows,
        "at logits of ±1000 G's loss is inf and should be 500: sigmoid is 0 or 1 there, so use softplus.",
    ),
    (
        clipped_probabilities,
        "at logits of ±1000 D's loss is 27.63 and should be 1000: a bound cuts it.",
    ),
    (takes_logits_for_probabilities, D_WRONG),
    (least_squares, D_WRONG),
    (smoothed_labels, D_WRONG),
    (each_logit, "D's loss has shape [7]; wanted is []."),
    (
        lambda r, f: d_loss(r, f) + g_loss(f),
        "you returned one float64; return two: D's loss, G's loss.",
    ),
    (
        lambda r, f: (d_loss(r, f), g_loss(f), 0.0),
        "you returned 3 values; return two: D's loss, G's loss.",
    ),
    (
        lambda r, f: (np.log(-np.abs(r)).mean(), g_loss(f)),
        "D's loss has 1 of 1 values that are not finite (nan or inf).",
    ),
]


@pytest.mark.parametrize(("function", "sentence"), PAIR_WRONG, ids=range(len(PAIR_WRONG)))
def test_wrong_pair(function, sentence):
    assert_says(course.exercise("adversarial-pair").check(function), sentence)


# ---- pot-stays-red ---------------------------------------------------------------------------------------------

PHOTO = np.full((40, 40, 3), 0.8, "float32")
POT = np.zeros((40, 40, 1), "float32")
POT[20:36, 10:30] = 1
PHOTO = np.where(POT > 0, np.float32([0.7, 0.3, 0.1]), PHOTO)
WAVE = np.tile(np.float32([[0.1, 0.2, 0.5], [0.9, 0.8, 0.7]]), (40, 20, 1)).reshape(40, 40, 3)


@pytest.fixture
def red(monkeypatch):
    """The exercise with distances of pixels instead of features: bounds and sentences are what is tested here."""
    monkeypatch.setattr(metrics, "style_distance", lambda image, style, size: float(np.abs(image - style).mean()))
    monkeypatch.setattr(metrics, "content_distance", lambda image, content, size: float(np.abs(image - content).mean()))
    return course.exercise("pot-stays-red", content=PHOTO, style=WAVE, pot=POT, bounds=(0.14, 0.23, 17.5))


def styled(share, pot_share):
    where = POT * pot_share + (1 - POT) * share
    return (where * WAVE + (1 - where) * PHOTO).astype("float32")


@pytest.mark.parametrize("form", [lambda p: p, lambda p: lambda: p, lambda p: p[None], lambda p: p.astype("float64")])
def test_a_red_pot_before_the_wave_passes(red, form):
    assert red.check(form(styled(0.8, 0.1)))


@pytest.mark.parametrize(
    ("result", "verdict"),
    [
        (PHOTO, "The pot is red and the style is missing. Which weight can rise and leave the pot alone?"),
        (
            styled(0.7, 0.7),
            "The style is there and the pot has lost its color. Which of the three losses sees a mean color?",
        ),
        (
            styled(0.1, 0.8),
            "Neither is there yet; begin with the weights of section 2.10 and change one at a time.",
        ),
        (WAVE, "This is hardly the photo any more: which of the three weights holds it together?"),
        (
            POT * PHOTO + (1 - POT) * WAVE,
            "This is hardly the photo any more: which of the three weights holds it together?",
        ),
    ],
    ids=["the photo", "style everywhere", "style in the pot alone", "the painting", "the pot on another wave"],
)
def test_a_picture_that_misses_a_bound(red, result, verdict):
    said = red.check(lambda: result.astype("float32"))
    assert said.status == "wrong"
    style, content = np.abs(result - WAVE).mean(), np.abs(result - PHOTO).mean()
    color = metrics.color_difference(result.astype("float32"), PHOTO, POT)
    assert said.message == (
        f"style distance {style:.3f} (at most 0.140), content distance {content:.2f} (at most 0.23), "
        f"color difference in the pot {color:.1f} (at most 17.5). {verdict}"
    )


@pytest.mark.parametrize(
    ("result", "sentence"),
    [
        (PHOTO[:-1], "your picture has shape [39, 40, 3]; wanted is [40, 40, 3]."),
        (images.to_uint8(PHOTO), "your picture holds whole numbers (uint8); divide it by 255."),
        (PHOTO - 1, "your picture runs from -0.90 to -0.20; wanted is 0..1."),
        (PHOTO * np.nan, "your picture has 4800 of 4800 values that are not finite (nan or inf)."),
        ("out/result.png", "your picture is of type ndarray, not an array of numbers."),
    ],
)
def test_what_is_no_picture(red, result, sentence):
    assert str(red.check(lambda: result)) == f"Not yet: {sentence}"


@pytest.mark.parametrize("pot", [POT[..., 0], POT[:-1], POT * 0.4])
def test_a_pot_that_does_not_fit_is_the_chapters_fault(red, pot):
    red.given = {**red.given, "pot": pot}
    with pytest.raises(ImageError, match="mask"):
        red.check(PHOTO)


@pytest.mark.slow
def test_the_bounds_of_the_open_exercise_can_be_met_and_missed():
    """On the chapter's own pair, real metrics: the photo, the painting and the default fail, a mask passes."""
    from scipy import ndimage

    from stylelab.optimize import Optimize

    photo, painting = (images.resize(samples.load(name), 160) for name in ("cactus_pot", "hokusai_great_wave"))
    pot = ndimage.binary_opening(photo[..., 0] - photo[..., 2] > 0.35)[..., None].astype("float32")
    ex = course.exercise("pot-stays-red", content=photo, style=painting, pot=pot)
    assert "the style is missing" in ex.check(photo).message
    assert "the pot has lost its color" in ex.check(Optimize(steps=80).stylize(photo[None], painting)[0]).message
    assert "hardly the photo" in ex.check(images.resize(painting, (160, 160))).message
    assert ex.check(chapter02.kept_red(photo, painting, pot))
