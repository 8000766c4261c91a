"""One call of a WSGI application (PEP 3333), made in steps that different threads may run."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterable, Iterator
from contextvars import Context
from functools import lru_cache
from io import RawIOBase
from threading import Lock
from typing import IO, Any
from urllib.parse import quote, unquote_to_bytes

from micro.errors import one_line

log = logging.getLogger(__name__)

Scope = dict[str, Any]
Environ = dict[str, Any]
WSGIApplication = Callable[..., Iterable[bytes]]
_Address = tuple[str, int | None] | None

_PORTS = {"http": "80", "https": "443"}


class WSGICall:
    """What the application has answered so far, and the steps that get the rest.

    Each ``step`` returns the next bytes to send. While ``more`` is true another step follows, after
    ``pause`` seconds. The application's iterable is closed once, in a thread: by the last step, or by
    ``close`` after ``abandon``.
    """

    status = ""
    headers: list[tuple[bytes, bytes]]
    length: int | None = None
    head_is_sent = False
    more = True
    pause = 0.0
    _blocks: Iterable[bytes] = ()
    _iterator: Iterator[bytes] | None = None
    _abandoned = False
    _between_steps = False

    def __init__(self, app: WSGIApplication, environ: Environ) -> None:
        # Copied now, because the application may change its environment.
        self.method: str = environ["REQUEST_METHOD"]
        self.body: IO[bytes] | RawIOBase = environ["wsgi.input"]
        self.headers = []
        self._app = app
        self._environ = environ
        self._written: list[bytes] = []
        self._closed = Lock()
        # All steps share one context: a context variable set in one step is seen in the next.
        self._context = Context()

    @property
    def has_body(self) -> bool:
        """Return True if the answer may have a body."""
        return self.method != "HEAD" and self.status[:3] not in ("204", "304")

    def step(self) -> bytes:
        """Call the application, or get its next block; return b"" when it pauses or has ended."""
        return self._context.run(self._step)

    def _step(self) -> bytes:
        self._between_steps = False
        try:
            data = b"" if self._abandoned else self._advance()
        except BaseException as err:
            self._close()
            if isinstance(err, Exception) and not isinstance(err, StopIteration):
                raise
            # SystemExit would end the event loop, and asyncio refuses StopIteration.
            raise RuntimeError(f"The application raised {one_line(err)}") from err
        if self.more:
            # Both this method and abandon() set their flag before they read the other's, so at least
            # one of them sees that the call is over and closes it.
            self._between_steps = True
            if not self._abandoned:
                return data
        self._close()
        return data

    def abandon(self) -> bool:
        """Make no further step; return True if the caller must call ``close``.

        A step that is running closes the call when it ends.
        """
        self._abandoned = True
        return self._between_steps

    def close(self) -> None:
        """Close the application's iterable and the request's body, unless that is done already."""
        # A copy: the thread of the last step may not have left the context yet.
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
        """Take the head of the answer; with ``exc_info`` it replaces a head that is not sent yet."""
        if exc_info:
            try:
                if self.head_is_sent:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                # The traceback refers to this frame: break the cycle.
                exc_info = None
        elif self.status:
            raise AssertionError("start_response was called again without exc_info")
        self.headers = [(_header_name(name), value.encode("latin-1")) for name, value in headers]
        self.length = next((int(value) for name, value in self.headers if name == b"content-length"), None)
        self.status = status
        return self._written.append

    def rest(self, seconds: float) -> bytes:
        """Return the block that a stream yields to pause for some seconds without holding a thread."""
        self.pause = seconds
        return b""

    def _advance(self) -> bytes:
        if self._iterator:
            return self._next_block()
        data = self._first_block()
        if not self.status:
            raise AssertionError("The application did not call start_response before its first block")
        data = b"".join([*self._written, data])
        if not self.has_body:
            self.more = False
            return b""
        if self.more and len(data) == self.length:
            # The body is complete; run the iterable to its end.
            self._next_block()
            self.more = False
        return data

    def _first_block(self) -> bytes:
        environ = self._environ
        # The environment holds ``rest``, a method of this object: without the del they would be a cycle.
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


def make_environ(scope: Scope) -> Environ:
    """Return the WSGI environment of an ASGI request, without ``wsgi.input``.

    Repeated headers are joined (RFC 9110, section 5.3). Header names with an underscore are dropped: in
    WSGI ``X_Forwarded_For`` and ``X-Forwarded-For`` are the same, and a proxy removes only the second.
    """
    environ = {
        **_connection_environ(scope["server"], scope["client"], scope["scheme"], scope["http_version"]),
        "REQUEST_METHOD": scope["method"],
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "wsgi.errors": sys.stderr,
    }
    for name, value in scope["headers"]:
        key = _environ_key(name)
        if not key:
            continue
        text = value.decode("latin-1")
        if key in environ:
            separator = "; " if key == "HTTP_COOKIE" else ","
            text = f"{environ[key]}{separator}{text}"
        environ[key] = text
    raw_path = scope.get("raw_path") or quote(scope["path"]).encode()
    environ["SCRIPT_NAME"], environ["PATH_INFO"] = _split_path(raw_path, scope.get("root_path", ""))
    if not environ["SERVER_NAME"]:
        _add_server(environ)
    return environ


@lru_cache(maxsize=512)
def _header_name(name: str) -> bytes:
    return name.lower().encode("latin-1")


@lru_cache(maxsize=512)
def _environ_key(name: bytes) -> str | None:
    if b"_" in name:
        return None
    key = name.decode("latin-1").upper().replace("-", "_")
    return key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"


@lru_cache(maxsize=1024)
def _connection_environ(server: _Address, client: _Address, scheme: str, http_version: str) -> Environ:
    """Return what all requests of a connection share; the caller copies it."""
    # For a Unix socket the server is its path and the port None.
    host, port = server if server and server[1] is not None else ("", "")
    return {
        "SERVER_PROTOCOL": f"HTTP/{http_version}",
        "SERVER_NAME": host,
        "SERVER_PORT": str(port),
        "REMOTE_ADDR": client[0] if client else "",
        "REMOTE_PORT": str(client[1]) if client else "",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scheme,
        "wsgi.input_terminated": True,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }


def _add_server(environ: Environ) -> None:
    """Set SERVER_NAME and SERVER_PORT, which WSGI requires, from the Host header."""
    host, _, port = environ.get("HTTP_HOST", "").rpartition(":")
    if not port.isdigit():
        host, port = environ.get("HTTP_HOST", ""), _PORTS.get(environ["wsgi.url_scheme"], "80")
    environ["SERVER_NAME"], environ["SERVER_PORT"] = host or "localhost", port


def _split_path(raw: bytes, prefix: str) -> tuple[str, str]:
    """Return SCRIPT_NAME and PATH_INFO; the path may begin with the prefix or not."""
    # scope["path"] is decoded as UTF-8, which loses other bytes. WSGI wants them all, as Latin-1.
    path = (unquote_to_bytes(raw) if b"%" in raw else raw).decode("latin-1")
    if not prefix:
        return "", path
    prefix = prefix.rstrip("/").encode().decode("latin-1")
    return prefix, path[len(prefix) :] if f"{path}/".startswith(f"{prefix}/") else path
