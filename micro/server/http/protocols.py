"""uvicorn's HTTP connection with what it lacks: limits for the head of a request, and a gentle shutdown."""

from __future__ import annotations

import asyncio
import re
from asyncio import TimerHandle, Transport
from dataclasses import dataclass
from http import HTTPStatus
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from micro.server.http.bridge import problem_response

if TYPE_CHECKING or find_spec("httptools"):
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol as UvicornProtocol
else:
    from uvicorn.protocols.http.h11_impl import H11Protocol as UvicornProtocol

_IDLE_SECONDS_AT_STOP = 2.0
_OTHER_UPGRADE = re.compile(rb"\r\nupgrade:(?![ \t]*websocket)[^\r\n]*", re.IGNORECASE)

Fault = tuple[int, str]
"""Status and sentence of an answer that refuses a request."""

_MALFORMED = 400, "Expected an HTTP/1.1 request, found a malformed one; check the client"
_TOO_LARGE = 431, "The head of the request is too large; send fewer or shorter headers"


@dataclass(frozen=True)
class HeadLimits:
    """How large the head of a request may be, in bytes, and how long it may take, in seconds.

    ``line``, ``fields`` and ``field`` are gunicorn's limit_request_line, limit_request_fields and
    limit_request_field_size. 0 means no limit, except that ``total`` always holds.
    """

    seconds: float = 20.0
    total: int = 64 * 1024
    line: int = 4094
    fields: int = 100
    field: int = 8190


class RefusedHead(Exception):
    """The head of a request exceeds a limit, or is not one of HTTP/1.1 or HTTP/1.0."""


class HttpProtocol(UvicornProtocol):
    """A connection that overrides public methods of uvicorn's only.

    uvicorn waits for the head of a request without a limit of time. It closes idle connections at once when
    the server stops, and a request that is on its way over one of them would be lost.
    """

    def __init__(self, *args: Any, limits: HeadLimits, **options: Any) -> None:
        super().__init__(*args, **options)
        self.limits = limits
        self.head_timer: TimerHandle | None = None
        self.head_size = 0
        self.fault: Fault | None = None
        self.answering: Any = None
        self.stops = False

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Expect the first head."""
        super().connection_made(transport)
        self._start_head_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the answer on its way: of pipelined requests uvicorn tells only the last one."""
        self._stop_head_timer()
        if self.answering:
            self.answering.disconnected = True
            self.answering.message_event.set()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Close the connection unless the head that begins here is complete in time and not too large."""
        if not self._expects_head():
            return super().data_received(data)
        if b"pgrade:" in data:
            data = _without_other_upgrade(data)
        previous = self.cycle
        self.head_size += len(data)
        super().data_received(data)
        if self.cycle is not previous:
            self._stop_head_timer()
            self.head_size = 0
            if self.stops:
                self.cycle.keep_alive = False
        elif self.head_size > self.limits.total:
            self._end_with(*_TOO_LARGE)
        elif self._is_idle() and not self.head_timer:
            self._start_head_timer()
        return None

    def on_headers_complete(self) -> None:
        """Refuse a head that exceeds a limit; the parser turns the exception into one of its own."""
        self.fault = self._find_fault()
        if self.fault:
            raise RefusedHead
        was_idle = self._is_idle()
        super().on_headers_complete()
        if was_idle:
            self.answering = self.cycle

    def on_response_complete(self) -> None:
        """Note which of the pipelined requests is answered next."""
        self.answering = self.pipeline[-1][0] if self.pipeline else None
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer a malformed request, but not before an earlier answer that is still on its way."""
        if self._is_idle() or self._receives_body():
            refuse(self.transport, *(self.fault or _MALFORMED))
        else:
            self.cycle.keep_alive = False

    def shutdown(self) -> None:
        """Close an idle connection only after a moment: a request on its way over it is still answered."""
        self.stops = True
        if self._is_idle():
            self.loop.call_later(_IDLE_SECONDS_AT_STOP, super().shutdown)
        else:
            super().shutdown()

    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _receives_body(self) -> bool:
        """Return True if the malformed part belongs to the request that would be answered next."""
        return self.answering is self.cycle and self.cycle.more_body and not self.cycle.response_started

    def _expects_head(self) -> bool:
        return self._is_idle() or not self.cycle.more_body

    def _find_fault(self) -> Fault | None:
        """Return the reason to refuse the head that is complete now, or None."""
        limits = self.limits
        if limits.fields and len(self.headers) > limits.fields:
            return 431, f"Expected at most {limits.fields} headers, found {len(self.headers)}; send fewer"
        if (version := self.parser.get_http_version()) != "1.1":
            # HTTP/1.0 has no chunks, and no status 100.
            self.expect_100_continue = False
            if version != "1.0":
                return 505, f"Expected HTTP/1.1 or HTTP/1.0, found HTTP/{version}; use HTTP/1.1"
            if any(name == b"transfer-encoding" for name, _ in self.headers):
                return _MALFORMED
        # Most heads arrive in one small piece, and need no closer look.
        return self._find_large_part() if self.head_size > limits.line else None

    def _find_large_part(self) -> Fault | None:
        limits = self.limits
        sizes = [len(name) + len(value) for name, value in self.headers]
        if limits.line and len(self.url) > limits.line:
            return 414, f"Expected a URL of at most {limits.line} bytes, found {len(self.url)}; shorten it"
        if limits.field and max(sizes, default=0) > limits.field:
            return 431, f"Expected headers of at most {limits.field} bytes each; shorten the longest one"
        return _TOO_LARGE if len(self.url) + sum(sizes) > limits.total else None

    def _start_head_timer(self) -> None:
        self.head_timer = self.loop.call_later(self.limits.seconds, self.transport.close)

    def _stop_head_timer(self) -> None:
        if self.head_timer:
            self.head_timer.cancel()
            self.head_timer = None

    def _end_with(self, status: int, sentence: str) -> None:
        if not self._is_idle():
            # An error would be taken for the answer that is still on its way.
            self.transport.close()
        elif not self.transport.is_closing():
            refuse(self.transport, status, sentence)


def _without_other_upgrade(data: bytes) -> bytes:
    """Return the data without an offer to upgrade to HTTP/2, which a server may ignore.

    curl and Java's HttpClient make that offer. httptools ends such a request at its head, and its body
    would be lost.
    """
    head, end, body = data.partition(b"\r\n\r\n")
    return _OTHER_UPGRADE.sub(b"", head) + end + body


class RefuseWebSocket(asyncio.Protocol):
    """Takes over a connection that asks for a WebSocket, and refuses it."""

    transport: Transport

    def __init__(self, **_: Any) -> None:
        super().__init__()

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Take over the connection."""
        self.transport = transport

    def data_received(self, _data: bytes) -> None:
        """Refuse the request."""
        refuse(self.transport, 403, "No WebSocket is served here; send an ordinary request")


def refuse(transport: Transport, status: int, sentence: str) -> None:
    """Answer with an error and close the connection."""
    headers, body = problem_response(status, sentence)
    status_line = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}".encode()
    transport.write(b"\r\n".join([status_line, *(b"%b: %b" % each for each in headers), b"", body]))
    transport.close()
