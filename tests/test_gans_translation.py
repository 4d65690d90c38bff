"""pix2pix and CycleGAN: networks, what a step changes, the replay pool, resuming, bad input; at 16 px.

All ours; objectives are the papers' formulas in NumPy.
"""

from itertools import count

import numpy as np
import pytest

from stylelab import datasets, training
from stylelab.backend import keras, tf
from stylelab.errors import ImageError, SettingsError
from stylelab.gans import CycleGAN, Draws, LinearDecay, Pix2Pix, Pool, adam, unet
from stylelab.gans.cyclegan import Both, residual_generator
from stylelab.training import Plan

RNG = np.random.default_rng(0)
INPUTS = RNG.random((6, 16, 16, 3)).astype("float32")
TARGETS = (1 - INPUTS[..., ::-1]) ** 2
PAIR = (tf.constant(INPUTS[:2]), tf.constant(TARGETS[:2]))
ALL = ("color", "translation", "cutout")


def values(network):
    return [weight.numpy() for weight in network.weights]


def differ(before, after):
    return [not np.array_equal(a, b) for a, b in zip(before, after, strict=True)]


def unmoved(network, before):
    """Paths of the weights that are what they were."""
    return [w.path for w, moved in zip(network.weights, differ(before, values(network)), strict=True) if not moved]


def pix2pix(**settings):
    keras.utils.set_random_seed(settings.pop("start", 0))
    model = Pix2Pix(16, **{"width": 4, "levels": 1, "dtype": "float32", **settings})
    model.compile(adam(1e-3), adam(1e-3), run_eagerly=True)
    return model


def cyclegan(**settings):
    keras.utils.set_random_seed(settings.pop("start", 0))
    model = CycleGAN(16, **{"width": 2, "blocks": 1, "levels": 1, "pool": 3, "dtype": "float32", **settings})
    model.compile(adam(1e-3), adam(1e-3), run_eagerly=True)
    return model


@pytest.fixture(scope="module")
def pairs():
    """A pix2pix after one step."""
    model = pix2pix()
    model.before = [values(part) for part in (model.generator, model.discriminator, model.sampler)]
    model.train_step(PAIR)
    return model


@pytest.fixture(scope="module")
def cycle():
    """A CycleGAN after one step."""
    model = cyclegan()
    model.before = [values(part) for part in (model.generator, model.discriminator, model.sampler)]
    model.train_step(PAIR)
    return model


class TestUnet:
    @pytest.mark.parametrize("size", [16, 32, 64])
    def test_shapes_and_range(self, size):
        pictures = unet(size, width=2, dtype="float32")(RNG.random((2, size, size, 3)).astype("float32"))
        assert pictures.shape == (2, size, size, 3)
        assert 0 <= float(tf.reduce_min(pictures)) < float(tf.reduce_max(pictures)) <= 1

    @pytest.mark.parametrize("size", [-16, 0, 2, 8, 17, 48])
    def test_sizes_that_cannot_be(self, size):
        with pytest.raises(SettingsError, match=f"give a power of two from 16 on, not {size} px"):
            unet(size)

    def test_channels_are_theirs(self):
        """Isola et al. (2017, appendix 6.1.1): C64-C128-C256-C512 x 5 down to 1 px at 256 px; ours begins at full size
        and ends at 2 px, and what comes up has what went down beside it."""
        kernels = [w.shape for w in unet(256, width=1, dtype="float32").trainable_weights if len(w.shape) == 4]
        down, (first, *up) = [k for k in kernels if k[0] == 4], [k for k in kernels if k[0] == 3]
        assert 64 * first[-1] == 64
        assert [64 * k[-1] for k in down] == [64, 128, 256, 512, 512, 512, 512]
        assert [64 * k[-1] for k in up[:-1]] == [512, 512, 512, 256, 128, 64, 64]
        assert [64 * k[-2] for k in up] == [512, 1024, 1024, 1024, 512, 256, 128, 128]

    def test_what_passes_beside_at_full_size_keeps_its_place(self):
        """With what comes up from below cut off, a pixel depends on the 5 x 5 around it: two convolutions 3 x 3."""
        network = unet(16, width=4, dtype="float32")
        last = [layer for layer in network.layers if isinstance(layer, keras.layers.Conv2D)][-1]
        kernel = last.kernel.numpy()
        kernel[:, :, :4] = 0
        last.kernel.assign(kernel)
        x = tf.constant(INPUTS[:1])
        with tf.GradientTape() as tape:
            tape.watch(x)
            pixel = tf.reduce_sum(network(x)[0, 8, 7])
        reached = tf.reduce_any(tape.gradient(pixel, x)[0] != 0, -1).numpy()
        allowed = np.zeros((16, 16), bool)
        allowed[6:11, 5:10] = True
        assert reached.sum() > 12  # half of what is there passes the last ReLU
        assert not (reached & ~allowed).any()

    def test_a_picture_does_not_depend_on_batch_mates(self, pairs):
        np.testing.assert_allclose(pairs.generator(INPUTS)[2:3], pairs.generator(INPUTS[2:3]), rtol=1e-3, atol=1e-4)

    def test_half_precision_gives_float32(self):
        assert unet(16, width=2, dtype="mixed_bfloat16")(INPUTS[:1]).dtype == "float32"


class TestPix2Pix:
    def test_one_step_moves_all_three(self, pairs):
        for before, part in zip(pairs.before, (pairs.generator, pairs.discriminator, pairs.sampler), strict=True):
            # A bias before an instance normalization has no effect, and so no gradient but rounding.
            assert [path for path in unmoved(part, before) if not path.endswith("bias")] == []

    def test_without_the_adversarial_term_the_judge_stays_and_is_not_asked(self, monkeypatch):
        model = pix2pix(adversarial_weight=0.0)
        before = values(model.discriminator), values(model.generator)
        monkeypatch.setattr(model.discriminator, "call", None)
        said = model.train_step(PAIR)
        assert len(unmoved(model.discriminator, before[0])) == len(before[0])
        assert any(differ(before[1], values(model.generator)))
        assert float(said["generator"]) == pytest.approx(200 * float(said["l1"]))

    def test_the_objective_is_the_papers(self, pairs):
        """Eq. 4 with λ 100 for pictures of -1..1, the judge's half; in NumPy from the logits."""
        outcome = pairs.outcome(PAIR, Draws(0, 0))
        inputs, targets = (np.array(part) for part in PAIR)
        painted = pairs.generator(inputs, training=True).numpy()
        fake, real = (pairs.discriminator(np.concatenate([inputs, y], -1)).numpy() for y in (painted, targets))
        adversarial, l1 = -np.log(1 / (1 + np.exp(-fake))).mean(), np.abs((2 * painted - 1) - (2 * targets - 1)).mean()
        assert float(outcome.generator) == pytest.approx(adversarial + 100 * l1, rel=1e-4)
        judged = -np.log(1 / (1 + np.exp(-real))).mean() - np.log(1 - 1 / (1 + np.exp(-fake))).mean()
        assert float(outcome.discriminator) == pytest.approx(judged / 2, rel=1e-4)
        assert float(outcome.parts["adversarial"]) == pytest.approx(adversarial, rel=1e-4)
        assert 2 * float(outcome.parts["l1"]) == pytest.approx(l1, rel=1e-4)

    def test_an_unconditional_judge_sees_the_picture_alone(self, monkeypatch):
        model = pix2pix(conditional=False)
        seen = []
        monkeypatch.setattr(model, "generator", lambda inputs, training: 1 - inputs)
        monkeypatch.setattr(model, "discriminator", lambda x, training: seen.append(x.numpy()) or x[..., :1])
        model.outcome(PAIR, Draws(0, 0))
        assert len(seen) == 2
        np.testing.assert_array_equal(seen[0], 1 - PAIR[0])  # the generator's
        np.testing.assert_array_equal(seen[1], PAIR[1])

    def test_an_unconditional_judge_learns_too(self):
        model = pix2pix(conditional=False)
        before = values(model.discriminator)
        model.train_step(PAIR)
        assert [path for path in unmoved(model.discriminator, before) if not path.endswith("bias")] == []

    def test_both_pictures_of_a_pair_and_both_pairs_are_changed_alike(self, pairs, monkeypatch):
        seen = []
        monkeypatch.setattr(pairs, "policy", ALL)
        monkeypatch.setattr(pairs, "generator", lambda inputs, training: inputs)
        monkeypatch.setattr(pairs, "discriminator", lambda x, training: seen.append(x.numpy()) or x[..., :1])
        pairs.outcome((PAIR[0], PAIR[0]), Draws(0, 0))
        assert len(seen) == 2
        np.testing.assert_array_equal(seen[0], seen[1])
        np.testing.assert_array_equal(seen[0][..., :3], seen[0][..., 3:])
        assert np.abs(seen[0][..., :3] - INPUTS[:2]).max() > 0.05

    def test_it_overfits_one_pair(self):
        model = pix2pix(width=8)
        model.compile(adam(3e-3), adam(3e-4))
        before = np.abs(model.translate(INPUTS[:2], network=model.generator) - TARGETS[:2]).mean()
        model.fit(tf.data.Dataset.from_tensors(PAIR).repeat(), steps_per_epoch=150, shuffle=False, verbose=0)
        assert np.abs(model.translate(INPUTS[:2], network=model.generator) - TARGETS[:2]).mean() < 0.5 * before

    def test_translate(self, pairs):
        painted = pairs.translate(INPUTS)
        assert painted.shape == INPUTS.shape
        np.testing.assert_allclose(painted, pairs.sampler(INPUTS), atol=1e-4)
        np.testing.assert_allclose(pairs.translate(INPUTS, network=pairs.generator), pairs.generator(INPUTS), atol=1e-4)

    @pytest.mark.parametrize(
        "pictures",
        [INPUTS[0], INPUTS[:0], INPUTS[..., :1], INPUTS[:, :8, :8], np.full((1, 16, 16, 3), np.nan), np.zeros(3)],
        ids=["one picture", "none", "gray", "another size", "NaN", "a vector"],
    )
    def test_pictures_that_cannot_be_translated(self, pairs, pictures):
        with pytest.raises(
            ImageError, match=r"^(Translating needs finite pictures|This network was built for 16 px).*\.$"
        ):
            pairs.translate(pictures)

    def test_a_batch_that_is_no_pair(self, pairs):
        for batch in (PAIR[0], (*PAIR, PAIR[0]), (PAIR[0], PAIR[1][:, :8])):
            with pytest.raises(SettingsError, match="A batch for Pix2Pix is pictures and pictures, "):
                pairs.train_step(batch)

    def test_weights_in_float16_paint_the_same(self, pairs, tmp_path):
        file = training.save_weights(pairs.sampler, tmp_path / "net.weights.h5")
        other = pix2pix(start=7)
        assert np.abs(other.translate(INPUTS) - pairs.translate(INPUTS)).max() > 1e-2
        training.load_weights(other.sampler, file)
        np.testing.assert_allclose(other.translate(INPUTS), pairs.translate(INPUTS), atol=3e-3)


def numbered(*numbers):
    """Pictures that are their own numbers."""
    return tf.constant(np.broadcast_to(np.float32(numbers)[:, None, None, None], (len(numbers), 2, 2, 3)))


def shown(pool, numbers, step):
    result = pool.exchange(numbered(*numbers), Draws(0, step)).numpy()
    assert np.ptp(result, axis=(1, 2, 3)).max() == 0, "whole pictures"
    return result[:, 0, 0, 0].astype(int).tolist()


def held(pool):
    return pool.pictures.numpy()[: int(pool.held), 0, 0, 0].astype(int).tolist()


class TestPool:
    def test_it_fills_first_and_shows_the_new_ones(self):
        pool = Pool(6, 2)
        assert shown(pool, [1, 2, 3], 0) == [1, 2, 3]
        assert shown(pool, [4, 5], 1) == [4, 5]
        assert held(pool) == [1, 2, 3, 4, 5]

    @pytest.mark.parametrize(("capacity", "batch"), [(6, 3), (5, 3), (5, 4), (7, 1), (2, 5), (1, 1), (4, 4)])
    def test_no_picture_is_lost_or_doubled(self, capacity, batch):
        """Whatever went in is in the pool or was shown, once; also where a batch fills the pool or is larger."""
        pool, numbers, out = Pool(capacity, 2), count(1), []
        exchange = tf.function(lambda x, step: pool.exchange(x, Draws(0, step)))
        for step in range(40):
            new = [next(numbers) for _ in range(batch)]
            old = held(pool)
            result = exchange(numbered(*new), tf.constant(step)).numpy()[:, 0, 0, 0].astype(int).tolist()
            filling = max(0, min(capacity - len(old), batch))
            assert result[:filling] == new[:filling]
            for number, picture in zip(new[filling:], result[filling:], strict=True):
                assert picture == number or (picture in old and number in held(pool) and picture not in held(pool))
            assert sorted(result[filling:] + held(pool)) == sorted(new + old), "exchanged, not copied"
            out += result
        assert int(pool.held) == capacity
        later = out[capacity:]
        assert len(set(later)) == len(later), "none is shown twice"

    def test_afterwards_half_of_them_are_exchanged(self):
        pool, exchanged = Pool(10, 2), 0
        exchange = tf.function(lambda x, step: pool.exchange(x, Draws(3, step)))
        for step in range(302):
            new = np.arange(5) + 5 * step + 1
            result = exchange(numbered(*new), tf.constant(step)).numpy()[:, 0, 0, 0]
            exchanged += (result != new).sum() if step > 1 else 0
        assert abs(exchanged / 1500 - 0.5) < 0.05  # four deviations of a fair coin

    def test_every_place_has_its_turn(self):
        pool = Pool(4, 2)
        exchange = tf.function(lambda x, step: pool.exchange(x, Draws(3, step)))
        exchange(numbered(1, 2, 3, 4), tf.constant(0))
        for step in range(1, 40):
            exchange(numbered(10 + step), tf.constant(step))
        assert min(held(pool)) > 10

    def test_without_capacity_it_shows_the_new_ones(self):
        pool = Pool(0, 2)
        assert [shown(pool, [k, k + 1], k) for k in range(5)] == [[k, k + 1] for k in range(5)]

    def test_same_draws_same_exchange(self):
        def run(seed):
            pool = Pool(3, 2)
            return [pool.exchange(numbered(*range(k, k + 3)), Draws(seed, k)).numpy() for k in range(1, 20, 3)]

        np.testing.assert_array_equal(run(0), run(0))
        assert not np.array_equal(run(0), run(1))


class TestResnet:
    @pytest.mark.parametrize("size", [(16, 16), (20, 36), (28, 24)])
    def test_shapes_and_range(self, size):
        pictures = residual_generator(width=2, blocks=1, dtype="float32")(RNG.random((2, *size, 3)).astype("float32"))
        assert pictures.shape == (2, *size, 3)
        assert 0 <= float(tf.reduce_min(pictures)) < float(tf.reduce_max(pictures)) <= 1

    def test_channels_are_theirs(self):
        """Zhu et al. (2017, appendix 7.2): c7s1-64, d128, d256, R256 x 6, u128, u64, c7s1-3; in 64ths."""
        kernels = [w.shape for w in residual_generator(width=1, dtype="float32").trainable_weights if len(w.shape) == 4]
        assert [64 * k[-1] for k in kernels[:-1]] == [64, 128, 256, *[256] * 12, 128, 64]
        assert [k[0] for k in kernels] == [7, *[3] * 16, 7]
        assert kernels[-1][-1] == 3

    def test_a_picture_does_not_depend_on_batch_mates(self, cycle):
        network = cycle.generator.forth
        np.testing.assert_allclose(network(INPUTS)[2:3], network(INPUTS[2:3]), rtol=1e-3, atol=1e-4)


def without_pools(monkeypatch, exchange=lambda pool, pictures, draws: pictures):
    """The judges are shown the new pictures, or what the function makes of them."""
    monkeypatch.setattr(Pool, "exchange", exchange)


class TestCycleGAN:
    def test_one_step_moves_all_networks(self, cycle):
        for before, part in zip(cycle.before, (cycle.generator, cycle.discriminator, cycle.sampler), strict=True):
            assert [path for path in unmoved(part, before) if not path.endswith("bias")] == []

    def test_the_objective_is_the_papers(self, cycle, monkeypatch):
        """Eq. 3 and section 5.2 in NumPy for pictures of -1..1, λ = 10, from what the networks paint and say."""
        without_pools(monkeypatch)
        outcome = cycle.outcome(PAIR, Draws(0, 0))
        forth, back = cycle.generator.forth, cycle.generator.back
        x, y = (np.array(part) for part in PAIR)

        def distance(a, b):
            return np.abs((2 * np.array(a) - 1) - (2 * np.array(b) - 1)).mean()

        round_trip = distance(back(forth(x)), x) + distance(forth(back(y)), y)
        same = distance(forth(y), y) + distance(back(x), x)
        fake_y, fake_x = cycle.discriminator.forth(forth(x)), cycle.discriminator.back(back(y))
        real_y, real_x = cycle.discriminator.forth(y), cycle.discriminator.back(x)

        def square(logits, target):
            return ((np.array(logits) - target) ** 2).mean() / 2  # Mao et al. (2017, eq. 9)

        adversarial = square(fake_y, 1) + square(fake_x, 1)
        assert float(outcome.parts["adversarial"]) == pytest.approx(adversarial, rel=1e-4)
        assert float(outcome.generator) == pytest.approx(adversarial + 10 * round_trip + 5 * same, rel=1e-4)
        judged = square(real_y, 1) + square(fake_y, 0) + square(real_x, 1) + square(fake_x, 0)
        assert float(outcome.discriminator) == pytest.approx(judged / 2, rel=1e-4)

    def test_the_judge_is_shown_the_pool_and_the_generator_is_not_judged_by_it(self, cycle, monkeypatch):
        without_pools(monkeypatch, lambda pool, pictures, draws: 0 * pictures)
        black = cycle.outcome(PAIR, Draws(0, 0))
        without_pools(monkeypatch)
        plain = cycle.outcome(PAIR, Draws(0, 0))
        assert float(black.generator) == pytest.approx(float(plain.generator), rel=1e-5)
        assert float(black.discriminator) != pytest.approx(float(plain.discriminator), rel=1e-5)

    def test_without_identity_the_term_is_left_out(self, cycle, monkeypatch):
        monkeypatch.setattr(cycle, "identity", 0.0)
        outcome = cycle.outcome(PAIR, Draws(0, 1))
        assert float(outcome.parts["identity"]) == 0
        wanted = outcome.parts["adversarial"] + 20 * outcome.parts["cycle"]
        assert float(outcome.generator) == pytest.approx(float(wanted), rel=1e-5)

    def test_translate_there_and_back(self, cycle):
        there, back = cycle.translate(INPUTS), cycle.translate(INPUTS, back=True)
        np.testing.assert_allclose(there, cycle.sampler.forth(INPUTS), atol=1e-4)
        np.testing.assert_allclose(back, cycle.sampler.back(INPUTS), atol=1e-4)
        assert np.abs(there - back).max() > 1e-3
        wide = cycle.translate(np.zeros((1, 16, 20, 3)), networks=cycle.generator)
        assert wide.shape == (1, 16, 20, 3)

    @pytest.mark.parametrize("shape", [(1, 18, 16, 3), (1, 12, 12, 3), (1, 16, 17, 3), (0, 16, 16, 3), (16, 16, 3)])
    def test_pictures_that_cannot_be_translated(self, cycle, shape):
        with pytest.raises(ImageError, match=r"^(A CycleGAN needs sides in multiples of 4|Translating needs).*\.$"):
            cycle.translate(np.zeros(shape))

    def test_weights_in_float16_paint_the_same(self, cycle, tmp_path):
        file = training.save_weights(cycle.sampler, tmp_path / "net.weights.h5")
        keras.utils.set_random_seed(9)
        other = Both(*(residual_generator(width=2, blocks=1, dtype="float32") for _ in range(2)))
        wanted = cycle.sampler.forth(INPUTS), cycle.sampler.back(INPUTS)
        training.load_weights(other, file)
        np.testing.assert_allclose(other.forth(INPUTS), wanted[0], atol=3e-3)
        np.testing.assert_allclose(other.back(INPUTS), wanted[1], atol=3e-3)
        np.testing.assert_allclose(other(INPUTS), other.back(other.forth(INPUTS)), atol=1e-5)

    def test_resumed_it_ends_with_the_weights_of_the_run_that_was_not_stopped(self, tmp_path):
        """Pools of 3 that fill in the middle of a batch of 2, a rate that decays, augmentations."""

        class Interrupt(keras.callbacks.Callback):
            batches = 0

            def on_train_batch_end(self, batch, logs=None):
                self.batches += 1
                if self.batches == 3:
                    raise KeyboardInterrupt

        def trained(folder, start, callbacks=()):
            model = cyclegan(start=start, identity=0.0, augment=ALL)
            model.compile(adam(LinearDecay(1e-3, 4)), adam(LinearDecay(1e-3, 4)), run_eagerly=True)

            def batches(first):
                return datasets.array_batches((INPUTS, TARGETS), 2, first=first, augment=datasets.flip)

            training.fit(model, batches, Plan(4, 2, gain=None), folder, callbacks=callbacks)
            return model

        whole = trained(tmp_path / "whole", 0)
        with pytest.raises(KeyboardInterrupt):
            trained(tmp_path / "stopped", 0, [Interrupt()])
        again = trained(tmp_path / "stopped", 1)
        assert not any(differ(values(whole), values(again)))
        for name in ("forth_pool", "back_pool"):
            one, other = getattr(whole, name), getattr(again, name)
            assert int(one.held) == int(other.held) == 3
            np.testing.assert_array_equal(one.pictures, other.pictures)

    @pytest.mark.slow
    def test_it_overfits_one_batch(self):
        """A cycle of one pair: there and back comes to the same."""
        model = cyclegan(width=8, blocks=1)
        model.compile(adam(3e-3), adam(3e-4))

        def lost():
            return float(np.abs(model.generator(INPUTS[:2]) - INPUTS[:2]).mean())

        before = lost()
        model.fit(tf.data.Dataset.from_tensors(PAIR).repeat(), steps_per_epoch=150, shuffle=False, verbose=0)
        assert lost() < 0.5 * before


class TestLinearDecay:
    def test_half_of_the_steps_and_then_down_to_nothing(self):
        """Zhu et al. (2017, section 4): the rate for 100 epochs, then to zero over 100."""
        rate = LinearDecay(2e-4, 200)
        rates = [float(rate(step)) for step in range(201)]
        np.testing.assert_allclose(rates[:101], 2e-4, rtol=1e-6)
        np.testing.assert_allclose(rates[100:], np.linspace(2e-4, 0, 101), atol=1e-10)
        assert float(rate(1000)) == 0

    def test_it_comes_back_from_its_settings(self):
        again = LinearDecay.from_config(LinearDecay(0.5, 7).get_config())
        assert (again.rate, again.steps) == (0.5, 7)

    @pytest.mark.parametrize(("rate", "steps"), [(0.0, 5), (-1.0, 5), (1e-3, 0)])
    def test_what_cannot_be(self, rate, steps):
        with pytest.raises(SettingsError, match="A decay needs a positive rate and at least 1 step"):
            LinearDecay(rate, steps)
