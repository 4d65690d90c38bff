"""The workbench as widgets: what a control does, and what is shown of it.

Every callback tells its own errors, since an exception in one would end in a log that nobody sees.
"""

import contextlib
from collections.abc import Callable, Iterator
from html import escape
from pathlib import Path
from typing import Any

import ipywidgets as widgets

from .. import course, images, samples
from ..errors import ImageError, StyleLabError
from . import controls, marks, pictures, report
from .later import Later
from .layout import FIRST_PHOTO, Layout
from .session import STEPS, Choices, Session, method_of

QUICK, SHARP = 256, 576  # px: the preview while a hand moves, and when it rests; SHARP is what is shown of both
FIRST_STYLE = "vangogh_starry_night"


class Workbench(Layout):
    """The widgets, wired. ``root`` is what a notebook shows.

    Args:
        session: what the widgets work on.
        photo: what is open at the start: a shipped picture's name, or a file.
        largest_upload: MB that the server takes, to be told beside the button.
    """

    def __init__(self, session: Session, photo: str | Path = FIRST_PHOTO, largest_upload: int = 10):
        self.session = session
        self.sources: list[str | Path] = list(samples.names("styles"))
        self._labels = [pictures.title(str(name)) for name in self.sources]
        self._thumbnails = [pictures.painting(str(name)) for name in self.sources]
        self._quiet = False  # whether widgets are being set by us and not by a person
        self._shown: Any = None
        self._previewed: Choices | None = None
        self._loaded: set[str] = set()
        super().__init__(largest_upload)
        self._add_paintings({self.sources.index(FIRST_STYLE)})
        self._quick, self._sharp = Later(self._preview_quick, 0.02), Later(self._preview_sharp, 0.5)
        self._search = Later(self._find, 0.7)
        self._wire()
        # The page says when it is there, or what is told it before is lost; where no script runs, it is not waited for.
        self._begin = Later(lambda: self._open(photo), 15)
        self._begin()
        self.ready.on_click(lambda _: self._on_ready())

    def _add_paintings(self, chosen: set[int]) -> None:
        """A tick for each source that has none yet; those of ``chosen`` are set."""
        for number in range(len(self.paintings), len(self.sources)):
            tick = controls.painting(self._labels[number], number, number in chosen)
            tick.observe(self._on_paintings, names="value")
            self.paintings.append(tick)
        self.css.value = controls.thumbnails(self._thumbnails)
        self.gallery.children = self.paintings
        self._show_shares()

    def _show_shares(self) -> None:
        """A slider for each chosen painting, when there are several."""
        chosen = [number for number, tick in enumerate(self.paintings) if tick.value]
        for number in chosen:
            if number not in self.shares:
                self.shares[number] = controls.percent(f"Share of {self._labels[number]}", 50, "sl-share")
                self.shares[number].observe(self._on_look, names="value")
        self.blend.children = [self.shares[number] for number in chosen] if len(chosen) > 1 else []

    # ---- what it does ----------------------------------------------------------------------------

    def _wire(self) -> None:
        self.photo.observe(self._on_photo, names="value")
        self.upload_photo.observe(lambda _: self._on_upload(self.upload_photo, self._open), names="value")
        self.upload_mask.observe(lambda _: self._on_upload(self.upload_mask, self._use_mask), names="value")
        self.upload_style.observe(lambda _: self._on_upload(self.upload_style, self._add_style), names="value")
        for field in (*self.box.values(), self.strokes):
            field.observe(self._on_marks, names="value")
        strokes = self.strokes
        self.undo.on_click(lambda _: strokes.set_trait("value", strokes.value.rstrip("; ").rpartition(";")[0]))
        self.no_strokes.on_click(lambda _: strokes.set_trait("value", ""))
        self.whole_photo.on_click(lambda _: self._clear_box())
        for control in (self.mode, self.strength, self.keep_color):
            control.observe(self._on_look, names="value")
        self.make.on_click(lambda _: self._make())

    def choices(self) -> Choices:
        """What the controls say."""
        chosen = [number for number, tick in enumerate(self.paintings) if tick.value]
        weights = [self.shares[number].value if len(chosen) > 1 else 1 for number in chosen]
        styles = tuple((self.sources[number], float(weight)) for number, weight in zip(chosen, weights, strict=True))
        return Choices(styles, self.mode.value, self.strength.value / 100, self.keep_color.value)

    def _on_ready(self) -> None:
        """Begins; or tells all once more, since what was told before the page had its widgets was not heard."""
        if self._begin.waiting:
            self._begin.now()
        else:
            for widget in vars(self).values():
                if isinstance(widget, widgets.HTML | widgets.Image):
                    widget.send_state("value")

    def _on_photo(self, change: Any) -> None:
        if change["new"] and not self._quiet:
            self._open(change["new"])

    def _on_upload(self, button: widgets.FileUpload, use: Callable[[Path], None]) -> None:
        with self._telling():
            file = course.uploaded(button)
            if file is not None:
                use(self.session.keep(*file))

    def _on_marks(self, _: Any) -> None:
        if self._quiet:
            return
        with self._telling():
            self._show_photo()
            self._search.again()

    def _on_look(self, _: Any) -> None:
        self._quick()

    def _on_paintings(self, _: Any) -> None:
        self._show_shares()
        self._quick()

    def _open(self, source: str | Path) -> None:
        with self._telling():
            self._say("Opening the photo …")
            self.session.open(source)
            height, width = self._photo().rgb.shape[:2]
            self._shown = pictures.within(images.over(self._photo()), SHARP)
            with self._setting():
                self.photo.value = source if source in samples.names("products") else ""
                for side, most in zip(controls.SIDES, (width, height) * 2, strict=True):
                    self.box[side].max = most
                self._reset_box()
                self.strokes.value = ""
            self.edges.value = f'<span class="sl-edges" data-width="{width}" data-height="{height}"></span>'
            name = "" if self.photo.value else f"{self.session.path.name}, " if self.session.path else ""
            remarks = "".join(f"<li>{escape(self.session.plainly(one))}</li>" for one in self.session.remarks)
            self.remarks.value = f'<p class="sl-hint">{escape(name)}{width} x {height} px</p><ul>{remarks}</ul>'
            self._show_photo()
            self._find()

    def _find(self, file: Path | None = None) -> None:
        """Looks for the product with the marks that there are, and shows what was found."""
        self._search.cancel()
        with self._telling():
            self._say("Looking for the product …")
            self.sure.value = ""
            try:
                mask = self.session.find(self._box(), file, self.strokes.value)
            finally:
                self._show_photo()
            sentence, look = report.verdict_on(mask)
            self.sure.value = f'<p class="{"sl-look" if look else "sl-good"}">{escape(sentence)}</p>'
            self._preview(QUICK)
            self._sharp.again()

    def _use_mask(self, path: Path) -> None:
        images.read_mask(path, self._photo().rgb.shape[:2])  # of a broken one nothing changes
        with self._setting():
            self.strokes.value = ""
        self._find(path)

    def _add_style(self, path: Path) -> None:
        picture = images.read(path)
        self.sources.append(path)
        self._labels.append(path.stem[:40])
        self._thumbnails.append(pictures.thumbnail(picture))
        with self._setting():
            for tick in self.paintings:
                tick.value = False
        self._add_paintings({len(self.sources) - 1})
        self._quick()

    def _clear_box(self) -> None:
        with self._telling():
            with self._setting():
                self._reset_box()
            self._show_photo()
            self._find()

    def _reset_box(self) -> None:
        for side in controls.SIDES:
            self.box[side].value = self.box[side].max if side in ("right", "bottom") else 0

    def _box(self) -> marks.Box | None:
        """The box in px, or None when it is the whole photo."""
        left, top, right, bottom = (self.box[side].value for side in controls.SIDES)
        height, width = self._photo().rgb.shape[:2]
        return None if (left, top, right, bottom) == (0, 0, width, height) else (left, top, right, bottom)

    def _photo(self) -> images.Picture:
        return self.session.opened()

    def _show_photo(self) -> None:
        mask, box = self.session.mask, self._box()
        height, width = self._photo().rgb.shape[:2]
        shares = None if box is None else (box[0] / width, box[1] / height, box[2] / width, box[3] / height)
        small = None if mask is None else images.resize(mask.values, self._shown.shape[:2])
        strokes = []
        with contextlib.suppress(ImageError):  # what cannot be read is told by the search
            strokes = [(kind, points / (width, height)) for kind, points in marks.read(self.strokes.value)]
        self.source.value = pictures.jpeg(pictures.marked(self._shown, small, shares, strokes))

    def _preview_quick(self) -> None:
        if self.choices() == self._previewed:  # told twice: what is shown stays, as a finished picture
            return
        with self._telling():
            self._sharp.cancel()
            self._preview(QUICK)
            self._sharp()

    def _preview_sharp(self) -> None:
        with self._telling():
            self._preview(SHARP)

    def _preview(self, size: int) -> None:
        choices = self.choices()
        if choices.mode != "clean" and method_of(choices) not in self._loaded:
            self._say("Loading the network, which is needed once …")
            self._loaded.add(method_of(choices))
        self._previewed = None
        preview = self.session.preview(choices, size, SHARP)
        self._previewed = choices
        self.before.value, self.after.value = pictures.jpeg(preview.before), pictures.jpeg(preview.after)
        self.caption.value = f'<p class="sl-hint">Preview of {size} px: strokes get finer in the picture itself.</p>'
        self._say("")

    def _make(self) -> None:
        if self._search.waiting:  # the newest marks count
            self._find()
        self._quick.cancel()
        self._sharp.cancel()
        with self._telling(), self._busy():
            self.download.value = self.report.value = ""
            self._previewed = choices = self.choices()
            made = self.session.make(choices, self.size.value, self.format.value, self._step)
            shown = pictures.within(images.read(made.file), 2 * SHARP)
            self.after.value = pictures.jpeg(shown)
            width, height = made.size
            self.caption.value = f'<p class="sl-hint">The finished picture, {width} x {height} px.</p>'
            self.download.value = report.download(made)
            self.report.value = report.findings(made)
            self._say(f"Done: {made.file.parent.name}/{made.file.name} is saved.")

    def _step(self, number: int, name: str) -> None:
        self.progress.value = number
        self._say(f"Step {number + 1} of {len(STEPS)}: {name} …")

    # ---- telling ---------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _busy(self) -> Iterator[None]:
        self.make.disabled = True
        self.progress.add_class("sl-running")
        try:
            yield
        finally:
            self.make.disabled = False
            self.progress.remove_class("sl-running")

    @contextlib.contextmanager
    def _setting(self) -> Iterator[None]:
        self._quiet = True
        try:
            yield
        finally:
            self._quiet = False

    @contextlib.contextmanager
    def _telling(self) -> Iterator[None]:
        """One sentence for whatever goes wrong."""
        try:
            yield
        except StyleLabError as error:
            self._complain(self.session.plainly(str(error)))
        except Exception as error:
            self._complain(f"That failed by a mistake in StyleLab ({type(error).__name__}: {error}): please report it.")

    def _say(self, sentence: str) -> None:
        self.status.value = f"<p>{escape(sentence)}</p>" if sentence else ""

    def _complain(self, sentence: str) -> None:
        self.status.value = f'<p class="sl-error" role="alert">{escape(sentence)}</p>'
