"""Any style in one pass: AdaIN against NumPy, the decoder on random features, the method on real ones.

The decoder here is untrained: what it must do whatever it has learned.
"""

from itertools import islice

import numpy as np
import pytest
from PIL import Image

from stylelab import adain, images, machine, training
from stylelab.adain.learn import Learner, held_out_pairs, pairs
from stylelab.adain.network import CHANNELS, ENCODED, WIDEST, Decoder, style_moments
from stylelab.backend import keras, tf
from stylelab.errors import ImageError, ResourceError, SettingsError, WeightsError
from stylelab.features import STYLE_LAYERS
from stylelab.stylizers import KeepColor, Style

RNG = np.random.default_rng(0)


def random_features(shape, seed=0):
    rng = np.random.default_rng(seed)
    scale = rng.uniform(0.5, 50, shape[-1])
    return (scale * rng.gamma(1.0, 1.0, shape)).astype("float32")


def numpy_moments(features):
    """As in the paper: over positions, with 1e-5 under the root."""
    mean = features.mean((1, 2), keepdims=True)
    return mean, np.sqrt(((features - mean) ** 2).mean((1, 2), keepdims=True) + 1e-5)


class TestAdain:
    def test_against_numpy(self):
        content, painting = random_features((2, 5, 7, 6)), random_features((2, 4, 9, 6), 1)
        (mean, deviation), (mean_s, deviation_s) = map(numpy_moments, (content, painting))
        wanted = deviation_s * (content - mean) / deviation + mean_s
        np.testing.assert_allclose(adain.adain(content, (mean_s, deviation_s)), wanted, rtol=1e-4, atol=1e-3)

    def test_afterwards_the_moments_are_the_style_s(self):
        content, painting = random_features((2, 5, 7, 6)), random_features((1, 8, 3, 6), 1)
        style = numpy_moments(painting)
        found = numpy_moments(adain.adain(content, style).numpy())
        for got, wanted in zip(found, style, strict=True):
            np.testing.assert_allclose(got, np.broadcast_to(wanted, got.shape), rtol=1e-3)

    def test_with_its_own_moments_nothing_changes(self):
        content = random_features((2, 5, 7, 6))
        np.testing.assert_allclose(adain.adain(content, numpy_moments(content)), content, rtol=1e-4, atol=1e-3)

    def test_constant_features_become_the_style_s_mean(self):
        style = numpy_moments(random_features((1, 8, 3, 6), 1))
        result = adain.adain(np.full((1, 4, 4, 6), 3.0, "float32"), style)
        np.testing.assert_allclose(result, np.broadcast_to(style[0], result.shape), rtol=1e-5)

    def test_positions_keep_their_order_and_channels_do_not_mix(self):
        content = random_features((1, 3, 4, 2))
        style = numpy_moments(random_features((1, 3, 4, 2), 1))
        shuffled = adain.adain(content[:, ::-1], style)
        np.testing.assert_allclose(shuffled, adain.adain(content, style)[:, ::-1], rtol=1e-5)
        other = content.copy()
        other[..., 1] = RNG.random((1, 3, 4))
        np.testing.assert_allclose(adain.adain(other, style)[..., 0], adain.adain(content, style)[..., 0], rtol=1e-6)

    def test_half_precision_is_computed_in_float32(self):
        """The squares of VGG's features overflow float16."""
        content = 300 * random_features((1, 4, 4, 3))
        style = numpy_moments(content[:, ::-1])
        half = tf.cast(content, "float16")
        result = adain.adain(half, style)
        assert result.dtype == "float32"
        np.testing.assert_array_equal(result, adain.adain(tf.cast(half, "float32"), style))
        assert np.isfinite(result).all()

    def test_style_moments_of_all_layers(self):
        features = {name: random_features((2, 3, 4, c)) for name, c in CHANNELS.items()}
        found = style_moments({**features, "block4_conv2": features[ENCODED]})
        assert list(found) == list(STYLE_LAYERS)
        for name, moments in found.items():
            for got, wanted in zip(moments, numpy_moments(features[name]), strict=True):
                np.testing.assert_allclose(got, wanted, rtol=1e-3)


SIDES = {"block2_conv1": 4, "block3_conv1": 2, ENCODED: 1}  # relative to the deepest features


def random_pyramid(batch, height, width, seed=0):
    """What the decoder is given of a photo."""
    return {
        name: random_features((batch, side * height, side * width, CHANNELS[name]), seed)
        for name, side in SIDES.items()
    }


@pytest.fixture(scope="module")
def decoder():
    keras.utils.set_random_seed(0)
    return Decoder()


def random_style(seed=0):
    rng = np.random.default_rng(seed)
    shape = {name: (1, 1, 1, c) for name, c in CHANNELS.items()}
    return {name: tuple(rng.uniform(1, 100, s).astype("float32") for _ in range(2)) for name, s in shape.items()}


class TestDecoder:
    @pytest.mark.parametrize(("height", "width"), [(2, 2), (3, 5), (7, 2), (2, 16)])
    def test_eight_times_the_features_size(self, decoder, height, width):
        features = random_pyramid(1, height, width)
        assert decoder((features, random_style())).shape == (1, 8 * height, 8 * width, 3)

    def test_a_picture_does_not_depend_on_its_batch_mates(self, decoder):
        features, styles = random_pyramid(2, 3, 4), [random_style(1), random_style(2)]
        together = keras.tree.map_structure(lambda *each: np.concatenate(each), *styles)
        batch = decoder((features, together)).numpy()
        for k, style in enumerate(styles):
            alone = {name: x[k : k + 1] for name, x in features.items()}
            np.testing.assert_allclose(batch[k], decoder((alone, style))[0], atol=1e-4)
        assert np.abs(batch[0] - batch[1]).max() > 0.01

    def test_moments_that_are_the_same_everywhere_are_the_global_ones(self, decoder):
        features, style = random_pyramid(1, 3, 4), random_style()
        size = {"block1_conv1": 4, WIDEST: 4, "block3_conv1": 2}
        placed = {
            name: tuple(np.tile(m, (1, 3 * factor, 4 * factor, 1)) for m in style[name])
            for name, factor in size.items()
        }
        np.testing.assert_allclose(decoder((features, placed)), decoder((features, style)), atol=1e-4)

    @pytest.mark.parametrize("name", ["block1_conv1", "block2_conv1", "block3_conv1"])
    @pytest.mark.parametrize("which", [0, 1], ids=["mean", "deviation"])
    def test_each_level_s_moments_count(self, decoder, name, which):
        features, style = random_pyramid(1, 3, 4), random_style()
        moments = list(style[name])
        moments[which] = moments[which] * RNG.uniform(0.5, 2, moments[which].shape).astype("float32")
        changed = decoder((features, {**style, name: tuple(moments)}))
        assert np.abs(changed - decoder((features, style))).max() > 1e-3

    @pytest.mark.parametrize("name", ["block3_conv1", "block2_conv1"])
    def test_what_the_photo_shows_at_each_level_counts_and_its_contrast_does_not(self, decoder, name):
        features, style = random_pyramid(1, 3, 4), random_style()
        plain = decoder((features, style)).numpy()
        louder = decoder(({**features, name: 3 * features[name] + 20}, style)).numpy()
        np.testing.assert_allclose(louder, plain, atol=2e-3)
        other = decoder(({**features, name: features[name][:, ::-1]}, style)).numpy()
        assert np.abs(other - plain).max() > 0.01

    def test_constant_features_give_a_flat_picture(self, decoder):
        constant = {
            name: np.broadcast_to(random_features((1, 1, 1, x.shape[-1])), x.shape)
            for name, x in random_pyramid(1, 4, 5).items()
        }
        result = decoder((constant, random_style())).numpy()
        assert np.ptp(result, axis=(1, 2)).max() < 1e-4

    def test_saved_and_loaded_it_is_the_same(self, decoder, tmp_path):
        path = training.save_weights(decoder, tmp_path / "decoder.weights.h5")
        keras.utils.set_random_seed(1)
        other = Decoder()
        inputs = random_pyramid(1, 3, 4), random_style()
        assert np.abs(other(inputs) - decoder(inputs)).max() > 0.1
        training.load_weights(other, path)
        np.testing.assert_allclose(other(inputs), decoder(inputs), atol=0.01)
        assert path.stat().st_size < 10e6

    def test_in_half_precision_the_picture_is_float32_and_nearly_the_same(self, decoder):
        half = Decoder(dtype="mixed_bfloat16")
        half.set_weights(decoder.get_weights())
        assert all(w.dtype == "float32" for w in half.weights)
        inputs = random_pyramid(1, 3, 4), random_style()
        assert half(inputs).dtype == "float32"
        difference = np.abs(half(inputs) - decoder(inputs))
        assert difference.mean() < 0.1 * np.std(decoder(inputs))


@pytest.fixture
def files(tmp_path):
    """Five noisy photos and three pictures whose red, green and blue differ."""
    rng = np.random.default_rng(0)
    for folder, count in ("photos", 5), ("pictures", 3):
        (tmp_path / folder).mkdir()
        for k in range(count):
            noise = rng.integers(0, 60, (40, 48, 3)) + np.array([180, 90, 0])
            Image.fromarray(noise.astype("uint8")).save(tmp_path / folder / f"{k}.png")
    return [sorted((tmp_path / folder).iterdir()) for folder in ("photos", "pictures")]


class TestPairs:
    def test_shapes(self, files):
        photos, pictures, strengths = next(iter(pairs(*files, 16, 4, style_size=24)))
        assert (photos.shape, pictures.shape, strengths.shape) == ((4, 16, 16, 3), (4, 24, 24, 3), (4,))

    def test_resumed_they_are_what_they_would_have_been(self, files):
        whole = list(islice(pairs(*files, 16, 2, style_size=16, seed=5), 4))[2:]
        resumed = list(islice(pairs(*files, 16, 2, style_size=16, seed=5, first=2), 2))
        for one, other in zip(keras.tree.flatten(whole), keras.tree.flatten(resumed), strict=True):
            np.testing.assert_array_equal(one, other)

    def test_strengths_and_color_orders_are_as_announced(self, files):
        batches = list(islice(pairs(*files, 8, 20, style_size=8), 40))
        strengths = np.concatenate([strength for _, _, strength in batches])
        assert strengths.min() == 0
        assert strengths.max() == 1
        assert np.mean(strengths == 1) == pytest.approx(16 / 20, abs=0.05)
        assert np.mean((strengths > 0) & (strengths < 1)) == pytest.approx(3 / 20, abs=0.05)
        colors = np.concatenate([pictures.numpy().mean((1, 2)) for _, pictures, _ in batches])
        orders = {tuple(order) for order in np.argsort(colors)}
        assert len(orders) == 6
        # A half is left alone, and of the other a sixth.
        assert np.mean(np.all(np.argsort(colors) == (2, 1, 0), axis=1)) == pytest.approx(7 / 12, abs=0.06)
        photos = np.concatenate([photos.numpy().mean((1, 2)) for photos, _, _ in batches])
        assert np.all(np.argsort(photos) == (2, 1, 0)), "the photos keep their colors"

    def test_held_out_pairs_are_always_the_same_and_in_full_style(self, files):
        first, again = (list(held_out_pairs(*files, 16, 2, style_size=24)) for _ in range(2))
        photos, pictures, strengths = (np.concatenate(part) for part in zip(*first, strict=True))
        assert (photos.shape, pictures.shape) == ((5, 16, 16, 3), (5, 24, 24, 3))
        np.testing.assert_array_equal(strengths, 1)
        np.testing.assert_array_equal(pictures[[0, 1]], pictures[[3, 4]])
        for one, other in zip(keras.tree.flatten(first), keras.tree.flatten(again), strict=True):
            np.testing.assert_array_equal(one, other)


PHOTO = images.resize(RNG.random((6, 8, 3)).astype("float32"), (40, 56))
ONE = images.resize(RNG.random((9, 9, 3)).astype("float32") ** 2, (48, 48))
TWO = images.resize(RNG.random((30, 20, 3)).astype("float32") * np.float32([1.0, 0.6, 0.3]), (64, 40))


@pytest.fixture(scope="module")
def method(decoder):
    return adain.AdaIN(decoder=decoder)


def halves(height, width):
    masks = np.zeros((2, height, width, 1), "float32")
    masks[0, :, : width // 2], masks[1, :, width // 2 :] = 1, 1
    return masks


@pytest.mark.weights
class TestStylizer:
    @pytest.mark.parametrize(("height", "width"), [(16, 16), (17, 31), (16, 90), (75, 16), (33, 40)])
    def test_every_size(self, method, height, width):
        photo = images.resize(PHOTO, (height, width))
        for strength in 1.0, 0.5:
            result = method.stylize(photo[None], ONE, strength=strength)
            assert result.shape == (1, height, width, 3)
            assert result.dtype == "float32"
            assert 0 <= result.min() <= result.max() <= 1

    def test_strength_goes_smoothly_to_the_photo(self, method):
        strengths = [0.0, 0.001, 0.01, 0.1, 0.4, 0.7, 1.0]
        results = [method.stylize(PHOTO[None], ONE, strength=s)[0] for s in strengths]
        np.testing.assert_array_equal(results[0], PHOTO)
        difference = [np.abs(result - PHOTO).mean() for result in results]
        assert difference == sorted(difference)
        assert difference[1] < 2 / 255
        assert difference[-1] > 0.05
        jumps = [np.abs(a - b).mean() for a, b in zip(results[4:], results[3:], strict=False)]
        assert max(jumps) < difference[-1]

    def test_a_blend_of_one_is_that_style_and_weights_are_shares(self, method):
        alone = method.stylize(PHOTO[None], ONE)
        np.testing.assert_allclose(method.stylize(PHOTO[None], Style.of([ONE, ONE], [1, 3])), alone, atol=2e-3)
        np.testing.assert_allclose(method.stylize(PHOTO[None], Style.of([ONE, TWO], [1e6, 1])), alone, atol=2e-3)
        even = method.stylize(PHOTO[None], Style.of([ONE, TWO]))
        np.testing.assert_array_equal(method.stylize(PHOTO[None], Style.of([ONE, TWO], [7, 7])), even)
        np.testing.assert_allclose(method.stylize(PHOTO[None], Style.of([TWO, ONE])), even, atol=2e-3)
        assert np.abs(even - alone).mean() > 0.005

    def test_the_same_style_in_all_regions_is_that_style(self, method):
        masks = halves(*PHOTO.shape[:2])
        result = method.stylize(PHOTO[None], Style.of([ONE, ONE]), regions=masks)
        np.testing.assert_allclose(result, method.stylize(PHOTO[None], ONE), atol=5e-3)

    def test_regions_and_pictures_belong_together(self, method):
        masks = halves(*PHOTO.shape[:2])
        result = method.stylize(PHOTO[None], Style.of([ONE, TWO]), regions=masks)
        same = method.stylize(PHOTO[None], Style.of([TWO, ONE]), regions=masks[::-1])
        np.testing.assert_allclose(result, same, atol=2e-3)
        swapped = method.stylize(PHOTO[None], Style.of([ONE, TWO]), regions=masks[::-1])
        assert np.abs(result - swapped).mean() > 0.01

    def test_a_region_that_is_everywhere(self, method):
        masks = np.stack([np.ones((*PHOTO.shape[:2], 1)), np.zeros((*PHOTO.shape[:2], 1))]).astype("float32")
        masks[1, 0, 0] = 1e-4  # a mask must be white somewhere
        result = method.stylize(PHOTO[None], Style.of([ONE, TWO]), regions=masks)
        np.testing.assert_allclose(result, method.stylize(PHOTO[None], ONE), atol=5e-3)

    def test_a_picture_does_not_depend_on_its_batch_mates(self, method):
        photos = np.stack([PHOTO, PHOTO[::-1] ** 2])
        both = method.stylize(photos, TWO)
        for photo, result in zip(photos, both, strict=True):
            np.testing.assert_array_equal(method.stylize(photo[None], TWO)[0], result)
        assert np.abs(both[0] - both[1]).mean() > 0.01

    def test_styles_from_a_name_a_file_and_an_array(self, method, data):
        name = "hiroshige_inokashira_snow"
        file = data / "styles" / f"{name}.jpg"
        results = [method.stylize(PHOTO[None], source) for source in (name, file, images.read(file))]
        np.testing.assert_array_equal(results[0], results[1])
        np.testing.assert_array_equal(results[0], results[2])
        assert method.styles is None

    def test_colors_are_kept_by_coral_and_by_luminance(self, method):
        red = np.float32([0.8, 0.3, 0.2]) + 0.1 * (PHOTO - 0.5)
        plain = method.stylize(red[None], ONE)
        for kind in "coral", "luminance":
            result = KeepColor(method, kind).stylize(red[None], ONE)
            assert result.shape == plain.shape
            assert np.abs(result - plain).mean() > 0.01
        recolored = method.stylize(red[None], Style("x", (images.resize(np.clip(red, 0, 1), 48),), (1.0,)))
        assert recolored.shape == plain.shape

    @pytest.mark.parametrize(
        ("arguments", "error", "words"),
        [
            ({"regions": halves(40, 56)[:1]}, SettingsError, "one mask per style picture"),
            ({"regions": halves(40, 55)}, SettingsError, "of the photo's size"),
            ({"regions": 0 * halves(40, 56)}, SettingsError, "white somewhere"),
            ({"strength": 1.5}, SettingsError, "Strength must be from 0"),
            ({"content": PHOTO}, ImageError, "add the batch axis"),
            ({"content": PHOTO[None, :15]}, ImageError, "at least 16 px"),
            ({"style": np.zeros((8, 40, 3), "float32")}, SettingsError, "too small for the network"),
        ],
    )
    def test_what_does_not_fit_is_one_sentence(self, method, arguments, error, words):
        given = {"content": PHOTO[None], "style": Style.of([ONE, TWO]), **arguments}
        with pytest.raises(error, match=words):
            method.stylize(**given)

    def test_a_picture_larger_than_memory_is_refused(self, method, monkeypatch):
        monkeypatch.setattr(machine, "memory_available", lambda: 10**6)
        with pytest.raises(ResourceError, match=r"Stylizing at 56x40 px needs about .* GB of memory"):
            method.stylize(PHOTO[None], ONE)
        assert method.memory_needed(2000, 1000) == pytest.approx(4 * method.memory_needed(1000, 500), rel=0.01)

    def test_weights_of_another_network_are_one_sentence(self, tmp_path):
        other = keras.Sequential([keras.Input((None, None, 3)), keras.layers.Conv2D(5, 3)])
        path = training.save_weights(other, tmp_path / "other.weights.h5")
        with pytest.raises(WeightsError, match="does not hold the weights of this network"):
            adain.AdaIN(path)

    def test_a_decoder_from_a_file(self, method, decoder, tmp_path):
        again = adain.AdaIN(training.save_weights(decoder, tmp_path / "decoder.weights.h5"))
        np.testing.assert_allclose(again.stylize(PHOTO[None], ONE), method.stylize(PHOTO[None], ONE), atol=0.1)


@pytest.fixture(scope="module")
def learner():
    keras.utils.set_random_seed(0)
    made = Learner(Decoder(dtype=training.layer_policy()))
    made.compile(optimizer=keras.optimizers.Adam(2e-3, global_clipnorm=1.0), jit_compile=False)
    return made


@pytest.mark.weights
class TestLearner:
    PHOTOS = np.stack([images.resize(PHOTO, (32, 32)), images.resize(PHOTO[::-1], (32, 32))])
    PICTURES = np.stack([images.resize(ONE, (32, 32)), images.resize(TWO, (32, 32))])

    def test_without_style_the_pictures_do_not_count(self, learner):
        none = np.zeros(2, "float32")
        one, other = (learner.terms(self.PHOTOS, p, none) for p in (self.PICTURES, self.PICTURES[::-1]))
        np.testing.assert_allclose(one.total, other.total, rtol=1e-5)
        full = learner.terms(self.PHOTOS, self.PICTURES, none + 1)
        assert abs(float(full.total - one.total)) > 0.01

    def test_the_terms_are_those_of_the_picture_that_the_network_makes(self, learner):
        """The objective of other methods, at full strength, on the decoder's output."""
        objective, ones = learner.objective, np.ones(2, "float32")
        features = objective.extractor(self.PHOTOS)
        style = style_moments(objective.extractor(self.PICTURES))
        normalized = {**features, ENCODED: adain.adain(features[ENCODED], style[ENCODED])}
        result = learner.network((normalized, style))
        wanted = objective(result, objective.content_target(self.PHOTOS), objective.style_target(self.PICTURES))
        for got, value in zip(learner.terms(self.PHOTOS, self.PICTURES, ones), wanted, strict=True):
            np.testing.assert_allclose(got, value, rtol=1e-4)

    def test_it_overfits_one_batch(self, learner):
        batch = (self.PHOTOS, self.PICTURES, np.ones(2, "float32"))
        frozen = [w.numpy() for w in learner.objective.extractor.network.weights]
        data = tf.data.Dataset.from_tensors(batch)
        log = learner.fit(data.repeat(), steps_per_epoch=5, epochs=6, shuffle=False, verbose=0).history["loss"]
        assert log[-1] < 0.6 * log[0]
        assert all(
            np.array_equal(a, b) for a, b in zip(frozen, learner.objective.extractor.network.weights, strict=True)
        )
