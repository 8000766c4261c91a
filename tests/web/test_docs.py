"""/docs is a page that needs nothing but this service."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from urllib.parse import urljoin

import pytest
from werkzeug.test import TestResponse

from micro.api.rest import create_app
from micro.web import docs

Get = Callable[..., TestResponse]

VENDOR = Path(docs.__file__).parent / "vendor" / "swagger-ui"


@pytest.fixture
def get(load: Callable[..., object]) -> Get:
    """GET a path; buffered, as an asset is a file that is to be closed once it is read."""
    client = create_app(micro=load({})).test_client()
    return partial(client.get, buffered=True, follow_redirects=True)


def test_the_page_takes_everything_from_this_service(get: Get) -> None:
    page = get("/docs")

    linked = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert (page.status_code, page.content_type) == (200, "text/html; charset=utf-8")
    assert sorted(linked) == [
        "./",
        "data:,",
        "docs/start.js",
        "docs/swagger-ui-bundle.js",
        "docs/swagger-ui.css",
        "openapi.json",
    ]
    # Relative, so that the page works below a prefix too.
    assert all(get(urljoin("/docs", each)).status_code == 200 for each in linked if each != "data:,")


def test_a_browser_lets_it_load_nothing_else(get: Get) -> None:
    policy = get("/docs").headers["Content-Security-Policy"]

    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == rules["frame-ancestors"] == "'none'"
    assert rules["script-src"] == rules["connect-src"] == "'self'"
    assert "http" not in policy


def test_no_script_stands_in_the_page_itself(get: Get) -> None:
    assert "<script>" not in get("/docs").text


@pytest.mark.parametrize(
    ("name", "mimetype"),
    [
        ("start.js", "text/javascript"),
        ("swagger-ui-bundle.js", "text/javascript"),
        ("swagger-ui.css", "text/css"),
    ],
)
def test_the_assets_are_served_with_their_types(get: Get, name: str, mimetype: str) -> None:
    asset = get(f"/docs/{name}")

    assert (asset.status_code, asset.mimetype) == (200, mimetype)
    assert name == "start.js" or asset.data == (VENDOR / name).read_bytes()


def test_a_browser_keeps_the_large_assets(get: Get) -> None:
    first = get("/docs/swagger-ui-bundle.js")
    again = get("/docs/swagger-ui-bundle.js", headers={"If-None-Match": first.headers["ETag"]})

    assert "max-age=3600" in first.headers["Cache-Control"]
    assert (again.status_code, again.data) == (304, b"")


@pytest.mark.parametrize(
    "name",
    [
        "missing.js",
        "../README.md",
        "..%2fREADME.md",
        "%2e%2e/README.md",
        "swagger-ui.css/../../README.md",
        "%2fetc/passwd",
        "//etc/passwd",
        "..\\README.md",
        ".",
        "swagger-ui.css%00",
    ],
)
def test_nothing_else_is_served(get: Get, name: str) -> None:
    answer = get(f"/docs/{name}")

    assert answer.status_code == 404
    assert answer.mimetype == "application/problem+json"


def test_the_licence_comes_with_the_assets() -> None:
    assert {"LICENSE", "NOTICE"} <= {each.name for each in VENDOR.iterdir()}
