"""Voila and JupyterLab, as a reader starts them, on a free port of this machine; and the browser that visits them."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# A container has no sandbox to give and no network to ask.
_OFF = ("gpu", "quic", "background-networking", "component-update", "sync")
FLAGS = ["--no-sandbox", "--no-first-run", *(f"--disable-{name}" for name in _OFF)]
PATIENCE = 120  # seconds until a server, or anything on a page, is given up: the machine may be busy


def chromium() -> str | None:
    """Where a Chromium is, if there is one."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


def _environment(folder: Path) -> dict[str, str]:
    """Settings and outputs in ``folder``, nothing of the user's own."""
    mine = {f"JUPYTER_{kind}_DIR": str(folder / kind.lower()) for kind in ("CONFIG", "DATA", "RUNTIME")}
    settings = folder / "settings"
    news = settings / "@jupyterlab" / "apputils-extension" / "notification.jupyterlab-settings"
    news.parent.mkdir(parents=True)
    news.write_text('{"fetchNews": "false"}')  # or a window asks for consent
    mine |= {"JUPYTERLAB_SETTINGS_DIR": str(settings), "IPYTHONDIR": str(folder / "ipython")}
    return {**os.environ, **mine, "STYLELAB_OUT": str(folder / "out")}


@contextlib.contextmanager
def voila(folder: Path) -> Iterator[str]:
    """``make workbench``; the address of its page."""
    port = free_port()
    with _running([sys.executable, "-m", "stylelab.workbench", "--port", str(port)], folder, port) as address:
        yield f"{address}/"


@contextlib.contextmanager
def lab(folder: Path) -> Iterator[str]:
    """JupyterLab with a notebook that shows the workbench; the notebook's address."""
    notebooks = folder / "notebooks"
    notebooks.mkdir()
    cell = {
        "cell_type": "code",
        "execution_count": None,
        "id": "show",
        "metadata": {},
        "outputs": [],
        "source": "from stylelab import workbench\nworkbench.app()",
    }
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    notebook: dict[str, Any] = {"cells": [cell], "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}
    (notebooks / "workbench.ipynb").write_text(json.dumps(notebook))
    port = free_port()
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}"]
    command += ["--ServerApp.port_retries=0", f"--ServerApp.root_dir={notebooks}"]
    command += ["--IdentityProvider.token=", "--KernelManager.transport=ipc"]  # for this machine, for this test
    with _running(command, folder, port) as address:
        yield f"{address}/lab/tree/workbench.ipynb?reset"


@contextlib.contextmanager
def _running(command: list[str], folder: Path, port: int) -> Iterator[str]:
    address, log = f"http://127.0.0.1:{port}", folder / "server.log"
    with log.open("w") as written:
        server = subprocess.Popen(command, env=_environment(folder), cwd=folder, stdout=written, stderr=written)
    try:
        give_up = time.monotonic() + PATIENCE
        # Asked by its port: a page of Voila's would start a kernel.
        while not _listens(port):
            assert server.poll() is None, f"the server ended:\n{log.read_text()[-3000:]}"
            assert time.monotonic() < give_up, f"the server does not answer:\n{log.read_text()[-3000:]}"
            time.sleep(0.2)
        yield address
    finally:
        server.terminate()
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False
