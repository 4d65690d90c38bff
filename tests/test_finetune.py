"""Adding styles to a network: what trains, what stays to the last bit, and how many parameters that is.

The training itself is feedforward's; here small networks with random weights take one step of it by hand, and one test
trains a style as a chapter does.
"""

import numpy as np
import pytest

from stylelab import finetune, samples, training
from stylelab.backend import keras, tf
from stylelab.errors import SettingsError
from stylelab.feedforward import Architecture, StyleNetwork
from stylelab.feedforward import network as files

SMALL = Architecture(half=6, quarter=8, full=4, blocks=1, last=3)
# (kernel, channels in, channels out) of its convolutions, by hand: two to encode, two a block, two to decode, the last.
CONVOLUTIONS = [(3, 12, 6), (3, 6, 8), *[(3, 8, 8)] * 2, (3, 8, 6), (3, 6, 4), (3, 4, 3)]
NORMALIZED = 6 + 8 + 2 * 8 + 6 + 4
STYLES = ["wave", "night", "snow"]


@pytest.fixture
def network():
    """A network whose tables differ from style to style, as trained ones do."""
    keras.utils.set_random_seed(0)
    made = StyleNetwork(STYLES, SMALL)
    rng = np.random.default_rng(0)
    for variable in made.weights:
        if variable.name in ("scale", "shift", "bias"):
            variable.assign(variable.numpy() + rng.normal(0, 0.3, variable.shape))
    return made


def photos(seed=0, size=24):
    return np.random.default_rng(seed).random((2, size, size, 3), "float32")


def painted(network, name):
    shares = np.zeros((2, 1 + len(network.styles)), "float32")
    shares[:, 0 if name is None else 1 + network.styles.index(name)] = 1
    return network((photos(), shares)).numpy()


def state(network):
    return {variable.path: variable.numpy() for variable in network.weights}


def step(network, rate=0.1):
    """One step of Adam towards a random picture, on all styles at once."""
    count = 1 + len(network.styles)
    shares = np.full((2, count), 1 / count, "float32")
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.square(network((photos(), shares)) - photos(1)))
    variables = network.trainable_variables
    keras.optimizers.Adam(rate).apply(tape.gradient(loss, variables), variables)


def changed(network, act):
    before = state(network)
    act()
    return {
        path.rpartition("/")[2] for path, value in state(network).items() if not np.array_equal(before[path], value)
    }


def rows(network):
    return [variable.numpy() for variable in network.weights if variable.name in ("scale", "shift")]


# ---- with_styles -------------------------------------------------------------------------------------------------


def test_new_styles_begin_in_the_middle_and_known_ones_stay(network):
    new = finetune.with_styles(network, ["mine", "night", "other"])
    assert new.styles == ["mine", "night", "other"]
    for old, fresh in zip(rows(network), rows(new), strict=True):
        middle = (old[1] + old[2] + old[3]) / 3
        np.testing.assert_allclose(fresh, [old[0], middle, old[2], middle], rtol=1e-6)
    for name in (None, "night"):
        np.testing.assert_array_equal(painted(new, name), painted(network, name))
    np.testing.assert_array_equal(painted(new, "mine"), painted(new, "other"))
    assert not np.allclose(painted(new, "mine"), painted(new, None), atol=1e-2)


def test_the_given_network_stays_as_it_is(network):
    finetune.only_norm(network)
    before = state(network)
    new = finetune.with_styles(network, ["mine"])
    finetune.everything(new)
    step(new)
    assert network.styles == STYLES
    assert len(network.trainable_variables) == 2 * 6
    for path, value in state(network).items():
        np.testing.assert_array_equal(value, before[path])


def test_the_new_network_may_train_whatever_was_frozen_in_the_old(network):
    finetune.only_norm(network)
    new = finetune.with_styles(network, ["mine"])
    assert len(new.trainable_variables) == len(new.weights)


@pytest.mark.parametrize(("names", "words"), [([], "at least one style"), (["a", "b", "a"], "different names")])
def test_names_that_make_no_network(network, names, words):
    with pytest.raises(SettingsError, match=words):
        finetune.with_styles(network, names)


# ---- what trains -------------------------------------------------------------------------------------------------


def test_only_norm_trains_the_tables_and_nothing_else(network):
    count = finetune.only_norm(network)
    assert count == 2 * NORMALIZED * 4 == network.style_parameters() * 4
    assert changed(network, lambda: step(network)) == {"scale", "shift"}


def test_everything_is_everything(network):
    finetune.only_norm(network)
    kernels = sum(k * k * cin * cout for k, cin, cout in CONVOLUTIONS)
    assert finetune.everything(network) == kernels + 3 + 2 * NORMALIZED * 4
    assert finetune.share(network) == 1
    assert changed(network, lambda: step(network)) == {"kernel", "bias", "scale", "shift"}


@pytest.mark.parametrize("rank", [1, 4, 5])
def test_adapters_begin_at_the_same_output_and_train_alone(network, rank):
    before = painted(network, "night")
    kernels = sum(k * k * cin * cout for k, cin, cout in CONVOLUTIONS)
    ranks = [min(rank, cout) for _, _, cout in CONVOLUTIONS]  # the last has three filters
    expected = sum(r * (k * k * cin + cout) for r, (k, cin, cout) in zip(ranks, CONVOLUTIONS, strict=True))
    assert finetune.adapters(network, rank) == finetune.trainable(network) == expected
    assert finetune.share(network) == pytest.approx(expected / (kernels + 3 + 2 * NORMALIZED * 4))
    np.testing.assert_array_equal(painted(network, "night"), before)
    assert changed(network, lambda: step(network)) == {"lora_kernel_b"}, "with B = 0 the gradient of A is zero"
    assert changed(network, lambda: step(network)) == {"lora_kernel_a", "lora_kernel_b"}
    assert not np.allclose(painted(network, "night"), before, atol=1e-3)


def test_adapters_after_only_norm_and_the_other_way_round(network):
    finetune.only_norm(network)
    finetune.adapters(network, 2)
    assert {v.name for v in network.trainable_variables} == {"lora_kernel_a", "lora_kernel_b"}
    finetune.only_norm(network)
    assert {v.name for v in network.trainable_variables} == {"scale", "shift"}


@pytest.mark.parametrize("rank", [0, -3])
def test_no_rank_below_one(network, rank):
    with pytest.raises(SettingsError, match=f"at least 1, not {rank}"):
        finetune.adapters(network, rank)


def test_adapters_twice(network):
    finetune.adapters(network, 1)
    with pytest.raises(SettingsError, match="adapters already"):
        finetune.adapters(network, 1)
    finetune.adapters(finetune.with_styles(network, network.styles), 1)


# ---- keeping what was trained ------------------------------------------------------------------------------------


def adapted(network, rank=2):
    finetune.adapters(network, rank)
    for _ in range(3):
        step(network)
    return network


def test_merged_adapters_paint_as_they_did_and_are_no_adapters(network):
    adapted(network)
    merged = finetune.with_styles(network, STYLES)
    assert not [v.name for v in merged.weights if "lora" in v.name]
    for name in (None, *STYLES):
        np.testing.assert_allclose(painted(merged, name), painted(network, name), atol=1e-5)


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_adapters_survive_save_and_load(network, tmp_path, dtype):
    """What is read back is the float32 sum of kernel and adapter, rounded to float16 once; under any policy."""
    other = StyleNetwork(STYLES, SMALL, dtype=dtype)
    other.set_weights(network.get_weights())
    adapted(other)
    files.save(finetune.with_styles(other, STYLES), tmp_path / "new.weights.h5")
    loaded = files.load(tmp_path / "new.weights.h5")
    for layer, after in zip(other.layers, loaded.layers, strict=True):
        if isinstance(layer, keras.layers.Conv2D):
            parts = {v.name: v.numpy().astype("float64") for v in layer.weights}
            product = np.einsum("hwir,ro->hwio", parts["lora_kernel_a"], parts["lora_kernel_b"])
            assert np.abs(product).max() > 0.01
            np.testing.assert_allclose(after.kernel.numpy(), parts["kernel"] + product, rtol=2**-11, atol=1e-7)
    if dtype == "float32":
        np.testing.assert_allclose(painted(loaded, "snow"), painted(other, "snow"), atol=2e-2)


def test_an_added_style_leaves_the_others_as_they_were(network):
    new = finetune.with_styles(network, ["mine"])
    finetune.only_norm(new)
    for _ in range(3):
        step(new)  # which moves the photo's own style too
    both = finetune.add_styles(network, new)
    assert both.styles == [*STYLES, "mine"]
    for name in (None, *STYLES):
        np.testing.assert_array_equal(painted(both, name), painted(network, name))
    np.testing.assert_array_equal(painted(both, "mine"), painted(new, "mine"))
    assert not np.array_equal(painted(new, None), painted(network, None))


def test_a_style_cannot_be_added_to_other_convolutions(network):
    for act in (finetune.everything, lambda n: finetune.adapters(n, 1)):
        new = finetune.with_styles(network, ["mine"])
        act(new)
        step(new)
        with pytest.raises(SettingsError, match="different convolutions"):
            finetune.add_styles(network, new)
        with pytest.raises(SettingsError, match="different convolutions"):
            finetune.add_styles(network, finetune.with_styles(new, ["mine"]))
    for other in (Architecture(6, 8, 4, 2, 3), Architecture(6, 8, 5, 1, 3)):
        with pytest.raises(SettingsError, match="different convolutions"):
            finetune.add_styles(network, StyleNetwork(["mine"], other))


def test_a_style_cannot_be_added_twice(network):
    with pytest.raises(SettingsError, match="different names"):
        finetune.add_styles(network, finetune.with_styles(network, ["snow"]))


# ---- as a chapter trains it --------------------------------------------------------------------------------------


@pytest.mark.weights
@pytest.mark.parametrize("choose", [finetune.only_norm, lambda n: finetune.adapters(n, 2)], ids=["norm", "adapters"])
def test_a_new_style_is_learned_and_the_rest_does_not_move(network, tmp_path, choose):
    from stylelab.datasets import stream
    from stylelab.feedforward import Learner
    from stylelab.feedforward.learn import full_styles, shares

    new = finetune.with_styles(network, ["brick"])
    choose(new)
    learner = Learner(new, [samples.load("brick")[:64, :64]])
    learner.compile(keras.optimizers.Adam(0.02))
    train = [samples.path(name) for name in ("crab", "giraffe")]
    held_out = full_styles([samples.path("mountain")], 1, 32, 1)
    before, frozen = learner.evaluate(held_out, verbose=0, return_dict=True)["loss"], state(new)

    def batches(first):
        return stream(train, 32, 2, first=first, extra=shares(1))

    log = training.fit(learner, batches, training.Plan(20, 10), tmp_path, held_out)
    assert log[-1]["held_out"] < 0.8 * before
    moved = {variable.path for variable in new.trainable_variables}
    for path, value in state(new).items():
        assert np.array_equal(value, frozen[path]) == (path not in moved)
