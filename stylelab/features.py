"""Pretrained networks as frozen feature extractors.

Every backbone takes images in 0..1 and does its own preprocessing; no caller subtracts a mean. The networks are
those of ``keras.applications`` with two changes, made layer by layer on a clone so that their weights fit:

* Zero padding becomes symmetric padding. Zeros around the picture are a black frame (after the mean is subtracted,
  a gray one) that the features see and that a style loss then paints: dirty borders are the oldest complaint about
  style transfer. With symmetric padding a constant picture has constant features up to the edge.
* Max pooling may become average pooling, which Gatys et al. (2016, section 2) found to give smoother pictures.
"""

import difflib
import warnings
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

from . import samples
from .backend import at_least_float32, keras, ops, tf
from .errors import ImageError, SettingsError, WeightsError

CONTENT_LAYERS = ("block4_conv2",)  # Gatys et al. (2016), section 3: conv4_2
STYLE_LAYERS = ("block1_conv1", "block2_conv1", "block3_conv1", "block4_conv1")  # their conv1_1 .. conv4_1

# name: (builder, preprocessing, smallest side in pixels)
_BACKBONES: dict[str, tuple[Callable[..., Any], Callable[..., Any], int]] = {
    "vgg16": (keras.applications.VGG16, keras.applications.vgg16.preprocess_input, 16),
    "vgg19": (keras.applications.VGG19, keras.applications.vgg19.preprocess_input, 16),
    "resnet50": (keras.applications.ResNet50, keras.applications.resnet.preprocess_input, 16),
    "resnet101": (keras.applications.ResNet101, keras.applications.resnet.preprocess_input, 16),
    "inception_v3": (keras.applications.InceptionV3, keras.applications.inception_v3.preprocess_input, 75),
}


def backbones() -> list[str]:
    """Names that :class:`FeatureExtractor` knows."""
    return list(_BACKBONES)


class FeatureExtractor:
    """The activations of some layers of a pretrained network, for images in 0..1.

    Args:
        backbone: one of :func:`backbones`.
        layers: names of the layers to return (``keras.applications`` names; VGG's convolutions include their ReLU; of
            Inception v3 only ``mixed0`` to ``mixed10`` are called the same in every process). The network is cut
            behind the last of them.
        weights: ``"bundled"`` (VGG16 only: ImageNet, shipped, no network needed), ``"imagenet"`` (downloaded by
            Keras), ``None`` (random, for what random weights can show), or the path of a ``.weights.h5`` file.
        pooling: ``"max"`` as trained, or ``"average"``.
        dtype: ``"float32"``, ``"bfloat16"`` or ``"float16"`` (the convolutions compute in it; the features come
            back as float32), or ``"float64"`` (features in float64, for gradient checks).
        swag: the temperature at which :func:`smooth_activations` smooths every layer; 0 leaves them as they are.
    Raises:
        SettingsError: unknown backbone, layer, pooling or dtype, or a temperature out of range.
        WeightsError: weights missing, damaged, of another network, or not to be downloaded.
    Sources: Simonyan and Zisserman (2015) for VGG; He et al. (2016) for ResNet; Szegedy et al. (2016) for Inception v3.
    """

    def __init__(
        self,
        backbone: str = "vgg16",
        layers: Sequence[str] = STYLE_LAYERS + CONTENT_LAYERS,
        *,
        weights: str | Path | None = "bundled",
        pooling: str = "max",
        dtype: str = "float32",
        swag: float = 0.0,
    ):
        if backbone not in _BACKBONES:
            raise SettingsError(f"Backbone {backbone!r} is not known; choose one of {', '.join(_BACKBONES)}.")
        if pooling not in ("max", "average"):
            raise SettingsError(f"Pooling {pooling!r} is not known; choose 'max' or 'average'.")
        if dtype not in ("float16", "bfloat16", "float32", "float64"):
            raise SettingsError(f"Dtype {dtype!r} is not known; choose float16, bfloat16, float32 or float64.")
        if not 0 <= swag < float("inf"):
            raise SettingsError(f"The temperature of SWAG must be positive, or 0 for none, not {swag}.")
        build, self._preprocess, self.min_size = _BACKBONES[backbone]
        if not layers:
            raise SettingsError("A feature extractor needs at least one layer; give a name such as 'block4_conv2'.")
        self.backbone, self.layers, self.dtype, self.swag = backbone, tuple(layers), dtype, float(swag)
        network = _with_weights(build, backbone, weights)
        known = [layer.name for layer in network.layers[1:]]
        for name in self.layers:
            if name not in known:
                near = difflib.get_close_matches(name, known, 1)
                hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(known)}."
                raise SettingsError(f"{backbone} has no layer {name!r}; {hint}")
        self.network = _reframed(network, self.layers, pooling, dtype)
        self.network.trainable = False
        # One trace for every size: optimization works at several sizes in turn. A partial, since TensorFlow takes the
        # traces of one function's many instances for a mistake and warns.
        self._forward = tf.function(
            partial(_forward, self.network, self._preprocess),
            input_signature=[tf.TensorSpec([None, None, None, 3], self.result_dtype)],
        )

    @property
    def result_dtype(self) -> str:
        """``"float64"`` for a float64 extractor, else ``"float32"``."""
        return "float64" if self.dtype == "float64" else "float32"

    def __call__(self, images: Any) -> dict[str, Any]:
        """Features by layer name.

        Args:
            images: ``[B, H, W, 3]``, RGB in 0..1, both sides at least ``min_size``.
        Returns:
            A dictionary of ``[B, h, w, C]`` tensors in the order of ``layers``; differentiable.
        Raises:
            ImageError: wrong rank, channels or size.
        """
        images = ops.convert_to_tensor(images, self.result_dtype)
        shape = images.shape
        if len(shape) != 4 or shape[-1] != 3:
            raise ImageError(f"Features need images of shape [B, H, W, 3], not {tuple(shape)}; add the batch axis.")
        if any(side is not None and side < self.min_size for side in shape[1:3]):
            raise ImageError(
                f"{self.backbone} needs pictures of at least {self.min_size} px, not {shape[2]}x{shape[1]}; "
                f"use a larger picture."
            )
        features = keras.tree.flatten(self._forward(images))  # Keras returns one output without its list
        features = [ops.cast(f, self.result_dtype) for f in features]
        if self.swag:
            features = [smooth_activations(f, self.swag) for f in features]
        return dict(zip(self.layers, features, strict=True))

    def activations_per_pixel(self) -> float:
        """Numbers that the network holds per input pixel, summed over its layers: what its memory grows with."""
        side = max(64, self.min_size)
        every = keras.Model(self.network.inputs, [layer.output for layer in self.network.layers[1:]])
        shapes = every.compute_output_shape((1, side, side, 3))
        return sum(height * width * channels for _, height, width, channels in shapes) / side**2


@cache
def shared_extractor(
    backbone: str = "vgg16",
    layers: tuple[str, ...] = STYLE_LAYERS + CONTENT_LAYERS,
    weights: str | Path | None = "bundled",
    pooling: str = "max",
    dtype: str = "float32",
    swag: float = 0.0,
) -> FeatureExtractor:
    """A :class:`FeatureExtractor`, built once per process for each setting: it is frozen, so all may share it."""
    return FeatureExtractor(backbone, layers, weights=weights, pooling=pooling, dtype=dtype, swag=swag)


def smooth_activations(features: Any, temperature: float = 1.0) -> Any:
    """SWAG (Wang et al. 2021, eq. 11): a softmax over all positions and channels of a layer, ``N · softmax(F / T)``.

    A few peaks dominate the Gram matrices of residual networks; smoothed features have more even ones. The paper has
    ``T = 1`` and no N, the number of activations. With N the mean is 1 at every size, so that weights keep their
    meaning. T is needed since a softmax smooths only activations that are not much larger than T: not below the
    largest one it raises the entropy of whatever is not negative (all ratios come closer to 1), far below it leaves
    one peak. Our networks see 0..255: at 192 px the largest is about 100 in ResNet50 with random weights, 1e4 in
    VGG16. Smoothed features are nearly even, so the relative losses between them are small: raise the weights of
    content and style against that of smoothness. (The authors' code also offers ``T = 100``, a softmax at each
    position, and a mere factor; they report no great difference.)

    Args:
        features: ``[B, H, W, C]``, any float type; computed in at least float32.
        temperature: T, in the features' unit, positive.
    Returns:
        ``[B, H, W, C]``, not negative, with mean 1 for each picture; larger where the feature is larger.
    """
    features = at_least_float32(features)
    rows = ops.reshape(features, (ops.shape(features)[0], -1))
    count = ops.cast(ops.shape(rows)[1], rows.dtype)
    return ops.reshape(count * ops.softmax(rows / temperature), ops.shape(features))


def _forward(network: Any, preprocess: Callable[..., Any], images: Any) -> Any:
    return network(preprocess(255.0 * images))


def _with_weights(build: Callable[..., Any], backbone: str, weights: str | Path | None) -> Any:
    if weights == "bundled":
        if backbone != "vgg16":
            raise WeightsError(
                f"Only VGG16's weights are bundled; for {backbone} use weights='imagenet' (downloads), a path, or None."
            )
        weights = samples.weights("vgg16")
    if weights == "imagenet":
        try:
            return build(weights="imagenet", include_top=False)
        except Exception as error:  # the downloader raises plain Exception for a URL that cannot be reached
            raise WeightsError(
                f"The ImageNet weights of {backbone} could not be downloaded ({error}); connect to the network, "
                f"or use weights='bundled' with vgg16."
            ) from error
    network = build(weights=None, include_top=False)
    if weights is not None:
        if not Path(weights).is_file():
            raise WeightsError(f"There is no weights file {weights}; give a .weights.h5 file that Keras wrote.")
        try:
            with warnings.catch_warnings(action="ignore"):  # of a wrong file, about each layer, before the error
                network.load_weights(str(weights))
        except (OSError, ValueError) as error:
            reason = str(error).splitlines()[0].partition(". ")[0].rstrip(".")
            raise WeightsError(
                f"{Path(weights).name} does not hold weights of {backbone} without its top ({reason}); "
                f"give a .weights.h5 file that Keras wrote for it."
            ) from error
    return network


@keras.saving.register_keras_serializable("stylelab")
class SymmetricPadding2D(keras.layers.Layer):
    """Pads ``((top, bottom), (left, right))`` pixels by mirroring the picture, edge pixels included."""

    def __init__(self, padding: Any, **kwargs: Any):
        super().__init__(**kwargs)
        self.padding = padding

    def call(self, images: Any) -> Any:
        """``[B, H, W, C]`` with its border mirrored."""
        return tf.pad(images, [(0, 0), *self.padding, (0, 0)], "SYMMETRIC")

    def compute_output_shape(self, shape: Any) -> Any:
        """The padded shape."""
        sides = [n and n + sum(pad) for n, pad in zip(shape[1:3], self.padding, strict=True)]
        return (shape[0], *sides, shape[3])


class _SymmetricConv2D(keras.layers.Conv2D):
    """``Conv2D(padding="same")`` whose border is mirrored. One layer, so that names and weights stay the clone's."""

    def call(self, images: Any) -> Any:
        sides = [((k - 1) // 2, k // 2) for k in self.kernel_size]
        return super().call(tf.pad(images, [(0, 0), *sides, (0, 0)], "SYMMETRIC"))

    def compute_output_shape(self, shape: Any) -> Any:
        return (*shape[:-1], self.filters)


def _reframed(network: Any, layers: Sequence[str], pooling: str, dtype: str) -> Any:
    """The network up to its last wanted layer, symmetric at the border, in the wanted pooling and dtype."""

    def clone(layer: Any) -> Any:
        config = {**layer.get_config(), "dtype": dtype}
        kind = type(layer)
        if kind is keras.layers.Conv2D and layer.padding == "same" and max(layer.kernel_size) > 1:
            if max(layer.strides) > 1:  # none of our backbones has one; its padding would depend on the size
                raise SettingsError(f"Layer {layer.name!r} pads a strided convolution; it cannot be made symmetric.")
            config["padding"] = "valid"
            kind = _SymmetricConv2D
        elif kind is keras.layers.ZeroPadding2D:
            kind = SymmetricPadding2D
            config = {"padding": layer.padding, "name": layer.name, "dtype": dtype}
        elif kind is keras.layers.MaxPooling2D and pooling == "average":
            kind = keras.layers.AveragePooling2D
        return kind.from_config(config)

    cut = keras.Model(network.inputs, [network.get_layer(name).output for name in layers])
    # clone_model would keep the input's float32, and so cut off float64's digits at the door.
    inputs = [keras.Input((None, None, 3), dtype="float64" if dtype == "float64" else "float32")]
    cloned = keras.models.clone_model(cut, inputs, clone_function=clone)
    # By layer, not by position in one list: the clone may order its layers differently.
    for layer in cut.layers:
        if layer.weights:
            cloned.get_layer(layer.name).set_weights(layer.get_weights())
    return cloned
