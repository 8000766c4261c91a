"""Data classes for jobs: state, record, progress, events; and time-ordered ids."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from secrets import randbits
from typing import Any

from micro.models import Progress

DEFAULT_ATTEMPTS = 3
MAX_PAGE = 1000
"""The most jobs in one page of a listing, and the most log lines in one feed of events."""
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


class State(StrEnum):
    """The state of a job; a finished job never changes again."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def finished(self) -> bool:
        """True if the job has ended, with or without success."""
        return self not in ACTIVE


ACTIVE = (State.QUEUED, State.RUNNING)
FINISHED = (State.SUCCEEDED, State.FAILED, State.CANCELLED)


@dataclass(frozen=True)
class LogLine:
    """One line that a run logged; ``time`` is in seconds since the epoch, by the worker's clock."""

    level: str
    text: str
    time: float


@dataclass(frozen=True)
class NewJob:
    """A run to be recorded.

    ``params`` are the real parameters, for the worker; ``shown`` are the same with secrets
    masked, or None if nothing is secret. ``attempts`` is the highest number of attempts,
    whether an exception or a lost worker ended them. ``delay`` and ``timeout`` are seconds.
    """

    plugin: str
    params: Mapping[str, Any]
    shown: Mapping[str, Any] | None = None
    queue: str = ""
    attempts: int = DEFAULT_ATTEMPTS
    delay: float = 0.0
    timeout: float | None = None
    idempotency_key: str | None = None
    parent: str | None = None
    transport: str | None = None
    request_id: str | None = None
    traceparent: str | None = None
    generation: int | None = None


@dataclass(frozen=True)
class Hold:
    """A worker's claim to one attempt at a job: a fencing token that every write is checked against."""

    job: str
    owner: str
    attempt: int


@dataclass(frozen=True)
class JobRecord:
    """One row of the job table, as it was when it was read.

    ``params`` has secrets masked, except in what ``claim`` returns to a worker. ``params`` and
    ``result`` (JSON text) are None in a listing. ``has_secrets`` is True if some parameters are
    secret; their real values are deleted when the job ends. ``lost`` counts workers that
    vanished while they ran the job. ``last_event`` is the number of its newest event.
    """

    id: str
    plugin: str
    queue: str
    state: State
    params: Mapping[str, Any] | None
    has_secrets: bool
    progress: Progress | None
    result: str | None
    error: Mapping[str, Any] | None
    created: datetime
    run_after: datetime
    started: datetime | None
    finished: datetime | None
    worker: str | None
    attempt: int
    attempts: int
    lost: int
    cancel_requested: bool
    timeout: float | None
    idempotency_key: str | None
    parent: str | None
    transport: str | None
    request_id: str | None
    traceparent: str | None
    generation: int | None
    last_event: int
    log_lines: int

    @property
    def hold(self) -> Hold:
        """The fencing token of the worker that got this job from ``claim``."""
        return Hold(self.id, self.worker or "", self.attempt)


@dataclass(frozen=True)
class Renewal:
    """What a worker learns when it renews its lease; ``kept`` is False if the job is no longer its own."""

    kept: bool
    cancel_requested: bool = False


@dataclass(frozen=True)
class Page:
    """A page of jobs, newest first, and the cursor of the next page (None: there is none)."""

    jobs: tuple[JobRecord, ...]
    cursor: str | None


@dataclass(frozen=True)
class Swept:
    """The result of a sweep: (id, queue) pairs to publish, and ids of jobs that it failed or cancelled."""

    publish: tuple[tuple[str, str], ...] = ()
    failed: tuple[str, ...] = ()
    cancelled: tuple[str, ...] = ()


def new_id() -> str:
    """Return a UUID of version 7 (RFC 9562): these sort by the time of their creation."""
    return _uuid7(time.time_ns(), randbits(62))


def first_id(moment: float) -> str:
    """Return the lowest id that can be created at ``moment`` (seconds since the epoch)."""
    return _uuid7(max(0, int(moment * 1000)) * 1_000_000, 0)


def is_id(text: str) -> bool:
    """Return True if ``text`` has the form of a job's id."""
    return _ID.fullmatch(text) is not None


def instant(seconds: float) -> datetime:
    """Return ``seconds`` since the epoch as an aware UTC time."""
    return datetime.fromtimestamp(seconds, UTC)


def _uuid7(nanoseconds: int, low: int) -> str:
    milliseconds, rest = divmod(nanoseconds, 1_000_000)
    fraction = (rest << 12) // 1_000_000
    return str(uuid.UUID(int=milliseconds << 80 | 7 << 76 | fraction << 64 | 2 << 62 | low))
