"""The same network through another runtime: the one that is fastest on this processor.

Measured on two cores with AVX-512 and AMX, our style network at 512 px, processor seconds a picture: TensorFlow 0.36 in
float32 and 0.18 in bfloat16, OpenVINO 0.35 and 0.08. ONNX Runtime was measured with another residual network: 0.7 of
TensorFlow's float32 time, and 0.5 in 8-bit integers, where OpenVINO's bfloat16 took 0.36; it would need a converter
besides. So OpenVINO it is. `make bench` has the times of this machine.

A network is converted for all sizes at once. Compiled for one size it is a tenth faster, but takes 0.2 s to compile:
only after 20 photos of one size would that be regained.
"""

import functools
import hashlib
import importlib.metadata
import json
import os
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from . import files
from .errors import ImageError, SettingsError
from .machine import cpu_has_bfloat16

ENGINES = ("auto", "tensorflow", "openvino")
PRECISIONS = ("float32", "bfloat16")
KEPT = 16  # converted networks on disk; a few MB each

Shape = tuple[int | None, ...]


def settled(engine: str = "auto", precision: str | None = None) -> tuple[str, str]:
    """What computes here, and in which arithmetic.

    Args:
        engine: ``"tensorflow"``, ``"openvino"``, or ``"auto"``: OpenVINO where it is installed and no GPU is there.
        precision: ``"float32"``, ``"bfloat16"``, or None: bfloat16 where the hardware has it.
    Raises:
        SettingsError: an unknown name, or an engine that is not installed.
    """
    if engine not in ENGINES:
        raise SettingsError(f"Engine {engine!r} is not known; choose one of {', '.join(ENGINES)}.")
    if precision not in (None, *PRECISIONS):
        raise SettingsError(f"Precision {precision!r} is not known; choose {' or '.join(PRECISIONS)}.")
    if engine == "auto":
        engine = "openvino" if _openvino() and not _gpu() else "tensorflow"
    elif engine == "openvino" and not _openvino():
        raise SettingsError(
            "OpenVINO is not installed, or does not load here; run pip install -e '.[fast]' in the clone of StyleLab, "
            "or use the engine 'tensorflow'."
        )
    if precision is None and engine == "openvino":
        precision = "bfloat16" if cpu_has_bfloat16() else "float32"
    elif precision is None:
        from . import training

        precision = training.wide_precision()
    return engine, precision


def compiled(
    make: Callable[[], Callable[..., Any]], shapes: Sequence[Shape], *, engine: str, precision: str, key: bytes
) -> Callable[..., np.ndarray]:
    """A function of tensors, as a function of arrays that an engine computes.

    OpenVINO gets a converted copy, which is kept on disk (:func:`cache_folder`): where one is there, neither is
    ``make`` called nor TensorFlow imported. A copy that is damaged is made anew, and a folder that cannot be read or
    written costs nothing but the conversion.

    Args:
        make: gives the function, of float32 tensors to one tensor. Not the function itself: what is built while
            TensorFlow traces it, as a network and its weights, would be traced and not done.
        shapes: of its arguments; None for a side that may differ from call to call.
        engine, precision: as :func:`settled` returned them. TensorFlow computes as the function says.
        key: what the result depends on, such as a hash of weights and code: two functions with one key are one.
    Returns:
        A function of float32 arrays, one for each shape, to a float32 array; any thread may call it.
    """
    if engine == "openvino":
        return _by_openvino(make, shapes, precision, key)
    from .backend import tf

    run = tf.function(make(), input_signature=[tf.TensorSpec(shape) for shape in shapes])
    return lambda *arrays: run(*arrays).numpy()


def cache_folder() -> Path | None:
    """Where converted networks are kept: ``STYLELAB_CACHE``, or ``stylelab`` in the user's folder for caches.

    None if the user has no home.
    """
    if own := os.environ.get("STYLELAB_CACHE"):
        return Path(own)
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "stylelab"
    except RuntimeError:
        return None


@functools.cache
def _openvino() -> Any:
    """The package, or None."""
    # Without this package OpenVINO uses its own stub; with it, each import and conversion would be reported to its
    # maker over the network, which took up to 3 s, and would leave files in the user's home.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    try:
        import openvino
    except ImportError:
        return None
    return openvino


def _gpu() -> bool:
    # TensorFlow knows, but its import takes seconds: without NVIDIA's, WSL's or AMD's device there is none to know of.
    if not any(Path(device).exists() for device in ("/dev/nvidia0", "/dev/dxg", "/dev/kfd")):
        return False
    from .backend import tf

    return bool(tf.config.list_physical_devices("GPU"))


def _by_openvino(
    make: Callable[[], Callable[..., Any]], shapes: Sequence[Shape], precision: str, key: bytes
) -> Callable[..., np.ndarray]:
    versions = {name: importlib.metadata.version(name) for name in ("openvino", "tensorflow", "keras")}
    name = hashlib.sha256(json.dumps([versions, shapes]).encode() + key).hexdigest()
    folder, core = cache_folder(), _openvino().Core()
    file = folder and folder / f"{name}.openvino"
    model = _read(core, file)
    if model is None:
        model = _converted(make(), shapes)
        _keep(model, file)
    # The network as a whole in one precision; one picture at a time on all cores.
    hints = {"INFERENCE_PRECISION_HINT": {"bfloat16": "bf16"}.get(precision, "f32"), "PERFORMANCE_HINT": "LATENCY"}
    network, lock = core.compile_model(model, "CPU", hints), threading.Lock()

    def run(*arrays: np.ndarray) -> np.ndarray:
        with lock:  # a request holds the memory of one picture, and serves one call
            return network([np.ascontiguousarray(array, "float32") for array in arrays])[0]

    return run


def _converted(function: Callable[..., Any], shapes: Sequence[Shape]) -> Any:
    from .backend import tf

    specifications = [tf.TensorSpec(shape, name=f"input{k}") for k, shape in enumerate(shapes)]
    traced = tf.function(function, input_signature=specifications).get_concrete_function()
    if sys.version_info >= (3, 13):
        # OpenVINO 2026.4 deletes, in an exec of its own, a name that another exec imported: a NameError since Python
        # 3.13 (PEP 667). All that it wants to know there is TensorFlow's version.
        from openvino.frontend.tensorflow import utils

        utils.get_environment_setup = lambda _: {"tensorflow": tf.__version__}
    return _openvino().convert_model(traced)


def _read(core: Any, file: Path | None) -> Any:
    """The network in a file of :func:`_keep`; None without one, or if a bit of it is wrong."""
    try:
        content = file.read_bytes() if file else b""
    except OSError:
        return None
    digest, size, body = content[:32], int.from_bytes(content[32:40], "little"), content[40:]
    if hashlib.sha256(content[32:]).digest() != digest:
        return None
    return core.read_model(body[:size], body[size:])


def _keep(model: Any, file: Path | None) -> None:
    """Writes the network if it can: SHA-256 of the rest, length of the description, description, weights."""
    if file is None:
        return
    try:
        with tempfile.TemporaryDirectory() as folder:
            description = Path(folder) / "model.xml"
            # Not in float16, its default: that alone moved pixels by half a step of 255.
            _openvino().save_model(model, description, compress_to_fp16=False)
            text, weights = description.read_bytes(), description.with_suffix(".bin").read_bytes()
        content = len(text).to_bytes(8, "little") + text + weights
        files.write(file, hashlib.sha256(content).digest() + content)
        kept = sorted(file.parent.glob("*.openvino"), key=lambda path: path.stat().st_mtime)
        for old in kept[:-KEPT]:
            old.unlink()
    except (ImageError, OSError):
        pass  # the next process converts again
