"""An ASGI application around a WSGI one: bodies are buffered, and threads run nothing but the application."""

from __future__ import annotations

import asyncio
from asyncio import AbstractEventLoop
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import Protocol

from micro.server.body import ClientLeft, Limits, Message, Receive, Refused, linger, receive_body
from micro.server.call import Call, WSGIApplication
from micro.server.environ import Scope, make_environ
from micro.server.leaders import Leaders
from micro.server.pace import Pace
from micro.server.pool import Pool
from micro.server.refusal import refusal

Send = Callable[[Message], Awaitable[None]]

CLOSE = (b"connection", b"close")
_THREADS_APART = 2


class Connection(Protocol):
    """Takes the lines, each with its end, that the head of the next answer is to have besides."""

    lines: bytes


class Bridge:
    """Serves a WSGI application on an event loop.

    The request's body is received whole before the application is called, and its answer is sent while
    no thread waits: a slow client holds none. A stream holds one while it makes its next block; one
    that has nothing to send yet yields what ``environ["micro.rest"](seconds)`` returns, and holds none
    until then. Other servers have no such key. Requests for the paths ``apart`` have threads of their own, so
    that they are answered however many runs go on.

    Servers check and copy each header of each answer by itself. One that gives its ``connection`` is told
    which of the headers ``fixed`` an answer has, as written lines, before it is sent the others.
    """

    def __init__(
        self,
        app: WSGIApplication,
        threads: int,
        limits: Limits | None = None,
        apart: frozenset[str] = frozenset(),
        fixed: Iterable[tuple[str, str]] = (),
    ) -> None:
        self.limits = limits or Limits()
        self._app = app
        self._pool = Pool(threads)
        self._apart = apart
        self._pool_apart = Pool(_THREADS_APART)
        self._lines = {each: f"{each[0].lower()}: {each[1]}\r\n".encode("latin-1") for each in fixed}
        self._pace = Pace()
        self._leaders: Leaders | None = None
        self._stopping = asyncio.Event()
        self._deadline: float | None = None

    def __call__(
        self, scope: Scope, receive: Receive, send: Send, connection: Connection | None = None
    ) -> Awaitable[None]:
        """Answer one request (ASGI 3)."""
        if scope["type"] == "http":
            return self._answer(scope, receive, send, connection)
        # The server refuses WebSockets by itself.
        return self._live(receive, send)

    def lead(self, loop: AbstractEventLoop) -> Leaders:
        """Let quick calls be made by the thread that runs the loop; return what is to run it."""
        self._leaders = Leaders(loop)
        return self._leaders

    def stop(self, seconds: float) -> None:
        """End the streams that rest, and let the lifespan's end wait for the threads no longer than this."""
        self._deadline = asyncio.get_running_loop().time() + seconds
        self._stopping.set()

    async def _live(self, receive: Receive, send: Send) -> None:
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await self._pool.close(self._deadline)
        await self._pool_apart.close(self._deadline)
        await send({"type": "lifespan.shutdown.complete"})

    async def _answer(
        self, scope: Scope, receive: Receive, send: Send, connection: Connection | None
    ) -> None:
        environ = make_environ(scope)
        length = environ.get("CONTENT_LENGTH")
        try:
            body = await receive_body(receive, int(length) if length else None, self.limits)
        except ClientLeft:
            # It is still there if it was the server that grew tired of waiting.
            headers, text = refusal(408, "Expected the whole body, which did not come; send it faster")
            await send({"type": "http.response.start", "status": 408, "headers": headers})
            await send({"type": "http.response.body", "body": text})
            return
        environ["wsgi.input"] = body
        sender = _Sender(send, connection)
        write = partial(sender.block_from_thread, asyncio.get_running_loop())
        call = Call(self._app, environ, write, self._lines if connection else {})
        environ["micro.rest"] = call.rest
        pool = self._pool_apart if environ["PATH_INFO"] in self._apart else self._pool
        await self._exchange(call, sender, pool)
        if type(body) is Refused:
            await linger(receive)

    async def _exchange(self, call: Call, sender: _Sender, pool: Pool) -> None:
        try:
            data = await self._begin(call, pool)
            while call.more and not await self._rest(call.pause):
                if data:
                    await sender.block(call, data)
                data = await pool.run(call.step)
            await sender.last(call, data)
        finally:
            # Where a step runs, it closes the call at its end; a call that is over is closed.
            if call.abandon():
                pool.run(call.close)

    def _begin(self, call: Call, pool: Pool) -> asyncio.Future[bytes]:
        if self._leaders and self._pace.is_quick(call.path):
            return self._leaders.run(partial(self._pace.doubted, call.path, call.step), pool)
        return pool.run(partial(self._pace.timed, call.path, call.step))

    async def _rest(self, seconds: float) -> bool:
        """Wait; tell whether the server stops meanwhile."""
        if not seconds:
            return False
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)
        return self._stopping.is_set()


class _Sender:
    """Sends what calls answer."""

    def __init__(self, send: Send, connection: Connection | None) -> None:
        self._send = send
        self._connection = connection

    async def block(self, call: Call, data: bytes) -> None:
        if not call.head_is_sent:
            # Only its end tells a client of HTTP/1.0 where a body of unknown length ends.
            closes = call.length is None and call.protocol == "HTTP/1.0"
            await self._send(self._head(call, (CLOSE,) if closes else ()))
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    def block_from_thread(self, loop: AbstractEventLoop, call: Call, data: bytes) -> Future[None]:
        return asyncio.run_coroutine_threadsafe(self.block(call, data), loop)

    async def last(self, call: Call, data: bytes) -> None:
        if not call.head_is_sent:
            unknown = call.length is None and call.has_body
            await self._send(self._head(call, ((b"content-length", b"%d" % len(data)),) if unknown else ()))
        await self._send({"type": "http.response.body", "body": data})

    def _head(self, call: Call, also: tuple[tuple[bytes, bytes], ...]) -> Message:
        call.head_is_sent = True
        if self._connection:
            self._connection.lines = call.lines
        if type(call.body) is Refused:
            also = (*also, CLOSE)
        return {
            "type": "http.response.start",
            "status": int(call.status[:3]),
            "headers": [*call.headers, *also],
        }
