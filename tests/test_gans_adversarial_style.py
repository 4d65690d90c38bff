"""The article's system: what goes in, what a step changes, the three terms, and the method that it becomes.

All ours. VGG16 is replaced by fixed convolutions with as many channels; the real one is in tests marked
``weights``.
"""

import json

import numpy as np
import pytest
from PIL import Image

from stylelab import datasets, images, learning, samples, training
from stylelab.adain import Decoder, adain, style_moments
from stylelab.adain.network import CHANNELS, ENCODED
from stylelab.backend import keras, tf
from stylelab.errors import SettingsError, WeightsError
from stylelab.features import CONTENT_LAYERS, STYLE_LAYERS
from stylelab.gans import AdversarialLearner, AdversarialStyle, Draws, adam
from stylelab.gans import adversarial_style as module
from stylelab.stylizers import Style
from stylelab.training import Plan

RNG = np.random.default_rng(0)
PHOTOS = tf.constant(RNG.random((2, 16, 16, 3)).astype("float32"))
PIECES = tf.constant(RNG.random((2, 24, 24, 3)).astype("float32") ** 3)
BATCH = (PHOTOS, PIECES)


class Extractor:
    """Features of VGG16's shapes from fixed random weights: 16 numbers a channel are enough to be told apart."""

    def __init__(self):
        keras.utils.set_random_seed(0)
        strides = dict(zip(STYLE_LAYERS, (1, 2, 4, 8), strict=True))
        self.layers = {
            name: keras.layers.Conv2D(CHANNELS.get(name, 8), stride, stride, activation="relu")
            for name, stride in {**dict.fromkeys(CONTENT_LAYERS, 8), **strides}.items()
        }
        self(PHOTOS)

    def __call__(self, pictures):
        return {name: 100 * layer(255 * pictures - 128) for name, layer in self.layers.items()}

    def weights(self):
        return [weight.numpy() for layer in self.layers.values() for weight in layer.weights]


def values(network):
    return [weight.numpy() for weight in network.weights]


def unmoved(network, before):
    return [w.path for w, old in zip(network.weights, before, strict=True) if np.array_equal(old, w.numpy())]


@pytest.fixture(scope="module")
def extractor():
    return Extractor()


@pytest.fixture(scope="module")
def make(extractor):
    """A learner on the small extractor."""

    def build(**settings):
        keras.utils.set_random_seed(0)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(learning, "shared_extractor", lambda **_: extractor)
            patch.setattr(module, "layer_policy", lambda: "float32")
            learner = AdversarialLearner(**{"width": 4, "levels": 1, **settings})
        learner.compile(adam(1e-3), adam(1e-3), run_eagerly=True)
        return learner

    return build


@pytest.fixture(scope="module")
def learner(make):
    """After one step."""
    model = make()
    model.before = [values(part) for part in (model.generator, model.discriminator, model.sampler)]
    model.frozen = model.objective.extractor.weights()
    model.said = model.train_step(BATCH)
    return model


class TestStep:
    def test_it_moves_generator_judge_and_average_and_not_the_frozen_network(self, learner):
        for before, part in zip(
            learner.before, (learner.generator, learner.discriminator, learner.sampler), strict=True
        ):
            # A bias before a normalization has no effect, and the judge's last one none under the hinge's margin.
            assert [path for path in unmoved(part, before) if not path.endswith("bias")] == []
        assert learner.frozen
        for old, new in zip(learner.frozen, learner.objective.extractor.weights(), strict=True):
            np.testing.assert_array_equal(old, new)

    def test_the_frozen_network_is_no_part_of_the_model(self, learner):
        assert len(learner.weights) == sum(
            len(part.weights) for part in (learner.generator, learner.discriminator, learner.sampler)
        )

    def test_with_weight_0_the_judge_stays_and_is_not_asked(self, make, monkeypatch):
        model = make(adversarial_weight=0.0)
        judge, decoder = values(model.discriminator), values(model.generator)
        monkeypatch.setattr(model.discriminator, "call", None)
        said = model.train_step(BATCH)
        assert len(unmoved(model.discriminator, judge)) == len(judge)
        assert len(unmoved(model.generator, decoder)) < len(decoder)
        assert float(said["adversarial"]) == float(said["discriminator"]) == 0

    def test_the_objective_is_the_article_s_sum(self, make, monkeypatch):
        """L_G = l1 L_S + l2 L_C + l3 L_A with what the parts say, and L_D the hinge's; in NumPy from the logits."""
        weights = {"style_weight": 3.0, "content_weight": 5.0, "adversarial_weight": 7.0}
        model = make(**weights, smoothness_weight=0.0, weave_weight=0.0, augment=())

        def judge(pictures, training):
            return 9 * tf.reduce_mean(pictures, -1, keepdims=True) - 4

        monkeypatch.setattr(model, "discriminator", judge)
        outcome = model.outcome(BATCH, Draws(0, 0))
        parts = {name: float(value) for name, value in outcome.parts.items()}
        wanted = 3 * parts["style"] + 5 * parts["content"] + 7 * parts["adversarial"]
        assert float(outcome.generator) == pytest.approx(wanted, rel=1e-5)
        h, k = (model.objective.extractor(x) for x in BATCH)
        painted = module.generate(model.generator, h, style_moments(k))
        assert painted.shape == PHOTOS.shape
        real, fake = (judge(pictures, True).numpy() for pictures in (PIECES, painted))
        assert (parts["real"], parts["fake"]) == pytest.approx((real.mean(), fake.mean()), rel=1e-3)
        assert parts["adversarial"] == pytest.approx(-fake.mean(), rel=1e-3)
        hinge = np.maximum(0, 1 - real).mean() + np.maximum(0, 1 + fake).mean()
        assert float(outcome.discriminator) == pytest.approx(hinge, rel=1e-3)

    def test_style_is_measured_against_the_piece_and_content_against_the_photo(self, make):
        model = make(augment=())
        plain = model.outcome(BATCH, Draws(0, 0)).parts
        terms = model.objective(
            module.generate(
                model.generator,
                *(f(model.objective.extractor(x)) for f, x in zip((dict, style_moments), BATCH, strict=True)),
            ),
            model.objective.content_target(PHOTOS),
            model.objective.style_target(PIECES),
        )
        assert float(plain["style"]) == pytest.approx(float(terms.style), rel=1e-4)
        assert float(plain["content"]) == pytest.approx(float(terms.content), rel=1e-4)

    def test_painted_and_real_pictures_go_through_the_same_changes(self, make, monkeypatch):
        model, seen = make(), []
        monkeypatch.setattr(module, "generate", lambda decoder, h, k: PHOTOS)
        monkeypatch.setattr(model, "discriminator", lambda x, training: seen.append(x.numpy()) or x[..., :1])
        model.outcome((PHOTOS, PHOTOS), Draws(0, 0))
        assert len(seen) == 2
        np.testing.assert_array_equal(seen[0], seen[1])
        assert np.abs(seen[0] - PHOTOS).max() > 0.05

    def test_it_begins_with_the_decoder_that_it_is_given(self, make):
        decoder = Decoder()
        model = make(decoder=decoder)
        assert model.generator is decoder
        for one, other in zip(values(decoder), values(model.sampler), strict=True):
            np.testing.assert_array_equal(one, other)

    def test_a_batch_that_is_no_pair(self, learner):
        with pytest.raises(SettingsError, match="A batch for AdversarialLearner is pictures and pictures, "):
            learner.train_step(PHOTOS)

    def test_resumed_it_ends_with_the_weights_of_the_run_that_was_not_stopped(self, make, tmp_path):
        """The average's, too: the decoder keeps layers in lists, where TensorFlow's checkpoint does not look."""

        class Interrupt(keras.callbacks.Callback):
            def on_train_batch_end(self, batch, logs=None):
                if int(self.model.step) == 2:
                    raise KeyboardInterrupt

        def trained(folder, callbacks=(), scale=1.0):
            model = make()
            for part in (model.generator, model.sampler):
                part.set_weights([scale * weight for weight in part.get_weights()])
            data = tf.data.Dataset.from_tensors(BATCH).repeat()
            training.fit(model, lambda first: data, Plan(2, 1, gain=None), folder, callbacks=callbacks)
            return model

        whole = trained(tmp_path / "whole")
        with pytest.raises(KeyboardInterrupt):
            trained(tmp_path / "stopped", [Interrupt()])
        again = trained(tmp_path / "stopped", scale=0.5)
        lost = [
            w.path
            for w, v in zip(whole.weights, again.weights, strict=True)
            if not np.array_equal(w.numpy(), v.numpy())
        ]
        assert lost == []

    @pytest.mark.slow
    def test_it_overfits_one_batch(self, make):
        model = make(width=8)
        model.compile(adam(1e-3), adam(1e-4))
        said = model.fit(
            tf.data.Dataset.from_tensors(BATCH).repeat(), steps_per_epoch=20, epochs=5, shuffle=False, verbose=0
        ).history
        first, last = (10 * said["style"][k] + said["content"][k] for k in (0, -1))
        assert last < 0.8 * first


class TestPaint:
    def test_the_decoder_gets_the_photo_s_features_in_the_painting_s_moments(self, extractor):
        got = []
        h, k = extractor(PHOTOS), style_moments(extractor(PIECES))
        module.generate(got.append, h, k)
        features, moments = got[0]
        assert moments is k
        np.testing.assert_allclose(features[ENCODED], adain(h[ENCODED], k[ENCODED]))
        for name in STYLE_LAYERS[:-1]:
            assert features[name] is h[name]
        assert set(h) == set(extractor(PHOTOS)), "what was given is not changed"


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    for name, color in {"photo": (250, 5, 5), "painting": (5, 5, 250)}.items():
        Image.new("RGB", (40, 60), color).save(folder / f"{name}.png")
    return [folder / "photo.png"], [folder / "painting.png"]


class TestPieces:
    def test_photos_and_paintings(self, files):
        photos, paintings = next(iter(module.pieces(*files, 16, 3)))
        assert photos.shape == paintings.shape == (3, 16, 16, 3)
        np.testing.assert_allclose(photos.numpy().mean((0, 1, 2)), np.array([250, 5, 5]) / 255, atol=0.01)
        np.testing.assert_allclose(paintings.numpy().mean((0, 1, 2)), np.array([5, 5, 250]) / 255, atol=0.01)

    def test_resumed_they_are_what_they_would_have_been(self, tmp_path):
        names = []
        for k in range(3):
            picture = RNG.integers(0, 256, (40, 50, 3)).astype("uint8")
            names.append(tmp_path / f"{k}.png")
            Image.fromarray(picture).save(names[-1])
        whole = list(module.pieces(names, names, 16, 2, seed=5).take(4))
        rest = list(module.pieces(names, names, 16, 2, seed=5, first=2).take(2))
        for one, other in zip(whole[2:], rest, strict=True):
            np.testing.assert_array_equal(one[0], other[0])
            np.testing.assert_array_equal(one[1], other[1])
        assert not np.array_equal(whole[0][0], whole[0][1])

    @pytest.mark.parametrize("size", [0, 8, 20, -16])
    def test_sizes_that_cannot_be(self, files, size):
        with pytest.raises(SettingsError, match=f"must be a multiple of 8 from 16 px on, not {size}"):
            module.pieces(*files, size, 2)

    def test_without_files(self, files):
        with pytest.raises(SettingsError, match=r"^Photos are missing"):
            module.pieces([], files[1], 16, 2)
        with pytest.raises(SettingsError, match=r"^Paintings are missing"):
            module.pieces(files[0], [], 16, 2)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A file as training leaves it, for two paintings: of an untrained decoder."""
    keras.utils.set_random_seed(3)
    file = training.save_weights(Decoder(), tmp_path_factory.mktemp("net") / "painter.weights.h5")
    file.with_name("painter.json").write_text(json.dumps({"styles": ["hokusai_great_wave", "vangogh_starry_night"]}))
    return file


@pytest.fixture(scope="module")
def method(trained):
    return AdversarialStyle(trained)


class TestListing:
    @pytest.mark.parametrize("text", [None, "no json", "[]", "{}"])
    def test_without_a_list_of_styles_it_is_one_sentence(self, tmp_path, text):
        if text is not None:
            (tmp_path / "net.json").write_text(text)
        with pytest.raises(
            WeightsError, match=r"net\.json, which names the styles of net\.weights\.h5, cannot be used"
        ):
            AdversarialStyle(tmp_path / "net.weights.h5")


@pytest.mark.weights
class TestMethod:
    def test_it_names_its_styles_and_paints_in_the_photo_s_size(self, method):
        assert method.styles == ["hokusai_great_wave", "vangogh_starry_night"]
        photo = RNG.random((1, 37, 50, 3)).astype("float32")
        painted = method.stylize(photo, "hokusai_great_wave")
        assert painted.shape == photo.shape
        assert 0 <= painted.min() < painted.max() <= 1
        np.testing.assert_allclose(method.stylize(photo, "hokusai_great_wave", strength=0), photo, atol=1e-5)

    def test_a_painting_that_it_does_not_know(self, method):
        photo = RNG.random((1, 32, 32, 3)).astype("float32")
        for style in ("vangogh_cafe_terrace", Style.of(photo[0])):
            with pytest.raises(SettingsError, match="trained for hokusai_great_wave, vangogh_starry_night, not for "):
                method.stylize(photo, style)

    def test_weights_in_float16_paint_the_same(self, trained):
        """The decoder as it was, before it was rounded for the file."""
        keras.utils.set_random_seed(3)
        exact, loaded = Decoder(), Decoder()
        training.load_weights(loaded, trained)
        photo, painting = np.ones((2, 32, 32, 3), "float32") * RNG.random((2, 32, 32, 3)).astype("float32")
        wanted = module.contact(exact, [photo], painting)
        np.testing.assert_allclose(module.contact(loaded, [photo], painting), wanted, atol=5e-3)

    def test_contact_is_what_the_method_paints(self, method, trained):
        """Up to half precision: the method may compute in bfloat16."""
        decoder = Decoder()
        training.load_weights(decoder, trained)
        photo = datasets.middle_square(samples.load("armchair_blue"), 64)
        painting = images.resize(samples.load("hokusai_great_wave"), (64, 64))
        shown = module.contact(decoder, [photo, photo], painting)
        assert shown.shape == (2, 64, 64, 3)
        np.testing.assert_array_equal(shown[0], shown[1])
        assert 0 <= shown.min() < shown.max() <= 1

    def test_a_step_on_the_real_network_leaves_it_as_it_is(self):
        learner = AdversarialLearner(width=4, levels=1)
        learner.compile(run_eagerly=True)
        frozen = learner.objective.extractor.network
        before = [weight.numpy() for weight in frozen.weights]
        said = learner.train_step((PHOTOS, PIECES))
        assert all(np.isfinite(float(value)) for value in said.values())
        assert frozen.trainable_weights == []
        assert len(unmoved(frozen, before)) == len(before) > 0
