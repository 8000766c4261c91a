"""Answers of many blocks: sent as they come, at the client's pace, and closed once when it leaves."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.measured

# More than the sockets' buffers and the server's own hold.
MANY = "count=1000&size=50000"
RESETS = struct.pack("ii", 1, 0)


@pytest.fixture(scope="module", params=["asyncio", "uvloop"])
def shared(serve_shared: Callable[..., Any], request: Any) -> Any:
    # Whatever holds its one thread is seen at once.
    return serve_shared(threads=1, keepalive=60, loop=request.param)


@pytest.fixture
def server(shared: Any) -> Any:
    """The server, which remembers nothing of the tests before."""
    shared.forget()
    return shared


def test_blocks_of_unknown_length_are_sent_in_chunks(server: Any) -> None:
    answer = server.get("/numbers?count=3&size=2")
    assert (answer.body, answer.chunks) == (b"001122", 3)


def test_blocks_of_known_length_are_sent_as_they_are(server: Any) -> None:
    answer = server.get("/numbers?count=3&size=2&told=1")
    assert (answer.body, answer.headers["content-length"], answer.chunks) == (b"001122", "6", None)


def test_a_client_of_http_1_0_finds_the_end_of_a_stream_by_the_end_of_the_connection(server: Any) -> None:
    with server.connect() as client:
        client.send("GET /numbers?count=3&size=2 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        # It would be kept longer than the client waits.
        answer = client.read()
    assert (answer.body, answer.headers["connection"]) == (b"001122", "close")


def test_a_block_is_sent_before_the_next_is_made(server: Any) -> None:
    with server.connect() as client:
        client.get("/rests?gate=next").read_head()
        assert client.read_chunk() == b"first"
        server.open("next")
        assert client.read_chunk() == b"second"
        assert client.read_chunk() == b""


def test_streams_that_rest_hold_no_thread(server: Any) -> None:
    clients = [server.connect().get("/rests?gate=later") for _ in range(20)]
    for client in clients:
        assert client.read_head().status == 200
    assert server.get("/").status == 200
    server.open("later")
    for client in clients:
        with client:
            assert [client.read_chunk() for _ in range(3)] == [b"first", b"second", b""]


def test_a_client_that_reads_slowly_holds_no_thread_and_makes_the_stream_wait(server: Any) -> None:
    with server.connect(receive_buffer=4096) as client:
        client.get(f"/numbers?{MANY}")
        assert client.read_head().status == 200
        assert server.get("/").status == 200
        assert "block 900" not in server.events()
        assert len(client.read_chunks()[0]) == 50_000_000


@pytest.mark.parametrize("resets", [False, True])
def test_a_stream_is_closed_when_its_client_leaves(server: Any, resets: bool) -> None:
    with server.connect(receive_buffer=4096) as client:
        client.get(f"/numbers?{MANY}").read_head()
        if resets:
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESETS)
    server.wait_for("closed in a thread")
    assert "block 900" not in server.events()


def test_a_stream_that_rests_is_closed_when_its_client_leaves(server: Any) -> None:
    with server.connect() as client:
        client.get("/rests?gate=never&seconds=3600").read_head()
    server.wait_for("closed in a thread")


def test_a_run_goes_on_when_its_client_leaves_and_is_closed_at_its_end(server: Any) -> None:
    with server.connect() as client:
        client.get("/wait?gate=go-on")
        server.wait_for("started")
    assert "finished" not in server.events()
    server.open("go-on")
    server.wait_for("closed in a thread")
    assert server.get("/").status == 200
    assert server.events() == ["started", "finished", *["closed in a thread"] * 2]


@pytest.mark.parametrize("body", [b"", b"12345"])
def test_a_call_whose_body_breaks_off_is_not_made(server: Any, body: bytes) -> None:
    with server.connect() as client:
        client.send(b"POST /wait?gate=none HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n" + body)
    assert server.get("/").status == 200
    assert "started" not in server.events()


def test_a_call_whose_client_left_before_its_turn_is_not_made(server: Any) -> None:
    with server.connect() as first, server.connect() as second:
        first.get("/wait?gate=turn")
        server.wait_for("started")
        second.get("/wait?gate=turn")
        second.end_sending()
        # The server closes its side when it has noticed that. The bridge learns of it some turns of the event
        # loop later, and each of these refusals takes several turns.
        assert second.is_closed()
        for _ in range(10):
            _refuse_websocket(server)
        server.open("turn")
        assert first.read().body == b"done"
    assert server.get("/").status == 200
    assert server.events().count("started") == 1


def _refuse_websocket(server: Any) -> None:
    with server.connect() as client:
        headers = ("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13")
        client.get("/", *headers, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")
        assert client.read_head().status == 403
