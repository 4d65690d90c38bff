"""Parts that several of the networks here are made of: spectral normalization and the PatchGAN discriminator."""

from typing import Any

from ..backend import keras, ops
from ..errors import SettingsError
from ..layers import enlarged


def small_normal() -> Any:
    """N(0, 0.02), with which kernels begin: Radford et al. (2016, section 4), and after them the others here.

    A new one for each layer: an initializer draws its seed when it is made, so that layers which share one begin alike,
    and one that is made at import does not follow :func:`stylelab.training.set_seed`.
    """
    return keras.initializers.RandomNormal(0.0, 0.02)


@keras.saving.register_keras_serializable("stylelab")
class SpectralNormalization(keras.layers.Wrapper):
    """A linear layer divided by its kernel's largest singular value: a Lipschitz constant of about 1.

    Miyato et al. (2018, section 2.1 and algorithm 1): one step of power iteration a call while training, through which
    no gradient is taken. A convolution's kernel counts as a matrix of as many columns as filters, their section 2.1;
    the convolution itself may be somewhat steeper. Keras' layer of this name overwrites the kernel with the quotient
    instead, so that the optimizer's steps are lost in it; here the kernel stays and the output is divided.

    Args:
        layer: a Conv2D or Dense without bias; the bias is added here, after the division.
    """

    def __init__(self, layer: Any, **settings: Any):
        super().__init__(layer, **settings)
        if layer.use_bias:
            raise SettingsError("Spectral normalization adds the bias itself; give it a layer with use_bias=False.")

    def build(self, shape: Any) -> None:
        """The layer's kernel, the bias, and the direction that the power iteration is at."""
        if not self.layer.built:
            self.layer.build(shape)
        channels = self.layer.kernel.shape[-1]
        self.bias = self.add_weight((channels,), "zeros", name="bias")
        self.direction = self.add_weight(
            (1, channels), keras.initializers.RandomNormal(), trainable=False, name="direction", dtype="float32"
        )
        self.built = True

    def call(self, inputs: Any, training: bool = False) -> Any:
        """``W x / σ(W) + b``; while training the estimate of σ takes a step too."""
        kernel = ops.cast(self.layer.kernel, "float32")
        matrix = ops.reshape(kernel, (-1, kernel.shape[-1]))
        left = ops.normalize(ops.matmul(self.direction, ops.transpose(matrix)))
        right = ops.normalize(ops.matmul(left, matrix))
        if training:
            self.direction.assign(right)
        left, right = ops.stop_gradient(left), ops.stop_gradient(right)
        largest = ops.sum(ops.matmul(left, matrix) * right)
        outputs = self.layer(inputs)
        return outputs / ops.cast(largest, outputs.dtype) + ops.cast(self.bias, outputs.dtype)

    def compute_output_shape(self, shape: Any) -> Any:
        """That of the layer."""
        return self.layer.compute_output_shape(shape)


def convolution(
    filters: int, kernel: int, stride: int = 1, *, spectral: bool = False, bias: bool = True, **where: Any
) -> Any:
    """A convolution from N(0, 0.02), with spectral normalization or without."""
    settings = {"strides": stride, "padding": "same", "kernel_initializer": small_normal(), **where}
    if spectral:
        return SpectralNormalization(keras.layers.Conv2D(filters, kernel, use_bias=False, **settings), **where)
    return keras.layers.Conv2D(filters, kernel, use_bias=bias, **settings)


def leaky(x: Any) -> Any:
    """LeakyReLU of slope 0.2, Radford et al. (2016, section 4).

    As a maximum: TensorFlow 2.21 prints an error where it tries to fuse its own operation with a convolution's bias.
    """
    return ops.maximum(x, 0.2 * x)


def doubled(x: Any, dtype: str) -> Any:
    """Features of twice the size, for a convolution to follow: see :func:`stylelab.layers.enlarged`."""
    return keras.layers.Lambda(enlarged, dtype=dtype)(x)


def as_pictures(x: Any) -> Any:
    """Whatever the last layer gives as float32 in 0..1, by a tanh: the papers' -1..1, moved."""
    return 0.5 + 0.5 * ops.tanh(ops.cast(x, "float32"))


def instance_normalization(**where: Any) -> Any:
    """Each channel of each picture to mean 0 and deviation 1, then a scale and a shift (Ulyanov et al. 2016)."""
    return keras.layers.GroupNormalization(groups=-1, epsilon=1e-5, **where)


def patch_discriminator(
    channels: int = 3, *, width: int = 64, levels: int = 3, spectral: bool = False, dtype: str = "float32"
) -> Any:
    """PatchGAN: a logit for each patch of a picture, and so a judge of texture and not of composition.

    Isola et al. (2017, section 3.2 and appendix 6.1.2): ``levels`` convolutions of stride 2, each doubling the channels
    up to 8 times, then two of stride 1, all 4 x 4. With 3 levels a logit sees 70 x 70 px, with 2 levels 34, with
    1 level 16 (theirs for 16 x 16: the same count), with 0 levels, as 1 x 1 convolutions, a single pixel.

    Args:
        channels: of the input; 6 for a conditional one, which sees the pair.
        width: channels of the first convolution.
        levels: see above.
        spectral: spectral normalization in place of instance normalization.
    Returns:
        A Keras model from ``[B, H, W, channels]`` in 0..1 to float32 ``[B, h, w, 1]``.
    """
    size = 4 if levels else 1
    pictures = keras.Input((None, None, channels), dtype="float32")
    x = pictures * 2 - 1
    for level in range(max(levels, 1)):
        wider = width * min(2**level, 8)
        x = convolution(wider, size, 2 if levels else 1, spectral=spectral, dtype=dtype)(x)
        if level and not spectral:
            x = instance_normalization(dtype=dtype)(x)
        x = leaky(x)
    x = convolution(width * min(2 ** max(levels, 1), 8), size, spectral=spectral, dtype=dtype)(x)
    if not spectral and levels:
        x = instance_normalization(dtype=dtype)(x)
    x = leaky(x)
    x = convolution(1, size, spectral=spectral, dtype=dtype)(x)
    return keras.Model(pictures, ops.cast(x, "float32"), name="patch_discriminator")


def receptive_field(levels: int) -> int:
    """Side in pixels of the patch that one logit of :func:`patch_discriminator` sees: 1, 16, 34, 70, ..."""
    side = 1
    for stride in [1, 1] + [2] * levels if levels else []:  # from the logit back to the picture
        side = side * stride + 4 - stride
    return side
