"""The console at /: static pages whose scripts call the public JSON API as any client does."""

from __future__ import annotations

from functools import cache

from flask import Blueprint, Flask, Response, render_template, request
from werkzeug.exceptions import NotFound

from micro._version import __version__
from micro.plugin.hookspecs import hookimpl
from micro.service import Micro
from micro.web.assets import Asset, Assets, respond

# No content of other origins, no inline scripts or styles, no embedding in frames.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# The pages below /ui. Each has a template and a script of its name.
PAGES = ("plugin", "jobs", "job", "service")
_START = "catalogue"


@hookimpl
def micro_app(app: Flask) -> None:
    """Add the pages and their assets, unless the setting ``console`` is off."""
    micro: Micro = app.extensions["micro"]
    if micro.settings.console:
        app.register_blueprint(create_blueprint(micro))


def create_blueprint(micro: Micro) -> Blueprint:
    """Make the blueprint of /, the pages below /ui and their assets."""
    blueprint = Blueprint("console", __name__, template_folder="templates")
    assets = Assets()

    @cache
    def page(name: str, root: str) -> Asset:
        html = render_template(
            f"{name}.html",
            page=name,
            root=root,
            assets=f"{root}ui/assets/{assets.digest}",
            imported=assets.imported(f"{name}.js"),
            texts=assets.texts,
            version=__version__,
            queue=micro.settings.task_queues[0],
        )
        return Asset(html.encode(), "text/html")

    @blueprint.get("/")
    def start() -> Response:
        # Relative, so that the page also works behind a proxy that adds a path prefix.
        return _page(page(_START, "./"))

    @blueprint.get("/ui/<name>")
    def show(name: str) -> Response:
        if name not in PAGES:
            raise NotFound(f"No such page: {request.path}; / is the console")
        return _page(page(name, "../"))

    @blueprint.get("/ui/assets/<digest>/<name>")
    def asset(digest: str, name: str) -> Response:
        response = assets.respond(digest, name)
        if response is None:
            raise NotFound(f"No such file: {request.path}; / is the console")
        return response

    return blueprint


def _page(page: Asset) -> Response:
    response = respond(page, "no-cache")
    response.headers["Content-Security-Policy"] = POLICY
    return response
