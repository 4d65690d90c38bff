"""``stylelab train``: a fast network for paintings of one's own."""

import argparse
import os
import sys
import warnings
from pathlib import Path
from typing import Any

from .. import stylizers
from ..errors import SettingsError
from .terminal import complain, note, say

SETTINGS = {  # name and type of what is handed on; the defaults stand in stylelab.feedforward.train
    "steps": (int, "optimizer steps (default: 10000)"),
    "size": (int, "side of the square crops in px (default: 192)"),
    "batch": (int, "crops in a step (default: 4)"),
    "learning-rate": (float, "the highest one (default: 0.002)"),
    "style-size": (int, "long side of the paintings in px: how large strokes are (default: 384)"),
    "core-hours": (float, "stop after so many hours of processor time"),
    "seed": (int, "the same seed gives the same network on the same machine (default: 0)"),
}


def add(commands: Any) -> None:
    """Adds the command to the parser."""
    parser = commands.add_parser(
        "train",
        help="a network that paints in styles of your own in one pass",
        description="Trains a network for 'stylelab stylize --network'. Run again, it goes on where it was stopped.",
    )
    option = parser.add_argument
    option("--styles", nargs="+", required=True, metavar="NAME|IMAGE", help="shipped paintings and picture files")
    option("--photos", nargs="+", required=True, metavar="DIR", help="folders of photos, better of thousands")
    option("-o", "--output", required=True, metavar="OUT", help="file to write: net.weights.h5; net.json beside it")
    for name, (kind, text) in SETTINGS.items():
        option(f"--{name}", type=kind, metavar="N" if kind is int else "X", help=text)
    option("--from", dest="start", metavar="FILE", help="begin with this network's weights")
    option("--only-norm", action="store_true", help="with --from: train scale and shift of each style, and no more")
    option("--dry-run", action="store_true", help="say what it would take, and write nothing")
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    """Trains, or says what it would take.

    Returns:
        0, or 130 after Ctrl-C.
    Raises:
        StyleLabError: one sentence.
    """
    if arguments.only_norm and not arguments.start:
        raise SettingsError("--only-norm needs a trained network; add --from net.weights.h5.")
    if not arguments.output.endswith(".weights.h5"):
        raise SettingsError(f"-o must name a file that ends in .weights.h5, not {arguments.output}.")
    missing = next((f for f in arguments.photos if not os.path.exists(f)), None)  # noqa: PTH110 - no error
    if missing is not None:
        raise SettingsError(f"There is no folder {missing}; give one with photos in it.")
    stylizers.Style.of(arguments.styles)  # a mistake is told before TensorFlow loads
    given = {name.replace("-", "_"): getattr(arguments, name.replace("-", "_")) for name in SETTINGS}
    settings = {name: value for name, value in given.items() if value is not None}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.filterwarnings("always", message="A photo was left out")
        warnings.showwarning = lambda message, *_, **__: note(str(message))
        return _train(arguments, settings)


def _train(arguments: argparse.Namespace, settings: dict[str, Any]) -> int:
    from ..feedforward.train import Training

    training = Training(arguments.styles, arguments.photos, network=_start(arguments), **settings)
    plan, facts = training.plan, training.settings
    photos, styles = facts["photos"], ", ".join(training.network.styles)
    if arguments.dry_run:
        from ..training import memory_available

        took = training.estimate()
        say(f"styles   {styles}; {facts['trained']:,} numbers are trained")
        say(f"photos   {photos['training']} to train on, {photos['held_out']} held out")
        say(f"time     {took.hours:.1f} h for {plan.steps} steps of {took.step:.2f} s, measured over two")
        say(
            f"memory   {took.memory / 1e9:.1f} GB at the peak of these, {took.kept / 1e9:.1f} GB of it by count of "
            f"what a step keeps; {memory_available() / 1e9:.1f} GB are free"
        )
        return 0
    say(f"Training on {photos['training']} photos for {styles}; Ctrl-C stops it, and the same command goes on.")
    try:
        log = training.run(arguments.output)
    except KeyboardInterrupt:
        print(file=sys.stderr)  # the line may hold "^C"
        complain(f"stopped; the same command goes on from the last checkpoint, at most {plan.every} steps back.")
        return 130
    last = log[-1]
    say(
        f"{arguments.output}: {last['step']} steps in {last['core_hours']:.2f} core hours, held-out objective "
        f"{log[0]['held_out']:.3f} after the first look and {last['held_out']:.3f} at the end"
    )
    return 0


def _start(arguments: argparse.Namespace) -> Any:
    """The network to begin with, for the styles that are asked for; None for a new one."""
    if not arguments.start:
        return None
    from .. import finetune
    from ..feedforward.network import load
    from ..training import layer_policy

    names = [Path(style).stem if stylizers.is_file(style) else Path(style).name for style in arguments.styles]
    network = load(arguments.start, dtype=layer_policy())
    if network.styles != names:
        network = finetune.with_styles(network, names)
    if arguments.only_norm:
        finetune.only_norm(network)
    return network
