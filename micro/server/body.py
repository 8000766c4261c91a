"""Receives the body of a request whole, into memory or a file, within limits of size and time."""

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
_LINGER_SECONDS = 5.0


@dataclass(frozen=True)
class Limits:
    """What a client may ask of the server before anything runs for it.

    The head of a connection's first request must be there after ``head_seconds``. A body must be
    there after ``body_seconds``, and a second more for every ``body_rate`` bytes of it.
    """

    body_size: int = 10 * 1024 * 1024
    head_seconds: float = 20.0
    body_seconds: float = 20.0
    body_rate: int = 500


class ClientLeft(Exception):
    """The connection ended before the body did."""


class Refused(RawIOBase):
    """Stands for a body that was not received: the error is raised when the application reads it.

    So it is the application that answers, as it answers all errors.
    """

    def __init__(self, error: HTTPException) -> None:
        self.error = error

    def readable(self) -> bool:
        return True

    def readinto(self, _buffer: Any) -> NoReturn:
        raise self.error


async def receive_body(receive: Receive, declared: int | None, limits: Limits) -> IO[bytes] | Refused:
    """Return the body, at its beginning; raise ClientLeft.

    ``declared`` is the Content-Length: of a body that is too large by that, nothing is received.
    """
    if declared is not None and declared > limits.body_size:
        return Refused(RequestEntityTooLarge())
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientLeft
    # Most came along with the head.
    if not message.get("more_body") and len(body := message.get("body", b"")) <= limits.body_size:
        return BytesIO(body)
    with ExitStack() as stack:
        file = stack.enter_context(SpooledTemporaryFile(IN_MEMORY))
        try:
            await _receive_into(file, message, receive, limits)
        except HTTPException as err:
            return Refused(err)
        file.seek(0)
        # Whoever reads it closes it.
        stack.pop_all()
        return file


async def linger(receive: Receive) -> None:
    """Read on for a moment: to close a connection with unread input would take the answer from the client."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_LINGER_SECONDS):
            while (await receive()).get("more_body"):
                pass


async def _receive_into(file: IO[bytes], message: Message, receive: Receive, limits: Limits) -> None:
    began = asyncio.get_running_loop().time()
    size = 0
    try:
        # The server bounds how long it waits for each part, not how many small ones there are.
        async with asyncio.timeout(limits.body_seconds) as clock:
            while True:
                size += file.write(message.get("body", b""))
                if size > limits.body_size:
                    raise RequestEntityTooLarge
                if not message.get("more_body"):
                    return
                clock.reschedule(began + limits.body_seconds + size / limits.body_rate)
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientLeft
    except TimeoutError as err:
        raise RequestTimeout(
            f"Expected the body within {limits.body_seconds:g} seconds and at least"
            f" {limits.body_rate} bytes per second; send it faster or smaller"
        ) from err
