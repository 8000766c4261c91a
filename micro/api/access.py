"""Asks every REST request for an API key, where there are keys, and keeps each key to its plugins."""

from __future__ import annotations

from flask import Flask, g, request

from micro.api.keyring import Grant, KeyRing
from micro.errors import Forbidden, PluginNotFound, Unauthorized
from micro.plugin.manager import Plugins
from micro.service import Micro

# Probes, and pages that hold no data: what these fetch needs the key again. "/" is named by its endpoint,
# as without the console it may be a page of a plugin's.
OPEN_PATHS = frozenset({"/livez", "/readyz", "/healthz", "/version"})
_OPEN_PAGES = ("/docs", "/ui")
_OPEN_START = "console.start"
# What answers to a key with a list of plugins tell is cut down to these, here or in the views.
_OF_PLUGIN = frozenset({"micro.run", "micro.info", "micro.help"})
_CUT_DOWN = frozenset({"micro.plugins", "micro.openapi_document", "jobs.list_jobs"})


def require_keys(app: Flask, micro: Micro) -> None:
    """Refuse requests without a valid key, if the settings name keys; raises ConfigError for wrong ones."""
    settings = micro.settings
    if not settings.api_keys and settings.api_keys_file is None:
        return
    ring = KeyRing(settings, micro.loaded)

    @app.before_request
    def check() -> None:
        environ = request.environ
        key = environ.get("HTTP_X_API_KEY") or _bearer(environ.get("HTTP_AUTHORIZATION", ""))
        grant = ring.find(key) if key else None
        if grant is None:
            if not _is_open():
                raise _unauthorized(key)
            return
        g.api_key = grant
        if grant.plugins is not None and not _is_open():
            _check_plugins(app, grant, micro.loaded)


def current_grant() -> Grant | None:
    """Return what the key of the current request grants; None where none is needed."""
    grant: Grant | None = g.get("api_key")
    return grant


def _is_open() -> bool:
    rule = request.url_rule
    if rule is None:
        return False
    # Browsers ask so before they send a request to another origin, and never with a key.
    if request.method == "OPTIONS" and getattr(rule, "provide_automatic_options", False):
        return True
    if rule.rule in OPEN_PATHS or request.endpoint == _OPEN_START:
        return True
    return any(f"{rule.rule}/".startswith(f"{page}/") for page in _OPEN_PAGES)


def _bearer(authorization: str) -> str:
    scheme, _, key = authorization.partition(" ")
    return key.strip() if scheme.lower() == "bearer" else ""


def _unauthorized(key: str) -> Unauthorized:
    if key:
        return Unauthorized("The API key is none of this service's; it may have been replaced")
    return Unauthorized(
        "This service asks for an API key; send it as 'Authorization: Bearer <key>' or 'X-API-Key: <key>'"
    )


def _check_plugins(app: Flask, grant: Grant, plugins: Plugins) -> None:
    """Raise Forbidden, or what stands for an unknown job, for what lies outside the key's plugins."""
    endpoint, arguments = request.endpoint, request.view_args or {}
    if endpoint in _CUT_DOWN or request.routing_exception:
        return
    if endpoint in _OF_PLUGIN:
        _check_plugin(grant, plugins, arguments["name"])
    elif request.blueprint == "jobs" and "job_id" in arguments:
        _check_job(app, grant, arguments["job_id"])
    else:
        raise Forbidden(
            f"API key {grant.name!r} is for some plugins only; {request.path} tells of all of them"
        )


def _check_plugin(grant: Grant, plugins: Plugins, name: str) -> None:
    try:
        allowed = grant.allows(plugins.find(name).name)
    except PluginNotFound:
        # What there is besides, and what is not there, are both none of the holder's business.
        allowed = False
    if not allowed:
        may = ", ".join(sorted(repr(each) for each in grant.plugins or ())) or "none"
        raise Forbidden(f"API key {grant.name!r} may not call plugin {name!r}; it may call {may}")


def _check_job(app: Flask, grant: Grant, job_id: str) -> None:
    # Imported late, as SQLAlchemy comes with it.
    from micro.jobs.store import unknown_job

    if not grant.allows(app.extensions["micro_jobs"].store.get(job_id).plugin):
        raise unknown_job(job_id)
