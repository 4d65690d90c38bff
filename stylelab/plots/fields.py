"""Numbers over a plane: loss surfaces with the path of a descent, and matrices."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator

from ..errors import SettingsError
from .figure import COLORS, LETTER, LINE, WIDTH, Plot, short, wrapped


def surface(
    z: Any,
    x: Any,
    y: Any,
    labels: tuple[str, str] = ("x", "y"),
    *,
    value: str = "loss",
    path: Any = None,
    log: bool = False,
    title: str = "",
) -> Plot:
    """A function of two numbers as filled contours, darker where it is lower, and the path that a descent took on it.

    Args:
        z: ``[len(y), len(x)]``: row i, column j is the value at ``(x[j], y[i])``, as ``np.meshgrid(x, y)`` lays it out.
        x, y: the two coordinates, rising.
        labels: of the two axes.
        value: what z is, beside the color scale.
        path: ``[N, 2]`` points ``(x, y)`` in order; what lies outside the axes is not shown.
        log: logarithmic color scale; z must then be positive.
        title: above the axes.
    Raises:
        SettingsError: shapes that do not fit, values that are not finite, or not positive under ``log``.
    """
    z, x, y = _numbers(z, "surface", 2), _numbers(x, "x axis", 1), _numbers(y, "y axis", 1)
    if z.shape != (len(y), len(x)) or min(z.shape) < 2:
        raise SettingsError(
            f"A surface over {len(x)} values of x and {len(y)} of y needs the shape ({len(y)}, {len(x)}), at least "
            f"(2, 2), not {z.shape}."
        )
    if log and z.min() <= 0:
        raise SettingsError(f"A logarithmic surface needs positive values, not {z.min():.3g}; leave log out.")
    figure = Figure(figsize=(0.7 * WIDTH, 0.5 * WIDTH))
    axes = figure.add_subplot()
    low, high = z.min(), z.max()
    if high - low <= 1e-12 * abs(high):  # flat: a scale around the one value
        low, high = (low / 10, high * 10) if log else (low - 1, high + 1)
    levels = np.geomspace(low, high, 25) if log else MaxNLocator(20).tick_values(low, high)
    drawn = axes.contourf(x, y, z, levels, cmap="viridis", norm=LogNorm(low, high) if log else None)
    axes.contour(x, y, z, levels[::2], colors="white", linewidths=0.4, alpha=0.5)
    bar = figure.colorbar(drawn, ax=axes, label=value)
    if log:
        bar.ax.minorticks_off()
        bar.set_ticks(list(levels[::4]), labels=[short(level) for level in levels[::4]])
    axes.set(xlabel=labels[0], ylabel=labels[1], title=title)
    alt = f"{value} over {labels[0]} and {labels[1]}, from {short(z.min())} to {short(z.max())}"
    if path is not None:
        path = _numbers(path, "path", 2)
        if path.shape[1] != 2:
            raise SettingsError(f"A path needs points (x, y) in the shape [N, 2], not {path.shape}.")
        halo: dict[str, Any] = {"path_effects": [withStroke(linewidth=3.5, foreground="black")]}
        axes.plot(*path.T, "-", color="white", linewidth=1.6, **halo)
        ends: dict[str, Any] = {"linestyle": "", "markeredgecolor": "black"}
        axes.plot(*path[0], marker="o", markersize=9, color=COLORS[5], label="start", **ends)
        axes.plot(*path[-1], marker="*", markersize=15, color=COLORS[1], label="end", **ends)
        axes.legend(framealpha=0.9)
        axes.set(xlim=(x.min(), x.max()), ylim=(y.min(), y.max()))
        alt += f"; a path of {len(path)} points from ({path[0, 0]:.3g}, {path[0, 1]:.3g})"
        alt += f" to ({path[-1, 0]:.3g}, {path[-1, 1]:.3g})"
    return Plot(figure, alt)


def matrix(
    m: Any,
    title: str = "",
    *,
    value: str = "",
    rows: Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
) -> Plot:
    """A matrix as a heat map: Gram matrices, or a small table, whose cells then hold their numbers.

    Not negative values go from dark to light; with both signs white is 0, blue below, red above. The scale leaves out
    the outermost half percent at each end, since a Gram matrix's few largest entries would leave the rest black.

    Args:
        m: ``[R, C]``.
        title: above it.
        value: what the numbers are, beside the color scale.
        rows, columns: labels; without them, indices.
    Raises:
        SettingsError: no matrix, values that are not finite, or not one label for each row and column.
    """
    m = _numbers(m, "matrix", 2)
    for size, names, kind in ((m.shape[0], rows, "row"), (m.shape[1], columns, "column")):
        if names is not None and len(names) != size:
            raise SettingsError(f"A matrix with {size} {kind}s cannot have {len(names)} {kind} labels; give one each.")
    low = np.percentile(m, 0.5, method="lower")  # of few numbers, the outermost themselves
    high = np.percentile(m, 99.5, method="higher")
    signed = low < 0 < high
    if signed:
        low, high = -max(-low, high), max(-low, high)
    across, down = min(0.62, 6.3 / m.shape[1]), min(0.62, 4.2 / m.shape[0])  # of a cell, in inches
    if m.shape[0] == m.shape[1]:
        across = down = min(across, down)
    if rows is not None:
        down = max(down, LINE)
    figure = Figure(figsize=(m.shape[1] * across + 1.6, m.shape[0] * down + 0.8))
    axes = figure.add_subplot()
    colors: dict[str, Any] = {"cmap": "RdBu_r" if signed else "viridis", "vmin": low, "vmax": high}
    drawn = axes.imshow(m, aspect="auto", interpolation="nearest", **colors)
    below, above = m.min() < low, m.max() > high
    extend = "both" if below and above else "min" if below else "max" if above else "neither"
    figure.colorbar(drawn, ax=axes, label=value, extend=extend)
    axes.set_title(wrapped(title, figure.get_figwidth()))
    _ticks(axes.yaxis, len(m), rows)
    _ticks(axes.xaxis, m.shape[1], columns)
    if columns is not None and max(map(len, columns)) * LETTER > across:
        turned: dict[str, Any] = {"rotation": 30, "ha": "right"} if across > 2 * LINE else {"rotation": 90}
        axes.set_xticks(range(len(columns)), columns, **turned)
    if m.size <= 64 and across > 0.5:
        for (i, j), number in np.ndenumerate(m):
            red, green, blue, _ = drawn.to_rgba(number)
            ink = "black" if 0.3 * red + 0.59 * green + 0.11 * blue > 0.5 else "white"
            axes.text(j, i, f"{number:.2g}", ha="center", va="center", color=ink, fontsize=min(9, 55 * down))
    alt = f"{title or 'a matrix'}, {m.shape[0]} rows and {m.shape[1]} columns, {short(m.min())} to {short(m.max())}"
    return Plot(figure, alt)


def _ticks(axis: Any, count: int, names: Sequence[str] | None) -> None:
    """A name at each cell, or else about eight indices."""
    if names is None:
        axis.set_ticks(range(0, count, -(-count // 8)))
    else:
        axis.set_ticks(range(count), names)


def _numbers(values: Any, name: str, rank: int) -> np.ndarray:
    """The values in float64, or the reason why they cannot be drawn."""
    values = np.asarray(values, "float64")
    if values.ndim != rank or 0 in values.shape:
        raise SettingsError(f"A {name} needs {rank} axes of at least one number each, not the shape {values.shape}.")
    if not np.isfinite(values).all():
        raise SettingsError(f"The {name} has values that are not finite; leave them out.")
    return values
