"""The shipped sets as TensorFlow Datasets builders: prepared once from the files in ``data/``, never from a network."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from .. import images
from ..errors import SettingsError
from . import icons, products

NAMES = ("garments", "renders", "icons")


def builder(name: str, data_dir: str | Path | None = None) -> Any:
    """A shipped set as a ``tfds.core.DatasetBuilder``: ``download_and_prepare()``, then ``as_dataset(split=...)``.

    The examples hold the pictures of the functions of the same names, in their order, as uint8, lossless:

    - ``"garments"``: ``image`` ``[28, 28, 3]`` and ``label``; splits ``train`` (4,000) and ``test`` (1,000);
    - ``"renders"``: ``image`` ``[128, 128, 3]`` and ``label``, the category; split ``train`` (172);
    - ``"icons"``: ``openmoji`` and ``twemoji`` ``[64, 64, 3]`` and ``codepoint``; splits ``train`` (448) and ``test``,
      the 64 that ``icon_split`` holds out.

    After the first call ``tfds.load`` knows the names, too.

    Args:
        name: one of the three.
        data_dir: where the prepared files go; None for TensorFlow Datasets' own folder.
    Raises:
        SettingsError: another name.
    """
    if name not in NAMES:
        raise SettingsError(f"There is no builder {name!r}: choose one of {', '.join(NAMES)}.")
    return _classes()[name](data_dir=None if data_dir is None else str(data_dir))


@cache  # a class registers its name with tfds when it is made, which it may once
def _classes() -> dict[str, Any]:
    tfds = products.import_tfds()
    tfds.disable_progress_bar()  # of a few seconds' work; they would go to stderr
    features = tfds.features
    info: Any = tfds.core.DatasetInfo
    base: Any = tfds.core.GeneratorBasedBuilder

    class Offline(info):
        """Does not look for the set in Google's bucket, where it is not."""

        def initialize_from_bucket(self) -> None:
            pass

    class Shipped(base):
        """What the builders share. A set says its features, splits and examples."""

        VERSION = tfds.core.Version("1.0.0")
        SPLITS: tuple[str, ...] = ("train",)

        def described(self, licence: str, **inside: Any) -> Any:
            keys = ("image", "label") if "image" in inside else ("openmoji", "twemoji")
            return Offline(
                builder=self,
                description=type(self).__doc__,
                features=features.FeaturesDict(inside),
                supervised_keys=keys,
                license=licence,
                disable_shuffling=True,  # in the order of the arrays
            )

        def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
            return {split: self._generate_examples(split) for split in self.SPLITS}

        def download_and_prepare(self, **settings: Any) -> None:
            settings.setdefault("download_config", tfds.download.DownloadConfig(try_download_gcs=False))
            super().download_and_prepare(**settings)

    def picture(side: int) -> Any:
        return features.Image(shape=(side, side, 3), encoding_format="png")

    def labeled(found: products.Labeled) -> Iterator[tuple[int, dict[str, Any]]]:
        for number, (image, label) in enumerate(zip(found.pictures, found.labels, strict=True)):
            yield number, {"image": images.to_uint8(image), "label": int(label)}

    class Garments(Shipped):
        """5,000 garments of Fashion-MNIST in random colors on white."""

        SPLITS = ("train", "test")

        def _info(self) -> Any:
            label = features.ClassLabel(names=products.GARMENTS)
            return self.described("MIT, Zalando SE", image=picture(28), label=label)

        def _generate_examples(self, split: str) -> Iterator[tuple[int, dict[str, Any]]]:
            yield from labeled(products.garments(split))

    class Renders(Shipped):
        """172 renders of furniture and household goods on white."""

        def _info(self) -> Any:
            label = features.ClassLabel(names=products._table()[1])
            return self.described("CC0, Blend Swap contributors", image=picture(128), label=label)

        def _generate_examples(self, split: str) -> Iterator[tuple[int, dict[str, Any]]]:
            yield from labeled(products.renders(128))

    class Icons(Shipped):
        """512 icons as OpenMoji and as Twemoji draw them."""

        SPLITS = ("train", "test")

        def _info(self) -> Any:
            licence = "OpenMoji: CC BY-SA 4.0; Twemoji: CC BY 4.0"
            return self.described(licence, openmoji=picture(64), twemoji=picture(64), codepoint=features.Text())

        def _generate_examples(self, split: str) -> Iterator[tuple[int, dict[str, Any]]]:
            train, held_out = icons.icon_split(icons.icons())
            for number, (one, other, codepoint) in enumerate(
                zip(*(train if split == "train" else held_out), strict=True)
            ):
                pictures = {"openmoji": images.to_uint8(one), "twemoji": images.to_uint8(other)}
                yield number, {**pictures, "codepoint": codepoint}

    return {"garments": Garments, "renders": Renders, "icons": Icons}
