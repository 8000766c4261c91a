"""What a worker node starts beside its consumers."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from celery import Celery
from kombu import Exchange, Queue, pools

from micro.jobs.consumer import NodeConsumer, UsefulDelayedDelivery
from micro.jobs.queue import make_celery
from micro.settings import Settings


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


def test_a_node_starts_all_else_that_celery_does(app: Celery) -> None:
    steps = {str(each) for each in NodeConsumer.Blueprint.default_steps}
    theirs = {str(each) for each in NodeConsumer.__base__.Blueprint.default_steps}
    assert len(theirs - steps) == 1
    assert app.conf.worker_consumer == "micro.jobs.consumer:NodeConsumer"
