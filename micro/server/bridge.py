"""An ASGI application around a WSGI one: bodies are buffered, and threads run nothing but the application."""

from __future__ import annotations

import asyncio
from asyncio import AbstractEventLoop
from collections.abc import Awaitable, Iterable
from contextlib import suppress
from functools import partial
from io import BytesIO
from typing import IO

from micro.server.body import ClientLeft, Limits, Receive, Refused, linger, receive_body
from micro.server.call import Call, WSGIApplication
from micro.server.environ import Environ, Scope, make_environ
from micro.server.exchange import Connection, Exchange, Outcome, Send, Sender
from micro.server.leaders import Leaders
from micro.server.pace import Pace
from micro.server.pool import Pool
from micro.server.refusal import refusal

_THREADS_APART = 2


class Bridge:
    """Serves a WSGI application on an event loop.

    The request's body is received whole before the application is called, and its answer is sent while
    no thread waits: a slow client holds none. A stream holds one while it makes its next block; one
    that has nothing to send yet yields what ``environ["micro.rest"](seconds)`` returns, and holds none
    until then. Other servers have no such key. Requests for the paths ``apart`` have threads of their own, so
    that they are answered however many runs go on.

    Servers check and copy each header of each answer by itself. One that gives its ``connection`` is told
    which of the headers ``fixed`` an answer has, as written lines, before it is sent the others. It may have
    begun the call before, and need this task only where the answer is not whole at once.
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

    def begin(self, scope: Scope, body: bytes, connection: Connection) -> Exchange | None:
        """Begin a call that is likely to be quick, for a connection that is told at once what came of it.

        Where it is not, return None. The connection answers by itself, or has its task call this bridge,
        which goes on with what was begun.
        """
        environ = make_environ(scope)
        if not self._leaders or not self._pace.is_quick(environ["PATH_INFO"]):
            return None
        begun = self._prepare(environ, BytesIO(body), None, connection)
        self._lead(begun, Outcome(self._leaders.loop, connection))
        return begun

    async def _answer(
        self, scope: Scope, receive: Receive, send: Send, connection: Connection | None
    ) -> None:
        if connection and connection.begun:
            exchange, connection.begun = connection.begun, None
            exchange.sender.use(send)
            await exchange.finish(self._rest)
            return
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
        exchange = self._prepare(environ, body, send, connection)
        call = exchange.call
        if self._leaders and self._pace.is_quick(call.path):
            self._lead(exchange)
        else:
            exchange.outcome = exchange.pool.run(partial(self._pace.timed, call.path, call.step))
        await exchange.finish(self._rest)
        if type(body) is Refused:
            await linger(receive)

    def _prepare(
        self, environ: Environ, body: IO[bytes] | Refused, send: Send | None, connection: Connection | None
    ) -> Exchange:
        environ["wsgi.input"] = body
        sender = Sender(send, connection)
        write = partial(sender.block_from_thread, asyncio.get_running_loop())
        call = Call(self._app, environ, write, self._lines if connection else {})
        environ["micro.rest"] = call.rest
        return Exchange(call, sender, self._pool_apart if call.path in self._apart else self._pool)

    def _lead(self, exchange: Exchange, outcome: Outcome | None = None) -> None:
        assert self._leaders
        call = exchange.call
        step = partial(self._pace.doubted, call.path, call.step)
        exchange.outcome = self._leaders.run(step, exchange.pool, outcome)

    async def _rest(self, seconds: float) -> bool:
        """Wait; tell whether the server stops meanwhile."""
        if not seconds:
            return False
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)
        return self._stopping.is_set()
