"""Exercises of chapter 08: every right answer, however it is written, and the wrong ones that students write.

The known mistakes of an exercise are edits of its answer; tests/test_course.py sees that each is told apart. Here are
wrong functions written by hand, with the sentence that each must bring forth. The open exercise is tested on networks
whose distances are set by hand, and once, marked ``weights``, on those that ship.
"""

import numpy as np
import pytest

from stylelab import course
from stylelab.adain import Decoder
from stylelab.backend import keras, ops
from stylelab.errors import SettingsError
from stylelab.exercises import chapter08_losses, chapter08_open
from stylelab.losses import ADVERSARIAL_LOSSES, content_loss, gram_loss, gram_matrix
from tests.answers import message


def named(value):
    return getattr(value, "__name__", "")


# ---- hinge-losses ----------------------------------------------------------------------------------------------


def patch_by_patch(real, fake):
    judge = (
        sum(max(0.0, 1 - r) for r in real.ravel()) / real.size + sum(max(0.0, 1 + f) for f in fake.ravel()) / fake.size
    )
    return [float(judge), -float(sum(fake.ravel())) / fake.size]


def with_where(real, fake):
    def missing(x):
        return np.where(x < 1, 1 - x, 0).mean()

    return missing(real) + missing(-fake), (-fake).mean()


def of_the_package(real, fake):
    pair = ADVERSARIAL_LOSSES["hinge"]
    return pair.discriminator(real, fake), pair.generator(fake)


def with_keras(real, fake):
    return ops.mean(ops.relu(1 - real)) + ops.mean(ops.relu(1 + fake)), -ops.mean(fake)


@pytest.mark.parametrize(
    "function", [chapter08_losses.hinge_losses, patch_by_patch, with_where, of_the_package, with_keras]
)
def test_right_hinge(function):
    assert course.exercise("hinge-losses").check(function)


def all_patches_in_one_mean(real, fake):
    """Where there are as many real as generated patches, this is half the loss."""
    missing = np.concatenate([np.maximum(0, 1 - real).ravel(), np.maximum(0, 1 + fake).ravel()])
    return missing.mean(), -fake.mean()


def of_probabilities(real, fake):
    real, fake = (1 / (1 + np.exp(-x)) for x in (real, fake))
    return np.maximum(0, 1 - real).mean() + np.maximum(0, 1 + fake).mean(), -fake.mean()


def the_worst_patch(real, fake):
    return np.maximum(0, 1 - real.min()) + np.maximum(0, 1 + fake.max()), -fake.min()


def maps_of_losses(real, fake):
    return np.maximum(0, 1 - real), -fake


def one_sum(real, fake):
    judge, generator = chapter08_losses.hinge_losses(real, fake)
    return judge + generator


def leaking(real, fake):
    """A leaky margin: right patches still pay a little less for being more right."""

    def cost(x):
        return np.where(x < 1, 1 - x, 0.01 * (1 - x)).mean()

    return cost(real) + cost(-fake), -fake.mean()


HINGE_WRONG = [
    (all_patches_in_one_mean, "the judge's loss is not right"),
    (of_probabilities, "the judge's loss is not right"),
    (the_worst_patch, "the judge's loss is not right"),
    (maps_of_losses, "the judge's loss has shape [2, 3, 4, 1]; wanted is []."),
    (one_sum, "return two numbers: the judge's loss, then the generator's."),
    (leaking, "the judge's loss is not right"),
    (lambda real, fake: chapter08_losses.hinge_losses(fake, real), "both signs are turned"),
    (lambda real, fake: (*chapter08_losses.hinge_losses(real, fake), 0.0), "return two numbers"),
    (lambda real, fake: {"judge": 0.0, "generator": 0.0}, "return two numbers"),
    (lambda real: 0.0, "cannot be called with 2 arguments"),
    (lambda real, fake: (np.nan, 0.0), "not finite"),
]


@pytest.mark.parametrize(("function", "words"), HINGE_WRONG, ids=named)
def test_wrong_hinge(function, words):
    assert words in message("hinge-losses", function)


def test_a_judge_that_is_right_rests():
    """Right on the formula's check by chance of a soft margin, wrong where nothing should be paid."""

    def soft(real, fake):
        judge, generator = chapter08_losses.hinge_losses(real, fake)
        return (judge if judge else 0.1), generator

    assert "should pay 0, not 0.1." in message("hinge-losses", soft)


def test_a_generator_that_is_far_behind_still_pays():
    def capped(real, fake):
        judge, generator = chapter08_losses.hinge_losses(real, fake)
        return judge, min(generator, 2.0)

    assert "the generator's loss is 2.5." in message("hinge-losses", capped)


@pytest.mark.parametrize("function", [lambda real, fake: None, lambda real, fake: ..., None, ...])
def test_nothing_to_check(function):
    assert course.exercise("hinge-losses").check(function).status == "not attempted"


# ---- repaired-sum ----------------------------------------------------------------------------------------------


def of_the_package_too(painted, photo, painting, fake, weights):
    style = gram_loss(gram_matrix(painted[None]), gram_matrix(painting[None]))
    terms = (style, content_loss(painted[None], photo[None]), ADVERSARIAL_LOSSES["hinge"].generator(fake))
    return sum(weight * term for weight, term in zip(weights, terms, strict=True))


def with_einsum(painted, photo, painting, fake, weights):
    ours, theirs = (np.einsum("ijc,ijd->cd", f, f) / (f.shape[0] * f.shape[1]) for f in (painted, painting))
    style = ((ours - theirs) ** 2).mean() / (theirs**2).mean()
    content = ((painted - photo) ** 2).mean() / (photo**2).mean()
    return np.dot(weights, [style, content, -fake.mean()])


def with_norms(painted, photo, painting, fake, weights):
    rows, theirs = (f.reshape(-1, f.shape[-1]) for f in (painted, painting))
    target = theirs.T @ theirs / len(theirs)
    style = (np.linalg.norm(rows.T @ rows / len(rows) - target) / np.linalg.norm(target)) ** 2
    content = (np.linalg.norm(painted - photo) / np.linalg.norm(photo)) ** 2
    l1, l2, l3 = weights
    return l1 * style + l2 * content - l3 * np.mean(fake)


@pytest.mark.parametrize("function", [chapter08_losses.generator_loss, of_the_package_too, with_einsum, with_norms])
def test_right_sum(function):
    assert course.exercise("repaired-sum").check(function)


def one_target(painted, photo, painting, fake, weights):
    """The article's z, written anew: the painting twice."""
    return with_norms(painted, painting, painting, fake, weights)


def noise_for_features(painted, photo, painting, fake, weights):
    noise = np.random.default_rng(0).normal(size=painted.shape)
    return with_norms(noise, photo, painting, fake, weights)


def unnormalized_gram(painted, photo, painting, fake, weights):
    ours, theirs = (np.einsum("ijc,ijd->cd", f, f) for f in (painted, painting))
    style = ((ours - theirs) ** 2).sum() / (theirs**2).sum()
    return weights[0] * style + weights[1] * content_loss(painted[None], photo[None]).numpy() - weights[2] * fake.mean()


def resized_gram(painted, photo, painting, fake, weights):
    """As many positions of the painting as the photo has, and no more."""
    few = painting.reshape(-1, painting.shape[-1])[: painted.shape[0] * painted.shape[1]]
    return with_norms(painted, photo, few.reshape(*painted.shape), fake, weights)


def of_moments(painted, photo, painting, fake, weights):
    ours, theirs = (np.concatenate([f.mean((0, 1)), f.std((0, 1))]) for f in (painted, painting))
    rest = with_norms(painted, photo, painting, fake, (0, *weights[1:]))
    return weights[0] * ((ours - theirs) ** 2).sum() / (theirs**2).sum() + rest


def squared_weights(painted, photo, painting, fake, weights):
    return with_norms(painted, photo, painting, fake, [weight**2 for weight in weights])


def saturating(painted, photo, painting, fake, weights):
    return with_norms(painted, photo, painting, fake, (*weights[:2], 0)) - weights[2] * np.logaddexp(0, fake).mean()


def a_constant_too_much(painted, photo, painting, fake, weights):
    """No minimum is elsewhere, and the photo itself pays."""
    return with_norms(painted, photo, painting, fake, weights) + 0.3


SUM_WRONG = [
    (one_target, "the painting is the target of both losses, the article's z"),
    (lambda g, x, a, f, w: with_norms(g, x, x, f, w), "the photo is the target of both losses"),
    (lambda g, x, a, f, w: with_norms(g, a, x, f, w), "the two targets are exchanged"),
    (lambda g, x, a, f, w: with_norms(g, x, a, -f, w), "the adversarial term has the wrong sign"),
    (lambda g, x, a, f, w: with_norms(g, x, a, f, w[::-1]), "look at the style term"),
    (lambda g, x, a, f, w: with_norms(g, x, a, f, (1, 1, 1)), "the three weights are not used."),
    (lambda g, x, a, f, w: -with_norms(g, x, a, f, w), "to be maximized, as the article writes once"),
    (noise_for_features, "look at the style term"),
    (unnormalized_gram, "divide each Gram matrix by its number of positions."),
    (resized_gram, "your loss is not right"),
    (of_moments, "look at the style term"),
    (squared_weights, "your loss is not right"),
    (saturating, "look at the adversarial term"),
    (a_constant_too_much, "look at the style term"),
    (lambda g, x, a, f, w: (with_norms(g, x, a, f, w), 0.0), "your loss has shape [2]; wanted is []."),
    (lambda g, x, a, f: 0.0, "cannot be called with 5 arguments"),
    (lambda g, x, a, f, w: g - x, "your loss has shape [5, 4, 3]; wanted is []."),
]


@pytest.mark.parametrize(("function", "words"), SUM_WRONG, ids=named)
def test_wrong_sum(function, words):
    assert words in message("repaired-sum", function)


def test_the_photo_pays_no_content():
    """What only the invariant sees: an error that vanishes in the scenes of the formula's checks."""

    def shifted(painted, photo, painting, fake, weights):
        same = np.array_equal(painted, photo) or np.array_equal(painted, painting)
        return with_norms(painted, photo, painting, fake, weights) + 0.1 * same

    assert "the photo itself should pay no content, yours pays 0.1." in message("repaired-sum", shifted)


def test_the_article_s_sum_is_least_at_its_target():
    """Section 8.2's proof, on random features: one target makes the weights meaningless, two do not."""
    painted, photo, painting, fake = chapter08_losses._scene(5, 5, 4)
    for weights in ((1.0, 1.0, 0.0), (10.0, 0.1, 0.0)):
        assert chapter08_losses.generator_loss(painting, painting, painting, fake, weights) == 0
        assert chapter08_losses.generator_loss(painted, painting, painting, fake, weights) > 0
        assert chapter08_losses.generator_loss(painting, photo, painting, fake, weights) > 0


# ---- painter-on-a-budget ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def decoders():
    """Three networks of the right kind, told apart by one number."""
    keras.utils.set_random_seed(0)
    made = [Decoder() for _ in range(3)]
    for number, decoder in enumerate(made):
        decoder.number = number
    return made


@pytest.fixture
def budget(monkeypatch, decoders):
    """The exercise with distances by hand: before 0.2 and 1.0, after 0.1 and 1.5; bounds 0.16 and 1.3."""
    table = {0: (0.2, 1.0), 1: (0.1, 1.5), 2: (0.15, 1.2)}
    monkeypatch.setattr(chapter08_open, "_measured", lambda decoder, photo, painting: table[decoder.number])
    return course.exercise("painter-on-a-budget", before=decoders[0], after=decoders[1], size=32), table


def test_the_task_names_both_bounds(budget):
    ex, _ = budget
    for name in ("gain", "price"):
        assert f"the share {name} ({ex.given[name]})" in ex.task


@pytest.mark.parametrize("form", [lambda d: d, lambda d: lambda: d])
def test_within_the_budget(budget, decoders, form):
    assert budget[0].check(form(decoders[2]))


@pytest.mark.parametrize(
    ("style", "content", "sentence"),
    [
        (0.15, 1.4, "content distance 1.40 (at most 1.30). The painter is there, and the photo pays too much."),
        (0.17, 1.2, "style distance 0.170 (at most 0.160), content distance 1.20 (at most 1.30). The photo is safe"),
        (0.3, 2.0, "Neither is there"),
        (0.2, 1.0, "The photo is safe, and the painter is not there yet."),
        (0.1, 1.5, "The painter is there, and the photo pays too much."),
    ],
)
def test_outside_the_budget_it_says_where(budget, decoders, style, content, sentence):
    ex, table = budget
    table[2] = (style, content)
    said = ex.check(decoders[2])
    assert said.status == "wrong"
    assert sentence in said.message


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda: np.zeros((8, 8, 3)), "this is of type ndarray; give a decoder"),
        ("adversarial", "this is of type str; give a decoder"),
        (lambda: keras.Sequential([keras.layers.Dense(1)]), "this is of type Sequential; give a decoder"),
    ],
)
def test_what_is_no_decoder(budget, answer, words):
    assert words in budget[0].check(answer).message


def test_a_training_that_ran_away(budget):
    lost = Decoder()
    lost.weights[0].assign(lost.weights[0] * np.nan)
    assert "the training ran away" in budget[0].check(lost).message


def test_two_networks_without_a_gain_are_the_chapters_fault(budget, decoders):
    ex, table = budget
    table[1] = (0.25, 1.5)
    with pytest.raises(SettingsError, match="there is no budget"):
        ex.check(decoders[2])


@pytest.mark.parametrize("answer", [lambda: None, lambda: ..., ...])
def test_no_network_yet(budget, answer):
    assert budget[0].check(answer).status == "not attempted"


@pytest.mark.weights
def test_the_budget_of_the_chapter_can_be_met_and_missed():
    """On the networks that ship, real metrics, and the chapter's size."""
    from stylelab import samples, training

    before, after = (Decoder() for _ in range(2))
    for decoder, name in ((before, "adain"), (after, "adversarial_style")):
        training.load_weights(decoder, samples.weights(name))
    ex = course.exercise("painter-on-a-budget", before=before, after=after)
    assert "The photo is safe" in ex.check(before).message
    assert "the photo pays too much" in ex.check(after).message
    assert ex.check(chapter08_open.half_way(before, after))
