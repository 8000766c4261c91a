"""What ties the log lines, jobs and further calls of one call together: request id and W3C trace."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from random import getrandbits
from typing import Any, NamedTuple

_REQUEST_ID = re.compile(r"[\w.:/+=-]{1,128}", re.ASCII)
_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?", re.ASCII)
_NO_TRACE, _NO_SPAN = "0" * 32, "0" * 16
_MOST_STATE = 512
REQUEST_ID, TRACEPARENT, TRACESTATE = "request_id", "traceparent", "tracestate"
"""The headers of Celery messages."""


class Call(NamedTuple):
    """One call: what identifies it and, while a plugin runs, for which plugin and job."""

    request_id: str
    traceparent: str | None = None
    tracestate: str | None = None
    plugin: str | None = None
    job: str | None = None

    @property
    def trace_id(self) -> str | None:
        """The trace that the call belongs to."""
        return self.traceparent[3:35] if self.traceparent else None


CALL: ContextVar[Call | None] = ContextVar("micro_call", default=None)
"""The call that this thread, or this asyncio task, works for."""


def accept(
    request_id: object, traceparent: object, tracestate: object = None, own_id: str | None = None
) -> Call:
    """Take what a caller sent, where it is what it should be, and make what is missing.

    ``own_id`` is what a call without a request id is known by. A trace that came is passed on as it is: this
    process records no span of its own that could stand between.
    """
    if not (isinstance(request_id, str) and _REQUEST_ID.fullmatch(request_id)):
        request_id = own_id or ""
    if isinstance(traceparent, str) and _is_traceparent(traceparent):
        return Call(request_id or _new_id(), traceparent, _state(tracestate))
    trace = _new_id()
    return Call(request_id or trace, f"00-{trace}-{trace[:16]}-00")


def is_made(traceparent: str) -> bool:
    """Tell whether it was made here, for want of one: it is of no span, and nobody chose not to record."""
    return traceparent[3:19] == traceparent[36:52]


def accept_message(get: Callable[[str], Any], own_id: str) -> Call:
    """Take what the headers of a Celery message say; a message without a request id is known by its own."""
    return accept(get(REQUEST_ID), get(TRACEPARENT), get(TRACESTATE), own_id)


def accept_task(request: Any, own_id: str | None = None) -> Call:
    """Take what the headers of a Celery task's message say, from its ``request``."""
    # Where a task is called in the caller's own process, its headers are not spread out.
    headers = request.headers or {}
    return accept_message(lambda name: request.get(name) or headers.get(name), own_id or request.id)


@contextmanager
def working_for(call: Call) -> Iterator[None]:
    """Let what is done within be done on behalf of the call."""
    token = CALL.set(call)
    try:
        yield
    finally:
        CALL.reset(token)


def message_headers() -> dict[str, str]:
    """Return the headers for a message that is sent on behalf of the current call, if there is one."""
    call = CALL.get()
    if call is None:
        return {}
    given = {REQUEST_ID: call.request_id, TRACEPARENT: call.traceparent, TRACESTATE: call.tracestate}
    return {name: value for name, value in given.items() if value}


def http_headers() -> dict[str, str]:
    """Return the headers for an HTTP request that is sent on behalf of the current call."""
    headers = message_headers()
    request_id = headers.pop(REQUEST_ID, None)
    return headers | {"X-Request-ID": request_id} if request_id else headers


def _new_id() -> str:
    # No secret, and at a third of the cost of one. A forked process draws numbers of its own.
    return f"{getrandbits(128) or 1:032x}"


def _is_traceparent(text: str) -> bool:
    found = _TRACEPARENT.fullmatch(text)
    if not found or len(text) > _MOST_STATE:
        return False
    version, trace, span, more = found.groups()
    # Only a later version may have more at its end; version ff is forbidden, as are ids of zeros.
    return version != "ff" and not (version == "00" and more) and trace != _NO_TRACE and span != _NO_SPAN


def _state(text: object) -> str | None:
    good = isinstance(text, str) and text.isascii() and len(text) <= _MOST_STATE
    return str(text) if good and text else None
