"""Queue depths and job counts, cached and with a timeout."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from micro.jobs.depth import load_libraries, queue_depths
from micro.readiness import Inquiry

if TYPE_CHECKING:
    from micro.jobs.service import Jobs

_PATIENCE_SECONDS = 2.0
_KEEP_SECONDS = 3.0

Numbers = Mapping[str, int]


@dataclass(frozen=True)
class Counts:
    """Jobs by state, and waiting runs by queue; None if the job table or the broker did not answer."""

    jobs: Numbers | None
    queues: Numbers | None


class Backlog:
    """Asks the job table and the broker in parallel, waits two seconds at most, and caches for three."""

    def __init__(self, find_jobs: Callable[[], Jobs]) -> None:
        self._find_jobs = find_jobs
        self._jobs = Inquiry(lambda: _tried(lambda: _count_jobs(find_jobs())), _KEEP_SECONDS)
        self._queues = Inquiry(lambda: _tried(lambda: queue_depths(find_jobs())), _KEEP_SECONDS)

    def load(self) -> None:
        """Import the libraries in advance: on a busy machine this can take longer than the timeout."""
        with suppress(Exception):
            # The same error comes again in counts(), which then returns None for it.
            load_libraries(self._find_jobs())

    def counts(self) -> Counts:
        """Return the counts, at most three seconds old; this takes two seconds at most."""
        self._jobs.begin()
        self._queues.begin()
        deadline = time.monotonic() + _PATIENCE_SECONDS
        jobs, queues = (each.end(deadline, _PATIENCE_SECONDS) for each in (self._jobs, self._queues))
        return Counts(jobs, queues)


def _count_jobs(jobs: Jobs) -> Numbers:
    return {str(state): number for state, number in jobs.store.counts().items()}


def _tried(count: Callable[[], Numbers]) -> Numbers | None:
    try:
        return count()
    # Each broker's library has its own exceptions. Whatever they are, the count is unknown.
    except Exception:
        return None
