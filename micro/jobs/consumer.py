"""What a worker node starts with its connection to the broker."""

from __future__ import annotations

from functools import partial
from typing import Any

from celery.bootsteps import StartStopStep
from celery.worker.consumer import Consumer
from celery.worker.consumer.delayed_delivery import DelayedDelivery
from celery.worker.consumer.tasks import Tasks
from kombu.entity import Queue

from micro.jobs.queue import is_job_queue

# Seconds between tries to reach a broker that has gone; Celery's own are two, four, and on to half a minute.
_AGAIN = {"interval_start": 1.0, "interval_step": 1.0, "interval_max": 5.0}
_LOOK_SECONDS = 0.5
_LEAST_FETCHED = 2


class UsefulDelayedDelivery(DelayedDelivery):  # type: ignore[misc]
    """Declares RabbitMQ's 28 queues of delayed messages only where some queue could get one from them.

    Celery declares them, replicated, for every node that reads a quorum queue, and then uses them for no
    exchange of the direct kind, which those of Micro are.
    """

    def include_if(self, c: Consumer) -> bool:
        kinds = {queue.exchange.type for queue in c.app.amqp.queues.values() if queue.exchange}
        return kinds != {"direct"} and bool(super().include_if(c))


class Fetch(StartStopStep):  # type: ignore[misc]
    """Lets a node of one process fetch two messages for jobs, of those that RabbitMQ keeps in quorum queues.

    Such a queue takes as long to hand out the next message, once one is acknowledged, as a short job takes.
    """

    requires = (Tasks,)

    def start(self, c: Consumer) -> None:
        usual = c.initial_prefetch_count
        if c.connection.transport.driver_type == "amqp" and not c.qos_global and 0 < usual < _LEAST_FETCHED:
            for queue in filter(is_job_queue, c.task_consumer.queues):
                queue.consume = partial(_consume, queue.consume, queue, usual)


def _consume(consume: Any, queue: Queue, usual: int, *args: Any, **options: Any) -> None:
    # It holds for the consumers that are begun after it.
    queue.channel.basic_qos(0, _LEAST_FETCHED, False)
    consume(*args, **options)
    queue.channel.basic_qos(0, usual, False)


class NodeConsumer(Consumer):  # type: ignore[misc]
    """Celery's own, but for what serves nothing; back sooner when the broker is, or a process has died."""

    def register_with_event_loop(self, hub: Any) -> None:
        super().register_with_event_loop(hub)
        # A process that begins to end wakes the node, which then may find that it has not ended yet; Celery
        # looks again after five seconds, and so long a run that must begin anew would wait.
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
