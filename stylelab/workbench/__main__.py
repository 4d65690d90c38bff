"""Serves the workbench as a page, for this machine alone: ``python -m stylelab.workbench``."""

import argparse
import os
import socket
import sys
from pathlib import Path

LARGEST = 100  # MB of an upload


def main() -> int:
    """Starts Voila on 127.0.0.1 and prints the address; ends with Ctrl-C.

    Returns:
        2 if Voila is not installed or the port is taken, else 0.
    """
    parser = argparse.ArgumentParser(prog="python -m stylelab.workbench", description=__doc__)
    parser.add_argument("--port", type=int, default=8866, help="default: 8866")
    port = parser.parse_args().port
    try:
        from voila.app import Voila
    except ImportError:
        print("The page needs Voila: run pip install -e '.[app]' in the clone of StyleLab.", file=sys.stderr)
        return 2
    with socket.socket() as other:  # Voila would take the next free port, and not say so
        if not other.connect_ex(("127.0.0.1", port)):
            print(f"Port {port} is taken: end what uses it, or choose another one with --port.", file=sys.stderr)
            return 2
    options = {
        "port": port,
        "Voila.ip": "127.0.0.1",
        "Voila.log_level": "ERROR",
        "theme": "light",
        # Sockets in the file system, where there are: TCP would be open to every user of this machine.
        "KernelManager.transport": "ipc" if os.name == "posix" else "tcp",
        # A tab that was closed hard leaves its kernel with the networks in memory.
        "MappingKernelManager.cull_interval": 60,
        "MappingKernelManager.cull_idle_timeout": 3600,
    }
    arguments = [str(Path(__file__).with_name("app.ipynb")), "--no-browser"]
    arguments += [f"--{name}={value}" for name, value in options.items()]
    print(f"StyleLab's workbench: http://127.0.0.1:{port}/  (Ctrl-C ends it)", flush=True)
    # Tornado closes the connection at 10 MiB, without a word, and a camera's photo may be larger.
    Voila.launch_instance(arguments, tornado_settings={"websocket_max_message_size": LARGEST * 1024**2})
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
