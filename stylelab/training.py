"""What all long runs share: precision, seeds, memory and progress."""

import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from .backend import keras, tf
from .errors import ResourceError


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
    flags = Path("/proc/cpuinfo")  # elsewhere the flags cannot be read without a dependency: float32 is safe
    has = flags.read_text() if flags.exists() else ""
    return "bfloat16" if "avx512_bf16" in has or "amx_bf16" in has else "float32"


def set_seed(seed: int) -> None:
    """Seeds Python, NumPy and TensorFlow: the same seed gives the same numbers on the same machine."""
    keras.utils.set_random_seed(seed)


def memory_available() -> int:
    """Bytes that a run may still take: of the machine, or of its container if that has a lower limit."""
    import psutil

    available = psutil.virtual_memory().available
    limit, used, stat = (Path("/sys/fs/cgroup") / f"memory.{name}" for name in ("max", "current", "stat"))
    if limit.exists() and used.exists() and limit.read_text().strip() != "max":
        # Files that were read count as used; their pages are given back when somebody needs them.
        counts = dict(line.split() for line in stat.read_text().splitlines()) if stat.exists() else {}
        cache = int(counts.get("inactive_file", 0))
        available = min(available, int(limit.read_text()) - int(used.read_text()) + cache)
    return available


def peak_memory() -> int:
    """Largest resident size of this process so far, in bytes."""
    import psutil

    if sys.platform == "win32":
        return psutil.Process().memory_info().peak_wset
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def require_memory(needed: int, what: str) -> None:
    """Refuses a run that would not fit.

    Raises:
        ResourceError: ``needed`` bytes are more than :func:`memory_available`.
    """
    available = memory_available()
    if needed > available:
        raise ResourceError(
            f"{what} needs about {needed / 1e9:.1f} GB of memory and {available / 1e9:.1f} GB are free; "
            f"choose a smaller size."
        )


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
        from tqdm.auto import tqdm  # a widget in a notebook, text in a terminal
        from tqdm.notebook import tqdm as widget

        if step.step == 1:
            # None: no bar where nobody watches, in a pipe or a log; a notebook is no terminal but has its widget.
            hidden = False if issubclass(tqdm, widget) else None
            self._bar = tqdm(total=step.steps, desc=self.label, leave=False, disable=hidden)
        self.steps.append(step)
        self._bar.set_postfix(size=max(step.size), loss=f"{step.loss:.3f}", refresh=False)
        self._bar.update()
        if self.every and step.step % self.every == 0:
            self.snapshots[step.step] = step.image()
        if step.step == step.steps:
            self._bar.close()
