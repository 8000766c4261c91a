"""Builds the environment of a WSGI call (PEP 3333) from the scope of an ASGI request."""

from __future__ import annotations

import sys
from functools import lru_cache
from typing import Any
from urllib.parse import unquote_to_bytes

Scope = dict[str, Any]
Environ = dict[str, Any]
Address = tuple[str, int | str] | None

_PORTS = {"http": "80", "https": "443"}


def make_environ(scope: Scope) -> Environ:
    """Return everything but ``wsgi.input``.

    Headers that came more than once are joined, as RFC 9110 (5.3) allows for all that may come so.
    """
    environ = {
        **_of_connection(scope["server"], scope["client"], scope["scheme"], scope["http_version"]),
        "REQUEST_METHOD": scope["method"],
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "wsgi.errors": sys.stderr,
    }
    prefix = scope.get("root_path", "")
    for name, value in scope["headers"]:
        key = _key(name)
        text = value.decode("latin-1")
        if key == "HTTP_SCRIPT_NAME":
            # gunicorn lets this spelling, and no other, through from trusted proxies only.
            prefix = text if name == b"script_name" else prefix
            continue
        if key in environ:
            separator = "; " if key == "HTTP_COOKIE" else ","
            text = f"{environ[key]}{separator}{text}"
        environ[key] = text
    environ["SCRIPT_NAME"], environ["PATH_INFO"] = _split_path(scope["raw_path"], prefix)
    if not environ["SERVER_NAME"]:
        _add_server(environ)
    return environ


@lru_cache(maxsize=512)
def _key(name: bytes) -> str:
    key = name.decode("latin-1").upper().replace("-", "_")
    return key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"


@lru_cache(maxsize=1024)
def _of_connection(server: Address, client: Address, scheme: str, http_version: str) -> Environ:
    """Return what the requests of a connection share, for copying."""
    # The address of a Unix socket is no host and port.
    host, port = server if server and isinstance(server[1], int) else ("", "")
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
    """Name host and port, which WSGI wants to be there, as the client does."""
    host, _, port = environ.get("HTTP_HOST", "").rpartition(":")
    if not port.isdigit():
        host, port = environ.get("HTTP_HOST", ""), _PORTS.get(environ["wsgi.url_scheme"], "80")
    environ["SERVER_NAME"], environ["SERVER_PORT"] = host or "localhost", port


def _split_path(raw: bytes, prefix: str) -> tuple[str, str]:
    """Return SCRIPT_NAME and PATH_INFO; the prefix may have been stripped from the path, or not."""
    if not raw.startswith(b"/"):
        raw = _path_of_target(raw)
    # Not scope["path"]: it is decoded as UTF-8, and what is none is lost.
    path = (unquote_to_bytes(raw) if b"%" in raw else raw).decode("latin-1")
    if not prefix:
        return "", path
    prefix = prefix.rstrip("/").encode().decode("latin-1")
    return prefix, path[len(prefix) :] if f"{path}/".startswith(f"{prefix}/") else path


def _path_of_target(target: bytes) -> bytes:
    """Return the path of an absolute URL (RFC 9112, 3.2.2); ``*`` and ``host:port`` have none."""
    _, found, rest = target.partition(b"://")
    return b"/" + rest.partition(b"/")[2] if found else b""
