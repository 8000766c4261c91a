"""What a worker node starts with its connection to the broker."""

from __future__ import annotations

from celery.worker.consumer import Consumer
from celery.worker.consumer.delayed_delivery import DelayedDelivery


class UsefulDelayedDelivery(DelayedDelivery):  # type: ignore[misc]
    """Declares RabbitMQ's 28 queues of delayed messages only where some queue could get one from them.

    Celery declares them, replicated, for every node that reads a quorum queue, and then uses them for no
    exchange of the direct kind, which those of Micro are.
    """

    def include_if(self, c: Consumer) -> bool:
        kinds = {queue.exchange.type for queue in c.app.amqp.queues.values() if queue.exchange}
        return kinds != {"direct"} and bool(super().include_if(c))


class NodeConsumer(Consumer):  # type: ignore[misc]
    """Celery's own, but for what serves nothing."""

    class Blueprint(Consumer.Blueprint):  # type: ignore[misc]
        default_steps = (
            *(each for each in Consumer.Blueprint.default_steps if not each.endswith(":DelayedDelivery")),
            UsefulDelayedDelivery,
        )
