"""What jobs and their clients share: the events and the progress of a job."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Progress:
    """A progress report: ``done`` of ``total`` (None: unknown), and a short message."""

    done: float
    total: float | None = None
    message: str = ""


@dataclass(frozen=True)
class Event:
    """One event of a job; ``kind`` is ``state``, ``progress`` or ``log``.

    Numbers rise within a job, with gaps: of its states, and of its progress reports, only the newest is kept.
    """

    number: int
    kind: str
    data: Mapping[str, Any]


@dataclass(frozen=True)
class Feed:
    """Some events of a job, in order; ``over`` is True if no events will follow these."""

    events: tuple[Event, ...] = ()
    over: bool = False
