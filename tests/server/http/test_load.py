"""Many at once: as many runs as there are threads, and connections that cost none."""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

CONNECTIONS = 1000


@pytest.fixture
def many_files() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 2 * CONNECTIONS:
        pytest.skip(f"needs {2 * CONNECTIONS} open files, {hard} are allowed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2 * CONNECTIONS), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_as_many_runs_at_once_as_there_are_threads(serve: Callable[..., Any]) -> None:
    server = serve(threads=8)
    clients = [server.connect().get("/wait?gate=end") for _ in range(20)]
    server.wait_for("started", 8)
    server.open("end")
    for client in clients:
        with client:
            assert client.read().body == b"done"
    events = server.events()
    assert events[: events.index("finished")].count("started") == 8


@pytest.mark.usefixtures("many_files")
def test_idle_connections_are_no_hindrance(serve: Callable[..., Any]) -> None:
    server = serve(keepalive=60)
    with ExitStack() as stack:
        clients = [stack.enter_context(server.connect()) for _ in range(CONNECTIONS)]
        for client in clients[: CONNECTIONS // 2]:
            assert client.get("/").read().status == 200
        assert server.get("/").status == 200
        # None was closed meanwhile, neither those that have called nor those that have not.
        for client in clients:
            client.get("/")
        assert {client.read().status for client in clients} == {200}
