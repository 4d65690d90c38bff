"""The network: an encoder, residual blocks and a decoder under conditional instance normalization."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .. import files
from ..backend import keras, ops, tf
from ..errors import SettingsError
from ..layers import ConditionalInstanceNormalization, ReflectedConv2D, enlarged, instance_moments
from .description import Architecture, described, description_of


class Container(keras.layers.Layer):
    """Layers in a row, as a layer, since Keras before 3.15 neither saves nor loads those of a list within a list.

    In a file of weights they have the names that later releases give to the layers of such a list.
    """

    def __init__(self, **layers: Any):
        super().__init__()
        self._order = tuple(layers)
        for name, layer in layers.items():
            setattr(self, name, layer)
        self.built = True  # it computes nothing, and holds no numbers of its own

    def __getitem__(self, place: int) -> Any:
        return getattr(self, self._order[place])


class StyleNetwork(keras.Model):
    """One pass from photo to painting, for several styles.

    Residual encoder and decoder (Johnson et al. 2016) with conditional instance normalization (Dumoulin et al. 2017),
    resize-convolution and mirrored borders. Style 0 is the photo's own: the network learns to leave the photo as it is,
    so that strength is a blend of styles like any other.

    Args:
        styles: names of the styles, without the photo's own.
        architecture: its sizes.
        dtype: policy of the layers, such as ``"mixed_bfloat16"``; variables are float32 in all of them.
    """

    def __init__(self, styles: list[str], architecture: Architecture | None = None, *, dtype: str = "float32"):
        super().__init__(dtype=dtype, autocast=False)
        if not styles:
            raise SettingsError("A style network needs at least one style.")
        if len(set(styles)) != len(styles):
            raise SettingsError(f"The styles of a network need different names, not {', '.join(styles)}.")
        self.styles, self.architecture = list(styles), architecture or Architecture()
        size = self.architecture
        self.encoder = [self._stage(size.half, 3), self._stage(size.quarter, 3, strides=2)]
        self.blocks = [
            Container(container=self._stage(size.quarter, 3), container_1=self._stage(size.quarter, 3))
            for _ in range(size.blocks)
        ]
        self.decoder = [self._stage(size.half, 3), self._stage(size.full, 3)]
        self.last = ReflectedConv2D(3, size.last, dtype=dtype)
        self((tf.zeros((1, 16, 16, 3)), tf.zeros((1, 1 + len(styles)))))  # builds the variables

    def _stage(self, filters: int, kernel: int, strides: int = 1) -> Container:
        # No bias: the normalization would remove it.
        convolution = ReflectedConv2D(filters, kernel, strides=strides, use_bias=False, dtype=self.dtype_policy)
        normalization = ConditionalInstanceNormalization(1 + len(self.styles), dtype=self.dtype_policy)
        return Container(reflected_conv2d=convolution, conditional_instance_normalization=normalization)

    @property
    def layers(self) -> list[Any]:
        """All convolutions and normalizations, and no container of them."""
        return [layer for layer in self._flatten_layers(include_self=False) if not isinstance(layer, Container)]

    def call(self, inputs: tuple[Any, Any]) -> Any:
        """The painted pictures.

        Args:
            inputs: images ``[B, H, W, 3]`` in 0..1, H and W multiples of 4 and at least 16; and the share of each style
                ``[B, 1 + styles]``, the photo's own first.
        Returns:
            float32 ``[B, H, W, 3]`` around 0..1, not clipped: clipping would stop the gradient.
        """
        return self.with_moments(*inputs)[0]

    def with_moments(self, images: Any, weights: Any, given: list[tuple[Any, Any]] | None = None) -> tuple[Any, list]:
        """The painted pictures, and each normalization's mean and variance.

        Args:
            images, weights: as in :meth:`call`.
            given: moments to normalize with in place of the features' own, as this method returned them for another
                picture: how tiles of one picture agree (:mod:`stylelab.tiling`).
        """
        used: list[tuple[Any, Any]] = []

        def stage(layers: Container, x: Any) -> Any:
            convolution, normalization = layers
            x = convolution(x)
            used.append(instance_moments(x) if given is None else given[len(used)])
            return normalization(x, weights, used[-1])

        x = ops.cast(ops.convert_to_tensor(images), self.compute_dtype) - 0.5
        x = tf.nn.space_to_depth(x, 2)
        for layers in self.encoder:
            x = ops.relu(stage(layers, x))
        for first, second in self.blocks:
            x = x + stage(second, ops.relu(stage(first, x)))
        for layers in self.decoder:
            x = ops.relu(stage(layers, enlarged(x)))
        # Linear, not a sigmoid: with one, training collapsed to a constant within 50 steps. Its gray is the start.
        return 0.5 + 0.25 * ops.cast(self.last(x), "float32"), used

    def style_parameters(self) -> int:
        """How many numbers make one style: a scale and a shift for each normalized channel."""
        tables = [layer for layer in self._flatten_layers() if isinstance(layer, ConditionalInstanceNormalization)]
        return sum(2 * table.scale.shape[1] for table in tables)


def save(network: StyleNetwork, path: str | Path, **facts: Any) -> Path:
    """Writes the weights in float16, and beside them a JSON file with the architecture, the styles and ``facts``.

    Args:
        path: must end in ``.weights.h5``; the JSON file ends in ``.json`` instead.
        facts: what else a reader should know: data, seed, steps.
    """
    from ..training import save_weights

    path = save_weights(network, path)
    facts = {"architecture": asdict(network.architecture), "styles": network.styles, **facts}
    files.write(description_of(path), (json.dumps(facts, indent=2) + "\n").encode())
    return path


def load(path: str | Path, *, dtype: str = "float32") -> StyleNetwork:
    """The network that :func:`save` wrote.

    Raises:
        WeightsError: no such file, no description beside it, or one that does not fit.
    """
    from ..training import load_weights

    styles, architecture = described(path)
    network = StyleNetwork(styles, architecture, dtype=dtype)
    load_weights(network, path)
    return network
