"""What a person is shown of a row that the run did not dare to finish, and what the person gives back.

In the folder ``review``, for a row called ``A``: ``A.png`` is the photo in gray, with all that is not product in blue;
``A.proposed.png`` the mask. The person gives one of

- ``A.mask.png``: a mask, white = product; ``A.proposed.png`` is a start to draw on;
- ``A.strokes.png``: the photo's size, pure green on the product and pure red on the ground; ``A.png`` is one to draw
  on, since it has neither green nor red;
- ``A.json``: ``{"box": [left, top, right, bottom]}`` in px of the photo; ``{"accept": true}`` takes photo and mask as
  they are, whatever the quality gate said. Both can be in one file, and beside strokes.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import files, images
from ..errors import ImageError

FOLDER = "review"
KINDS = {"mask": ".mask.png", "strokes": ".strokes.png", "json": ".json"}
LARGEST = 100_000  # bytes of the JSON
GREEN, RED = (0.0, 1.0, 0.0), (1.0, 0.0, 0.0)
NEAR = 0.35  # how far each channel may be from pure: brushes have soft edges, and JPEG changes colors


@dataclass(frozen=True)
class Given:
    """What a person said of a row.

    Attributes:
        mask: a mask's file.
        marks: a ``masks.Hint``, or None.
        accept: whether photo and mask are good enough as they are.
    """

    mask: Path | None = None
    marks: Any = None
    accept: bool = False


def given(out: Path, stem: str) -> dict[str, Path]:
    """The files that a person gave for a row, by kind."""
    found = {f"review {kind}": out / FOLDER / f"{stem}{suffix}" for kind, suffix in KINDS.items()}
    return {kind: file for kind, file in found.items() if file.is_file()}


def read(inputs: dict[str, Path], size: tuple[int, int]) -> tuple[Given, list[str]]:
    """What the files say, and a sentence for each that says nothing usable: its row stays in review.

    Args:
        inputs: as :func:`given` found them; other keys are left alone.
        size: height and width of the photo.
    """
    from . import masks

    said: dict[str, Any] = {}
    mistaken = []
    for kind, file in inputs.items():
        try:
            if kind == "review json":
                said |= _said(file)
            elif kind == "review strokes":
                said |= _strokes(file, size)
            elif kind == "review mask":
                images.read_mask(file, size)
                said["mask"] = file
        except ImageError as error:
            mistaken.append(str(error))
    marks = masks.Hint(**{name: said[name] for name in ("box", "keep", "drop") if name in said})
    hint = marks if said.keys() & {"box", "keep"} else None
    return Given(said.get("mask"), hint, said.get("accept", False)), mistaken


def propose(out: Path, stem: str, picture: images.Picture, mask: np.ndarray | None) -> list[Path]:
    """Writes what the person looks at, and returns the files."""
    gray = np.repeat(images.luminance(images.over(picture)), 3, axis=-1)
    shown, proposed = proposed_files(out, stem)
    if mask is None:
        return [images.write(shown, gray)]
    blue = gray * np.float32(0.5) + np.array([0.1, 0.2, 0.5], np.float32)
    images.write(shown, np.clip(images.composite(gray, blue, mask), 0, 1))
    return [shown, images.write(proposed, np.repeat(mask, 3, axis=-1))]


def proposed_files(out: Path, stem: str) -> tuple[Path, Path]:
    """Where :func:`propose` writes the photo with the mask, and the mask."""
    return out / FOLDER / f"{stem}.png", out / FOLDER / f"{stem}.proposed.png"


def _said(file: Path) -> dict[str, Any]:
    form = 'it must be {"box": [left, top, right, bottom]}, {"accept": true} or both'
    with files.explained(f"{file} cannot be used"):
        with file.open("rb") as opened:
            text = opened.read(LARGEST)
        try:
            said = json.loads(text)
        except (ValueError, RecursionError):
            raise ImageError(f"it is not JSON; {form}") from None
        if not isinstance(said, dict) or not said or said.keys() - {"box", "accept"}:
            raise ImageError(form)
        box = said.get("box", [0, 0, 1, 1])
        whole = isinstance(box, list) and len(box) == 4 and all(type(side) is int for side in box)
        if not whole or not isinstance(said.get("accept", True), bool):
            raise ImageError(form)
    return said | ({"box": tuple(box)} if "box" in said else {})


def _strokes(file: Path, size: tuple[int, int]) -> dict[str, np.ndarray]:
    """The pixels on the product, and those on the ground: bool ``[H, W, 1]`` each."""
    picture = images.open_picture(file)
    if picture.rgb.shape[:2] != size:
        sizes = f"{picture.rgb.shape[1]} x {picture.rgb.shape[0]} px and the photo {size[1]} x {size[0]} px"
        raise ImageError(f"The strokes {file} are {sizes}: make both the same size.")
    seen = images.over(picture, 0.5)  # gray is neither
    near = (np.abs(seen - np.array(color, np.float32)) <= NEAR for color in (GREEN, RED))
    keep, drop = (np.asarray(one.all(axis=-1, keepdims=True)) for one in near)
    if not keep.any() and not drop.any():
        raise ImageError(f"The strokes {file} have no pure green and no pure red: draw with these colors.")
    return {"keep": keep, "drop": drop}
