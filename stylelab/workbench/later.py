"""Work that waits a moment for the newest state, so that a slider feels live.

A kernel does one thing at a time. What a control reports while a preview is painted waits in a queue, and all of it is
taken in before the event loop comes to the next preview: so that one is of the newest state, and none of what came
between is painted.
"""

import asyncio
from collections.abc import Callable


class Later:
    """A function that runs once, ``wait`` seconds from now, however often it is called until then.

    Where no event loop runs, as in a script or a test, it runs at once.

    Args:
        function: what to run.
        wait: seconds.
    """

    def __init__(self, function: Callable[[], None], wait: float):
        self.function, self.wait = function, wait
        self._timer: asyncio.TimerHandle | None = None

    def __call__(self) -> None:
        if self._timer is not None:
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self.function()
        else:
            self._timer = loop.call_later(self.wait, self._run)

    def again(self) -> None:
        """As a call, but the wait begins anew: for work that should come when the hand is at rest."""
        self.cancel()
        self()

    @property
    def waiting(self) -> bool:
        """Whether it is to run soon."""
        return self._timer is not None

    def now(self) -> None:
        """Runs what waits."""
        self.cancel()
        self.function()

    def cancel(self) -> None:
        """Forgets what waits."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _run(self) -> None:
        self._timer = None
        self.function()
