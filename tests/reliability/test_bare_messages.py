"""What becomes of a Celery client's run when something ends in the middle: the limits in docs/jobs.md."""

from __future__ import annotations

import json
import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from celery.exceptions import TimeoutError as NoAnswer

LONG = os.environ.get("MICRO_RELIABILITY") == "long"
BROKERS = ["embedded", *(["rabbitmq", "redis"] if LONG else [])]
# Seconds; a node looks every ten for what has become visible again.
VISIBILITY = 5
STOP = 1
MESSAGES, KILLS, QUIET_SECONDS = 2000, 10, 90
Wait = Callable[..., Any]

long_form = pytest.mark.skipif(not LONG, reason="part of the long form")
pytestmark = [pytest.mark.reliability, pytest.mark.timeout(600 if LONG else 120)]


class Client:
    """A Celery client of a service with one node of one process."""

    def __init__(self, service: Any, requests: Any, folder: Path, marks: Callable[[], list[str]]) -> None:
        self.service, self.marks = service, marks
        self._requests, self._folder = requests, folder

    def run(self, number: int, seconds: float) -> Any:
        params = {"folder": str(self._folder), "number": number, "seconds": seconds}
        return self._requests.run.delay("Work", **params)

    def recorded(self, task: Any) -> str:
        """Return where the job of the task stands; empty while it is not on record."""
        jobs = self.service.call("/jobs")[1]["jobs"]
        return next((str(job["state"]) for job in jobs if job["request_id"] == task.id), "")

    def started(self, number: int) -> int:
        return self.marks().count(f"{number} started")

    def kill_node(self) -> None:
        os.kill(self.service.leader("worker1"), signal.SIGKILL)

    def kill_pool_process(self) -> None:
        os.kill(self.service.forked("worker1")[0], signal.SIGKILL)


@pytest.fixture
def make_client(
    make_service: Callable[..., Any], connect: Callable[..., Any], tmp_path: Path,
    marks: Callable[[], list[str]], task_queue: str,
) -> Callable[..., Client]:  # fmt: skip
    def make(broker_url: str, visibility: float = 3600) -> Client:
        celery = {"broker_transport_options": {"visibility_timeout": visibility}, "worker_concurrency": 1}
        own = {"broker_url": broker_url, "task_queues": task_queue, "celery_workers": "1"}
        service = make_service(celery, **own, stop_timeout=str(STOP))
        return Client(service, connect(broker_url or service.broker_url, task_queue), tmp_path, marks)

    return make


@pytest.fixture(params=BROKERS)
def broker_url(request: pytest.FixtureRequest) -> str:
    return "" if request.param == "embedded" else request.getfixturevalue(f"{request.param}_url")


def answer(task: Any, seconds: float = 40) -> Any:
    return json.loads(task.get(timeout=seconds))


def test_a_run_whose_process_is_killed_runs_again_at_once(
    make_client: Callable[..., Client], broker_url: str, wait_for: Wait
) -> None:
    client = make_client(broker_url)
    killed = client.run(1, 0.5)
    wait_for(lambda: client.started(1))
    client.kill_pool_process()
    assert answer(killed) == {"number": 1}
    assert client.started(1) == 2


def test_a_run_that_is_ended_by_a_stop_runs_again_at_the_next_start(
    make_client: Callable[..., Client], broker_url: str, wait_for: Wait
) -> None:
    client = make_client(broker_url)
    stopped = client.run(1, STOP + 1)
    wait_for(lambda: client.started(1))
    client.service.stop()
    client.service.start()
    assert answer(stopped) == {"number": 1}
    assert client.started(1) == 2


@long_form
def test_a_short_run_whose_node_is_killed_runs_again_when_the_broker_delivers_it_again(
    make_client: Callable[..., Client], broker_url: str, wait_for: Wait
) -> None:
    client = make_client(broker_url, VISIBILITY)
    sent = time.monotonic()
    task = client.run(1, 0.5)
    wait_for(lambda: client.started(1))
    client.kill_node()
    assert answer(task) == {"number": 1}
    assert client.started(1) == 2
    if not broker_url.startswith("amqp"):
        # RabbitMQ sees the connection go; a Redis waits.
        assert time.monotonic() - sent > VISIBILITY


def test_a_longer_one_runs_again_by_its_record_but_is_answered_only_then(
    make_client: Callable[..., Client], broker_url: str, wait_for: Wait
) -> None:
    client = make_client(broker_url)
    task = client.run(1, 1.5)
    wait_for(lambda: client.recorded(task) == "running", 20)
    client.kill_node()
    wait_for(lambda: client.service.leader("worker1") and client.recorded(task) == "succeeded", 40)
    assert client.started(1) == 2
    if broker_url.startswith("amqp"):
        assert answer(task) == {"number": 1}
    else:
        with pytest.raises(NoAnswer):
            task.get(timeout=0.5)


@long_form
def test_rabbitmq_that_is_restarted_keeps_what_waits(
    make_client: Callable[..., Client], own_server: Callable[..., Any], wait_for: Wait
) -> None:
    server = own_server("rabbitmq")
    client = make_client(server.url)
    client.run(1, 3)
    client.run(2, 0.1)
    wait_for(lambda: client.started(1))
    # Killed, it would lose what it has not written yet.
    server.restart(signal.SIGTERM)
    wait_for(lambda: client.started(2), 60)
    assert client.started(1) == 1


@long_form
def test_a_redis_without_a_file_that_is_restarted_loses_what_waits(
    make_client: Callable[..., Client], own_server: Callable[..., Any], wait_for: Wait
) -> None:
    server = own_server("redis")
    client = make_client(server.url)
    running, waiting = client.run(1, 3), client.run(2, 0.1)
    wait_for(lambda: client.started(1))
    server.restart()
    assert answer(running) == {"number": 1}
    with pytest.raises(NoAnswer):
        answer(waiting, 5)
    assert client.marks() == ["1 ended", "1 started"]


@long_form
def test_a_running_and_a_waiting_one_outlive_the_embedded_broker(
    make_client: Callable[..., Client], wait_for: Wait
) -> None:
    client = make_client("")
    running, waiting = client.run(1, 2), client.run(2, 0.1)
    wait_for(lambda: client.started(1))
    # It writes what it was sent to its file once a second.
    wait_for(lambda: client.recorded(running) == "running", 20)
    os.kill(client.service.broker(), signal.SIGKILL)
    assert [answer(running), answer(waiting)] == [{"number": 1}, {"number": 2}]
    assert client.marks() == ["1 ended", "1 started", "2 ended", "2 started"]


@long_form
@pytest.mark.parametrize("kind", ["embedded", "rabbitmq"])
def test_how_many_messages_are_lost_when_nodes_are_killed(
    kind: str, request: pytest.FixtureRequest, make_client: Callable[..., Client], wait_for: Wait,
    record_property: Callable[[str, object], None],
) -> None:  # fmt: skip
    url = "" if kind == "embedded" else request.getfixturevalue(f"{kind}_url")
    client = make_client(url, VISIBILITY)
    for number in range(MESSAGES):
        client.run(number, 0)
    for kill in range(1, KILLS + 1):
        # Spread over the run, each in the middle of work.
        wait_for(lambda kill=kill: len(set(client.marks())) > kill * MESSAGES / KILLS, 120)
        wait_for(lambda: client.service.leader("worker1"), 30)
        with suppress(ProcessLookupError):
            client.kill_node()
    # Those that a node held come again; a node that was killed often waits longer before its next start.
    since, ended = time.monotonic(), ended_ones(client)
    while len(ended) < MESSAGES and time.monotonic() - since < QUIET_SECONDS:
        time.sleep(0.5)
        before, ended = len(ended), ended_ones(client)
        since = time.monotonic() if len(ended) > before else since
    lost = MESSAGES - len(ended)
    twice = sum(count > 1 for count in ended.values())
    record_property("reliability", f"{kind}: of {MESSAGES} bare messages {lost} lost, {twice} run twice")
    assert lost == 0 or kind == "embedded"


def ended_ones(client: Client) -> Counter[str]:
    return Counter(mark for mark in client.marks() if mark.endswith(" ended"))
