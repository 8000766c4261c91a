"""Limits the concurrent runs of one plugin in a process."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from micro.errors import TooManyRuns
from micro.plugin.context import RunContext

_LOOK_SECONDS = 0.2


class ConcurrencyLimit:
    """The slots for concurrent runs of one plugin in this process."""

    def __init__(self, plugin: str, count: int) -> None:
        self._plugin, self._count = plugin, count
        self._free = threading.BoundedSemaphore(count)

    @contextmanager
    def taken(self, context: RunContext) -> Iterator[None]:
        """Hold a slot during the ``with`` block; a patient run waits until one is free.

        Raises TooManyRuns if none is free, or if a patient run is cancelled while it waits.
        """
        while not self._free.acquire(timeout=_LOOK_SECONDS if context.patient else 0):
            if not context.patient or context.reporter.cancelled():
                runs = "1 run" if self._count == 1 else f"{self._count} runs"
                raise TooManyRuns(
                    f"Plugin {self._plugin!r} does {runs} at a time, and is busy; call again in a moment"
                )
        try:
            yield
        finally:
            self._free.release()
