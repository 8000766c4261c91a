"""WSGI middleware: sets the request id and trace of each request, and adds the headers of every response."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from flask import Flask

from micro.api.rest.headers import Headers, missing_headers
from micro.correlation import CALL, Call, accept


def enclose(app: Flask) -> None:
    """Wrap ``app.wsgi_app`` in the middleware.

    It sets the current ``Call`` while the application runs, and adds X-Request-ID, traceparent and the
    security headers to the response.
    """
    # WSGI middleware instead of before_request and after_request, which cost several times as much.
    answer = app.wsgi_app

    def enclosed(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        sent = environ.get
        call = accept(sent("HTTP_X_REQUEST_ID"), sent("HTTP_TRACEPARENT"), sent("HTTP_TRACESTATE"))

        def start(status: str, headers: Headers, exc_info: Any = None) -> Any:
            # If tracing has started a span for this request, return the traceparent of that span.
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
    # A request that bypasses the middleware, as in a test of a view, has no call yet.
    return CALL.get() or accept(None, None)
