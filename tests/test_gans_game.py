"""The game that all models here share, and DCGAN, its plainest form: steps, averages, draws, resuming, bad input.

All ours. Most of it is tested on a game of two numbers whose steps are known by hand; DCGAN on pictures of 12 px.
"""

import json
from itertools import count

import numpy as np
import pytest

from stylelab import datasets, training
from stylelab.backend import keras, tf
from stylelab.errors import ImageError, ResourceError, SettingsError
from stylelab.gans import DCGAN, Draws, Game, Outcome, adam, dcgan
from stylelab.gans import game as game_module
from stylelab.losses import ADVERSARIAL_LOSSES, gradient_penalty, r1_penalty
from stylelab.training import Plan

RNG = np.random.default_rng(0)
PICTURES = RNG.random((10, 12, 12, 3)).astype("float32")
LABELS = (np.arange(10) % 3).astype("int32")
NOTHING = tf.zeros((1, 1, 1, 3))
ALL = ("color", "translation", "cutout")


def values(network):
    return [weight.numpy() for weight in network.weights]


def differ(before, after):
    """For each weight whether it has changed."""
    return [not np.array_equal(a, b) for a, b in zip(before, after, strict=True)]


def sgd(rate=1.0):
    return keras.optimizers.SGD(rate)


class Number(keras.Model):
    """A player that is one number."""

    def __init__(self, start=0.0):
        super().__init__()
        self.w = self.add_weight((), keras.initializers.Constant(start), name="w")
        self.built = True


class Bilinear(Game):
    """The generator a minimizes ``a b``, the discriminator b the opposite; the batch is only added."""

    def __init__(self, a=1.0, b=2.0, **settings):
        super().__init__(Number(a), Number(b), Number(-7.0), parts=("drawn", "batch"), **settings)

    def outcome(self, batch, draws):
        seen = tf.reduce_mean(batch)
        product = self.generator.w * self.discriminator.w
        return Outcome(product + 0 * seen, -product, {"drawn": draws.normal(()), "batch": seen})

    def players(self):
        return float(self.generator.w), float(self.discriminator.w)


def bilinear(rate=0.1, **settings):
    model = Bilinear(**settings)
    model.compile(sgd(rate), sgd(rate), run_eagerly=True)
    return model


def numbers(bad=None):
    """Batch k is a picture of one pixel whose value is k, but for one that is no number."""

    def batches(first):
        k = tf.data.Dataset.range(first, 2**40)
        return k.map(lambda k: tf.fill((1, 1, 1, 3), np.nan if bad is not None and k == bad else tf.cast(k, "float32")))

    return batches


class Interrupt(keras.callbacks.Callback):
    """Ctrl-C after so many batches."""

    def __init__(self, batch):
        super().__init__()
        self.batch, self.batches = batch, count(1)

    def on_train_batch_end(self, batch, logs=None):
        if next(self.batches) == self.batch:
            raise KeyboardInterrupt


class TestDraws:
    def drawn(self, seed=1, step=2):
        draws = Draws(seed, step)
        return [draws.normal((3,)).numpy(), draws.uniform((3,)).numpy(), draws.normal((3,)).numpy()]

    def test_the_same_seed_and_step_give_the_same_numbers(self):
        np.testing.assert_array_equal(self.drawn(), self.drawn())

    def test_another_seed_step_or_turn_gives_others(self):
        first = self.drawn()
        for other in (self.drawn(seed=2), self.drawn(step=3), self.drawn(seed=2, step=1)):
            assert all(differ(first, other))
        assert not np.array_equal(first[0], first[2])

    def test_they_know_nothing_of_what_else_was_drawn(self):
        first = self.drawn()
        keras.utils.set_random_seed(99)
        tf.random.normal((5,))
        np.testing.assert_array_equal(first, self.drawn())

    def test_a_compiled_step_draws_anew_for_each_number_of_the_step(self):
        step = tf.Variable(0, dtype="int64")
        compiled = tf.function(lambda: Draws(1, step).normal((3,)))
        for k in range(3):
            step.assign(k)
            np.testing.assert_array_equal(compiled(), Draws(1, k).normal((3,)))

    def test_distributions(self):
        draws = Draws(0, 0)
        normal = draws.normal((5000,)).numpy()
        assert abs(normal.mean()) < 0.05
        assert abs(normal.std() - 1) < 0.05
        uniform = draws.uniform((5000,), -2.0, 3.0).numpy()
        assert -2 <= uniform.min() < -1.9 < 2.9 < uniform.max() < 3
        assert set(draws.integers((500,), 4).numpy()) == {0, 1, 2, 3}


class TestStep:
    def test_both_players_move_at_once(self):
        """By hand: both gradients at the weights before; in turns b would be 2.08 after the first step."""
        model, (a, b) = bilinear(), (1.0, 2.0)
        for _ in range(5):
            model.train_step(NOTHING)
            a, b = a - 0.1 * b, b + 0.1 * a
            np.testing.assert_allclose(model.players(), (a, b), rtol=1e-6)

    def test_a_judge_that_was_not_asked_stays(self):
        class Alone(Bilinear):
            def outcome(self, batch, draws):
                return Outcome(self.generator.w**2, tf.zeros(()), {"drawn": 0.0, "batch": 0.0})

        model = Alone()
        model.compile(sgd(0.1), adam())
        model.train_step(NOTHING)
        np.testing.assert_allclose(model.players(), (0.8, 2.0), rtol=1e-6)

    def test_the_log_has_means_over_an_epoch(self):
        model = bilinear(rate=1e-9)
        said = model.fit(numbers()(0), steps_per_epoch=3, epochs=2, shuffle=False, verbose=0).history
        assert set(said) == {"generator", "discriminator", "drawn", "batch"}
        np.testing.assert_allclose(said["batch"], [1, 4])
        np.testing.assert_allclose(said["generator"], [2, 2], rtol=1e-6)
        np.testing.assert_allclose(said["discriminator"], [-2, -2], rtol=1e-6)
        drawn = [float(Draws(0, step).normal(())) for step in range(6)]
        np.testing.assert_allclose(said["drawn"], np.reshape(drawn, (2, 3)).mean(1), rtol=1e-5)

    def test_two_seeds_are_two_games_and_one_is_one(self):
        drawn = {seed: float(bilinear(seed=seed).train_step(NOTHING)["drawn"]) for seed in (3, 4)}
        assert drawn[3] != drawn[4]
        assert float(bilinear(seed=3).train_step(NOTHING)["drawn"]) == drawn[3]

    def test_a_kind_of_game_must_say_its_outcome(self):
        model = Game(Number(), Number(), Number())
        model.compile()
        with pytest.raises(NotImplementedError):
            model.train_step(NOTHING)

    def test_without_optimizers_it_takes_the_papers(self):
        model = Bilinear()
        model.compile()
        assert model.optimizer is None
        assert model.generator_optimizer is not model.discriminator_optimizer
        for optimizer in (model.generator_optimizer, model.discriminator_optimizer):
            assert float(optimizer.learning_rate) == pytest.approx(2e-4)  # Radford et al. (2016, section 4)
            assert (optimizer.beta_1, optimizer.beta_2) == (0.5, 0.999)

    def test_float16_gets_its_loss_scaled_and_the_same_step(self, monkeypatch):
        monkeypatch.setattr(game_module, "precision", lambda: "mixed_float16")
        model = bilinear()
        assert isinstance(model.generator_optimizer, keras.optimizers.LossScaleOptimizer)
        said = model.train_step(NOTHING)
        np.testing.assert_allclose(model.players(), (0.8, 2.1), rtol=1e-5)
        assert float(said["generator"]) == pytest.approx(2.0), "the log has the loss without its factor"

    @pytest.mark.parametrize("name", ["", "hinges", "Hinge"])
    def test_an_unknown_loss(self, name):
        with pytest.raises(SettingsError, match=f"There is no adversarial loss '{name}'; choose one of minimax, "):
            game_module.adversarial_loss(name)


class TestAverage:
    """``w <- d w + (1 - d) v`` after each step, d at most ``(1 + t) / (10 + t)`` after step t; written out in NumPy."""

    @pytest.mark.parametrize("average", [0.0, 0.3, 0.999])
    def test_against_its_definition(self, average):
        model = bilinear(average=average)
        assert float(model.sampler.w) == 1.0, "it begins where the generator does"
        mean = 1.0
        for t in range(1, 16):
            model.train_step(NOTHING)
            decay = min(average, (1 + t) / (10 + t))
            mean = decay * mean + (1 - decay) * float(model.generator.w)
            assert float(model.sampler.w) == pytest.approx(mean, rel=1e-5)
        assert (decay == average) is (average < 0.5), "the ramp was seen, and its end"

    def test_no_gradient_reaches_it(self):
        model = bilinear()
        assert model.sampler.trainable_variables == []
        assert len(model.trainable_variables) == 2

    def test_statistics_of_a_normalization_are_copied(self, garments):
        model = garments
        pairs = list(zip(model.sampler.weights, model.generator.weights, strict=True))
        kept = [(mean, value) for mean, value in pairs if not value.trainable]
        assert len(kept) >= 4
        for mean, value in kept:
            np.testing.assert_array_equal(mean, value)
        assert any(not np.array_equal(mean, value) for mean, value in pairs)


BAD_BATCHES = {
    "another size": PICTURES[:, :8, :8],
    "one channel": PICTURES[..., :1],
    "a picture": PICTURES[0],
    "a pair": (PICTURES, PICTURES),
    "labels too": (PICTURES, LABELS),
    "vectors": PICTURES[:, 0, 0],
}


class TestBadBatches:
    @pytest.mark.parametrize("kind", BAD_BATCHES)
    def test_one_sentence_that_names_both(self, kind):
        model = bilinear()
        model.size = 12
        batch = tf.nest.map_structure(tf.constant, BAD_BATCHES[kind])
        before = values(model)
        with pytest.raises(SettingsError) as error:
            model.fit(tf.data.Dataset.from_tensors(batch), shuffle=False, verbose=0)
        parts = [part.shape for part in (batch if isinstance(batch, tuple) else (batch,))]
        shapes = " and ".join(str(tuple(shape)) for shape in parts)
        assert str(error.value) == f"A batch for Bilinear is pictures, (any, 12, 12, 3), not {shapes}."
        assert not any(differ(before, values(model)))

    def test_also_from_a_compiled_step(self):
        model = bilinear()
        model.compile(sgd(), sgd())
        with pytest.raises(SettingsError, match=r"^A batch for Bilinear is pictures, .*\.$"):
            model.fit(tf.data.Dataset.from_tensors(PICTURES[..., :2]), shuffle=False, verbose=0)

    def test_arrays_without_a_dataset_are_a_batch_too(self):
        model = bilinear(rate=1e-9)
        model.fit(PICTURES, batch_size=10, verbose=0)
        assert int(model.step) == 1

    def test_an_empty_set_and_numbers_that_are_none_are_refused_by_the_data(self):
        with pytest.raises(SettingsError, match="is empty: give at least one example"):
            datasets.array_batches(PICTURES[:0], 4)
        broken = PICTURES.copy()
        broken[3, 2, 1, 0] = np.nan
        with pytest.raises(ImageError, match="NaN or infinite"):
            datasets.array_batches(broken, 4)


def run(folder, plan=None, bad=None, callbacks=(), **start):
    model = bilinear(rate=0.01, **start)
    log = training.fit(model, numbers(bad), plan or Plan(12, 3, gain=None), folder, callbacks=callbacks)
    return model, log


def steady(log):
    return [{name: value for name, value in line.items() if name != "core_hours"} for line in log]


class TestFit:
    """``training.fit`` with a model that has no optimizer of its own."""

    def test_log_and_batches(self, tmp_path):
        _, log = run(tmp_path)
        assert [line["step"] for line in log] == [3, 6, 9, 12]
        assert [line["batch"] for line in log] == [1, 4, 7, 10]
        assert set(log[0]) == {"step", "core_hours", "generator", "discriminator", "drawn", "batch"}
        assert [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()] == log

    def test_ctrl_c_and_again_is_the_run_that_was_not_stopped(self, tmp_path):
        whole, log = run(tmp_path / "whole")
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path / "stopped", callbacks=[Interrupt(8)])
        again, same = run(tmp_path / "stopped", a=55.0, b=-3.0)
        assert steady(same) == steady(log)
        assert not any(differ(values(whole), values(again)))
        assert int(again.step) == 12

    def test_a_finished_run_comes_back_without_a_step(self, tmp_path):
        whole, log = run(tmp_path)
        again, same = run(tmp_path, callbacks=[Interrupt(1)], a=55.0)
        assert same == log
        assert not any(differ(values(whole), values(again)))

    def test_a_loss_that_is_no_number_ends_it_before_it_is_kept(self, tmp_path):
        with pytest.raises(SettingsError) as error:
            run(tmp_path, bad=7)
        said = str(error.value)
        assert "is no number any more between steps 6 and 9 (the checkpoint of step 6 is whole)" in said
        assert "\n" not in said
        assert [json.loads(line)["step"] for line in (tmp_path / "log.jsonl").read_text().splitlines()] == [3, 6]
        whole, log = run(tmp_path / "whole")
        again, same = run(tmp_path, a=55.0)
        assert steady(same) == steady(log)
        assert not any(differ(values(whole), values(again)))

    def test_so_early_that_there_is_no_checkpoint(self, tmp_path):
        with pytest.raises(SettingsError, match=r"between steps 0 and 3 \(there is no checkpoint yet\)"):
            run(tmp_path, bad=0)
        assert not list((tmp_path / "checkpoints").glob("*.index"))

    def test_a_full_disk_at_a_checkpoint(self, tmp_path, monkeypatch):
        save, calls = tf.train.CheckpointManager.save, count(1)

        def full(self, *arguments, **settings):
            if next(calls) == 3:
                raise tf.errors.ResourceExhaustedError(None, None, "ckpt-3.data; No space left on device")
            return save(self, *arguments, **settings)

        with monkeypatch.context() as patch:
            patch.setattr(tf.train.CheckpointManager, "save", full)
            with pytest.raises(
                ResourceError, match=r"^The checkpoint of step 9 cannot .*No space left on device\); make"
            ):
                run(tmp_path)
        whole, log = run(tmp_path / "whole")
        again, same = run(tmp_path, a=55.0)
        assert steady(same) == steady(log)
        assert not any(differ(values(whole), values(again)))


def small(**settings):
    keras.utils.set_random_seed(settings.pop("start", 0))
    settings = {"latent": 6, "width": 4, "dtype": "float32", **settings}
    model = DCGAN(12, **settings)
    model.compile(adam(2e-3), adam(2e-3))
    return model


@pytest.fixture(scope="module")
def garments():
    """A DCGAN after one step."""
    model = small()
    model.before = [values(part) for part in (model.generator, model.discriminator, model.sampler)]
    model.train_step(tf.constant(PICTURES))
    return model


@pytest.fixture(scope="module")
def classes():
    """One that knows three classes, with all there is in the discriminator."""
    return small(classes=3, spectral=True, r1=2.5, augment=ALL)


class TestNetworks:
    @pytest.mark.parametrize("size", [10, 12, 28, 40, 64])
    @pytest.mark.parametrize("kinds", [0, 3])
    def test_shapes(self, size, kinds):
        generator = dcgan.generator(size, latent=5, width=2, classes=kinds, dtype="float32")
        judge = dcgan.discriminator(size, width=2, classes=kinds, spectral=bool(kinds), dtype="float32")
        noise, labels = tf.random.stateless_normal((2, 5), (0, 1)), tf.constant([0, 2])
        pictures = generator([noise, labels] if kinds else noise)
        assert pictures.shape == (2, size, size, 3)
        assert 0 <= float(tf.reduce_min(pictures)) < float(tf.reduce_max(pictures)) <= 1
        assert judge([pictures, labels] if kinds else pictures).shape == (2, 1)

    @pytest.mark.parametrize("size", [-4, 0, 1, 7, 8, 9, 18 + 1, 36])
    def test_sizes_that_cannot_be(self, size):
        with pytest.raises(SettingsError, match=f"4 to 8 px doubled, not {size} px"):
            DCGAN(size)

    def test_channels_are_theirs_at_full_width(self):
        """Radford et al. (2016, figure 1): 1024, 512, 256, 128, 3 up to 64 px; here in eighths."""
        generator = dcgan.generator(64, latent=4, width=16, dtype="float32")
        kernels = [w.shape for w in generator.trainable_weights if len(w.shape) == 4]
        assert [8 * kernel[-2] for kernel in kernels] == [1024, 512, 256, 128]
        assert kernels[-1][-1] == 3

    def test_half_precision_gives_float32_pictures_and_logits(self):
        generator = dcgan.generator(12, latent=5, width=2, dtype="mixed_bfloat16")
        pictures = generator(np.ones((1, 5), "float32"))
        assert pictures.dtype == "float32"
        logits = dcgan.discriminator(12, width=2, spectral=True, dtype="mixed_bfloat16")(pictures)
        assert logits.dtype == "float32"

    def test_a_logit_does_not_depend_on_batch_mates(self, garments):
        together = garments.discriminator(PICTURES)
        np.testing.assert_allclose(together[3:4], garments.discriminator(PICTURES[3:4]), rtol=1e-4, atol=1e-6)

    def test_the_class_is_judged_and_painted(self, classes):
        noise = np.ones((3, 6), "float32")
        painted = classes.generator([noise, np.int32([0, 1, 2])]).numpy()
        assert min(np.abs(painted[k] - painted[k - 1]).max() for k in range(3)) > 1e-5
        judged = classes.discriminator([PICTURES[[0, 0, 0]], np.int32([0, 1, 2])]).numpy()
        assert len(np.unique(judged)) == 3


class TestOneStep:
    def test_all_three_move(self, garments):
        for before, part in zip(
            garments.before, (garments.generator, garments.discriminator, garments.sampler), strict=True
        ):
            moved = differ(before, values(part))
            assert all(moved), [weight.path for weight, yes in zip(part.weights, moved, strict=True) if not yes]

    @pytest.mark.parametrize("loss", ADVERSARIAL_LOSSES)
    def test_every_loss_is_played_for(self, garments, loss):
        """The logged losses are the library's, of the logged logits' distribution: here of one that is constant."""
        pair = game_module.adversarial_loss(loss)
        garments.loss_pair, before = pair, garments.loss_pair
        outcome = garments.outcome(tf.constant(PICTURES), Draws(0, 5))
        garments.loss_pair = before
        noise = Draws(0, 5).normal((10, 6))
        logits = garments.discriminator(garments.generator(noise, training=True))
        assert float(outcome.generator) == pytest.approx(float(pair.generator(logits)), rel=1e-4, abs=1e-6)
        wanted = pair.discriminator(garments.discriminator(PICTURES), logits)
        assert float(outcome.discriminator) == pytest.approx(float(wanted), rel=1e-4, abs=1e-6)
        assert float(outcome.parts["fake"]) == pytest.approx(float(tf.reduce_mean(logits)), rel=1e-4)

    @pytest.mark.parametrize("penalty", ["r1", "slope"])
    def test_penalties_enter_with_their_weights(self, garments, penalty):
        batch = tf.constant(PICTURES)
        draws = Draws(0, 5)
        fake = garments.generator(draws.normal((10, 6)), training=True)
        draws.seed()  # the augmentation's
        wanted = float(
            r1_penalty(garments.discriminator, batch)
            if penalty == "r1"
            else gradient_penalty(garments.discriminator, batch, fake, draws.seed())
        )
        losses = []
        for weight in (0.0, 1 / wanted):  # so large that the losses' own digits do not hide it
            setattr(garments, penalty, weight)
            losses.append(garments.outcome(batch, Draws(0, 5)))
        setattr(garments, penalty, 0.0)
        assert float(losses[1].discriminator - losses[0].discriminator) == pytest.approx(1, rel=1e-3)
        assert float(losses[0].generator) == pytest.approx(float(losses[1].generator))

    def test_wasserstein_has_its_penalty_unless_told(self):
        made = {
            slope: DCGAN(12, latent=2, width=1, loss="wasserstein", slope=slope).slope for slope in (None, 0.0, 3.0)
        }
        assert made == {None: 10.0, 0.0: 0.0, 3.0: 3.0}
        assert DCGAN(12, latent=2, width=1).slope == 0

    def test_real_and_fake_go_through_the_same_changes(self, garments, monkeypatch):
        """A generator that paints the real pictures is judged as these are."""
        monkeypatch.setattr(garments, "policy", ALL)
        monkeypatch.setattr(garments, "generator", lambda noise, training: tf.constant(PICTURES))
        parts = garments.outcome(tf.constant(PICTURES), Draws(0, 1)).parts
        assert float(parts["real"]) == float(parts["fake"])
        plain = tf.reduce_mean(garments.discriminator(PICTURES))
        assert float(parts["real"]) != pytest.approx(float(plain), rel=1e-3)

    def test_smoothing_is_smallest_at_the_target(self):
        model = DCGAN(12, latent=2, width=1, real_target=0.9)
        logits = np.linspace(-3, 6, 9001)
        losses = [float(model.loss_pair.discriminator(np.array([x]), np.array([0.0]))) for x in logits[::50]]
        assert logits[::50][np.argmin(losses)] == pytest.approx(np.log(0.9 / 0.1), abs=0.03)

    @pytest.mark.parametrize(
        ("loss", "target"), [("hinge", 0.9), ("least_squares", 0.9), ("non_saturating", 1.1), ("minimax", 0.5)]
    )
    def test_smoothing_that_means_nothing(self, loss, target):
        with pytest.raises(SettingsError, match="Label smoothing is for the losses with a cross entropy"):
            DCGAN(12, latent=2, width=1, loss=loss, real_target=target)

    def test_a_set_of_one_picture(self):
        model = small()
        model.run_eagerly = True
        said = model.fit(datasets.array_batches(PICTURES[:1], 2), steps_per_epoch=2, shuffle=False, verbose=0).history
        assert np.isfinite([v for values in said.values() for v in values]).all()

    def test_labels_that_are_missing(self, classes):
        with pytest.raises(
            SettingsError, match=r"A batch for DCGAN is pictures and labels, .* and \(any,\), not \(10, "
        ):
            classes.train_step(tf.constant(PICTURES))


class TestSamples:
    def test_the_same_seed_the_same_pictures(self, garments):
        first = garments.sample(5, seed=1)
        assert first.shape == (5, 12, 12, 3)
        assert first.dtype == "float32"
        assert 0 <= first.min() < first.max() <= 1
        np.testing.assert_array_equal(first, garments.sample(5, seed=1))
        # After one step all pictures are near gray; in float32 equal ones would be equal.
        assert np.abs(first - garments.sample(5, seed=2)).max() > 1e-4
        assert np.abs(first[0] - first[1]).max() > 1e-4

    def test_of_another_network(self, garments):
        assert np.abs(garments.sample(3) - garments.sample(3, network=garments.generator)).max() > 1e-6

    def test_all_classes_in_turn(self, classes):
        plain = classes.sample(4, seed=1)
        np.testing.assert_array_equal(plain, classes.sample(4, seed=1, labels=[0, 1, 2, 0]))
        assert np.abs(plain[1] - classes.sample(4, seed=1, labels=[0, 0, 0, 0])[1]).max() > 1e-6

    @pytest.mark.parametrize(
        ("given", "sentence"),
        [
            ({"count": 0}, "At least 1 picture can be drawn, not 0."),
            ({"count": 2, "labels": [1]}, "2 pictures need 2 labels, and a network that was trained with classes."),
            ({"count": 2, "labels": [1, 3]}, "The 3 classes have the labels 0 to 2: give no others."),
            ({"count": 1, "labels": [-1]}, "The 3 classes have the labels 0 to 2: give no others."),
        ],
    )
    def test_what_cannot_be(self, classes, given, sentence):
        with pytest.raises(SettingsError) as error:
            classes.sample(**given)
        assert str(error.value) == sentence

    def test_labels_for_a_network_without_classes(self, garments):
        with pytest.raises(SettingsError, match="trained with classes"):
            garments.sample(1, labels=[0])

    def test_weights_in_float16_paint_the_same(self, tmp_path):
        one, other = small(start=4), small(start=5)
        rng = np.random.default_rng(0)
        one.sampler.set_weights([w + 0.3 * rng.normal(size=w.shape) * (w.ndim > 1) for w in one.sampler.get_weights()])
        file = training.save_weights(one.sampler, tmp_path / "net.weights.h5")
        wanted = one.sample(3, seed=1)
        assert wanted.std((1, 2)).min() > 1e-2, "no flat pictures"
        assert np.abs(other.sample(3, seed=1) - wanted).max() > 0.1
        training.load_weights(other.sampler, file)
        np.testing.assert_allclose(other.sample(3, seed=1), wanted, atol=3e-3)


class TestTraining:
    def test_it_learns_one_picture(self):
        """A real set of one picture: what is sampled comes near it."""
        picture = np.broadcast_to(np.linspace(0.1, 0.9, 12, dtype="float32")[:, None, None], (8, 12, 12, 3))
        model = small(width=8, average=0.98, r1=1.0)
        model.compile(adam(3e-3), adam(3e-3))
        before = np.abs(model.sample(8) - picture).mean()
        model.fit(tf.data.Dataset.from_tensors(picture).repeat(), steps_per_epoch=450, shuffle=False, verbose=0)
        after = np.abs(model.sample(8) - picture).mean()
        assert after < 0.4 * before

    def test_resumed_it_ends_with_the_weights_of_the_run_that_was_not_stopped(self, tmp_path):
        """With labels, spectral normalization, all augmentations and R1; stopped in the middle of the third look."""

        def trained(folder, start, callbacks=()):
            model = small(classes=3, spectral=True, r1=2.5, augment=ALL, start=start)
            model.run_eagerly = True

            def batches(first):
                return datasets.array_batches((PICTURES, LABELS), 4, first=first)

            log = training.fit(model, batches, Plan(8, 2, gain=None), folder, callbacks=callbacks)
            return model, log

        whole, log = trained(tmp_path / "whole", 0)
        with pytest.raises(KeyboardInterrupt):
            trained(tmp_path / "stopped", 0, [Interrupt(5)])
        assert len(list((tmp_path / "stopped" / "checkpoints").glob("*.index"))) == 2
        again, same = trained(tmp_path / "stopped", 1)
        assert steady(same) == steady(log)
        assert not any(differ(values(whole), values(again)))
        for one, other in zip(
            (whole.generator_optimizer, whole.discriminator_optimizer),
            (again.generator_optimizer, again.discriminator_optimizer),
            strict=True,
        ):
            assert not any(differ([v.numpy() for v in one.variables], [v.numpy() for v in other.variables]))
