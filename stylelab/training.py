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
from .errors import SettingsError, WeightsError
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


def set_seed(seed: int) -> None:
    """Seeds Python, NumPy and TensorFlow: the same seed gives the same numbers on the same machine."""
    keras.utils.set_random_seed(seed)


def bar(total: int, label: str = "") -> Any:
    """A progress bar of tqdm: a widget in a notebook, text in a terminal."""
    from tqdm.auto import tqdm
    from tqdm.notebook import tqdm as widget

    # None: no bar where nobody watches, in a pipe or a log; a notebook is no terminal but has its widget.
    return tqdm(total=total, desc=label, leave=False, disable=False if issubclass(tqdm, widget) else None)


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
        gain: training ends when the held-out objective fell by less than this share over the last fifth of the steps.
    """

    steps: int
    every: int = 250
    core_hours: float | None = None
    gain: float = 0.01


def fit(
    model: Any,
    batches: Callable[[int], Any],
    plan: Plan,
    folder: str | Path,
    held_out: Any,
    callbacks: Sequence[Any] = (),
) -> list[dict[str, float]]:
    """Trains a compiled Keras model with checkpoints; begins where the last checkpoint in ``folder`` ended.

    In ``folder``: ``checkpoints/`` (network, optimizer, averages), ``log.jsonl`` (a line per look) and TensorBoard's
    event files. A killed run repeats at most ``plan.every`` steps, and its crops are those it would have had.

    Args:
        batches: the training data from batch number ``k`` on.
        held_out: data that training never sees; its ``loss`` is the held-out objective.
        callbacks: more Keras callbacks.
    Returns:
        The lines of the log: ``step``, ``loss``, ``held_out``, ``core_hours`` and the model's other metrics.
    """
    folder = Path(folder)
    look = _Look(model, plan, folder)
    if look.finished():
        # The checkpoint has the weights before Keras exchanged them for their average at the end of the run.
        model.optimizer.finalize_variable_values(model.trainable_variables)
        return look.log
    first = look.step // plan.every
    model.fit(
        batches(look.step),
        initial_epoch=first,
        epochs=math.ceil(plan.steps / plan.every),
        steps_per_epoch=plan.every,
        validation_data=held_out,
        shuffle=False,  # the stream is shuffled, by its own seed
        verbose=0,
        callbacks=[look, *callbacks],
    )
    return look.log


class _Look(keras.callbacks.Callback):
    """After every ``plan.every`` steps: log, checkpoint, and the question whether to stop."""

    def __init__(self, model: Any, plan: Plan, folder: Path):
        super().__init__()
        self.plan, self.file = plan, folder / "log.jsonl"
        folder.mkdir(parents=True, exist_ok=True)
        self.counter = tf.Variable(0, dtype="int64")
        model.optimizer.build(model.trainable_variables)
        state = tf.train.Checkpoint(model=model, optimizer=model.optimizer, step=self.counter)
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
        entry = {
            "step": (epoch + 1) * self.plan.every,
            "held_out": logs.pop("val_loss"),
            "core_hours": self.before + (time.process_time() - self.begun) / 3600,
            **{name: value for name, value in logs.items() if not name.startswith("val_")},
        }
        self.log.append({k: v if k == "step" else round(float(v), 5) for k, v in entry.items()})
        self.counter.assign(entry["step"])
        self.manager.save()
        files.write(self.file, "".join(json.dumps(line) + "\n" for line in self.log).encode())
        if self.finished():
            self.model.stop_training = True

    def finished(self) -> bool:
        """Whether the plan's steps or hours are used up, or the held-out objective has stopped falling."""
        if not self.log:
            return False
        last, plan = self.log[-1], self.plan
        if last["step"] >= plan.steps or (plan.core_hours is not None and last["core_hours"] >= plan.core_hours):
            return True
        earlier = [e for e in self.log if e["step"] <= 0.8 * last["step"]]
        # Under five looks a fifth is less than one look, and the first fifth of a plan says little about its end.
        return len(self.log) >= 10 and last["held_out"] > (1 - plan.gain) * earlier[-1]["held_out"]
