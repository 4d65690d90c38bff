"""Exercises of chapter 06: every right answer, however it is written, and the wrong ones that students write.

The known mistakes of an exercise are edits of its answer; tests/test_course.py sees that each is told apart. Here are
wrong functions written by hand, with the sentence that each must bring forth.
"""

import csv

import numpy as np
import pytest

from stylelab import course, finetune, metrics, samples
from stylelab.backend import keras
from stylelab.errors import SettingsError
from stylelab.exercises import chapter06
from stylelab.feedforward import Architecture, StyleNetwork
from tests.answers import message

# ---- the labels that the chapter sorts by ----------------------------------------------------------------------


def test_every_render_has_one_category(data):
    with (data / "render_categories.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == samples.names("product_renders")
    counts = {}
    for row in rows:
        counts[row["category"]] = counts.get(row["category"], 0) + 1
    assert len(counts) == 11
    assert min(counts.values()) >= 7, "a third of a category is held out, and some must be left"


# ---- contrastive-loss ------------------------------------------------------------------------------------------


def in_loops(z, temperature):
    """The formula term by term, without a matrix."""
    losses = []
    for i in range(len(z)):
        j = i + 1 if i % 2 == 0 else i - 1
        cosines = {k: z[i] @ z[k] / np.sqrt((z[i] @ z[i]) * (z[k] @ z[k])) for k in range(len(z)) if k != i}
        top = max(cosines.values())
        total = sum(np.exp((c - top) / temperature) for c in cosines.values())
        losses.append(np.log(total) - (cosines[j] - top) / temperature)
    return float(np.mean(losses))


def as_keras(z, temperature):
    """As the chapter trains: Keras' cross-entropy with a large negative diagonal."""
    ops = keras.ops
    z = ops.normalize(ops.convert_to_tensor(z, "float64"))
    alike = z @ ops.transpose(z) / temperature - 1e9 * ops.eye(len(z), dtype="float64")
    partner = np.arange(len(z)) ^ 1
    return ops.mean(ops.sparse_categorical_crossentropy(partner, alike, from_logits=True))


@pytest.mark.parametrize("function", [chapter06.contrastive, in_loops, as_keras])
def test_right_contrastive_loss(function):
    assert course.exercise("contrastive-loss").check(function)


def unstable(z, temperature):
    z = z / np.linalg.norm(z, axis=1, keepdims=True)
    e = np.exp(z @ z.T / temperature)
    np.fill_diagonal(e, 0)
    rows = np.arange(len(z))
    return -np.mean(np.log(e[rows, rows ^ 1] / e.sum(1)))


def both_views_in_the_sum(z, temperature):
    """The denominator without the partner, as in a later paper."""
    z = z / np.linalg.norm(z, axis=1, keepdims=True)
    e, rows = np.exp(z @ z.T / temperature), np.arange(len(z))
    others = e.sum(1) - np.diag(e) - e[rows, rows ^ 1]
    return -np.mean(np.log(e[rows, rows ^ 1] / others))


def every_loss(z, temperature):
    return np.full(len(z), chapter06.contrastive(z, temperature))


def squared_distance(z, temperature):
    z = z / np.linalg.norm(z, axis=1, keepdims=True)
    return np.mean((z[::2] - z[1::2]) ** 2) / temperature


def in_place(z, temperature):
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    return chapter06.contrastive(z, temperature)


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (unstable, "at a temperature of 0.001 your loss is"),
        (both_views_in_the_sum, "your loss is not right: its median size is"),
        (every_loss, "your loss has shape [10]; wanted is []."),
        (squared_distance, "your loss is not right"),
        (in_place, "changes its input z in place"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_wrong_contrastive_loss(function, words):
    assert words in message("contrastive-loss", function)


# ---- lora-merge ------------------------------------------------------------------------------------------------


def by_einsum(kernel, a, b, alpha):
    return kernel + alpha / len(b) * np.einsum("hwir,ro->hwio", a, b)


def as_matrices(kernel, a, b, alpha):
    product = a.reshape(-1, a.shape[-1]) @ b
    return kernel + product.reshape(kernel.shape) * (alpha / b.shape[0])


def as_keras_does(kernel, a, b, alpha):
    """What Keras' own layer convolves with."""
    layer = keras.layers.Conv2D(kernel.shape[-1], kernel.shape[:2], use_bias=False)
    layer.build((None, 8, 8, kernel.shape[2]))
    layer.enable_lora(len(b), lora_alpha=alpha)
    layer.set_weights([kernel, a, b])
    return layer.kernel


@pytest.mark.parametrize("function", [chapter06.merged, by_einsum, as_matrices, as_keras_does])
def test_right_merge(function):
    assert course.exercise("lora-merge").check(function)


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda w, a, b, alpha: w * (1 + alpha / len(b) * (a @ b)), "your kernel is not right"),
        (lambda w, a, b, alpha: w + alpha / len(b) * (a @ b)[::-1], "your kernel is not right"),
        (lambda w, a, b, alpha: w + alpha / len(b) * a, "raises ValueError"),
        (lambda w, a, b, alpha: w + alpha / np.sqrt(len(b)) * (a @ b), "your kernel is not right"),
        (lambda w, a, b, alpha: (w + alpha / len(b) * (a @ b)).reshape(-1, w.shape[-1]), "shape [45, 6]; wanted"),
        (lambda w, a, b, alpha: w, "your kernel is not right"),
        (lambda w, a, b, alpha: w + alpha / a.shape[0] * (a @ b), "you divide by the kernel's own side; the rank is"),
    ],
    ids=["times", "turned", "without b", "root of the rank", "matrix", "nothing", "first axis"],
)
def test_wrong_merge(function, words):
    assert words in message("lora-merge", function)


# ---- style-budget ----------------------------------------------------------------------------------------------

PHOTOS = [np.random.default_rng(k).random((16, 16, 3), "float32") for k in range(2)]
PAINTING = np.full((16, 16, 3), 0.9, "float32")


@pytest.fixture
def start():
    keras.utils.set_random_seed(0)
    return StyleNetwork(["mine"], Architecture(4, 6, 4, 1, 3))


@pytest.fixture
def by_color(monkeypatch):
    """Distances that see nothing but mean colors, so that a test can say what a network does."""

    def distance(a, b, size=384):
        return float(np.abs(np.mean(a, (0, 1)) - np.mean(b, (0, 1))).sum())

    monkeypatch.setattr(metrics, "style_distance", distance)
    monkeypatch.setattr(metrics, "content_distance", distance)


def brighter(start, by):
    """Moves the three biases of the last convolution."""
    network = finetune.with_styles(start, start.styles)
    network.last.bias.assign(network.last.bias + by)
    return network


def budget(network, **given):
    return {"start": network, "painting": PAINTING, "photos": PHOTOS, **given}


def test_right_style(start, by_color):
    network = brighter(start, 1.2)
    assert course.exercise("style-budget", **budget(start)).check(network)
    assert course.exercise("style-budget", **budget(start)).check(lambda: network)


def test_the_photos_own_rows_are_free_and_each_number_of_the_style_counts(start, by_color):
    network = brighter(start, 1.2)
    for layer in network.layers:
        if hasattr(layer, "shift"):
            layer.shift.assign(layer.shift + np.array([[1.0], [0.0]]))
    assert course.exercise("style-budget", **budget(start, limit=3)).check(network)
    said = message("style-budget", network, **budget(start, limit=2))
    assert said.startswith("3 numbers of the style changed (at most 2)")
    assert said.endswith("The style is there, in too many numbers. Which tables can stay as they were?")


def everywhere(start):
    network = brighter(start, 1.2)
    for layer in network.layers:
        if isinstance(layer, keras.layers.Conv2D):
            layer.kernel.assign(1.001 * layer.kernel)
    return network


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda start: finetune.with_styles(start, start.styles), "Nothing was trained."),
        (everywhere, "in too many numbers"),
        (lambda start: brighter(start, 0.1), "It is small, and not yet in the style."),
        (lambda start: brighter(start, -1.0), "It is small, and not yet in the style."),
        (lambda start: StyleNetwork(["other"], start.architecture), "this network has other styles or sizes"),
        (lambda start: StyleNetwork(["mine"], Architecture(4, 6, 4, 2, 3)), "this network has other styles or sizes"),
        (lambda start: np.zeros((16, 16, 3)), "this is of type ndarray; give your trained StyleNetwork."),
    ],
    ids=["untrained", "too much", "too little", "the wrong way", "another style", "other sizes", "a picture"],
)
def test_wrong_style(start, by_color, make, words):
    assert words in message("style-budget", make(start), **budget(start))


def test_adapters_are_to_be_merged(start, by_color):
    network = brighter(start, 1.2)
    finetune.adapters(network, 1)
    assert "merge them" in message("style-budget", network, **budget(start))


def test_a_style_that_destroys_the_photos(start, by_color):
    network = brighter(start, 1.2)
    assert "hardly the photos any more" in message("style-budget", network, **budget(start, content_bound=0.1))


@pytest.mark.parametrize("given", [{"photos": []}, {"start": None}])
def test_what_the_chapter_must_give(start, given):
    with pytest.raises(SettingsError, match="at least one photo"):
        course.exercise("style-budget", **budget(start, **given)).check(lambda: start)


@pytest.mark.weights
def test_the_solution_trains_two_tables_and_brings_the_style_nearer(start, tmp_path):
    from stylelab.backend import tf
    from stylelab.feedforward import Learner

    photos = [samples.load(name)[:48, :48] for name in ("crab", "giraffe")]
    painting = samples.load("brick")[:48, :48]

    def learn(network):
        learner = Learner(network, [painting])
        learner.compile(keras.optimizers.Adam(0.05), jit_compile=False)
        batch = (np.stack(photos), np.array([[0, 1], [0, 1]], "float32"))
        learner.fit(tf.data.Dataset.from_tensors(batch).repeat(30), epochs=1, verbose=0, shuffle=False)
        return network

    given = {"start": start, "painting": painting, "photos": photos, "content_bound": 9}
    numbers = 2 * (4 + 4)
    trained = chapter06.small_style(start, learn)
    assert course.exercise("style-budget", **given, limit=numbers, style_share=0.8).check(trained)
    assert f"{numbers} numbers of the style changed" in message("style-budget", trained, **given, limit=1)
