"""What every figure has: its size and colors, its alternative text, and how it becomes a picture file."""

import base64
import io
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image, ImageChops

from ..errors import SettingsError

# Okabe and Ito (2008): tells apart under the common kinds of color blindness. Lines also differ in dash.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
DASHES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (1, 1)), (0, (3, 1, 1, 1)))
WIDTH = 9.0  # inches: a notebook's text column
LETTER, LINE, GAP = 0.085, 0.17, 0.08  # inches: a letter's width and height at 10 points, between two pictures


class Plot:
    """A finished figure with its alternative text.

    Args:
        figure: a matplotlib figure.
        alt: what it shows, in one sentence.
        photo: JPEG (photographs) rather than PNG (lines, text).
    """

    def __init__(self, figure: Figure, alt: str, photo: bool = False):
        self.figure, self.alt, self.kind = figure, alt, "jpeg" if photo else "png"

    def bytes(self) -> bytes:
        """The figure as a picture file."""
        buffer = io.BytesIO()
        options: dict[str, Any] = {"pil_kwargs": {"quality": 82}} if self.kind == "jpeg" else {}
        FigureCanvasAgg(self.figure).print_figure(
            buffer, dpi=110, format=self.kind, bbox_inches="tight", facecolor="white", **options
        )
        if self.kind == "jpeg":
            return buffer.getvalue()
        # 256 colors take a third of the bytes, and nobody sees the difference: where one could, all colors are kept.
        full = Image.open(buffer).convert("RGB")
        few = full.quantize(256, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
        if np.asarray(ImageChops.difference(full, few.convert("RGB"))).max() > 16:
            return buffer.getvalue()
        small = io.BytesIO()
        few.save(small, "png", optimize=True)
        return small.getvalue()

    def save(self, path: str | Path) -> None:
        """Writes the figure; the format is the one it is shown in."""
        Path(path).write_bytes(self.bytes())

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict, dict]:
        kind = f"image/{self.kind}"
        data = {kind: base64.b64encode(self.bytes()).decode(), "text/plain": f"Figure: {self.alt}"}
        return data, {kind: {"alt": self.alt}}

    def __repr__(self) -> str:
        return f"Figure: {self.alt}"


def wrapped(text: str, width: float) -> str:
    """The text in lines of ``width`` inches, at least eight letters."""
    return "\n".join(textwrap.wrap(text, max(8, int(width / LETTER))))


def require_something(things: Mapping[str, Any], values: Iterable[Sequence[float]] = ()) -> None:
    """Raises :class:`SettingsError` where there is no name, or one without values."""
    if not things or any(len(v) == 0 for v in values):
        raise SettingsError("There is nothing to draw; give at least one name with its values.")


def short(number: float) -> str:
    """Three digits, without an exponent below a million: ``6030`` rather than ``6.03e+03``."""
    return f"{number:.0f}" if 1000 <= abs(number) < 1e6 else f"{number:.3g}"
