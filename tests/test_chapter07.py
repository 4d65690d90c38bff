"""Exercises of chapter 07: every right answer, however it is written, and the wrong ones that students write.

The known mistakes of an exercise are edits of its answer; tests/test_course.py sees that each is told apart. Here are
wrong functions written by hand, with the sentence that each must bring forth.
"""

import math

import numpy as np
import pytest

from stylelab import course, datasets, images, metrics
from stylelab.backend import keras
from stylelab.errors import SettingsError
from stylelab.exercises import chapter07_game as game
from stylelab.exercises import chapter07_open as open_end
from stylelab.gans import DCGAN, adam
from stylelab.losses.adversarial import cross_entropy_discriminator
from tests.answers import message

# ---- optimal-judge ---------------------------------------------------------------------------------------------


def in_a_loop(p, q):
    d, value = [], 0.0
    for a, b in zip(p.tolist(), q.tolist(), strict=True):
        y = a / (a + b) if a + b else 0.5
        d.append(y)
        value += (a * math.log(y) if a else 0) + (b * math.log(1 - y) if b else 0)
    return [d, value]


def with_a_small_number(p, q):
    d = (p + 1e-12) / (p + q + 2e-12)
    return d, float((p * np.log(d) + q * np.log(1 - d + 1e-12)).sum())


def by_the_divergence(p, q):
    m = (p + q) / 2
    safe = np.where(m > 0, m, 1)
    with np.errstate(all="ignore"):
        terms = np.where(p > 0, p * np.log(p / safe), 0) + np.where(q > 0, q * np.log(q / safe), 0)
    return p / (2 * safe), terms.sum() - 2 * np.log(2)


@pytest.mark.parametrize("function", [game.best_judge, in_a_loop, with_a_small_number, by_the_divergence])
def test_right_judge(function):
    assert course.exercise("optimal-judge").check(function)


def without_care(p, q):
    d = p / (p + q)
    return d, np.sum(p * np.log(d) + q * np.log(1 - d))


def logits(p, q):
    return np.log(p / q), game.best_judge(p, q)[1]


def drops_what_has_a_zero(p, q):
    d, _ = game.best_judge(p, q)
    both = (p > 0) & (q > 0)
    return d, np.sum(p[both] * np.log(d[both]) + q[both] * np.log(1 - d[both])) + 0.1 * (~both).any()


def zero_where_one_is_missing(p, q):
    d = np.where((p > 0) & (q > 0), p / np.maximum(p + q, 1e-12), 0)
    return d, game.best_judge(p, q)[1]


def in_place(p, q):
    p += 1e-9
    return game.best_judge(p, q)


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (without_care, "values that are not finite"),
        (logits, "your D is log(p / q), the best logit"),
        (drops_what_has_a_zero, "where p or q is zero your V is"),
        (zero_where_one_is_missing, "your D is [0.0, 0.667, 0.0, 0.0]; wanted: p / (p + q)."),
        (in_place, "changes its input p in place"),
        (lambda p, q: p / (p + q), "wanted are two things, D and V"),
        (lambda p, q: (0.5, -2 * np.log(2)), "your D has shape []; wanted is [7]."),
        (lambda p, q: (game.best_judge(p, q)[0], p), "your V has shape [7]; wanted is []."),
        (lambda p, q: (np.full(p.shape, 0.5), -2 * np.log(2)), "your D is not right"),
    ],
)
def test_wrong_judge(function, words):
    assert words in message("optimal-judge", function)


def test_what_the_exercise_teaches_is_the_packages_loss():
    """The value with the best judge is minus the least loss that the package's discriminator can have."""
    counts = np.array([[5, 3, 2], [1, 3, 6]])
    p, q = counts / 10
    d, value = game.best_judge(p, q)
    of_points = np.log(d / (1 - d))
    least = cross_entropy_discriminator(np.repeat(of_points, counts[0]), np.repeat(of_points, counts[1]))
    np.testing.assert_allclose(value, -float(least), rtol=1e-6)


# ---- unbiased-kid ----------------------------------------------------------------------------------------------

FEATURES = np.random.default_rng(5).gamma(1.0, 1.0, (2, 12, 6))


def term_by_term(x, y):
    def k(a, b):
        return (sum(a * b) / len(a) + 1) ** 3

    def pairs(z):
        return np.mean([k(z[i], z[j]) for i in range(len(z)) for j in range(len(z)) if i != j])

    return pairs(x) + pairs(y) - 2 * np.mean([k(a, b) for a in x for b in y])


def with_a_mask(x, y):
    d = x.shape[1]

    def off_diagonal(z):
        return ((z @ z.T / d + 1) ** 3)[~np.eye(len(z), dtype=bool)].mean()

    return np.float32(off_diagonal(x) + off_diagonal(y) - 2 * ((x @ y.T / d + 1) ** 3).mean())


def the_packages(x, y):
    return metrics.kid(x, y, subsets=2).value


@pytest.mark.parametrize("function", [game.squared_mmd, term_by_term, with_a_mask, the_packages])
def test_right_distance(function):
    assert course.exercise("unbiased-kid").check(function)


def gaussian_kernel(x, y):
    def among(a, b):
        return np.exp(-((a[:, None] - b[None]) ** 2).sum(-1) / 2)

    def pairs(z):
        k = among(z, z)
        return (k.sum() - np.trace(k)) / (len(z) * (len(z) - 1))

    return pairs(x) + pairs(y) - 2 * among(x, y).mean()


def means_only(x, y):
    return ((x.mean(0) - y.mean(0)) ** 2).sum()


def an_estimate(x, y):
    return metrics.kid(x, y, subsets=2)


def equal_sizes(x, y):
    k = (x @ y.T / x.shape[1] + 1) ** 3
    n = len(x)
    return game.squared_mmd(x, y) + 2 * k.mean() - 2 * k[np.arange(n), np.arange(n)].mean()


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (gaussian_kernel, "your distance is not right: its median size is"),
        (means_only, "your distance is not right: its median size is"),
        (an_estimate, "your distance has shape [3]; wanted is []."),
        (equal_sizes, "raises IndexError"),
        (lambda x, y: max(game.squared_mmd(x, y), 0), "you cut it off at 0"),
        (lambda x, y: 0.0, "your distance is not right: its median size is 0.00"),
        (lambda x: 0.0, "cannot be called with 2 arguments"),
    ],
)
def test_wrong_distance(function, words):
    assert words in message("unbiased-kid", function)


def test_without_bias_the_mean_over_one_source_is_zero():
    """What the exercise teaches: with the diagonal, sets from one source seem far apart, the farther the smaller."""
    rng = np.random.default_rng(0)
    draws = [rng.gamma(2.0, 0.5, (2, 6, 4)) for _ in range(1500)]
    unbiased = np.array([game.squared_mmd(*pair) for pair in draws])
    assert abs(unbiased.mean()) < 3 * unbiased.std() / np.sqrt(len(draws))
    x, y = FEATURES
    np.testing.assert_allclose(game.squared_mmd(x, y), metrics.kid(x, y, subsets=2).value)


# ---- cure-collapse ---------------------------------------------------------------------------------------------

REAL = np.random.default_rng(0).random((40, 12, 12, 3), "float32")


@pytest.fixture
def plain(monkeypatch):
    """Features that are mean colors, so that a test can say what a generator does."""
    monkeypatch.setattr(metrics, "vgg_features", lambda pictures: 100 * np.mean(pictures, (1, 2)))


def player(steps=3, **settings):
    """A small game that says it has made so many steps."""
    keras.utils.set_random_seed(0)
    model = DCGAN(**{"size": 12, "width": 4, "latent": 8, **settings})
    model.step.assign(steps)
    return model


def painting(make, **settings):
    model = player(**settings)
    model.sample = lambda count, seed=0: make(count)
    return model


def varied(count):
    return np.random.default_rng(1).random((count, 12, 12, 3), "float32")


def budget(**given):
    return {"real": REAL, "limit": 10, "bound": 100.0, **given}


def test_right_model(plain):
    assert course.exercise("cure-collapse", **budget()).check(painting(varied))
    assert course.exercise("cure-collapse", **budget()).check(lambda: painting(varied))


def one_picture(count):
    return np.tile(varied(1), (count, 1, 1, 1))


def two_pictures(count):
    """All differ a little, and there are two kinds of them where the real ones are spread."""
    made = np.tile(varied(2), (count // 2, 1, 1, 1))
    return np.clip(made + np.random.default_rng(2).normal(0, 1e-3, made.shape), 0, 1).astype("float32")


@pytest.mark.parametrize(
    ("make", "given", "words"),
    [
        (lambda: painting(varied, steps=0), {}, "nothing was trained"),
        (lambda: painting(varied, steps=11), {}, "your model made 11 steps; the budget is 10."),
        (lambda: painting(varied), {"parameters": 100}, "parameters; the budget is 100: take width=16."),
        (lambda: painting(varied, size=16), {}, "your pictures have 16 px; wanted are 12 px."),
        (lambda: painting(one_picture), {}, "It makes much the same picture again and again."),
        (lambda: painting(two_pictures), {}, "It makes much the same picture again and again."),
        (lambda: painting(varied), {"bound": -1e9}, "No collapse, and still far from garments."),
        (lambda: varied(3), {}, "this is of type ndarray; give your trained DCGAN."),
        (lambda: painting(varied).generator, {}, "give your trained DCGAN."),
    ],
    ids=["untrained", "steps", "size", "pixels", "one", "two", "far", "pictures", "generator"],
)
def test_wrong_model(plain, make, given, words):
    assert words in message("cure-collapse", make, **budget(**given))


def test_kinds_that_are_missing(plain, monkeypatch):
    monkeypatch.setattr(metrics, "collapse", lambda *_: metrics.Collapse(0.9, 0.0, 0.7, True))
    said = message("cure-collapse", painting(varied), **budget())
    assert "missing 70% after 3 steps. The pictures differ, but most kinds of garments are missing." in said


def test_no_model_yet():
    assert course.exercise("cure-collapse", **budget()).check(lambda: None).status == "not attempted"


@pytest.mark.parametrize("given", [{"real": REAL[:1]}, {"limit": 0}])
def test_what_the_chapter_must_give(given):
    with pytest.raises(SettingsError, match="at least 2 real pictures"):
        course.exercise("cure-collapse", **budget(**given)).check(lambda: None)


def test_the_solution_is_a_game_that_trains():
    """Within its parameters, at 16 px; how good it is the next test measures."""
    model = open_end.cured(lambda model: model)
    assert model.size == 16
    assert model.generator.count_params() <= 220_000
    assert float(model.generator_optimizer.learning_rate) == float(model.discriminator_optimizer.learning_rate)


@pytest.mark.weights
def test_a_judge_that_stands_still_brings_collapse_and_one_that_keeps_up_does_not():
    """The chapter's own claim, with VGG16's features: 60 steps suffice to see it."""
    garments, real = (
        images.resize(datasets.garments(split, count=count).pictures, (16, 16)).clip(0, 1)
        for split, count in (("train", 1000), ("test", 150))
    )

    def train(model):
        batches = datasets.array_batches(garments, 32)
        model.fit(batches, steps_per_epoch=60, epochs=1, shuffle=False, verbose=0)
        return model

    still = DCGAN(16, width=16, average=0.9)
    still.compile(adam(2e-3), adam(2e-5))
    given = {"real": real, "limit": 60, "bound": 1000.0}
    said = message("cure-collapse", train(still), **given)
    assert "after 60 steps" in said
    distance = metrics.kid(real, open_end.cured(train).sample(150, seed=7), subsets=2).value
    assert distance < metrics.kid(real, still.sample(150, seed=7), subsets=2).value
