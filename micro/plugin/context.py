"""What travels with one run besides its parameters."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Protocol

from micro.correlation import Call


class Reporter(Protocol):
    """Takes what a run reports, and tells it whether it is to stop."""

    def progress(self, done: float, total: float | None, message: str) -> None:
        """Take how far the run is: ``done`` of ``total``, None if that is unknown."""

    def log(self, level: str, text: str) -> None:
        """Take one line of the run's log."""

    def cancelled(self) -> bool:
        """Tell whether somebody asked the run to stop."""


class NoReporter:
    """What a run that nobody watches reports to."""

    def progress(self, done: float, total: float | None, message: str) -> None:
        """Forget it."""

    def log(self, level: str, text: str) -> None:
        """Forget it."""

    def cancelled(self) -> bool:
        """Nobody can ask."""
        return False


@dataclass(frozen=True, slots=True)
class RunContext:
    """Tells a run who asked for it: ``transport`` is rest, celery, command or python.

    ``job`` is the id of the job that the run belongs to, if it is one; ``attempt`` counts from 1. A run
    that is ``patient`` waits for its turn where its plugin limits how many there are at once. ``traceparent``
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
        """Make the context of a run that a call asks for."""
        return cls(transport, call.request_id, traceparent=call.traceparent, tracestate=call.tracestate)
