"""The client and the desk that answers it, on a broker that is restarted, killed or not there."""

from __future__ import annotations

import json
import logging
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from celery import Celery

from micro.api.desk import Desk
from micro.client import Client, NoAnswer, ServiceUnreachable, connect
from micro.client.broker import desk_queue
from micro.errors import BadRequest, MicroError
from micro.jobs.queue import make_celery
from micro.jobs.service import Jobs
from micro.server.broker import EmbeddedBroker, embedded_broker
from micro.server.process import Child
from micro.service import Micro

WaitFor = Callable[..., Any]
ADDER = """
    from micro import PluginBase, PluginDescription

    class Adder(PluginBase):
        def run(self, a: int) -> dict[str, int]:
            return {"sum": a}

    plugin = PluginDescription(name="Adder")
"""


class Broker:
    """An embedded broker that can be stopped and started."""

    def __init__(self, embedded: EmbeddedBroker, wait_for: WaitFor) -> None:
        self.url = embedded.url
        self._process, self._wait_for = embedded.process, wait_for
        self.start()

    def start(self) -> None:
        self._child = Child(self._process)
        ready = self._process.ready
        assert ready is not None
        self._wait_for(lambda: ready(self._child.pid))

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        if self._child.poll() is None:
            self._child.send(number)
            self._wait_for(lambda: self._child.poll() is not None)
            list(self._child.bury())


@pytest.fixture
def broker(wait_for: WaitFor) -> Iterator[Broker]:
    with (
        tempfile.TemporaryDirectory(prefix="micro-test-") as folder,
        embedded_broker(Path(folder)) as embedded,
    ):
        broker = Broker(embedded, wait_for)
        yield broker
        broker.stop()


@pytest.fixture
def micro(load: Callable[..., Micro], broker: Broker, tmp_path: Path) -> Micro:
    file = tmp_path / "config.json"
    file.write_text(json.dumps({"micro": {"state_folder_path": str(tmp_path)}}))
    return load({"adder/interface.py": ADDER}, config_file=str(file), broker_url=broker.url)


@pytest.fixture
def app(micro: Micro) -> Celery:
    return make_celery(micro.settings)


@pytest.fixture
def desk(app: Celery, micro: Micro) -> Iterator[Desk]:
    desk = Desk(app, Jobs(micro))
    desk.start()
    yield desk
    desk.stop()


@pytest.fixture
def client(broker: Broker) -> Iterator[Client]:
    with connect(broker.url, timeout=5) as client:
        yield client


@pytest.mark.parametrize("scheme", ["redis", "amqp"])
def test_a_broker_that_is_not_there_is_named_without_its_password(scheme: str, closed_port: int) -> None:
    with (
        connect(f"{scheme}://me:secret@127.0.0.1:{closed_port}//") as client,
        pytest.raises(ServiceUnreachable, match="cannot be reached") as caught,
    ):
        client.run("Adder", a=1)
    assert not caught.value.sent
    assert "secret" not in f"{caught.value} {client!r}"


def test_that_no_worker_answers_is_a_timeout(broker: Broker) -> None:
    with (
        connect(broker.url, queue="nobody", timeout=0.2) as client,
        pytest.raises(
            TimeoutError, match=r"No worker answered within 0\.2 seconds on queue 'nobody'"
        ) as caught,
    ):
        client.run("Adder", a=1)
    assert isinstance(caught.value, NoAnswer)


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_calls_are_answered_again_when_the_broker_was_restarted(
    desk: Desk, client: Client, broker: Broker, caplog: pytest.LogCaptureFixture, end: signal.Signals
) -> None:
    assert client.plugins()
    broker.stop(end)
    with pytest.raises(ServiceUnreachable):
        client.plugins()
    broker.start()
    assert client.plugins()
    assert [each.levelno for each in caplog.records if each.name == "micro.api.desk"] == [logging.WARNING]


def test_a_run_whose_broker_vanishes_may_have_arrived(
    client: Client, broker: Broker, wait_for: WaitFor, app: Celery
) -> None:
    caught: list[ServiceUnreachable] = []

    def run() -> None:
        with pytest.raises(ServiceUnreachable, match="broke off") as info:
            client.run("Adder", a=1)
        caught.append(info.value)

    def queued() -> int:
        with app.connection_for_read() as connection:
            return int(connection.default_channel.client.llen("micro"))

    thread = threading.Thread(target=run)
    thread.start()
    wait_for(queued)
    broker.stop()
    thread.join()
    assert caught[0].sent


def test_more_threads_than_idle_lines_are_served(desk: Desk, client: Client) -> None:
    together = threading.Barrier(12)
    found: list[object] = []

    def ask() -> None:
        together.wait(5)
        found.append(client.info("Adder")["name"])

    threads = [threading.Thread(target=ask) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == ["Adder"] * 12


@pytest.mark.parametrize(
    ("task", "arguments", "error"),
    [
        ("nothing", (), r"No such call: 'nothing'; expected one of plugins, info, help, submit"),
        ("info", (), r"Micro\.info: missing a required argument: 'name'"),
        ("status", (1, 2), r"Micro\.status: too many positional arguments"),
    ],
)
def test_wrong_calls_are_answered(
    desk: Desk, client: Client, task: str, arguments: tuple[object, ...], error: str
) -> None:
    with pytest.raises(BadRequest, match=error):
        client._service._ask(task, *arguments)  # type: ignore[attr-defined] - no call of the client is wrong


def test_a_call_that_breaks_ends_no_others(
    desk: Desk, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(MicroError, match="Internal error; the log has the cause") as caught:
        client._service._ask("jobs", 17)  # type: ignore[attr-defined] - no call of the client is wrong
    assert caught.value.status == 500
    assert "AttributeError" in caplog.text
    assert client.plugins()


def test_a_message_that_is_no_call_is_passed_over(
    desk: Desk, client: Client, app: Celery, wait_for: WaitFor, caplog: pytest.LogCaptureFixture
) -> None:
    with app.producer_or_acquire() as producer:
        producer.publish([[], {}, {}], routing_key=desk_queue("micro").name, exchange="", headers={"id": "1"})
    wait_for(lambda: "A message on the queue of calls is none" in caplog.text)
    assert client.plugins()
