"""What is done for one row of a catalog, from the photo's file to finished pictures. A worker does it again and again.

Nothing here knows of other rows or of the run's state, so the local engine and Ray share it: equal rows give equal
bytes wherever they are worked on.
"""

import contextlib
import dataclasses
import errno
import functools
import hashlib
import json
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from .. import files, images, stylizers
from ..errors import ImageError, SettingsError, StyleLabError, WeightsError
from . import outputs, review, sources
from .outputs import Outputs
from .settings import Settings

LOSSY = ("jpg", "jpeg", "webp")
HOPELESS = ("small",)  # flaws that no person can wave through as they are: they fail; all others go to review
DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


class Stop(StyleLabError):
    """What ends the whole run, since every other row would meet it, too."""


class Worker:
    """Makes the pictures of rows; loads a network when the first row needs it.

    Args:
        settings: of the run.
        digest: ``settings.digest()``, which the run computed once.
        photos: the folder that paths in the catalog begin in.
        out: the run's folder.
    """

    def __init__(self, settings: Settings, digest: str, photos: str | Path, out: str | Path):
        self.settings, self.digest = settings, digest
        self.photos, self.out = Path(photos), Path(out)
        self.recorded = settings.recorded()
        self.look: dict[str, Any] = {"strength": settings.strength, "seed": settings.seed}
        self._grounds: dict[tuple[str, int], np.ndarray] = {}

    @functools.cached_property
    def stylizer(self) -> stylizers.Stylizer | None:
        """The method; None for a mode that has no style."""
        if self.settings.mode == "clean":
            return None
        method = self.settings.method
        with _stopping():
            return own_method(method)() if ":" in method else stylizers.get(method)

    @functools.cached_property
    def styles(self) -> dict[str, Any]:
        """The styles by their label, resolved once."""
        if self.stylizer is None:
            return dict.fromkeys(self.settings.labels())
        named = dict(zip(self.settings.labels(), self.settings.styles, strict=True))
        of = stylizers.Style.of if self.stylizer.styles is None else _trained
        with _stopping():
            return {label: of(style) for label, style in named.items()}

    def do(self, task: dict[str, Any]) -> dict[str, Any]:
        """Works on one row.

        Args:
            task: sku, variant, stem, image, mask, title; ``previous``, the journal's entry of the row or {}; ``force``,
                whether to try again even if nothing changed.
        Returns:
            The row's new entry for the journal; ``{}`` when the previous one still holds.
        Raises:
            Stop: every other row would fail, too.
        """
        begun = time.perf_counter()
        entry = {"sku": task["sku"], "variant": task["variant"], "stem": task["stem"]}
        made = Outputs(self.out)
        try:
            inputs, wrong = self._inputs(task)
            entry["key"] = self._key(task, inputs)
            if not task.get("force") and self._holds(task["previous"], entry["key"]):
                return {}
            if wrong is not None:
                raise wrong
            entry |= self._made(task, inputs, made)
        except Exception as error:
            made.files = {}
            entry |= {"state": "failed", "sentence": self._sentence(error, task)}
        for stem in {task["stem"], task["previous"].get("stem", task["stem"])}:
            outputs.tidy(self.out, stem, made.files)
        return {**entry, "files": made.files, "seconds": round(time.perf_counter() - begun, 4)}

    def bytes_to_read(self, task: dict[str, Any]) -> int | None:
        """The size of a row's photo, 0 if it has to be fetched, or None if :meth:`do` would find nothing to do.

        Raises:
            StyleLabError: the row would fail for want of a file.
        """
        cache = self.out / sources.DOWNLOADS
        addresses = [task[name] for name in ("image", "mask") if sources.is_url(task[name])]
        if self.settings.allow_urls and not all(sources.cached(url, cache).is_file() for url in addresses):
            return 0
        inputs, wrong = self._inputs(task)
        if wrong is not None:
            raise wrong
        if self._holds(task["previous"], self._key(task, inputs)):
            return None
        with files.explained(f"{inputs['image']} cannot be read"):
            return inputs["image"].stat().st_size

    def _inputs(self, task: dict[str, Any]) -> tuple[dict[str, Path], StyleLabError | None]:
        """The files that a row's pictures depend on, as far as they are there, and why the photo or mask is not."""
        found: dict[str, Path] = review.given(self.out, task["stem"])
        wrong: StyleLabError | None = None
        for name in ("image", "mask"):
            if not task[name]:
                continue
            try:
                cache = self.out / sources.DOWNLOADS
                file = sources.find(task[name], self.photos, cache, self.settings.allow_urls)
                made = (self.out / folder for folder in outputs.FOLDERS)
                if any(file.resolve().is_relative_to(folder.resolve()) for folder in made):
                    raise ImageError(f"{file} is one of this run's own pictures: give the photo.")
                found[name] = file
            except (StyleLabError, OSError, ValueError, RuntimeError) as error:
                wrong = wrong or (error if isinstance(error, StyleLabError) else _unusable(task[name], error))
        return found, wrong

    def _key(self, task: dict[str, Any], inputs: dict[str, Path]) -> str:
        """A hash of all that a row's pictures and sidecars depend on.

        Made before the files are read for use: one that changes in between is found changed by the next run.
        """
        row = [task[name] for name in ("sku", "variant", "stem", "image", "mask", "title")]
        contents = {name: _content(file) for name, file in sorted(inputs.items())}
        return hashlib.sha256(json.dumps([self.digest, row, contents]).encode()).hexdigest()

    def _holds(self, previous: dict[str, Any], key: str) -> bool:
        """Whether a row was done with the same inputs, and all that was written then is still there."""
        if previous.get("key") != key:
            return False
        try:
            return all((self.out / name).stat().st_size == size for name, size in previous["files"].items())
        except OSError:
            return False

    def _made(self, task: dict[str, Any], inputs: dict[str, Path], made: Outputs) -> dict[str, Any]:
        """Photo, gate, mask, pictures."""
        from . import masks, quality

        styles = self.styles  # a mistake in them is found before a row is blamed
        picture = images.open_picture(inputs["image"])
        said, mistaken = review.read(inputs, picture.rgb.shape[:2])
        flaws = [] if said.accept else quality.flaws(picture, path=task["image"])
        if hopeless := [flaw.sentence for flaw in flaws if flaw.kind in HOPELESS]:
            raise ImageError(" ".join(hopeless))
        why = [*mistaken, *(flaw.sentence for flaw in flaws)]
        mask, entry = None, {"notes": list(picture.notes), "mask": "none", "confidence": 1.0}
        if self.settings.mode != "whole":
            mask = masks.of(picture, file=said.mask or inputs.get("mask"), hint=said.marks)
            entry |= {"mask": mask.source, "confidence": round(float(mask.confidence), 4)}
            # Of a hint the person who gave it is sure; what came of it stands in the report.
            if mask.source == "photo" and mask.confidence < masks.ACCEPT and not said.accept:
                shown = f"see {review.FOLDER}/{task['stem']}.png"
                found = math.floor(100 * mask.confidence) / 100  # rounded, 0.919 would not be below 0.92
                sure = f"a confidence of {found:.2f}, below {masks.ACCEPT:.2f}"
                why.append(f"The product was found with {sure}: {shown}.")
        if why:
            for file in review.propose(self.out, task["stem"], picture, None if mask is None else mask.values):
                made.add(file)
            return {**entry, "state": "review", "sentence": " ".join(why)}
        values = np.ones((*picture.rgb.shape[:2], 1), np.float32) if mask is None else mask.values
        pictures = list(self._pictures(task, styles, inputs["image"], picture, values, made))
        return {**entry, "state": "done", "sentence": "", "pictures": pictures}

    def _pictures(
        self,
        task: dict[str, Any],
        styles: dict[str, Any],
        source: Path,
        picture: images.Picture,
        mask: np.ndarray,
        made: Outputs,
    ) -> Iterator[dict[str, Any]]:
        """Makes and writes a picture for each size, style and format, and yields what the report says of it."""
        from . import measures, product, provenance, text

        settings, stem = self.settings, task["stem"]
        made.thumbnail(f"{outputs.THUMBNAILS}/{stem}/before.jpg", picture.rgb, picture.alpha)
        for number, size in enumerate(settings.sizes or (None,)):
            prepared = product.prepare(picture, mask, settings.mode, size)
            lossless = set(settings.formats) - set(LOSSY)  # measure_file looks for text by itself
            texts, mask_file = text.text_boxes(prepared.rgb) if lossless else None, None
            if settings.mode != "whole":
                mask_file = made.mask(f"{outputs.MASKS}/{stem}/{size or 'own'}.png", prepared.mask)
            for label, style in styles.items():
                with _stopping(SettingsError):
                    result = product.render(
                        prepared, settings.mode, self.stylizer, style, **self.look, ground=self._ground(label, size)
                    )
                if number == 0:
                    made.thumbnail(f"{outputs.THUMBNAILS}/{stem}/{label}.jpg", result, prepared.alpha)
                exact = None
                for suffix in settings.formats:
                    name = f"{outputs.PICTURES}/{stem}/{label}{f'_{size}' if size else ''}.{suffix}"
                    deep = picture.bits == 16 and suffix in ("png", "tif", "tiff")
                    asked = {"style": label, "size": size, "format": suffix}
                    file = provenance.seal(
                        self.out / name,
                        result,
                        prepared.alpha,
                        source=source,
                        settings={**self.recorded, **asked},
                        mask=mask_file,
                        title=task["title"],
                        sku=task["sku"],
                        exif=picture.exif,
                        bits=16 if deep else 8,
                    )
                    made.add(file)
                    made.add(provenance.sidecar(file))
                    if suffix in LOSSY:
                        numbers = measures.measure_file(file, prepared, settings.mode)
                    else:
                        numbers = exact = exact or measures.measure(prepared, result, settings.mode, texts=texts)
                    height, width = result.shape[:2]
                    facts = {"file": name, "bytes": made.files[name], "width": width, "height": height}
                    yield {**asked, **facts, "measures": _plain(dataclasses.asdict(numbers))}

    def _ground(self, label: str, size: int | None) -> np.ndarray | None:
        """The scene of a backdrop, made once for all products of a size: it costs more than all the rest of them."""
        from . import scenes

        if self.settings.mode != "backdrop" or size is None or self.stylizer is None:
            return None
        if (label, size) not in self._grounds:
            self._grounds[label, size] = scenes.backdrop(size, self.stylizer, self.styles[label], **self.look)
        return self._grounds[label, size]

    def _sentence(self, error: Exception, task: dict[str, Any]) -> str:
        """What the report says of a row that failed.

        Raises:
            Stop: it is the disk's or the method's failure and no row's.
        """
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, OSError) and cause.errno in DISK:
                raise Stop(str(error) if isinstance(error, StyleLabError) else f"{error}: free some space.")
            cause = cause.__cause__ or cause.__context__
        if isinstance(error, Stop | WeightsError):
            raise Stop(str(error)) from error
        if isinstance(error, StyleLabError):
            return str(error)
        if isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError":
            return f"{task['image']} needs more memory than there is: make the photo smaller, or use fewer --workers."
        what = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
        return f"{task['image']} failed by a mistake in StyleLab ({what}): please report it."


def own_method(name: str) -> type[stylizers.Stylizer]:
    """The class that ``"module:Class"`` names.

    Raises:
        Stop: there is none, or it is no method.
    """
    import importlib

    module, _, attribute = name.partition(":")
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise Stop(f"The method {name} cannot be loaded ({error}): give module:Class.") from error
    if not (isinstance(found, type) and issubclass(found, stylizers.Stylizer)):
        raise Stop(f"{name} is no method: it must be a class derived from stylelab.stylizers.Stylizer.")
    return found


def _trained(style: str) -> stylizers.Style:
    return stylizers.Style.trained(Path(style).name)  # without the folder of styles/hokusai_great_wave


@contextlib.contextmanager
def _stopping(kind: type[StyleLabError] = StyleLabError) -> Iterator[None]:
    """What is wrong with the method or the style is no single row's failure."""
    try:
        yield
    except kind as error:
        raise Stop(str(error)) from error


def _plain(numbers: dict[str, Any]) -> dict[str, int | float | None]:
    """As JSON has them: NumPy's numbers and NaN it has not."""
    found: dict[str, int | float | None] = {}
    for name, number in numbers.items():
        whole = isinstance(number, int | np.integer)
        found[name] = int(number) if whole else float(number) if np.isfinite(number) else None
    return found


def _content(file: Path) -> str:
    """SHA-256 of a file; of one that cannot be read the reason, so that it is tried again when that changes."""
    from .provenance import hashed

    try:
        return hashed(file)["sha256"]
    except StyleLabError as error:
        return str(error)


def _unusable(reference: str, error: Exception) -> ImageError:
    return ImageError(f"{reference} cannot be used ({' '.join(str(error).split())}): check the path.")
