"""What all long runs share: precision, seeds, memory, progress, checkpoints and resuming."""

import json
import math
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from . import files
from .backend import keras, tf
from .errors import ImageError, ResourceError, SettingsError, WeightsError
from .machine import cpu_has_bfloat16
from .machine import memory_available as memory_available  # all long runs ask for these here
from .machine import peak_memory as peak_memory
from .machine import require_memory as require_memory


@cache
def precision() -> str:
    """The dtype policy for this hardware: ``"bfloat16"``, ``"mixed_float16"`` (needs loss scaling) or ``"float32"``.

    Decided by what the hardware says it has, never by timing: bfloat16 on GPUs from compute capability 8.0 and on CPUs
    with AVX-512 BF16 or AMX; float16 on older GPUs (Colab's T4 has no bfloat16); float32 otherwise.
    """
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        capability = tf.config.experimental.get_device_details(gpus[0]).get("compute_capability", (0, 0))
        return "bfloat16" if capability >= (8, 0) else "mixed_float16"
    return "bfloat16" if cpu_has_bfloat16() else "float32"


def wide_precision() -> str:
    """The dtype for what float16 would overflow in, as VGG: ``"bfloat16"`` where it is fast, else ``"float32"``."""
    return "bfloat16" if precision() == "bfloat16" else "float32"


def set_seed(seed: int) -> None:
    """Seeds Python, NumPy and TensorFlow: the same seed gives the same numbers on the same machine."""
    keras.utils.set_random_seed(seed)


def bar(total: int, label: str = "", done: int = 0) -> Any:
    """A progress bar of tqdm: a widget in a notebook, text in a terminal. ``done`` of the total were made before."""
    from tqdm.auto import tqdm
    from tqdm.notebook import tqdm as widget

    # None: no bar where nobody watches, in a pipe or a log; a notebook is no terminal but has its widget.
    silent = False if issubclass(tqdm, widget) else None
    return tqdm(total=total, desc=label, initial=done, leave=False, disable=silent)


class Progress:
    """A callback for methods that report their steps: a bar with the loss, and a record of the run.

    Args:
        label: shown before the bar.
        every: keeps the picture each so many steps in ``snapshots`` (step number to image); 0 keeps none.

    Attributes:
        steps: what was reported so far.
        snapshots: pictures by step number.
    """

    def __init__(self, label: str = "", every: int = 0):
        self.label, self.every = label, every
        self.steps: list[Any] = []
        self.snapshots: dict[int, np.ndarray] = {}
        self._bar: Any = None

    def __call__(self, step: Any) -> None:
        if step.step == 1:
            self._bar = bar(step.steps, self.label)
        self.steps.append(step)
        self._bar.set_postfix(size=max(step.size), loss=f"{step.loss:.3f}", refresh=False)
        self._bar.update()
        if self.every and step.step % self.every == 0:
            self.snapshots[step.step] = step.image()
        if step.step == step.steps:
            self._bar.close()


def layer_policy() -> str:
    """The dtype policy of a network that trains here: variables in float32, computation in :func:`precision`."""
    return "mixed_bfloat16" if precision() == "bfloat16" else precision()


def save_weights(network: Any, path: str | Path) -> Path:
    """Writes a network's weights in float16, whole or not at all.

    Raises:
        SettingsError: the name does not end in ``.weights.h5``.
        ImageError: the file cannot be written.
    """
    import h5py

    path = Path(path)
    if not path.name.endswith(".weights.h5"):
        raise SettingsError(f"Weights are written to files that end in .weights.h5, not to {path.name}.")
    with files.explained(f"{path} cannot be written"):
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".stylelab-") as folder:
            full, half = Path(folder) / "full.weights.h5", Path(folder) / "half.weights.h5"
            network.save_weights(full)
            with h5py.File(full) as source, h5py.File(half, "w") as target:

                def halve(name: str, node: Any) -> None:
                    if isinstance(node, h5py.Dataset):
                        target[name] = node[()].astype("float16") if node.dtype.kind == "f" else node[()]
                    else:
                        target.require_group(name)
                    for key, value in node.attrs.items():
                        target[name].attrs[key] = value

                source.visititems(halve)
                for key, value in source.attrs.items():
                    target.attrs[key] = value
            half.replace(path)
    return path


def load_weights(network: Any, path: str | Path) -> None:
    """Reads a network's weights.

    Raises:
        WeightsError: no such file, or weights of another network.
    """
    try:
        network.load_weights(str(path))
    except (OSError, ValueError, KeyError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise WeightsError(
            f"{path} does not hold the weights of this network ({reason}); give the right file."
        ) from error


@dataclass(frozen=True)
class Plan:
    """How long a training may take, and how often it stops to look.

    Attributes:
        steps: optimizer steps at most.
        every: steps between two looks: each saves a checkpoint, computes the held-out objective and writes the log.
        core_hours: the limit of processor time, of all sessions together; None for none.
        gain: training ends when the held-out objective fell by less than this share over the last fifth of the steps;
            None for the whole plan. A game has no objective that falls: give None.
    """

    steps: int
    every: int = 250
    core_hours: float | None = None
    gain: float | None = 0.01


def fit(
    model: Any,
    batches: Callable[[int], Any],
    plan: Plan,
    folder: str | Path,
    held_out: Any = None,
    callbacks: Sequence[Any] = (),
    label: str = "training",
) -> list[dict[str, float]]:
    """Trains a compiled Keras model with checkpoints and a progress bar; begins where the last checkpoint ended.

    In ``folder``: ``checkpoints/`` (networks, optimizers, averages) and ``log.jsonl`` (a line per look). A killed run
    repeats at most ``plan.every`` steps, and its crops are those it would have had.

    Args:
        batches: the training data from batch number ``k`` on.
        held_out: data that training never sees, of which the model's ``loss`` is the held-out objective; or a function
            of the model that measures it: a dictionary with ``loss``, and more numbers for the log. None for neither.
        callbacks: more Keras callbacks.
        label: shown before the bar.
    Returns:
        The lines of the log: ``step``, ``loss``, ``held_out``, ``core_hours`` and the model's other metrics.
    Raises:
        SettingsError: a loss is no number any more; the checkpoints are of the time before.
        ResourceError: a checkpoint could not be written; the one before it is whole.
    """
    folder = Path(folder)
    measure = held_out if callable(held_out) else None
    look = _Look(model, plan, folder, measure)
    if look.finished():
        # The checkpoint has the weights before Keras exchanged them for their average at the end of the run.
        if model.optimizer is not None:
            model.optimizer.finalize_variable_values(model.trainable_variables)
        return look.log
    looks = math.ceil(plan.steps / plan.every)
    with bar(looks * plan.every, label, look.step) as shown:

        def tick(batch: int, logs: dict[str, float] | None) -> None:
            if logs and "loss" in logs:
                shown.set_postfix(loss=f"{logs['loss']:.3f}", refresh=False)
            shown.update()

        model.fit(
            batches(look.step),
            initial_epoch=look.step // plan.every,
            epochs=looks,
            steps_per_epoch=plan.every,
            validation_data=None if measure else held_out,
            shuffle=False,  # the stream is shuffled, by its own seed
            verbose=0,
            callbacks=[look, keras.callbacks.LambdaCallback(on_train_batch_end=tick), *callbacks],
        )
    return look.log


class _Look(keras.callbacks.Callback):
    """After every ``plan.every`` steps: log, checkpoint, and the question whether to stop."""

    def __init__(self, model: Any, plan: Plan, folder: Path, measure: Callable[[Any], dict[str, Any]] | None = None):
        super().__init__()
        self.plan, self.file, self.measure = plan, folder / "log.jsonl", measure
        folder.mkdir(parents=True, exist_ok=True)
        self.counter = tf.Variable(0, dtype="int64")
        # Each weight by itself as well: through the model TensorFlow does not find those of layers in lists.
        weights = [weight.value for weight in model.weights]
        state = {"model": model, "weights": weights, "step": self.counter}
        if model.optimizer is not None:  # a game holds its own, and both are parts of the model
            model.optimizer.build(model.trainable_variables)
            state["optimizer"] = model.optimizer
        state = tf.train.Checkpoint(**state)
        self.manager = tf.train.CheckpointManager(state, str(folder / "checkpoints"), max_to_keep=2)
        if self.manager.latest_checkpoint:
            state.restore(self.manager.latest_checkpoint).expect_partial()
        lines = self.file.read_text(encoding="utf-8").splitlines() if self.file.exists() else []
        # A run killed between log and checkpoint has logged steps that it does again.
        self.log = [entry for entry in map(json.loads, lines) if entry["step"] <= self.step]
        self.before = self.log[-1]["core_hours"] if self.log else 0.0
        self.begun = time.process_time()

    @property
    def step(self) -> int:
        return int(self.counter.numpy())

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        logs = dict(logs or {})
        self._require_numbers(logs)
        if self.measure:
            measured = dict(self.measure(self.model))
            logs |= {"val_loss": measured.pop("loss"), **measured}
        entry = {
            "step": (epoch + 1) * self.plan.every,
            **({"held_out": logs.pop("val_loss")} if "val_loss" in logs else {}),
            "core_hours": self.before + (time.process_time() - self.begun) / 3600,
            **{name: value for name, value in logs.items() if not name.startswith("val_")},
        }
        self.log.append({k: v if k == "step" else round(float(v), 5) for k, v in entry.items()})
        self.counter.assign(entry["step"])
        try:
            # The log first: a training without its last line would be gone on with, and have nothing left to do.
            files.write(self.file, "".join(json.dumps(line) + "\n" for line in self.log).encode())
            self.manager.save()
        except (ImageError, OSError, tf.errors.OpError) as error:
            reason = str(getattr(error, "message", error)).splitlines()[0].rstrip(".")
            raise ResourceError(
                f"The checkpoint of step {entry['step']} cannot be written to {self.file.parent} ({reason}); make room "
                f"and run the same again: it goes on from the checkpoint before."
            ) from error
        if self.finished():
            self.model.stop_training = True

    def _require_numbers(self, logs: dict[str, float]) -> None:
        """Ends a training whose losses are no numbers, before they are kept in a checkpoint."""
        lost = [name for name, value in logs.items() if not math.isfinite(float(value))]
        if lost:
            kept = f"the checkpoint of step {self.step} is whole" if self.step else "there is no checkpoint yet"
            raise SettingsError(
                f"The loss {lost[0]!r} is no number any more between steps {self.step} and "
                f"{self.step + self.plan.every} ({kept}): look for numbers in the data that are none, or choose a "
                f"smaller learning rate."
            )

    def finished(self) -> bool:
        """Whether the plan's steps or hours are used up, or the held-out objective has stopped falling."""
        if not self.log:
            return False
        last, plan = self.log[-1], self.plan
        if last["step"] >= plan.steps or (plan.core_hours is not None and last["core_hours"] >= plan.core_hours):
            return True
        if plan.gain is None or "held_out" not in last:
            return False
        earlier = [e for e in self.log if e["step"] <= 0.8 * last["step"]]
        # Under five looks a fifth is less than one look, and the first fifth of a plan says little about its end.
        return len(self.log) >= 10 and last["held_out"] > (1 - plan.gain) * earlier[-1]["held_out"]
