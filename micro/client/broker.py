"""Reaches the workers of a service through their message broker."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from celery import Celery
from celery.states import SUCCESS
from kombu.entity import Queue

from micro.client.line import Line
from micro.client.patience import repeated
from micro.client.service import Fields
from micro.client.tasks import TaskService, answer, plain
from micro.client.trouble import NoAnswer, error_of_task
from micro.errors import ConfigError
from micro.secrets import masked_urls

_MOST_IDLE_LINES = 8


class BrokerService(TaskService):
    """The operations of the service whose workers read ``queue``; safe to share by threads.

    ``timeout`` is how many seconds an answer may take. Each call takes a line and puts it back.
    """

    def __init__(self, url: str, queue: str, timeout: float | None) -> None:
        self.url = masked_urls(url)
        self._queue, self._timeout = queue, timeout
        self._app = _make_app(url, queue)
        self._idle: list[Line] = []
        self._lock = threading.Lock()

    def close(self) -> None:
        while line := self._idle_line():
            line.close()

    def run(self, name: str, params: Mapping[str, Any]) -> Fields:
        # The queue is declared as published clients do, or a broker would refuse one of them.
        text = repeated(lambda: self._once("run", (name,), plain(params), self._queue), repeatable=False)
        result: Fields = answer(json.loads(text), ran=True)
        return result

    def call(self, task: str, *arguments: Any, repeatable: bool = True) -> str:
        queue = desk_queue(self._queue)
        return repeated(lambda: self._once(task, arguments, {}, queue), repeatable=repeatable)

    def _once(self, task: str, args: Sequence[Any], kwargs: Mapping[str, Any], queue: Queue | str) -> str:
        with self._line() as line:
            meta = line.ask(f"Micro.{task}", args, kwargs, queue, self._timeout)
        if meta is None:
            raise NoAnswer(
                f"No worker answered within {self._timeout:g} seconds on queue {self._queue!r} of {self.url};"
                " does Micro run there with -C, and with that queue? submit() is for runs that take long"
            )
        result = meta["result"]
        if meta["status"] != SUCCESS:
            raise error_of_task(result if isinstance(result, dict) else {"exc_type": meta["status"]})
        return str(result)

    @contextmanager
    def _line(self) -> Iterator[Line]:
        """Lend a line; it is given up if something goes wrong with it."""
        while (line := self._idle_line()) and not line.is_good():
            line.close()
        line = line or Line(self._app)
        try:
            yield line
        except BaseException:
            line.close()
            raise
        with self._lock:
            if len(self._idle) < _MOST_IDLE_LINES:
                self._idle.append(line)
                return
        line.close()

    def _idle_line(self) -> Line | None:
        with self._lock:
            return self._idle.pop() if self._idle else None


def desk_queue(queue: str) -> Queue:
    """Return the queue of the calls that a worker node answers itself, however busy its pool is."""
    return Queue(f"{queue}.calls")


def _make_app(url: str, queue: str) -> Celery:
    app = Celery("Micro", broker=url, set_as_current=False)
    app.conf.update(
        accept_content=["json"],
        task_serializer="json",
        task_default_queue=queue,
        # RabbitMQ says when it has a message; others ignore this.
        broker_transport_options={"confirm_publish": True},
    )
    try:
        # Without a scheme it would be taken for the host of an AMQP broker.
        known = "://" in url and app.connection_for_write().get_transport_cls()
    except (ValueError, KeyError, ImportError):
        known = False
    if not known:
        found = masked_urls(url)
        raise ConfigError(
            f"Expected a URL such as http://host:8000, amqp://host or redis://host, found {found!r}"
        )
    return app
