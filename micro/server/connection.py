"""gunicorn's connection, for the bridge: quick calls are answered without a task of their own."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Awaitable
from http import HTTPStatus
from typing import Any

from gunicorn.asgi.parser import PythonProtocol
from gunicorn.asgi.protocol import ASGIProtocol

from micro.server.body import Receive
from micro.server.bridge import Bridge
from micro.server.environ import Scope
from micro.server.exchange import CLOSE, Exchange, Send, length_of
from micro.server.parser import LINE, Parser
from micro.server.refusal import refusal

_LEAST_WORDS = 3
_SHORT = 64 * 1024
# Headers of which gunicorn makes something.
_UNUSUAL = frozenset((b"connection", b"date", b"server", b"transfer-encoding"))
_LINES = re.compile(rb"(?:%b)*" % LINE)


class Connection(ASGIProtocol):  # type: ignore[misc]
    """A connection that its worker knows.

    gunicorn's has a task that waits for a request and then for its answer, which both cost turns of the event
    loop. Here it sleeps on where the request is whole and its call likely to be quick. An answer that is
    plain and whole, too, and after which the connection goes on, is written as the call returns. Whatever
    else there is to a request or an answer, gunicorn sees to it: its task is woken.
    """

    lines = b""
    begun: Exchange | None = None
    _request_ready: Any
    _current_request: Any
    _body_receiver: Any
    _told_to_close = False
    _has_new_request = False
    _answered_at = -math.inf

    def connection_made(self, transport: Any) -> None:
        self.app = self._call_bridge
        # What happens before and after each request is for gunicorn's task to see to.
        self._may_answer = not (
            self.log.access_log_enabled
            or self._pre_request
            or self._post_request
            or self._uses_uwsgi
            or self._proxy_protocol != "off"
            or self.worker.max_requests < sys.maxsize
        )
        self._ends = transport.get_extra_info("sockname"), transport.get_extra_info("peername")
        super().connection_made(transport)
        self.worker.connections[self] = self.worker.loop.time()

    def connection_lost(self, exc: Exception | None) -> None:
        self.worker.connections.pop(self, None)
        super().connection_lost(exc)
        if self.begun:
            self.begun.abandon()
            self.begun = None

    def _setup_callback_parser(self) -> None:
        super()._setup_callback_parser()
        if type(self._callback_parser) is PythonProtocol:
            self._callback_parser.__class__ = Parser

    def _http1_buffered(self) -> int:
        held: int = super()._http1_buffered()
        parser = self._callback_parser
        # gunicorn counts what waits behind a request in its own parser only.
        return held + len(parser.remaining()) if type(parser) is Parser else held

    async def _serve_http_request(self, request: Any, sockname: Any, peername: Any) -> bool:
        # gunicorn makes a task of its own for what an application does after its answer, a twentieth of
        # what a request costs; the bridge does nothing.
        keeps: bool = await self._handle_http_request(request, sockname, peername)
        return keeps and not self._told_to_close

    async def _handle_websocket(self, *_: Any) -> None:
        self._send_error_response(403, "No WebSocket is served here; send an ordinary request")
        self._close_transport()

    def _call_bridge(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        bridge: Bridge = self.worker.asgi
        # The heads of HTTP/2 are no lines.
        return bridge(scope, receive, send, self if scope["http_version"] < "2" else None)

    def _send_response_start(self, status: int, headers: Any, request: Any, close: bool = False) -> None:
        super()._send_response_start(status, headers, request, close)
        # What is ready comes before the empty line at the end.
        self._response_buffer: bytes = self._response_buffer[:-2] + self.lines + b"\r\n"
        self.lines = b""
        # It is for gunicorn to say so, but that does not know where a stream for HTTP/1.0 ends.
        self._told_to_close = CLOSE in headers

    def _send_error_response(self, status: int, message: str, extra_headers: Any = ()) -> None:
        # gunicorn's own is plain text, and what a client reads here is problem+json. It may name no more than
        # the word that it stumbled over, or nothing.
        if len(message.split()) < _LEAST_WORDS:
            message = f"The request cannot be read{f': {message!r}' if message else ''}"
        also = [(name.lower().encode(), str(value).encode()) for name, value in extra_headers]
        headers, body = refusal(status, message)
        head = [b"HTTP/1.1 %d %s" % (status, HTTPStatus(status).phrase.encode())]
        head += [b"%s: %s" % each for each in (*headers, *also)]
        self._safe_write(b"\r\n".join((*head, b"", body)))

    def close_if_waiting(self) -> None:
        """Close it when no request, or not the whole head of one, has come since the last answer."""
        if self._request_ready is not None and not self._request_ready.is_set() and not self.begun:
            self.transport.close()

    def _on_headers_complete(self) -> bool:
        # What wakes the task, which is put off until it is known whether that is needed.
        ready, self._request_ready = self._request_ready, None
        try:
            skips_body: bool = super()._on_headers_complete()
        finally:
            self._request_ready = ready
        # Where HTTP/2 takes over, gunicorn wakes it later.
        self._has_new_request = self._h2c_upgrade_settings is None
        return skips_body

    def _feed_callback_parser(self, data: bytes) -> bool:
        goes_on = self._feed(data)
        if self._has_new_request:
            self._has_new_request = False
            self.begun = self._begin() if goes_on else None
            if not self.begun:
                self.wake()
        return goes_on

    def _feed(self, data: bytes) -> bool:
        try:
            goes_on: bool = super()._feed_callback_parser(data)
        except ValueError as err:
            # Python reads no number of thousands of digits, such as a length may have.
            self._send_error_response(400, str(err))
            self._close_transport()
            return False
        return goes_on

    def _begin(self) -> Exchange | None:
        """Begin the call of a request that has come as a whole, if its answer needs nothing unusual."""
        bridge: Bridge = self.worker.asgi
        request, received = self._current_request, self._body_receiver
        if (
            self._may_answer
            and self._awaiting_request
            and received._complete
            and received.buffered <= bridge.limits.body_size
            and request.version == (1, 1)
            and not request.may_upgrade()
            and not self._will_close(request, False)
            and not self._flow_control.write_paused
        ):
            scope = self._build_http_scope(request, *self._ends)
            return bridge.begin(scope, b"".join(received._chunks), self)
        return None

    def wake(self) -> None:
        """Let gunicorn's task see to the request."""
        self._request_ready.set()

    def settle(self) -> None:
        """Answer what was begun, or let the task do so."""
        if not self.begun or self._request_ready.is_set():
            return
        try:
            if self._answer(self.begun):
                self._await_next()
            else:
                self.wake()
        except Exception:
            # Beyond this is the thread that leads the event loop, which would end, and the process with it.
            self.log.exception("Error handling connection")
            self._close_transport()

    def _answer(self, begun: Exchange) -> bool:
        """Write the answer; tell whether it could be done here, and nothing is to be closed after it."""
        call, outcome = begun.call, begun.outcome
        if call.more or not call.has_body or outcome.exception():
            return False
        data = outcome.result()
        headers = (*call.headers, *length_of(call, data))
        names = [name for name, _ in headers]
        lines = b"".join([b"%b: %b\r\n" % each for each in headers])
        if (
            len(data) > _SHORT
            or call.length not in (None, len(data))
            or not call.status[:3].isdecimal()
            or not _UNUSUAL.isdisjoint(names)
            # One that is invalid, would be another, or several.
            or not _LINES.fullmatch(lines)
            or b":" in b"".join(names)
            or lines.count(b"\n") != len(headers)
            or self._will_close(self._current_request, False)
            or getattr(self._callback_parser, "remaining_truncated", False)
        ):
            return False
        self.lines = lines + call.lines
        self._send_response_start(int(call.status[:3]), (), self._current_request)
        self._send_body(data)
        return True

    def _await_next(self) -> None:
        self.begun = None
        self.worker.nr += 1
        self.req_count += 1
        self._answered_at = self.worker.loop.time()
        if self._keepalive_handle is None:
            self._arm_keepalive_timer()
        came = self._callback_parser.remaining()
        self._callback_parser.reset()
        self._current_request = self._body_receiver = None
        self._resume_reading()
        # The task answers what came meanwhile: a client that sends on and on gets its turn like all others.
        if came and (not self._feed(came) or self._has_new_request):
            self._has_new_request = False
            self.wake()

    def _keepalive_timeout(self) -> None:
        left = self._answered_at + self._keepalive - self.worker.loop.time()
        if self.begun or left > 0:
            # It was armed before the last answer.
            seconds = self._keepalive if self.begun else left
            self._keepalive_handle = self.worker.loop.call_later(seconds, self._keepalive_timeout)
        else:
            super()._keepalive_timeout()
