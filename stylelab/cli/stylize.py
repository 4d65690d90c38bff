"""``stylelab stylize``: photos in a style."""

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from .. import images, machine, samples, stylizers
from ..errors import ImageError, SettingsError, StyleLabError
from . import jobs
from .terminal import complain, note, say, sentence


def add(commands: Any) -> None:
    """Adds the command to the parser."""
    parser = commands.add_parser(
        "stylize",
        help="photos in the style of one or more paintings",
        description="Writes photos in a style. Several --style blend; alpha is kept where the output format has it.",
    )
    option = parser.add_argument
    option("photos", metavar="PHOTO", nargs="+", help="picture file, folder of pictures, or pattern such as 'a/*.jpg'")
    option(
        "--style",
        action="append",
        metavar="NAME|IMAGE",
        help="a shipped painting (see 'stylelab styles') or a picture file",
    )
    option("--weights", nargs="+", type=float, metavar="W", help="one per --style (default: all the same)")
    option(
        "--method",
        metavar="fast|any|optimize",
        help="default: fast, one pass for the shipped paintings; any, one pass, when an image is among the styles",
    )
    option("--network", metavar="FILE", help="a fast network of your own, from 'stylelab train', and its styles' names")
    option("--size", type=int, metavar="N", help="long side of the output in px (default: the photo's)")
    option("--strength", type=float, default=1.0, metavar="X", help="0 (the photo) to 1 (default)")
    option("--keep-color", action="store_true", help="keep the photo's colors")
    option("--keep-white", action="store_true", help="keep what is white in the photo, such as a shop photo's ground")
    option("--mask", metavar="FILE", help="white where the product is: its pixels are kept; 'alpha' takes each photo's")
    option("--seed", type=int, default=0, metavar="N", help="the same seed gives the same picture (default: 0)")
    option("--steps", type=int, metavar="N", help="steps of the method optimize (default: its own)")
    option("--engine", metavar="auto|tensorflow|openvino", help="what computes a network's pass (default: auto)")
    option("--tile", type=int, metavar="N", help="paint in tiles of N px (method fast; what memory does not hold is)")
    option("--distances", action="store_true", help="measure style and content distance (optimize always does)")
    option("--json", action="store_true", help="print one JSON object per photo and nothing else on stdout")
    option("-o", "--output", required=True, metavar="OUT", help="file, or for several photos folder, to write")
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    """Styles all photos; one that fails is told of and does not stop the others.

    Returns:
        0, or 1 when some of several photos failed.
    Raises:
        StyleLabError: nothing can be done at all, or the only photo failed.
    """
    if not arguments.style:
        raise SettingsError(
            "No style was given; add --style NAME or --style IMAGE ('stylelab styles' lists the names)."
        )
    if arguments.size is not None and arguments.size < 16:
        raise SettingsError(f"--size must be at least 16 px, not {arguments.size}.")
    stylizers.check_settings(arguments.strength, arguments.seed)
    method, settings = _method(arguments)
    others = _style_files(arguments) + ([arguments.mask] if arguments.mask not in (None, "alpha") else [])
    todo = jobs.plan(arguments.photos, arguments.output, others)
    style, notes = _style(arguments, method), []
    if arguments.mask not in (None, "alpha"):
        notes = [f"{arguments.mask}: {line}" for line in images.open_picture(arguments.mask).notes]
    # Made when the first photo was read: a mistake in it is told before TensorFlow loads.
    stylizer = cache(lambda: _stylizer(method, settings, arguments.tile))
    if todo.several:
        stylizer()  # what is wrong with the method is no single photo's failure
    for line in (*style.notes, *notes):
        note(line)
    if todo.skipped:
        note(f"{todo.skipped} files were skipped, because their names are not those of pictures.")
    failed = 0
    for job in todo.jobs:
        record = {"input": str(job.photo), "output": None, "method": method, "style": style.name, "error": None}
        try:
            record |= _one(job, arguments, style, method, stylizer)
        except Exception as error:
            told = sentence(error)
            if told is None:  # in a batch our own mistakes, too, cost one photo only
                told = f"{job.photo} failed by a mistake in StyleLab ({type(error).__name__}: {error})."
            record["error"] = told
            if not todo.several:
                if arguments.json:
                    say(json.dumps(record))
                raise
            failed += 1
            complain(told if str(job.photo) in told else f"{job.photo}: {told}")
        if arguments.json:
            say(json.dumps(record))
        elif record["error"] is None:
            say(_line(record))
    if failed:
        complain(f"{failed} of {len(todo.jobs)} photos failed.")
    return 1 if failed else 0


def _method(arguments: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    """The method's name and its settings."""
    own = any(stylizers.is_file(source) for source in arguments.style)
    method = arguments.method or ("any" if own and not arguments.network else "fast")
    if arguments.network and method != "fast":
        raise SettingsError(f"--network is for the method fast, not for {method}; leave one of them away.")
    if arguments.steps is not None and arguments.method is None:
        raise SettingsError("One pass has no steps; leave --steps away, or add --method optimize.")
    if arguments.tile is not None and method != "fast":
        raise SettingsError(f"--tile is for the method fast, not for {method}; leave one of them away.")
    given = {"steps": arguments.steps, "engine": arguments.engine, "weights": arguments.network}
    return method, {name: value for name, value in given.items() if value is not None}


def _stylizer(method: str, settings: dict[str, Any], tile: int | None) -> stylizers.Stylizer:
    stylizer: Any = stylizers.get(method, **settings)
    if tile is None:
        return stylizer
    from ..tiling import Tiled

    return Tiled(stylizer, tile=tile)


def _fitting(stylizer: Any, photo: Path, height: int, width: int) -> stylizers.Stylizer:
    """The fast network; in tiles if memory does not hold a picture of this size at once."""
    needed = stylizer.memory_needed(height, width)
    if needed <= machine.memory_available():
        return stylizer
    from ..tiling import Tiled

    note(f"{photo}: painted in tiles, since {width}x{height} px at once need {needed / 1e9:.1f} GB of memory.")
    return Tiled(stylizer)


def _style_files(arguments: argparse.Namespace) -> list[str | Path]:
    """The styles' files; the unknown name of a painting is refused here, before any work."""
    if arguments.network:
        return [arguments.network]
    return [source if stylizers.is_file(source) else samples.path(source) for source in arguments.style]


def _style(arguments: argparse.Namespace, method: str) -> stylizers.Style:
    """The style; for the fast network its names alone, so that no painting is read."""
    if method != "fast":
        return stylizers.Style.of(arguments.style, arguments.weights)
    names = arguments.style
    if not arguments.network:
        for name in names:
            if stylizers.is_file(name):
                raise SettingsError(
                    f"The fast network knows the shipped paintings only, not {name}; leave --method fast away."
                )
        names = [Path(name).name for name in names]  # without the folder of styles/hokusai_great_wave
    return stylizers.Style.trained(names, arguments.weights)


def _one(
    job: jobs.Job,
    arguments: argparse.Namespace,
    style: stylizers.Style,
    method: str,
    get_stylizer: Callable[[], stylizers.Stylizer],
) -> dict[str, Any]:
    """Styles one photo, writes it, and returns what can be said of it."""
    picture, mask = _photo_and_mask(job.photo, arguments.mask, arguments.size)
    height, width = picture.rgb.shape[:2]
    stylizer, callback = get_stylizer(), None
    if method == "fast" and arguments.tile is None:
        stylizer = _fitting(stylizer, job.photo, height, width)
    if arguments.keep_color:
        stylizer = stylizers.KeepColor(stylizer)
    if arguments.keep_white:
        stylizer = stylizers.KeepWhite(stylizer)
    if mask is not None:
        stylizer = stylizers.KeepProduct(stylizer, mask)
    for line in picture.notes:
        note(f"{job.photo}: {line}")
    slow = method not in ("fast", "any", "adversarial")
    if slow:
        from ..training import Progress  # and with it TensorFlow, which one pass may do without

        callback = Progress(style.name)
    begun = time.perf_counter()
    result = stylizer.stylize(
        picture.rgb[None], style, strength=arguments.strength, seed=arguments.seed, callback=callback
    )[0]
    seconds = time.perf_counter() - begun
    deep = picture.bits == 16 and job.output.suffix.lower() in (".png", ".tif", ".tiff")
    images.write(job.output, result, picture.alpha, exif=picture.exif, bits=16 if deep else 8)
    done = {"output": str(job.output), "width": width, "height": height, "seconds": round(seconds, 3)}
    if slow or arguments.distances:
        try:
            done |= _distances(result, picture.rgb, style)
        except StyleLabError as error:  # the picture is there all the same
            note(f"no distances: {error}")
    return done


def _distances(result: np.ndarray, photo: np.ndarray, style: stylizers.Style) -> dict[str, Any]:
    from .. import metrics

    paintings = style.pictures or [samples.load(name) for name in style.names]
    return {
        "style_distance": [round(metrics.style_distance(result, painting), 4) for painting in paintings],
        "content_distance": round(metrics.content_distance(result, photo), 4),
    }


def _line(record: dict[str, Any]) -> str:
    line = f"{record['output']}: {record['width']}x{record['height']} px in {record['seconds']:.1f} s"
    if "style_distance" in record:
        distances = ", ".join(f"{distance:.3f}" for distance in record["style_distance"])
        line += f", style distance {distances}, content distance {record['content_distance']:.2f}"
    return line


def _photo_and_mask(photo: Path, mask_source: str | None, size: int | None) -> tuple[images.Picture, np.ndarray | None]:
    """The photo as the method gets it, and the mask of what it must keep, both at the output's size."""
    picture = images.open_picture(photo)
    content, alpha, mask = picture.rgb, picture.alpha, None
    if mask_source == "alpha":
        if alpha is None:
            raise ImageError(f"{photo} has no alpha; give a mask file instead of --mask alpha.")
        mask = alpha
    elif mask_source is not None:
        mask = images.read_mask(mask_source, content.shape[:2])
    if alpha is not None:
        # What cannot be seen would still lend its hidden color to the style; the product's own pixels stay as they are.
        hidden = (alpha == 0) & (mask < 0.5 if mask is not None else True)
        content = images.composite(content, content * 0 + 1, (~hidden).astype("float32"))
    if size is not None:
        if size**2 * min(content.shape[:2]) > images.MAX_PIXELS * max(content.shape[:2]):
            raise SettingsError(f"--size {size} would make more than {images.MAX_PIXELS:,} pixels; choose less.")
        content, alpha = images.resize_visible(content, alpha, size)
        mask = mask if mask is None else images.resize(mask, content.shape[:2])
    height, width = content.shape[:2]
    if min(height, width) < 16:
        raise ImageError(f"{photo} at {width}x{height} px is too small; both sides need at least 16 px.")
    return replace(picture, rgb=content, alpha=alpha), mask
