"""Monitor of one run: renews its lease, writes its reports, and stops it when it must end."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol

from micro.errors import StoreUnavailable, TimeLimit, error_fields
from micro.jobs.models import Hold, JobRecord, LogLine, Renewal, State
from micro.models import Progress
from micro.periodic import PeriodicCalls

log = logging.getLogger(__name__)

_LONGEST_PAUSE = 1.0
_MOST_LINES_WAITING = 5000


class Record(Protocol):
    """What a worker writes about a job that it has claimed; the job table implements it."""

    def renew(
        self, hold: Hold, lease: float, progress: Progress | None = None, lines: Sequence[LogLine] = ()
    ) -> Renewal: ...

    def finish(
        self, hold: Hold, state: State, result: str | None = None, error: Mapping[str, Any] | None = None
    ) -> bool: ...

    def release(self, hold: Hold, delay: float, reason: str) -> bool: ...


@dataclass(frozen=True)
class Terms:
    """How runs are monitored: ``lease`` and ``grace``, in seconds, are those of every run.

    ``kill`` is called with the job's id after the grace, and does not return if it can end the process.
    ``ticker`` is the thread that does the monitoring.
    """

    lease: float
    grace: float
    kill: Callable[[str], None]
    periodic: PeriodicCalls


class Monitor:
    """The reporter of a job's run; a context manager around the run.

    A run that was asked to stop, or is past its time limit, gets a grace period to end by itself. After
    that its end is recorded and its process is killed.
    """

    def __init__(self, record: Record, job: JobRecord, terms: Terms) -> None:
        self._record, self._job, self._terms = record, job, terms
        self._lines: deque[LogLine] = deque(maxlen=_MOST_LINES_WAITING)
        self._progress: Progress | None = None
        self._stop_asked = threading.Event()
        self._over = False
        self._answered = True
        # Held while reports are written: by the ticker's thread or, at the end, by the run's own.
        self._writing = threading.Lock()
        now = time.monotonic()
        self._pause = min(_LONGEST_PAUSE, terms.lease / 3)
        self._due = now + self._pause
        self._deadline = now + job.timeout if job.timeout else math.inf
        self._kill_at = self._deadline + terms.grace

    def progress(self, done: float, total: float | None, message: str) -> None:
        """Keep the newest report; it is written to the store within a second."""
        # JSON has neither NaN nor infinity, so a report of them is dropped.
        if math.isfinite(done):
            known = float(total) if total is not None and math.isfinite(total) else None
            self._progress = Progress(float(done), known, str(message))

    def log(self, level: str, text: str) -> None:
        """Keep the line; it is written to the store within a second."""
        self._lines.append(LogLine(level, text, time.time()))

    def cancelled(self) -> bool:
        """Return True if the run should stop."""
        return self._stop_asked.is_set()

    def is_out_of_time(self) -> bool:
        """Return True if the run is past its time limit."""
        return time.monotonic() >= self._deadline

    def __enter__(self) -> Monitor:
        self._terms.periodic.add(self._tick)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._terms.periodic.remove(self._tick)
        with self._writing:
            self._over = True
            if self._progress or self._lines:
                self._report()

    def _tick(self) -> None:
        if time.monotonic() < self._due:
            return
        with self._writing:
            if self._over:
                return
            self._report()
            self._due = time.monotonic() + self._pause
            if time.monotonic() >= self._kill_at:
                self._over = True
                self._end()

    def _report(self) -> None:
        progress, self._progress = self._progress, None
        lines = [self._lines.popleft() for _ in range(len(self._lines))]
        try:
            renewal = self._record.renew(self._job.hold, self._terms.lease, progress, lines)
        except StoreUnavailable as err:
            if self._answered:
                log.warning(
                    "Job %s goes on, but the job table does not answer: %s", self._job.id, err.message
                )
            self._answered = False
            self._lines.extendleft(reversed(lines))
            self._progress = self._progress or progress
            return
        self._answered = True
        if renewal.cancel_requested or not renewal.kept:
            self._ask_to_stop()

    def _ask_to_stop(self) -> None:
        if not self._stop_asked.is_set():
            self._stop_asked.set()
            self._kill_at = time.monotonic() + self._terms.grace

    def _end(self) -> None:
        """Record the end of a run that did not end by itself, and kill its process."""
        try:
            if self._stop_asked.is_set():
                self._record.finish(self._job.hold, State.CANCELLED)
            else:
                self._record.finish(self._job.hold, State.FAILED, error=time_limit_fields(self._job))
        except StoreUnavailable as err:
            log.error(
                "Job %s: its end is not recorded, the job table does not answer: %s",
                self._job.id,
                err.message,
            )
        self._terms.kill(self._job.id)


def time_limit_fields(job: JobRecord) -> Mapping[str, Any]:
    """Return the fields of the error of a job that exceeded its time limit."""
    error = time_limit(job)
    return {**error_fields(error), "status": error.status}


def time_limit(job: JobRecord) -> TimeLimit:
    """Return the error of a job that exceeded its time limit."""
    return TimeLimit(
        f"The run took longer than the {job.timeout:g} seconds that plugin {job.plugin!r} allows"
    )
