"""A run that is longer than a broker's patience runs once, as a job and as a Celery client's message."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.reliability, pytest.mark.timeout(120)]
# One second, and looked at twice a second; half an hour where nobody says otherwise.
IMPATIENT = ", {consumer_timeout, 1000}, {channel_tick_interval, 500}"
# So a node looks once a second for what has become visible again, which otherwise takes much longer.
VISIBLE_AGAIN = {"visibility_timeout": 1, "unacked_restore_interval": 1, "unacked_restore_throttle": 1}
Both = Callable[..., None]


@pytest.fixture
def both_run_once(
    connect: Callable[..., Any], tmp_path: Path, wait_for: Callable[..., Any], marks: Callable[[], list[str]]
) -> Both:
    """Start a run as a job, and one as a Celery client does; see that each runs once and is answered."""

    def check(service: Any, broker_url: str, seconds: float) -> None:
        params = {"folder": str(tmp_path), "seconds": seconds}
        status, job = service.submit({**params, "number": 1})
        assert status == 202
        task = connect(broker_url).run.delay("Work", **params, number=2)
        wait_for(lambda: service.call(f"/jobs/{job['id']}")[1]["finished"], 40)
        ended = service.call(f"/jobs/{job['id']}")[1]
        assert (ended["state"], ended["attempt"]) == ("succeeded", 1)
        assert json.loads(task.get(timeout=40)) == {"number": 2}
        wait_for(lambda: not service.has_active_jobs(), 20)
        assert marks() == ["1 ended", "1 started", "2 ended", "2 started"]
        # The message of the Celery client came again, that of the job did not.
        received = re.findall(r"Task (Micro\.\w+)\[.*received", service.output())
        assert received.count("Micro.run") > 1 == received.count("Micro.job")

    return check


@pytest.mark.skipif(
    os.environ.get("MICRO_RELIABILITY") != "long",
    reason="its own RabbitMQ is up after ten seconds of work only; MICRO_RELIABILITY=long",
)
def test_longer_than_the_consumer_timeout_of_rabbitmq(
    own_server: Callable[..., Any], make_service: Callable[..., Any], both_run_once: Both
) -> None:
    broker = own_server("rabbitmq", IMPATIENT)
    service = make_service(broker_url=broker.url, log_level="INFO")
    both_run_once(service, broker.url, seconds=4)


def test_longer_than_two_visibility_timeouts_of_redis(
    make_service: Callable[..., Any], both_run_once: Both
) -> None:
    service = make_service({"broker_transport_options": VISIBLE_AGAIN}, log_level="INFO")
    both_run_once(service, service.broker_url, seconds=5)
