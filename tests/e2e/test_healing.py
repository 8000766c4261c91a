"""What happens to the service, and to the work in it, when a process is killed."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from micro.client import connect

Start = Callable[..., Any]
Wait = Callable[..., Any]


def _kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def _process(requests: Any) -> int:
    return json.loads(requests.run.delay("process").get(timeout=30))["pid"]


@pytest.fixture(scope="module")
def micro(start_shared_micro: Start, good_plugins: str) -> Any:
    return start_shared_micro("-GC", "-p", good_plugins)


def test_a_rest_worker_is_replaced(micro: Any, wait_for: Wait) -> None:
    killed = micro.call("/run/process", {})["pid"]
    _kill(killed)
    wait_for(lambda: killed not in micro.children(micro.pid("rest")))
    assert micro.call("/run/process", {})["pid"] != killed


def test_the_rest_server_is_started_again(micro: Any, wait_for: Wait) -> None:
    killed = micro.pid("rest")
    _kill(killed)
    wait_for(lambda: "rest is up again" in micro.output(), 40)
    assert micro.pid("rest") != killed


def test_a_pool_child_is_replaced(micro: Any) -> None:
    killed = _process(micro.requests())
    _kill(killed)
    assert _process(micro.requests()) != killed


def test_a_node_is_started_again(micro: Any, wait_for: Wait) -> None:
    killed = micro.pid("worker1")
    _kill(killed)
    wait_for(lambda: "worker1 is up again" in micro.output(), 40)
    assert micro.pid("worker1") != killed
    assert _process(micro.requests())


def test_the_embedded_broker_is_started_again(micro: Any, wait_for: Wait) -> None:
    _kill(micro.child("valkey"))
    wait_for(lambda: "broker is up again" in micro.output(), 40)
    assert _process(micro.requests())


@pytest.fixture
def quick_plugins(good_plugins: str, plugins: Path) -> str:
    """The plugin path with which a run that was cut off is taken over after a second."""
    return f"{good_plugins}:{plugins / 'short_limits'}"


@pytest.fixture(params=["rabbitmq", "redis"])
def broker_url(request: pytest.FixtureRequest) -> str:
    return request.getfixturevalue(f"{request.param}_url")


def test_a_task_whose_pool_child_is_killed_runs_again(
    start_micro: Start, wait_for: Wait, broker_url: str, task_queue: str, quick_plugins: str, gate: Any
) -> None:
    micro = start_micro("-C", "-p", quick_plugins, "-q", task_queue, "-B", broker_url)
    task = micro.requests(task_queue, broker_url).run.delay("gate", **gate.params)
    _kill(wait_for(gate.started)[0])
    # Celery looks after its children every five seconds.
    wait_for(lambda: len(gate.started()) == 2, 40)
    gate.open()
    assert json.loads(task.get(timeout=30)) == {"pid": gate.started()[1]}
    assert gate.finished() == gate.started()[1:]


def test_a_job_whose_pool_child_is_told_to_end_runs_again(
    start_micro: Start, wait_for: Wait, quick_plugins: str, gate: Any
) -> None:
    micro = start_micro("-GC", "-p", quick_plugins)
    job = connect(micro.url).submit("gate", **gate.params)
    os.kill(wait_for(gate.started)[0], signal.SIGTERM)
    wait_for(lambda: len(gate.started()) == 2, 40)
    gate.open()
    assert job.result(30) == {"pid": gate.started()[1]}


def test_a_task_whose_node_is_killed_runs_again_with_rabbitmq(
    start_micro: Start, wait_for: Wait, rabbitmq_url: str, task_queue: str, quick_plugins: str, gate: Any
) -> None:
    micro = start_micro("-C", "-p", quick_plugins, "-q", task_queue, "-B", rabbitmq_url)
    task = micro.requests(task_queue, rabbitmq_url).run.delay("gate", **gate.params)
    wait_for(gate.started)
    _kill(micro.pid("worker1"))
    wait_for(lambda: len(gate.started()) == 2, 40)
    gate.open()
    assert json.loads(task.get(timeout=30)) == {"pid": gate.started()[1]}
    assert gate.finished() == gate.started()[1:]
    assert micro.stop() == 0
