"""What a visitor of the workbench has open, and what is made of it: a photo, where its product is, previews, pictures.

No widget is here: the view calls this, and so do the tests. Uploaded files lie in a folder that goes with the session;
files of the user's own are only read.
"""

import functools
import io
import re
import shutil
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import course, images, samples, stylizers
from ..catalog import masks, measures, names, product, provenance, quality, rules
from ..catalog.settings import Settings
from ..errors import ImageError, SettingsError
from . import marks

SUFFIXES = {"PNG": ".png", "JPEG": ".jpg", "WebP": ".webp"}
LOSSY = (".jpg", ".webp")
STEPS = ("preparing the photo", "painting", "writing", "measuring", "checking rules", "packing")


@dataclass(frozen=True)
class Choices:
    """What a picture is to look like.

    Attributes:
        styles: names of shipped paintings, or picture files, each with its weight.
        mode: one of ``product.MODES``.
        strength: 0..1.
        keep_color: whether the photo's colors stay.
    """

    styles: tuple[tuple[str | Path, float], ...]
    mode: str = "scene"
    strength: float = 1.0
    keep_color: bool = False


@dataclass(frozen=True, eq=False)
class Preview:
    """A picture made small, and the photo at the same size and place; both float32 ``[H, W, 3]``."""

    before: np.ndarray
    after: np.ndarray


@dataclass(frozen=True)
class Made:
    """A finished picture.

    Attributes:
        file: the picture; its sidecar and its mask lie beside it.
        size: width and height in px.
        measures: what became of the product; None for what has no product.
        verdicts: for which slots it is fit.
        pack: a zip file of picture, sidecar and mask.
    """

    file: Path
    size: tuple[int, int]
    measures: measures.Measures | None
    verdicts: list[rules.Verdict]
    pack: bytes


class Session:
    """One visitor's work.

    Args:
        out: where finished pictures go; None: ``workbench`` in the course's ``out`` folder.

    Attributes:
        path: the photo's file; None before :meth:`open`.
        picture: its content.
        mask: where its product is; None when it was not found.
        remarks: sentences on the file and its flaws.
    """

    def __init__(self, out: Path | None = None):
        self.out = out
        self.path: Path | None = None
        self.picture: images.Picture | None = None
        self.mask: masks.Mask | None = None
        self.remarks: tuple[str, ...] = ()
        self._folder = tempfile.TemporaryDirectory(prefix="stylelab-")
        self._uploads = 0
        self._prepared: dict[tuple[str, int | None], product.Product] = {}
        self._stylizer = functools.cache(stylizers.get)
        self._style = functools.lru_cache(maxsize=8)(_style)

    def keep(self, name: str, content: bytes) -> Path:
        """Puts an upload into the session's folder, under a name that cannot leave it."""
        plain = re.sub(r"[^\w .()+-]", "-", name.replace("\\", "/").rpartition("/")[2])[-100:].strip(". ")
        self._uploads += 1
        path = Path(self._folder.name) / str(self._uploads) / (plain or "upload")
        path.parent.mkdir()
        path.write_bytes(content)
        return path

    def plainly(self, sentence: str) -> str:
        """A sentence without the session's folder, which no visitor knows."""
        return re.sub(re.escape(self._folder.name) + r"[\\/]\d+[\\/]", "", sentence)

    def open(self, source: str | Path) -> None:
        """Takes another photo; where its product is, is not known until :meth:`find`.

        Args:
            source: a shipped picture's name, or a file.
        Raises:
            ImageError, SettingsError: it cannot be read, or there is none; the photo before stays.
        """
        path = Path(source) if stylizers.is_file(source) else samples.path(str(source))
        picture = images.open_picture(path)
        if min(picture.rgb.shape[:2]) < product.LEAST:
            sides = f"{picture.rgb.shape[1]}x{picture.rgb.shape[0]} px"
            raise ImageError(f"{path} has {sides}: give a photo of at least {product.LEAST} px on both sides.")
        flaws = (flaw.sentence for flaw in quality.flaws(picture, path=path.name))
        self.path, self.picture, self.mask = path, picture, None
        self.remarks = (*(f"{path.name}: {note}." for note in picture.notes), *flaws)
        self._prepared.clear()

    def find(self, box: marks.Box | None = None, file: Path | None = None, strokes: str = "") -> masks.Mask:
        """Finds the product.

        Args:
            box: left, top, right, bottom in px of the photo, right and bottom excluded: all of it is inside.
            file: a mask in place of looking.
            strokes: what is product and what is ground, as ``marks.read`` reads it.
        Raises:
            ImageError: no photo is open, or as ``marks.hint`` and ``masks.of``; the mask before is gone.
        """
        picture, self.mask = self.opened(), None
        self._prepared.clear()
        self.mask = masks.of(picture, file=file, hint=marks.hint(strokes, box, picture.rgb.shape[:2]))
        return self.mask

    def prepared(self, mode: str, size: int | None) -> product.Product:
        """The photo and its mask at the size and place that they have in a picture; kept until either changes."""
        if (mode, size) not in self._prepared:
            picture = self.opened()
            if self.mask is None and mode != "whole":
                raise ImageError("The product was not found: draw a box around it, or choose the mode Whole.")
            values = np.ones((*picture.rgb.shape[:2], 1), "float32") if self.mask is None else self.mask.values
            self._prepared[mode, size] = product.prepare(picture, values, mode, size)
        return self._prepared[mode, size]

    def preview(self, choices: Choices, size: int, shown: int) -> Preview:
        """The picture, made small.

        Args:
            choices: what it is to look like.
            size: long side in px that it is painted at; strokes have a width in px, so they look coarser than later.
            shown: long side in px of what is returned.
        Raises:
            StyleLabError: one sentence.
        """
        before = self.prepared(choices.mode, shown)
        after = images.resize(self._render(self.prepared(choices.mode, size), choices), before.rgb.shape[:2])
        return Preview(_on_white(before.rgb, before.alpha), _on_white(after, before.alpha))

    def make(
        self, choices: Choices, size: int | None, suffix: str, progress: Callable[[int, str], None] = lambda *_: None
    ) -> Made:
        """Makes the picture at its full size, with its sidecar, figures and verdicts.

        Args:
            choices: what it is to look like.
            size: long side in px; None: the photo's own.
            suffix: one of ``SUFFIXES``'s values.
            progress: called with the number of each step and its name, before the step.
        Raises:
            StyleLabError: one sentence.
        """
        steps = iter(enumerate(STEPS))

        def step() -> None:
            progress(*next(steps))

        step()
        picture, prepared = self.opened(), self.prepared(choices.mode, size)
        step()
        result = self._render(prepared, choices)
        step()
        height, width = result.shape[:2]
        folder = self._place(choices)
        try:
            file = provenance.seal(
                folder / f"{self._stem()}{suffix}",
                result,
                prepared.alpha,
                source=self.path or "",
                settings=self._recorded(choices, max(height, width), suffix),
                mask=None if self.mask is None else prepared.mask,
                exif=picture.exif,
                bits=16 if picture.bits == 16 and suffix == ".png" else 8,
            )
            step()
            written = images.open_picture(file).rgb if suffix in LOSSY else result
            numbers = None if self.mask is None else measures.measure(prepared, written, choices.mode)
            step()
            mask_file = file.with_name(f"{file.name}.mask.png")
            verdicts = rules.lint(file, mask=mask_file if mask_file.exists() else None)
            step()
            return Made(file, (width, height), numbers, verdicts, _packed(folder))
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def opened(self) -> images.Picture:
        """The photo's content.

        Raises:
            ImageError: there is none.
        """
        if self.picture is None:
            raise ImageError("No photo is open: choose one, or upload your own.")
        return self.picture

    def _render(self, prepared: product.Product, choices: Choices) -> np.ndarray:
        if choices.mode == "clean":
            return product.render(prepared, choices.mode, None, None)
        method = method_of(choices)
        stylizer: Any = self._stylizer(method)
        if choices.keep_color:
            stylizer = stylizers.KeepColor(stylizer)
        style = self._style(method, choices.styles)
        return product.render(prepared, choices.mode, stylizer, style, strength=choices.strength)

    def _recorded(self, choices: Choices, size: int, suffix: str) -> dict[str, Any]:
        """What the sidecar says of how the picture was made."""
        made = Settings(mode=choices.mode, method=method_of(choices), strength=choices.strength).recorded()
        made |= {"size": size, "format": suffix.lstrip(".")}
        if choices.mode != "clean":
            files = [source if stylizers.is_file(source) else samples.path(str(source)) for source, _ in choices.styles]
            made |= {
                "styles": [provenance.hashed(file) for file in files],
                "weights": [round(weight, 4) for _, weight in choices.styles],
                "keep_color": choices.keep_color,
            }
        if self.mask is not None:
            made |= {"mask_source": self.mask.source, "mask_confidence": round(float(self.mask.confidence), 4)}
        return made

    def _stem(self) -> str:
        return names.folder(self.path.stem if self.path else "picture")

    def _place(self, choices: Choices) -> Path:
        """A new folder for a picture; its making claims it, should two sessions want the same."""
        out = self.out or course.out_folder() / "workbench"
        number = 1
        while True:
            folder = out / f"{self._stem()}-{choices.mode}-{number}"
            try:
                folder.mkdir(parents=True)
            except FileExistsError:
                number += 1
            except OSError as error:
                raise ImageError(f"{out} cannot be written ({error.strerror}): choose another place.") from error
            else:
                return folder


def method_of(choices: Choices) -> str:
    """The fast network for the paintings that it knows, else the one for any picture."""
    return "any" if any(stylizers.is_file(source) for source, _ in choices.styles) else "fast"


def _style(method: str, styles: tuple[tuple[str | Path, float], ...]) -> stylizers.Style:
    chosen = [(source, weight) for source, weight in styles if weight > 0]
    if not chosen:
        raise SettingsError("No style is chosen, or all have a share of 0: choose one and give it a share.")
    sources, weights = [source for source, _ in chosen], [weight for _, weight in chosen]
    if method == "fast":
        return stylizers.Style.trained([str(source) for source in sources], weights)
    return stylizers.Style.of(sources, weights)


def _on_white(rgb: np.ndarray, alpha: np.ndarray | None) -> np.ndarray:
    return rgb if alpha is None else images.composite(rgb, np.ones_like(rgb), alpha)


def _packed(folder: Path) -> bytes:
    """A folder's files as a zip file; not compressed, since pictures are."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for file in sorted(folder.iterdir()):
            archive.write(file, file.name)
    return buffer.getvalue()
