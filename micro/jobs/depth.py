"""Queue depths: counts waiting runs, as messages in the broker and as queued jobs in the job table."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from micro.jobs.service import Jobs

_CONNECT_SECONDS = 2


def load_libraries(jobs: Jobs) -> None:
    """Import the libraries for the broker and the job table without connecting to them."""
    from micro.jobs.queue import make_celery

    import_module("micro.jobs.store")
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
