"""Executes chapters and stores them with their outputs.

    python -m tests.notebooks.execute               every chapter that is out of date, at CPU settings
    python -m tests.notebooks.execute 03 04         these, if they are out of date; --force: in any case
    python -m tests.notebooks.execute --check       says which are out of date, and why; executes nothing
    python -m tests.notebooks.execute --fast        all of them in fast mode; stores nothing
    python -m tests.notebooks.execute --set-up      writes the set-up cell and the Colab badge into each

Each chapter runs in a fresh kernel, one after the other, and replaces its file only when all of it ran. A
chapter is out of date when its code, or a module of stylelab or file of weights that it had loaded, is not what
it was when its outputs were made. So an interrupted run goes on where it was.
"""

import argparse
import ast
import asyncio
import contextlib
import hashlib
import io
import json
import os
import re
import signal
import sys
import tempfile
import time
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbclient.output_widget import OutputWidget
from traitlets.config import Config

from stylelab import course
from tests.notebooks import checks

KEPT = ("tags", "jupyter", "cellView")  # of a cell's metadata: hidden sources, Colab's forms
ANSI = re.compile(r"\x1b\[[0-9;]*m")
# The last cell, added for the run and not stored: which modules did the chapter need?
MODULES = "import json as _j, sys as _s; print(_j.dumps([m for m in _s.modules if m.split('.')[0] == 'stylelab']))"
WEIGHTS = checks.ROOT / "data" / "weights"
WAITING = Path(__file__).with_name("waiting.txt")
# Python imports what follows at start, in the kernel and in its children. First, which weights are read? All are opened
# by Python once, to be verified.
WATCH = """
import os, sys

def watch(weights, note):
    file = os.open(note, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def hook(event, arguments):
        if event == "open" and isinstance(arguments[0], (str, os.PathLike)):
            folder, name = os.path.split(os.path.abspath(os.fspath(arguments[0])))
            if folder == weights:
                os.write(file, (name + os.linesep).encode())

    sys.addaudithook(hook)

watch({weights!r}, {note!r})
"""
# Loopback is the kernel's own.
OFFLINE = """
import socket

LOCAL = (None, "", "localhost", "127.0.0.1", "::1")

def guard(method):
    def guarded(self, address):
        if isinstance(address, tuple) and address[0] not in LOCAL:
            raise OSError(f"this runs offline, and {address[0]} was asked for")
        return method(self, address)
    return guarded

def getaddrinfo(host, *args, _real=socket.getaddrinfo, **kwargs):
    if host not in LOCAL:
        raise socket.gaierror(f"this runs offline, and {host} was asked for")
    return _real(host, *args, **kwargs)

socket.socket.connect = guard(socket.socket.connect)
socket.socket.connect_ex = guard(socket.socket.connect_ex)
socket.getaddrinfo = getaddrinfo
"""


class ChapterFailure(Exception):
    """A chapter did not run to its end; the message shows file, cell, source and traceback."""


class MuteOutput(OutputWidget):
    """nbclient's part of an Output widget, as in `interact`, that sends the kernel no copy of what it shows.

    No cell reads that copy. Sent while requests and replies pass on the same channel, it sometimes left the next
    request unseen: kernel and client then wait for each other for ever (nbclient#312; ipykernel#1529 and #1554).
    """

    def sync_state(self) -> None:
        pass


@dataclass
class Run:
    """An executed notebook, the seconds of it and of each cell, and the modules and weights of stylelab in it."""

    notebook: Any
    seconds: float
    cells: list[float]
    modules: list[str]
    weights: list[str]

    def slowest(self, count: int = 3) -> str:
        order = sorted(range(len(self.cells)), key=lambda i: -self.cells[i])[:count]
        return ", ".join(f"cell {i + 1} {self.cells[i]:.0f} s" for i in order if self.cells[i] >= 1)


def run(path: Path, *, fast: bool = False, offline: bool = False, limit: float | None = None) -> Run:
    """Executes a notebook in a fresh kernel, in its own folder; the file is only read.

    Args:
        path: the notebook.
        fast: with STYLELAB_FAST=1, and with a shop page of its own that is thrown away.
        offline: Python's sockets reach nothing but this machine; what asks C libraries finds no proxy.
        limit: seconds for the whole notebook; None for as long as it takes.
    Raises:
        ChapterFailure: a cell failed, the limit was passed, or the kernel died.
    """
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    notebook.cells.append(nbformat.v4.new_code_cell(MODULES))
    began, cells = time.monotonic(), []
    at: dict[str, Any] = {"index": 0, "time": began}

    def on_first(**_: Any) -> None:
        # nbclient's own handler of Ctrl-C kills the kernel and then trips over an assertion.
        def stop(task: Any) -> None:
            at["stopped"] = True
            task.cancel()  # which nbclient takes for the kernel's death

        with contextlib.suppress(NotImplementedError):  # Windows has no such handlers
            asyncio.get_running_loop().add_signal_handler(signal.SIGINT, stop, asyncio.current_task())

    def on_start(cell: Any, cell_index: int) -> None:
        at.update(index=cell_index, time=time.monotonic())

    def on_end(**_: Any) -> None:
        cells.append(time.monotonic() - at["time"])

    with tempfile.TemporaryDirectory(prefix="sl") as temporary:
        settings = Config()
        # Sockets in a folder of short name: ipykernel warns of TCP, and a socket's path has 107 letters.
        if os.name != "nt":
            settings.KernelManager.transport = "ipc"
            settings.KernelManager.connection_file = str(Path(temporary, "kernel.json"))
        client = NotebookClient(
            notebook,
            config=settings,
            kernel_name="python3",
            resources={"metadata": {"path": str(path.parent)}},
            startup_timeout=120,
            timeout_func=lambda _: max(1, round(began + limit - time.monotonic())) if limit else None,
            store_widget_state=True,  # without it an Output widget, as in `interact`, ends the run with a KeyError
            record_timing=False,
            coalesce_streams=True,
            on_notebook_start=on_first,
            on_cell_start=on_start,
            on_cell_executed=on_end,
        )
        client.widget_registry = {"@jupyter-widgets/output": {"OutputModel": MuteOutput}}
        try:
            with Path(temporary, "stderr").open("w+b") as said:
                client.execute(env=environment(Path(temporary), fast, offline), stderr=said)
        except (CellExecutionError, CellTimeoutError, DeadKernelError, asyncio.CancelledError) as error:
            if at.get("stopped"):
                raise KeyboardInterrupt from None
            said = Path(temporary, "stderr").read_text(encoding="utf-8", errors="replace")
            failure = ChapterFailure(_failure(path, notebook, at["index"], error, said))
        else:
            failure = None
        noted = Path(temporary, "weights")
        weights = sorted(set(noted.read_text(encoding="utf-8").split("\n")) - {""}) if noted.exists() else []
    if failure:
        raise failure  # outside of the except block: nbclient's traceback holds ours already
    modules = json.loads(notebook.cells.pop().outputs[0]["text"])
    return Run(tidy(notebook), time.monotonic() - began, cells[:-1], sorted(modules), weights)


def environment(folder: Path, fast: bool, offline: bool) -> dict[str, str]:
    """The kernel's environment; ``folder`` is there while it runs."""
    env = {
        **os.environ,
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "IPYTHONDIR": str(folder / "ipython"),  # no start-up files of the author's
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        "CUDA_VISIBLE_DEVICES": "-1",  # stored outputs are those of a CPU
    }
    for name in ("STYLELAB_FAST", "PYTEST_CURRENT_TEST"):
        env.pop(name, None)  # the last one would keep ipykernel from showing what C++ writes to stderr
    if fast:
        env |= {"STYLELAB_FAST": "1", "STYLELAB_OUT": str(folder / "out")}
    start = WATCH.format(weights=str(WEIGHTS), note=str(folder / "weights")) + OFFLINE * offline
    (folder / "sitecustomize.py").write_text(start, encoding="utf-8")
    env["PYTHONPATH"] = os.pathsep.join(filter(None, [str(folder), env.get("PYTHONPATH")]))
    if offline:
        env |= dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
    return env


def _failure(path: Path, notebook: Any, index: int, error: Exception, said: str) -> str:
    source = notebook.cells[index].source
    number = sum(cell.cell_type == "code" for cell in notebook.cells[: index + 1])
    numbered = "\n".join(f"{n:4d} | {line}" for n, line in enumerate(source.splitlines(), 1))
    shown = [output.traceback for output in notebook.cells[index].outputs if output.output_type == "error"]
    trace = ANSI.sub("", "\n".join(shown[-1])).strip() if shown else ""
    if isinstance(error, CellTimeoutError):
        trace += "\nThe limit for the chapter is over."
    elif isinstance(error, DeadKernelError):
        trace += f"\nThe kernel died; often that is memory. Its last words:\n{said[-2000:]}"
    return f"{path.name}: code cell {number} (cell {index} of the file) failed\n{numbered}\n----\n{trace.strip()}"


def tidy(notebook: Any) -> Any:
    """Leaves what a reader sees, and little that differs between runs or machines."""
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook.metadata = nbformat.from_dict({"kernelspec": kernel, "language_info": {"name": "python"}})
    for cell in notebook.cells:
        cell.metadata = nbformat.from_dict({key: value for key, value in cell.metadata.items() if key in KEPT})
        if cell.cell_type != "code":
            continue
        # A widget without its kernel is an empty box or the text "HBox(children=...)".
        cell.outputs = [output for output in cell.outputs if checks.WIDGET not in output.get("data", {})]
        for output in cell.outputs:
            output.pop("transient", None)
            if output.output_type == "stream":
                output.text = re.sub(r"[^\n]*\r(?!\n)", "", output.text)  # only the last state of a counter
        cell.outputs = [output for output in cell.outputs if output.get("text") != ""]
    return notebook


# Out of date?


def file_digests() -> dict[str, str]:
    """Module of stylelab, or file in ``data/weights`` -> the start of the SHA-256 of its code, or of its bytes."""
    digests = {path.name: hashlib.sha256(path.read_bytes()).hexdigest()[:12] for path in WEIGHTS.iterdir()}
    for path in (checks.ROOT / "stylelab").rglob("*.py"):
        module = ".".join(path.relative_to(checks.ROOT).with_suffix("").parts).removesuffix(".__init__")
        digests[module] = hashlib.sha256(code_of(path.read_text(encoding="utf-8")).encode()).hexdigest()[:12]
    return digests


def code_of(source: str) -> str:
    """A module's lines without docstrings, comments of their own and empty lines: words may change, code may not.

    By lines and not by the parsed tree, whose printed form each Python has its own of.
    """
    lines = source.splitlines()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            doc = node.body[0]
            lines[doc.lineno - 1 : doc.end_lineno] = [""] * (doc.end_lineno - doc.lineno + 1)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT and not token.line[: token.start[1]].strip():
            lines[token.start[0] - 1] = ""
    return "\n".join(filter(str.strip, lines))


def stale(path: Path, now: dict[str, str]) -> str | None:
    """Why the chapter must run again, or None. Text between the code may change freely."""
    chapter = checks.Chapter(path)
    stored = chapter.book.get("metadata", {}).get("stylelab")
    if stored is None:
        return "it has not been executed by this program"
    if stored["code"] != checks.code_digest(chapter.book):
        return "its code changed"
    if any(cell.get("execution_count") is None for cell in chapter.code):
        return "its outputs were cleared"
    used = {**stored["modules"], **stored.get("weights", {})}
    changed = [name for name, digest in used.items() if now.get(name) != digest]
    return f"{', '.join(changed)} changed" if changed else None


def waiting(path: Path = WAITING) -> dict[str, str]:
    """Chapter -> why it is stored from before a change that it uses: the list of those that wait for execution."""
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    if unclear := [line for line in lines if not re.fullmatch(r"\d\d: \S.*", line)]:
        raise ValueError(f"{path.name} has a line that is no chapter's number with its reason: {unclear[0]}")
    return {line[:2]: line[4:] for line in lines}


def store(path: Path, done: Run, digests: dict[str, str], before: bytes) -> None:
    """Puts the executed notebook in place of the file, unless somebody edited that in the meantime."""
    if path.read_bytes() != before:
        raise ChapterFailure(f"{path.name} was edited while it ran: its outputs are not stored. Run it again.")
    # Only what the chapter loaded: an edit of a later chapter's module must not cost hours here. A child
    # process (a line with !) may load anything, so there it is all of the package.
    shell = any(
        line.startswith("!") for c in done.notebook.cells if c.cell_type == "code" for line in c.source.split("\n")
    )
    used = sorted(name for name in digests if name.startswith("stylelab")) if shell else done.modules
    others = re.compile(rf"stylelab\.exercises\.chapter(?!{path.name[:2]})")  # loaded by name, but not asked
    done.notebook.metadata["stylelab"] = {
        "code": checks.code_digest(done.notebook),
        "modules": {name: digests[name] for name in used if not others.match(name)},
        "weights": {name: digests[name] for name in done.weights},
        "seconds": round(done.seconds, 1),
        "cells": {str(n): round(seconds, 1) for n, seconds in enumerate(done.cells, 1) if seconds >= 1},
    }
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        nbformat.write(done.notebook, part)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def set_up(path: Path) -> bool:
    """Writes the set-up cell and the badge under the title; says whether that changed anything."""
    notebook = nbformat.read(path, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]
    if not code or not code[0].source.startswith(checks.SETUP_MARK):
        raise ChapterFailure(
            f'{path.name} has no set-up cell: let its first code cell begin with "{checks.SETUP_MARK}".'
        )
    code[0].source = course.setup_cell().strip()
    top, badge = notebook.cells[0], checks.badge_line(path.name)
    top.source, changed = checks.BADGE_LINE.subn(lambda _: badge, top.source)
    if not changed:
        title, _, rest = top.source.partition("\n")
        top.source = f"{title}\n\n{badge}\n{rest}"
    before = path.read_text(encoding="utf-8")
    after = nbformat.writes(notebook) + "\n"
    if after != before:
        path.write_text(after, encoding="utf-8")
    return after != before


# The command.


def chapters(folder: Path, wanted: list[str]) -> Iterator[Path]:
    paths = sorted(folder.glob("*.ipynb"))
    for number in wanted:
        if not any(path.name.startswith(number) for path in paths):
            raise SystemExit(f"There is no chapter {number} in {folder.name}/.")
    return (path for path in paths if not wanted or path.name.startswith(tuple(wanted)))


def one(path: Path, options: argparse.Namespace) -> str | None:
    """Does what was asked for with one chapter; returns the line to print, None for nothing to say.

    Raises:
        ChapterFailure: it failed, or with --check: it is out of date.
    """
    if options.set_up:
        return f"{path.stem}  set-up cell written" if set_up(path) else None
    digests, before = file_digests(), path.read_bytes()
    why = stale(path, digests)
    if options.check:
        if why:
            raise ChapterFailure(f"{path.stem}  out of date: {why}")
        return None
    if not (why or options.force or options.fast):
        return f"{path.stem}  up to date"
    done = run(path, fast=options.fast, limit=options.limit)
    if not options.fast:
        store(path, done, digests, before)
    slowest = done.slowest()
    return f"{path.stem}  {done.seconds:.0f} s" + (f" ({slowest})" if slowest else "")


def main(arguments: list[str] | None = None) -> int:
    """Returns 0, 1 where a chapter failed (or with --check: is out of date), 130 on Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m tests.notebooks.execute", description=__doc__.split("\n")[0])
    parser.add_argument("numbers", nargs="*", metavar="CHAPTER", help="such as 03; none: all of them")
    parser.add_argument("--chapter", nargs="+", default=[], metavar="CHAPTER", help="the same as an option")
    parser.add_argument("--fast", action="store_true", help="in fast mode; nothing is stored")
    parser.add_argument("--check", action="store_true", help="only say which are out of date")
    parser.add_argument("--force", action="store_true", help="also those that are up to date")
    parser.add_argument("--set-up", action="store_true", help="only write the set-up cell and the badge")
    parser.add_argument("--limit", type=float, metavar="SECONDS", help="at most for each chapter")
    parser.add_argument("--folder", type=Path, default=checks.NOTEBOOKS, help="where the notebooks are")
    options = parser.parse_args(arguments)
    failed = 0
    for path in chapters(options.folder, options.numbers + options.chapter):
        try:
            line = one(path, options)
        except ChapterFailure as failure:
            failed, line = 1, str(failure)
        except KeyboardInterrupt:
            print(f"{path.stem}  stopped; what ran before is stored", flush=True)
            return 130
        if line:
            print(line, flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())
