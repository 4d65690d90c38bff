"""Every figure that more than one notebook draws: pictures side by side, curves, trade-offs, spread.

A function returns a :class:`Plot`: as a cell's last expression it shows itself (JPEG for pictures, PNG for
lines, about 30 kB), and its text form says in words what it shows, for readers who do not see it.
"""

import base64
import io
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from .errors import ImageError, SettingsError

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
    Raises:
        ImageError: no picture, or an array that is none.
    """
    if not pictures:
        raise ImageError("There is nothing to compare; give at least one picture.")
    columns = columns or min(len(pictures), 5)
    titles = list(pictures)
    rows = [titles[k : k + columns] for k in range(0, len(titles), columns)]
    table = [[_picture(pictures[title], title) for title in row] for row in rows]
    shares = [[_aspect(image) for image in row] for row in table]
    return _table(table, shares, rows, [], height, f"side by side: {', '.join(titles)}")


def grid(table: Sequence[Sequence[Any]], rows: Sequence[str], columns: Sequence[str], height: float = 1.9) -> Plot:
    """A table of pictures: one thing varies down, another across.

    Args:
        table: rows of images ``[H, W, 3]`` in 0..1.
        rows, columns: their labels.
        height: of a row in inches, at most.
    Raises:
        ImageError: no picture, or an array that is none.
        SettingsError: not one label for each row and column.
    """
    if not rows or not columns:
        raise ImageError("There is nothing to show in a grid; give at least one row of pictures.")
    if len(table) != len(rows) or any(len(row) != len(columns) for row in table):
        lengths = ", ".join(str(len(row)) for row in table)
        raise SettingsError(
            f"A grid with {len(rows)} row and {len(columns)} column labels cannot hold rows of {lengths} pictures; "
            f"give one label each."
        )
    pictures = [
        [_picture(image, f"{down}, {across}") for image, across in zip(row, columns, strict=True)]
        for row, down in zip(table, rows, strict=True)
    ]
    widest = [max(map(_aspect, column)) for column in zip(*pictures, strict=True)]
    titles = [list(columns)] + [[""] * len(columns)] * (len(rows) - 1)
    alt = f"a grid of pictures; down: {', '.join(rows)}; across: {', '.join(columns)}"
    return _table(pictures, [widest] * len(rows), titles, list(rows), height, alt)


def curves(
    lines: Mapping[str, tuple[Sequence[float], Sequence[float]]], x: str, y: str, *, log: bool = False, title: str = ""
) -> Plot:
    """Lines in one set of axes.

    Args:
        lines: name to ``(x values, y values)``.
        x, y: axis labels, with units.
        log: logarithmic y axis.
        title: above the axes.
    Raises:
        SettingsError: no line, or one without values.
    """
    _something(lines, [ys for _, ys in lines.values()])
    figure, axes = _axes(x, y, title)
    for k, (name, (xs, ys)) in enumerate(lines.items()):
        dash = DASHES[(k + k // len(COLORS)) % len(DASHES)]  # the eighth line has the first's color in another dash
        axes.plot(xs, ys, color=COLORS[k % len(COLORS)], linestyle=dash, label=name, linewidth=1.8)
    if log:
        axes.set_yscale("log")
    beside = {"loc": "center left", "bbox_to_anchor": (1, 0.5)} if len(lines) > 5 else {}
    axes.legend(frameon=False, **beside)
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
    Raises:
        SettingsError: no point.
    """
    _something(points)
    figure, axes = _axes(x, y, title)
    xs, ys = zip(*points.values(), strict=True)
    axes.plot(xs, ys, "o-", color=COLORS[0])
    axes.margins(0.12)
    _label(figure, axes, points)
    listed = "; ".join(f"{label}: {px:.3g}, {py:.3g}" for label, (px, py) in points.items())
    return Plot(figure, f"{y} against {x}: {listed}")


def spread(groups: Mapping[str, Sequence[float]], y: str, title: str = "") -> Plot:
    """Single values of several groups as points, with their mean: how much repeated runs differ.

    Args:
        groups: name to values.
        y: axis label, with unit.
        title: above the axes.
    Raises:
        SettingsError: no group, or one without values.
    """
    _something(groups, groups.values())
    figure, axes = _axes("", y, title)
    for position, ((_, values), color) in enumerate(zip(groups.items(), cycle(COLORS), strict=False)):
        offsets = np.linspace(-0.15, 0.15, len(values)) if len(values) > 1 else [0.0]
        axes.plot(position + np.asarray(offsets), values, "o", color=color, alpha=0.7)
        axes.plot([position - 0.25, position + 0.25], [np.mean(values)] * 2, color="black")
    axes.set_xticks(range(len(groups)), [_wrapped(name, 0.5 * WIDTH / len(groups)) for name in groups])
    axes.set_xlim(-0.6, len(groups) - 0.4)
    listed = "; ".join(f"{name}: {np.mean(v):.3g} ± {np.std(v):.2g}" for name, v in groups.items())
    return Plot(figure, f"{y} (points: runs, line: mean): {listed}")


def _table(
    table: list[list[np.ndarray]],
    shares: list[list[float]],
    titles: list[list[str]],
    labels: list[str],
    height: float,
    alt: str,
) -> Plot:
    """Rows of pictures, all of one height, each in the middle of its cell.

    Args:
        shares: widths of the cells at height 1.
        titles: one per picture, above it.
        labels: one per row, at its left; none when empty.
    """
    widest = max(sum(row) for row in shares)
    height = min(height, (WIDTH - GAP * max(map(len, table))) / widest)
    titles = [[_wrapped(t, height * s) for t, s in zip(*row, strict=True)] for row in zip(titles, shares, strict=True)]
    # A title needs room only where there is one.
    above = [LINE * max(title.count("\n") + 1 if title else 0 for title in row) + GAP for row in titles]
    figure = Figure(figsize=(WIDTH, sum(above) + len(table) * height))
    bottom = figure.get_figheight()
    for r, row in enumerate(table):
        bottom -= above[r] + height
        left = 0.0
        for c, image in enumerate(row):
            cell, wide = height * shares[r][c], height * _aspect(image)
            place = np.array([left + (cell - wide) / 2, bottom, wide, height])
            axes = figure.add_axes(tuple(place / np.tile(figure.get_size_inches(), 2)))
            gray: dict[str, Any] = {"cmap": "gray", "vmin": 0, "vmax": 1} if image.shape[-1] == 1 else {}
            axes.imshow(image[..., 0] if gray else image, aspect="auto", **gray)
            axes.set_xticks([])
            axes.set_yticks([])
            axes.set_frame_on(False)
            axes.set_title(titles[r][c], fontsize=10, pad=3)
            if labels and c == 0:
                figure.text(
                    -GAP / WIDTH,
                    (bottom + height / 2) / figure.get_figheight(),
                    _wrapped(labels[r], height),
                    rotation=90,
                    ha="right",
                    va="center",
                    fontsize=10,
                )
            left += cell + GAP
    return Plot(figure, alt, photo=True)


def _picture(image: Any, title: str) -> np.ndarray:
    """The image clipped to 0..1 (feature maps are shown too), or the reason why it is none."""
    image = np.asarray(image)
    if image.ndim != 3 or image.shape[-1] not in (1, 3) or 0 in image.shape:
        raise ImageError(f"Picture {title!r} has the shape {image.shape}; give [H, W, 3] or [H, W, 1].")
    if image.dtype.kind in "iu" and image.max() > 1:
        raise ImageError(f"Picture {title!r} has values up to {image.max()}; divide it by 255.")
    return np.clip(image.astype("float32"), 0, 1)


def _aspect(image: np.ndarray) -> float:
    return image.shape[1] / image.shape[0]


def _wrapped(text: str, width: float) -> str:
    """The text in lines of ``width`` inches, at least eight letters."""
    return "\n".join(textwrap.wrap(text, max(8, int(width / LETTER))))


def _something(things: Mapping[str, Any], values: Iterable[Sequence[float]] = ()) -> None:
    if not things or any(len(v) == 0 for v in values):
        raise SettingsError("There is nothing to draw; give at least one name with its values.")


def _label(figure: Figure, axes: Any, points: Mapping[str, tuple[float, float]]) -> None:
    """Writes each label beside its point, at the first of some places where it covers no label and no point."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw(renderer)  # sets the limits of the axes, so the places of the points
    dots = axes.transData.transform(list(points.values()))
    halo: dict[str, Any] = {"path_effects": [withStroke(linewidth=3, foreground="white")]}  # lines run under the text
    taken: list[Any] = []
    for label, point in points.items():
        for side, x, y in [("left", 6, 6), ("left", 6, -14), ("right", -6, -14), ("right", -6, 6), ("left", 6, 20)]:
            text = axes.annotate(label, point, textcoords="offset points", xytext=(x, y), ha=side, **halo)
            box = text.get_window_extent(renderer)
            if not box.count_contains(dots) and not box.count_overlaps(taken):
                break
            text.remove()
        else:
            text = axes.annotate(label, point, textcoords="offset points", xytext=(6, 6), **halo)
            box = text.get_window_extent(renderer)
        taken.append(box)


def _axes(x: str, y: str, title: str) -> tuple[Figure, Any]:
    figure = Figure(figsize=(0.7 * WIDTH, 0.4 * WIDTH))
    axes = figure.add_subplot()
    axes.set(xlabel=x, ylabel=y, title=title)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes
