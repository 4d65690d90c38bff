"""Training a network of one's own: what it writes, what a kill costs, what is refused; on tiny networks and crops.

What needs the objective needs VGG16's weights. A run that was killed is compared with one that was not, weight by
weight; TensorBoard's files are read as the records that they are.
"""

import json
import os
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pytest

from stylelab import datasets, images, samples, training
from stylelab.backend import keras, tf
from stylelab.cli import main
from stylelab.errors import ImageError, SettingsError, StyleLabError
from stylelab.feedforward import Architecture, FeedForward, StyleNetwork
from stylelab.feedforward import network as networks
from stylelab.feedforward.train import Training, train_network

PAINTING = "hokusai_great_wave"
SIZES = Architecture(half=4, quarter=8, full=4, blocks=1, last=3)
TINY = {"steps": 4, "every": 1, "size": 32, "batch": 2, "style_size": 64, "architecture": SIZES, "seed": 3}
needs_weights = pytest.mark.weights


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve photos in two folders."""
    folder, rng = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    for number in range(12):
        low = rng.random((5, 6, 3)).astype("float32")
        images.write(folder / f"part{number % 2}" / f"{number}.png", images.resize(low, (40, 48)))
    return folder


@pytest.fixture(scope="module")
def styles(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """A shipped painting and a picture of one's own."""
    own = tmp_path_factory.mktemp("styles") / "my painting.v2.png"
    images.write(own, images.resize(np.random.default_rng(1).random((9, 9, 3)).astype("float32"), (70, 80)))
    return [PAINTING, str(own)]


@pytest.fixture(scope="module")
def whole(photos: Path, styles: list[str], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict]]:
    """A training that nothing disturbed."""
    output = tmp_path_factory.mktemp("whole") / "net.weights.h5"
    return output, train_network(styles, [photos], output, **TINY)


def numbers(log: list[dict]) -> list[dict]:
    return [{name: value for name, value in line.items() if name != "core_hours"} for line in log]


def weights(path: Path) -> list[np.ndarray]:
    return networks.load(path).get_weights()


# ---------------------------------------------------------------- what it writes


@needs_weights
def test_weights_that_paint_and_a_description(whole, styles, photos):
    output, log = whole
    assert [line["step"] for line in log] == [1, 2, 3, 4]
    stylizer = FeedForward(output)
    assert list(stylizer.styles) == [PAINTING, "my painting.v2"]
    photo = images.read(next(photos.rglob("*.png")))[None]
    assert stylizer.stylize(photo, "my painting.v2").shape == photo.shape
    described = json.loads(networks.description_of(output).read_text())
    facts = described["training"]
    assert described["log"] == log and described["precision"] == training.precision()
    assert {name: facts[name] for name in ("steps", "size", "batch", "style_size", "seed")} == {
        name: TINY[name] for name in ("steps", "size", "batch", "style_size", "seed")
    }
    shipped = next(e for e in samples.manifest() if e["path"] == f"styles/{PAINTING}.jpg")
    assert facts["styles"][PAINTING] == shipped["sha256"] and len(facts["styles"]) == 2
    assert facts["photos"]["training"] + facts["photos"]["held_out"] == 12 and facts["photos"]["held_out"] == 1


@needs_weights
def test_tensorboard_has_the_losses_and_pictures(whole):
    output, log = whole
    files = list((output.parent / "net.training" / "tensorboard").glob("events.*"))
    values = {}
    for record in tf.data.TFRecordDataset([str(file) for file in files]):
        event = tf.compat.v1.Event.FromString(record.numpy())
        for value in event.summary.value:
            values[value.tag, event.step] = tf.make_ndarray(value.tensor)
    for line in log:
        assert values["loss/held_out", line["step"]] == pytest.approx(line["held_out"], abs=1e-4)
        assert values["loss/training", line["step"]] == pytest.approx(line["loss"], abs=1e-4)
        width, height, picture = values["held_out", line["step"]]
        assert (int(width), int(height)) == (64, 32)  # the photo, and beside it the painted one
        assert tf.io.decode_png(picture).shape == (32, 64, 3)


@needs_weights
def test_the_held_out_photo_is_not_trained_on(photos, styles):
    made = Training(styles, [photos], **TINY)
    every = set(datasets.picture_files(photos))
    (square,) = made.held_out.unbatch().as_numpy_iterator()
    (held,) = every - set(made.photos)
    np.testing.assert_array_equal(square[0], datasets.middle_square(images.read(held), 32))


@needs_weights
def test_steps_are_as_many_as_asked_for(photos, styles):
    """Looks are of one length, so a number that has no divisor near 250 is exceeded by less than one for each look."""
    for steps in (1, 250, 251, 600, 10_000):
        plan = Training(styles, [photos], **{**TINY, "steps": steps, "every": 250}).plan
        assert plan.every <= 250 and plan.steps % plan.every == 0
        assert steps <= plan.steps < steps + plan.steps / plan.every


# ---------------------------------------------------------------- a kill, and what comes after


KILLED = """
import json, sys
from stylelab.feedforward import Architecture
from stylelab.feedforward.train import train_network
styles, photos, output, settings = json.loads(sys.argv[1])
settings["architecture"] = Architecture(**settings["architecture"])
train_network(styles, photos, output, **settings)
"""


@needs_weights
def test_killed_and_started_again_it_ends_as_if_nothing_had_happened(whole, photos, styles, tmp_path):
    output, settings = tmp_path / "net.weights.h5", {**TINY, "architecture": vars(SIZES)}
    arguments = json.dumps([styles, [str(photos)], str(output), settings])
    process = subprocess.Popen([sys.executable, "-c", KILLED, arguments], stderr=subprocess.PIPE, text=True)
    log = tmp_path / "net.training" / "log.jsonl"
    until = time.monotonic() + 240
    while not (log.exists() and log.read_text().count("\n") >= 2):
        assert process.poll() is None and time.monotonic() < until, process.stderr and process.stderr.read()
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not output.exists()
    seen = []
    made = Training(styles, [photos], **TINY)
    batches = made.batches
    made.batches = lambda first=0: (seen.append(first), batches(first))[1]
    again = made.run(output)
    assert seen and seen[0] >= 1  # it did not begin anew
    assert numbers(again) == numbers(whole[1])
    for ours, theirs in zip(weights(output), weights(whole[0]), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@needs_weights
def test_killed_between_its_end_and_its_file_the_averages_are_written_all_the_same(whole, photos, styles):
    output, log = whole
    before = output.read_bytes(), weights(output)
    output.unlink()
    assert train_network(styles, [photos], output, **TINY) == log
    for ours, theirs in zip(weights(output), before[1], strict=True):
        np.testing.assert_array_equal(ours, theirs)


@needs_weights
def test_other_settings_in_the_same_folder_are_refused(whole, photos, styles, tmp_path):
    output, log = whole
    before = {path: path.read_bytes() for path in output.parent.rglob("*") if path.is_file()}
    for changed, word in (({"seed": 4}, "seed"), ({"steps": 5}, "steps"), ({"batch": 1}, "batch")):
        with pytest.raises(SettingsError, match=rf"net.training holds a training with other settings \({word}\)"):
            train_network(styles, [photos], output, **{**TINY, **changed})
    with pytest.raises(SettingsError, match=r"\(styles, trained\)"):
        train_network(styles[:1], [photos], output, **TINY)
    with pytest.raises(SettingsError, match=r"\(photos\)"):
        train_network(styles, [photos / "part0"], output, **TINY)
    assert {path: path.read_bytes() for path in output.parent.rglob("*") if path.is_file()} == before
    same_data = [photos / "part1", photos / "part0"]
    assert train_network(styles, same_data, output, **TINY, core_hours=9) == log


@needs_weights
def test_a_loss_that_is_no_number_ends_it_and_leaves_no_checkpoint(photos, styles, tmp_path):
    output = tmp_path / "net.weights.h5"
    with pytest.raises(SettingsError, match=r"loss is no number any more at step \d; choose a smaller learning rate"):
        train_network(styles, [photos], output, **TINY, learning_rate=1e30)
    folder = tmp_path / "net.training"
    assert folder.exists() and not output.exists()
    assert not (folder / "log.jsonl").exists() and not list(folder.glob("checkpoints/*"))


# ---------------------------------------------------------------- a network to go on with


@needs_weights
def test_what_is_frozen_stays(photos, styles, tmp_path):
    training.set_seed(0)
    network = StyleNetwork([PAINTING], SIZES)
    network.last.trainable = False
    before = network.last.get_weights(), network.encoder[0][1].get_weights()
    train_network(styles[:1], [photos], tmp_path / "n.weights.h5", network=network, **{**TINY, "steps": 2})
    for old, new in zip(before[0], network.last.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    assert any((old != new).any() for old, new in zip(before[1], network.encoder[0][1].get_weights(), strict=True))


def test_a_network_of_other_styles_is_refused(photos, styles):
    with pytest.raises(SettingsError, match="styles are a, b, not hokusai"):
        Training(styles, [photos], network=StyleNetwork(["a", "b"], SIZES), **TINY)


# ---------------------------------------------------------------- broken input


def spoiled(folder: Path, good: int, bad: int) -> Path:
    rng = np.random.default_rng(0)
    for number in range(good):
        images.write(folder / f"{2 * number}.png", rng.random((40, 40, 3)))
    for number in range(bad):
        (folder / f"{2 * number + 1}.jpg").parent.mkdir(exist_ok=True)
        (folder / f"{2 * number + 1}.jpg").write_bytes(b"\xff\xd8 no picture")
    return folder


@needs_weights
def test_broken_photos_are_left_out_with_a_warning(styles, tmp_path):
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        log = train_network(styles, [spoiled(tmp_path / "in", 6, 6)], tmp_path / "n.weights.h5", **{**TINY, "steps": 6})
    assert log[-1]["step"] == 6 and all(np.isfinite(line["loss"]) for line in log)
    sentences = [str(warning.message) for warning in told if "left out" in str(warning.message)]
    assert sentences and all(".jpg cannot be read" in sentence for sentence in sentences)


@pytest.mark.filterwarnings("ignore:A photo was left out")
@pytest.mark.parametrize(("good", "bad"), [(0, 5), (0, 1), (1, 0)])
def test_too_few_photos_that_can_be_read(good, bad, styles, tmp_path):
    with pytest.raises(ImageError, match=f"Of {good + bad} photos too few can be read"):
        Training(styles, [spoiled(tmp_path, good, bad)], **TINY)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"photos": ["nowhere"]}, "no folder nowhere"),
        ({"photos": ["."]}, "No pictures in ."),
        ({"styles": ["hokusai_great_wav"]}, "did you mean"),
        ({"styles": ["missing.png"]}, "missing.png cannot be read: there is no such file"),
        ({"styles": ["broken.png"]}, "broken.png cannot be read"),
        ({"styles": []}, "no picture"),
        ({"styles": [PAINTING, f"styles/{PAINTING}"]}, "different names"),
        ({"steps": 0}, "at least 1 step"),
        ({"size": 33}, "multiples of 4"),
        ({"size": 16}, "at least 32 px"),
        ({"style_size": 8}, "paintings of at least 32"),
        ({"batch": 0}, "a batch of 1"),
        ({"learning_rate": 0.0}, "must be positive"),
        ({"learning_rate": float("nan")}, "must be positive"),
        ({"core_hours": -1.0}, "must be positive"),
        ({"seed": -1}, "seed must be from 0"),
    ],
)
def test_what_cannot_be_trained_is_refused_in_one_sentence(change, words, photos, styles, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    if change.get("photos") == ["."]:
        (tmp_path / "broken.png").unlink()
    settings = {"styles": styles, "photos": [photos], **TINY, **change}
    with pytest.raises(StyleLabError, match=words) as error:
        Training(settings.pop("styles"), settings.pop("photos"), **settings)
    assert str(error.value).count(". ") == 0 and str(error.value)[-1] in ".?"


@needs_weights
def test_outputs_that_cannot_be_are_refused_before_any_work(photos, styles, tmp_path):
    made = Training(styles[:1], [photos], **TINY)
    (tmp_path / "folder.weights.h5").mkdir()
    (tmp_path / "file").write_bytes(b"mine")
    (tmp_path / "taken.training").write_bytes(b"mine")
    before = sorted(tmp_path.rglob("*"))
    for name, words in (
        ("net.h5", "end in .weights.h5"),
        ("folder.weights.h5", "is a folder"),
        ("file/net.weights.h5", "not a folder"),
        ("taken.weights.h5", "not a folder"),
    ):
        with pytest.raises(StyleLabError, match=words):
            made.run(tmp_path / name)
    assert sorted(tmp_path.rglob("*")) == before
    assert int(made.learner.optimizer.iterations) == 0


# ---------------------------------------------------------------- several devices


DEVICES = """
import json, os, sys
os.environ["KERAS_BACKEND"] = "tensorflow"
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
count = int(sys.argv[1])
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * count)
import contextlib
import numpy as np
from stylelab import learning, training
from stylelab.backend import keras
from stylelab.feedforward import Architecture, Learner, StyleNetwork
learning.wide_precision = lambda: "float32"  # half precision rounds the sums of two and of four photos differently
rng = np.random.default_rng(0)
photos, shares = rng.random((8, 32, 32, 3)).astype("float32"), np.eye(3, dtype="float32")[[1, 2, 0, 1, 1, 2, 2, 1]]
data = tf.data.Dataset.from_tensor_slices((photos, shares)).batch(4)
strategy = tf.distribute.MirroredStrategy([f"CPU:{k}" for k in range(count)]) if count > 1 else None
with strategy.scope() if strategy else contextlib.nullcontext():
    training.set_seed(1)
    network = StyleNetwork(["a", "b"], Architecture(4, 8, 4, 1, 3))
    learner = Learner(network, [rng.random((40, 40, 3)).astype("float32") for _ in range(2)])
    learner.compile(optimizer=keras.optimizers.SGD(1e-4, momentum=0.9), jit_compile=False)
fitted = learner.fit(data.repeat(), epochs=3, steps_per_epoch=1, verbose=0, shuffle=False, validation_data=data)
np.savez(sys.argv[2], *network.get_weights())
replicas = strategy.num_replicas_in_sync if strategy else 1
print(json.dumps([replicas, {name: [float(x) for x in values] for name, values in fitted.history.items()}]))
"""


@needs_weights
def test_two_devices_learn_what_one_learns(tmp_path):
    """Each sees half of the batch. The optimizer is one without clipping: Keras clips on each device by itself, so with
    it two devices agree in direction, and not in each digit. One strategy in a process, hence two processes."""
    runs = []
    for count in (1, 2):
        command = [sys.executable, "-c", DEVICES, str(count), str(tmp_path / f"{count}.npz")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=400, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        runs.append(json.loads(done.stdout.splitlines()[-1]))
    (one, single), (two, mirrored) = runs
    assert (one, two) == (1, 2)
    assert single["loss"][0] > 1.02 * single["loss"][-1]  # something was learned
    for name, values in single.items():
        np.testing.assert_allclose(mirrored[name], values, rtol=1e-4, err_msg=name)
    with np.load(tmp_path / "1.npz") as a, np.load(tmp_path / "2.npz") as b:
        for name in a:
            np.testing.assert_allclose(a[name], b[name], atol=1e-5)


# ---------------------------------------------------------------- the command


@pytest.fixture
def command(monkeypatch, capsys, photos, styles):
    """``stylelab train`` on the tiny network."""
    real = Training.__init__

    def tiny(self, *arguments, **settings):
        real(self, *arguments, **{"architecture": SIZES, "every": 1, **settings})

    monkeypatch.setattr(Training, "__init__", tiny)
    sizes = ["--size", "32", "--batch", "2", "--style-size", "64", "--seed", "3"]

    def run(output, *options, steps=2):
        given = ["--styles", *styles, "--photos", str(photos), "--steps", str(steps), *sizes, "-o", str(output)]
        capsys.readouterr()
        code = main(["train", *given, *map(str, options)])
        return code, *capsys.readouterr()

    return run


@needs_weights
def test_the_command_trains_and_stylize_takes_the_network(command, whole, photos, tmp_path, capsys):
    output = tmp_path / "net.weights.h5"
    code, out, err = command(output, steps=4)
    assert (code, err) == (0, "")
    assert out.startswith("Training on 11 photos for hokusai_great_wave, my painting.v2")
    assert f"{output}: 4 steps in " in out
    for ours, theirs in zip(weights(output), weights(whole[0]), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    photo = next(photos.rglob("*.png"))
    one = ["stylize", str(photo), "--network", str(output), "-o", str(tmp_path / "o.png"), "--style"]
    assert main([*one, "my painting.v2", "--style", PAINTING]) == 0
    assert images.read(tmp_path / "o.png").shape == images.read(photo).shape
    capsys.readouterr()
    assert main([*one, "vangogh_night_cafe"]) == 2
    assert "not trained for vangogh_night_cafe" in capsys.readouterr().err


@needs_weights
def test_a_dry_run_says_what_it_would_take_and_writes_nothing(command, tmp_path):
    code, out, err = command(tmp_path / "new" / "net.weights.h5", "--dry-run", steps=3600)
    assert (code, err) == (0, "") and list(tmp_path.iterdir()) == []
    lines = dict(line.split(maxsplit=1) for line in out.splitlines())
    assert lines["photos"] == "11 to train on, 1 held out"
    hours, _, _, steps, _, _, seconds, *_ = lines["time"].split()
    assert int(steps) == 3600
    # 3600 steps of s seconds take s hours, and the looks come on top, here one with one batch for each step.
    assert float(hours) == pytest.approx(2 * float(seconds), abs=0.06)
    assert "GB at the peak" in lines["memory"]


@needs_weights
def test_ctrl_c_says_how_to_go_on(command, whole, tmp_path, monkeypatch):
    fit = training.fit

    def interrupted(*arguments):
        class Interrupt(keras.callbacks.Callback):
            def on_epoch_begin(self, epoch, logs=None):
                if epoch == 2:
                    raise KeyboardInterrupt

        return fit(*arguments[:-1], [*arguments[-1], Interrupt()])

    output = tmp_path / "net.weights.h5"
    with monkeypatch.context() as patch:
        patch.setattr(training, "fit", interrupted)
        code, _, err = command(output, steps=4)
    assert code == 130 and "the same command goes on from the last checkpoint" in err and not output.exists()
    assert len((tmp_path / "net.training" / "log.jsonl").read_text().splitlines()) == 2
    code, _, _ = command(output, steps=4)
    assert code == 0
    for ours, theirs in zip(weights(output), weights(whole[0]), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@needs_weights
def test_a_new_style_by_scale_and_shift_alone(command, whole, styles, tmp_path):
    output = tmp_path / "new.weights.h5"
    code, _, err = command(output, "--from", whole[0], "--only-norm")
    assert (code, err) == (0, "")
    before, after = networks.load(whole[0]), networks.load(output)
    moved = {
        type(layer).__name__: any((a != b).any() for a, b in zip(layer.get_weights(), other.get_weights(), strict=True))
        for layer, other in zip(before.layers, after.layers, strict=True)
    }
    assert moved == {"ReflectedConv2D": False, "ConditionalInstanceNormalization": True}
    facts = json.loads(networks.description_of(output).read_text())["training"]
    assert facts["start"] and facts["trained"] == 3 * after.style_parameters()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--styles", PAINTING, "--photos", "nowhere", "-o", "n.weights.h5"], "no folder nowhere"),
        (["--styles", "nobody", "--photos", ".", "-o", "n.weights.h5"], "'nobody'"),
        (["--styles", PAINTING, "--photos", ".", "-o", "n.h5"], "-o must name a file that ends in .weights.h5"),
        (["--styles", PAINTING, "--photos", ".", "-o", "n.weights.h5", "--only-norm"], "--only-norm needs"),
        (["--styles", PAINTING, "--photos", ".", "-o", "n.weights.h5", "--from", "m.weights.h5"], "m.json"),
        (["--styles", PAINTING, "--photos", ".", "-o", "n.weights.h5"], "No pictures in ."),
    ],
)
def test_mistakes_of_the_command_are_told_in_one_sentence(arguments, words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["train", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("stylelab: ") and err.count("\n") == 1 and words in err
    assert list(tmp_path.iterdir()) == []
