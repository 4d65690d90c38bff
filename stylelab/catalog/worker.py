"""The process around a ``work.Worker``: JSON lines in on stdin, JSON lines out on stdout, and dead with its parent.

Started by ``pool`` as ``python -m stylelab.catalog.worker``: neither a fork, which TensorFlow's threads do not survive,
nor multiprocessing's spawn, which would run the caller's main module again.
"""

import ctypes
import json
import os
import queue
import signal
import sys
import threading
import traceback
from typing import Any

PR_SET_PDEATHSIG = 1  # prctl(2)


def main() -> None:
    """Works until stdin ends. The first line says what for, each further one is a row; each is answered by a line."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print must not stand between the answers

    def answer(content: dict[str, Any]) -> None:
        answers.write(json.dumps(content) + "\n")
        answers.flush()

    start = json.loads(sys.stdin.buffer.readline() or b"null")
    if start is None:
        return
    _die_with(start["parent"])
    sys.path += [place for place in start["path"] if place not in sys.path]  # last: for a method of the user's own
    tasks: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(tasks,), daemon=True).start()

    from .settings import Settings
    from .work import Stop, Worker

    worker = Worker(Settings.from_json(start["settings"]), start["digest"], start["photos"], start["out"])
    answer({"ready": True})
    while True:
        try:
            answer({"entry": worker.do(tasks.get())})
        except Stop as stop:
            answer({"stop": str(stop)})


def _read(tasks: "queue.SimpleQueue[dict[str, Any]]") -> None:
    """Ends the process, wherever it is, when stdin ends: that is when its parent closed it, or is no more."""
    for line in sys.stdin.buffer:
        tasks.put(json.loads(line))
    os._exit(0)


def _die_with(parent: int) -> None:
    """On Linux the kernel kills us when the parent dies, even while native code holds the interpreter's lock."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before
            os._exit(0)


if __name__ == "__main__":
    try:
        main()
    except BaseException:
        # Python would end by waiting for the thread that reads stdin, abort, and bury what was wrong.
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)
