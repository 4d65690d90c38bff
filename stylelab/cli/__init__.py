"""The ``stylelab`` command: style photos, train a network, list the styles, look at the installation, make a page.

Modules that load TensorFlow are imported inside the commands that need them, so that help and mistakes answer at once.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .. import samples
from . import catalog, demo, inspect, stylize, train
from .terminal import complain, note, say, sentence


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command.

    Args:
        argv: arguments without the program's name; None takes the process's own.
    Returns:
        The exit code: 0, 1 when some of several photos failed, 2 after an error that the user can mend (one sentence
        on stderr), 130 after Ctrl-C, 141 when nobody reads the output any more.
    """
    arguments = _parser().parse_args(argv)
    try:
        code = arguments.command(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read our output, as head does, has seen enough; at its exit Python would try to write the rest.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except KeyboardInterrupt:
        print(file=sys.stderr)  # the line may hold "^C"
        complain("stopped; what was finished is kept, and no unfinished file was written.")
        return 130
    except Exception as error:
        told = sentence(error)
        if told is None:
            raise
        complain(told)
        return 2
    return code or 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="stylelab", description="Neural image style transfer.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    stylize.add(commands)

    styles = commands.add_parser("styles", help="the paintings that ship with StyleLab")
    styles.set_defaults(command=_styles)

    info = commands.add_parser("info", help="versions, devices, where data and weights are, whether all is well")
    info.set_defaults(command=_info)

    train.add(commands)
    demo.add(commands)
    inspect.add(commands)
    catalog.add(commands)

    progress = commands.add_parser("progress", help="the course's exercises: which are right, wrong or not attempted")
    progress.add_argument("--json", action="store_true", help="print one JSON object per exercise and nothing else")
    progress.set_defaults(command=_progress)
    return parser


def _styles(arguments: argparse.Namespace) -> None:
    names = samples.names("styles")
    width = max(map(len, names))
    for name in names:
        say(f"{name:{width}}  {samples.credit(name)}")


def _progress(arguments: argparse.Namespace) -> None:
    from ..exercises.progress import progress

    shown = progress()
    say(shown.json_lines() if arguments.json else str(shown))
    if arguments.json and shown.note:
        note(shown.note)


def _info(arguments: argparse.Namespace) -> None:
    import platform

    from ..backend import keras, tf
    from ..engines import settled
    from ..training import memory_available, precision

    def line(what: str, value: Any) -> None:
        say(f"{what:<12}{value}")

    line("stylelab", f"{samples.version()} ({Path(__file__).parent.parent})")
    line("Python", f"{platform.python_version()} on {platform.platform()}")
    line("TensorFlow", f"{tf.__version__}, Keras {keras.__version__}")
    line("devices", ", ".join(d.name.split(":", 1)[1] for d in tf.config.list_physical_devices()))
    line("precision", f"{precision()} (chosen by hardware)")
    line("engine", "{} in {} for the networks".format(*settled()))
    line("memory", f"{memory_available() / 1e9:.1f} GB free")
    line("data", samples.data_root())
    line("samples", ", ".join(f"{len(samples.names(k))} {k}" for k in ("products", "styles", "photos")))
    line("weights", ", ".join(samples.weights(name).name for name in samples.WEIGHTS))
    print("All is well.")
