"""The network as a method like the others."""

import functools
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from .. import engines, samples
from ..errors import SettingsError, WeightsError
from ..machine import require_memory
from ..stylizers import Style, Stylizer
from .description import MULTIPLE, described


class FeedForward(Stylizer):
    """One pass through a :class:`StyleNetwork`: for the styles that it was trained on.

    Args:
        weights: a ``.weights.h5`` file that ``stylelab train`` wrote; None for the network that ships, which knows all
            shipped paintings.
        network: a network in place of a file. It may still learn, so ``"auto"`` is TensorFlow, and its precision its
            own; OpenVINO would go on with the weights of the first call.
        engine, precision: what computes, and in which arithmetic, see :func:`stylelab.engines.settled`. What bfloat16
            changes is about what half a step of 255 of noise in the photo changes.
    Raises:
        SettingsError: an engine that is not installed, or an unknown name.
        WeightsError: the file is missing, or damaged.

    Attributes:
        paint: a photo ``[H, W, 3]`` and :meth:`shares` to a picture.
    """

    styles: tuple[str, ...]

    def __init__(
        self,
        weights: str | Path | None = None,
        *,
        network: Any = None,
        engine: str = "auto",
        precision: str | None = None,
    ):
        self.weights: Path | None = None
        if network is None:
            self.weights = Path(weights or samples.weights("feedforward"))
            styles, self.architecture = described(self.weights)
            self.engine, self.precision = engines.settled(engine, precision)
        else:
            own = "bfloat16" if network.compute_dtype == "bfloat16" else "float32"
            self.engine, self.precision = engines.settled(
                "tensorflow" if engine == "auto" else engine, precision or own
            )
            if self.engine == "tensorflow" and self.precision != own:
                raise SettingsError(f"The network computes in {own}; build it in {precision}, or give its file.")
            self.network, styles, self.architecture = network, network.styles, network.architecture
        self.styles = tuple(styles)
        self._compiled: dict[Any, Callable[..., np.ndarray]] = {}
        self.paint = functools.partial(painted, self.compiled(_picture))

    @functools.cached_property
    def network(self) -> Any:
        """The :class:`StyleNetwork`; read when something needs it, which a converted copy does not."""
        from .network import load

        assert self.weights is not None  # or there was a network at once
        mixed = self.engine == "tensorflow" and self.precision == "bfloat16"
        return load(self.weights, dtype="mixed_bfloat16" if mixed else "float32")

    def compiled(self, function: Callable[..., Any], more: tuple[engines.Shape, ...] = ()) -> Callable[..., np.ndarray]:
        """A function of the network and of tensors, computed by this stylizer's engine; compiled once.

        Args:
            function: of the network, a photo ``[1, H, W, 3]``, shares ``[1, 1 + styles]`` and tensors of the shapes
                ``more``, to one tensor.
        Returns:
            The function of arrays: photo, shares, and so on.
        """
        if (function, more) not in self._compiled:
            self._compiled[function, more] = engines.compiled(
                lambda: functools.partial(function, self.network),
                [(1, None, None, 3), (1, 1 + len(self.styles)), *more],
                engine=self.engine,
                precision=self.precision,
                key=b"" if self.engine == "tensorflow" else self._key(function),
            )
        return self._compiled[function, more]

    def _key(self, function: Callable[..., Any]) -> bytes:
        """A hash of the weights, the sizes, and the code that computes with them."""
        here, digest = Path(__file__), hashlib.sha256(repr((function.__qualname__, self.architecture)).encode())
        for code in (Path(function.__code__.co_filename), here.with_name("network.py"), here.parents[1] / "layers.py"):
            digest.update(code.read_bytes())
        if self.weights is None:
            for array in self.network.get_weights():
                digest.update(array.tobytes())
        else:
            try:
                digest.update(self.weights.read_bytes())
            except OSError as error:
                raise WeightsError(f"The weights {self.weights} cannot be read: {error.strerror}.") from error
        return digest.digest()

    def memory_needed(self, height: int, width: int) -> int:
        """Bytes that one picture of this size takes at its peak: the layers at full resolution, and the pictures.

        Measured at 512 and 1024 px with the shipped sizes: 340 bytes a pixel by TensorFlow in bfloat16 and 600 in
        float32, 220 and 390 by OpenVINO; the estimate is up to a fifth above. 72 bytes are six pictures in float32.
        """
        layers = (3 if self.engine == "tensorflow" else 2) * (self.architecture.full + self.architecture.half)
        return height * width * ((2 if self.precision == "bfloat16" else 4) * layers + 72)

    def shares(self, style: Style, strength: float = 1.0) -> np.ndarray:
        """The network's second input for a style: ``[1, 1 + styles]``, the photo's own share first; they sum to 1."""
        shares = np.zeros((1, 1 + len(self.styles)), "float32")
        for name, weight in zip(style.names, style.weights, strict=True):
            shares[0, 1 + self.styles.index(name)] += strength * weight / sum(style.weights)
        shares[0, 0] = 1 - strength
        return shares

    def _resolve(self, style: Any) -> Style:
        if not isinstance(style, Style):
            several = style if isinstance(style, list | tuple) else [style]
            style = Style.trained([one if isinstance(one, str) else "" for one in several])
        unknown = [name for name in style.names or [""] if name not in self.styles]
        if unknown:
            raise SettingsError(
                f"The fast network was not trained for {unknown[0] or 'pictures of your own'}; choose one of "
                f"{', '.join(self.styles)}, or the method 'any' or 'optimize'."
            )
        return style

    def _stylize(
        self, content: np.ndarray, style: Style, *, strength: float, seed: int, callback: Any, regions: Any
    ) -> np.ndarray:
        height, width = content.shape[1:3]
        require_memory(self.memory_needed(height, width), f"Stylizing at {width}x{height} px")
        result = np.empty_like(content)
        for k, photo in enumerate(content):  # one at a time: a batch needs more memory and no less time on a CPU
            result[k] = self.at_strength(self.paint, photo, style, strength)
        return result

    def at_strength(
        self, paint: Callable[[np.ndarray, np.ndarray], np.ndarray], photo: np.ndarray, style: Style, strength: float
    ) -> np.ndarray:
        """A photo ``[H, W, 3]`` in a style at some strength, by a function that paints a photo in :meth:`shares`."""
        result = paint(photo, self.shares(style, strength))
        if strength < 1:
            # The network keeps a photo only nearly; what it misses is added as far as the photo is wanted.
            result = np.clip(result + (1 - strength) * (photo - paint(photo, self.shares(style, 0.0))), 0, 1)
        return result


def painted(forward: Callable[..., np.ndarray], photo: np.ndarray, *others: np.ndarray) -> np.ndarray:
    """A photo ``[H, W, 3]`` through a compiled function from pictures to pictures of the same size."""
    height, width = photo.shape[:2]
    return forward(mirrored(photo), *others)[0, :height, :width]


def mirrored(photo: np.ndarray) -> np.ndarray:
    """A photo ``[H, W, 3]`` as the network takes it: a batch, continued in its mirror up to sides in multiples of 4."""
    height, width = photo.shape[:2]
    return np.pad(photo, [(0, -height % MULTIPLE), (0, -width % MULTIPLE), (0, 0)], "reflect")[None]


def _picture(network: Any, photo: Any, shares: Any) -> Any:
    from ..backend import ops

    return ops.clip(network((photo, shares)), 0.0, 1.0)
