"""Builds the environment of a WSGI call (PEP 3333) from the scope of an ASGI request."""

from __future__ import annotations

import sys
from functools import lru_cache
from typing import Any
from urllib.parse import unquote_to_bytes

Scope = dict[str, Any]
Environ = dict[str, Any]

_STANDARD_PORTS = {"http": "80", "https": "443"}


def make_environ(scope: Scope) -> Environ:
    """Return everything but ``wsgi.input``.

    Headers that came more than once are joined, as RFC 9110 (5.3) allows for all that may; a chunked
    body counts as decoded, so what receives it gives its length.
    """
    environ = {
        "REQUEST_METHOD": scope["method"],
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in scope["headers"]:
        key = _key(name)
        text = value.decode("latin-1")
        if key in environ:
            separator = "; " if key == "HTTP_COOKIE" else ","
            text = f"{environ[key]}{separator}{text}"
        environ[key] = text
    _add_path(environ, scope)
    _add_addresses(environ, scope)
    return environ


@lru_cache(maxsize=512)
def _key(name: bytes) -> str:
    key = name.decode("latin-1").upper().replace("-", "_")
    return key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"


def _add_path(environ: Environ, scope: Scope) -> None:
    # Not scope["path"]: it is decoded as UTF-8, and what is none is lost.
    raw = scope["raw_path"]
    if not raw.startswith(b"/"):
        raw = _path_of_target(raw)
    path = (unquote_to_bytes(raw) if b"%" in raw else raw).decode("latin-1")
    # gunicorn lets this header through from trusted proxies only.
    prefix = environ.pop("HTTP_SCRIPT_NAME", None) or scope.get("root_path", "")
    if prefix:
        prefix = prefix.rstrip("/").encode().decode("latin-1")
        if path == prefix or path.startswith(f"{prefix}/"):
            path = path[len(prefix) :]
    environ["SCRIPT_NAME"] = prefix
    environ["PATH_INFO"] = path


def _path_of_target(target: bytes) -> bytes:
    """Return the path of an absolute URL (RFC 9112, 3.2.2); ``*`` and ``host:port`` have none."""
    _, found, rest = target.partition(b"://")
    return b"/" + rest.partition(b"/")[2] if found else b""


def _add_addresses(environ: Environ, scope: Scope) -> None:
    client, server = scope["client"], scope["server"]
    environ["REMOTE_ADDR"] = client[0] if client else ""
    if client:
        environ["REMOTE_PORT"] = str(client[1])
    if server and isinstance(server[1], int):
        environ["SERVER_NAME"], environ["SERVER_PORT"] = server[0], str(server[1])
        return
    # A Unix socket has neither, and WSGI wants both.
    host, _, port = environ.get("HTTP_HOST", "").rpartition(":")
    if not port.isdigit():
        host, port = environ.get("HTTP_HOST", ""), _STANDARD_PORTS.get(scope["scheme"], "80")
    environ["SERVER_NAME"], environ["SERVER_PORT"] = host or "localhost", port
