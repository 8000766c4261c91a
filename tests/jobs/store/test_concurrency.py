"""How a worker treats a plugin that does a limited number of runs at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

import pytest

from micro.errors import TooManyRuns
from micro.jobs.models import State
from micro.jobs.service import Jobs
from micro.jobs.store.store import JobStore
from micro.jobs.worker.runner import JobRunner
from micro.plugin.context import RunContext
from micro.service import Micro

PLUGIN = """
    import time
    import uuid
    from pathlib import Path
    from micro import PluginBase, PluginDescription

    class Waiter(PluginBase):
        def run(self, folder: str):
            (Path(folder) / f"began-{uuid.uuid4()}").touch()
            while not (Path(folder) / "open").exists():
                time.sleep(0.01)
            return {}

    plugin = PluginDescription(name="Waiter", concurrency=1)
"""
Wait = Callable[..., Any]
Beside = Callable[..., "Future[Any]"]


@pytest.fixture
def micro(load: Callable[..., Micro], sqlite_url: str) -> Micro:
    return load({"w/interface.py": PLUGIN}, jobs_url=sqlite_url)


@pytest.fixture
def busy(
    worker: JobRunner, submit: Callable[[], str], folder: Any, beside: Beside, wait_for: Wait
) -> Iterator[str]:
    """A job that runs until the folder is opened."""
    job = submit()
    running = beside(worker.run_job, job)
    wait_for(lambda: folder.count("began"))
    yield job
    folder.open()
    running.result()


@pytest.fixture
def submit(jobs: Jobs, folder: Any) -> Callable[[], str]:
    return lambda: jobs.submit("waiter", folder.params, RunContext("rest", "r7")).id


@pytest.fixture
def waiting(
    worker: JobRunner, table: JobStore, submit: Callable[[], str], busy: str, beside: Beside, wait_for: Wait
) -> tuple[str, Future[Any]]:
    """Another job, whose worker waits for the end of the busy one, and the end of that wait."""
    job = submit()
    waits = beside(worker.run_job, job)
    wait_for(lambda: table.state(job) is State.RUNNING)
    return job, waits


def test_a_job_waits_until_it_is_its_turn(
    table: JobStore, folder: Any, busy: str, waiting: tuple[str, Future[Any]], wait_for: Wait
) -> None:
    second, turn = waiting
    assert folder.count("began") == 1
    folder.open()
    turn.result()
    assert table.state(second) is State.SUCCEEDED
    # Its turn ends with the run, a moment before its result is in the table.
    wait_for(lambda: table.state(busy) is State.SUCCEEDED)
    assert folder.count("began") == 2


def test_a_job_that_waits_can_be_cancelled(
    table: JobStore, folder: Any, waiting: tuple[str, Future[Any]]
) -> None:
    second, turn = waiting
    table.cancel(second)
    turn.result()
    assert table.state(second) is State.CANCELLED
    assert folder.count("began") == 1


def test_the_client_of_a_message_is_told_to_come_again(worker: JobRunner, folder: Any, busy: str) -> None:
    with pytest.raises(TooManyRuns, match="Plugin 'Waiter' does 1 run at a time, and is busy"):
        worker.run_message("task-1", "waiter", folder.params)
