"""The bridge around a small WSGI application, as an ASGI application that any server can import."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from micro.server.http.body import BodyLimits
from micro.server.http.bridge import Bridge


def wsgi(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Echo the body; stream three blocks, with pauses, below /stream."""
    if environ["PATH_INFO"] == "/stream":
        start_response("200 OK", [("Content-Type", "text/plain")])
        return stream(environ["micro.rest"])
    try:
        body = environ["wsgi.input"].read()
    except Exception as err:
        start_response("413 Too Large", [("Content-Type", "text/plain")])
        return [type(err).__name__.encode()]
    start_response("200 OK", [("Content-Type", "text/plain"), ("X-Query", environ["QUERY_STRING"])])
    return [environ["REQUEST_METHOD"].encode(), b" ", body]


def stream(rest: Callable[[float], bytes]) -> Iterable[bytes]:
    for number in range(3):
        yield b"%d" % number
        yield rest(0.01)


app = Bridge(wsgi, threads=2, limits=BodyLimits(size=2 * 1024 * 1024))
