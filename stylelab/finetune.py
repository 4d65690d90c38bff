"""A new style from a handful of trainable parameters: what of a trained network moves, and what stays.

``with_styles`` gives a trained :class:`StyleNetwork` new styles, ``only_norm``, ``adapters`` or ``everything`` chooses
what trains, and the training itself is that of any network: :class:`stylelab.feedforward.Learner` with
:func:`stylelab.training.fit`. Choose before ``compile``: what trains is fixed when the step is traced.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from .backend import keras
from .errors import SettingsError
from .feedforward import StyleNetwork
from .layers import ConditionalInstanceNormalization


def with_styles(network: StyleNetwork, names: Sequence[str]) -> StyleNetwork:
    """A network of the same convolutions for the styles of these names.

    A style that ``network`` has keeps its scales and shifts, a new one begins with the mean of all its styles: the
    middle of what the network can paint is nearer to any painting than chance. The photo's own style is kept.
    Adapters become part of the convolutions, and everything may train. ``network`` stays as it is.

    Args:
        names: of the new network's styles, in its order.
    Raises:
        SettingsError: no name, or one twice.
    """
    new = StyleNetwork(list(names), network.architecture, dtype=network.dtype_policy.name)
    for old, fresh in zip(_convolutions(network), _convolutions(new), strict=True):
        fresh.set_weights(_merged(old))
    for before, after in zip(_tables(network), _tables(new), strict=True):
        for table in ("scale", "shift"):
            rows = getattr(before, table).numpy()
            known = dict(zip(network.styles, rows[1:], strict=True))
            getattr(after, table).assign([rows[0], *(known.get(name, rows[1:].mean(0)) for name in names)])
    return new


def add_styles(network: StyleNetwork, trained: StyleNetwork) -> StyleNetwork:
    """``network`` with the styles of ``trained`` besides its own, each painting exactly as it did.

    ``trained`` comes from :func:`with_styles` and :func:`only_norm`, so both have the same convolutions, and a style
    is nothing but its rows in the tables. Old styles cannot have been forgotten: nothing of theirs was trained.

    Raises:
        SettingsError: a name that both have, or convolutions that differ, as after training adapters or everything.
    """
    if len(network.weights) != len(trained.weights) or not all(
        np.array_equal(ours, theirs)
        for pair in zip(_convolutions(network), _convolutions(trained), strict=True)
        for ours, theirs in zip(*map(_merged, pair), strict=True)
    ):
        raise SettingsError(
            "The two networks have different convolutions, so their styles do not fit into one; train the new style "
            "with only_norm, from this network."
        )
    both = with_styles(network, [*network.styles, *trained.styles])
    for ours, theirs, table in zip(_tables(network), _tables(trained), _tables(both), strict=True):
        table.scale.assign(np.concatenate([ours.scale.numpy(), theirs.scale.numpy()[1:]]))
        table.shift.assign(np.concatenate([ours.shift.numpy(), theirs.shift.numpy()[1:]]))
    return both


def only_norm(network: StyleNetwork) -> int:
    """Only scales and shifts train, the convolutions stay: Dumoulin et al. (2017, section 3.2) add styles so.

    Returns:
        The number of trainable parameters: :meth:`StyleNetwork.style_parameters` for each style and the photo's own.
    """
    for layer in network.layers:
        layer.trainable = isinstance(layer, ConditionalInstanceNormalization)
    return trainable(network)


def adapters(network: StyleNetwork, rank: int) -> int:
    """Only low-rank adapters of the convolutions train; they begin at zero, so the network paints as before.

    LoRA (Hu et al. 2022, section 4.1): to a frozen kernel, as a matrix ``[k k C_in, C_out]``, comes ``A B`` with A
    ``[k k C_in, r]`` random and B ``[r, C_out]`` zero. It is Keras' own ``enable_lora`` with a scaling of 1 (their
    α = r), which leaves biases to train; here they are frozen. No adapter gets a rank above its convolution's filters.
    The convolutions are shared by all styles, so old styles change with them.

    To keep the result, save :func:`with_styles` of it: Keras saves merged kernels too, but under a 16-bit policy it
    merges in 16 bits, which rounds most of a small update away.

    Args:
        rank: r, at least 1.
    Returns:
        The number of trainable parameters.
    Raises:
        SettingsError: a rank below 1, or a network that has adapters.
    """
    if rank < 1:
        raise SettingsError(f"Adapters need a rank of at least 1, not {rank}.")
    if any(layer.lora_enabled for layer in _convolutions(network)):
        raise SettingsError("The network has adapters already; with_styles(network, network.styles) merges them.")
    for table in _tables(network):
        table.trainable = False
    for layer in _convolutions(network):
        layer.trainable = True
        layer.enable_lora(min(rank, layer.filters))
        if layer.use_bias:
            layer.bias.trainable = False
    return trainable(network)


def everything(network: StyleNetwork) -> int:
    """All of the network trains: the yardstick for what fewer parameters give up. Returns their number."""
    for layer in network.layers:  # network.trainable = True would not reach into its lists of lists
        layer.trainable = True
    return trainable(network)


def trainable(network: Any) -> int:
    """The number of a network's trainable parameters."""
    return sum(int(np.prod(variable.shape)) for variable in network.trainable_variables)


def share(network: StyleNetwork) -> float:
    """Trainable parameters by all that the network is saved with (adapters are merged), 0..1 or a little above."""
    kept = [np.prod(v.shape) for v in network.weights if not v.name.startswith("lora_")]
    return trainable(network) / float(sum(kept))


def _convolutions(network: StyleNetwork) -> list[Any]:
    return [layer for layer in network.layers if isinstance(layer, keras.layers.Conv2D)]


def _tables(network: StyleNetwork) -> list[Any]:
    return [layer for layer in network.layers if isinstance(layer, ConditionalInstanceNormalization)]


def _merged(layer: Any) -> list[np.ndarray]:
    """A convolution's kernel, its adapter added in float32, and its bias if it has one."""
    values = {variable.name: variable.numpy() for variable in layer.weights}
    if layer.lora_enabled:
        scale = layer.lora_alpha / layer.lora_rank
        values["kernel"] = values["kernel"] + scale * values["lora_kernel_a"] @ values["lora_kernel_b"]
    return [values[name] for name in ("kernel", "bias") if name in values]
