"""The same icons as two designers drew them: OpenMoji (outlines) and Twemoji (flat), for translation between styles."""

import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .. import files, images, samples
from ..errors import ImageError, SettingsError
from . import streams

COLUMNS, SIDE = 32, 64  # of the shipped atlases


class Pairs(NamedTuple):
    """Icons in two styles: two times float32 ``[N, S, S, 3]`` in 0..1 on white, and what each pair shows.

    ``codepoints`` names the emoji in hexadecimal, several joined by hyphens: ``"1F32D"``, ``"1F44B-1F3FB"``.
    """

    openmoji: np.ndarray
    twemoji: np.ndarray
    codepoints: tuple[str, ...]

    def take(self, chosen: Sequence[int] | np.ndarray) -> "Pairs":
        """The pairs of these numbers, in this order."""
        chosen = np.asarray(chosen, int)
        return Pairs(self.openmoji[chosen], self.twemoji[chosen], tuple(self.codepoints[k] for k in chosen))


def icons(size: int = SIDE) -> Pairs:
    """The 512 shipped pairs, on white, antialiased when smaller than their 64 px.

    OpenMoji (HfG Schwäbisch Gmünd, CC BY-SA 4.0) and Twemoji (Twitter and contributors, CC BY 4.0): what is made of
    them carries their licences.

    Raises:
        SettingsError: a size under 1.
        ImageError: a file in ``data/emoji_pairs`` that is damaged.
    """
    folder = samples.data_root() / "emoji_pairs"
    codepoints = tuple(json.loads((folder / "codepoints.json").read_text(encoding="utf-8")))
    styles = [_atlas(folder / f"{name}_512x64.png", len(codepoints)) for name in ("openmoji", "twemoji")]
    return _resized(styles, codepoints, size)


def all_icons(file: str | Path, size: int = SIDE) -> Pairs:
    """The pairs in a file that ``python -m tests.benchmarks.fetch_icons`` made: all 3,979 that the two sets share.

    Raises:
        SettingsError: a size under 1.
        ImageError: a file that is missing, or another one.
    """
    with files.explained(f"{file} cannot be read"):
        try:
            with np.load(file) as stored:
                styles = [stored[style].astype(np.float32) / 255 for style in ("openmoji", "twemoji")]
                codepoints = tuple(map(str, stored["codepoints"]))
        except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise ImageError("it is no file of icons; make it with tests.benchmarks.fetch_icons") from error
    return _resized(styles, codepoints, size)


def icon_split(pairs: Pairs, held_out: int | Sequence[str] = 64) -> tuple[Pairs, Pairs]:
    """Pairs to train on, and others, taken evenly, that training must never see.

    A family, as the same hand in six skin colors, has the first codepoint in common: where a part of it is held out,
    training gets none of it. (Only the full set has families.)

    Args:
        pairs: as of :func:`icons` or :func:`all_icons`.
        held_out: how many; or the codepoints of those, so that what was trained on the full set can be measured on
            the pairs held out of the shipped ones.
    Returns:
        Those to train on and those held out.
    Raises:
        SettingsError: fewer than one on either side, or a codepoint that is not among the pairs.
    """
    total = len(pairs.codepoints)
    if isinstance(held_out, int | np.integer):
        if not 0 < held_out < total:
            raise SettingsError(f"Of {total} icons {held_out} cannot be held out: give from 1 to {total - 1}.")
        held = streams.held_out(range(total), held_out)[1]
    else:
        unknown = set(held_out) - set(pairs.codepoints)
        if unknown or isinstance(held_out, str):
            raise SettingsError(f"No such icons are here: {', '.join(sorted(unknown))}; give codepoints of the pairs.")
        held = [k for k, codepoint in enumerate(pairs.codepoints) if codepoint in set(held_out)]
    families = {pairs.codepoints[k].partition("-")[0] for k in held}
    train = [k for k, codepoint in enumerate(pairs.codepoints) if codepoint.partition("-")[0] not in families]
    if not train or not held:
        raise SettingsError(f"Of {total} icons none would be left to train on or to hold out: hold out others.")
    return pairs.take(train), pairs.take(held)


def unpaired(pairs: Pairs, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Both styles without a single pair: OpenMoji of one random half of the icons, Twemoji of the other.

    So whatever order each is read in, no icon ever meets itself. (The last icon of an odd number is left out.) Read
    them as two sets of :func:`stylelab.datasets.array_batches` with different seeds, not as one tuple, or the same two
    strangers meet in every epoch.

    Returns:
        Two times ``[N // 2, S, S, 3]``.
    Raises:
        SettingsError: fewer than two pairs.
    """
    half = len(pairs.codepoints) // 2
    if half < 1:
        raise SettingsError("Of fewer than two pairs of icons no two unpaired sets can be made: give more.")
    order = np.random.default_rng(seed).permutation(len(pairs.codepoints))
    return pairs.openmoji[order[:half]], pairs.twemoji[order[half : 2 * half]]


def _resized(styles: Sequence[np.ndarray], codepoints: tuple[str, ...], size: int) -> Pairs:
    if size < 1:
        raise SettingsError(f"Icons of {size} px cannot be: give at least 1.")
    openmoji, twemoji = (images.resize(style, (size, size)) for style in styles)
    return Pairs(openmoji, twemoji, codepoints)


def _atlas(path: Path, count: int) -> np.ndarray:
    """The icons of an atlas, row by row: ``[count, 64, 64, 3]``."""
    sheet = images.read(path)
    rows = -(-count // COLUMNS)
    if sheet.shape != (rows * SIDE, COLUMNS * SIDE, 3):
        raise ImageError(f"{path} has the shape {sheet.shape}, which are not {count} icons: restore it with git.")
    tiles = sheet.reshape(rows, SIDE, COLUMNS, SIDE, 3).swapaxes(1, 2)
    return tiles.reshape(-1, SIDE, SIDE, 3)[:count]
