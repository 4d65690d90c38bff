"""A network of one's own: from paintings and a folder of photos to a file of weights.

    train_network(["my_painting.jpg", "hokusai_great_wave"], ["photos"], "net.weights.h5")

Beside ``net.weights.h5`` are ``net.json`` (architecture, styles, data, settings, log) and the folder ``net.training``
with the checkpoints, the log and what TensorBoard shows. The same call goes on where it was killed; one with other
settings is refused. The folder stays when the training has ended: it is the record, and may be removed.
"""

import hashlib
import json
import math
import time
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .. import datasets, files, images, learning, samples, training
from ..backend import keras, tf
from ..errors import ImageError, SettingsError
from ..monitor import Board
from ..stylizers import Style, check_settings, is_file
from . import learn
from .network import Architecture, StyleNetwork, save

SHOWN = 4  # held-out pictures that TensorBoard shows at each look


@dataclass(frozen=True)
class Estimate:
    """What a training will take on this machine.

    Attributes:
        step: seconds of one step, measured.
        hours: of all steps and looks.
        memory: bytes that the process had at its peak, measured; on a GPU its own memory comes on top.
        kept: bytes of activations and weights that a step keeps for its gradients, counted.
    """

    step: float
    hours: float
    memory: int
    kept: int


class Training:
    """A training that was checked and built; nothing is written before :meth:`run`.

    Args:
        styles: shipped paintings' names and picture files; a file's name without its suffix becomes the style's.
        photos: folders, with all folders in them, and files. A tenth, at most two for each style, is held out.
        steps: optimizer steps.
        size: side of the square crops in pixels, a multiple of 4.
        batch: crops in a step.
        learning_rate: the highest one, of :func:`stylelab.learning.optimizer`.
        style_size: long side of the paintings in pixels: how large strokes are.
        core_hours: limit of processor time, of all sessions together.
        seed: of the network's start and of all crops.
        network: one to go on with; its styles are those of ``styles``, and what is frozen in it stays.
        architecture: of a new network.
        every: steps between two looks: checkpoint, held-out objective, log.
    Raises:
        SettingsError, ImageError: one sentence; a photo that cannot be read is only warned of.
    """

    def __init__(
        self,
        styles: Sequence[str | Path],
        photos: Sequence[str | Path],
        *,
        steps: int = 10_000,
        size: int = 192,
        batch: int = 4,
        learning_rate: float = 2e-3,
        style_size: int = 384,
        core_hours: float | None = None,
        seed: int = 0,
        network: StyleNetwork | None = None,
        architecture: Architecture | None = None,
        every: int = 250,
    ):
        if min(steps, batch, every) < 1 or size < 32 or size % 4 or style_size < 32:
            raise SettingsError(
                f"A training needs at least 1 step and a batch of 1, crops of at least 32 px in multiples of 4, and "
                f"paintings of at least 32 px, not {steps} steps, {batch} crops of {size} px and {style_size} px."
            )
        if not (0 < learning_rate < math.inf and (core_hours is None or core_hours > 0)):
            raise SettingsError("The learning rate and the limit of core hours must be positive.")
        check_settings(1.0, seed)
        names = [Path(style).stem if is_file(style) else Path(style).name for style in styles]
        pictures = Style.of(list(styles)).at(style_size, 32)
        if network is not None and network.styles != names:
            raise SettingsError(
                f"The network's styles are {', '.join(network.styles)}, not {', '.join(names)}; give the same ones."
            )
        found = datasets.picture_files(*photos)
        held = datasets.held_out(found, max(1, min(2 * len(names), len(found) // 10)))[1] if len(found) > 1 else []
        held = list(_readable(held))
        self.photos = [file for file in found if file not in set(held)]
        if not held or next(_readable(self.photos), None) is None:
            raise ImageError(
                f"Of {len(found)} photos too few can be read: one is needed to train on and one held out; give more."
            )
        training.set_seed(seed)
        self.network = network or StyleNetwork(names, architecture, dtype=training.layer_policy())
        looks = math.ceil(steps / every)  # equal ones, or up to `every` steps too many would be made
        self.plan = training.Plan(math.ceil(steps / looks) * looks, math.ceil(steps / looks), core_hours)
        self.size, self.batch, self.seed = size, batch, seed
        self.held_out = learn.full_styles(held, len(names), size, batch)
        self.learner = learn.Learner(self.network, pictures)
        self.learner.compile(optimizer=learning.optimizer(self.plan.steps, learning_rate), jit_compile=False)
        self.settings = {
            "styles": {name: _sha256(_file(style).read_bytes()) for name, style in zip(names, styles, strict=True)},
            "photos": {
                "folders": [str(folder) for folder in photos],
                "training": len(self.photos),
                "held_out": len(held),
                "names": _sha256("\n".join(file.name for file in found).encode(errors="surrogateescape")),
            },
            "steps": steps,
            "size": size,
            "batch": batch,
            "learning_rate": learning_rate,
            "style_size": style_size,
            "seed": seed,
            "architecture": asdict(self.network.architecture),
            "start": network and _sha256(b"".join(weight.tobytes() for weight in network.get_weights())),
            "trained": sum(math.prod(variable.shape) for variable in self.network.trainable_variables),
        }

    def batches(self, first: int = 0) -> Any:
        """The training data from batch number ``first`` on."""
        extra = learn.shares(len(self.network.styles))
        return datasets.stream(self.photos, self.size, self.batch, seed=self.seed, first=first, extra=extra)

    def kept(self) -> int:
        """Bytes that a step keeps for its gradients: all activations, and five numbers for each that is trained.

        Those are its gradient, Adam's two moments, its average and its value.
        """
        photos = tf.TensorSpec((self.batch, self.size, self.size, 3))
        shares = tf.TensorSpec((self.batch, 1 + len(self.network.styles)))
        graph = tf.function(self.learner.terms, autograph=False).get_concrete_function(photos, shares).graph
        kept = sum(
            math.prod(tensor.shape) * tensor.dtype.size
            for operation in graph.get_operations()
            for tensor in operation.outputs
            if tensor.shape.is_fully_defined() and tensor.dtype.is_floating
        )
        return kept + 5 * 4 * sum(math.prod(variable.shape) for variable in self.network.trainable_variables)

    def estimate(self) -> Estimate:
        """Makes three real steps; the first one is slow and does not count. No file is written."""
        kept = self.kept()
        training.require_memory(kept, f"Training on {self.batch} crops of {self.size} px")
        self.learner.fit(self.batches(), steps_per_epoch=1, verbose=0, shuffle=False)
        begun = time.perf_counter()
        self.learner.fit(self.batches(), steps_per_epoch=2, verbose=0, shuffle=False)
        step = (time.perf_counter() - begun) / 2
        # A held-out batch has no backward pass, but its first one is slow; together they are taken for a step.
        looks = self.plan.steps // self.plan.every * int(self.held_out.cardinality())
        return Estimate(step, (self.plan.steps + looks) * step / 3600, training.peak_memory(), kept)

    def run(self, output: str | Path, callbacks: Sequence[Any] = ()) -> list[dict[str, float]]:
        """Trains, or goes on with a training that was stopped, and writes the weights and what made them.

        Args:
            output: must end in ``.weights.h5``.
            callbacks: more Keras callbacks.
        Returns:
            The log, as of :func:`stylelab.training.fit`.
        Raises:
            SettingsError: ``output`` has another suffix, its folder is of a training with other settings, or the loss
                is no number any more.
            ImageError: ``output`` cannot be written.
            ResourceError: too little memory.
        """
        output = Path(output)
        if not output.name.endswith(".weights.h5"):
            raise SettingsError(f"Weights are written to files that end in .weights.h5, not to {output.name}.")
        if output.is_dir():
            raise ImageError(f"{output} cannot be written: it is a folder; give the name of a file.")
        folder = output.with_name(output.name.removesuffix(".weights.h5") + ".training")
        settings = json.dumps(self.settings, indent=2) + "\n"
        before = folder / "settings.json"
        if before.exists():
            changed = _differences(json.loads(before.read_text(encoding="utf-8")), json.loads(settings))
            if changed:
                raise SettingsError(
                    f"{folder} holds a training with other settings ({', '.join(changed)}); "
                    f"give another output, or remove that folder to start anew."
                )
        training.require_memory(self.kept(), f"Training on {self.batch} crops of {self.size} px")
        files.write(before, settings.encode())
        shown = next(iter(self.held_out.unbatch().batch(SHOWN)))

        def beside(learner: Any) -> Any:
            """Held-out photos beside what the network makes of them."""
            return tf.concat([shown[0], tf.clip_by_value(learner.network(shown), 0.0, 1.0)], axis=2).numpy()

        watchers = [_Finite(), Board(folder / "tensorboard", beside), *callbacks]
        log = training.fit(self.learner, self.batches, self.plan, folder, self.held_out, watchers)
        save(self.network, output, precision=training.precision(), training=self.settings, log=log)
        return log


def train_network(
    styles: Sequence[str | Path], photos: Sequence[str | Path], output: str | Path, **settings: Any
) -> list[dict[str, float]]:
    """Trains a network for the styles on the photos and writes it: a :class:`Training` that is run."""
    return Training(styles, photos, **settings).run(output)


class _Finite(keras.callbacks.Callback):
    """An end to a training whose loss is no number, at the step where it is lost."""

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        self._check(logs)

    def on_test_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        self._check(logs)

    def _check(self, logs: dict[str, float] | None) -> None:
        if not math.isfinite((logs or {})["loss"]):
            raise SettingsError(
                f"The loss is no number any more at step {int(self.model.optimizer.iterations)}; "
                f"choose a smaller learning rate and another output."
            )


def _file(style: str | Path) -> Path:
    return Path(style) if is_file(style) else samples.path(str(style))


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _readable(photos: Sequence[Path]) -> Any:
    """Those of the photos that can be read; of the others a warning."""
    for photo in photos:
        try:
            images.open_picture(photo)
        except ImageError as error:
            warnings.warn(f"A photo was left out: {error}", stacklevel=1)
        else:
            yield photo


def _differences(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """The names of settings that differ; where photos lie does not count."""
    for settings in (old, new):
        settings.get("photos", {}).pop("folders", None)
    return [name for name in new if old.get(name) != new[name]]
