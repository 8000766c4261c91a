"""Every answer tells browsers what not to do with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from micro.api.rest import create_app
from micro.service import Micro

HOOKS = """
    from micro import hookimpl

    @hookimpl
    def micro_app(app):
        @app.get("/own")
        def own():
            return "kept", {"Cache-Control": "max-age=60", "Content-Security-Policy": "default-src 'self'"}

        @app.get("/framed")
        def framed():
            return "framed", {"X-Frame-Options": "SAMEORIGIN", "X-Request-ID": "its own"}
"""


@pytest.fixture
def client(load: Callable[..., Micro], interface: Callable[..., str]) -> FlaskClient:
    body = "def run(self, fail: bool = False):\n    return {'a': 1 / (not fail)}"
    return create_app(micro=load({"p/interface.py": interface(body), "h/interface.py": HOOKS})).test_client()


@pytest.mark.parametrize(
    ("call", "status"),
    [
        (("GET", "/plugins", None), 200),
        (("GET", "/openapi.json", None), 200),
        (("GET", "/docs", None), 200),
        (("GET", "/docs/start.js", None), 200),
        (("GET", "/own", None), 200),
        (("OPTIONS", "/plugins", None), 200),
        (("POST", "/run/plugin", {}), 200),
        (("POST", "/run/plugin", {"fail": True}), 500),
        (("POST", "/run/plugin", {"b": 1}), 422),
        (("GET", "/nothing", None), 404),
        (("PUT", "/plugins", None), 405),
    ],
)
def test_every_answer_has_them(client: FlaskClient, call: tuple[str, str, Any], status: int) -> None:
    method, path, params = call
    answer = client.open(path, method=method, json=params)
    assert answer.status_code == status
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    names = [name.lower() for name, _ in answer.headers]
    assert len(names) == len(set(names))
    assert {"content-security-policy", "cache-control"} <= set(names)


@pytest.mark.parametrize("path", ["/info/plugin", "/help/plugin", "/nothing"])
def test_data_is_kept_nowhere_and_loads_nothing(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"


def test_what_has_a_tag_is_kept_for_its_reader(client: FlaskClient) -> None:
    answer = client.get("/openapi.json")
    again = client.get("/openapi.json", headers={"If-None-Match": answer.headers["ETag"]})
    assert answer.headers["Cache-Control"] == again.headers["Cache-Control"] == "private, no-cache"
    assert again.status_code == 304


def test_what_a_view_says_of_it_stays(client: FlaskClient) -> None:
    answer = client.get("/own")
    assert answer.headers["Cache-Control"] == "max-age=60"
    assert answer.headers["Content-Security-Policy"] == "default-src 'self'"


def test_what_a_view_has_set_is_not_said_twice(client: FlaskClient) -> None:
    answer = client.get("/framed")
    assert answer.headers.getlist("X-Frame-Options") == ["SAMEORIGIN"]
    assert answer.headers.getlist("X-Request-ID") == ["its own"]
    assert "traceparent" in answer.headers
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
