"""The bridge is an ordinary ASGI 3 application: other servers run it as it is."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

APP = "asgi_app:app"
SERVERS = {
    "uvicorn": ["uvicorn", "--port", "{port}", APP],
    "hypercorn": ["hypercorn", "--bind", "127.0.0.1:{port}", APP],
    "granian": ["granian", "--interface", "asgi", "--port", "{port}", APP],
}


def _find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module", params=SERVERS)
def port(request: Any, wait_until: Callable[..., Any]) -> Iterator[int]:
    port = _find_free_port()
    arguments = [each.format(port=port) for each in SERVERS[request.param]]
    folder = Path(__file__).parent
    process = subprocess.Popen([sys.executable, "-m", *arguments], cwd=folder)
    try:
        wait_until(lambda: _is_listening(port))
        yield port
        process.send_signal(signal.SIGTERM)
        process.wait(20)
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def connection(port: int) -> Iterator[HTTPConnection]:
    connection = HTTPConnection("127.0.0.1", port, timeout=20)
    yield connection
    connection.close()


@pytest.mark.parametrize("size", [0, 10, 1024 * 1024 + 1])
def test_bodies_arrive_whole(connection: HTTPConnection, size: int) -> None:
    for _ in range(2):
        connection.request("POST", "/?a=1", b"x" * size)
        answer = connection.getresponse()
        assert (answer.status, answer.headers["X-Query"]) == (200, "a=1")
        assert answer.read() == b"POST " + b"x" * size


def test_a_body_that_is_too_large_is_refused(connection: HTTPConnection) -> None:
    connection.request("POST", "/", b"x" * (2 * 1024 * 1024 + 1))
    answer = connection.getresponse()
    assert (answer.status, answer.read()) == (413, b"RequestEntityTooLarge")


def test_a_stream_arrives_block_by_block(connection: HTTPConnection) -> None:
    connection.request("GET", "/stream")
    answer = connection.getresponse()
    assert answer.read() == b"012"
