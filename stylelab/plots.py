"""Every figure that more than one notebook draws: pictures side by side, curves, trade-offs, spread.

A function returns a :class:`Plot`: as a cell's last expression it shows itself (JPEG for pictures, PNG for
lines, about 30 kB), and its text form says in words what it shows, for readers who do not see it.
"""

import base64
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from .errors import ImageError

# Okabe and Ito (2008): tells apart under the common kinds of color blindness. Lines also differ in dash.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
DASHES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (1, 1)), (0, (3, 1, 1, 1)))
WIDTH = 9.0  # inches: a notebook's text column


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
        return buffer.getvalue()

    def save(self, path: str | Path) -> None:
        """Writes the figure; the format is the one it is shown in."""
        Path(path).write_bytes(self.bytes())

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict, dict]:
        kind = f"image/{self.kind}"
        data = {kind: base64.b64encode(self.bytes()).decode(), "text/plain": f"Figure: {self.alt}"}
        return data, {kind: {"alt": self.alt}}

    def __repr__(self) -> str:
        return f"Figure: {self.alt}"


def compare(pictures: Mapping[str, Any], columns: int | None = None, height: float = 2.6) -> Plot:
    """Pictures side by side, titled, at one height.

    Args:
        pictures: title to image ``[H, W, 3]`` or ``[H, W, 1]`` in 0..1 (single-channel ones in gray).
        columns: per row; None for one row of up to five.
        height: of a row in inches, at most: a row is never wider than the page.
    """
    if not pictures:
        raise ImageError("There is nothing to compare; give at least one picture.")
    columns = columns or min(len(pictures), 5)
    titles = list(pictures)
    rows = [titles[k : k + columns] for k in range(0, len(titles), columns)]
    table = [[pictures[title] for title in row] for row in rows]
    return _table(table, rows, None, height, f"side by side: {', '.join(titles)}")


def grid(table: Sequence[Sequence[Any]], rows: Sequence[str], columns: Sequence[str], height: float = 1.9) -> Plot:
    """A table of pictures: one thing varies down, another across.

    Args:
        table: rows of images ``[H, W, 3]`` in 0..1.
        rows, columns: their labels.
        height: of a row in inches, at most.
    """
    titles = [list(columns)] + [[""] * len(columns)] * (len(rows) - 1)
    alt = f"a grid of pictures; down: {', '.join(rows)}; across: {', '.join(columns)}"
    return _table(table, titles, list(rows), height, alt)


def curves(
    lines: Mapping[str, tuple[Sequence[float], Sequence[float]]], x: str, y: str, *, log: bool = False, title: str = ""
) -> Plot:
    """Lines in one set of axes.

    Args:
        lines: name to ``(x values, y values)``.
        x, y: axis labels, with units.
        log: logarithmic y axis.
        title: above the axes.
    """
    figure, axes = _axes(x, y, title)
    for (name, (xs, ys)), color, dash in zip(lines.items(), COLORS, DASHES, strict=False):
        axes.plot(xs, ys, color=color, linestyle=dash, label=name, linewidth=1.8)
    if log:
        axes.set_yscale("log")
    axes.legend(frameon=False)
    ends = "; ".join(f"{name} ends at {ys[-1]:.3g}" for name, (_, ys) in lines.items())
    return Plot(figure, f"{y} against {x}: {ends}")


def trade_off(
    points: Mapping[str, tuple[float, float]], x: str = "content distance", y: str = "style distance", title: str = ""
) -> Plot:
    """Labeled points joined in order: what one quality costs in the other. Lower left is better.

    Args:
        points: label to ``(x, y)``.
        x, y: axis labels.
        title: above the axes.
    """
    figure, axes = _axes(x, y, title)
    xs, ys = zip(*points.values(), strict=True)
    axes.plot(xs, ys, "o-", color=COLORS[0])
    for label, point in points.items():
        axes.annotate(label, point, textcoords="offset points", xytext=(6, 6))
    axes.margins(0.12)
    listed = "; ".join(f"{label}: {px:.3g}, {py:.3g}" for label, (px, py) in points.items())
    return Plot(figure, f"{y} against {x}: {listed}")


def spread(groups: Mapping[str, Sequence[float]], y: str, title: str = "") -> Plot:
    """Single values of several groups as points, with their mean: how much repeated runs differ.

    Args:
        groups: name to values.
        y: axis label, with unit.
        title: above the axes.
    """
    figure, axes = _axes("", y, title)
    for position, ((_, values), color) in enumerate(zip(groups.items(), COLORS, strict=False)):
        offsets = np.linspace(-0.15, 0.15, len(values)) if len(values) > 1 else [0.0]
        axes.plot(position + np.asarray(offsets), values, "o", color=color, alpha=0.7)
        axes.plot([position - 0.25, position + 0.25], [np.mean(values)] * 2, color="black")
    axes.set_xticks(range(len(groups)), groups)
    axes.set_xlim(-0.6, len(groups) - 0.4)
    listed = "; ".join(f"{name}: {np.mean(v):.3g} ± {np.std(v):.2g}" for name, v in groups.items())
    return Plot(figure, f"{y} (points: runs, line: mean): {listed}")


def _table(table: Any, titles: Any, rows: list[str] | None, height: float, alt: str) -> Plot:
    shapes = [[np.shape(image)[:2] for image in row] for row in table]
    widths = [sum(w / h for h, w in row) for row in shapes]  # of each row at height 1
    height = min(height, (WIDTH - 0.12 * max(map(len, table))) / max(widths))
    line = 0.28  # a title's height in inches
    figure = Figure(figsize=(WIDTH, len(table) * (height + line)))
    top = len(table) * (height + line)
    for r, row in enumerate(table):
        left = 0.0
        bottom = (top - (r + 1) * (height + line)) / top
        for c, image in enumerate(row):
            wide = height * shapes[r][c][1] / shapes[r][c][0]
            axes = figure.add_axes((left / WIDTH, bottom, wide / WIDTH, height / top))
            image = np.asarray(image)
            gray: dict[str, Any] = {"cmap": "gray", "vmin": 0, "vmax": 1} if image.shape[-1] == 1 else {}
            axes.imshow(np.clip(image, 0, 1)[..., 0] if gray else np.clip(image, 0, 1), **gray)
            axes.set_xticks([])
            axes.set_yticks([])
            axes.set_frame_on(False)
            axes.set_title(titles[r][c], fontsize=10, pad=3)
            if rows and c == 0:
                axes.set_ylabel(rows[r], fontsize=10)
            left += wide + 0.08
    return Plot(figure, alt, photo=True)


def _axes(x: str, y: str, title: str) -> tuple[Figure, Any]:
    figure = Figure(figsize=(0.7 * WIDTH, 0.4 * WIDTH))
    axes = figure.add_subplot()
    axes.set(xlabel=x, ylabel=y, title=title)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes
