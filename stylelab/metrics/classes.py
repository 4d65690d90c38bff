"""Which garments a set of pictures shows, judged by a small classifier that ships with its measured accuracy."""

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from .. import images, samples
from ..backend import keras
from ..errors import SettingsError
from .pictures import check_batch

SIDE = 28  # of the pictures that the classifier is trained on
CLASSES = 10
CONFIDENT = 0.5  # a picture that no class has half of is none's
SHARE = 0.01  # of the pictures: a tenth of what each of ten equal classes has


class ClassReport(NamedTuple):
    """What a classifier sees in a set of pictures.

    Attributes:
        covered: number of classes that are there: at least 1 % of the pictures go to them with a probability of 0.5.
        confidence: mean over the pictures of their largest probability. Real pictures have a high one; a low one
            says that many pictures are no clear garment. A classifier is confident about some nonsense too.
        shares: ``[10]``, the share of the pictures that goes to each class, whatever the confidence; sums to 1.
    """

    covered: int
    confidence: float
    shares: np.ndarray


def class_report(pictures: Any, classifier: Callable[[Any], Any] | None = None) -> ClassReport:
    """Classes covered and confidence of a set of pictures: are all garments made, and are they garments?

    Ours, after the Inception score's two questions (Salimans et al. 2016, section 4), kept apart and readable.

    Args:
        pictures: ``[N, H, W, 3]`` in 0..1, at least 2; other sizes than 28 px are resized with antialiasing.
        classifier: takes ``[B, 28, 28, 3]`` in 0..1 and returns logits ``[B, K]``; None for
            :func:`garment_classifier`.
    Raises:
        ImageError: another shape, fewer than 2 pictures, NaN, or values outside 0..1.
        SettingsError: the classifier does not return one row of finite logits for each picture.
    """
    pictures = check_batch(pictures, least=2)
    classifier = classifier or garment_classifier()
    batches = (pictures[first : first + 256] for first in range(0, len(pictures), 256))
    answers = [np.asarray(classifier(images.resize(batch, (SIDE, SIDE))), "float64") for batch in batches]
    logits = np.concatenate([np.atleast_1d(answer) for answer in answers])
    if logits.ndim != 2 or len(logits) != len(pictures) or not np.isfinite(logits).all():
        raise SettingsError(
            f"A classifier returns finite logits of shape [{len(pictures)}, classes] for {len(pictures)} pictures, "
            f"not {logits.shape}; give another one."
        )
    probabilities = np.exp(logits - logits.max(1, keepdims=True))
    probabilities /= probabilities.sum(1, keepdims=True)
    best, surest = probabilities.argmax(1), probabilities.max(1)
    clear = np.bincount(best[surest >= CONFIDENT], minlength=logits.shape[1]) / len(best)
    shares = np.bincount(best, minlength=logits.shape[1]) / len(best)
    return ClassReport(int((clear >= SHARE).sum()), float(surest.mean()), shares)


def build_garment_classifier() -> Any:
    """The network without its weights: four 3 x 3 convolutions, pooled twice, then averaged over positions.

    Returns:
        A ``keras.Model`` from ``[B, 28, 28, 3]`` in 0..1 to 10 logits, in the order of Fashion-MNIST's labels; fewer
        than 150,000 parameters.
    """
    layers = keras.layers
    x = inputs = keras.Input((SIDE, SIDE, 3))
    for index, width in enumerate((32, 64, 96, 64)):
        x = layers.Conv2D(width, 3, padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
        if index < 2:
            x = layers.MaxPooling2D(2)(x)
    return keras.Model(inputs, layers.Dense(CLASSES)(layers.GlobalAveragePooling2D()(x)), name="garment_classifier")


@cache
def garment_classifier() -> Any:
    """The classifier that ships, trained on colored Fashion-MNIST; loaded once. Its card: ``garment_classifier.md``.

    Returns:
        A frozen ``keras.Model``, as :func:`build_garment_classifier` describes it.
    Raises:
        WeightsError: the weights are missing or damaged.
    """
    network = build_garment_classifier()
    network.load_weights(str(samples.weights("garment_classifier")))
    network.trainable = False
    return network
