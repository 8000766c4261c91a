"""Stop, reload and restart lose no call that was accepted; what hangs is ended."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from typing import Any


def test_calls_that_run_and_wait_are_answered_before_the_server_stops(
    serve: Callable[..., Any], wait_until: Callable[..., Any]
) -> None:
    server = serve(threads=2)
    clients = [server.connect().get("/wait?gate=end") for _ in range(6)]
    server.wait_for("started", 2)
    server.signal(signal.SIGTERM)
    wait_until(lambda: "Shutting down" in server.output())
    server.open("end")
    for client in clients:
        with client:
            answer = client.read()
            assert (answer.body, answer.headers["connection"]) == (b"done", "close")
    assert server.end() == 0
    assert server.events()[-1] == "exits"
    assert server.events().count("finished") == 6


def test_a_reload_answers_old_calls_in_the_old_worker_and_new_ones_in_the_new(
    serve: Callable[..., Any], wait_until: Callable[..., Any]
) -> None:
    server = serve()
    with server.connect() as client:
        client.get("/wait?gate=end")
        server.wait_for("started")
        server.signal(signal.SIGHUP)
        wait_until(lambda: server.ready_workers(without=server.workers))
        wait_until(lambda: "Shutting down" in server.output())
        assert server.get("/").status == 200
        server.open("end")
        assert client.read().body == b"done"
    server.wait_for("exits")


def test_nothing_is_lost_under_load_while_workers_change(
    serve: Callable[..., Any], wait_until: Callable[..., Any]
) -> None:
    server = serve(workers=2)
    done = threading.Event()
    answers: list[int] = []
    failures: list[Exception] = []

    def call() -> None:
        while not done.is_set():
            try:
                answers.append(server.get("/").status)
            except Exception as err:
                failures.append(err)

    callers = [threading.Thread(target=call) for _ in range(4)]
    for caller in callers:
        caller.start()
    # A connection that is accepted in the very turn of the loop in which a worker stops is rare.
    for stopped in (2, 4, 6, 8):
        server.signal(signal.SIGHUP)
        server.wait_for("exits", stopped, seconds=20)
    done.set()
    for caller in callers:
        caller.join()
    assert not failures
    assert set(answers) == {200}


def test_a_worker_that_has_served_its_requests_is_replaced_without_loss(serve: Callable[..., Any]) -> None:
    server = serve(max_requests=5)
    while not server.ready_workers(without=server.workers):
        assert server.get("/").status == 200
    assert server.get("/").status == 200


def test_a_connection_that_is_open_is_still_answered_while_the_server_stops(
    serve: Callable[..., Any], wait_until: Callable[..., Any]
) -> None:
    server = serve(keepalive=60)
    with server.connect() as idle, server.connect() as client:
        client.get("/").read()
        server.signal(signal.SIGTERM)
        wait_until(lambda: "Shutting down" in server.output())
        assert client.get("/").read().headers["connection"] == "close"
        assert client.is_closed()
        # This one never called.
        assert idle.is_closed()
    assert server.end() == 0


def test_streams_that_rest_are_ended_when_the_server_stops(serve: Callable[..., Any]) -> None:
    server = serve()
    with server.connect() as client:
        client.get("/rests?gate=never&seconds=3600").read_head()
        assert client.read_chunk() == b"first"
        server.signal(signal.SIGTERM)
        assert client.read_chunk() == b""
    assert server.end() == 0
    assert server.events() == ["closed in a thread", "exits"]


def test_the_server_waits_for_runs_whose_clients_have_left(
    serve: Callable[..., Any], wait_until: Callable[..., Any]
) -> None:
    server = serve()
    with server.connect() as client:
        client.get("/wait?gate=end")
        server.wait_for("started")
    server.signal(signal.SIGTERM)
    wait_until(lambda: "Shutting down" in server.output())
    server.open("end")
    assert server.end() == 0
    assert server.events() == ["started", "finished", "closed in a thread", "exits"]


def test_a_run_that_outlasts_the_time_to_stop_does_not_keep_the_worker(serve: Callable[..., Any]) -> None:
    server = serve(graceful_timeout=1)
    with server.connect() as client:
        client.get("/wait?gate=never")
        server.wait_for("started")
        server.signal(signal.SIGHUP)
        server.wait_for("exits")
    assert "finished" not in server.events()


def test_a_long_run_is_no_reason_to_kill_its_worker(serve: Callable[..., Any]) -> None:
    server = serve(timeout=1, graceful_timeout=8)
    with server.connect() as client:
        client.get("/wait?gate=end")
        server.wait_for("started")
        _pass_seconds(2)
        # It is none either when the worker is about to stop.
        server.signal(signal.SIGHUP)
        _pass_seconds(3)
        server.open("end")
        assert client.read().body == b"done"
    assert "WORKER TIMEOUT" not in server.output()


def test_a_worker_whose_event_loop_is_blocked_is_replaced(
    serve: Callable[..., Any], wait_until: Callable[..., Any]
) -> None:
    server = serve(timeout=1)
    with server.connect() as client:
        client.get("/freeze")
        server.wait_for("freezes")
        wait_until(lambda: server.ready_workers(without=server.workers))
    assert "WORKER TIMEOUT" in server.output()
    assert server.get("/").status == 200


def _pass_seconds(seconds: float) -> None:
    """Let so much time pass: what must not happen has no sign to wait for."""
    time.sleep(seconds)


def test_a_server_at_rest_stops_at_once(serve: Callable[..., Any]) -> None:
    seconds = []
    # The machine may be busy.
    for _ in range(3):
        server = serve()
        assert server.get("/").status == 200
        began = time.monotonic()
        server.signal(signal.SIGTERM)
        server.wait_for("exits")
        seconds.append(time.monotonic() - began)
        assert server.end() == 0
    # gunicorn's own worker has just looked, and looks again in a second.
    assert min(seconds) < 0.5
