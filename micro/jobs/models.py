"""What a job is: its states, its record, its events, and its time-ordered id."""

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

DEFAULT_ATTEMPTS = 3
MAX_PAGE = 1000
"""Jobs that one listing shows at most."""
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


class State(StrEnum):
    """Where a job stands; a finished one never changes again."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def finished(self) -> bool:
        return self not in ACTIVE


ACTIVE = (State.QUEUED, State.RUNNING)
FINISHED = (State.SUCCEEDED, State.FAILED, State.CANCELLED)


@dataclass(frozen=True)
class Progress:
    """How far a run has come: ``done`` of ``total`` (None: unknown), and a word about it."""

    done: float
    total: float | None = None
    message: str = ""


@dataclass(frozen=True)
class LogLine:
    """One line that a run logged; ``time`` in seconds since the epoch, by the worker's clock."""

    level: str
    text: str
    time: float


@dataclass(frozen=True)
class NewJob:
    """A run to be recorded.

    ``params`` are the real ones, for the worker; ``shown`` the same with secrets masked, or
    None when nothing is secret. ``attempts`` bounds all claims, first and repeated, whether an
    exception or a lost worker ended them. ``delay`` and ``timeout`` are seconds.
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
    """A worker's right to one attempt at a job; all that it writes is checked against it."""

    job: str
    owner: str
    attempt: int


@dataclass(frozen=True)
class Job:
    """One row of the job table, as it was when it was read.

    ``params`` has secrets masked, except in what ``claim`` returns to a worker; it is None
    in a listing, and so is ``result`` (JSON text). ``has_secrets`` tells that the real values
    are gone once the job is finished. ``lost`` counts workers that vanished while they ran it,
    ``last_event`` is the number of its newest event.
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
        """The claim's token, for the worker that got this job from ``claim``."""
        return Hold(self.id, self.worker or "", self.attempt)


@dataclass(frozen=True)
class Renewal:
    """What a worker learns when it renews its lease."""

    kept: bool
    cancel_requested: bool = False


@dataclass(frozen=True)
class Page:
    """Some jobs, newest first, and where the next page starts (None: there is none)."""

    jobs: tuple[Job, ...]
    cursor: str | None


@dataclass(frozen=True)
class Event:
    """One thing that happened to a job; ``kind`` is ``state``, ``progress`` or ``log``.

    Numbers rise within a job and may skip: of several states or several progress reports
    only the newest is kept.
    """

    number: int
    kind: str
    data: Mapping[str, Any]


@dataclass(frozen=True)
class Feed:
    """The events after a given one; ``over`` says that none will ever follow them."""

    events: tuple[Event, ...]
    over: bool


@dataclass(frozen=True)
class Swept:
    """What a sweep found: (id, queue) pairs to publish, and jobs it brought to an end."""

    publish: tuple[tuple[str, str], ...] = ()
    failed: tuple[str, ...] = ()
    cancelled: tuple[str, ...] = ()


def new_id() -> str:
    """Return a UUID of version 7 (RFC 9562), so that ids sort by the time they were made."""
    return _uuid7(time.time_ns(), randbits(62))


def first_id(moment: float) -> str:
    """Return the lowest id that could be made at ``moment`` (seconds since the epoch)."""
    return _uuid7(max(0, int(moment * 1000)) * 1_000_000, 0)


def is_id(text: str) -> bool:
    """Tell whether ``text`` has the form of an id."""
    return _ID.fullmatch(text) is not None


def instant(seconds: float) -> datetime:
    """Return ``seconds`` since the epoch as an aware UTC time."""
    return datetime.fromtimestamp(seconds, UTC)


def _uuid7(nanoseconds: int, low: int) -> str:
    milliseconds, rest = divmod(nanoseconds, 1_000_000)
    fraction = (rest << 12) // 1_000_000
    return str(uuid.UUID(int=milliseconds << 80 | 7 << 76 | fraction << 64 | 2 << 62 | low))
