"""What keeps the job table in order in a worker node."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from micro.jobs.models import JobRecord, NewJob, State
from micro.jobs.store.store import JobStore
from micro.jobs.worker.sweeper import Sweeper

Wait = Callable[..., Any]
WEEK = 7 * 24 * 3600.0


class Broker:
    """Takes messages, unless it is away."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, str]] = []
        self.away = False

    def wake(self, job: str, queue: str) -> bool:
        if not self.away:
            self.taken.append((job, queue))
        return not self.away


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
def sweeper(store: JobStore, broker: Broker) -> Sweeper:
    return Sweeper(store, WEEK, "node-1", broker.wake)


@pytest.fixture
def run(sweeper: Sweeper) -> Iterator[Callable[[], None]]:
    """Let the upkeeper work in its thread, which is ended after the test."""
    started: list[Sweeper] = []

    def start() -> None:
        sweeper.start()
        started.append(sweeper)

    yield start
    for each in started:
        each.stop()


@contextmanager
def changed(store: JobStore, statement: str) -> Iterator[None]:
    with store.database.transaction() as connection:
        connection.exec_driver_sql(statement)
        yield


def forgotten(store: JobStore, count: int = 1) -> list[str]:
    """Return jobs that no worker was told of, oldest first."""
    ids = [store.submit(NewJob("Adder", {}, queue="sums"))[0].id for _ in range(count)]
    with changed(store, "UPDATE micro_jobs SET due = created - 10 WHERE told = 0"):
        return ids


def test_a_job_that_nobody_was_told_of_is_published(
    store: JobStore, broker: Broker, sweeper: Sweeper
) -> None:
    (job,) = forgotten(store)
    sweeper.keep_up()
    assert broker.taken == [(job, "sums")]
    sweeper.keep_up()
    assert len(broker.taken) == 1


def test_one_whose_worker_was_lost_too(store: JobStore, broker: Broker, sweeper: Sweeper) -> None:
    job, _ = store.submit(NewJob("Adder", {}))
    store.claim(job.id, "worker-1", lease=-1)
    sweeper.keep_up()
    assert broker.taken == [(job.id, "")]
    assert store.state(job.id) is State.QUEUED


def test_one_whose_worker_was_lost_once_too_often_is_told_of_in_the_log(
    store: JobStore, broker: Broker, sweeper: Sweeper, caplog: pytest.LogCaptureFixture
) -> None:
    job, _ = store.submit(NewJob("Adder", {}, attempts=1))
    store.claim(job.id, "worker-1", lease=-1)
    sweeper.keep_up()
    assert broker.taken == []
    assert store.state(job.id) is State.FAILED
    assert f"Job {job.id} failed: its worker was lost in every attempt" in caplog.text


def test_what_the_broker_did_not_take_is_published_as_soon_as_it_does(
    store: JobStore, broker: Broker, sweeper: Sweeper
) -> None:
    first, second = forgotten(store, 2)
    broker.away = True
    for _ in range(10):
        sweeper.keep_up()
    (late,) = forgotten(store)
    broker.away = False
    sweeper.keep_up()
    assert [job for job, _ in broker.taken] == [first, second, late]


def test_a_broker_that_is_away_for_long_costs_no_job_its_turn(
    store: JobStore, broker: Broker, sweeper: Sweeper
) -> None:
    forgotten(store)
    broker.away = True
    for _ in range(10):
        with changed(store, "UPDATE micro_jobs SET due = 0"):
            pass
        sweeper.keep_up()
    with store.database.connect() as connection:
        assert connection.exec_driver_sql("SELECT told FROM micro_jobs").scalar_one() == 1


def test_one_process_at_a_time_sweeps(store: JobStore, broker: Broker, sweeper: Sweeper) -> None:
    forgotten(store)
    assert store.lead("upkeep", "node-2", 60)
    sweeper.keep_up()
    assert broker.taken == []
    store.resign("upkeep", "node-2")
    sweeper.keep_up()
    assert len(broker.taken) == 1


def test_jobs_that_ended_long_ago_are_cleaned_up(store: JobStore, broker: Broker, running: JobRecord) -> None:
    store.finish(running.hold, State.SUCCEEDED, "{}")
    waits, _ = store.submit(NewJob("Adder", {}))
    with changed(store, "UPDATE micro_jobs SET finished = finished - 60 WHERE finished IS NOT NULL"):
        pass
    Sweeper(store, 3600, "node-1", broker.wake).keep_up()
    assert len(store.list_jobs().jobs) == 2
    Sweeper(store, 30, "node-1", broker.wake)._clean_up()
    # Its id still tells that it was made a moment ago.
    assert len(store.list_jobs().jobs) == 2
    Sweeper(store, 0, "node-1", broker.wake)._clean_up()
    assert [job.id for job in store.list_jobs().jobs] == [waits.id]


def test_more_than_one_batch_is_cleaned_up_at_once(store: JobStore, broker: Broker) -> None:
    for _ in range(600):
        store.cancel(store.submit(NewJob("Adder", {}))[0].id)
    Sweeper(store, 0, "node-1", broker.wake).keep_up()
    assert store.list_jobs().jobs == ()


def test_it_works_by_itself_and_leaves_its_task_to_others_when_it_stops(
    store: JobStore, broker: Broker, sweeper: Sweeper, run: Callable[[], None], wait_for: Wait
) -> None:
    forgotten(store)
    run()
    wait_for(lambda: broker.taken)
    assert not store.lead("upkeep", "node-2", 60)
    sweeper.stop()
    assert store.lead("upkeep", "node-2", 60)


def test_no_error_is_its_last_sweep(
    store: JobStore, broker: Broker, sweeper: Sweeper, run: Callable[[], None], wait_for: Wait,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    forgotten(store)
    take, fails = broker.wake, [RuntimeError("out of order")]

    def wake(job: str, queue: str) -> bool:
        if fails:
            raise fails.pop()
        return take(job, queue)

    sweeper._wake = wake
    run()
    wait_for(lambda: broker.taken)
    assert "The job table could not be swept" in caplog.text
    assert "out of order" in caplog.text


def test_a_table_that_does_not_answer_is_told_of_once(
    sqlite: JobStore, broker: Broker, tmp_path: Path, wait_for: Wait, caplog: pytest.LogCaptureFixture
) -> None:
    (job,) = forgotten(sqlite)
    file = Path(sqlite.database.url.database or "")
    sweeper = Sweeper(sqlite, WEEK, "node-1", broker.wake)
    sqlite.close()
    file.rename(tmp_path / "elsewhere")
    file.mkdir()
    sweeper.start()
    wait_for(lambda: "not swept as long as it does not answer" in caplog.text)
    sqlite.close()
    file.rmdir()
    (tmp_path / "elsewhere").rename(file)
    wait_for(lambda: broker.taken == [(job, "sums")])
    sweeper.stop()
    assert caplog.text.count("not swept") == 1
