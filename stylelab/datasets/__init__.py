"""Pictures for training: streams of crops of any photos, the shipped sets as arrays, and both as ``tf.data``.

``streams`` reads photos while it goes; ``products`` and ``icons`` give whole sets as arrays, small enough for memory;
``arrays`` turns arrays into endless batches; ``builders`` gives the same sets to TensorFlow Datasets. Pictures are
float32 in 0..1 everywhere, and nothing here imports TensorFlow before it is needed.
"""

from .arrays import array_batches, flip
from .builders import builder
from .icons import Pairs, all_icons, icon_split, icons, unpaired
from .products import (
    GARMENTS,
    Labeled,
    color_garments,
    full_garments,
    garments,
    load_fashion_mnist,
    renders,
)
from .streams import SUFFIXES, crop, held_out, middle_square, picture_files, stream

__all__ = [
    "GARMENTS",
    "SUFFIXES",
    "Labeled",
    "Pairs",
    "all_icons",
    "array_batches",
    "builder",
    "color_garments",
    "crop",
    "flip",
    "full_garments",
    "garments",
    "held_out",
    "icon_split",
    "icons",
    "load_fashion_mnist",
    "middle_square",
    "picture_files",
    "renders",
    "stream",
    "unpaired",
]
