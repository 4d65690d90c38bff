"""What a run shows while it runs. TensorBoard's files are read by TensorFlow's reader of records; Weights & Biases is a
double that remembers what it is told: that the real one runs offline was tried by hand."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest

from stylelab import monitor
from stylelab.backend import keras, tf
from stylelab.errors import SettingsError

PICTURES = np.linspace(0, 1, 2 * 3 * 5 * 3).reshape(2, 3, 5, 3).astype("float32")


def fitted(*callbacks):
    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile(optimizer="sgd", loss="mse", jit_compile=False)
    data = tf.data.Dataset.from_tensors((np.ones((4, 2)), np.ones((4, 1)))).repeat()
    held = tf.data.Dataset.from_tensors((np.ones((1, 2)), np.zeros((1, 1))))
    return model.fit(
        data, epochs=2, steps_per_epoch=3, validation_data=held, verbose=0, shuffle=False, callbacks=list(callbacks)
    ).history


def events(folder):
    for file in sorted(folder.glob("events.*")):
        for record in tf.data.TFRecordDataset(str(file)):
            event = tf.compat.v1.Event.FromString(record.numpy())
            for value in event.summary.value:
                yield event.step, value.tag, tf.make_ndarray(value.tensor)


def test_the_board_has_every_number_and_the_pictures(tmp_path):
    history = fitted(monitor.Board(tmp_path, lambda model: PICTURES))
    found = list(events(tmp_path))
    losses = {step: float(value) for step, tag, value in found if tag == "loss/training"}
    held_out = {step: float(value) for step, tag, value in found if tag == "loss/held_out"}
    assert losses == pytest.approx(dict(zip([3, 6], history["loss"], strict=True)))
    assert held_out == pytest.approx(dict(zip([3, 6], history["val_loss"], strict=True)))
    shown = [value for _, tag, value in found if tag == "held_out"]
    assert len(shown) == 2
    assert [int(side) for side in shown[0][:2]] == [5, 3]
    decoded = [tf.io.decode_png(png).numpy() for png in shown[0][2:]]
    np.testing.assert_array_equal(decoded, np.round(PICTURES * 255))


@pytest.fixture
def wandb(monkeypatch):
    told = SimpleNamespace(settings=None, lines=[], finished=0)

    def init(**settings):
        told.settings = settings
        return SimpleNamespace(
            log=lambda shown, step: told.lines.append((step, shown)),
            finish=lambda: setattr(told, "finished", told.finished + 1),
        )

    monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace(init=init, Image=lambda picture: ("image", picture)))
    return told


def test_weights_and_biases_is_offline_unless_told(wandb, tmp_path):
    history = fitted(monitor.WeightsAndBiases(tmp_path / "w", draw=lambda model: PICTURES, config={"rate": 1}))
    assert wandb.settings == {
        "dir": str(tmp_path / "w"),
        "project": "stylelab",
        "mode": "offline",
        "config": {"rate": 1},
    }
    assert [step for step, _ in wandb.lines] == [3, 6]
    assert [shown["val_loss"] for _, shown in wandb.lines] == pytest.approx(history["val_loss"])
    kind, picture = wandb.lines[0][1]["pictures"][1]
    assert kind == "image"
    np.testing.assert_array_equal(picture, np.round(PICTURES[1] * 255))
    assert wandb.finished == 1


def test_without_pictures_there_are_numbers_alone(wandb, tmp_path):
    fitted(monitor.WeightsAndBiases(tmp_path, mode="online"))
    assert wandb.settings["mode"] == "online"
    assert set(wandb.lines[0][1]) == {"loss", "val_loss"}


def test_missing_it_is_one_sentence(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(SettingsError, match=r"not installed; run pip install 'stylelab\[track\]'"):
        fitted(monitor.WeightsAndBiases(tmp_path))
