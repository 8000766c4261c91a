"""How it ends: what runs is finished, the exit status tells, nothing stays behind."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

Start = Callable[..., Any]
Wait = Callable[..., Any]


@pytest.fixture(params=["embedded", "rabbitmq", "redis"])
def broker_url(request: pytest.FixtureRequest) -> str:
    return "" if request.param == "embedded" else request.getfixturevalue(f"{request.param}_url")


class Silencer:
    """Stands between a client and RabbitMQ, of which no answer comes through once a consumer is to begin."""

    CONSUME = b"\x00\x3c\x00\x14"

    def __init__(self, server: int) -> None:
        self._server = server
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.silent = Event()
        self._silences = False
        self._open: list[socket.socket] = []

    def __enter__(self) -> Silencer:
        Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        self._cut()

    def silence_next(self) -> None:
        """Cut what is connected; the broker falls silent for those who come back."""
        self._silences = True
        self._cut()

    def _cut(self) -> None:
        for each in self._open:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._server))
                self._open += [client, server]
                mute = Event()
                Thread(target=self._pass_on, args=(client, server, mute), daemon=True).start()
                Thread(target=self._pass_on, args=(server, client, mute), daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket, mute: Event) -> None:
        with suppress(OSError), source:
            while data := source.recv(65536):
                if self._silences and self.CONSUME in data:
                    mute.set()
                    self.silent.set()
                if not mute.is_set():
                    target.sendall(data)
            target.shutdown(socket.SHUT_RDWR)


def _terminate(micro: Any) -> None:
    micro.process.send_signal(signal.SIGTERM)


def _press_ctrl_c(micro: Any) -> None:
    os.killpg(micro.process.pid, signal.SIGINT)


def _finish_in_the_middle(
    micro: Any, ask: Callable[[Any], None], gate: Any, other_gate: Any, wait: Wait, requests: Any
) -> None:
    with ThreadPoolExecutor(2) as pool:
        call = pool.submit(micro.call, "/run/gate", gate.params)
        task = requests.run.delay("gate", **other_gate.params)
        answer = pool.submit(task.get, timeout=20)
        wait(lambda: gate.started() and other_gate.started())
        ask(micro)
        wait(lambda: ": stopping" in micro.output())
        for each in (gate, other_gate):
            each.open()
        assert call.result(20) == {"pid": gate.finished()[0]}
        assert json.loads(answer.result(20)) == {"pid": other_gate.finished()[0]}
    assert micro.process.wait(20) == 0


def test_sigterm_lets_a_rest_call_and_a_celery_task_finish(
    start_micro: Start,
    wait_for: Wait,
    broker_url: str,
    task_queue: str,
    good_plugins: str,
    gate: Any,
    other_gate: Any,
) -> None:
    micro = start_micro("-G", "-C", "-p", good_plugins, "-q", task_queue, "-B", broker_url)
    requests = micro.requests(task_queue, broker_url)
    _finish_in_the_middle(micro, _terminate, gate, other_gate, wait_for, requests)


def test_ctrl_c_lets_a_rest_call_and_a_celery_task_finish(
    start_micro: Start, wait_for: Wait, good_plugins: str, gate: Any, other_gate: Any
) -> None:
    micro = start_micro("-GC", "-p", good_plugins)
    _finish_in_the_middle(micro, _press_ctrl_c, gate, other_gate, wait_for, micro.requests())
    assert list(micro.pids.iterdir()) == []


def test_a_stop_does_not_wait_for_a_broker_that_does_not_answer(
    start_micro: Start, wait_for: Wait, rabbitmq_url: str, task_queue: str, good_plugins: str
) -> None:
    with Silencer(5672) as broker:
        url = rabbitmq_url.replace("127.0.0.1", f"127.0.0.1:{broker.port}").replace(":5672", "")
        micro = start_micro("-C", "-p", good_plugins, "-q", task_queue, "-B", url)
        broker.silence_next()
        wait_for(broker.silent.is_set)
        _terminate(micro)
        assert micro.process.wait(10) == 0


def test_a_rest_call_takes_no_time_from_the_workers(
    start_micro: Start, wait_for: Wait, runs: Callable[[int], bool], good_plugins: str, gate: Any
) -> None:
    micro = start_micro("-GC", "-p", good_plugins)
    worker, rest = micro.pid("worker1"), micro.pid("rest")
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(micro.call, "/run/gate", gate.params)
        wait_for(gate.started)
        micro.process.send_signal(signal.SIGTERM)
        wait_for(lambda: not runs(worker))
        assert runs(rest)
        gate.open()
        assert call.result(20) == {"pid": gate.finished()[0]}
    assert micro.process.wait(20) == 0


def test_a_second_signal_kills(
    start_micro: Start,
    wait_for: Wait,
    runs: Callable[[int], bool],
    good_plugins: str,
    gate: Any,
    other_gate: Any,
) -> None:
    micro = start_micro("-GC", "-p", good_plugins)
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(micro.call, "/run/gate", gate.params)
        micro.requests().run.delay("gate", **other_gate.params)
        wait_for(lambda: gate.started() and other_gate.started())
        working = [*micro.children(micro.process.pid), *gate.started(), *other_gate.started()]
        micro.process.send_signal(signal.SIGTERM)
        wait_for(lambda: "SIGTERM: stopping" in micro.output())
        assert micro.stop(signal.SIGTERM) == 1
        wait_for(lambda: not any(map(runs, working)))
        with pytest.raises(OSError):  # noqa: PT011
            call.result(5)
    assert "SIGTERM again: killing" in micro.output()
    assert not gate.finished()
    assert not other_gate.finished()
    assert list(micro.pids.iterdir()) == []


def test_children_do_not_outlive_a_killed_supervisor(
    start_micro: Start, wait_for: Wait, runs: Callable[[int], bool], good_plugins: str
) -> None:
    micro = start_micro("-GC", "-p", good_plugins)
    children = micro.children(micro.process.pid)
    assert {micro.pid("rest"), micro.pid("worker1")} < children
    micro.process.kill()
    micro.process.wait()
    wait_for(lambda: not any(map(runs, children)), 20)
    again = start_micro("-G", MICRO_PID_FOLDER_PATH=str(micro.pids))
    assert again.call("/plugins") == []


def test_what_a_plugin_does_at_the_end_of_its_process_is_waited_for(
    start_micro: Start, interface: Callable[..., str], tmp_path: Path
) -> None:
    body = """
        @classmethod
        def setup(cls):
            from celery.signals import worker_process_shutdown
            worker_process_shutdown.connect(cls.end, weak=False)

        @staticmethod
        def end(**_):
            note("ended")

        @classmethod
        def teardown(cls):
            note("torn down")

        def run(self):
            return {}
    """
    place = tmp_path / "plugins" / "ends"
    place.mkdir(parents=True)
    (place / "interface.py").write_text(interface(body, "Ends"))
    micro = start_micro("-C", "-p", str(place.parent))
    assert micro.requests().run.delay("Ends").get(timeout=20) == "{}"
    assert micro.stop() == 0
    assert (place.parent / "diary").read_text().split("\n") == ["torn down", "ended", ""]
