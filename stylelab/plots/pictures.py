"""Pictures side by side and in tables: photos, results, feature maps, filters."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from ..errors import ImageError, SettingsError
from .figure import GAP, LINE, WIDTH, Plot, short, wrapped


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


def feature_maps(
    features: Any, count: int = 12, *, channels: Sequence[int] | None = None, columns: int = 6, height: float = 1.9
) -> Plot:
    """Channels of one layer as gray pictures, each in its own scale, which stands above it with its number.

    Black is the channel's 1st, white its 99th percentile, so that one peak does not leave the rest black.

    Args:
        features: ``[H, W, C]``, of one picture.
        count: how many to show: those with the largest mean square, strongest first.
        channels: indices to show in this order, in place of the strongest.
        columns: per row.
        height: of a row in inches, at most.
    Raises:
        ImageError: no feature map, or values that are not finite.
        SettingsError: no channel to show, or one that does not exist.
    """
    features = np.asarray(features, "float32")
    if features.ndim != 3 or 0 in features.shape:
        raise ImageError(f"Feature maps need the shape [H, W, C], not {features.shape}; give one picture's: f[0].")
    if not np.isfinite(features).all():
        raise ImageError("The feature maps have values that are not finite; look for the layer where they begin.")
    available = features.shape[-1]
    strongest = np.argsort(-np.square(features, dtype="float64").mean((0, 1)), kind="stable")
    chosen = [int(channel) for channel in (strongest[: max(0, count)] if channels is None else channels)]
    if not chosen or columns < 1 or not all(0 <= channel < available for channel in chosen):
        raise SettingsError(f"Feature maps need at least one channel between 0 and {available - 1} and one column.")
    tiles, titles = [], []
    for channel in chosen:
        low, high = np.percentile(features[..., channel], (1, 99))
        if low == high:  # at most a few positions differ
            low, high = features[..., channel].min(), features[..., channel].max()
        tiles.append(_picture((features[..., channel : channel + 1] - low) / max(high - low, 1e-30), str(channel)))
        titles.append(f"#{channel}: {short(low)} to {short(high)}")
    cut = range(0, len(tiles), columns)
    table, names = [tiles[k : k + columns] for k in cut], [titles[k : k + columns] for k in cut]
    listed = ", ".join(map(str, chosen))
    order = "strongest first" if channels is None else "as asked for"
    shares = [[_aspect(tile) for tile in row] for row in table]
    return _table(table, shares, names, [], height, f"feature maps of channels {listed} of {available}, {order}")


def filters(kernel: Any, columns: int = 16) -> Plot:
    """The filters of a first convolution as small color pictures, in rows; gray is 0, each in its own scale.

    Args:
        kernel: ``[h, w, 3, N]``, red first. Keras's VGG and ResNet take blue first: give ``kernel[:, :, ::-1]``.
        columns: per row.
    Raises:
        ImageError: no such kernel, or values that are not finite.
    """
    kernel = np.asarray(kernel, "float32")
    if kernel.ndim != 4 or kernel.shape[2] != 3 or 0 in kernel.shape:
        raise ImageError(f"Filters in color need the shape [h, w, 3, N], not {kernel.shape}; give a first layer's.")
    if not np.isfinite(kernel).all():
        raise ImageError("The filters have values that are not finite; give a trained layer's.")
    high, wide, _, count = kernel.shape
    columns = min(max(1, columns), count)
    rows = -(-count // columns)
    dots = max(1, 48 // max(high, wide))  # a weight is a square of so many; filters are 4 apart
    canvas = np.ones((rows * (high * dots + 4) - 4, columns * (wide * dots + 4) - 4, 3), "float32")
    for k in range(count):
        shown = 0.5 + 0.5 * kernel[..., k] / max(float(np.abs(kernel[..., k]).max()), 1e-30)
        top, left = k // columns * (high * dots + 4), k % columns * (wide * dots + 4)
        canvas[top : top + high * dots, left : left + wide * dots] = shown.repeat(dots, 0).repeat(dots, 1)
    size = rows * min(0.55, WIDTH / columns)
    alt = f"{count} filters of {wide}x{high} pixels in color, {columns} in a row; gray is 0"
    return _table([[canvas]], [[_aspect(canvas)]], [[""]], [], size, alt, photo=False)


def _table(
    table: list[list[np.ndarray]],
    shares: list[list[float]],
    titles: list[list[str]],
    labels: list[str],
    height: float,
    alt: str,
    photo: bool = True,
) -> Plot:
    """Rows of pictures, all of one height, each in the middle of its cell.

    Args:
        shares: widths of the cells at height 1.
        titles: one per picture, above it.
        labels: one per row, at its left; none when empty.
    """
    widest = max(sum(row) for row in shares)
    height = min(height, (WIDTH - GAP * max(map(len, table))) / widest)
    titles = [[wrapped(t, height * s) for t, s in zip(*row, strict=True)] for row in zip(titles, shares, strict=True)]
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
                    wrapped(labels[r], height),
                    rotation=90,
                    ha="right",
                    va="center",
                    fontsize=10,
                )
            left += cell + GAP
    return Plot(figure, alt, photo)


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
