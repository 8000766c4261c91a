"""Celery's consumer as Micro's worker nodes use it: reconnecting, queues, prefetch count."""

from __future__ import annotations

from functools import partial
from typing import Any

from celery.bootsteps import StartStopStep
from celery.worker.consumer import Consumer
from celery.worker.consumer.delayed_delivery import DelayedDelivery
from celery.worker.consumer.tasks import Tasks
from kombu.entity import Queue

from micro.jobs.queue import is_job_queue

# Seconds between attempts to reconnect to the broker. Celery's own pauses grow from two seconds to 30.
_AGAIN = {"interval_start": 1.0, "interval_step": 1.0, "interval_max": 5.0}
_LOOK_SECONDS = 0.5
_LEAST_FETCHED = 2


class UsefulDelayedDelivery(DelayedDelivery):  # type: ignore[misc]
    """Declares RabbitMQ's 28 queues for delayed messages only if an exchange can use them.

    Celery declares these queues, replicated, for every node that reads a quorum queue. It never uses them
    for exchanges of type ``direct``, and Micro's exchanges are direct.
    """

    def include_if(self, c: Consumer) -> bool:
        kinds = {queue.exchange.type for queue in c.app.amqp.queues.values() if queue.exchange}
        return kinds != {"direct"} and bool(super().include_if(c))


class Fetch(StartStopStep):  # type: ignore[misc]
    """Lets a node with one process prefetch two messages from RabbitMQ's quorum queues for jobs.

    After an acknowledgement a quorum queue takes as long to deliver the next message as a short job takes.
    """

    requires = (Tasks,)

    def start(self, c: Consumer) -> None:
        usual = c.initial_prefetch_count
        if c.connection.transport.driver_type == "amqp" and not c.qos_global and 0 < usual < _LEAST_FETCHED:
            for queue in filter(is_job_queue, c.task_consumer.queues):
                queue.consume = partial(_consume, queue.consume, queue, usual)


def _consume(consume: Any, queue: Queue, usual: int, *args: Any, **options: Any) -> None:
    # basic_qos applies to consumers that start after it, so set the usual count again for the next queue.
    queue.channel.basic_qos(0, _LEAST_FETCHED, False)
    consume(*args, **options)
    queue.channel.basic_qos(0, usual, False)


class NodeConsumer(Consumer):  # type: ignore[misc]
    """Celery's consumer without useless queues; recovers sooner from a lost broker or pool process."""

    def register_with_event_loop(self, hub: Any) -> None:
        super().register_with_event_loop(hub)
        # A pool process that starts to exit wakes the node, which may find that it has not exited yet. Celery
        # looks again only after five seconds, and a run that must be repeated would wait that long.
        hub.call_repeatedly(_LOOK_SECONDS, self.pool.maintain_pool)

    def ensure_connected(self, conn: Any) -> Any:
        conn.ensure_connection = partial(conn.ensure_connection, **_AGAIN)
        return super().ensure_connected(conn)

    class Blueprint(Consumer.Blueprint):  # type: ignore[misc]
        default_steps = (
            *(each for each in Consumer.Blueprint.default_steps if not each.endswith(":DelayedDelivery")),
            UsefulDelayedDelivery,
            Fetch,
        )
