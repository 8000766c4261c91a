"""A Celery worker of Micro in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from micro.config.loading import dump_settings
from micro.config.settings import Settings
from micro.runtime.ready_files import read_ready

if TYPE_CHECKING:
    from micro.api.endpoints import Requests

Work = Callable[[Settings], AbstractContextManager[Path]]


@pytest.fixture(scope="session")
def work(tmp_path_factory: pytest.TempPathFactory, wait_for: Callable[..., object]) -> Work:
    """Run a worker with these settings, one pool process, and yield the path of its log."""

    @contextmanager
    def run(settings: Settings) -> Iterator[Path]:
        folder = tmp_path_factory.mktemp("worker")
        options = {"worker_concurrency": 1, **settings.celery_options}
        folders = {"pid_folder_path": folder, "state_folder_path": folder / "state"}
        settings = replace(settings, celery_options=options, **folders)
        file, log = folder / "settings.json", folder / "log"
        file.write_text(dump_settings(settings))
        command = [sys.executable, "-m", "micro.server", "worker", str(file), "worker1"]
        with log.open("wb") as output, subprocess.Popen(command, stderr=output, stdout=output) as process:
            try:
                wait_for(lambda: read_ready(settings, "worker1") or process.poll() is not None, seconds=30)
                assert process.poll() is None, log.read_text()
                yield log
            finally:
                process.terminate()
                assert process.wait(30) == 0, log.read_text()
                _delete_queues(settings)

    return run


def _delete_queues(settings: Settings) -> None:
    """Leave nothing behind where the run has no virtual host of its own."""
    from kombu import Connection

    with Connection(settings.broker_url) as connection:
        for queue in settings.task_queues:
            connection.default_channel.queue_delete(queue)
            connection.default_channel.queue_delete(f"{queue}.jobs")


@pytest.fixture(scope="module")
def connect() -> Iterator[Callable[[str, str], Requests]]:
    """Make a client of a broker and a queue, as its user does."""
    from kombu import pools

    from micro.api.endpoints import Requests

    made: list[Requests] = []

    def make(broker: str, queue: str) -> Requests:
        made.append(Requests(broker, queue))
        return made[-1]

    yield make
    for requests in made:
        consumer = requests.run.app.backend.result_consumer
        if consumer._connection:
            consumer.stop()
    pools.reset()
