"""Sweeper: a thread of a worker node that sweeps the job table, publishes due jobs, and purges old ones."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from micro.errors import StoreUnavailable
from micro.jobs.store.store import JobStore

log = logging.getLogger(__name__)

_TASK = "upkeep"
_SWEEP_SECONDS = 1.0
_LEAD_SECONDS = 3 * _SWEEP_SECONDS
_AT_ONCE = 500
_CLEAN_UP_EVERY = 60.0
# Seconds after which a clean-up leaves the rest to the next one, so that sweeps go on.
_CLEAN_UP_SECONDS = 1.0


class Sweeper:
    """Sweeps every second while this process, and no other, holds the lease on sweeping.

    ``keep`` is the number of seconds after which finished jobs are deleted. ``wake(job, queue)`` publishes
    the message about a job and returns True if the broker took it.
    """

    def __init__(self, store: JobStore, keep: float, owner: str, wake: Callable[[str, str], bool]) -> None:
        self._store, self._keep, self._owner, self._wake = store, keep, owner, wake
        self._unsent: deque[tuple[str, str]] = deque()
        self._clean_up_at = 0.0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="upkeep", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Finish the current sweep and give up the lease; wait three seconds at most for that."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(_LEAD_SECONDS)

    def _run(self) -> None:
        answered = True
        while not self._stopping.wait(_SWEEP_SECONDS):
            try:
                self.keep_up()
                answered = True
            except StoreUnavailable as err:
                if answered:
                    log.warning("The job table is not swept as long as it does not answer: %s", err.message)
                answered = False
            except Exception:
                # The thread's outermost edge: no error may end the sweeping.
                log.exception("The job table could not be swept")
        with suppress(StoreUnavailable):
            self._store.resign(_TASK, self._owner)

    def keep_up(self) -> None:
        """Sweep once, and clean up if it is time, unless another process holds the lease."""
        if not self._store.lead(_TASK, self._owner, _LEAD_SECONDS):
            self._unsent.clear()
            return
        # A sweep counts its jobs as published, and they wait longer the next time. So do not sweep while the
        # broker takes no messages.
        if self._publish():
            swept = self._store.sweep(_AT_ONCE)
            for job in swept.failed:
                log.error("Job %s failed: its worker was lost in every attempt", job)
            self._unsent.extend(swept.publish)
            self._publish()
        if time.monotonic() >= self._clean_up_at:
            self._clean_up()
            self._clean_up_at = time.monotonic() + _CLEAN_UP_EVERY

    def _publish(self) -> bool:
        """Publish the messages that are due; return False if the broker did not take one."""
        while self._unsent and not self._stopping.is_set():
            job, queue = self._unsent[0]
            if not self._wake(job, queue):
                return False
            self._unsent.popleft()
        return True

    def _clean_up(self) -> None:
        until = time.monotonic() + _CLEAN_UP_SECONDS
        while self._store.purge(self._keep, _AT_ONCE) and time.monotonic() < until:
            if self._stopping.is_set():
                return
