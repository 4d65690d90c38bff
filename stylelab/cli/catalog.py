"""``stylelab catalog run``: the pictures of a whole catalog."""

import argparse
import json
import signal
from dataclasses import asdict
from typing import Any

from ..errors import SettingsError
from .terminal import complain, note, say


def add(commands: Any) -> None:
    """Adds the command to the parser."""
    parent = commands.add_parser("catalog", help="the pictures of a whole catalog in one command")
    actions = parent.add_subparsers(required=True, metavar="ACTION")
    parser = actions.add_parser(
        "run",
        help="make the pictures of a catalog, or what is missing of them",
        description="Makes a picture for each product, style, size and format of a CSV or Parquet file with columns "
        "sku and image (and mask, title, group), a report and a journal. Run again, it goes on where it was ended, and "
        "does anew what has changed.",
    )
    option = parser.add_argument
    option("catalog", metavar="CATALOG", help="CSV or Parquet file; image is a path below its folder, or an address")
    option("--styles", default="", metavar="A,B", help="shipped paintings or, for --method any, files")
    option("--mode", default="scene", metavar="scene|backdrop|clean|whole", help="default: scene")
    option("--out", required=True, metavar="DIR", help="folder for pictures, report and journal: new, or of this run")
    option("--formats", default="png", metavar="png,jpg", help="default: png")
    option("--sizes", default="", metavar="1000,512", help="long sides in px (default: the photo's)")
    option("--method", default="fast", metavar="fast|any", help="default: fast, one pass for the shipped paintings")
    option("--strength", type=float, default=1.0, metavar="X", help="0 (the photo) to 1 (default)")
    option("--workers", type=int, metavar="N", help="processes (default: one for each core)")
    option("--engine", default="local", metavar="local|ray", help="default: local; ray needs the extra scale")
    option("--seed", type=int, default=0, metavar="N", help="the same seed gives the same pictures (default: 0)")
    option("--only", metavar="review|failed", help="only rows that were left for review, or that failed")
    option("--photos", metavar="DIR", help="the folder that the paths of images begin in (default: the catalog's)")
    option("--allow-urls", action="store_true", help="fetch images whose entry is a web address")
    option("--dry-run", action="store_true", help="check all, predict time and size, write nothing into --out")
    option("--json", action="store_true", help="print one JSON object and nothing else on stdout")
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs the catalog.

    Returns:
        0, or 1 when a row failed.
    Raises:
        StyleLabError: nothing could be done at all, or the disk is full.
    """
    from tqdm import tqdm

    from ..catalog import estimate, pipeline

    settings = pipeline.Settings(
        styles=_names(arguments.styles),
        mode=arguments.mode,
        formats=_names(arguments.formats),
        sizes=_sizes(arguments.sizes),
        method=arguments.method,
        strength=arguments.strength,
        seed=arguments.seed,
        workers=arguments.workers,
        engine=arguments.engine,
        allow_urls=arguments.allow_urls,
        photos=arguments.photos,
    )
    if arguments.dry_run:
        return _predicted(estimate.run(arguments.catalog, arguments.out, settings), arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: the report is written
    with tqdm(unit=" rows", disable=True if arguments.json else None) as bar:

        def progress(step: pipeline.Step) -> None:
            bar.total = step.total
            bar.update()

        summary = pipeline.run(arguments.catalog, arguments.out, settings, only=arguments.only, progress=progress)
    if arguments.json:
        say(json.dumps({**asdict(summary), "report": str(summary.report)}))
    else:
        counts = f"{summary.done} done, {summary.review} for review, {summary.failed} failed"
        say(f"{counts}; {summary.worked} of them now, in {summary.seconds:.0f} s. The report: {summary.report}")
        if summary.open:
            note(f"{summary.open} rows were not done; run it without --only.")
        if summary.gone:
            note(f"{summary.gone} rows of earlier runs are not in the catalog any more; their pictures were left.")
    if summary.failed:
        complain(f"{summary.failed} row{'s' * (summary.failed > 1)} failed; the report says why.")
    return 1 if summary.failed else 0


def _predicted(found: Any, arguments: argparse.Namespace) -> int:
    """Tells an ``estimate.Estimate``."""
    if arguments.json:
        say(json.dumps(asdict(found)))
    else:
        say(f"{found.rows} rows: {found.todo} to do, {found.unusable} cannot be used.")
        for line in found.sentences:
            say(f"  {line}")
        if found.sampled:
            tried = ", ".join(f"{count} {state}" for state, count in found.states.items())
            time = f"{found.seconds:.0f} s" if found.seconds < 600 else f"{found.seconds / 60:.0f} minutes"
            say(f"About {time} and {found.bytes / 1e6:.1f} MB, from {found.sampled} rows that were tried ({tried}).")
    return 1 if found.unusable else 0


def _names(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _sizes(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in _names(text))
    except ValueError:
        raise SettingsError(f"--sizes must be whole numbers with commas between them, not {text!r}.") from None
