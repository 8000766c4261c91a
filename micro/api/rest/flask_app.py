"""A Flask application that remembers the routes it has found."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from flask import Flask, Request
from werkzeug.routing import MapAdapter
from werkzeug.routing.rules import Rule
from werkzeug.sansio.utils import get_host

_MOST_ROUTES = 1024
_Route = tuple[Rule, dict[str, Any]]

# Clients use a few hosts only; Werkzeug checks the characters of the host each time.
_host = lru_cache(maxsize=256)(get_host)


class Application(Flask):
    """Flask with a cache of routes, unless the host of a request decides about its route.

    The cache saves 27 % of the instructions of a call of the application (`benchmarks/share.py
    --instructions`), and about 14 % of a call over REST.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._routes: dict[tuple[str, str], _Route] = {}

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """Return an adapter that finds the route of the request in the cache."""
        if request is None or self._routes_by_host():
            return super().create_url_adapter(request)
        environ = request.environ
        request.host = _host(request.scheme, environ.get("HTTP_HOST"), request.server)
        # Set here, because Flask's own property looks it up through two proxies.
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

    def _routes_by_host(self) -> bool:
        config = self.config
        named = config["SERVER_NAME"] is not None or config["TRUSTED_HOSTS"] is not None
        return named or self.url_map.host_matching or self.subdomain_matching


class _Adapter(MapAdapter):
    """Caches the routes that were found; routes cannot change once the application serves."""

    routes: dict[tuple[str, str], _Route]

    def match(self, *args: Any, **options: Any) -> Any:
        # Flask asks for the route of a request with exactly these arguments.
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
