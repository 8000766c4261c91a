"""uvicorn's HTTP connection with what it lacks: limits for the head of a request, and a gentle shutdown."""

from __future__ import annotations

import asyncio
import re
from asyncio import TimerHandle, Transport
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from micro.server.http.bridge import problem_response

if TYPE_CHECKING or find_spec("httptools"):
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol as UvicornProtocol
else:
    from uvicorn.protocols.http.h11_impl import H11Protocol as UvicornProtocol

_IDLE_SECONDS_AT_STOP = 2.0
_OTHER_UPGRADE = re.compile(rb"\r\nupgrade:(?![ \t]*websocket)[^\r\n]*", re.IGNORECASE)
_PHRASES = {400: b"Bad Request", 403: b"Forbidden", 431: b"Request Header Fields Too Large"}


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


class MicroProtocol(UvicornProtocol):
    """A connection that overrides public methods of uvicorn's only.

    uvicorn waits for the head of a request without a limit of time. It closes idle connections at once when
    the server stops, and a request that is on its way over one of them would be lost.
    """

    def __init__(self, *args: Any, limits: HeadLimits, **options: Any) -> None:
        super().__init__(*args, **options)
        self.limits = limits
        self.head_timer: TimerHandle | None = None
        self.head_size = 0
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
            self._refuse(431, "The head of the request is too large; send fewer or shorter headers")
        elif self._is_idle() and not self.head_timer:
            self._start_head_timer()
        return None

    def on_headers_complete(self) -> None:
        """Refuse a head that exceeds a limit; the parser turns the exception into one of its own."""
        limits = self.limits
        if limits.fields and len(self.headers) > limits.fields:
            raise RefusedHead
        if self.parser.get_http_version() != "1.1":
            self._check_old_version()
        # Most heads arrive in one small piece, and need no closer look.
        if self.head_size > limits.line and self._exceeds(limits):
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
        if not self._is_idle() and (self.cycle.response_started or not self.cycle.more_body):
            self.cycle.keep_alive = False
            return
        self._refuse(400, "Expected an HTTP/1.1 request, found a malformed one; check the client")

    def shutdown(self) -> None:
        """Close an idle connection only after a moment: a request on its way over it is still answered."""
        self.stops = True
        if self._is_idle():
            self.loop.call_later(_IDLE_SECONDS_AT_STOP, super().shutdown)
        else:
            super().shutdown()

    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _expects_head(self) -> bool:
        return self._is_idle() or not self.cycle.more_body

    def _check_old_version(self) -> None:
        """Accept HTTP/1.0, which has neither chunks nor the status 100."""
        has_chunks = any(name == b"transfer-encoding" for name, _ in self.headers)
        if self.parser.get_http_version() != "1.0" or has_chunks:
            raise RefusedHead
        self.expect_100_continue = False

    def _exceeds(self, limits: HeadLimits) -> bool:
        sizes = [len(name) + len(value) for name, value in self.headers]
        return (
            bool(limits.line and len(self.url) > limits.line)
            or bool(limits.field and max(sizes, default=0) > limits.field)
            or len(self.url) + sum(sizes) > limits.total
        )

    def _start_head_timer(self) -> None:
        self.head_timer = self.loop.call_later(self.limits.seconds, self.transport.close)

    def _stop_head_timer(self) -> None:
        if self.head_timer:
            self.head_timer.cancel()
            self.head_timer = None

    def _refuse(self, status: int, sentence: str) -> None:
        if self.answering:
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
    lines = [
        b"HTTP/1.1 %d %b" % (status, _PHRASES[status]),
        *(b"%b: %b" % each for each in headers),
        b"",
        body,
    ]
    transport.write(b"\r\n".join(lines))
    transport.close()
