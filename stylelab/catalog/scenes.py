"""Scenes for cut-out products: a wall and a floor made of a painting or pattern, and the product's shadow on it.

The scene is what photographers hang up: a roll of printed paper that sweeps from the wall onto the floor without an
edge. The wall is out of focus and the floor pale, so that the product leads. The shares below were chosen by eye, on
16 products before 13 paintings and 9 patterns.
"""

from typing import Any

import numpy as np

from stylelab import images, samples
from stylelab.errors import SettingsError
from stylelab.stylizers import Style, Stylizer

FLOOR = 0.84  # of the frame's height: where a product's lowest point stands
HORIZON = 0.66  # where the paper bends from the wall to the floor
EYE = 0.36  # the height of the camera's eye, to which the floor's lines run
WORK = 768  # px: larger scenes are enlarged, since they are soft, and brush strokes keep their size in the frame
SHADOW = 512  # px: shadows are computed no larger, since they are soft, too
TILE = 300  # px of a picture for the frame's width, at least: smaller pictures, which are patterns, repeat mirrored


def backdrop(
    size: int,
    stylizer: Stylizer,
    style: Any,
    *,
    picture: np.ndarray | None = None,
    strength: float = 1.0,
    seed: int = 0,
) -> np.ndarray:
    """A scene to put a product into.

    The style's pictures (of several the weighted mean) become the paper, the method paints it, and light and lens come
    last. A style that its network knows by name only is painted onto the plain studio.

    Args:
        size: side of the square, at least 16 px.
        stylizer: any method.
        style: what the stylizer takes.
        picture: ``[h, w, 3]`` in 0..1 of any size, such as a pattern, in place of the style's pictures.
        strength: 0 (the plain :func:`studio`) to 1.
        seed: as of the stylizer.
    Returns:
        float32 ``[size, size, 3]`` in 0..1.
    Raises:
        SettingsError, ImageError: as the stylizer; a picture that is no image.
    """
    work = min(size, WORK)
    pictures, weights = _pictures(style) if picture is None else ([images.check(picture)], [1.0])
    plain = studio(work)
    paper = np.average([sweep(p, work) for p in pictures], axis=0, weights=weights) if pictures else plain
    # At strength 0 the method is asked all the same: it refuses a style that it does not know.
    painted = stylizer.stylize(paper[None], style, strength=strength, seed=seed)[0]
    scene = (1 - strength) * plain + strength * photographed(painted)
    return images.resize(np.asarray(scene, "float32"), size)


def sweep(picture: np.ndarray, size: int) -> np.ndarray:
    """The picture as paper on wall and floor, evenly lit and sharp: ``[size, size, 3]``.

    The wall shows the picture's middle, and the floor goes on from its lower edge upside down, so that nothing breaks
    at the bend. With the eye at height ``e`` and the bend at ``b``, the floor at ``y`` is ``(y - e) / (b - e)`` times
    as large as the wall (central projection of a plane), and its way from the bend is ``1 - (b - e) / (y - e)`` up to a
    factor, which says how steeply the camera looks down.
    """
    from scipy.ndimage import gaussian_filter, map_coordinates

    rim = [side // 33 for side in picture.shape[:2]]  # 3 %: scans have edges, which would be a line along the bend
    picture = picture[rim[0] : len(picture) - rim[0], rim[1] : picture.shape[1] - rim[1]]
    height, width = picture.shape[:2]
    rows = (np.arange(size) + 0.5) / size
    larger = np.where(rows > HORIZON, (rows - EYE) / (HORIZON - EYE), 1)
    along = np.where(rows > HORIZON, (FLOOR - EYE) * (1 - 1 / larger), rows - HORIZON)
    pixels = max(TILE, min(height / HORIZON, width))  # of the picture for the frame's width
    down = height / 2 + (along + HORIZON / 2) * pixels
    right = width / 2 + (rows - 0.5) * pixels / larger[:, None]
    # Blurred as much as it is shrunk, or fine lines would turn into moiré.
    blur = max(0.0, pixels / size - 1) / 2
    softened = gaussian_filter(picture, (blur, blur, 0), mode="mirror")
    places = np.broadcast_arrays(down[:, None] - 0.5, right - 0.5)
    return np.stack([map_coordinates(c, places, order=1, mode="reflect") for c in np.moveaxis(softened, -1, 0)], -1)


def photographed(paper: np.ndarray) -> np.ndarray:
    """The lit paper through a lens that is focused on the product: ``[S, S, 3]`` to the same."""
    from scipy.ndimage import gaussian_filter

    size = len(paper)
    y, x = ((side.astype("float32") / size)[..., None] for side in np.ogrid[0.5:size, 0.5:size])
    floor = _floor(y)
    # Blur of 0.8 % and 0.3 % of the frame; a part of the contrast goes, more of it on the floor, where shadows lie.
    wall, near = (gaussian_filter(paper, (blur * size, blur * size, 0), mode="nearest") for blur in (0.008, 0.003))
    tone = images.resize(images.resize(np.clip(paper, 0, 1), (6, 6)), size)
    scene = (1 - floor) * (0.78 * wall + 0.22 * tone) + floor * (0.5 * near + 0.5 * tone)
    scene = scene * (0.78 + 0.30 * np.exp(-((x - 0.5) ** 2 + (y - 0.5) ** 2) / 0.36))
    pool = 0.08 + 0.30 * np.exp(-(((x - 0.5) / 0.5) ** 2) - ((y - 0.88) / 0.16) ** 2)
    scene = scene + (1 - scene) * floor * pool
    return np.clip(scene * (1 - 0.1 * np.exp(-(((y - HORIZON) / 0.05) ** 2))), 0, 1).astype("float32")


def studio(size: int) -> np.ndarray:
    """The same studio with plain light gray paper: ``[size, size, 3]``."""
    return photographed(np.full((size, size, 3), 0.8, "float32"))


def shadow(mask: np.ndarray) -> np.ndarray:
    """How dark the shadow is that a product throws on the floor below and around it.

    Three parts, each blurred more and weaker than the one before: where the product touches the floor, just around it,
    and the daylight that it takes from the floor. The first two follow the mask's lower edge and fade with its height
    above the floor line; the lowest points of a neighborhood (a chair's hind legs, further back and so higher in the
    picture) fade later.

    Args:
        mask: ``[H, W, 1]``, 1 = product, which stands at ``FLOOR``.
    Returns:
        float32 ``[H, W, 1]`` in 0..1; 0 where no product is near the floor.
    """
    from scipy.ndimage import gaussian_filter, maximum_filter1d

    inside = images.resize(mask, min(SHADOW, max(mask.shape)))[..., 0] >= 0.5
    height = len(inside)
    below, rows = inside.any(0), np.arange(height)[:, None] / height
    lowest = np.where(below, (height - inside[::-1].argmax(0)) / height, -1.0)  # of each column, in frame heights
    above = np.maximum(FLOOR - lowest, 0)
    foot = below & (lowest >= maximum_filter1d(lowest, max(1, round(0.06 * height))) - 0.004)

    def cast(weight: np.ndarray, line: np.ndarray | float, thick: float, blur: tuple[float, float]) -> np.ndarray:
        strip = (rows > line - thick) & (rows <= line + thick)
        return gaussian_filter((np.where(below, weight, 0) * strip).astype("float32"), [b * height for b in blur])

    touching = np.maximum(np.exp(-above / 0.02), foot * np.exp(-((above / 0.12) ** 2)))
    contact = np.minimum(1.5 * cast(touching, lowest, 0.006, (0.004, 0.006)), 1)
    around = np.minimum(1.6 * cast(np.maximum(touching, np.exp(-above / 0.06)), lowest, 0.014, (0.012, 0.024)), 1)
    daylight = np.minimum(1.3 * cast(np.exp(-above / 0.3), FLOOR - 0.015, 0.035, (0.026, 0.07)), 1)
    light = (1 - 0.7 * contact) * (1 - 0.5 * around) * (1 - 0.55 * daylight)
    return images.resize((1 - light)[..., None], mask.shape[:2])


def _floor(y: np.ndarray) -> np.ndarray:
    """0 on the wall, 1 on the floor, smooth over the bend's 14 % of the frame."""
    t = np.clip((y - HORIZON) / 0.14 + 0.5, 0, 1)
    return t * t * (3 - 2 * t)


def _pictures(style: Any) -> tuple[list[np.ndarray], list[float]]:
    """The style's pictures and weights; none when they are known to a network by name only."""
    try:
        style = Style.of(style)
        return list(style.pictures or [samples.load(name) for name in style.names]), list(style.weights)
    except SettingsError:
        return [], []
