"""The Celery application that both ends of a queue share, and the message that wakes a worker for a job."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from difflib import get_close_matches

from celery import Celery
from celery.app.defaults import NAMESPACES, flatten
from kombu.entity import Exchange, Queue
from kombu.exceptions import OperationalError

from micro.correlation import message_headers
from micro.errors import ConfigError
from micro.secrets import masked_urls
from micro.settings import DEFAULT, Settings

log = logging.getLogger(__name__)

RUN_JOB = "Micro.job"
_JOBS = ".jobs"
# RabbitMQ's replicated kind of queue; elsewhere the argument means nothing.
_QUORUM = {"x-queue-type": "quorum"}
# The least that Celery's protocol asks for (https://docs.celeryq.dev/en/stable/internals/protocol.html): what
# app.send_task adds, for tasks that are routed, repeated or answered, costs as much again.
_JOB_MESSAGE = {"lang": "py", "task": RUN_JOB}
# A broker that is away must not hold up the caller: the job is on record, and a sweep publishes it.
_PUBLISH_RETRIES = {"max_retries": 1, "interval_start": 0, "interval_step": 0.1, "interval_max": 0.1}


def make_celery(settings: Settings) -> Celery:
    """Make the Celery application without tasks: Micro's choices, then the file's ``celery`` section."""
    _check_options(settings)
    app = Celery("Micro", set_as_current=False)
    app.conf.update(
        broker_url=settings.broker_url,
        # The published client reads its answers over rpc.
        result_backend="rpc://",
        accept_content=["json"],
        task_serializer="json",
        result_serializer="json",
        task_default_queue=settings.task_queues[0],
        task_queues=queues_for(settings.task_queues),
        broker_connection_retry_on_startup=True,
        worker_hijack_root_logger=False,
        # A run whose process was killed is delivered again; it must not wait behind a long one.
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_prefetch_multiplier=1,
        worker_consumer="micro.jobs.consumer:NodeConsumer",
        # An exclusive one would be refused to a node that comes back before the broker has missed it, and to
        # another machine's node of the same name.
        control_queue_exclusive=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        # RabbitMQ says when it has a message; others ignore this.
        broker_transport_options={"confirm_publish": True},
    )
    app.conf.update(settings.celery_options)
    return app


def queues_for(names: Iterable[str]) -> list[Queue]:
    """Return what a worker reads for these queues: their tasks, and the wake-ups for their jobs."""
    return [queue for name in names for queue in (_task_queue(name), _job_queue(name))]


def publish(app: Celery, job: str, queue: str) -> bool:
    """Wake a worker for the job; tell whether the broker took the message."""
    wanted = _job_queue(queue)
    try:
        with app.producer_or_acquire() as producer:
            producer.publish(
                ((job,), {}, {}),
                routing_key=wanted.name,
                declare=[wanted],
                headers={**_JOB_MESSAGE, "id": job, **message_headers()},
                correlation_id=job,
                retry=True,
                retry_policy=_PUBLISH_RETRIES,
            )
    except _broker_errors(app) as err:
        cause = masked_urls(" ".join(str(err).split()))
        log.warning("The broker did not take the message for job %s (%s); it is sent again later", job, cause)
        return False
    return True


def trust_broker(app: Celery, settings: Settings) -> None:
    """Publish with this application without waiting for the broker's word, unless the file decides on that.

    For what is not lost with its message: a new job is on record, and a sweep, which waits for the word,
    publishes it again within seconds if no worker has heard of it. And for a process of a worker's pool,
    which publishes answers only: the queue of an answer is gone when the broker is, and a connection that
    was cut is noticed before the next message.
    """
    if "broker_transport_options" not in settings.celery_options:
        app.conf.broker_transport_options = {**app.conf.broker_transport_options, "confirm_publish": False}


def is_job_queue(queue: Queue) -> bool:
    """Tell whether it is one of messages that wake workers for jobs."""
    # kombu sets its attributes from a list of them.
    arguments = queue.queue_arguments  # type: ignore[attr-defined]
    return bool(queue.name.endswith(_JOBS) and arguments == _QUORUM)


def _broker_errors(app: Celery) -> tuple[type[Exception], ...]:
    """Return what a broker's refusal raises; Celery translates not all that its transports have."""
    connection = app.connection_for_write()
    return (OperationalError, *connection.connection_errors, *connection.channel_errors)


def _task_queue(name: str) -> Queue:
    # As published clients declare it, who would be refused if it were another kind of queue.
    return Queue(name, Exchange(name), routing_key=name)


def _job_queue(name: str) -> Queue:
    jobs = f"{name}{_JOBS}"
    return Queue(jobs, Exchange(jobs), routing_key=jobs, queue_arguments=_QUORUM)


def _check_options(settings: Settings) -> None:
    """Raise ConfigError for what the file sets and Celery does not know, or cannot read."""
    known = dict(flatten(NAMESPACES))
    source = settings.source("celery_options")
    where = f"section 'celery' of the {'configuration file' if source == DEFAULT else source}"
    for name, value in settings.celery_options.items():
        if name not in known:
            close = get_close_matches(name.lower(), known, n=1)
            hint = f"did you mean {close[0]!r}?" if close else "see Celery's list of settings"
            raise ConfigError(f"Unknown setting {name!r} in {where}; {hint}")
        try:
            # An unset one stays unset.
            _ = value is None or known[name].to_python(value)
        except (TypeError, ValueError) as err:
            wanted = known[name].type
            raise ConfigError(
                f"Setting {name!r} in {where}: expected a value of type {wanted} ({err})"
            ) from err
