"""Calls that are taken for quick are answered without a task; nobody can tell but by the time that takes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest


@pytest.fixture(scope="module", params=["asyncio", "uvloop"])
def server(serve_shared: Callable[..., Any], request: Any) -> Any:
    return serve_shared(eager=True, keepalive=2, asgi_loop=request.param)


def test_a_plain_call_needs_no_task_and_any_other_has_one(server: Any) -> None:
    tasks = server.folder / "tasks"
    with server.connect() as client:
        # The first may come before the connection's task has begun to wait for it.
        client.get("/head").read()
        tasks.write_text("")
        for _ in range(3):
            client.get("/head?size=2").read()
        client.post("/head", b"body").read()
        assert tasks.read_text() == ""
        client.send("HEAD /head HTTP/1.1\r\nHost: test\r\n\r\n").read(to_head=True)
        client.get("/head?size=100000").read()
    assert tasks.read_text().splitlines() == ["HEAD /head", "GET /head"]


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
def test_a_header_that_would_be_several_or_another_is_no_part_of_an_answer(
    server: Any, name: str, value: str
) -> None:
    with server.connect() as client:
        answer = client.get(f"/bare/head?name={quote(name)}&value={quote(value)}").read()
        assert answer.status == 500
        assert "x-other" not in answer.headers
        assert client.is_closed()
    assert server.get("/head").status == 200


@pytest.mark.parametrize("status", ["odd", "\xb2\xb2\xb2 Odd"])
def test_a_status_that_is_none_is_no_part_of_an_answer(server: Any, status: str) -> None:
    with server.connect() as client:
        assert client.get(f"/bare/head?status={quote(status)}").read().status == 500
    assert server.get("/head").status == 200


def test_an_answer_that_has_no_body_has_none(server: Any) -> None:
    with server.connect() as client:
        client.get("/bare/head?status=103%20Early&size=3")
        client.get("/bare/head?status=204%20Nothing&size=3")
        client.get("/bare/head?size=2")
        found = [client.read() for _ in range(3)]
    assert [(each.status, each.body) for each in found] == [(103, b""), (204, b""), (200, b"xx")]
    assert {each.version for each in found} == {"HTTP/1.1"}


def test_a_length_that_is_no_number_is_refused_behind_a_call_too(server: Any) -> None:
    with server.connect() as client:
        length = b"9" * 5000
        client.send(b"GET /head HTTP/1.1\r\n\r\nPOST / HTTP/1.1\r\nContent-Length: %b\r\n\r\n" % length)
        assert client.read().status == 200
        assert client.read().status == 400
    assert server.get("/head").status == 200


@pytest.mark.parametrize("name", ["Date", "Server"])
def test_a_header_that_the_server_sends_too_is_sent_once(server: Any, name: str) -> None:
    with server.connect() as client:
        client.get(f"/head?name={name}&value=own")
        head = client.read_head()
        assert head.headers[name.lower()] == "own"


@pytest.mark.parametrize("server", ["asyncio"], indirect=True)
def test_a_connection_is_closed_once_nothing_has_come_over_it_for_the_time_it_is_kept(server: Any) -> None:
    with server.connect() as client:
        # Together longer than that.
        for _ in range(4):
            client.get("/head").read()
            time.sleep(0.6)
        client.get("/head").read()
        began = time.monotonic()
        assert client.is_closed()
        assert 1.9 < time.monotonic() - began < 15


@pytest.mark.parametrize("server", ["asyncio"], indirect=True)
def test_a_connection_is_kept_while_a_call_that_seemed_quick_goes_on(server: Any) -> None:
    with server.connect() as client:
        client.get("/head").read()
        server.forget()
        client.get("/wait?gate=kept")
        server.wait_for("started")
        time.sleep(2.5)
        server.open("kept")
        assert client.read().body == b"done"
        assert client.get("/head").read().body == b"x"


def test_a_client_that_leaves_during_its_call_is_in_nobodys_way(server: Any) -> None:
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


def test_each_call_is_logged_where_that_is_wished(serve: Callable[..., Any], tmp_path: Any) -> None:
    log = tmp_path / "access.log"
    server = serve(eager=True, accesslog=str(log), access_log_format="%(m)s %(U)s %(s)s %(B)s")
    with server.connect() as client:
        for number in range(3):
            client.get(f"/head?size={number}").read()
    assert server.end() == 0
    assert log.read_text().splitlines() == [f"GET /head 200 {number}" for number in range(3)]


def test_a_worker_that_has_served_its_requests_is_replaced(
    serve: Callable[..., Any], wait_until: Any
) -> None:
    server = serve(eager=True, max_requests=3)
    first = server.workers
    with server.connect() as client:
        answers = [client.get("/head").read() for _ in range(3)]
        assert [each.headers.get("connection") for each in answers] == [None, None, "close"]
    assert wait_until(lambda: server.ready_workers(without=first))
