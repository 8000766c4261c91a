"""Queue depths and numbers of jobs, cached and looked up within a time limit."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from micro.runtime.health import Inquiry

if TYPE_CHECKING:
    from micro.jobs.service import Jobs

_CONNECT_SECONDS = 2
_PATIENCE_SECONDS = 2.0
_KEEP_SECONDS = 3.0

Numbers = Mapping[str, int]


@dataclass(frozen=True)
class Counts:
    """Jobs by state, and runs that wait by queue; None where the job table or the broker did not answer."""

    jobs: Numbers | None
    queues: Numbers | None


class Backlog:
    """Asks the job table and the broker in parallel, for two seconds at most; keeps the answers for three."""

    def __init__(self, find_jobs: Callable[[], Jobs]) -> None:
        self._find_jobs = find_jobs
        self._jobs = Inquiry(lambda: _tried(lambda: _count_jobs(find_jobs())), _KEEP_SECONDS)
        self._queues = Inquiry(lambda: _tried(lambda: queue_depths(find_jobs())), _KEEP_SECONDS)

    def load(self) -> None:
        """Import the libraries beforehand: on a busy machine that can take longer than the time limit."""
        with suppress(Exception):
            # An import that fails here fails again when the answers are needed, and is reported then.
            load_libraries(self._find_jobs())

    def counts(self) -> Counts:
        """Return the newest answers."""
        self._jobs.begin()
        self._queues.begin()
        deadline = time.monotonic() + _PATIENCE_SECONDS
        jobs, queues = (each.end(deadline, _PATIENCE_SECONDS) for each in (self._jobs, self._queues))
        return Counts(jobs, queues)


def load_libraries(jobs: Jobs) -> None:
    """Import the libraries for the broker and the job table without connecting to them."""
    from micro.jobs.queue import make_celery

    import_module("micro.jobs.store.store")
    with make_celery(jobs.micro.settings).connection_for_read() as connection:
        connection.get_transport_cls()


def queue_names(jobs: Jobs) -> list[str]:
    """Return the names of the service's queues, each once: those of the settings, then the plugins' own."""
    names = [*jobs.micro.settings.task_queues, *(jobs.queue_of(each) for each in jobs.micro.loaded)]
    return list(dict.fromkeys(names))


def queue_depths(jobs: Jobs) -> dict[str, int]:
    """Return how many runs wait in each queue: messages of Celery clients, and queued jobs.

    Raises the exceptions of the broker's library if the broker does not answer, and StoreUnavailable.
    """
    queued = jobs.store.queued()
    names = list(dict.fromkeys([*queue_names(jobs), *queued]))
    messages = message_counts(jobs, names)
    return {name: messages[name] + queued.get(name, 0) for name in names}


def message_counts(jobs: Jobs, queues: Iterable[str]) -> dict[str, int]:
    """Return how many messages the broker holds in each queue; 0 for a queue that does not exist."""
    # Imported late: a service without jobs never needs Celery.
    from micro.jobs.queue import make_celery

    app = make_celery(jobs.micro.settings)
    with app.connection_for_read(connect_timeout=_CONNECT_SECONDS, heartbeat=0) as connection:
        connection.ensure_connection(max_retries=1, interval_start=0, interval_step=0)
        return {name: _messages(connection, name) for name in queues}


def _messages(connection: Any, queue: str) -> int:
    # A new channel for each queue: the broker closes the channel if the queue does not exist.
    channel = connection.channel()
    try:
        return int(channel.queue_declare(queue, passive=True).message_count)
    except connection.channel_errors:
        return 0
    finally:
        channel.close()


def _count_jobs(jobs: Jobs) -> Numbers:
    return {str(state): number for state, number in jobs.store.counts().items()}


def _tried(count: Callable[[], Numbers]) -> Numbers | None:
    try:
        return count()
    # Each broker's library raises exceptions of its own; a broker that does not answer is not an error here.
    except Exception:
        return None
