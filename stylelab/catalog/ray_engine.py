"""The rows on Ray Data (the extra ``scale``): the same work on a laptop, or on every machine of a cluster.

Each actor holds one ``work.Worker``, so a network is loaded once; the pool grows to as many actors as are allowed while
rows wait. A block is one row; what an actor that died has left undone is tried once more, row by row. Pictures are
written where they are made, under their SKUs' names, so all machines must see the photos and the run's folder at the
same paths (a shared file system); photos in object stores are fetched through fsspec (``sources``).

Ray costs about 10 s and 1.5 GB before the first picture: on one machine the local engine is the faster one.
"""

import itertools
import json
import logging
import os
import sys
from collections.abc import Iterator
from typing import Any

from ..errors import ResourceError, SettingsError
from .pool import ONE

CHUNK = 5000  # rows that Ray knows of at once, so that a long catalog costs no memory
STORE = 200 * 2**20  # bytes of Ray's object store: only names and numbers pass through it


class RayEngine:
    """A pool of actors.

    Args:
        count: of actors at most; None: the cluster's cores.
        begin: what a worker is told at its start.
    Raises:
        SettingsError: Ray is not installed.
        ResourceError: it does not start.
    """

    def __init__(self, count: int | None, begin: dict[str, Any]):
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # no word to anybody about this run
        try:
            import ray
            import ray.data
        except ImportError:
            raise SettingsError(
                "Ray is not installed: run pip install -e '.[scale]', or use the engine local."
            ) from None
        self._begin = {**begin, "path": sys.path}
        self._started = not ray.is_initialized()
        if self._started:
            one_core = {"env_vars": dict.fromkeys(ONE, "1")}  # as in the local engine, so that pictures are the same
            options: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False, "runtime_env": one_core}
            if not os.environ.get("RAY_ADDRESS"):
                cores = max(count or 1, os.cpu_count() or 1)
                options |= {"include_dashboard": False, "object_store_memory": STORE, "num_cpus": cores}
            try:
                ray.init(**options)
            except Exception as error:  # Ray's own kinds, and a bare Exception when it is slow
                reason = " ".join(str(error).split())[:200]
                raise ResourceError(f"Ray does not start ({reason}): try again, or use the engine local.") from error
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        context.max_errored_blocks = -1  # a row whose actor died is missing, and found missing below
        self.count = count or int(ray.cluster_resources()["CPU"])

    def work(self, tasks: Iterator[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
        """As ``pool.Pool.work``."""
        while chunk := list(itertools.islice(tasks, CHUNK)):
            lost: list[dict[str, Any]] = []
            yield from self._answers(chunk, lost)
            for task in lost:  # a dead actor takes along what waited for it: each once more, by itself
                fatal: list[dict[str, Any]] = []
                yield from self._answers([task], fatal)
                for one in fatal:
                    yield one, {"died": "see Ray's log"}

    def _answers(
        self, tasks: list[dict[str, Any]], lost: list[dict[str, Any]]
    ) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
        """Each task with its answer; those without one are added to ``lost``."""
        import ray.data

        waiting = {str(place): task for place, task in enumerate(tasks)}
        rows = [{"place": place, "task": json.dumps(task)} for place, task in waiting.items()]
        actor: Any = _Actor
        answers = ray.data.from_items(rows, override_num_blocks=len(rows)).map(
            actor,
            fn_constructor_args=(self._begin,),
            compute=ray.data.ActorPoolStrategy(min_size=1, max_size=self.count),
            num_cpus=1,
            max_task_retries=1,
            max_restarts=-1,
        )
        for found in answers.iter_rows():
            yield waiting.pop(found["place"]), json.loads(found["answer"])
        lost += waiting.values()

    def close(self) -> None:
        """Ends Ray, if it was started here."""
        import ray

        if self._started:
            ray.shutdown()


class _Actor:
    """What a ``work.Worker`` is to Ray."""

    def __init__(self, begin: dict[str, Any]):
        from .settings import Settings
        from .work import Worker

        sys.path += [place for place in begin["path"] if place not in sys.path]
        settings = Settings.from_json(begin["settings"])
        self.worker = Worker(settings, begin["digest"], begin["photos"], begin["out"])

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        from .work import Stop

        try:
            answer: dict[str, Any] = {"entry": self.worker.do(json.loads(row["task"]))}
        except Stop as stop:
            answer = {"stop": str(stop)}
        return {"place": row["place"], "answer": json.dumps(answer)}
