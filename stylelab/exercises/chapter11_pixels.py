"""Exercises of chapter 11: a product kept bit by bit, a cut-out made smaller, and what a cut through a photo costs."""

from typing import Any

import numpy as np

from stylelab.exercises import Exercise, register
from stylelab.exercises.attempt import Attempt, array, compare

NAME = "your picture"

# keep-core


def keep(photo: Any, styled: Any, depth: Any) -> Any:
    """The photo inside, the styled picture outside, and between them a ring of 2 px: 1/3 and 2/3 of the photo."""
    weight = np.clip(depth / 3, 0, 1)
    return weight * photo + (1 - weight) * styled


_WEIGHT, _BLEND = "np.clip(depth / 3, 0, 1)", "weight * photo + (1 - weight) * styled"
_ROUNDED = (
    "all is right but the last bit: where the weight is 1, your result is the photo only up to rounding. Of the forms "
    "of a blend, weight * photo + (1 - weight) * styled is the one that is exact there."
)
_GRID = (
    "you round to 255 levels, and a 16-bit photo would lose its product's pixels; leave the rounding to whoever "
    "writes the file."
)
KEEP_MISTAKES = (
    (_BLEND, "styled + weight * (photo - styled)", _ROUNDED),
    (_BLEND, f"np.round(({_BLEND}) * 255) / 255", _GRID),
    (_BLEND, "weight * styled + (1 - weight) * photo", "photo and styled have changed places: the product is painted."),
    (_BLEND, "weight * photo", "the ground is black: the styled picture's share, 1 - weight, is missing."),
    (_BLEND, "weight * photo + styled", "the styled picture shines through the product: it counts with 1 - weight."),
    (_BLEND, "(photo + styled) / 2", "you take the mean everywhere; how much the photo counts depends on the depth."),
    (_BLEND, "photo", "you return the photo as it was."),
    (_BLEND, "styled", "you return the styled picture as it was."),
    (
        _WEIGHT,
        "np.clip(depth, 0, 1)",
        "there is no ring: the weight goes from 0 to 1 in one step, as if cut by scissors.",
    ),
    (_WEIGHT, "np.clip(depth / 2, 0, 1)", "your ring is 1 px wide: at depth 2 the weight is 1 already; wanted is 2/3."),
    (_WEIGHT, "np.clip(depth / 4, 0, 1)", "your ring is 3 px wide: from depth 3 on the product is the photo's."),
    (
        _WEIGHT,
        "np.clip((depth - 1) / 2, 0, 1)",
        "the outermost pixels of the product are all styled: at depth 1 the weight is 1/3.",
    ),
    (_WEIGHT, "depth / 3", "the weight rises past 1: clip it."),
    (
        _WEIGHT,
        "depth / np.max(depth)",
        "the ring reaches to the middle of the product: the weight is 1 from depth 3 on, wherever the middle is.",
    ),
    (
        _WEIGHT,
        "np.clip(depth / 3, 0, 1) ** 2",
        "the steps are not equal: at depth 1 and 2 the weights are 1/3 and 2/3.",
    ),
)


def _scene(seed: int, height: int = 12, width: int = 15) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two pictures that no grid of levels holds, and the depths of a rectangle: 0 outside, 1 at its edge, ..."""
    rng = np.random.default_rng(seed)
    photo, styled = (rng.random((height, width, 3), "float32") for _ in range(2))
    rows, columns = np.mgrid[:height, :width]
    depth = np.minimum(np.minimum(rows - 1, height - 1 - rows), np.minimum(columns - 1, width - 1 - columns))
    return photo, styled, np.maximum(depth, 0)[..., None]


def _picture_of(shape: tuple[int, ...]) -> Any:
    return lambda value: {NAME: array(value, NAME, shape)}


def _keep_formula(attempt: Attempt) -> str | None:
    args = _scene(1)
    said = compare(attempt, args, keep, KEEP_MISTAKES, _picture_of(args[0].shape))
    if said or np.array_equal(np.asarray(attempt(*args))[args[2][..., 0] == 0], args[1][args[2][..., 0] == 0]):
        return said
    return "outside the product, at depth 0, your result is the styled picture only up to rounding."


def _keep_bits(attempt: Attempt) -> str | None:
    """The core is the photo's to the last bit, for a photo and a painting that differ in size of their numbers."""
    photo, styled, depth = _scene(2)
    photo = photo / np.float32(7)
    core = depth[..., 0] >= 3
    got = array(attempt(photo, styled, depth), NAME, photo.shape)
    return None if np.array_equal(got[core], photo[core].astype("float64")) else _ROUNDED


def _keep_everything(attempt: Attempt) -> str | None:
    """A product that fills the frame, and none at all."""
    photo, styled, depth = _scene(3)
    for name, level, wanted in (("everywhere at depth 9", 9, photo), ("nowhere", 0, styled)):
        got = array(attempt(photo, styled, np.full_like(depth, level)), NAME, photo.shape)
        if not np.array_equal(got, wanted.astype("float64")):
            return f"if the product is {name}, the result is the {'photo' if level else 'styled picture'} itself."
    return None


register(
    Exercise(
        name="keep-core",
        chapter="11",
        task="Write keep(photo, styled, depth) for two pictures [H, W, 3] and the depth [H, W, 1] of each pixel in "
        "the product (0 outside, 1 at its edge, then 2, 3, ...): the photo, bit by bit, from depth 3 on, the styled "
        "picture outside, and a linear ring of 2 px between.",
        hints=(
            "First the weight of the photo: 0 at depth 0, 1 from depth 3 on, and equal steps between.",
            "weight = np.clip(depth / 3, 0, 1). Now blend, so that weight 1 gives the photo's very bits.",
            "weight * photo + (1 - weight) * styled: 1 * x + 0 * y is x, while y + 1 * (x - y) is rounded twice.",
        ),
        checks=(_keep_formula, _keep_bits, _keep_everything),
        right="bit by bit. A test can now say 0 where a promise says nearly.",
        answer=keep,
        mistakes=KEEP_MISTAKES,
    )
)

# visible-mean


def shrink(rgb: Any, alpha: Any, k: int) -> Any:
    """A cut-out made k times smaller, each pixel counting by its alpha: ``mean(a c) / mean(a)`` over blocks."""

    def mean(x: Any) -> Any:
        return x.reshape(x.shape[0] // k, k, x.shape[1] // k, k, -1).mean((1, 3))

    small = mean(alpha)
    return mean(alpha * rgb) / np.maximum(small, 1e-6), small


_COLORS, _SMALL = "mean(alpha * rgb) / np.maximum(small, 1e-6)", "small = mean(alpha)"
SHRINK_MISTAKES = (
    (
        _COLORS,
        "mean(rgb)",
        "what nobody sees counts as much as the product: that is the halo. Weight each pixel by alpha.",
    ),
    (_COLORS, "mean(alpha * rgb)", "the edge is too dark: divide by the mean of alpha, or it is laid over black."),
    (_COLORS, "mean(rgb) * small", "you weight the block's mean and not its pixels: alpha goes inside the mean."),
    (_COLORS, "mean(rgb) / np.maximum(small, 1e-6)", "alpha is divided by and never multiplied with."),
    (
        _COLORS,
        "mean(alpha**2 * rgb) / np.maximum(mean(alpha**2), 1e-6)",
        "alpha counts twice: its square is no share of a pixel.",
    ),
    (
        _COLORS,
        "mean((alpha > 0) * rgb) / np.maximum(mean(alpha > 0), 1e-6)",
        "a pixel that is nearly transparent counts in full; weight it by alpha itself.",
    ),
    (
        _COLORS,
        "mean((alpha >= 0.5) * rgb) / np.maximum(mean(alpha >= 0.5), 1e-6)",
        "you count pixels as in or out; weight them by alpha itself.",
    ),
    (_COLORS, "mean(alpha * rgb + 1 - alpha)", "you lay it over white: the halo of every shop with a colored page."),
    (_COLORS, "rgb[::k, ::k]", "you keep one pixel of each block: the others are lost, and edges get steps."),
    (
        _SMALL,
        "small = alpha[::k, ::k]",
        "alpha is picked from one pixel of each block; it is a mean, as the colors are.",
    ),
    (
        _SMALL,
        "small = (mean(alpha) >= 0.5).astype(float)",
        "alpha is cut to 0 or 1: the soft edge, and with it the antialiasing, is gone.",
    ),
    (_SMALL, "small = mean(alpha) * k * k", "alpha is summed over the block; the mean stays in 0..1."),
)


def _cut_out(seed: int, blocks: tuple[int, int], k: int) -> tuple[np.ndarray, np.ndarray]:
    """Colors everywhere, and an alpha with soft, clear and full pixels in every block."""
    rng = np.random.default_rng(seed)
    shape = (blocks[0] * k, blocks[1] * k)
    alpha = np.clip(rng.normal(0.5, 0.5, (*shape, 1)), 0, 1)
    alpha[::k, ::k] = 0.3
    alpha[1::k, ::k] = 0.8
    return rng.random((*shape, 3)), alpha


def _shrunk(blocks: tuple[int, int]) -> Any:
    def parts(value: Any) -> dict[str, np.ndarray]:
        if not isinstance(value, tuple | list) or len(value) != 2:
            return {"what you return": array(value, "what you return, a pair of rgb and alpha,", (2,))}
        return {"alpha": array(value[1], "alpha", (*blocks, 1)), "rgb": array(value[0], "rgb", (*blocks, 3))}

    return parts


def _shrink_formula(attempt: Attempt) -> str | None:
    for k, blocks in ((4, (3, 5)), (2, (4, 3))):
        said = compare(attempt, (*_cut_out(k, blocks, k), k), shrink, SHRINK_MISTAKES, _shrunk(blocks))
        if said:
            return said
    return None


def _shrink_ignores_what_is_hidden(attempt: Attempt) -> str | None:
    """The invariant: other colors under alpha 0 change nothing that can be seen."""
    rgb, alpha = _cut_out(5, (4, 4), 3)
    alpha[rgb[..., :1] < 0.4] = 0
    other = np.where(alpha == 0, 1 - rgb, rgb)
    parts = _shrunk((4, 4))
    first, second = parts(attempt(rgb, alpha, 3)), parts(attempt(other, alpha, 3))
    if not np.allclose(first["rgb"], second["rgb"], atol=1e-6):
        return "a color that nobody sees, under alpha 0, changes your result; it must not count."
    clear = parts(attempt(rgb, np.zeros_like(alpha), 3))
    return None if not clear["alpha"].any() else "where everything is transparent the small alpha must be 0, too."


register(
    Exercise(
        name="visible-mean",
        chapter="11",
        task="Write shrink(rgb, alpha, k) -> (rgb, alpha) for a cut-out [H, W, 3] and [H, W, 1]: k times smaller by "
        "means over blocks of k x k pixels, each counting by its alpha. Where all of a block is transparent any finite "
        "color will do.",
        hints=(
            "Shrink what is seen: a pixel of alpha 0 must not lend its color to anything.",
            "x.reshape(h, k, w, k, -1).mean((1, 3)) is the mean over blocks. Use it on alpha * rgb and on alpha.",
            "mean(alpha * rgb) / np.maximum(mean(alpha), 1e-6), and mean(alpha).",
        ),
        checks=(_shrink_formula, _shrink_ignores_what_is_hidden),
        right="no halo, whatever lies behind the product's edge.",
        answer=shrink,
        mistakes=SHRINK_MISTAKES,
    )
)
