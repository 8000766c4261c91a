"""Answers clients' calls from a thread of a worker node, so that a busy pool keeps none waiting."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from celery import Celery
from celery.states import SUCCESS
from kombu.exceptions import OperationalError
from kombu.messaging import Consumer, Producer

from micro.api.job_tasks import answer_call
from micro.client.broker import desk_queue
from micro.correlation import Call, accept_message, working_for
from micro.errors import MicroError, error_fields
from micro.jobs.service import Jobs
from micro.plugin.context import RunContext
from micro.secrets import masked_urls

log = logging.getLogger(__name__)

_LOOK_SECONDS = 0.5
_PAUSE_SECONDS = 1.0
_STOP_SECONDS = 5.0


class Desk:
    """Reads the calls for every queue of the settings.

    Messages are those of Celery tasks and are answered as Celery answers over ``rpc://``, so that
    any Celery client can call. Plugins run in the pool and nowhere else.
    """

    def __init__(self, app: Celery, jobs: Jobs) -> None:
        self._app, self._jobs = app, jobs
        self._queues = [desk_queue(each) for each in jobs.micro.settings.task_queues]
        self._stopping = threading.Event()
        self._answers = False
        self._thread = threading.Thread(target=self._run, name="desk", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def leave(self) -> None:
        """Answer the call that is begun, and no more; return at once."""
        self._stopping.set()

    def stop(self) -> None:
        """Answer the call that is begun, and no more; return when that is done."""
        self.leave()
        if self._thread.is_alive():
            self._thread.join(2 * _LOOK_SECONDS)
            # Otherwise it waits for a broker that does not answer.
            if self._answers:
                self._thread.join(_STOP_SECONDS)

    def _run(self) -> None:
        served = True
        while not self._stopping.is_set():
            connection = self._app.connection_for_read(heartbeat=0)
            errors = (*connection.connection_errors, *connection.channel_errors, OperationalError, OSError)
            try:
                with connection:
                    self._serve(connection)
            except errors as err:
                if served:
                    log.warning("Calls of clients wait for the broker: %s", masked_urls(str(err)))
                served = False
                self._stopping.wait(_PAUSE_SECONDS)
            else:
                served = True

    def _serve(self, connection: Any) -> None:
        channel = connection.channel()
        # A call is no promise: who gets no answer asks again, so nothing is acknowledged.
        with Consumer(channel, self._queues, accept=["json"], no_ack=True) as consumer:
            producer = Producer(channel, serializer="json")
            consumer.register_callback(lambda body, message: self._take(producer, body, message))
            while not self._stopping.is_set():
                with suppress(TimeoutError):
                    connection.drain_events(timeout=_LOOK_SECONDS)

    def _take(self, producer: Producer, body: Sequence[Any], message: Any) -> None:
        headers = message.headers
        call, reply_to = headers.get("id"), message.properties.get("reply_to")
        if not call or not reply_to:
            log.warning("A message on the queue of calls is none: it has no id, or nowhere to answer to")
            return
        args, kwargs = body[:2]
        name = str(headers.get("task")).removeprefix("Micro.")
        self._answers = True
        try:
            with working_for(asked := accept_message(headers.get, call)):
                text = self._answer(name, asked, args, kwargs)
            meta = {"task_id": call, "status": SUCCESS, "result": text, "traceback": None, "children": []}
            producer.publish(meta, exchange="", routing_key=reply_to, correlation_id=call)
        finally:
            self._answers = False

    def _answer(self, name: str, call: Call, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
        try:
            return answer_call(self._jobs, name, RunContext.of(call, "celery"), args, kwargs)
        except Exception:
            # The thread's outermost edge: one call must not end the answers to all others.
            log.exception("Call %s of %s failed", call.request_id, name)
            error = MicroError(f"Internal error; the log has the cause under request {call.request_id}")
            return json.dumps({**error_fields(error), "status": error.status})
