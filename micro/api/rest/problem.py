"""Builds the error responses of REST: RFC 9457 problem details, plus ``error`` for clients of Micro 3."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from micro.api.rest.middleware import current_call
from micro.errors import MicroError, TooManyRuns, Unauthorized, error_fields

log = logging.getLogger(__name__)
MEDIA_TYPE = "application/problem+json"
_HEADERS: Mapping[type[MicroError], dict[str, str]] = {
    Unauthorized: {"WWW-Authenticate": 'Bearer realm="micro"'},
    TooManyRuns: {"Retry-After": "1"},
}
_HINTS = {
    404: "No such path: {path}; GET /plugins lists the plugins, POST /run/<name> runs one",
    405: "Method {method} is not allowed for {path}",
    413: "The body is larger than the limit of {limit} bytes",
}


def register_error_handlers(app: Flask) -> None:
    """Make the application answer every error with a problem+json body."""
    app.register_error_handler(MicroError, _of_micro)
    app.register_error_handler(HTTPException, _of_http)
    app.register_error_handler(Exception, _of_bug)


def problem(status: int, fields: dict[str, Any], headers: dict[str, str] | None = None) -> Response:
    """Build the error response. ``fields`` has at least ``error`` (a sentence) and ``code``."""
    call = current_call()
    body = {
        **problem_fields(status, fields["error"]),
        "instance": quote(request.path),
        **fields,
        "request_id": call.request_id,
        "trace_id": call.trace_id,
    }
    return Response(json.dumps(body), status, headers, mimetype=MEDIA_TYPE)


def problem_fields(status: int, sentence: str) -> dict[str, Any]:
    """Return the members of RFC 9457 that every problem has: type, title, status and detail."""
    return {"type": "about:blank", "title": _title(status), "status": status, "detail": sentence}


def _title(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def _of_micro(error: MicroError) -> Response:
    return problem(error.status, error_fields(error), _HEADERS.get(type(error)))


def _of_http(error: HTTPException) -> Response:
    status = error.code or MicroError.status
    sentence = error.description or error.name
    if status in _HINTS and sentence == type(error).description:
        limit = request.max_content_length
        sentence = _HINTS[status].format(path=request.path, method=request.method, limit=limit)
    headers = {name: value for name, value in error.get_headers() if name != "Content-Type"}
    return problem(status, {"error": sentence, "code": error.name.lower().replace(" ", "-")}, headers)


def _of_bug(error: Exception) -> Response:
    call = current_call()
    log.error("Request %s to %s failed", call.request_id, request.path, exc_info=error)
    sentence = f"Internal error; the log has the cause under request {call.request_id}"
    return problem(500, {"error": sentence, "code": MicroError.code})
