"""Gives every answer the headers that keep browsers from doing more with it than was meant."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from flask import Flask

Headers = list[tuple[str, str]]

_COMMON = (
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
)
# What views may have set otherwise. Data is nothing to load anything from; pages have a policy of their own.
_POLICY = ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
_NOT_KEPT = ("Cache-Control", "no-store")
_ASKED_AGAIN = ("Cache-Control", "private, no-cache")


def add_security_headers(app: Flask) -> None:
    """Complete the headers of every answer of the application, whoever made it."""
    # Not an after_request function: those of Werkzeug's headers cost ten times as much as a list.
    answer = app.wsgi_app

    def complete(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        def start(status: str, headers: Headers, exc_info: Any = None) -> Any:
            return start_response(status, _completed(headers), exc_info)

        return answer(environ, start)

    app.wsgi_app = complete  # type: ignore[method-assign]


def _completed(headers: Headers) -> Headers:
    names = {name.lower() for name, _ in headers}
    completed = [*headers, *_COMMON]
    if "content-security-policy" not in names:
        completed.append(_POLICY)
    if "cache-control" not in names:
        # What has an ETag is meant to be kept, but for its reader alone.
        completed.append(_ASKED_AGAIN if "etag" in names else _NOT_KEPT)
    return completed
