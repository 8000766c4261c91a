"""Request id and W3C trace context of the current call, as log lines, jobs and outgoing calls carry them."""

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
"""Names of the headers in Celery messages."""


class Call(NamedTuple):
    """The ids of one call and, while a plugin runs, the names of the plugin and its job."""

    request_id: str
    traceparent: str | None = None
    tracestate: str | None = None
    plugin: str | None = None
    job: str | None = None

    @property
    def trace_id(self) -> str | None:
        """The trace id, 32 hexadecimal digits; None if the call has no trace."""
        return self.traceparent[3:35] if self.traceparent else None


CALL: ContextVar[Call | None] = ContextVar("micro_call", default=None)
"""The call that the current thread or asyncio task serves."""


def accept(
    request_id: object, traceparent: object, tracestate: object = None, own_id: str | None = None
) -> Call:
    """Return a Call with the ids that the caller sent; generate those that are missing or malformed.

    ``own_id`` is the request id to use if the caller sent none. A valid traceparent is passed on unchanged,
    because this process records no span of its own.
    """
    if not (isinstance(request_id, str) and _REQUEST_ID.fullmatch(request_id)):
        request_id = own_id or ""
    if isinstance(traceparent, str) and _is_traceparent(traceparent):
        return Call(request_id or _new_id(), traceparent, _state(tracestate))
    trace = _new_id()
    return Call(request_id or trace, f"00-{trace}-{trace[:16]}-00")


def is_made(traceparent: str) -> bool:
    """Return True if ``accept`` generated the traceparent: no span and no sampling decision exist yet."""
    return traceparent[3:19] == traceparent[36:52]


def accept_message(get: Callable[[str], Any], own_id: str) -> Call:
    """Return the Call in the headers of a Celery message; ``own_id`` is used if they hold no request id."""
    return accept(get(REQUEST_ID), get(TRACEPARENT), get(TRACESTATE), own_id)


def accept_task(request: Any, own_id: str | None = None) -> Call:
    """Return the Call in the headers of a Celery task, read from its ``request``."""
    # Celery copies headers to attributes of the request, except for an eager task in the caller's process.
    headers = request.headers or {}
    return accept_message(lambda name: request.get(name) or headers.get(name), own_id or request.id)


@contextmanager
def working_for(call: Call) -> Iterator[None]:
    """Make ``call`` the current call inside the ``with`` block."""
    token = CALL.set(call)
    try:
        yield
    finally:
        CALL.reset(token)


def message_headers() -> dict[str, str]:
    """Return the headers for a Celery message of the current call; empty if there is none."""
    call = CALL.get()
    if call is None:
        return {}
    given = {REQUEST_ID: call.request_id, TRACEPARENT: call.traceparent, TRACESTATE: call.tracestate}
    return {name: value for name, value in given.items() if value}


def http_headers() -> dict[str, str]:
    """Return the headers for an HTTP request of the current call; empty if there is none."""
    headers = message_headers()
    request_id = headers.pop(REQUEST_ID, None)
    return headers | {"X-Request-ID": request_id} if request_id else headers


def _new_id() -> str:
    # An id is no secret, and `secrets` costs three times as much. Python reseeds `random` after a fork.
    return f"{getrandbits(128) or 1:032x}"


def _is_traceparent(text: str) -> bool:
    found = _TRACEPARENT.fullmatch(text)
    if not found or len(text) > _MOST_STATE:
        return False
    version, trace, span, more = found.groups()
    # W3C: only versions after 00 may have further fields; version ff and ids of only zeros are invalid.
    return version != "ff" and not (version == "00" and more) and trace != _NO_TRACE and span != _NO_SPAN


def _state(text: object) -> str | None:
    good = isinstance(text, str) and text.isascii() and len(text) <= _MOST_STATE
    return str(text) if good and text else None
