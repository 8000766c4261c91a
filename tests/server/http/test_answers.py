"""Odd answers and odd requests: what reaches the client, and what never does."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

pytestmark = pytest.mark.measured


@pytest.fixture(scope="module", params=["asyncio", "uvloop"])
def server(serve_shared: Callable[..., Any], request: Any) -> Any:
    return serve_shared(keepalive=2, loop=request.param)


@pytest.mark.parametrize("size", [0, 1, 64 * 1024, 64 * 1024 + 1, 5_000_000])
def test_an_answer_of_each_size_arrives_whole_and_the_next_follows(server: Any, size: int) -> None:
    with server.connect() as client:
        for _ in range(2):
            answer = client.get(f"/head?size={size}").read()
            assert (answer.body, answer.headers["content-length"]) == (b"x" * size, str(size))


def test_a_client_that_reads_nothing_makes_the_next_answer_wait(server: Any) -> None:
    with server.connect(receive_buffer=4096) as client:
        for _ in range(3):
            client.get("/head?size=5000000")
        client.get("/head?size=1")
        assert [len(client.read().body) for _ in range(4)] == [5_000_000] * 3 + [1]


def test_each_of_many_pipelined_calls_is_answered_while_others_are_too(server: Any) -> None:
    with server.connect() as crowd, server.connect() as other:
        for number in range(500):
            crowd.get(f"/head?size={number}")
        assert other.get("/head").read().body == b"x"
        assert [len(crowd.read().body) for _ in range(500)] == list(range(500))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-Odd", "a\r\nX-Other: b"),
        ("X-Odd", "a\nb"),
        ("X-Odd", "a\0b"),
        ("X-Odd", "a\x7fb"),
        ("X-Other: b\r\nX-Odd", "a"),
        ("X-Other:", "a"),
        ("X-Other:b", "a"),
        (" X-Odd", "a"),
    ],
)
def test_a_header_that_would_be_several_headers_is_never_sent(server: Any, name: str, value: str) -> None:
    with server.connect() as client:
        client.get(f"/bare/head?name={quote(name)}&value={quote(value)}")
        # uvicorn closes the connection.
        assert client.is_closed()
    assert server.get("/head").status == 200


@pytest.mark.parametrize("status", ["odd", "\xb2\xb2\xb2 Odd", "103 Early", "700 Late"])
def test_a_status_that_is_not_final_is_never_sent(server: Any, status: str) -> None:
    with server.connect() as client:
        answer = client.get(f"/bare/head?status={quote(status)}").read()
        assert (answer.status, answer.json()["status"]) == (500, 500)
    assert server.get("/head").status == 200


def test_a_malformed_request_does_not_overtake_the_answer_before_it(server: Any) -> None:
    with server.connect() as client:
        client.get("/wait?gate=overtake")
        server.wait_for("started")
        client.send(b"GET / HTTP/1.1\r\nMal formed\r\n\r\n")
        server.open("overtake")
        answer = client.read()
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert client.is_closed()


@pytest.mark.parametrize("name", ["Upgrade", "upgrade"])
@pytest.mark.parametrize("apart", [False, True])
def test_an_offer_of_http_2_does_not_cost_the_body(server: Any, name: str, apart: bool) -> None:
    head = f"POST / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\n{name}: h2c\r\n"
    head += "HTTP2-Settings: AAMAAABk\r\nContent-Length: 4\r\n\r\n"
    with server.connect() as client:
        client.send(head)
        if apart:
            time.sleep(0.05)
        assert client.send(b"body").read().json()["length"] == 4
        assert client.get("/").read().status == 200


def test_a_connection_is_closed_once_nothing_has_come_over_it_for_the_time_it_is_kept(server: Any) -> None:
    with server.connect() as client:
        client.get("/head").read()
        began = time.monotonic()
        assert client.is_closed()
        assert 1.9 < time.monotonic() - began < 15


def test_a_client_that_leaves_during_its_call_disturbs_nobody(server: Any) -> None:
    # uvicorn logs its start until it answers.
    assert server.get("/head").status == 200
    server.forget()
    logged = server.output()
    with server.connect() as client:
        client.get("/wait?gate=left")
        server.wait_for("started")
    assert server.get("/head").status == 200
    server.open("left")
    server.wait_for("closed in a thread")
    assert server.get("/head").status == 200
    assert server.output() == logged


def test_each_call_is_logged_in_gunicorns_format(serve: Callable[..., Any], tmp_path: Any) -> None:
    log = tmp_path / "access.log"
    server = serve(accesslog=str(log), access_log_format="%(m)s %(U)s %(q)s %(s)s %(B)s %({x-two}i)s")
    with server.connect() as client:
        for number in range(3):
            client.get(f"/head?size={number}", "X-Two: 2").read()
    assert server.end() == 0
    assert log.read_text().splitlines() == [f"GET /head size={number} 200 {number} 2" for number in range(3)]
