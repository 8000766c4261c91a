"""One call of a WSGI application (PEP 3333), made in steps that threads run one after the other."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future
from contextvars import Context
from functools import lru_cache
from io import RawIOBase
from threading import Lock
from typing import IO, Any

from micro.errors import one_line
from micro.server.environ import Environ

log = logging.getLogger(__name__)


@lru_cache(maxsize=512)
def _key(name: str) -> bytes:
    return name.lower().encode("latin-1")


WSGIApplication = Callable[..., Iterable[bytes]]
WriteSoon = Callable[["Call", bytes], "Future[None]"]
Lines = Mapping[tuple[str, str], bytes]
"""How headers are written."""


class Call:
    """What the application has answered so far, and how to get on.

    Of its headers those that are among ``known`` become ``lines``, the others ``headers``.

    Each ``step`` returns what is to be sent next; as long as ``more`` holds another one follows, after
    ``pause`` seconds. The application's iterable is closed once, always in a thread: by the step that
    ends it, or after ``abandon``.
    """

    status = ""
    headers: list[tuple[bytes, bytes]]
    lines = b""
    length: int | None = None
    head_is_sent = False
    more = True
    pause = 0.0
    _writing: Future[None] | None = None
    _blocks: Iterable[bytes] = ()
    _iterator: Iterator[bytes] | None = None
    _abandoned = False
    _resting = False

    def __init__(
        self, app: WSGIApplication, environ: Environ, write_soon: WriteSoon, known: Lines | None = None
    ) -> None:
        # The application may change its environment.
        self.method: str = environ["REQUEST_METHOD"]
        self.path: str = environ.get("PATH_INFO", "")
        self.protocol: str = environ["SERVER_PROTOCOL"]
        self.body: IO[bytes] | RawIOBase = environ["wsgi.input"]
        self._app = app
        self._environ = environ
        self._write_soon = write_soon
        self._known = known or {}
        self._closed = Lock()
        # What the application sets in a step it finds in the next, and no other call does.
        self._context = Context()
        self.headers = []

    @property
    def has_body(self) -> bool:
        """Tell whether the answer may have a body."""
        return self.method != "HEAD" and self.status[:3] not in ("204", "304") and self.status[:1] != "1"

    def step(self) -> bytes:
        """Call the application, or ask it for its next block; empty when it pauses or has ended."""
        return self._context.run(self._step)

    def _step(self) -> bytes:
        self._resting = False
        try:
            data = b"" if self._abandoned else self._advance()
        except BaseException as err:
            self._close()
            if isinstance(err, Exception) and not isinstance(err, StopIteration):
                raise
            # These would end the event loop, or be taken for its own.
            raise RuntimeError(f"The application raised {one_line(err)}") from err
        if self.more:
            # This and ``abandon`` first tell, then look: at least one of them sees the other.
            self._resting = True
            if not self._abandoned:
                return data
        self._close()
        return data

    def abandon(self) -> bool:
        """Let no further step be made; tell whether none runs that would close the call at its end."""
        self._abandoned = True
        if self._writing:
            self._writing.cancel()
        return self._resting

    def close(self) -> None:
        """Close the application's iterable and the request's body, unless that was done."""
        # The step that has ended may be about to leave its context still, which only one thread may be in.
        self._context.copy().run(self._close)

    def _close(self) -> None:
        if not self._closed.acquire(blocking=False):
            return
        self.more = False
        try:
            close = getattr(self._blocks, "close", None)
            if close:
                close()
        except BaseException:
            # Not even SystemExit may reach the event loop.
            log.exception("The application failed when it was closed")
        self.body.close()

    def start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], None]:
        """Take the head of the answer; with ``exc_info`` it replaces one that is not sent yet."""
        if exc_info:
            try:
                if self.head_is_sent:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                # The traceback holds this frame, which would hold the traceback.
                exc_info = None
        elif self.status:
            raise AssertionError("start_response was called again without exc_info")
        self.headers = encoded = []
        self.length = None
        known, lines = self._known, []
        for header in headers:
            if header in known:
                lines.append(known[header])
                continue
            name, value = header
            key = _key(name)
            if key == b"content-length":
                self.length = int(value)
            encoded.append((key, value.encode("latin-1")))
        self.lines = b"".join(lines)
        self.status = status
        return self.write

    def write(self, data: bytes) -> None:
        """Send a block from within the application; return when the connection has taken it."""
        self._writing = self._write_soon(self, data)
        if self._abandoned:
            self._writing.cancel()
        self._writing.result()

    def rest(self, seconds: float) -> bytes:
        """Return the block to yield for having nothing to send until some seconds have passed."""
        self.pause = seconds
        return b""

    def _advance(self) -> bytes:
        if self._iterator:
            return self._next_block()
        data = self._first_block()
        if not self.status:
            raise AssertionError("The application did not call start_response before its first block")
        if not self.has_body:
            self.more = False
            return b""
        if self.more and len(data) == self.length:
            # Only its end can follow.
            self._next_block()
            self.more = False
        return data

    def _first_block(self) -> bytes:
        environ = self._environ
        # The application's from now on: it holds ``rest``, and with this call it would be garbage that only
        # the collector finds.
        del self._environ
        blocks = self._blocks = self._app(environ, self.start_response)
        if isinstance(blocks, (list, tuple)):
            self.more = False
            return b"".join(blocks)
        self._iterator = iter(blocks)
        return self._next_block()

    def _next_block(self) -> bytes:
        self.pause = 0.0
        assert self._iterator
        for block in self._iterator:
            if block or self.pause:
                return block
        self.more = False
        return b""
