"""The Flask application: REST routes of the four operations, for any WSGI server."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from importlib import import_module
from io import BytesIO
from typing import Any

from flask import Blueprint, Flask, Request, Response, request
from werkzeug.exceptions import LengthRequired, RequestEntityTooLarge, UnsupportedMediaType
from werkzeug.http import generate_etag

from micro.api.rest.auth import current_grant, require_keys
from micro.api.rest.cors import allow_origins
from micro.api.rest.flask_app import Application
from micro.api.rest.middleware import current_call, enclose
from micro.api.rest.openapi import build_openapi
from micro.api.rest.problem import register_error_handlers
from micro.api.rest.result import Result
from micro.api.rest.timeouts import TimedRuns
from micro.config.loading import load_settings
from micro.config.settings import Settings
from micro.contract.decoding import parse_parameters
from micro.plugin.context import RunContext
from micro.service import Micro

JSON = "application/json"
# Built-in features use the same hooks as plugins. They are imported by name, as they belong to higher layers.
FEATURES = (
    "micro.api.rest.tracing",
    "micro.api.rest.probes",
    "micro.api.rest.metrics",
    "micro.api.rest.status",
    "micro.api.rest.jobs",
    "micro.web.docs",
    "micro.web.console",
)


def create_app(settings: Settings | None = None, *, micro: Micro | None = None) -> Flask:
    """Make the WSGI application.

    Without ``settings``, they are read from the ``MICRO_*`` variables and the file that these name.
    ``micro`` is a service that is already built, to use instead of loading the plugins again.
    """
    micro = micro or Micro(settings or load_settings())
    app = Application("micro", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = micro.settings.max_body_size
    enclose(app)
    register_error_handlers(app)
    # Not one of FEATURES: a feature that fails is left out, and the service would run without its keys.
    require_keys(app, micro)
    app.register_blueprint(create_blueprint(micro))
    allow_origins(app, micro.settings.gunicorn_options.get("cors"))
    app.extensions["micro"] = micro
    for name in FEATURES:
        micro.loaded.add_feature(import_module(name))
    micro.loaded.call_guarded("micro_app", app=app)
    return app


def create_blueprint(micro: Micro) -> Blueprint:
    """Make the blueprint with GET /plugins, /info/<name>, /help/<name> and POST /run/<name>."""
    blueprint = Blueprint("micro", __name__)
    runs = TimedRuns(micro)
    plugin_list = _Document(lambda only: [each for each in micro.plugins() if _is_among(each["name"], only)])
    openapi = _Document(lambda only: build_openapi(micro, only))

    @blueprint.get("/plugins")
    def plugins() -> Response:
        response = plugin_list.answer()
        response.headers["Micro-Generation"] = str(micro.generation)
        return response

    @blueprint.get("/info/<path:name>")
    def info(name: str) -> Response:
        return _json(micro.info(name))

    @blueprint.get("/help/<path:name>")
    def help(name: str) -> Response:
        return _json(micro.help(name))

    @blueprint.post("/run/<path:name>")
    def run(name: str) -> Response:
        return Result(runs.run(name, read_parameters(), request_context()))

    @blueprint.get("/openapi.json")
    def openapi_document() -> Response:
        return openapi.answer()

    return blueprint


class _Document:
    """A JSON document about the plugins, cached for each set of plugins that a caller may see.

    The cache needs no expiry, as a process never changes its plugins. ``build`` gets the names of the
    plugins that the caller may see, or None for all.
    """

    def __init__(self, build: Callable[[frozenset[str] | None], object]) -> None:
        self._build = build
        self._built = cache(self._build_tagged)

    def answer(self) -> Response:
        """Answer the current request with the document, or with 304 if the caller's ETag matches."""
        grant = current_grant()
        data, tag = self._built(grant.plugins if grant else None)
        response = Response(data, mimetype=JSON)
        response.set_etag(tag)
        response.make_conditional(request)
        return response

    def _build_tagged(self, only: frozenset[str] | None) -> tuple[bytes, str]:
        data = json.dumps(self._build(only)).encode()
        return data, generate_etag(data)


def _is_among(name: str, only: frozenset[str] | None) -> bool:
    return only is None or name in only


def request_context() -> RunContext:
    """Return the run context of the current request."""
    return RunContext.of(current_call(), "rest")


def read_parameters() -> dict[str, Any]:
    """Return the parameters in the body of the current request.

    Raises BadRequest for a body that is no JSON object, and Werkzeug's errors for 411, 413 and 415.
    """
    # Resolve Flask's proxy once: each access through it costs more than most of what follows.
    current = request._get_current_object()  # type: ignore[attr-defined]
    body = _body(current)
    # Accept JSON only: browsers send other content types to other origins without a CORS preflight.
    if body and current.environ.get("CONTENT_TYPE") != JSON and not current.is_json:
        found = current.mimetype or "none"
        raise UnsupportedMediaType(f"Expected the header 'Content-Type: application/json', found {found}")
    return parse_parameters(body)


def _body(current: Request) -> bytes:
    """Return the whole body, or raise LengthRequired or RequestEntityTooLarge.

    Werkzeug would return an empty or truncated body for a request without Content-Length.
    """
    environ = current.environ
    if "HTTP_TRANSFER_ENCODING" in environ and not environ.get("wsgi.input_terminated"):
        raise LengthRequired("Expected the header Content-Length; this server takes no chunked bodies")
    stream = environ["wsgi.input"]
    if type(stream) is BytesIO and not stream.tell():
        # The server has already received the whole body, so it needs none of Werkzeug's checks on a stream.
        body = stream.getvalue()
        if len(body) <= (current.max_content_length or 0) and str(len(body)) == environ.get("CONTENT_LENGTH"):
            return body
    body = current.get_data(cache=False)
    at_limit = current.content_length is None and len(body) == current.max_content_length
    if at_limit and environ["wsgi.input"].read(1):
        raise RequestEntityTooLarge
    return body


def _json(value: object) -> Response:
    return Response(json.dumps(value), mimetype=JSON)
