"""Long runs: what a step does, and that a run that is killed, resumed or stopped ends as it should.

Networks here are one convolution, and VGG16 is replaced by four small fixed ones: nothing but the learner is tested.
"""

import io
import json
import math
from itertools import count, pairwise

import h5py
import numpy as np
import pytest
from tqdm import tqdm

from stylelab import learning, training
from stylelab.backend import keras, tf
from stylelab.errors import ResourceError, SettingsError, WeightsError
from stylelab.features import CONTENT_LAYERS, STYLE_LAYERS
from stylelab.learning import PerceptualLearner
from stylelab.losses import Terms, weave
from stylelab.training import Plan

RNG = np.random.default_rng(0)
PHOTOS = RNG.random((2, 16, 16, 3)).astype("float32")
PAINTINGS = RNG.random((2, 16, 16, 3)).astype("float32") ** 3


class Extractor:
    """Features by layer, from convolutions with fixed random weights."""

    def __init__(self):
        keras.utils.set_random_seed(0)
        self.layers = {
            name: keras.layers.Conv2D(4, 3, strides=2, activation="relu") for name in STYLE_LAYERS + CONTENT_LAYERS
        }

    def __call__(self, pictures):
        return {name: layer(pictures) for name, layer in self.layers.items()}


def network(seed=0):
    keras.utils.set_random_seed(seed)
    net = keras.Sequential([keras.Input((None, None, 3)), keras.layers.Conv2D(3, 3, padding="same")])
    net.layers[0].kernel.assign(0.1 * net.layers[0].kernel)
    return net


class Repaint(PerceptualLearner):
    """The photo through a network, in the style of the picture that comes with it."""

    def terms(self, photos, pictures):
        style = self.objective.style_target(pictures)
        return self.objective(self.network(photos), self.objective.content_target(photos), style)


@pytest.fixture
def extractor(monkeypatch):
    small = Extractor()
    monkeypatch.setattr(learning, "shared_extractor", lambda **_: small)
    return small


class TestLearner:
    def test_it_overfits_one_batch_and_changes_nothing_but_the_network(self, extractor):
        learner = Repaint(network())
        learner.compile(optimizer=keras.optimizers.Adam(0.03), jit_compile=False)
        extractor(PHOTOS)
        frozen = [w.numpy() for layer in extractor.layers.values() for w in layer.weights]
        assert frozen
        before = learner.evaluate(PHOTOS, PAINTINGS, verbose=0, return_dict=True)
        learner.fit(PHOTOS, PAINTINGS, epochs=40, verbose=0)
        after = learner.evaluate(PHOTOS, PAINTINGS, verbose=0, return_dict=True)
        assert after["loss"] < 0.75 * before["loss"]
        for old, new in zip(frozen, [w for layer in extractor.layers.values() for w in layer.weights], strict=True):
            np.testing.assert_array_equal(old, new)

    def test_evaluating_changes_nothing(self, extractor):
        learner = Repaint(network())
        learner.compile(optimizer=keras.optimizers.Adam(0.03), jit_compile=False)
        before = [w.numpy() for w in learner.network.weights]
        learner.evaluate(PHOTOS, PAINTINGS, verbose=0)
        for old, new in zip(before, learner.network.weights, strict=True):
            np.testing.assert_array_equal(old, new)

    def test_the_loss_is_the_objective_with_its_weights(self, extractor):
        weights = {"content_weight": 2.0, "style_weight": 5.0, "smoothness_weight": 7.0, "weave_weight": 11.0}
        learner = Repaint(network(), **weights)
        learner.compile(jit_compile=False)
        said = learner.evaluate(PHOTOS, PAINTINGS, verbose=0, return_dict=True)
        wanted = 2 * said["content"] + 5 * said["style"] + 7 * said["smoothness"]
        pattern = 11 * float(weave(learner.network(PHOTOS)))
        assert pattern > 1e-4 * wanted
        assert said["loss"] == pytest.approx(wanted + pattern, rel=1e-5)
        assert min(said.values()) > 0

    def test_metrics_are_means_over_the_epoch_and_begin_anew(self, extractor):
        class Numbers(PerceptualLearner):
            """Batches are their own losses."""

            def terms(self, numbers):
                zero = 0 * tf.reduce_sum(self.network.trainable_variables[0])
                return Terms(numbers[0] + zero, 2 * numbers[0], 3 * numbers[0], 4 * numbers[0])

        learner = Numbers(network())
        learner.compile(optimizer=keras.optimizers.SGD(0.1), jit_compile=False)
        batches = tf.data.Dataset.from_tensor_slices(np.float32([1, 2, 6, 10, 20, 60])).batch(1).map(lambda x: (x,))
        held = tf.data.Dataset.from_tensor_slices(np.float32([5, 7])).batch(1).map(lambda x: (x,))
        log = learner.fit(
            batches.repeat(), steps_per_epoch=3, epochs=2, validation_data=held, shuffle=False, verbose=0
        ).history
        for name, factor in {"loss": 1, "content": 2, "style": 3, "smoothness": 4}.items():
            np.testing.assert_allclose(log[name], [3 * factor, 30 * factor])
            np.testing.assert_allclose(log[f"val_{name}"], [6 * factor, 6 * factor])

    def test_a_kind_of_network_must_say_its_terms(self, extractor):
        learner = PerceptualLearner(network())
        learner.compile(run_eagerly=True)
        with pytest.raises(NotImplementedError):
            learner.evaluate(PHOTOS, verbose=0)


class TestOptimizer:
    def test_the_rate_warms_up_and_falls_to_a_hundredth(self):
        rate = learning.optimizer(steps=500, learning_rate=0.02)._learning_rate
        rates = [float(rate(step)) for step in range(501)]
        assert rates[0] == pytest.approx(0.001)
        assert max(rates) == pytest.approx(0.02) == rates[10]
        assert all(a < b for a, b in pairwise(rates[:11]))
        assert all(a > b for a, b in pairwise(rates[10:]))
        assert rates[-1] == pytest.approx(0.0002, rel=0.15)
        middle = 0.0002 + (0.02 - 0.0002) / 2  # a cosine is halfway down after half of the way
        assert rates[(10 + 510) // 2] == pytest.approx(middle, rel=0.02)

    def test_a_run_of_few_steps_has_a_warm_up_too(self):
        assert float(learning.optimizer(steps=3, learning_rate=0.02)._learning_rate(0)) == pytest.approx(0.001)

    def test_gradients_are_clipped_together(self):
        variables = [tf.Variable([0.0, 0.0]), tf.Variable([0.0])]
        adam = learning.optimizer(steps=10, learning_rate=1.0, average=0)
        adam.build(variables)
        adam.apply([tf.constant([300.0, 0.0]), tf.constant([400.0])], variables)
        first = [float(adam._momentums[k].numpy()[0]) for k in (0, 1)]
        np.testing.assert_allclose(first, [0.1 * 0.6, 0.1 * 0.8], rtol=1e-4)

    def test_the_average_replaces_the_weights_at_the_end(self):
        values = []
        model = Line()
        keep = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: values.append(float(model.w)))
        model.compile(optimizer=learning.optimizer(steps=6, learning_rate=0.1, average=0.5), jit_compile=False)
        model.fit(Line.batches(0), steps_per_epoch=6, shuffle=False, verbose=0, callbacks=[keep])
        average = values[0]  # Keras begins after the first step
        for value in values[1:]:
            average = 0.5 * average + 0.5 * value
        assert float(model.w) == pytest.approx(average, rel=1e-5)
        assert float(model.w) != pytest.approx(values[-1], rel=1e-3)


class Line(keras.Model):
    """One number; the loss of a batch is ``(w - batch)²``."""

    def __init__(self, start=1.0):
        super().__init__()
        self.w = self.add_weight((), keras.initializers.Constant(start), name="w")
        self._mean = keras.metrics.Mean("loss")
        self.seen = []

    @property
    def metrics(self):
        return [self._mean]

    def train_step(self, data):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((self.w - data) ** 2)
        self.optimizer.apply(tape.gradient(loss, [self.w]), [self.w])
        self._mean.update_state(loss)
        return {"loss": self._mean.result()}

    def test_step(self, data):
        self._mean.update_state(tf.reduce_mean((self.w - data) ** 2))
        return {"loss": self._mean.result()}

    @staticmethod
    def batches(first):
        """Batch k is a number that only k decides."""
        numbers = tf.data.Dataset.range(first, 2**40)
        return numbers.map(lambda k: tf.sin(tf.cast(k, "float32"))[None])


HELD = tf.data.Dataset.from_tensors(np.float32([0.25]))
NEVER = Plan(steps=40, every=4, gain=-math.inf)  # never stops early


def run(folder, plan=NEVER, callbacks=(), start=1.0, steps=40, average=0.9, held=HELD):
    model = Line(start)
    model.compile(optimizer=learning.optimizer(steps, 0.1, average=average), jit_compile=False)
    return model, training.fit(model, Line.batches, plan, folder, held, callbacks)


def without_time(log):
    return [{name: value for name, value in entry.items() if name != "core_hours"} for entry in log]


class Kill(keras.callbacks.Callback):
    """Raises in the middle of a run: after a batch, or at the end of an epoch."""

    def __init__(self, batch=None, epoch=None):
        super().__init__()
        self.batch, self.epoch, self.batches = batch, epoch, count(1)

    def on_train_batch_end(self, batch, logs=None):
        if next(self.batches) == self.batch:
            raise KeyboardInterrupt

    def on_epoch_end(self, epoch, logs=None):
        if epoch == self.epoch:
            raise KeyboardInterrupt


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run that nothing happened to: its weight and its log."""
    model, log = run(tmp_path_factory.mktemp("whole"))
    return float(model.w), log


class TestFit:
    def test_the_log_has_a_line_a_look_in_memory_and_on_disk(self, tmp_path):
        _, log = run(tmp_path)
        assert [entry["step"] for entry in log] == list(range(4, 41, 4))
        assert set(log[0]) == {"step", "loss", "held_out", "core_hours"}
        assert [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()] == log
        hours = [entry["core_hours"] for entry in log]
        assert hours == sorted(hours)
        assert all(hour >= 0 for hour in hours)

    def test_each_batch_once_and_in_order(self, tmp_path):
        """The loss of a weight that hardly moves tells which batches it met."""
        model = Line(0.0)
        model.compile(optimizer=keras.optimizers.SGD(1e-9), jit_compile=False)
        log = training.fit(model, Line.batches, Plan(steps=12, every=4, gain=-math.inf), tmp_path, HELD)
        wanted = (np.sin(np.arange(12)) ** 2).reshape(3, 4).mean(1)
        np.testing.assert_allclose([entry["loss"] for entry in log], wanted, atol=1e-4)
        np.testing.assert_allclose([entry["held_out"] for entry in log], 0.25**2, atol=1e-4)

    @pytest.mark.parametrize("kill", [{"batch": 2}, {"batch": 18}, {"epoch": 6}, {"epoch": 9}], ids=str)
    def test_killed_and_resumed_it_is_the_run_that_was_not_killed(self, tmp_path, kill, whole):
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path, callbacks=[Kill(**kill)])
        # Where there is a checkpoint, it does not matter what the new network begins with.
        resumed, again = run(tmp_path, start=1.0 if kill == {"batch": 2} else -5.0)
        assert without_time(again) == without_time(whole[1])
        assert float(resumed.w) == pytest.approx(whole[0], rel=1e-5)

    def test_killed_between_log_and_checkpoint_no_line_stands_twice(self, tmp_path, whole):
        _, log = whole
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path, callbacks=[Kill(epoch=4)])
        with (tmp_path / "log.jsonl").open("a") as file:
            file.write(json.dumps({**log[-1], "step": 24}) + "\n")
        assert without_time(run(tmp_path)[1]) == without_time(log)

    def test_no_checkpoint_without_its_line_in_the_log(self, tmp_path, whole, monkeypatch):
        """Killed at any look's checkpoint, also at the last one: who reads the log knows what was reached."""

        def killed(manager, *arguments, **settings):
            raise KeyboardInterrupt

        run(tmp_path, Plan(steps=36, every=4, gain=-math.inf))
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(tf.train.CheckpointManager, "save", killed)
            run(tmp_path)
        lines = (tmp_path / "log.jsonl").read_text().splitlines()
        assert json.loads(lines[-1])["step"] == 40
        assert without_time(run(tmp_path)[1]) == without_time(whole[1])

    def test_the_bar_begins_where_the_training_does(self, tmp_path, monkeypatch):
        bars = []

        class Bar(tqdm):
            def __init__(self, **settings):
                super().__init__(**{**settings, "disable": False}, file=io.StringIO())
                bars.append(self)
                self.begins, self.losses = self.n, []

            def set_postfix(self, loss, **settings):
                self.losses.append(float(loss))

        monkeypatch.setattr("tqdm.auto.tqdm", Bar)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path, Plan(steps=18, every=4, gain=-math.inf), callbacks=[Kill(batch=10)])
        run(tmp_path, Plan(steps=18, every=4, gain=-math.inf))
        assert [(bar.begins, bar.n, bar.total) for bar in bars] == [(0, 10, 20), (8, 20, 20)]
        assert all(0 < loss < 2 for loss in bars[1].losses)
        assert len(bars[1].losses) == 12
        assert all(bar.disable for bar in bars), "closed"
        run(tmp_path, Plan(steps=18, every=4, gain=-math.inf))
        assert len(bars) == 2, "nothing left to do"

    def test_core_hours_go_on_where_they_were(self, tmp_path):
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path, callbacks=[Kill(epoch=4)])
        file = tmp_path / "log.jsonl"
        lines = [{**json.loads(line), "core_hours": 3.5} for line in file.read_text().splitlines()]
        file.write_text("".join(json.dumps(line) + "\n" for line in lines))
        _, log = run(tmp_path)
        assert [entry["core_hours"] for entry in log[:5]] == [3.5] * 5
        assert all(3.5 <= entry["core_hours"] < 4 for entry in log[5:])

    def test_a_finished_run_is_not_run_again_and_has_its_result(self, tmp_path):
        model, log = run(tmp_path)
        again, same = run(tmp_path, callbacks=[Kill(batch=1)], start=-5.0)
        assert same == log
        assert float(again.w) == pytest.approx(float(model.w), rel=1e-6), "the averaged weights, as after the run"

    def test_layers_in_a_list_are_resumed_too(self, tmp_path):
        """TensorFlow's checkpoint does not look into Keras's lists: it finds these weights through the optimizer."""

        class Deep(Line):
            def __init__(self, start=1.0):
                super().__init__(start)
                self.lines = [Line(start)]
                self.own, self.w = self.w, self.lines[0].w

        def trained(folder, callbacks=(), start=1.0):
            model = Deep(start)
            model.compile(optimizer=learning.optimizer(8, 0.1, average=0), jit_compile=False)
            training.fit(model, Line.batches, Plan(8, 4, gain=-math.inf), folder, HELD, callbacks)
            return float(model.w)

        with pytest.raises(KeyboardInterrupt):
            trained(tmp_path / "killed", [Kill(epoch=0)])
        assert trained(tmp_path / "killed", start=-5.0) == pytest.approx(trained(tmp_path / "whole"), rel=1e-5)

    def test_without_held_out_data_the_log_has_no_such_line_and_the_plan_is_kept(self, tmp_path):
        _, log = run(tmp_path, Plan(steps=48, every=4), held=None, average=0)
        assert set(log[0]) == {"step", "loss", "core_hours"}
        assert [entry["step"] for entry in log] == list(range(4, 49, 4))

    def test_a_function_measures_the_model_at_each_look(self, tmp_path):
        asked = []

        def measure(model):
            asked.append(float(model.w))
            return {"loss": 7.0 + len(asked), "kid": tf.constant(0.5)}

        model, log = run(tmp_path, Plan(steps=12, every=4, gain=-math.inf), held=measure, average=0)
        assert [entry["held_out"] for entry in log] == [8, 9, 10]
        assert [entry["kid"] for entry in log] == [0.5] * 3
        assert len(asked) == 3
        assert asked[-1] == float(model.w)
        assert [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()] == log

    def test_what_a_function_measures_may_end_the_training(self, tmp_path):
        flat = {"loss": 1.0}
        assert len(run(tmp_path / "a", Plan(steps=60, every=4), held=lambda model: flat)[1]) == 10
        assert flat == {"loss": 1.0}, "the caller's dictionary stays"
        assert len(run(tmp_path / "b", Plan(steps=60, every=4, gain=None), held=lambda model: {"loss": 1.0})[1]) == 15

    @pytest.mark.parametrize("number", [math.nan, math.inf])
    def test_a_loss_that_is_no_number_ends_it_and_the_checkpoint_is_of_the_time_before(self, tmp_path, whole, number):
        class Broken(Line):
            @staticmethod
            def batches(first):
                return Line.batches(first).enumerate(first).map(lambda k, x: tf.where(k == 22, number, x))

        model = Broken()
        model.compile(optimizer=learning.optimizer(40, 0.1, average=0.9), jit_compile=False)
        with pytest.raises(SettingsError) as error:
            training.fit(model, Broken.batches, NEVER, tmp_path, HELD)
        assert str(error.value) == (
            "The loss 'loss' is no number any more between steps 20 and 24 (the checkpoint of step 20 is whole): look "
            "for numbers in the data that are none, or choose a smaller learning rate."
        )
        assert len((tmp_path / "log.jsonl").read_text().splitlines()) == 5
        resumed, again = run(tmp_path, start=-5.0)
        assert without_time(again) == without_time(whole[1])
        assert float(resumed.w) == pytest.approx(whole[0], rel=1e-5)

    def test_before_the_first_checkpoint_it_says_that_there_is_none(self, tmp_path):
        model = Line(math.nan)
        model.compile(optimizer="sgd", jit_compile=False)
        with pytest.raises(SettingsError, match=r"between steps 0 and 4 \(there is no checkpoint yet\)"):
            training.fit(model, Line.batches, NEVER, tmp_path)

    @pytest.mark.parametrize(
        "error",
        [
            OSError(28, "No space left on device"),
            tf.errors.ResourceExhaustedError(None, None, "ckpt-3.data-00000; No space left on device\n\t[[Op]]"),
        ],
        ids=["ours", "TensorFlow's"],
    )
    def test_a_full_disk_at_a_checkpoint_is_one_sentence_and_the_one_before_is_whole(
        self, tmp_path, whole, monkeypatch, error
    ):
        save, calls = tf.train.CheckpointManager.save, count(1)

        def full(self, *arguments, **settings):
            if next(calls) == 3:
                raise error
            return save(self, *arguments, **settings)

        with monkeypatch.context() as patch:
            patch.setattr(tf.train.CheckpointManager, "save", full)
            with pytest.raises(ResourceError) as raised:
                run(tmp_path)
        said = str(raised.value)
        assert said.startswith(f"The checkpoint of step 12 cannot be written to {tmp_path} (")
        assert "No space left on device); make room and run the same again" in said
        assert "\n" not in said
        assert len((tmp_path / "log.jsonl").read_text().splitlines()) == 3, "the log is ahead of its checkpoint"
        resumed, again = run(tmp_path, start=-5.0)
        assert without_time(again) == without_time(whole[1])
        assert float(resumed.w) == pytest.approx(whole[0], rel=1e-5)

    def test_a_disk_that_really_takes_no_more(self, tmp_path, whole):
        """Files of this process may not grow over 200 bytes, from the third look on: half a checkpoint is written."""
        resource = pytest.importorskip("resource", reason="Windows has no limit on a file's size")
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)

        class Full(keras.callbacks.Callback):
            """Ahead of the look: the last batch before it."""

            def on_train_batch_end(self, batch, logs=None):
                if int(self.model.optimizer.iterations) == 12:
                    resource.setrlimit(resource.RLIMIT_FSIZE, (200, limits[1]))

        try:
            with pytest.raises(ResourceError, match=r"^The checkpoint of step 12 cannot be written"):
                run(tmp_path, callbacks=[Full()])
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        resumed, again = run(tmp_path, start=-5.0)
        assert without_time(again) == without_time(whole[1])
        assert float(resumed.w) == pytest.approx(whole[0], rel=1e-5)

    def test_a_longer_plan_goes_on(self, tmp_path, whole):
        run(tmp_path, Plan(steps=20, every=4, gain=-math.inf))
        model, log = run(tmp_path)
        assert without_time(log) == without_time(whole[1])
        assert float(model.w) == pytest.approx(whole[0], rel=1e-5)

    def test_it_stops_when_the_hours_are_used_up(self, tmp_path, monkeypatch):
        clock = count(0, 1800)  # half an hour between any two looks at it
        monkeypatch.setattr(training.time, "process_time", lambda: next(clock))
        _, log = run(tmp_path, Plan(steps=40, every=4, core_hours=1.4, gain=-math.inf))
        assert [entry["core_hours"] for entry in log] == [0.5, 1.0, 1.5]
        assert run(tmp_path, Plan(steps=40, every=4, core_hours=1.4, gain=-math.inf))[1] == log

    def test_it_stops_when_nothing_is_gained(self, tmp_path):
        """A weight that stays has a held-out objective that stays: the run ends at the first look that may judge."""
        model = Line()
        model.compile(optimizer=keras.optimizers.SGD(0.0), jit_compile=False)
        log = training.fit(model, Line.batches, Plan(steps=200, every=4), tmp_path, HELD)
        assert len(log) == 10

    @pytest.mark.parametrize(
        ("values", "stops"),
        [
            ([2.0] * 9, False),  # too early to say
            ([2.0] * 10, True),
            ([2.0 * 0.99**k for k in range(12)], False),  # 2 % and more over the last fifth
            ([2.0 * 0.999**k for k in range(12)], True),
            ([2.0] * 7 + [1.98] * 3, True),  # exactly 1 % less would do, and this is it: not more than the limit
            ([2.0] * 8 + [1.985] * 2, True),
            ([2.0] * 8 + [1.97] * 2, False),
            ([1.0] * 8 + [1.5] * 2, True),  # it rises
        ],
    )
    def test_flat_means_less_than_one_percent_over_the_last_fifth(self, tmp_path, values, stops):
        look = training._Look(self.built(), Plan(steps=10_000, every=100), tmp_path)
        look.log = [{"step": 100 * (k + 1), "held_out": v, "core_hours": 0.0} for k, v in enumerate(values)]
        if values[-1] == 1.98:
            look.log[-1]["held_out"] = 1.9801
        assert look.finished() is stops

    def built(self):
        model = Line()
        model.compile(optimizer="sgd", jit_compile=False)
        return model

    def test_an_empty_folder_is_no_finished_run(self, tmp_path):
        assert not training._Look(self.built(), Plan(steps=0), tmp_path / "new").finished()

    def test_two_checkpoints_are_kept(self, tmp_path):
        run(tmp_path)
        assert len(list((tmp_path / "checkpoints").glob("*.index"))) == 2


class TestWeightFiles:
    def test_a_round_trip_in_float16(self, tmp_path):
        one, other = network(1), network(2)
        path = training.save_weights(one, tmp_path / "new" / "net.weights.h5")
        training.load_weights(other, path)
        for wanted, got in zip(one.get_weights(), other.get_weights(), strict=True):
            np.testing.assert_array_equal(got, wanted.astype("float16").astype("float32"))
        assert np.abs(one.get_weights()[0] - network(2).get_weights()[0]).max() > 1e-3
        kinds = []
        with h5py.File(path) as file:
            file.visititems(lambda _, node: kinds.append(node.dtype) if isinstance(node, h5py.Dataset) else None)
        assert kinds
        assert set(map(str, kinds)) == {"float16"}

    def test_keras_reads_the_file_without_us(self, tmp_path):
        one, other = network(1), network(2)
        other.load_weights(training.save_weights(one, tmp_path / "net.weights.h5"))
        np.testing.assert_allclose(other(PHOTOS), one(PHOTOS), atol=1e-3)

    def test_the_file_is_replaced_whole_or_not_at_all(self, tmp_path):
        path = training.save_weights(network(1), tmp_path / "net.weights.h5")
        before = path.read_bytes()

        class Broken:
            def save_weights(self, file):
                network(2).save_weights(file)
                raise OSError(28, "No space left on device")

        with pytest.raises(Exception, match=r"net\.weights\.h5 cannot be written: "):
            training.save_weights(Broken(), path)
        assert path.read_bytes() == before
        assert [p.name for p in tmp_path.iterdir()] == ["net.weights.h5"], "nothing half-written is left"

    @pytest.mark.parametrize("name", ["net.h5", "net.keras", "net", "net.weights.H5"])
    def test_another_suffix_is_one_sentence(self, tmp_path, name):
        with pytest.raises(SettingsError) as error:
            training.save_weights(network(), tmp_path / name)
        assert str(error.value) == f"Weights are written to files that end in .weights.h5, not to {name}."
        assert not list(tmp_path.iterdir())

    @pytest.mark.parametrize("kind", ["missing", "text", "cut", "of another network", "a folder"])
    def test_a_file_that_does_not_fit_is_one_sentence(self, tmp_path, kind):
        path = tmp_path / "net.weights.h5"
        if kind == "text":
            path.write_text("no weights")
        elif kind == "cut":
            training.save_weights(network(), path)
            path.write_bytes(path.read_bytes()[:500])
        elif kind == "of another network":
            other = keras.Sequential([keras.Input((None, None, 3)), keras.layers.Conv2D(5, 3)])
            training.save_weights(other, path)
        elif kind == "a folder":
            path.mkdir()
        with pytest.raises(WeightsError) as error:
            training.load_weights(network(), path)
        said = str(error.value)
        assert said.startswith(f"{path} does not hold the weights of this network (")
        assert said.endswith("); give the right file.")
        assert "\n" not in said
