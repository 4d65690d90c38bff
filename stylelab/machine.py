"""What this machine has, as far as it can be asked without TensorFlow: memory, and bfloat16 arithmetic."""

import sys
from pathlib import Path

from .errors import ResourceError


def cpu_has_bfloat16() -> bool:
    """Whether the processor computes in bfloat16: AVX-512 BF16 or AMX."""
    flags = Path("/proc/cpuinfo")  # elsewhere the flags cannot be read without a dependency: float32 is safe
    has = flags.read_text() if flags.exists() else ""
    return "avx512_bf16" in has or "amx_bf16" in has


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
