"""The ``stylelab`` command: style a photo, list the styles, look at the installation, make the demonstration page.

Modules that load TensorFlow are imported inside the commands that need them, so that help and mistakes answer at once.
"""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from . import images, samples, stylizers
from .errors import ImageError, SettingsError, StyleLabError

DEMO = (  # product, painting
    ("leather_sofa", "vangogh_cafe_terrace"),
    ("cactus_pot", "hokusai_great_wave"),
    ("instant_camera", "vangogh_night_cafe"),
)
DEMO_SIZE, DEMO_STEPS = 256, 150


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command.

    Args:
        argv: arguments without the program's name; None takes the process's own.
    Returns:
        The exit code: 0, 2 after an error that the user can mend (one sentence on stderr), 130 after Ctrl-C, 141 when
        nobody reads the output any more.
    """
    arguments = _parser().parse_args(argv)
    try:
        arguments.command(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read our output, as head does, has seen enough; at its exit Python would try to write the rest.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except StyleLabError as error:
        print(f"stylelab: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nstylelab: stopped; no unfinished picture was written.", file=sys.stderr)
        return 130
    except Exception as error:
        # TensorFlow has its own kind, known here by name only: to import it takes seconds.
        if not isinstance(error, MemoryError) and type(error).__name__ != "ResourceExhaustedError":
            raise
        print("stylelab: the memory ran out; choose a smaller --size.", file=sys.stderr)
        return 2
    return 0


def _say(line: str) -> None:
    """Prints on stdout; a sign that it cannot show, as in a file's name, must not end the command with a traceback."""
    encoding = sys.stdout.encoding or "utf-8"
    print(line.encode(encoding, "backslashreplace").decode(encoding))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="stylelab", description="Neural image style transfer.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    stylize = commands.add_parser(
        "stylize",
        help="a photo in the style of one or more paintings",
        description="Writes the photo in a style. Several --style blend; alpha is kept where the output format has it.",
    )
    stylize.add_argument("photo", metavar="PHOTO", help="picture file")
    stylize.add_argument(
        "--style",
        action="append",
        metavar="NAME|IMAGE",
        help="a shipped painting (see 'stylelab styles') or a picture file",
    )
    stylize.add_argument(
        "--weights", nargs="+", type=float, metavar="W", help="one per --style (default: all the same)"
    )
    stylize.add_argument("--method", default="optimize", help="default: optimize")
    stylize.add_argument("--size", type=int, metavar="N", help="long side of the output in px (default: the photo's)")
    stylize.add_argument("--strength", type=float, default=1.0, metavar="X", help="0 (the photo) to 1 (default)")
    stylize.add_argument("--keep-color", action="store_true", help="keep the photo's colors")
    stylize.add_argument(
        "--mask", metavar="FILE", help="white where the product is: its pixels are kept; 'alpha' takes the photo's own"
    )
    stylize.add_argument(
        "--seed", type=int, default=0, metavar="N", help="the same seed gives the same picture (default: 0)"
    )
    stylize.add_argument("--steps", type=int, metavar="N", help="steps of the method (default: its own)")
    stylize.add_argument("-o", "--output", required=True, metavar="OUT", help="file to write: .png .jpg .webp .tif")
    stylize.set_defaults(command=_stylize)

    styles = commands.add_parser("styles", help="the paintings that ship with StyleLab")
    styles.set_defaults(command=_styles)

    info = commands.add_parser("info", help="versions, devices, where data and weights are, whether all is well")
    info.set_defaults(command=_info)

    demo = commands.add_parser("demo", help="three products in three styles, and a page that shows them")
    demo.add_argument("-o", "--out", default="out", metavar="DIR", help="folder to write into (default: out)")
    demo.set_defaults(command=_demo)
    return parser


def _stylize(arguments: argparse.Namespace) -> None:
    if not arguments.style:
        raise SettingsError(
            "No style was given; add --style NAME or --style IMAGE ('stylelab styles' lists the names)."
        )
    if arguments.size is not None and arguments.size < 16:
        raise SettingsError(f"--size must be at least 16 px, not {arguments.size}.")
    if not 0 <= arguments.seed < 2**32:
        raise SettingsError(f"--seed must be from 0 to {2**32 - 1}, not {arguments.seed}.")
    mask_file = arguments.mask if arguments.mask not in (None, "alpha") else None
    inputs = [arguments.photo, *map(_style_file, arguments.style)] + ([] if mask_file is None else [mask_file])
    output = images.check_output(arguments.output, inputs)
    style = stylizers.Style.of(arguments.style, arguments.weights)
    picture, mask = _photo_and_mask(arguments.photo, arguments.mask, arguments.size)
    height, width = picture.rgb.shape[:2]
    stylizer = stylizers.get(arguments.method, **({} if arguments.steps is None else {"steps": arguments.steps}))
    if arguments.keep_color:
        stylizer = stylizers.KeepColor(stylizer)
    if mask is not None:
        stylizer = stylizers.KeepProduct(stylizer, mask)
    for note in picture.notes:
        print(f"note: {note}", file=sys.stderr)

    from . import metrics
    from .training import Progress

    begun = time.perf_counter()
    result = stylizer.stylize(
        picture.rgb[None], style, strength=arguments.strength, seed=arguments.seed, callback=Progress(style.name)
    )[0]
    seconds = time.perf_counter() - begun
    deep = picture.bits == 16 and output.suffix.lower() in (".png", ".tif", ".tiff")
    images.write(output, result, picture.alpha, exif=picture.exif, bits=16 if deep else 8)
    line = f"{output}: {width}x{height} px in {seconds:.0f} s"
    try:
        distances = ", ".join(f"{metrics.style_distance(result, p):.3f}" for p in style.pictures)
        line += f", style distance {distances}, content distance {metrics.content_distance(result, picture.rgb):.2f}"
    except StyleLabError as error:  # the picture is there all the same
        print(f"note: no distances: {error}", file=sys.stderr)
    _say(line)


def _style_file(source: str) -> str | Path:
    """The file that a ``--style`` means; the unknown name of a painting is refused here, before any work."""
    return source if Path(source).suffix or os.path.exists(source) else samples.path(source)  # noqa: PTH110


def _photo_and_mask(photo: str, mask_source: str | None, size: int | None) -> tuple[images.Picture, np.ndarray | None]:
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
        content = images.resize(content, size)
        alpha, mask = (x if x is None else images.resize(x, content.shape[:2]) for x in (alpha, mask))
    height, width = content.shape[:2]
    if min(height, width) < 16:
        raise ImageError(f"{photo} at {width}x{height} px is too small; both sides need at least 16 px.")
    return replace(picture, rgb=content, alpha=alpha), mask


def _styles(arguments: argparse.Namespace) -> None:
    names = samples.names("styles")
    width = max(map(len, names))
    for name in names:
        _say(f"{name:{width}}  {samples.credit(name)}")


def _info(arguments: argparse.Namespace) -> None:
    import platform
    from importlib.metadata import version

    from .backend import keras, tf
    from .training import memory_available, precision

    def line(what: str, value: Any) -> None:
        _say(f"{what:<12}{value}")

    line("stylelab", f"{version('stylelab')} ({Path(__file__).parent})")
    line("Python", f"{platform.python_version()} on {platform.platform()}")
    line("TensorFlow", f"{tf.__version__}, Keras {keras.__version__}")
    line("devices", ", ".join(d.name.split(":", 1)[1] for d in tf.config.list_physical_devices()))
    line("precision", f"{precision()} (chosen by hardware)")
    line("memory", f"{memory_available() / 1e9:.1f} GB free")
    line("data", samples.data_root())
    line("samples", ", ".join(f"{len(samples.names(k))} {k}" for k in ("products", "styles", "photos")))
    line("weights", samples.weights("vgg16"))
    print("All is well.")


def _demo(arguments: argparse.Namespace) -> None:
    folder = Path(arguments.out)
    page = images.check_output(folder / "demo.png").with_name("index.html")
    print(f"Styling {len(DEMO)} photos by optimization at {DEMO_SIZE} px; one takes up to a minute on two cores.")

    from . import metrics
    from .optimize import Optimize
    from .pages import Card, write_page
    from .training import Progress

    # Coarse to fine, which paints larger strokes than one scale (chapter 03 shows both).
    stylizer, cards = Optimize(steps=DEMO_STEPS, first_size=DEMO_SIZE // 2), []
    for product, painting in DEMO:
        content = images.resize(samples.load(product), DEMO_SIZE)
        style, painter_and_title = samples.load(painting), samples.credit(painting).split(", ")[:2]
        begun = time.perf_counter()
        result = stylizer.stylize(content[None], painting, callback=Progress(f"{product} + {painting}"))[0]
        seconds = time.perf_counter() - begun
        file = images.write(folder / f"{product}_{painting}.png", result)
        cards.append(
            Card(
                title=f"{product.replace('_', ' ').capitalize()} after {', '.join(painter_and_title)}",
                pictures={"content": content, "style": style, "result": result},
                settings={
                    "file": file.name,
                    "method": "optimize (Adam)",
                    "long side": f"{DEMO_SIZE // 2}, then {DEMO_SIZE} px",
                    "steps": stylizer.steps,
                    "convolutions in": stylizer.dtype,
                    "seed": 0,
                },
                numbers={
                    "seconds": f"{seconds:.1f}",
                    "style distance (0 = the painting's)": metrics.style_distance(result, style, DEMO_SIZE),
                    "style distance of the photo": metrics.style_distance(content, style, DEMO_SIZE),
                    "content distance (0 = the photo's)": metrics.content_distance(result, content, DEMO_SIZE),
                },
                note=f"{samples.credit(product)}. {samples.credit(painting)}.",
            )
        )
        _say(f"  {file}  {seconds:.0f} s")
    write_page(
        page,
        "Product photos, painted",
        cards,
        "Each picture was optimized pixel by pixel until a pretrained network saw the photo's content in the "
        "painting's style. Made offline from the samples that ship with StyleLab.",
    )
    _say(f"The page: {page}")


if __name__ == "__main__":
    sys.exit(main())
