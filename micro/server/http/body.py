"""Receives the whole body of a request, in memory or in a temporary file, within limits of size and time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from io import BytesIO, RawIOBase
from tempfile import SpooledTemporaryFile
from typing import IO, Any, NoReturn

from werkzeug.exceptions import HTTPException, RequestEntityTooLarge, RequestTimeout

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]

IN_MEMORY = 1024 * 1024
"""Bodies up to this size, in bytes, stay in memory; larger ones go to a temporary file."""

_DISCARD_SECONDS = 5.0


@dataclass(frozen=True)
class BodyLimits:
    """How large a body may be, in bytes, and how slowly it may come.

    A body must be complete after ``seconds``, plus one second for every ``rate`` bytes received.
    """

    size: int = 10 * 1024 * 1024
    seconds: float = 20.0
    rate: int = 500


class ClientDisconnected(Exception):
    """The client closed the connection before the body was complete."""


class RefusedBody(RawIOBase):
    """Stands for a body that was not received; reading it raises the error.

    So the application answers the error in its own form, as it answers all others.
    """

    def __init__(self, error: HTTPException) -> None:
        self.error = error

    def readable(self) -> bool:
        return True

    def readinto(self, _buffer: Any) -> NoReturn:
        raise self.error


async def receive_body(receive: Receive, declared: int | None, limits: BodyLimits) -> IO[bytes] | RefusedBody:
    """Return the body, positioned at its start; raise ClientDisconnected.

    ``declared`` is the Content-Length. A body that it declares too large is not received at all.
    """
    if declared is not None and declared > limits.size:
        return RefusedBody(RequestEntityTooLarge())
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientDisconnected
    # Most bodies arrive together with the head.
    if not message.get("more_body") and len(body := message.get("body", b"")) <= limits.size:
        return BytesIO(body)
    with ExitStack() as stack:
        file = stack.enter_context(SpooledTemporaryFile(IN_MEMORY))
        try:
            await _receive_into(file, message, receive, limits)
        except HTTPException as err:
            return RefusedBody(err)
        file.seek(0)
        # The reader of the body closes the file.
        stack.pop_all()
        return file


async def discard_body(receive: Receive) -> None:
    """Read and drop the rest of a refused body, for some seconds at most.

    A server that closes a connection with unread input resets it, and the client may lose the answer.
    """
    with suppress(TimeoutError):
        async with asyncio.timeout(_DISCARD_SECONDS):
            while (await receive()).get("more_body"):
                pass


async def _receive_into(file: IO[bytes], message: Message, receive: Receive, limits: BodyLimits) -> None:
    began = asyncio.get_running_loop().time()
    size = 0
    try:
        async with asyncio.timeout(limits.seconds) as clock:
            while True:
                size += file.write(message.get("body", b""))
                if size > limits.size:
                    raise RequestEntityTooLarge
                if not message.get("more_body"):
                    return
                clock.reschedule(began + limits.seconds + size / limits.rate)
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientDisconnected
    except TimeoutError as err:
        raise RequestTimeout(
            f"Expected the body within {limits.seconds:g} seconds and at least"
            f" {limits.rate} bytes per second; send it faster or smaller"
        ) from err
