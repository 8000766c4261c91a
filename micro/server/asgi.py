"""gunicorn's asgi worker for the bridge: with the time limits it lacks, and a heartbeat until its end."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from typing import Any

from gunicorn.asgi.parser import PythonProtocol
from gunicorn.asgi.protocol import ASGIProtocol
from gunicorn.workers.gasgi import ASGIWorker

from micro.server.body import Receive
from micro.server.bridge import CLOSE, Bridge, Send
from micro.server.environ import Scope
from micro.server.parser import Parser
from micro.server.refusal import refusal

_TICK_SECONDS = 0.5
_IDLE_SECONDS_AT_STOP = 2.0
_ACCEPTING_SECONDS = 0.05
_LEAST_WORDS = 3


class Connection(ASGIProtocol):  # type: ignore[misc]
    """A connection that its worker knows."""

    lines = b""
    _told_to_close = False

    def connection_made(self, transport: Any) -> None:
        self.app = self._call_bridge
        super().connection_made(transport)
        self.worker.connections[self] = self.worker.loop.time()

    def data_received(self, data: bytes) -> None:
        try:
            super().data_received(data)
        except ValueError as err:
            # Python reads no number of thousands of digits, such as a length may have.
            self._send_error_response(400, str(err))
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self.worker.connections.pop(self, None)
        super().connection_lost(exc)

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
        if self._request_ready is not None and not self._request_ready.is_set():
            self.transport.close()


class BridgeWorker(ASGIWorker):  # type: ignore[misc]
    """Serves a ``Bridge``, in as many threads as ``gunicorn.threads`` says.

    gunicorn closes a connection whose next request does not come within ``keepalive`` seconds, but waits
    for the first one for ever. Its worker looks once a second whether it is to stop. And it gives no sign
    of life while it stops, so that one which finishes long runs would be killed for its silence.
    """

    asgi: Bridge

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.connections: dict[Connection, float] = {}
        self._serving: asyncio.Task[None] | None = None

    @classmethod
    def check_config(cls, cfg: Any, log: Any) -> None:
        """Accept threads, which gunicorn's own worker warns of."""

    def init_signals(self) -> None:
        """Let the main thread, which only waits, take the signals: not every event loop would, in others."""
        for number in self.SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        for number, handle in self._handlers().items():
            signal.signal(number, partial(self._tell, handle))

    def _handlers(self) -> dict[signal.Signals, Callable[[], None]]:
        return {
            signal.SIGTERM: self.handle_exit_signal,
            signal.SIGQUIT: self.handle_quit_signal,
            signal.SIGINT: self.handle_quit_signal,
            signal.SIGUSR1: self.handle_usr1_signal,
            signal.SIGWINCH: self.handle_winch_signal,
            signal.SIGABRT: self.handle_abort_signal,
        }

    def _tell(self, handle: Callable[[], None], *_: object) -> None:
        # The loop is closed at the end.
        with suppress(RuntimeError):
            self.loop.call_soon_threadsafe(handle)

    def run(self) -> None:
        """Serve until told to stop."""
        self._use_own_connections()
        self.loop.run_until_complete = self.asgi.lead(self.loop).run_until_complete
        self.loop.create_task(self._watch())
        super().run()

    def handle_exit_signal(self) -> None:
        """Stop, and not only when the loop looks next; before it has begun to serve it looks soon."""
        serves = self.alive and len(self.servers) == len(self.sockets)
        super().handle_exit_signal()
        if serves and self._serving:
            self.asgi.stop(self.cfg.graceful_timeout)
            self._serving.cancel()

    async def _serve(self) -> None:
        self._serving = asyncio.current_task()
        await super()._serve()

    async def _shutdown(self) -> None:
        for server in self.servers:
            for socket in server.sockets:
                # uvloop has its own way to accept.
                with suppress(RuntimeError):
                    self.loop.remove_reader(socket.fileno())
        # What was accepted becomes a connection that is counted, and waited for, some turns of the loop
        # later; asyncio drops it if the server has been closed by then.
        await asyncio.sleep(_ACCEPTING_SECONDS)
        await super()._shutdown()

    def _use_own_connections(self) -> None:
        # A subclass would note for itself whether gunicorn's parser in C is installed, where nobody looks.
        ASGIProtocol._check_h1c_protocol_available()
        create_server = self.loop.create_server

        def create(_factory: object, **options: Any) -> Any:
            return create_server(lambda: Connection(self), **options)

        self.loop.create_server = create

    async def _watch(self) -> None:
        while self.alive:
            # gunicorn's worker does so once a second, and so dies at random where its time is a second.
            self.notify()
            self._close_silent(self.loop.time() - self.asgi.limits.head_seconds)
            await asyncio.sleep(_TICK_SECONDS)
        self.asgi.stop(self.cfg.graceful_timeout)
        await self._watch_stop(self.loop.time() + _IDLE_SECONDS_AT_STOP)

    async def _watch_stop(self, patience: float) -> None:
        while True:
            self.notify()
            # Until then, what is on its way over an open connection is still answered.
            if self.loop.time() > patience:
                for each in list(self.connections):
                    each.close_if_waiting()
            await asyncio.sleep(_TICK_SECONDS)

    def _close_silent(self, since: float) -> None:
        """Close the connections that are older and have not sent a request."""
        for each, opened in list(self.connections.items()):
            if opened > since:
                # They are in the order in which they were opened.
                return
            if each.req_count <= 1:
                each.close_if_waiting()
