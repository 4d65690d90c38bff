"""Every figure that more than one notebook draws: pictures, feature maps, curves, trade-offs, loss surfaces, matrices.

A function returns a :class:`Plot`: as a cell's last expression it shows itself (JPEG for pictures, PNG for
lines, about 30 kB), and its text form says in words what it shows, for readers who do not see it.
"""

from .fields import matrix, surface
from .figure import COLORS, DASHES, WIDTH, Plot
from .lines import curves, gradient_check, spread, trade_off
from .pictures import compare, feature_maps, filters, grid

__all__ = [
    "COLORS",
    "DASHES",
    "WIDTH",
    "Plot",
    "compare",
    "curves",
    "feature_maps",
    "filters",
    "gradient_check",
    "grid",
    "matrix",
    "spread",
    "surface",
    "trade_off",
]
