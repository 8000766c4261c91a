"""Lets a Celery node that stops take no new work, and tell so, before it finishes what it runs."""

from __future__ import annotations

import logging
import socket
from contextlib import suppress
from queue import Empty
from typing import Any

from celery.bootsteps import StartStopStep
from celery.worker import state
from celery.worker.components import Pool
from kombu.asynchronous import set_event_loop


class Leave(StartStopStep):  # type: ignore[misc]
    """Stops after the consumer of tasks and before the pool, which waits for all that runs.

    The node's ``left`` is called when no message can reach it any more.
    """

    requires = (Pool,)

    def start(self, node: Any) -> None:
        # Other pools than that of processes have no loop.
        if node.hub:
            self._ear, node.bell = socket.socketpair()
            for each in (self._ear, node.bell):
                each.setblocking(False)

    def register_with_event_loop(self, node: Any, hub: Any) -> None:
        # Anew with each connection to the broker: the loop forgets all with the last one.
        hub.add_reader(self._ear, self._ear.recv, 1024)

    def stop(self, node: Any) -> None:
        channel = getattr(node.consumer.task_consumer, "channel", None)
        if channel:
            give_back(channel)
        node.left()
        if not state.active_requests:
            # Celery would fire timers while the pool finishes, and look every half second whether it has.
            set_event_loop(None)


def give_back(channel: Any) -> None:
    """Let what was popped for a channel that consumes no more return to its queue at once.

    kombu sees to that when it closes the channel, but by then the node has finished what it runs. Of
    Redis it has asked for a message, and waits up to a second for the answer; of other brokers, nothing.
    """
    if getattr(channel, "_in_poll", None):
        # kombu warns of each that nobody consumes it here, which is what is wished.
        logging.getLogger("kombu.transport.virtual.base").setLevel(logging.ERROR)
        with suppress(Empty, *channel.connection_errors):
            channel._brpop_read()
