"""The health probes /livez (alias /healthz) and /readyz, and /version."""

from __future__ import annotations

import json
import sys

from flask import Blueprint, Flask, Response, request

from micro._version import __version__
from micro.api.rest.problem import problem
from micro.plugin.hookspecs import hookimpl
from micro.plugin.plugin import Plugins
from micro.runtime.health import HealthResult, NotReady, Readiness

PROBES = frozenset({"/livez", "/healthz", "/readyz", "/version"})
_NO_STORE = {"Cache-Control": "no-store"}


@hookimpl
def micro_app(app: Flask) -> None:
    """Add the routes and the readiness check of the plugins."""
    readiness = readiness_of(app)
    loaded = app.extensions["micro"].loaded
    readiness.add("plugins", lambda: _check_plugins(loaded))
    app.register_blueprint(create_blueprint(readiness))


def readiness_of(app: Flask) -> Readiness:
    """Return the readiness checks of the application. A feature may add checks of its own."""
    readiness: Readiness = app.extensions.setdefault("micro_readiness", Readiness())
    return readiness


def create_blueprint(readiness: Readiness) -> Blueprint:
    """Make the blueprint with the four routes."""
    blueprint = Blueprint("probes", __name__)

    @blueprint.get("/livez")
    @blueprint.get("/healthz")
    def live() -> Response:
        # A process that answers is alive. Failures elsewhere, as of the broker, must not get it restarted.
        return _json({"status": "live"})

    @blueprint.get("/readyz")
    def ready() -> Response:
        return _readiness_response(readiness.results(), verbose="verbose" in request.args)

    @blueprint.get("/version")
    def version() -> Response:
        return _json({"version": __version__, "python": ".".join(map(str, sys.version_info[:3]))})

    return blueprint


def _readiness_response(results: list[HealthResult], *, verbose: bool) -> Response:
    """Return 200, or 503 with the names of the failed checks. ``verbose`` adds the details of each check."""
    failed = [each for each in results if not each.passed]
    checks = [
        {"name": each.name, "status": "passed" if each.passed else "failed", "detail": each.detail}
        for each in results
    ]
    shown = {"checks": checks} if verbose else {}
    if not failed:
        return _json({"status": "ready", **shown})
    names = ", ".join(each.name for each in failed)
    fields = {"error": f"Not ready: {names}; /readyz?verbose gives the details", "code": NotReady.code}
    headers = {**_NO_STORE, "Retry-After": "1"}
    return problem(NotReady.status, {**fields, "failed": [each.name for each in failed], **shown}, headers)


def _check_plugins(loaded: Plugins) -> str:
    detail = f"{len(loaded)} loaded, {len(loaded.failed)} left out"
    if loaded.failed and not loaded:
        raise NotReady(detail)
    return detail


def _json(value: object) -> Response:
    return Response(json.dumps(value), headers=_NO_STORE, mimetype="application/json")
