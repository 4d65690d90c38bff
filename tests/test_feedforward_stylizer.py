"""The stylizer around the network: every method's contract, the engines' parity, a start without TensorFlow."""

import itertools
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from stylelab import engines, images, samples, stylizers
from stylelab.backend import keras
from stylelab.errors import ResourceError, SettingsError, WeightsError
from stylelab.feedforward import Architecture, FeedForward, StyleNetwork
from stylelab.feedforward.network import save
from stylelab.stylizers import Style

ROOT = Path(__file__).resolve().parent.parent
TINY = Architecture(half=4, quarter=6, full=3, blocks=1, last=3)
STEP = 1 / 255
RNG = np.random.default_rng(0)
PHOTOS = RNG.random((2, 24, 20, 3), "float32")


def network(dtype="float32"):
    keras.utils.set_random_seed(3)
    return StyleNetwork(["a", "b"], TINY, dtype=dtype)


@pytest.fixture(scope="module")
def stylizer():
    return FeedForward(network=network())


@pytest.fixture(scope="module")
def saved(stylizer, tmp_path_factory):
    return save(stylizer.network, tmp_path_factory.mktemp("saved") / "net.weights.h5").parent


@pytest.fixture
def weights(saved, tmp_path):
    """A file of one's own, with the weights of :func:`stylizer`."""
    return Path(shutil.copytree(saved, tmp_path / "copy")) / "net.weights.h5"


needs_openvino = pytest.mark.skipif(not engines._openvino(), reason="OpenVINO is not installed (extra 'fast')")


class TestContract:
    @pytest.mark.parametrize("size", [(16, 16), (17, 16), (18, 31), (19, 64), (48, 33)])
    def test_any_size_stays_and_is_a_picture(self, stylizer, size):
        photo = RNG.random((1, *size, 3), "float32")
        result = stylizer.stylize(photo, "a")
        assert result.shape == photo.shape
        assert result.dtype == np.float32
        assert 0 <= result.min() < result.max() <= 1

    def test_batch_mates_do_not_matter(self, stylizer):
        together = stylizer.stylize(PHOTOS, "a")
        assert np.array_equal(together[1:], stylizer.stylize(PHOTOS[1:], "a"))
        assert not np.array_equal(together[0], together[1])

    def test_it_is_the_network_clipped(self, stylizer):
        """On sides that are multiples of 4 nothing is added to the network but the limits."""
        share = np.array([[0, 0, 1]], "float32")
        expected = np.clip(stylizer.network((PHOTOS, np.repeat(share, 2, 0))), 0, 1)
        np.testing.assert_allclose(stylizer.stylize(PHOTOS, "b"), expected, atol=1e-5)

    def test_an_odd_size_is_the_mirrored_picture_s_part(self, stylizer):
        odd = PHOTOS[:1, :21, :18]
        whole = np.pad(odd, [(0, 0), (0, 3), (0, 2), (0, 0)], "reflect")
        assert np.array_equal(stylizer.stylize(odd, "a"), stylizer.stylize(whole, "a")[:, :21, :18])

    def test_more_memory_than_there_is_is_refused(self, stylizer, monkeypatch):
        monkeypatch.setattr("stylelab.machine.memory_available", lambda: 10_000)
        with pytest.raises(ResourceError, match="20x24 px needs about"):
            stylizer.stylize(PHOTOS, "a")

    def test_the_estimate_grows_with_pixels_and_precision(self, stylizer):
        assert stylizer.memory_needed(200, 100) == 4 * stylizer.memory_needed(100, 50)
        half = FeedForward(network=network("mixed_bfloat16"))
        assert half.memory_needed(100, 50) < stylizer.memory_needed(100, 50)

    def test_the_registry_makes_one(self, weights):
        made = stylizers.get("fast", weights=weights, engine="tensorflow")
        assert made.styles == ("a", "b")


class TestStyles:
    def test_a_blend_of_one_is_that_style(self, stylizer):
        alone = stylizer.stylize(PHOTOS, "a")
        assert np.array_equal(stylizer.stylize(PHOTOS, Style.trained(["a"], [0.3])), alone)
        np.testing.assert_allclose(stylizer.stylize(PHOTOS, ["a", "a"]), alone, atol=1e-6)

    def test_weights_are_shares(self, stylizer):
        blend = stylizer.stylize(PHOTOS, Style.trained(["a", "b"], [1, 3]))
        np.testing.assert_allclose(stylizer.stylize(PHOTOS, Style.trained(["b", "a"], [6, 2])), blend, atol=1e-6)
        assert np.abs(blend - stylizer.stylize(PHOTOS, Style.trained(["a", "b"], [3, 1]))).max() > STEP

    def test_shares_sum_to_one_and_the_photo_has_the_rest(self, stylizer):
        shares = stylizer.shares(Style.trained(["b", "a", "b"], [1, 1, 2]), 0.5)
        np.testing.assert_allclose(shares, [[0.5, 0.125, 0.375]])

    def test_a_shipped_painting_is_known_by_its_name(self):
        name = samples.names("styles")[0]
        keras.utils.set_random_seed(0)
        stylizer = FeedForward(network=StyleNetwork([name], TINY))
        assert np.array_equal(stylizer.stylize(PHOTOS, Style.of(name)), stylizer.stylize(PHOTOS, name))

    @pytest.mark.parametrize("style", ["c", ["a", "c"], PHOTOS[0], Style("own", (PHOTOS[0],), (1.0,), ("",))])
    def test_what_was_not_trained_is_refused_with_what_was(self, stylizer, style):
        with pytest.raises(SettingsError, match=r"not trained for .* choose one of a, b, or the method 'any'"):
            stylizer.stylize(PHOTOS, style)


class TestStrength:
    def test_none_is_the_photo(self, stylizer):
        assert np.array_equal(stylizer.stylize(PHOTOS, "a", strength=0), PHOTOS)

    def test_it_begins_at_the_photo_whatever_the_network_makes_of_it(self, stylizer):
        """An untrained network does not keep a photo at all; the correction has to."""
        assert np.abs(stylizer.stylize(PHOTOS, "a", strength=0.001) - PHOTOS).max() < 2 * STEP

    def test_it_ends_at_the_full_style(self, stylizer):
        nearly = stylizer.stylize(PHOTOS, "a", strength=0.999)
        assert np.abs(nearly - stylizer.stylize(PHOTOS, "a")).max() < 2 * STEP

    def test_between_it_goes_without_a_jump(self, stylizer):
        steps = [stylizer.stylize(PHOTOS[:1], "a", strength=k / 20) for k in range(21)]
        moved = [np.abs(after - before).mean() for before, after in itertools.pairwise(steps)]
        whole = np.abs(steps[-1] - steps[0]).mean()
        assert max(moved) < 0.2 * whole


class TestOfALiveNetwork:
    def test_what_it_learns_shows_at_once(self):
        live = network()
        stylizer = FeedForward(network=live)
        assert stylizer.engine == "tensorflow"
        before = stylizer.stylize(PHOTOS, "a")
        live.last.bias.assign_add([0.5, 0.0, 0.0])
        assert (stylizer.stylize(PHOTOS, "a") - before)[..., 0].mean() > 10 * STEP

    @pytest.mark.parametrize(("dtype", "expected"), [("float32", "float32"), ("mixed_bfloat16", "bfloat16")])
    def test_its_precision_is_its_own(self, dtype, expected):
        assert FeedForward(network=network(dtype)).precision == expected

    def test_another_precision_than_its_own_is_refused(self):
        with pytest.raises(SettingsError, match="computes in float32"):
            FeedForward(network=network(), precision="bfloat16")


class TestOfAFile:
    def test_it_is_the_network_that_was_saved(self, stylizer, weights):
        read = FeedForward(weights, engine="tensorflow", precision="float32")
        assert np.abs(read.stylize(PHOTOS, "b") - stylizer.stylize(PHOTOS, "b")).max() < STEP  # float16 on disk

    @pytest.mark.parametrize("precision", ["float32", "bfloat16"])
    def test_tensorflow_computes_in_the_precision_asked_for(self, weights, precision):
        stylizer = FeedForward(weights, engine="tensorflow", precision=precision)
        assert stylizer.network.compute_dtype == precision

    @pytest.mark.parametrize("engine", ["tensorflow", "auto"])
    def test_a_missing_or_damaged_file_is_told_before_the_first_photo(self, weights, engine):
        beside = Path(str(weights).replace(".weights.h5", ".json"))
        content = weights.read_bytes()
        weights.write_bytes(content[: len(content) // 2])
        with pytest.raises(WeightsError, match=r"net\.weights\.h5"):
            FeedForward(weights, engine=engine)
        weights.unlink()
        with pytest.raises(WeightsError, match=r"net\.weights\.h5"):
            FeedForward(weights, engine=engine)
        beside.unlink()
        with pytest.raises(WeightsError, match=r"net\.json"):
            FeedForward(weights, engine=engine)

    @pytest.mark.parametrize("facts", [{}, {"styles": [], "architecture": {}}, {"styles": ["a", "a"]}, [], "text"])
    def test_a_description_that_is_none_is_refused(self, weights, facts):
        Path(str(weights).replace(".weights.h5", ".json")).write_text(json.dumps(facts))
        with pytest.raises(WeightsError, match=r"net\.json does not describe a style network"):
            FeedForward(weights)

    def test_an_unknown_engine_is_refused(self, weights):
        with pytest.raises(SettingsError, match="choose one of auto"):
            FeedForward(weights, engine="fastest")


WATCHED = """
import sys
import numpy as np
from stylelab import stylizers
stylizer = stylizers.get("fast", weights=sys.argv[1])
result = stylizer.stylize(np.load(sys.argv[2]), "b", strength=0.5)
np.save(sys.argv[3], result)
print(stylizer.engine, "tensorflow" in sys.modules)
"""


@needs_openvino
class TestOpenVINO:
    def test_it_agrees_with_tensorflow(self, weights):
        each = [FeedForward(weights, engine=e, precision="float32") for e in ("tensorflow", "openvino")]
        for size in [(24, 20), (17, 50), (64, 64), (16, 16)]:
            photo = RNG.random((1, *size, 3), "float32")
            for style, strength in [("a", 1.0), (["a", "b"], 0.6)]:
                first, second = (stylizer.stylize(photo, style, strength=strength) for stylizer in each)
                assert np.abs(first - second).max() < STEP

    def test_a_network_in_place_of_a_file(self):
        """Converted as it was; what it learns later is not seen."""
        live = network()
        stylizer = FeedForward(network=live, engine="openvino")
        expected = FeedForward(network=live).stylize(PHOTOS, "a")
        live.last.bias.assign_add([0.5, 0.0, 0.0])
        assert np.abs(stylizer.stylize(PHOTOS, "a") - expected).max() < STEP
        # Made after that, it has the new weights and not the kept copy of the old.
        after = FeedForward(network=live).stylize(PHOTOS, "a")
        assert np.abs(FeedForward(network=live, engine="openvino").stylize(PHOTOS, "a") - after).max() < STEP

    def test_other_weights_in_the_same_file_are_other_pictures(self, weights):
        before = FeedForward(weights, engine="openvino").stylize(PHOTOS, "a")
        other = network()
        other.last.bias.assign_add([0.5, 0.0, 0.0])
        save(other, weights)
        assert (FeedForward(weights, engine="openvino").stylize(PHOTOS, "a") - before)[..., 0].mean() > 10 * STEP

    def test_once_converted_it_starts_without_tensorflow_and_in_silence(self, weights, tmp_path):
        photos, result = tmp_path / "photos.npy", tmp_path / "result.npy"
        np.save(photos, PHOTOS)
        expected = FeedForward(weights, engine="openvino").stylize(PHOTOS, "b", strength=0.5)
        command = [sys.executable, "-c", WATCHED, str(weights), str(photos), str(result)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert (done.stdout, done.stderr) == ("openvino False\n", "")
        assert np.array_equal(np.load(result), expected)


@pytest.mark.weights
@needs_openvino
@pytest.mark.parametrize("product", ["sneaker_black", "leather_sofa"])
def test_the_shipped_network_is_the_same_in_both_engines(product):
    photo = images.resize(samples.load(product), 256)[None]
    file = samples.weights("feedforward")
    for style in FeedForward(file).styles[::4]:
        first, second = (
            FeedForward(file, engine=engine, precision="float32").stylize(photo, style)
            for engine in ("tensorflow", "openvino")
        )
        assert np.abs(first - second).max() < STEP
