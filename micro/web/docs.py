"""The interactive API documentation at /docs: Swagger UI for /openapi.json, served from the package."""

from __future__ import annotations

from pathlib import Path

from flask import Blueprint, Flask, Response, send_from_directory

from micro.plugin.hookspecs import hookimpl

_ASSETS = Path(__file__).parent / "vendor" / "swagger-ui"
# Swagger UI sets style attributes, so inline styles are allowed. All else must come from this service.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:;"
    " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_PAGE = """<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>Micro: API documentation</title>
  <link rel="icon" href="data:,">
  <link rel="stylesheet" href="docs/swagger-ui.css">
  <style>
    nav { max-width: 1460px; margin: auto; padding: 1rem 20px 0; font: 1rem sans-serif }
    .scheme-container:not(:has(.auth-wrapper)) { display: none }
  </style>
</head>
<body>
  NAV
  <noscript>This page needs JavaScript; <a href="openapi.json">openapi.json</a> says the same.</noscript>
  <form id="key" hidden>
    <p><output></output></p>
    <label>API key <input type="password" autocomplete="off" required></label> <button>Show</button>
  </form>
  <main id="docs"></main>
  <script src="docs/swagger-ui-bundle.js"></script>
  <script src="docs/start.js"></script>
</body>
</html>
"""
_NAV = '<nav><a href="./">← Console</a></nav>'
# The page asks for the key first, as /openapi.json needs it too.
_START = """const form = document.getElementById("key");

async function start(key) {
  const headers = key ? {"X-API-Key": key} : {};
  const answer = await fetch("openapi.json", {headers});
  form.hidden = answer.ok;
  if (!answer.ok) {
    form.querySelector("output").textContent = (await answer.json()).error;
    return;
  }
  const ui = SwaggerUIBundle({
    url: "openapi.json",
    dom_id: "#docs",
    deepLinking: true,
    tryItOutEnabled: true,
    defaultModelsExpandDepth: 0,
    validatorUrl: null,
    requestInterceptor: (request) => {
      if (request.loadSpec) Object.assign(request.headers, headers);
      return request;
    },
    onComplete: () => key && ui.preauthorizeApiKey("header", key),
  });
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  start(form.querySelector("input").value.trim());
});
start("");
"""


@hookimpl
def micro_app(app: Flask) -> None:
    """Add the page and its assets."""
    blueprint = Blueprint("docs", __name__)
    html = _PAGE.replace("NAV", _NAV if app.extensions["micro"].settings.console else "")

    @blueprint.get("/docs")
    def page() -> Response:
        return Response(html, mimetype="text/html", headers={"Content-Security-Policy": _POLICY})

    @blueprint.get("/docs/start.js")
    def start() -> Response:
        return Response(_START, mimetype="text/javascript")

    @blueprint.get("/docs/<path:name>")
    def asset(name: str) -> Response:
        return send_from_directory(_ASSETS, name, max_age=3600)

    app.register_blueprint(blueprint)
