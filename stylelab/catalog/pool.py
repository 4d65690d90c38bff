"""Processes that work on rows. One that dies costs its own row, and that only when it dies of it twice.

Our own pool, since ``concurrent.futures.ProcessPoolExecutor`` breaks as a whole when one process dies: every row under
way fails without a word on which was to blame, and all other processes start anew, each loading its network. Here a
thread stands behind each process, knows which row it has, and alone starts another one.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import IO, Any

from ..errors import ResourceError

ATTEMPTS = 2
GRACE = 30  # seconds between the end of its output and its death
# A worker has one core to itself: pictures then do not depend on how many workers there are, and N workers with a
# thread each do more than one with N threads. OpenVINO's result does not depend on its threads.
ONE = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")


class Pool:
    """Workers for rows.

    Args:
        count: of processes, each started when it first gets a row.
        start: what a worker is told at its start, see ``worker.main``.
    """

    def __init__(self, count: int, start: dict[str, Any]):
        self.count = count
        self._start = json.dumps({**start, "parent": os.getpid(), "path": sys.path}) + "\n"
        self._threads = ThreadPoolExecutor(count, "stylelab-catalog")
        self._own = threading.local()
        self._alive: set[_Process] = set()
        self._closed, self._lock = False, threading.Lock()

    def work(self, tasks: Iterable[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
        """Hands out rows and yields each with its answer, in the order in which they are finished.

        Few rows are under way at a time, so ``tasks`` may be endless. An answer is ``{"entry": ...}``,
        ``{"stop": sentence}``, or ``{"died": sentence}`` when each worker that had the row died.

        Raises:
            ResourceError: workers die before they have a row.
        """
        todo, running = iter(tasks), dict[Future[dict[str, Any]], dict[str, Any]]()
        while True:
            while len(running) < 2 * self.count and (task := next(todo, None)) is not None:
                running[self._threads.submit(self._attend, task)] = task
            if not running:
                return
            for finished in wait(running, return_when=FIRST_COMPLETED).done:
                task = running.pop(finished)
                yield task, finished.result()

    def _attend(self, task: dict[str, Any]) -> dict[str, Any]:
        last = ""
        for _ in range(ATTEMPTS):
            process = getattr(self._own, "process", None) or self._started()
            answer = process.ask(task)
            if answer is not None:
                return answer
            last, self._own.process = self._ended(process), None
        return {"died": last}

    def _started(self) -> "_Process":
        for _ in range(ATTEMPTS):
            with self._lock:
                if self._closed:
                    raise ResourceError("The run has ended.")
                process = _Process(self._start)
                self._alive.add(process)
            if process.answer() is not None:
                self._own.process = process
                return process
            last = self._ended(process)
        raise ResourceError(f"No worker can start ({last}): free some memory, or use fewer --workers.")

    def _ended(self, process: "_Process") -> str:
        """Forgets a process that died, and says what of."""
        with self._lock:
            self._alive.discard(process)
        return process.end()

    def close(self) -> None:
        """Ends all workers at once: what they were writing is not there, since each file is written whole."""
        with self._lock:
            self._closed = True
            for process in self._alive:
                process.kill()  # its thread sees it, and cleans up
        self._threads.shutdown(cancel_futures=True)


class _Process:
    """One worker and the pipes to it."""

    def __init__(self, start: str):
        self.errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by end
        # -P: a file numpy.py in the folder that a shop keeps its photos in is no module.
        command = [sys.executable, "-P", "-m", "stylelab.catalog.worker"]
        pipe = subprocess.PIPE
        environment = dict.fromkeys(ONE, "1") | dict(os.environ)
        # On Colab the package is not installed: the set-up cell put its folder on this process's path alone.
        places = [str(Path(__file__).resolve().parents[2]), os.environ.get("PYTHONPATH", "")]
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, places))
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=self.errors, env=environment)
        self._send(start)

    def _send(self, line: str) -> None:
        assert self.process.stdin is not None
        with contextlib.suppress(OSError):  # it is dead, as the missing answer will show
            self.process.stdin.write(line.encode())
            self.process.stdin.flush()

    def answer(self) -> dict[str, Any] | None:
        """The next line; None if it died instead."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        return json.loads(line) if line.endswith(b"\n") else None

    def ask(self, task: dict[str, Any]) -> dict[str, Any] | None:
        """The answer to a row; None if it died of it, or before."""
        self._send(json.dumps(task) + "\n")
        return self.answer()

    def kill(self) -> None:
        """Kills it; any thread may do so."""
        self.process.kill()

    def end(self) -> str:
        """Waits until it is dead, cleans up, and returns what it died of."""
        try:
            code = self.process.wait(GRACE)
        except subprocess.TimeoutExpired:  # it closed its stdout and lives
            self.process.kill()
            self.process.wait()
            code = 0
        for pipe in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(OSError):  # the rest of a row that it did not read
                pipe.close()  # type: ignore[union-attr]
        with self.errors:
            self.errors.seek(max(0, self.errors.seek(0, os.SEEK_END) - 4000))
            last = self.errors.read().decode(errors="replace").split("\n")
        if code == -signal.SIGKILL:
            return "it was killed, as a system does that runs out of memory"
        named = signal.Signals(-code).name if -code in set(signal.Signals) else f"exit code {code}"
        told = [line.strip() for line in last if line.strip()][-1:]
        return ": ".join([named, *told])[:300]
