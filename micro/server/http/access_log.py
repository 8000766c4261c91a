"""Writes gunicorn's access log, in the format of its setting, for an ASGI application."""

from __future__ import annotations

from datetime import timedelta
from time import perf_counter
from types import SimpleNamespace
from typing import Any

from micro.server.http.body import Message, Receive
from micro.server.http.bridge import Bridge, Send
from micro.server.http.wsgi import Scope, make_environ


class AccessLog:
    """Logs each request once its answer has ended.

    uvicorn's own access log has one fixed format; users set gunicorn's ``access_log_format``.
    """

    def __init__(self, app: Bridge, logger: Any) -> None:
        self._app = app
        self._logger = logger

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the application, and log what it sent."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        response = SimpleNamespace(status=0, sent=0, headers=[])

        async def send_and_count(message: Message) -> None:
            if message["type"] == "http.response.start":
                response.status = message["status"]
                response.headers = _decode(message["headers"])
            response.sent += len(message.get("body", b""))
            await send(message)

        began = perf_counter()
        try:
            await self._app(scope, receive, send_and_count)
        finally:
            self._log(scope, response, timedelta(seconds=perf_counter() - began))

    def _log(self, scope: Scope, response: SimpleNamespace, duration: timedelta) -> None:
        environ = make_environ(scope)
        query = f"?{environ['QUERY_STRING']}" if environ["QUERY_STRING"] else ""
        environ["RAW_URI"] = scope.get("raw_path", b"").decode("latin-1") + query
        request = SimpleNamespace(headers=_decode(scope["headers"]))
        self._logger.access(response, request, environ, duration)


def _decode(headers: Any) -> list[tuple[str, str]]:
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]
