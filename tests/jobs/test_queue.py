"""The message that wakes a worker, on each broker."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from celery import Celery
from kombu import Connection, Exchange, Queue, pools

from micro.config.loading import load_settings
from micro.config.settings import Settings
from micro.errors import ConfigError
from micro.jobs.queue import make_celery, publish, queues_for, trust_broker

JOB = "01a20346-f776-762e-a0b2-7bf295207895"


@pytest.fixture(params=["rabbitmq", "redis"])
def broker(request: pytest.FixtureRequest) -> str:
    found: str = request.getfixturevalue(f"{request.param}_url")
    return found


@pytest.fixture
def make_app() -> Iterator[Callable[..., Celery]]:
    yield lambda broker, **celery_options: make_celery(settings(broker, **celery_options))
    pools.reset()


MakeApp = Callable[..., Celery]


def settings(broker: str, **celery_options: Any) -> Settings:
    loaded = load_settings({"broker_url": broker}, environ={})
    return Settings(broker_url=broker, task_queues=loaded.task_queues, celery_options=celery_options)


def test_a_job_is_published_to_its_queues_own(broker: str, task_queue: str, make_app: MakeApp) -> None:
    assert publish(make_app(broker), JOB, task_queue)
    with Connection(broker) as connection:
        (_, jobs) = queues_for([task_queue])
        message = jobs(connection.default_channel).get(no_ack=True)
        connection.default_channel.queue_delete(jobs.name)
    assert message is not None
    assert (message.headers["task"], message.payload[0]) == ("Micro.job", [JOB])


def test_a_broker_that_is_away_is_told_of_and_holds_nobody_up(
    make_app: MakeApp, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        assert not publish(make_app(f"redis://127.0.0.1:{port}/0"), JOB, "q")
    assert f"The broker did not take the message for job {JOB}" in caplog.text
    assert "it is sent again later" in caplog.text


def test_the_password_of_the_broker_is_not_logged(
    make_app: MakeApp, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        publish(make_app(f"amqp://me:hunter2@127.0.0.1:{port}//"), JOB, "q")
    assert "hunter2" not in caplog.text


def test_a_queue_that_somebody_declared_otherwise_is_told_of(
    rabbitmq_url: str, task_queue: str, make_app: MakeApp, caplog: pytest.LogCaptureFixture
) -> None:
    name = f"{task_queue}.jobs"
    with Connection(rabbitmq_url) as connection:
        Queue(name, Exchange(name), name)(connection.default_channel).declare()
        assert not publish(make_app(rabbitmq_url), JOB, task_queue)
        connection.default_channel.queue_delete(name)
    assert "PRECONDITION_FAILED" in caplog.text


def test_jobs_have_the_replicated_kind_of_queue_and_tasks_the_one_that_clients_declare(
    rabbitmq_url: str, task_queue: str
) -> None:
    tasks, jobs = queues_for([task_queue])
    with Connection(rabbitmq_url) as connection:
        for queue in (tasks, jobs):
            queue(connection.default_channel).declare()
        # Who declares a queue otherwise is refused.
        Queue(tasks.name, Exchange(tasks.name), tasks.name)(connection.default_channel).declare()
        arguments = {"x-queue-type": "quorum"}
        Queue(jobs.name, Exchange(jobs.name), jobs.name, queue_arguments=arguments)(
            connection.default_channel
        ).declare()
        for queue in (tasks, jobs):
            connection.default_channel.queue_delete(queue.name)


def test_the_broker_is_trusted_where_the_file_does_not_say_otherwise(make_app: MakeApp) -> None:
    app = make_app("amqp://")
    trust_broker(app, settings("amqp://"))
    with app.connection_for_write() as connection:
        assert connection.transport_options == {"confirm_publish": False}
    asked = {"broker_transport_options": {"confirm_publish": True}}
    app = make_app("amqp://", **asked)
    trust_broker(app, settings("amqp://", **asked))
    with app.connection_for_write() as connection:
        assert connection.transport_options == {"confirm_publish": True}


def test_an_unknown_setting_of_celery_is_refused(make_app: MakeApp) -> None:
    with pytest.raises(ConfigError, match="did you mean 'task_time_limit'"):
        make_app("redis://", task_time_limt=7)
    with pytest.raises(ConfigError, match="see Celery's list of settings"):
        make_app("redis://", colour="blue")


def test_the_file_has_the_last_word(make_app: MakeApp) -> None:
    app = make_app("redis://", broker_transport_options={"visibility_timeout": 9})
    assert app.conf.broker_transport_options == {"visibility_timeout": 9}
