"""What shows a long run while it runs: TensorBoard's files, and Weights & Biases for who wants it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from . import images
from .backend import keras, tf
from .errors import SettingsError


class Board(keras.callbacks.Callback):
    """At each look: the losses, and pictures, for TensorBoard.

    Args:
        folder: for the event files.
        draw: pictures ``[B, H, W, 3]`` in 0..1 of the model.
    """

    def __init__(self, folder: str | Path, draw: Callable[[Any], Any]):
        super().__init__()
        self.folder, self.draw = folder, draw

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Opens the files."""
        self.writer = tf.summary.create_file_writer(str(self.folder))

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Writes numbers and pictures."""
        with self.writer.as_default(step=(epoch + 1) * self.params["steps"]):
            for name, value in (logs or {}).items():
                part, kind = (name.removeprefix("val_"), "held_out") if name.startswith("val_") else (name, "training")
                _record(f"{part}/{kind}", "scalars", tf.constant(value, "float32"))
            pictures = images.to_uint8(self.draw(self.model))
            height, width = pictures.shape[1:3]
            _record("held_out", "images", [str(width), str(height), *map(tf.io.encode_png, pictures)])
        self.writer.flush()


def _record(tag: str, plugin: str, value: Any) -> None:
    """What ``tf.summary.scalar`` and ``image`` write, but they need TensorBoard, which only a reader needs."""
    kind = {"scalars": "DATA_CLASS_SCALAR", "images": "DATA_CLASS_BLOB_SEQUENCE"}[plugin]
    metadata = tf.compat.v1.SummaryMetadata(data_class=kind)
    metadata.plugin_data.plugin_name = plugin
    tf.summary.write(tag, value, metadata=metadata)


class WeightsAndBiases(keras.callbacks.Callback):
    """The same for Weights & Biases (the extra ``track``).

    Args:
        folder: for its files; ``wandb sync`` sends them later, if that is wanted.
        project: name of the project there.
        draw: as for :class:`Board`; None for numbers alone.
        mode: "offline" reaches no network; "online" sends.
        config: settings of the run, to be listed with it.
    Raises:
        SettingsError: at the beginning of the training, if ``wandb`` is not installed.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        project: str = "stylelab",
        draw: Callable[[Any], Any] | None = None,
        mode: Literal["offline", "online"] = "offline",
        config: dict[str, Any] | None = None,
    ):
        super().__init__()
        self.folder, self.draw = Path(folder), draw
        self.settings = {"project": project, "mode": mode, "config": config or {}}
        self.run: Any = None

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Opens the run."""
        try:
            import wandb
        except ImportError as error:
            raise SettingsError("Weights & Biases is not installed; run pip install 'stylelab[track]'.") from error
        self.folder.mkdir(parents=True, exist_ok=True)
        self.images, self.run = wandb.Image, wandb.init(dir=str(self.folder), **self.settings)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Writes numbers and pictures."""
        shown: dict[str, Any] = {name: float(value) for name, value in (logs or {}).items()}
        if self.draw:
            shown["pictures"] = [self.images(picture) for picture in images.to_uint8(self.draw(self.model))]
        self.run.log(shown, step=(epoch + 1) * self.params["steps"])

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        """Closes the run."""
        self.run.finish()
