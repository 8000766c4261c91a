"""A Flask application that does not work out anew, for each request, what comes out the same for all."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from flask import Flask, Request, Response, request_tearing_down
from flask.globals import request_ctx
from flask.sessions import SecureCookieSessionInterface
from werkzeug.routing import MapAdapter
from werkzeug.routing.rules import Rule
from werkzeug.sansio.utils import get_host

_MOST_ROUTES = 1024
_MOST_VIEWS = 256
_Route = tuple[Rule, dict[str, Any]]

# Of the same few hosts, checked each time.
_host = lru_cache(maxsize=256)(get_host)


class _Request(Request):
    """Closes the files that came with a form, where one was read."""

    def close(self) -> None:
        if "files" in vars(self):
            super().close()


class Application(Flask):
    """Flask; only where hosts decide about routes it is Flask's own way of finding them, too."""

    request_class = _Request

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._routes: dict[tuple[str, str], _Route] = {}
        self._sync = lru_cache(maxsize=_MOST_VIEWS)(super().ensure_sync)

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Do what Flask does, without looking at the same function anew for each request."""
        try:
            return self._sync(func)
        except TypeError:
            # It has no hash.
            return super().ensure_sync(func)

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """Return what finds the route of the request."""
        if request is None or self._minds_hosts():
            return super().create_url_adapter(request)
        environ = request.environ
        request.host = _host(request.scheme, environ.get("HTTP_HOST"), request.server)
        # The request would look for it through two of Flask's proxies, each time.
        request.max_content_length = self.config["MAX_CONTENT_LENGTH"]
        adapter = _Adapter(
            self.url_map,
            request.host,
            request.root_path,
            "",
            request.scheme,
            environ.get("PATH_INFO", "/").encode("latin-1").decode(errors="replace"),
            request.method,
            request.query_string.decode(errors="replace"),
        )
        adapter.routes = self._routes
        return adapter

    def preprocess_request(self, *args: Any) -> Any:
        """Call what is to be called before a request, where there is anything."""
        is_needed = self.before_request_funcs or self.url_value_preprocessors
        return super().preprocess_request(*args) if is_needed else None

    def process_response(self, response: Response) -> Response:
        """Call what is to be called after a request, where there is anything, and save its session."""
        context = request_ctx._get_current_object()  # type: ignore[attr-defined]
        # What `after_this_request` was given. Where another Flask keeps it elsewhere, it looks itself.
        is_asked = self.after_request_funcs or getattr(context, "_after_request_functions", True)
        has_session = self.secret_key or type(self.session_interface) is not SecureCookieSessionInterface
        return super().process_response(response) if is_asked or has_session else response

    def do_teardown_request(self, *args: Any) -> None:
        """Call what is to be called at the end of a request, where there is anything."""
        if self.teardown_request_funcs or request_tearing_down.receivers:
            super().do_teardown_request(*args)

    def _minds_hosts(self) -> bool:
        config = self.config
        named = config["SERVER_NAME"] is not None or config["TRUSTED_HOSTS"] is not None
        return named or self.url_map.host_matching or self.subdomain_matching


class _Adapter(MapAdapter):
    """Remembers the routes that were found, which cannot change once an application serves."""

    routes: dict[tuple[str, str], _Route]

    def match(self, *args: Any, **options: Any) -> Any:
        # As Flask asks for the route of a request.
        if args or options != {"return_rule": True}:
            return super().match(*args, **options)
        asked = self.default_method, self.path_info
        route = self.routes.get(asked)
        if route is None:
            rule, arguments = super().match(return_rule=True)
            if len(self.routes) >= _MOST_ROUTES:
                self.routes.clear()
            route = self.routes[asked] = rule, dict(arguments)
        return route[0], dict(route[1])
