"""The runtimes: one function gives the same numbers in each, and the kept copy is right or is made anew."""

import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from stylelab import engines
from stylelab.backend import tf
from stylelab.errors import ImageError, SettingsError

SHAPES = [(1, None, None, 3), (1, 4)]
RNG = np.random.default_rng(0)
KERNEL = RNG.normal(size=(3, 3, 3, 4)).astype("float32")
PICTURE = RNG.random((1, 20, 28, 3), "float32")
SHARES = RNG.random((1, 4), "float32")


def blur(picture, shares):
    """A convolution with mirrored borders, weighted: what our networks are made of."""
    padded = tf.pad(picture, [(0, 0), (1, 1), (1, 1), (0, 0)], "REFLECT")
    return tf.nn.conv2d(padded, KERNEL, 1, "VALID") * shares[:, None, None]


def by_numpy(picture, shares):
    """The same by nine shifted products, in float64."""
    height, width = picture.shape[1:3]
    padded = np.pad(picture[0].astype("float64"), [(1, 1), (1, 1), (0, 0)], "reflect")
    terms = (padded[i : i + height, j : j + width] @ KERNEL[i, j] for i in range(3) for j in range(3))
    return (sum(terms) * shares[0])[None]


def unwanted():
    raise AssertionError("the copy on disk was not used")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    monkeypatch.setenv("STYLELAB_CACHE", str(folder))
    return folder


def compiled(engine, make=lambda: blur, shapes=SHAPES, precision="float32", key=b"blur"):
    return engines.compiled(make, shapes, engine=engine, precision=precision, key=key)


class TestSettled:
    def test_what_is_asked_for_is_taken(self):
        assert engines.settled("tensorflow", "float32") == ("tensorflow", "float32")
        assert engines.settled("tensorflow", "bfloat16") == ("tensorflow", "bfloat16")

    @pytest.mark.parametrize(("engine", "precision"), [("onnx", None), ("auto", "float16"), ("", None), ("auto", "")])
    def test_an_unknown_name_is_refused_with_the_known_ones(self, engine, precision):
        with pytest.raises(SettingsError, match="choose"):
            engines.settled(engine, precision)

    @pytest.mark.parametrize(
        ("installed", "gpu", "expected"),
        [(True, False, "openvino"), (True, True, "tensorflow"), (False, False, "tensorflow")],
    )
    def test_auto_is_openvino_where_it_is_installed_and_no_gpu_is_there(self, monkeypatch, installed, gpu, expected):
        monkeypatch.setattr(engines, "_openvino", lambda: installed)
        monkeypatch.setattr(engines, "_gpu", lambda: gpu)
        assert engines.settled()[0] == expected

    def test_an_engine_that_is_missing_is_named_with_its_remedy(self, monkeypatch):
        monkeypatch.setattr(engines, "_openvino", lambda: None)
        with pytest.raises(SettingsError, match=r"OpenVINO is not installed.*pip install -e '\.\[fast\]'"):
            engines.settled("openvino")

    def test_a_package_that_does_not_load_is_none(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "openvino", None)
        assert engines._openvino.__wrapped__() is None

    @pytest.mark.parametrize(("has", "expected"), [(True, "bfloat16"), (False, "float32")])
    def test_openvino_s_precision_is_the_processor_s(self, monkeypatch, has, expected):
        monkeypatch.setattr(engines, "_openvino", lambda: True)
        monkeypatch.setattr(engines, "cpu_has_bfloat16", lambda: has)
        assert engines.settled("openvino") == ("openvino", expected)

    @pytest.mark.parametrize(
        ("hardware", "expected"), [("bfloat16", "bfloat16"), ("mixed_float16", "float32"), ("float32", "float32")]
    )
    def test_tensorflow_s_precision_is_that_of_training(self, monkeypatch, hardware, expected):
        monkeypatch.setattr("stylelab.training.precision", lambda: hardware)
        assert engines.settled("tensorflow")[1] == expected

    def test_a_gpu_is_what_tensorflow_calls_one(self, monkeypatch):
        monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["GPU:0"])
        monkeypatch.setattr(engines.Path, "exists", lambda path: str(path) == "/dev/nvidia0")
        assert engines._gpu()
        monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [])
        assert not engines._gpu()


def test_tensorflow_gives_the_formula_s_numbers_at_any_size():
    run = compiled("tensorflow")
    for height, width in [(20, 28), (16, 17), (33, 16)]:
        picture = RNG.random((1, height, width, 3), "float32")
        np.testing.assert_allclose(run(picture, SHARES), by_numpy(picture, SHARES), atol=1e-5)


class TestOpenVINO:
    @pytest.fixture(autouse=True)
    def installed(self, cache):
        pytest.importorskip("openvino", reason="OpenVINO is not installed (extra 'fast')")

    def test_it_gives_the_formula_s_numbers_at_any_size(self):
        run = compiled("openvino")
        for height, width in [(20, 28), (16, 17), (33, 16), (20, 28)]:
            picture = RNG.random((1, height, width, 3), "float32")
            found = run(picture, SHARES)
            assert found.dtype == np.float32
            np.testing.assert_allclose(found, by_numpy(picture, SHARES), atol=1e-5)

    def test_bfloat16_is_near(self):
        run, expected = compiled("openvino", precision="bfloat16"), by_numpy(PICTURE, SHARES)
        # 8 bits of mantissa, and a sum of 27 rounded products.
        np.testing.assert_allclose(run(PICTURE, SHARES), expected, atol=np.abs(expected).max() * 27 * 2**-8)

    def test_views_and_other_types_are_taken(self):
        run = compiled("openvino")
        turned = PICTURE.swapaxes(1, 2)
        np.testing.assert_allclose(run(turned, SHARES.astype("float64")), by_numpy(turned, SHARES), atol=1e-5)

    def test_a_result_stays_when_the_next_comes(self):
        run = compiled("openvino")
        first = run(PICTURE, SHARES)
        before = first.copy()
        run(1 - PICTURE, SHARES)
        assert np.array_equal(first, before)

    def test_any_thread_may_call_it(self):
        run = compiled("openvino")
        pictures = [RNG.random((1, 16 + k, 24, 3), "float32") for k in range(12)]
        with ThreadPoolExecutor(6) as pool:
            found = list(pool.map(lambda picture: run(picture, SHARES), pictures))
        for picture, result in zip(pictures, found, strict=True):
            np.testing.assert_allclose(result, by_numpy(picture, SHARES), atol=1e-5)

    def test_what_make_builds_is_built_before_it_is_traced(self):
        """A variable that is made while TensorFlow traces has its first value only in the graph, and not in fact."""

        def make():
            scale = tf.Variable(1.0)
            scale.assign(3.0)
            return lambda picture, shares: blur(picture, shares) * scale

        found = compiled("openvino", make)(PICTURE, SHARES)
        np.testing.assert_allclose(found, 3 * by_numpy(PICTURE, SHARES), atol=1e-4)

    def test_nothing_is_reported_to_its_maker(self):
        compiled("openvino")
        assert sys.modules["openvino_telemetry"] is None


class TestCache:
    @pytest.fixture(autouse=True)
    def installed(self):
        pytest.importorskip("openvino", reason="OpenVINO is not installed (extra 'fast')")

    def test_the_second_time_nothing_is_converted(self, cache):
        first = compiled("openvino")(PICTURE, SHARES)
        second = compiled("openvino", unwanted)(PICTURE, SHARES)
        assert np.array_equal(first, second)
        assert len(list(cache.iterdir())) == 1

    def test_one_copy_serves_both_precisions(self, cache):
        compiled("openvino")
        compiled("openvino", unwanted, precision="bfloat16")

    @pytest.mark.parametrize(
        "other", [{"key": b"other"}, {"shapes": [(1, None, 28, 3), (1, 4)]}], ids=["key", "shapes"]
    )
    def test_another_key_or_shape_is_another_copy(self, cache, other):
        compiled("openvino")
        with pytest.raises(AssertionError, match="was not used"):
            compiled("openvino", unwanted, **other)

    def test_another_version_is_another_copy(self, cache, monkeypatch):
        compiled("openvino")
        monkeypatch.setattr(engines.importlib.metadata, "version", lambda name: "99.0")
        with pytest.raises(AssertionError, match="was not used"):
            compiled("openvino", unwanted)

    @pytest.mark.parametrize(
        "damage",
        [
            lambda content: content[:20],
            lambda content: content[:-1],
            *(lambda content, k=k: content[:k] + bytes([content[k] ^ 1]) + content[k + 1 :] for k in (0, 35, -5)),
        ],
        ids=["a stump", "cut", "other hash", "other length", "other weight"],
    )
    def test_a_damaged_copy_is_made_anew(self, cache, damage):
        compiled("openvino")
        (file,) = cache.iterdir()
        whole = file.read_bytes()
        file.write_bytes(damage(whole))
        found = compiled("openvino")(PICTURE, SHARES)
        np.testing.assert_allclose(found, by_numpy(PICTURE, SHARES), atol=1e-5)
        compiled("openvino", unwanted)

    def test_a_folder_that_cannot_be_is_no_obstacle(self, cache):
        cache.write_text("a file stands where the folder should")
        found = compiled("openvino")(PICTURE, SHARES)
        np.testing.assert_allclose(found, by_numpy(PICTURE, SHARES), atol=1e-5)
        assert cache.read_text().startswith("a file")

    def test_a_full_or_read_only_disk_is_no_obstacle(self, cache, monkeypatch):
        def refuses(path, content):
            raise ImageError(f"{path} cannot be written: the disk is full; free some space.")

        monkeypatch.setattr(engines.files, "write", refuses)
        found = compiled("openvino")(PICTURE, SHARES)
        np.testing.assert_allclose(found, by_numpy(PICTURE, SHARES), atol=1e-5)

    def test_only_the_newest_are_kept(self, cache, monkeypatch):
        monkeypatch.setattr(engines, "KEPT", 2)
        for k in range(4):
            compiled("openvino", key=bytes([k]))
        assert len(list(cache.iterdir())) == 2
        compiled("openvino", unwanted, key=bytes([3]))


class TestFolder:
    def test_the_users_own_word_holds(self, monkeypatch, tmp_path):
        monkeypatch.setenv("STYLELAB_CACHE", str(tmp_path / "mine"))
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
        assert engines.cache_folder() == tmp_path / "mine"

    def test_else_it_is_in_the_folder_for_caches(self, monkeypatch, tmp_path):
        monkeypatch.delenv("STYLELAB_CACHE", raising=False)
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
        assert engines.cache_folder() == tmp_path / "xdg" / "stylelab"
        monkeypatch.delenv("XDG_CACHE_HOME")
        monkeypatch.setattr(engines.Path, "home", lambda: tmp_path)
        assert engines.cache_folder() == tmp_path / ".cache" / "stylelab"

    def test_without_a_home_there_is_none(self, monkeypatch):
        def nobody():
            raise RuntimeError("Could not determine home directory.")

        monkeypatch.delenv("STYLELAB_CACHE", raising=False)
        monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
        monkeypatch.setattr(engines.Path, "home", nobody)
        assert engines.cache_folder() is None
        if engines._openvino():
            found = compiled("openvino")(PICTURE, SHARES)
            np.testing.assert_allclose(found, by_numpy(PICTURE, SHARES), atol=1e-5)
