"""A connection to a broker with a queue of its own for answers: calls one task at a time."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any
from uuid import uuid4

from celery import Celery
from celery.states import READY_STATES
from kombu.entity import Queue
from kombu.exceptions import OperationalError
from kombu.messaging import Consumer

from micro.client.trouble import ServiceUnreachable
from micro.correlation import message_headers
from micro.secrets import masked_urls

_CONNECT_SECONDS = 5.0
_LOOK_SECONDS = 1.0


class Line:
    """For one thread at a time. Nothing is connected until it is used.

    Celery's own way of waiting for ``rpc://`` answers gives up for good, or for minutes, when the
    broker is restarted; here a line is dropped and another made.
    """

    def __init__(self, app: Celery) -> None:
        self._app = app
        self._connection = app.connection_for_write(connect_timeout=_CONNECT_SECONDS, heartbeat=0)
        self._errors = (
            *self._connection.connection_errors,
            *self._connection.channel_errors,
            OperationalError,
            OSError,
        )
        self._answers: dict[str, dict[str, Any]] = {}
        # Gone with the connection, where the broker knows that.
        self._queue = Queue(f"micro-client.{uuid4()}", exclusive=True, auto_delete=True, durable=False)
        self._channel: Any = None

    def close(self) -> None:
        """Close the connection, on which answers may still be waited for in vain."""
        with suppress(*self._errors):
            self._connection.release()

    def is_good(self) -> bool:
        """Tell whether the line still holds after it was idle; the broker may have been restarted."""
        try:
            self._queue(self._channel).declare()
            self._drain(0.001)
        except self._errors:
            return False
        return True

    def ask(
        self,
        task: str,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        queue: Queue | str,
        timeout: float | None,
    ) -> dict[str, Any] | None:
        """Call the task and return what a worker says of its end, None if none does in time."""
        call = str(uuid4())
        sent = False
        try:
            self._open()
            # Before it is sent: an answer may come while the broker confirms the call.
            self._answers.clear()
            sent = True
            self._app.send_task(
                task,
                args,
                kwargs,
                task_id=call,
                queue=queue,
                headers=message_headers(),
                reply_to=self._queue.name,
                producer=self._app.amqp.Producer(self._channel),
                retry=False,
                # For brokers that throw away what nobody waits for.
                expiration=timeout,
                add_to_parent=False,
            )
            return self._wait(call, timeout)
        except self._errors as err:
            what = "broke off" if sent else "cannot be reached"
            raise ServiceUnreachable(
                f"The broker {masked_urls(self._app.conf.broker_url)} {what} ({masked_urls(str(err))});"
                " is it running, is the URL right?",
                sent,
            ) from err

    def _open(self) -> None:
        if self._channel is not None:
            return
        self._connection.ensure_connection(
            max_retries=1, interval_start=0, interval_step=0, timeout=_CONNECT_SECONDS
        )
        channel = self._connection.channel()
        Consumer(channel, [self._queue], callbacks=[self._take], accept=["json"], no_ack=True).consume()
        self._channel = channel

    def _wait(self, call: str, timeout: float | None) -> dict[str, Any] | None:
        end = None if timeout is None else time.monotonic() + timeout
        while call not in self._answers:
            left = _LOOK_SECONDS if end is None else end - time.monotonic()
            if left <= 0:
                return None
            self._drain(min(left, _LOOK_SECONDS))
        return self._answers.pop(call)

    def _drain(self, seconds: float) -> None:
        with suppress(TimeoutError):
            self._connection.drain_events(timeout=seconds)

    def _take(self, body: dict[str, Any], message: object) -> None:
        if body["status"] in READY_STATES:
            self._answers[body["task_id"]] = body
