"""Quick calls are made where the event loop runs; one that turns out not to be is in nobody's way."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest

_MANY = 60


def ask(client: Any, target: str) -> Any:
    return client.get(target).read()


def until_quick(server: Any, wait_until: Callable[..., Any]) -> None:
    """Call the path of the gate, which is open, until its calls are made where the loop runs."""
    with server.connect() as client:
        wait_until(lambda: ask(client, "/quick?gate=open").json()["thread"] == "leader")


@pytest.fixture(params=["asyncio", "uvloop"])
def server(serve: Callable[..., Any], wait_until: Callable[..., Any], request: Any) -> Any:
    server = serve(threads=2, asgi_loop=request.param, graceful_timeout=2)
    server.open("open")
    until_quick(server, wait_until)
    return server


def test_quick_calls_need_no_thread_of_their_own(server: Any, wait_until: Callable[..., Any]) -> None:
    with server.connect() as client:

        def is_spared() -> bool:
            threads = [ask(client, "/quick?gate=open").json()["thread"] for _ in range(_MANY)]
            return threads.count("leader") > _MANY / 2

        # While the machine has much else to do, few calls are quick.
        wait_until(is_spared)


def test_a_call_that_blocks_all_of_a_sudden_is_in_nobodys_way(server: Any) -> None:
    with server.connect() as late, server.connect() as client:
        late.get("/quick?gate=shut")
        server.wait_for("waits")
        for _ in range(_MANY):
            assert ask(client, "/").status == 200
        server.open("shut")
        assert late.read().json()["thread"].startswith(("leader", "pool"))


def test_many_calls_that_block_all_of_a_sudden_run_as_threads_come_free(server: Any) -> None:
    with ExitStack() as stack:
        clients = [stack.enter_context(server.connect()).get("/quick?gate=shut") for _ in range(6)]
        server.wait_for("waits", 2)
        server.open("shut")
        assert {client.read().status for client in clients} == {200}


def test_a_call_that_blocks_is_finished_before_the_server_ends(
    server: Any, wait_until: Callable[..., Any]
) -> None:
    with server.connect() as late:
        late.get("/quick?gate=shut")
        server.wait_for("waits")
        server.process.terminate()
        wait_until(lambda: "shutting down" in server.output())
        server.open("shut")
        assert late.read().status == 200
    assert server.end() == 0


def test_a_call_that_never_returns_does_not_keep_the_server(server: Any) -> None:
    with server.connect() as late:
        late.get("/quick?gate=never")
        server.wait_for("waits")
        assert server.end() == 0
