"""TensorFlow and Keras, imported once and without their start-up noise.

TensorFlow's C++ side prints up to nine lines before any Python setting takes hold (oneDNN, CUDA probing), so
the lines are caught where they are written: file descriptor 2 points to a temporary file during the import and the
first look at the devices. If either fails, the file is printed: a real error is never hidden. Every
module of the package takes ``tf`` and ``keras`` from here.
"""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

# 0 all, 1 no INFO, 2 no WARNING, 3 no ERROR: from here on errors show, and what the user set holds.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ["KERAS_BACKEND"] = "tensorflow"  # the only one that the package is written for


@contextmanager
def stderr_held_back() -> Iterator[None]:
    """Holds back what is written to file descriptor 2, and prints it if the block raises."""
    sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            os.dup2(saved, 2)
            held.seek(0)
            sys.stderr.write(held.read().decode(errors="replace"))
            raise
        finally:
            os.dup2(saved, 2)
            os.close(saved)


with stderr_held_back():
    import keras
    import tensorflow as tf

    for _gpu in tf.config.list_physical_devices("GPU"):
        # Take memory as needed: two notebooks can share one GPU, and a figure of memory used means something.
        with suppress(RuntimeError):  # a notebook that has computed on the GPU already keeps what it took
            tf.config.experimental.set_memory_growth(_gpu, True)
    tf.zeros(1)  # the device probing prints its lines at the first operation

ops = keras.ops

__all__ = ["at_least_float32", "keras", "ops", "tf"]


def at_least_float32(x: Any) -> Any:
    """The tensor in float32, or in float64 if it is float64: half precision overflows in a Gram matrix."""
    x = ops.convert_to_tensor(x)
    return x if x.dtype in ("float64", "float32") else ops.cast(x, "float32")
