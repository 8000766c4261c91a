"""Warm shutdown of a Celery node: it takes no new messages while it finishes the runs in progress."""

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
    """A bootstep that stops after the task consumer and before the pool, whose stop waits for all runs.

    Calls the node's ``leaving`` when the node begins to stop, and its ``left`` once no message can reach it.
    """

    requires = (Pool,)

    def start(self, node: Any) -> None:
        # Only the prefork pool has an event loop (hub).
        if node.hub:
            self._ear, node.bell = socket.socketpair()
            for each in (self._ear, node.bell):
                each.setblocking(False)

    def register_with_event_loop(self, node: Any, hub: Any) -> None:
        # Called for each connection to the broker: the loop drops its readers when a connection closes.
        hub.add_reader(self._ear, self._ear.recv, 1024)

    def close(self, node: Any) -> None:
        node.leaving()

    def stop(self, node: Any) -> None:
        channel = getattr(node.consumer.task_consumer, "channel", None)
        if channel:
            give_back(channel)
        node.left()
        if not state.active_requests:
            # Nothing runs, so remove the event loop: Celery would fire timers while the pool stops, and look
            # only every half second whether it has stopped.
            set_event_loop(None)


def give_back(channel: Any) -> None:
    """Return a message that Redis sends to a cancelled consumer to its queue at once.

    kombu returns it when it closes the channel, but that is after the node has finished its runs. With
    Redis, kombu has a BRPOP pending, and this waits up to a second for its reply. Other brokers need nothing.
    """
    if getattr(channel, "_in_poll", None):
        # kombu warns that the message has no consumer here, which is intended.
        logging.getLogger("kombu.transport.virtual.base").setLevel(logging.ERROR)
        with suppress(Empty, *channel.connection_errors):
            channel._brpop_read()
