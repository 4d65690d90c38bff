"""The style network with random weights: sizes, batches, flat pictures, files, and that it draws no checkerboard."""

import json
from dataclasses import asdict

import numpy as np
import pytest

from stylelab import metrics
from stylelab.backend import tf
from stylelab.errors import SettingsError, WeightsError
from stylelab.feedforward import network as network_module
from stylelab.feedforward.description import MULTIPLE, Architecture, description_of
from stylelab.feedforward.network import StyleNetwork, load, save
from stylelab.layers import padded
from stylelab.training import set_seed

TINY = Architecture(half=4, quarter=6, full=3, blocks=1, last=3)
TINY_SIZES = asdict(TINY)
ONE = np.array([[0, 1, 0]], "float32")
RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def network():
    set_seed(1)
    return StyleNetwork(["a", "b"], TINY)


def photo(height=32, width=24, count=1):
    return RNG.random((count, height, width, 3), dtype="float32")


@pytest.mark.parametrize("size", [(16, 16), (17, 31), (64, 20), (16, 101), (37, 19)])
def test_any_size_comes_back_through_padding(network, size):
    picture = padded(photo(*size), MULTIPLE)
    painted = network((picture, ONE))
    assert painted.shape == picture.shape
    assert painted.dtype == "float32"
    assert 0 <= picture.shape[1] - size[0] < MULTIPLE
    assert 0 <= picture.shape[2] - size[1] < MULTIPLE
    assert np.isfinite(painted).all()


def test_a_picture_does_not_depend_on_its_batch_mates(network):
    pictures, shares = photo(count=3), RNG.dirichlet(np.ones(3), 3).astype("float32")
    together = network((pictures, shares))
    for k in range(3):
        alone = network((pictures[k : k + 1], shares[k : k + 1]))
        np.testing.assert_allclose(together[k], alone[0], atol=1e-5)


def test_styles_differ_and_their_blend_lies_between(network):
    picture = photo()
    ends = [network((picture, np.eye(3, dtype="float32")[[s]])) for s in (1, 2)]
    half = network((picture, np.array([[0, 0.5, 0.5]], "float32")))
    apart = np.abs(ends[0] - ends[1]).mean()
    assert apart > 0
    assert max(np.abs(half - end).mean() for end in ends) < apart


@pytest.mark.parametrize("value", [0.0, 0.3, 1.0])
def test_a_constant_gives_a_flat_output_up_to_the_border(network, value):
    painted = network((np.full((1, 24, 32, 3), value, "float32"), ONE)).numpy()
    assert np.ptp(painted, axis=(1, 2)).max() < 1e-3


def test_own_moments_given_back_change_nothing(network):
    picture = photo()
    painted, used = network.with_moments(picture, ONE)
    again, _ = network.with_moments(picture, ONE, given=used)
    np.testing.assert_allclose(again, painted, atol=1e-6)
    np.testing.assert_allclose(network((picture, ONE)), painted, atol=1e-6)
    tables = [w for w in network.trainable_variables if w.name == "scale"]
    assert len(used) == len(tables)
    other, _ = network.with_moments(photo(), ONE, given=used)
    assert np.abs(other - network((picture, ONE))).max() > 1e-3, "the picture itself still counts"


def test_style_parameters_are_what_one_more_style_adds(network):
    larger = StyleNetwork(["a", "b", "c"], TINY)
    assert network.style_parameters() == larger.count_params() - network.count_params()
    normalized = [*[4, 6], *[6, 6], *[4, 3]]  # encoder, one block, decoder
    assert network.style_parameters() == 2 * sum(normalized)


def test_no_variable_is_half_precision():
    policies = {
        policy: {w.dtype for w in StyleNetwork(["a"], TINY, dtype=policy).variables}
        for policy in ("mixed_bfloat16", "mixed_float16")
    }
    assert all(dtypes == {"float32"} for dtypes in policies.values())


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_half_precision_paints_nearly_the_same(network, policy):
    half = StyleNetwork(["a", "b"], TINY, dtype=policy)
    half.set_weights(network.get_weights())
    picture = photo()
    painted = half((picture, ONE))
    assert painted.dtype == "float32"
    np.testing.assert_allclose(painted, network((picture, ONE)), atol=0.1)


# ---- what a network must have ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong", [{"half": 0}, {"quarter": 0}, {"full": 0}, {"blocks": 0}, {"last": 4}, {"last": -1}], ids=str
)
def test_an_architecture_of_nothing_is_refused(wrong):
    with pytest.raises(SettingsError, match="at least 1 channel and block everywhere, and an odd last kernel"):
        Architecture(**wrong)


@pytest.mark.parametrize(
    ("styles", "said"), [([], "at least one style"), (["a", "b", "a"], "different names, not a, b, a")]
)
def test_styles_need_different_names(styles, said):
    with pytest.raises(SettingsError, match=said):
        StyleNetwork(styles, TINY)


# ---- files -----------------------------------------------------------------------------------------------------


def test_saved_and_loaded_it_paints_the_same_picture(network, tmp_path):
    path = save(network, tmp_path / "net.weights.h5", seed=3)
    loaded, picture = load(path), photo()
    assert (loaded.styles, loaded.architecture) == (network.styles, network.architecture)
    np.testing.assert_allclose(loaded((picture, ONE)), network((picture, ONE)), atol=0.02)  # float16 on disk
    for mine, theirs in zip(network.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(mine.astype("float16"), theirs)
    assert json.loads(description_of(path).read_text())["seed"] == 3


def test_what_was_read_from_a_file_is_written_bit_by_bit(network, tmp_path):
    first = load(save(network, tmp_path / "first.weights.h5"))
    second = load(save(first, tmp_path / "second.weights.h5"))
    picture = photo()
    np.testing.assert_array_equal(second((picture, ONE)), first((picture, ONE)))


def described(path, **changes):
    beside = description_of(path)
    beside.write_text(json.dumps({**json.loads(beside.read_text()), **changes}))


@pytest.mark.parametrize(
    "harm",
    [
        lambda path: path.unlink(),
        lambda path: path.write_bytes(b"not HDF5"),
        lambda path: path.write_bytes(path.read_bytes()[:1000]),
        lambda path: described(path, styles=["a", "b", "c"]),
        lambda path: described(path, architecture={**TINY_SIZES, "half": 8}),
        lambda path: described(path, architecture={**TINY_SIZES, "blocks": 2}),
    ],
    ids=["missing", "no HDF5", "cut off", "another number of styles", "more channels", "one block more"],
)
def test_weights_that_do_not_fit_are_refused(network, tmp_path, harm):
    path = save(network, tmp_path / "net.weights.h5")
    harm(path)
    with pytest.raises(WeightsError, match=r"net\.weights\.h5 does not hold the weights of this network"):
        load(path)


@pytest.mark.parametrize(
    "harm",
    [
        lambda beside: beside.unlink(),
        lambda beside: beside.write_text("{"),
        lambda beside: beside.write_text('{"styles": ["a"]}'),
        lambda beside: beside.write_text('{"styles": ["a"], "architecture": {"width": 3}}'),
        lambda beside: beside.write_text('{"styles": [], "architecture": {}}'),
        lambda beside: beside.write_text('["a"]'),
    ],
    ids=["missing", "cut off", "no architecture", "unknown size", "no style", "a list"],
)
def test_a_description_that_does_not_fit_is_refused(network, tmp_path, harm):
    path = save(network, tmp_path / "net.weights.h5")
    harm(description_of(path))
    with pytest.raises(WeightsError, match=r"net\.json does not describe a style network"):
        load(path)


# ---- checkerboards ---------------------------------------------------------------------------------------------


def transposed(x):
    """Zeros between the pixels: with a convolution after it, a transposed convolution of stride 2."""
    batch, height, width, channels = x.shape
    spread = tf.pad(x[:, :, None, :, None], [(0, 0), (0, 0), (0, 1), (0, 0), (0, 1), (0, 0)])
    return tf.reshape(spread, (batch, 2 * height, 2 * width, channels))


def test_random_weights_draw_no_checkerboard(monkeypatch):
    """Some seeds happen to draw little of it even so: the median of several counts."""
    smooth = tf.image.resize(RNG.random((1, 8, 8, 3), dtype="float32"), (96, 96), "bicubic")

    def drawn(seed):
        set_seed(seed)
        painted = StyleNetwork(["a", "b"], TINY)((smooth, ONE)).numpy()[0]
        return metrics.checkerboard(np.clip((painted - painted.mean()) / (6 * painted.std()) + 0.5, 0, 1))

    ours = np.median([drawn(seed) for seed in range(5)])
    monkeypatch.setattr(network_module, "enlarged", transposed)
    theirs = np.median([drawn(seed) for seed in range(5)])
    assert ours < 20
    assert theirs > 5 * ours
