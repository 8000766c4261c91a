"""Stands around the application: gives each request its identity, completes the headers of each answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from flask import Flask

from micro.api.headers import Headers, missing_headers
from micro.correlation import CALL, Call, accept


def enclose(app: Flask) -> None:
    """Let the application work for the call of each request, and its answer tell whose it was."""
    # Around the application, not by functions of Flask's: those cost several times as much.
    answer = app.wsgi_app

    def enclosed(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        sent = environ.get
        call = accept(sent("HTTP_X_REQUEST_ID"), sent("HTTP_TRACEPARENT"), sent("HTTP_TRACESTATE"))

        def start(status: str, headers: Headers, exc_info: Any = None) -> Any:
            # Where a span was begun meanwhile, that is what the caller may refer to.
            now = CALL.get() or call
            told = (("X-Request-ID", now.request_id), ("traceparent", now.traceparent or ""))
            return start_response(status, [*headers, *missing_headers(headers, told)], exc_info)

        token = CALL.set(call)
        try:
            return answer(environ, start)
        finally:
            CALL.reset(token)

    app.wsgi_app = enclosed  # type: ignore[method-assign]


def current_call() -> Call:
    """Return the call of the current request."""
    # One that goes past the application, as in tests of a view, has none yet.
    return CALL.get() or accept(None, None)
