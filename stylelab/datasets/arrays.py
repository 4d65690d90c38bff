"""Arrays in memory as endless batches: every example once an epoch, augmented after caching, resumed exactly."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from ..errors import ImageError, SettingsError


def flip(rng: np.random.Generator, *example: np.ndarray) -> Any:
    """Mirrors an example or not, with equal chance: all its pictures ``[H, W, C]`` together, labels stay.

    Returns:
        One array for one, else a tuple, as :func:`array_batches` wants it of an augmentation.
    """
    if rng.random() < 0.5:
        example = tuple(np.flip(part, 1) if part.ndim == 3 else part for part in example)
    return example[0] if len(example) == 1 else example


def array_batches(
    arrays: np.ndarray | Sequence[np.ndarray],
    batch: int,
    *,
    seed: int = 0,
    first: int = 0,
    augment: Callable[..., Any] | None = None,
) -> Any:
    """Batches without end of examples that lie in memory, the same for the same seed, from any batch on.

    As in :func:`stylelab.datasets.stream`, every epoch has its own order, drawn from ``(seed, epoch)``, and an
    augmentation its own draws for each example, from ``(seed, epoch, position)``; so a run that resumes at batch
    ``first`` sees what it would have seen. Epochs do not end with batches: the last examples of one are followed by
    the first of the next, so nothing is dropped and a batch may be larger than the set.

    Args:
        arrays: float32 pictures ``[N, H, W, C]`` in 0..1, or a tuple of arrays with equal ``N``: pictures, labels
            ``[N]``, vectors ``[N, D]``. They are not copied: leave them as they are while the batches are in use.
        batch: examples in a batch.
        seed: of the orders and the augmentation.
        first: number of the first batch.
        augment: ``augment(rng, *example)`` returns the example changed (an array for one, a tuple for more), the same
            shapes each time; as :func:`flip`. It is called for each example, after all caching.
    Returns:
        A ``tf.data.Dataset`` of ``[batch, ...]``, or of tuples of them. Floats are float32.
    Raises:
        SettingsError: no examples, different lengths, another rank or type, or a number out of range.
        ImageError: pictures with values that are NaN or outside 0..1.
    """
    from ..backend import tf

    if batch < 1 or first < 0:
        raise SettingsError(f"Batches of {batch} from number {first} on cannot be: give at least 1 and at least 0.")
    single = not isinstance(arrays, tuple | list)
    parts = _checked([arrays] if single else arrays)  # type: ignore[arg-type, list-item]
    count = len(parts[0])
    order = lru_cache(4)(lambda epoch: np.random.default_rng((seed, epoch)).permutation(count))

    def changed(epoch: int, position: int, *example: np.ndarray) -> Sequence[np.ndarray]:
        assert augment is not None
        made = augment(np.random.default_rng((seed, epoch, position)), *example)
        made = [made] if single else made
        if len(made) != len(parts):
            raise SettingsError(f"The augmentation makes {len(made)} arrays of {len(parts)}: return as many.")
        return made

    def load(number: np.int64) -> list[np.ndarray]:
        epochs, positions = np.divmod(int(number) * batch + np.arange(batch), count)
        chosen = np.concatenate([order(int(epoch))[positions[epochs == epoch]] for epoch in np.unique(epochs)])
        taken: Sequence[Any] = [part[chosen] for part in parts]
        if augment is not None:
            examples = [changed(*place) for place in zip(epochs.tolist(), positions.tolist(), *taken, strict=True)]
            taken = [np.stack(column) for column in zip(*examples, strict=True)]
        return [part.astype(like.dtype, copy=False) for part, like in zip(taken, specs, strict=True)]

    example: Sequence[Any] = [part[0].copy() for part in parts]  # to see what the augmentation makes of it
    if augment is not None:
        example = changed(0, 0, *example)
    specs = [np.asarray(part).astype(like.dtype) for part, like in zip(example, parts, strict=True)]

    def loaded(number: Any) -> Any:
        tensors = tf.numpy_function(load, [number], [spec.dtype for spec in specs])
        shaped = tuple(tf.ensure_shape(t, (batch, *spec.shape)) for t, spec in zip(tensors, specs, strict=True))
        return shaped[0] if single else shaped

    return tf.data.Dataset.range(first, np.iinfo("int64").max).map(loaded).prefetch(2)


def _checked(arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The arrays, floats as float32, or what is wrong with them."""
    parts = [np.asarray(array) for array in arrays]
    if not parts:
        raise SettingsError("Batches of no arrays cannot be: give an array or a tuple of arrays.")
    for number, part in enumerate(parts, 1):
        what = f"Array {number} of {len(parts)}, of type {part.dtype} and shape {part.shape},"
        if part.dtype.kind not in "fiub" or part.ndim not in (1, 2, 4):
            wanted = "pictures [N, H, W, C], vectors [N, D] or labels [N]"
            raise SettingsError(f"{what} has no examples that can be batched: give {wanted} of numbers.")
        if part.size == 0:
            raise SettingsError(f"{what} is empty: give at least one example.")
        if len(part) != len(parts[0]):
            raise SettingsError(f"{what} has not {len(parts[0])} examples as the first: give as many of each.")
        if part.dtype.kind == "f":
            low, high = float(part.min()), float(part.max())  # NaN if any is
            if not np.isfinite([low, high]).all():
                raise ImageError(f"{what} has values that are NaN or infinite: look for a division by zero.")
        if part.ndim == 4 and (part.dtype.kind != "f" or low < -1e-3 or high > 1 + 1e-3):
            raise ImageError(f"{what} is no set of pictures in 0..1: convert them to float32, scaled to 0..1.")
    return [part.astype(np.float32, copy=False) if part.dtype.kind == "f" else part for part in parts]
