"""The Celery application and queues that publishers and workers share; the message that wakes a worker."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from difflib import get_close_matches

from celery import Celery
from celery.app.defaults import NAMESPACES, flatten
from kombu.entity import Exchange, Queue
from kombu.exceptions import OperationalError

from micro.config.redaction import masked_urls
from micro.config.settings import DEFAULT, Settings
from micro.correlation import message_headers
from micro.errors import ConfigError

log = logging.getLogger(__name__)

RUN_JOB = "Micro.job"
_JOBS = ".jobs"
# RabbitMQ's replicated type of queue; other brokers ignore the argument.
_QUORUM = {"x-queue-type": "quorum"}
# The headers that Celery's protocol requires (https://docs.celeryq.dev/en/stable/internals/protocol.html).
# app.send_task adds headers for routing, retries and results, which double the cost of publishing.
_JOB_MESSAGE = {"lang": "py", "task": RUN_JOB}
# A broker that is down must not hold up the caller: the job is recorded, and a sweep publishes it later.
_PUBLISH_RETRIES = {"max_retries": 1, "interval_start": 0, "interval_step": 0.1, "interval_max": 0.1}


def make_celery(settings: Settings) -> Celery:
    """Make the Celery application without tasks: Micro's options, then the file's ``celery`` section.

    Raises ConfigError for an option in the file that Celery does not know, or of the wrong type.
    """
    _check_options(settings)
    app = Celery("Micro", set_as_current=False)
    app.conf.update(
        broker_url=settings.broker_url,
        # The published client, micro-dev, reads its results over rpc://.
        result_backend="rpc://",
        accept_content=["json"],
        task_serializer="json",
        result_serializer="json",
        task_default_queue=settings.task_queues[0],
        task_queues=queues_for(settings.task_queues),
        broker_connection_retry_on_startup=True,
        worker_hijack_root_logger=False,
        # The broker delivers a message again if the process that ran it was killed. Each process prefetches
        # one message only, so that none waits behind a long run while another process is idle.
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_prefetch_multiplier=1,
        worker_consumer="micro.api.celery.consumer:NodeConsumer",
        # The broker would refuse an exclusive queue to a node that reconnects before the broker has noticed
        # its loss, and to a node of the same name on another machine.
        control_queue_exclusive=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        # Wait until RabbitMQ has confirmed a message; other brokers ignore this.
        broker_transport_options={"confirm_publish": True},
    )
    app.conf.update(settings.celery_options)
    return app


def queues_for(names: Iterable[str]) -> list[Queue]:
    """Return the queues that a worker reads: for each name one for tasks, and one for messages about jobs."""
    return [queue for name in names for queue in (_task_queue(name), _job_queue(name))]


def publish(app: Celery, job: str, queue: str) -> bool:
    """Publish the message that wakes a worker for the job; return True if the broker took it."""
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
    """Publish without waiting for RabbitMQ's confirmation, unless the file sets the transport's options.

    Two publishers may do without. A service that submits jobs: each job is recorded, and if no worker gets
    its message, a sweep, which does wait for confirmation, publishes it again within seconds. And a process
    of a worker's pool, which publishes only results: their queues are lost with the broker anyway, and a
    connection that was cut is noticed before the next message.
    """
    if "broker_transport_options" not in settings.celery_options:
        app.conf.broker_transport_options = {**app.conf.broker_transport_options, "confirm_publish": False}


def is_job_queue(queue: Queue) -> bool:
    """Return True if the queue holds messages that wake workers for jobs."""
    # kombu sets the attributes from a list at run time, where mypy does not see them.
    arguments = queue.queue_arguments  # type: ignore[attr-defined]
    return bool(queue.name.endswith(_JOBS) and arguments == _QUORUM)


def _broker_errors(app: Celery) -> tuple[type[Exception], ...]:
    """Return the exceptions of a broker that refuses a message; Celery does not translate all of them."""
    connection = app.connection_for_write()
    return (OperationalError, *connection.connection_errors, *connection.channel_errors)


def _task_queue(name: str) -> Queue:
    # Declared as the published client does: the broker would refuse a client that declares another type.
    return Queue(name, Exchange(name), routing_key=name)


def _job_queue(name: str) -> Queue:
    jobs = f"{name}{_JOBS}"
    return Queue(jobs, Exchange(jobs), routing_key=jobs, queue_arguments=_QUORUM)


def _check_options(settings: Settings) -> None:
    """Raise ConfigError for a setting that Celery does not know, or whose value has the wrong type."""
    known = dict(flatten(NAMESPACES))
    source = settings.source("celery_options")
    where = f"section 'celery' of the {'configuration file' if source == DEFAULT else source}"
    for name, value in settings.celery_options.items():
        if name not in known:
            close = get_close_matches(name.lower(), known, n=1)
            hint = f"did you mean {close[0]!r}?" if close else "see Celery's list of settings"
            raise ConfigError(f"Unknown setting {name!r} in {where}; {hint}")
        try:
            # None leaves a setting unset, whatever its type.
            _ = value is None or known[name].to_python(value)
        except (TypeError, ValueError) as err:
            wanted = known[name].type
            raise ConfigError(
                f"Setting {name!r} in {where}: expected a value of type {wanted} ({err})"
            ) from err
