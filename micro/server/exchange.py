"""A call and the sending of its answer: by a task that waits for both, or at once, where none has to wait."""

from __future__ import annotations

import asyncio
from asyncio import AbstractEventLoop
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import Protocol

from micro.server.body import Message, Refused
from micro.server.call import Call
from micro.server.pool import Pool

Send = Callable[[Message], Awaitable[None]]
Rest = Callable[[float], Awaitable[bool]]

CLOSE = (b"connection", b"close")


class Connection(Protocol):
    """A connection of a server that knows the bridge."""

    lines: bytes
    """The lines, each with its end, that the head of the next answer is to have besides."""

    begun: Exchange | None
    """What was begun while the connection's task sleeps, until the bridge goes on with it."""

    def wake(self) -> None:
        """Let the task go on with what was begun."""

    def settle(self) -> None:
        """Take the outcome of what was begun."""


class Outcome(asyncio.Future[bytes]):
    """What came of a step; the connection is told at once, and not in the next round of the loop."""

    def __init__(self, loop: AbstractEventLoop, connection: Connection) -> None:
        super().__init__(loop=loop)
        self._connection = connection

    def set_result(self, result: bytes, /) -> None:
        super().set_result(result)
        self._connection.settle()

    def set_exception(self, exception: type | BaseException, /) -> None:
        super().set_exception(exception)
        self._connection.settle()


class Exchange:
    """A call whose first step's outcome is known or on its way; ``pool`` makes the others."""

    outcome: asyncio.Future[bytes]

    def __init__(self, call: Call, sender: Sender, pool: Pool) -> None:
        self.call = call
        self.sender = sender
        self.pool = pool

    async def finish(self, rest: Rest) -> None:
        """Send all that is answered; ``rest`` waits, and tells whether the server stops meanwhile."""
        call, sender = self.call, self.sender
        try:
            data = await self.outcome
            while call.more and not await rest(call.pause):
                if data:
                    await sender.block(call, data)
                data = await self.pool.run(call.step)
            await sender.last(call, data)
        finally:
            self._leave()

    def abandon(self) -> None:
        """Let nothing come of it, as the client has left."""
        self.outcome.cancel()
        self._leave()

    def _leave(self) -> None:
        # Where a step runs, it closes the call at its end; a call that is over is closed.
        if self.call.abandon():
            self.pool.run(self.call.close)


class Sender:
    """Sends what calls answer; a block that comes while there is no ``send`` wakes the task to bring one."""

    def __init__(self, send: Send | None, connection: Connection | None) -> None:
        self._send = send
        self._connection = connection
        self._waiting: asyncio.Future[None] | None = None

    def use(self, send: Send) -> None:
        """Send with this from now on."""
        self._send = send
        if self._waiting and not self._waiting.done():
            self._waiting.set_result(None)

    async def block(self, call: Call, data: bytes) -> None:
        """Send a block that is not the last."""
        send = self._send or await self._bring()
        if not call.head_is_sent:
            # Only its end tells a client of HTTP/1.0 where a body of unknown length ends.
            closes = call.length is None and call.protocol == "HTTP/1.0"
            await send(self._head(call, (CLOSE,) if closes else ()))
        await send({"type": "http.response.body", "body": data, "more_body": True})

    def block_from_thread(self, loop: AbstractEventLoop, call: Call, data: bytes) -> Future[None]:
        """Send it for a thread that is no event loop's."""
        return asyncio.run_coroutine_threadsafe(self.block(call, data), loop)

    async def last(self, call: Call, data: bytes) -> None:
        """Send the last block, which may be empty."""
        assert self._send
        if not call.head_is_sent:
            await self._send(self._head(call, length_of(call, data)))
        await self._send({"type": "http.response.body", "body": data})

    async def _bring(self) -> Send:
        assert self._connection
        self._waiting = asyncio.get_running_loop().create_future()
        self._connection.wake()
        await self._waiting
        assert self._send
        return self._send

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


def length_of(call: Call, data: bytes) -> tuple[tuple[bytes, bytes], ...]:
    """Return the header that tells the length of an answer of one block, unless the application did."""
    return ((b"content-length", b"%d" % len(data)),) if call.length is None and call.has_body else ()
