"""Gives every REST request its request id and trace, and tells them in the answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from flask import Flask

from micro.correlation import CALL, Call, accept

Headers = list[tuple[str, str]]


def identify_calls(app: Flask) -> None:
    """Let the application work for the call of each request, which its answer tells of, whoever makes it."""
    # Around the application, not by functions of Flask's: those cost three times as much.
    answer = app.wsgi_app

    def identify(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        sent = environ.get
        call = accept(sent("HTTP_X_REQUEST_ID"), sent("HTTP_TRACEPARENT"), sent("HTTP_TRACESTATE"))

        def start(status: str, headers: Headers, exc_info: Any = None) -> Any:
            # Where a span was begun meanwhile, that is what the caller may refer to.
            now = CALL.get() or call
            told = (("X-Request-ID", now.request_id), ("traceparent", now.traceparent or ""))
            return start_response(status, [*headers, *told], exc_info)

        token = CALL.set(call)
        try:
            return answer(environ, start)
        finally:
            CALL.reset(token)

    app.wsgi_app = identify  # type: ignore[method-assign]


def current_call() -> Call:
    """Return the call of the current request."""
    # One that goes past the application, as in tests of a view, has none yet.
    return CALL.get() or accept(None, None)
