"""What a worker node starts beside its consumers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pytest
from celery import Celery
from kombu import Exchange, Message, Producer, Queue, pools
from kombu.exceptions import OperationalError

from micro.api.celery.consumer import Fetch, NodeConsumer, UsefulDelayedDelivery
from micro.config.settings import Settings
from micro.jobs.queue import make_celery


@pytest.fixture
def app(task_queue: str) -> Iterator[Celery]:
    # Nothing connects to it.
    yield make_celery(Settings(broker_url="amqp://", task_queues=(task_queue,)))
    pools.reset()


def declares(app: Celery) -> bool:
    """Tell whether a node of the application declares the queues of delayed messages."""
    node: Any = SimpleNamespace(app=app)
    return UsefulDelayedDelivery(node).include_if(node)


def test_queues_of_delayed_messages_are_declared_only_where_one_can_be_reached(app: Celery) -> None:
    assert not declares(app)
    app.amqp.queues.add(Queue("reports", Exchange("reports", type="topic"), routing_key="reports"))
    assert declares(app)


@pytest.mark.parametrize(("processes", "jobs"), [(1, 2), (3, 3)])
def test_a_node_fetches_at_least_two_messages_for_jobs(
    rabbitmq_url: str, task_queue: str, processes: int, jobs: int
) -> None:
    fetched: list[Message] = []
    app = make_celery(Settings(broker_url=rabbitmq_url, task_queues=(task_queue,)))
    with app.connection_for_read() as connection:
        connection.default_channel.basic_qos(0, processes, False)
        consumer = app.amqp.TaskConsumer(connection, on_message=fetched.append)
        node: Any = SimpleNamespace(
            connection=connection, task_consumer=consumer, initial_prefetch_count=processes, qos_global=False
        )
        Fetch(node).start(node)
        for queue in consumer.queues * 4:
            Producer(connection).publish({}, routing_key=queue.name)
        consumer.consume()
        while len(fetched) < processes + jobs:
            connection.drain_events(timeout=10)
        with suppress(TimeoutError):
            # One more would be there by now.
            connection.drain_events(timeout=0.5)
        consumer.cancel()
        for queue in consumer.queues:
            queue.delete()
    app.close()
    found = Counter(each.delivery_info["routing_key"] for each in fetched)
    assert found == {task_queue: processes, f"{task_queue}.jobs": jobs}


def test_a_node_tries_soon_whether_its_broker_is_back(
    app: Celery, closed_port: int, caplog: pytest.LogCaptureFixture
) -> None:
    app.conf.broker_connection_max_retries = 1
    idle = SimpleNamespace(use_eventloop=False)
    node = NodeConsumer(lambda: None, app=app, pool=None, controller=idle)
    with (
        pytest.raises(OperationalError),
        app.connection_for_read(f"redis://127.0.0.1:{closed_port}") as broker,
    ):
        node.ensure_connected(broker)
    assert re.findall("again in (.+) second", caplog.text) == ["1.00"]


def test_a_node_starts_all_else_that_celery_does(app: Celery) -> None:
    steps = {str(each) for each in NodeConsumer.Blueprint.default_steps}
    theirs = {str(each) for each in NodeConsumer.__base__.Blueprint.default_steps}
    assert len(theirs - steps) == 1
    assert app.conf.worker_consumer == "micro.api.celery.consumer:NodeConsumer"
