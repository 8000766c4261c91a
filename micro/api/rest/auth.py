"""Authenticates REST requests by API key, and limits each key to its plugins."""

from __future__ import annotations

from flask import Flask, g, request

from micro.api.rest.key_store import Grant, KeyStore
from micro.errors import Forbidden, PluginNotFound, Unauthorized
from micro.plugin.plugin import Plugins
from micro.service import Micro

# Paths that need no key: probes, and pages without data (the requests that these pages send need the key).
# "/" is recognized by its endpoint: when the console is off, a plugin may serve "/".
OPEN_PATHS = frozenset({"/livez", "/readyz", "/healthz", "/version"})
_OPEN_PAGES = ("/docs", "/ui")
_OPEN_START = "console.start"
# The endpoints open to keys that are limited to some plugins. Those of one plugin are checked here;
# the views of listings leave out all other plugins.
_OF_PLUGIN = frozenset({"micro.run", "micro.info", "micro.help"})
_CUT_DOWN = frozenset({"micro.plugins", "micro.openapi_document", "jobs.list_jobs"})


def require_keys(app: Flask, micro: Micro) -> None:
    """Refuse requests without a valid key, if the settings name any keys.

    Raises ConfigError if a key in the settings or in the key file is not valid.
    """
    settings = micro.settings
    if not settings.api_keys and settings.api_keys_file is None:
        return
    ring = KeyStore(settings, micro.loaded)

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
    """Return what the key of the current request grants, or None if the request was allowed without a key."""
    grant: Grant | None = g.get("api_key")
    return grant


def _is_open() -> bool:
    rule = request.url_rule
    if rule is None:
        return False
    # A CORS preflight request: browsers send it without credentials.
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
        return Unauthorized("The API key is not valid for this service; it may have been replaced")
    return Unauthorized(
        "This service asks for an API key; send it as 'Authorization: Bearer <key>' or 'X-API-Key: <key>'"
    )


def _check_plugins(app: Flask, grant: Grant, plugins: Plugins) -> None:
    """Raise Forbidden if the request concerns plugins that the key does not grant.

    For a job of such a plugin, raise the same error as for an unknown job, so that ids cannot be probed.
    """
    endpoint, arguments = request.endpoint, request.view_args or {}
    if endpoint in _CUT_DOWN or request.routing_exception:
        return
    if endpoint in _OF_PLUGIN:
        _check_plugin(grant, plugins, arguments["name"])
    elif request.blueprint == "jobs" and "job_id" in arguments:
        _check_job(app, grant, arguments["job_id"])
    else:
        raise Forbidden(
            f"API key {grant.name!r} is limited to some plugins, and {request.path} covers all of them"
        )


def _check_plugin(grant: Grant, plugins: Plugins, name: str) -> None:
    try:
        allowed = grant.allows(plugins.find(name).name)
    except PluginNotFound:
        # A missing plugin is refused like a forbidden one, so that the key's holder cannot probe for names.
        allowed = False
    if not allowed:
        may = ", ".join(sorted(repr(each) for each in grant.plugins or ())) or "none"
        raise Forbidden(f"API key {grant.name!r} may not call plugin {name!r}; it may call {may}")


def _check_job(app: Flask, grant: Grant, job_id: str) -> None:
    # Imported late: it imports SQLAlchemy.
    from micro.jobs.store.store import unknown_job

    if not grant.allows(app.extensions["micro_jobs"].store.get(job_id).plugin):
        raise unknown_job(job_id)
