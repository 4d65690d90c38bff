"""Numbers in axes: curves, trade-offs, spread, gradient checks."""

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from ..errors import SettingsError
from .figure import COLORS, DASHES, WIDTH, Plot, require_something, wrapped


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
    require_something(lines, [ys for _, ys in lines.values()])
    figure, axes = _axes(x, y, title)
    for k, (name, (xs, ys)) in enumerate(lines.items()):
        axes.plot(xs, ys, **_look(k), label=name)
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
    require_something(points)
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
    require_something(groups, groups.values())
    figure, axes = _axes("", y, title)
    for position, ((_, values), color) in enumerate(zip(groups.items(), cycle(COLORS), strict=False)):
        offsets = np.linspace(-0.15, 0.15, len(values)) if len(values) > 1 else [0.0]
        axes.plot(position + np.asarray(offsets), values, "o", color=color, alpha=0.7)
        axes.plot([position - 0.25, position + 0.25], [np.mean(values)] * 2, color="black")
    axes.set_xticks(range(len(groups)), [wrapped(name, 0.5 * WIDTH / len(groups)) for name in groups])
    axes.set_xlim(-0.6, len(groups) - 0.4)
    listed = "; ".join(f"{name}: {np.mean(v):.3g} ± {np.std(v):.2g}" for name, v in groups.items())
    return Plot(figure, f"{y} (points: runs, line: mean): {listed}")


def gradient_check(steps: Sequence[float], errors: Any, title: str = "") -> Plot:
    """The relative error of finite differences over their step, both logarithmic, with each curve's best step marked.

    At the right the error falls with the step (truncation), at the left it rises again (rounding).

    Args:
        steps: positive.
        errors: one for each step, or a name to such a sequence; 0 is drawn as 1e-17.
        title: above the axes.
    Raises:
        SettingsError: nothing to draw, lengths that differ, or values that have no place on logarithmic axes.
    """
    named = dict(errors) if isinstance(errors, Mapping) else {"gradient": errors}
    require_something(named, [steps, *named.values()])
    h = np.asarray(steps, "float64")
    lines = {name: np.maximum(np.asarray(values, "float64"), 1e-17) for name, values in named.items()}
    for name, values in lines.items():
        if values.shape != h.shape or not (h > 0).all() or not np.isfinite([h, values]).all():
            raise SettingsError(
                f"The gradient check {name!r} needs positive steps and one finite error for each; leave others out."
            )
    figure, axes = _axes("step h", "relative error", title)
    axes.set(xscale="log", yscale="log")
    best = []
    for k, (name, values) in enumerate(lines.items()):
        look = _look(k)
        at = int(values.argmin())
        best.append(f"{name}: best {values[at]:.1e} at h = {h[at]:.1e}")
        axes.plot(h, values, **look, label=best[-1])
        axes.plot(h[at], values[at], "o", markersize=9, markerfacecolor="white", markeredgecolor=look["color"])
    axes.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.15))
    return Plot(figure, f"relative error of finite differences against the step; {'; '.join(best)}")


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


def _look(k: int) -> dict[str, Any]:
    """Of the k-th line: the eighth has the first's color in another dash."""
    dash = DASHES[(k + k // len(COLORS)) % len(DASHES)]
    return {"color": COLORS[k % len(COLORS)], "linestyle": dash, "linewidth": 1.8}
