"""The context of one run: who asked for it, and where it reports progress."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Protocol

from micro.correlation import Call


class Reporter(Protocol):
    """Receives progress and log lines of a run, and tells it whether it was cancelled."""

    def progress(self, done: float, total: float | None, message: str) -> None:
        """Receive the progress: ``done`` of ``total``, which is None if unknown."""

    def log(self, level: str, text: str) -> None:
        """Receive one line of the run's log."""

    def cancelled(self) -> bool:
        """Return True if the run was asked to stop."""


class NoReporter:
    """A reporter that discards everything and never cancels."""

    def progress(self, done: float, total: float | None, message: str) -> None:
        """Forget it."""

    def log(self, level: str, text: str) -> None:
        """Forget it."""

    def cancelled(self) -> bool:
        """Return False: without a job, a run cannot be cancelled."""
        return False


@dataclass(frozen=True, slots=True)
class RunContext:
    """The origin of a run: ``transport`` is rest, celery, command or python.

    ``job`` is the id of the job that the run belongs to, or None; ``attempt`` counts from 1. A ``patient``
    run waits for a free slot if its plugin limits concurrency; other runs fail at once. ``traceparent``
    and ``tracestate`` are the W3C trace context of the call.
    """

    transport: str = "python"
    request_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    reporter: Reporter = NoReporter()
    job: str | None = None
    attempt: int = 1
    patient: bool = False
    traceparent: str | None = None
    tracestate: str | None = None

    @classmethod
    def of(cls, call: Call, transport: str) -> RunContext:
        """Return the context of a run for a call."""
        return cls(transport, call.request_id, traceparent=call.traceparent, tracestate=call.tracestate)
