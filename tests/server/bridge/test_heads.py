"""The head of an answer, in which gunicorn's part and the lines that were ready meet."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

import pytest
from gunicorn.asgi.protocol import _scan_response_headers

from micro.api.headers import FIXED
from micro.api.rest import create_app
from micro.layers import load_settings
from micro.server.asgi import Connection

PLUGIN = """
from micro import PluginBase, PluginDescription, hookimpl

class Echo(PluginBase):
    def run(self, text: str) -> dict[str, int]:
        return {"length": len(text)}

plugin = PluginDescription(name="Echo", version="1", description="Echoes")

@hookimpl
def micro_app(app):
    @app.get("/stream")
    def stream():
        return iter([b"one", b"two"]), {"X-Frame-Options": "SAMEORIGIN"}
"""
JSON = "application/json"
# Of each call, and of what stands between the application and the client.
CHANGING = {"date", "server", "x-request-id", "traceparent", "transfer-encoding", "content-length"}


@pytest.fixture(scope="module")
def plugins(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("plugins")
    (folder / "echo").mkdir()
    (folder / "echo" / "interface.py").write_text(PLUGIN)
    return str(folder)


@pytest.fixture(scope="module", params=["cautious", "eager"])
def server(serve_shared: Callable[..., Any], plugins: str, request: Any) -> Any:
    eager = request.param == "eager"
    return serve_shared(limits={"body_size": 100}, plugins=plugins, eager=eager, timeout=1)


def raw_head(client: Any) -> list[tuple[str, str]]:
    """Read the head of an answer: its lines in their order, the names in lower case."""
    lines = []
    while line := client.file.readline().decode().strip():
        lines.append(line)
    pairs = [line.split(": ", 1) for line in lines[1:]]
    return [(name.lower(), value) for name, value in pairs]


def steady(headers: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    return {(name.lower(), value) for name, value in headers if name.lower() not in CHANGING}


@pytest.mark.parametrize(
    ("method", "target", "body"),
    [
        ("POST", "/run/echo", b'{"text": "abc"}'),
        ("POST", "/run/echo", b"{}"),
        ("GET", "/plugins", b""),
        ("HEAD", "/plugins", b""),
        ("GET", "/docs", b""),
        ("GET", "/nothing", b""),
        ("GET", "/stream", b""),
    ],
)
def test_it_has_each_header_of_the_application_once(
    server: Any, plugins: str, method: str, target: str, body: bytes
) -> None:
    app = create_app(load_settings({"plugin_path": plugins}, {}))
    direct = app.test_client().open(target, method=method, data=body, content_type=JSON)
    with server.connect() as client:
        client.send(f"{method} {target} HTTP/1.1\r\nHost: x\r\nContent-Type: {JSON}\r\n")
        found = raw_head(client.send(f"Content-Length: {len(body)}\r\n\r\n".encode() + body))
    assert len({name for name, _ in found}) == len(found)
    assert steady(found) == steady(direct.headers)
    assert {("x-content-type-options", "nosniff"), ("referrer-policy", "no-referrer")} <= {*found}


def test_what_comes_later_on_a_connection_has_its_own_headers_only(server: Any) -> None:
    with server.connect() as client:
        client.get("/plugins").read()
        first = raw_head(client.get("/nothing", "Connection: keep-alive"))
        client.file.read(int(dict(first)["content-length"]))
        client.send("POST /run/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n")
        late = raw_head(client)
    assert dict(first)["cache-control"] == "no-store"
    assert len({name for name, _ in late}) == len(late)


@pytest.mark.parametrize(
    ("version", "takes_lines"), [("1.0", True), ("1.1", True), ("2", False), ("3", False)]
)
def test_only_heads_of_http_1_are_lines(version: str, takes_lines: bool) -> None:
    connection = object.__new__(Connection)
    connection.worker = SimpleNamespace(asgi=lambda *given: given)
    given = connection._call_bridge({"http_version": version}, None, None)
    assert (given[3] is connection) is takes_lines


def test_the_lines_that_are_ready_are_such_as_gunicorn_takes() -> None:
    assert _scan_response_headers(FIXED) == (False, None, False)
