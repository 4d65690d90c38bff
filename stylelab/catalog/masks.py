"""Where is the product, and how sure are we? A mask from a file, from transparency, from a hint, or from the photo."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stylelab import images
from stylelab.catalog import masknet, outline, removal, trust
from stylelab.errors import ImageError, SettingsError

ACCEPT = 0.95  # the promise itself, 95 % right: no mask is used unseen whose own chance is less
BACKENDS = ("auto", "grabcut", "rembg")
MARGIN = 0.12  # of a box's sides: how much ground around it is looked at


@dataclass(frozen=True, eq=False)
class Mask:
    """Where the product is.

    Attributes:
        values: float32 ``[H, W, 1]`` in 0..1, 1 = product, soft at its edge.
        confidence: 0..1, the estimated chance that the IoU with the true mask is at least 0.9; 1 for alpha and files.
        source: ``"alpha"``, ``"file"``, ``"box"``, ``"strokes"`` or ``"photo"``.
    """

    values: np.ndarray
    confidence: float
    source: str


@dataclass(frozen=True, eq=False)
class Hint:
    """What a person says of where the product is; all of it is obeyed to the pixel.

    Attributes:
        box: left, top, right, bottom in pixels of the photo, right and bottom excluded: nothing outside is product.
        keep: bool ``[H, W, 1]``, strokes on the product.
        drop: bool ``[H, W, 1]``, strokes on the ground.
    """

    box: tuple[int, int, int, int] | None = None
    keep: np.ndarray | None = None
    drop: np.ndarray | None = None


def of(
    picture: images.Picture, *, file: str | Path | None = None, hint: Hint | None = None, backend: str = "auto"
) -> Mask:
    """The mask of a picture from the best that there is: a file, else a hint, else its transparency, else the photo.

    Args:
        picture: as ``images.open_picture`` gives it.
        file: a gray picture of the same size, white = product.
        hint: what a person marked; one without any mark counts as none.
        backend: as for :func:`find`.
    Raises:
        ImageError: a file that cannot be read, is of another size or marks nothing; a picture that is transparent
            everywhere; or as :func:`find`.
    """
    if file is not None:
        values = images.read_mask(file, picture.rgb.shape[:2])
        if values.max() < 0.5:
            raise ImageError(f"The mask {file} marks nothing as product: make the product white in it.")
        return Mask(values, 1.0, "file")
    # Transparency shows a product only where some of it is gone: cameras and editors store opaque alphas.
    if _source(hint) == "photo" and picture.alpha is not None and picture.alpha.min() < 0.5:
        if picture.alpha.max() < 0.5:
            raise ImageError("The picture is transparent everywhere and so shows no product: give another one.")
        return Mask(picture.alpha.copy(), 1.0, "alpha")
    return find(images.over(picture), hint, backend=backend)


def find(rgb: np.ndarray, hint: Hint | None = None, *, backend: str = "auto") -> Mask:
    """Finds the product in a photo; the same photo and hint give the same mask.

    Args:
        rgb: ``[H, W, 3]`` in 0..1.
        hint: what a person marked.
        backend: ``"grabcut"``, a learned prior and GrabCut; ``"rembg"``, the extra ``masks``; ``"auto"``, rembg where
            it is installed with its model, else GrabCut.
    Returns:
        The mask; of one that marks nothing or everything the confidence is 0.
    Raises:
        ImageError: not an image, or a hint that does not fit it.
        SettingsError: another backend, or one that is not installed.
        WeightsError: rembg's model, or the shipped network, is not there.
    """
    rgb = images.check(rgb, "photo")
    if backend not in BACKENDS:
        raise SettingsError(f"Backend {backend!r} is not known: choose one of {', '.join(BACKENDS)}.")
    box, keep, drop = _checked(hint, rgb.shape[:2])
    rembg = backend == "rembg" or (backend == "auto" and removal.installed())
    # With a box, the product fills what is looked at, as it did in what the network learned from.
    part = _around(box, rgb.shape[:2])
    values = np.zeros((*rgb.shape[:2], 1), np.float32)
    outside = np.ones_like(keep)
    outside[box[1] : box[3], box[0] : box[2]] = False
    values[part], confidence = _found(rgb[part], keep[part], drop[part], outside[part], rembg)
    values[drop | outside], values[keep] = 0, 1
    return Mask(values, confidence, _source(hint))


def _found(
    rgb: np.ndarray, keep: np.ndarray, drop: np.ndarray, outside: np.ndarray, rembg: bool
) -> tuple[np.ndarray, float]:
    """Values and confidence for a photo or the part of it around a box."""
    small = images.resize(rgb, min(outline.SIDE, max(rgb.shape[:2])))
    size = small.shape[:2]
    first, second = (
        images.resize(chance, size)[..., 0]
        for chance in (masknet.prior(small), masknet.prior(small, masknet.OTHER_SIDE, mirrored=True))
    )
    inside = _shrunk(~outside, size)
    first, second = first * inside, second * inside
    sure, gone = (_shrunk(strokes, size) for strokes in (keep, drop))
    sure, gone = sure & ~gone, gone & ~sure  # a small pixel that has both says nothing

    def cut(chance: np.ndarray) -> np.ndarray:
        if sure.any() or gone.any():
            chance = outline.led(small, chance, sure, gone) * inside
        return outline.cut(small, chance, sure, gone)

    if rembg:
        values = removal.mask(rgb)
        shape = (images.resize(values, size)[..., 0] > 0.5) & inside
    else:
        shape = cut((first + second) / 2)
        values = outline.refine(rgb, small, shape)
    if not shape.any() or shape.all():
        return values, 0.0
    return values, trust.confidence(trust.cues(small, first, second, shape, cut(second)))


def _source(hint: Hint | None) -> str:
    if hint is not None and any(strokes is not None and np.any(strokes) for strokes in (hint.keep, hint.drop)):
        return "strokes"
    return "photo" if hint is None or hint.box is None else "box"


def _checked(hint: Hint | None, size: tuple[int, int]) -> tuple[tuple[int, int, int, int], np.ndarray, np.ndarray]:
    """Box, keep and drop of a hint that fits a photo of this height and width, each there."""
    height, width = size
    hint = hint or Hint()
    strokes = []
    for name, marks in (("keep", hint.keep), ("drop", hint.drop)):
        marks = np.zeros((*size, 1), bool) if marks is None else np.asarray(marks)
        if marks.dtype != bool or marks.shape != (*size, 1):
            found = f"{marks.dtype} of shape {marks.shape}"
            raise ImageError(
                f"The strokes {name!r} are {found}: they must be bool [{height}, {width}, 1], as the photo."
            )
        strokes.append(marks)
    keep, drop = strokes
    box = (0, 0, width, height) if hint.box is None else hint.box
    try:
        left, top, right, bottom = (int(side) for side in box)
    except (TypeError, ValueError):
        left = right = top = bottom = 0
    if not (0 <= left < right <= width and 0 <= top < bottom <= height):
        raise ImageError(
            f"The box {box!r} does not lie in the photo of {width} x {height} px: give left, top, right, bottom in it."
        )
    if (keep & drop).any() or keep.sum() != keep[top:bottom, left:right].sum():
        raise ImageError("The strokes 'keep' lie partly on the strokes 'drop' or outside the box: draw them apart.")
    return (left, top, right, bottom), keep, drop


def _around(box: tuple[int, int, int, int], size: tuple[int, int]) -> tuple[slice, slice]:
    """The part of the photo that is looked at: the box and some ground."""
    left, top, right, bottom = box
    x, y = (round(MARGIN * side) for side in (right - left, bottom - top))
    return slice(max(0, top - y), min(size[0], bottom + y)), slice(max(0, left - x), min(size[1], right + x))


def _shrunk(marks: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """bool ``[h, w]``: where a small pixel has any of the marks, so that no thin stroke is lost."""
    import cv2

    planes = np.ascontiguousarray(marks[..., 0], np.uint8) * 255
    return cv2.resize(planes.astype(np.float32), size[::-1], interpolation=cv2.INTER_AREA) > 0
