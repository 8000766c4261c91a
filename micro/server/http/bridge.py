"""An ASGI 3 application that calls a WSGI application in a thread pool."""

from __future__ import annotations

import asyncio
import json
import logging
from asyncio import Future
from collections.abc import Awaitable, Callable
from tempfile import SpooledTemporaryFile
from typing import Any

from micro.api.rest.headers import missing_headers
from micro.api.rest.problem import MEDIA_TYPE, problem_fields
from micro.server.http.body import (
    IN_MEMORY,
    BodyLimits,
    ClientDisconnected,
    Message,
    Receive,
    RefusedBody,
    discard_body,
    receive_body,
)
from micro.server.http.threads import ThreadPool
from micro.server.http.wsgi import Scope, WSGIApplication, WSGICall, make_environ

log = logging.getLogger(__name__)

Send = Callable[[Message], Awaitable[None]]

_RESERVED_THREADS = 2
_BLOCK_SIZE = 64 * 1024
_CLOSE = (b"connection", b"close")


class Bridge:
    """Serves a WSGI application on the event loop of any ASGI server.

    The body of a request is received whole before a thread calls the application, and the answer is sent
    while no thread waits, so a slow client holds no thread. A stream holds a thread while it makes its next
    block. A stream that has nothing to send yields what ``environ["micro.rest"](seconds)`` returns, and
    holds no thread until then; under other WSGI servers that key is missing.

    Requests for the ``reserved`` paths have threads of their own: they are answered however many runs go on.
    """

    def __init__(
        self,
        app: WSGIApplication,
        threads: int,
        limits: BodyLimits | None = None,
        reserved: frozenset[str] = frozenset(),
    ) -> None:
        self._app = app
        self._limits = limits or BodyLimits()
        self._pool = ThreadPool(threads)
        self._reserved = reserved
        self._reserved_pool = ThreadPool(_RESERVED_THREADS)
        self._stopping: Future[None] | None = None
        self._deadline: float | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, follow the lifespan of the server, or refuse a WebSocket."""
        if scope["type"] == "http":
            await self._answer(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._follow_lifespan(receive, send)
        else:
            await receive()
            await send({"type": "websocket.close"})

    def stop(self, seconds: float) -> None:
        """End the streams that pause; let the end of the lifespan wait for runs up to this many seconds."""
        self._deadline = asyncio.get_running_loop().time() + seconds
        if not self._get_stopping().done():
            self._get_stopping().set_result(None)

    async def _follow_lifespan(self, receive: Receive, send: Send) -> None:
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await self._pool.close(self._deadline)
        await self._reserved_pool.close(self._deadline)
        await send({"type": "lifespan.shutdown.complete"})

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        environ = make_environ(scope)
        length = environ.get("CONTENT_LENGTH")
        try:
            body = await receive_body(receive, int(length) if length else None, self._limits)
        except ClientDisconnected:
            return
        environ["wsgi.input"] = body
        pool = self._reserved_pool if environ["PATH_INFO"] in self._reserved else self._pool
        call = WSGICall(self._app, environ)
        environ["micro.rest"] = call.rest
        try:
            await self._respond(call, pool, scope, receive, send)
        except ClientDisconnected:
            pass
        except Exception:
            if call.head_is_sent:
                raise
            log.exception("The application failed before its answer")
            await _send_problem(send, 500, "The server failed to answer; its log says why")
        finally:
            if call.abandon():
                pool.run(call.close)

    async def _respond(
        self, call: WSGICall, pool: ThreadPool, scope: Scope, receive: Receive, send: Send
    ) -> None:
        data = await self._first_step(call, pool, receive)
        if type(call.body) is RefusedBody:
            while call.more:
                data += await pool.run(call.step)
            await _send_refusal(call, data, receive, send)
        elif not call.more:
            await _send_whole(call, data, send)
        elif scope["http_version"] == "1.0" and call.length is None:
            await self._send_collected(call, pool, data, send)
        else:
            await self._send_stream(call, pool, data, receive, send)

    async def _first_step(self, call: WSGICall, pool: ThreadPool, receive: Receive) -> bytes:
        """Return the first block; raise ClientDisconnected if the client leaves while the call is queued."""
        step: Future[bytes] = pool.run(call.step)
        if not pool.is_full or type(call.body) is RefusedBody:
            return await step
        disconnected = asyncio.ensure_future(_wait_for_disconnect(receive))
        try:
            either: set[Future[Any]] = {step, disconnected}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if not step.done():
                raise ClientDisconnected
            return step.result()
        finally:
            disconnected.cancel()

    async def _send_stream(
        self, call: WSGICall, pool: ThreadPool, data: bytes, receive: Receive, send: Send
    ) -> None:
        """Send each block before the next is made, until the stream, the client or the server ends it."""
        disconnected = asyncio.ensure_future(_wait_for_disconnect(receive))
        try:
            await send(_head_of(call))
            while call.more:
                if data:
                    await send({"type": "http.response.body", "body": data, "more_body": True})
                if call.pause:
                    ends = {disconnected, self._get_stopping()}
                    await asyncio.wait(ends, timeout=call.pause, return_when=asyncio.FIRST_COMPLETED)
                if disconnected.done() or (call.pause and self._get_stopping().done()):
                    data = b""
                    break
                data = await pool.run(call.step)
            await send({"type": "http.response.body", "body": data})
        finally:
            disconnected.cancel()

    async def _send_collected(self, call: WSGICall, pool: ThreadPool, data: bytes, send: Send) -> None:
        """Send a stream as one body with a length: HTTP/1.0 knows no chunks.

        A stream of events ends where it would pause, or it would never be sent.
        """
        with SpooledTemporaryFile(IN_MEMORY) as file:
            file.write(data)
            while call.more and not call.pause:
                file.write(await pool.run(call.step))
            await send(_head_of(call, (b"content-length", b"%d" % file.tell())))
            file.seek(0)
            while block := file.read(_BLOCK_SIZE):
                await send({"type": "http.response.body", "body": block, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    def _get_stopping(self) -> Future[None]:
        # Not in __init__: there may be no running event loop yet.
        if self._stopping is None:
            self._stopping = asyncio.get_running_loop().create_future()
        return self._stopping


async def _wait_for_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _send_whole(call: WSGICall, data: bytes, send: Send) -> None:
    await send(_head_of(call, *_length_of(call, data)))
    await send({"type": "http.response.body", "body": data})


async def _send_refusal(call: WSGICall, data: bytes, receive: Receive, send: Send) -> None:
    """Send the answer to a refused body, and close the connection once the client has read the answer."""
    await send(_head_of(call, *_length_of(call, data), _CLOSE))
    await send({"type": "http.response.body", "body": data, "more_body": True})
    await discard_body(receive)
    await send({"type": "http.response.body", "body": b""})


async def _send_problem(send: Send, status: int, sentence: str) -> None:
    headers, body = problem_response(status, sentence)
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def problem_response(status: int, sentence: str) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """Return headers and body of an error that the server itself answers; the connection ends with it."""
    fields = problem_fields(status, sentence)
    code = fields["title"].lower().replace(" ", "-")
    body = json.dumps({**fields, "error": sentence, "code": code}).encode()
    headers = [("Content-Type", MEDIA_TYPE), ("Content-Length", str(len(body))), ("Connection", "close")]
    all_headers = [*headers, *missing_headers(headers)]
    return [(name.lower().encode(), value.encode()) for name, value in all_headers], body


def _head_of(call: WSGICall, *more: tuple[bytes, bytes]) -> Message:
    """Return the message that starts the answer; raise ValueError unless the status is one of HTTP's."""
    status = int(call.status[:3])
    if not 200 <= status <= 599:
        raise ValueError(f"Expected a status from 200 to 599, found {call.status!r}")
    call.head_is_sent = True
    return {"type": "http.response.start", "status": status, "headers": [*call.headers, *more]}


def _length_of(call: WSGICall, data: bytes) -> list[tuple[bytes, bytes]]:
    """Return the Content-Length header of a whole answer, unless the application set it."""
    return [(b"content-length", b"%d" % len(data))] if call.length is None and call.has_body else []
