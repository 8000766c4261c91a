"""No job is lost, none is tried for ever, and old ones go."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from micro.jobs.models import JobRecord, LogLine, NewJob, State, Swept
from micro.jobs.store import maintenance
from micro.jobs.store.schema import logs
from micro.jobs.store.store import JobStore

pytestmark = pytest.mark.postgresql

# Seconds that a job has waited already when it is submitted with this delay.
LONG_AGO = -3600


def lose(store: JobStore, job: str, worker: str = "worker-1") -> None:
    """Let a worker claim the job and vanish."""
    assert store.claim(job, worker, lease=-1) is not None


# The sweep


def test_a_fresh_job_is_left_to_its_publisher(store: JobStore, queued: JobRecord) -> None:
    assert store.sweep() == Swept()
    assert store.get(queued.id).state is State.QUEUED


def test_a_job_that_nobody_was_told_of_is_to_be_published(store: JobStore) -> None:
    job, _ = store.submit(NewJob("Adder", {}, queue="sums", delay=LONG_AGO))
    assert store.sweep() == Swept(publish=((job.id, "sums"),))
    assert store.sweep() == Swept()


def test_each_time_a_job_is_published_again_it_is_left_longer(store: JobStore) -> None:
    store.republish = -1.0
    job, _ = store.submit(NewJob("Adder", {}))
    waits = []
    for _ in range(4):
        assert store.sweep().publish == ((job.id, ""),)
        waits.append(_due(store, job) - _now(store))
    assert waits == pytest.approx([-1, -2, -4, -8], abs=0.9)


def test_the_wait_is_bounded_however_often_a_job_was_published(store: JobStore) -> None:
    job, _ = store.submit(NewJob("Adder", {}, delay=LONG_AGO))
    with store.database.connect() as connection:
        connection.exec_driver_sql("UPDATE micro_jobs SET told = 100000")
    store.sweep()
    assert _due(store, job) - _now(store) == pytest.approx(900, abs=5)


def test_a_job_that_no_worker_could_be_told_of_is_published_by_the_next_sweep(store: JobStore) -> None:
    _told, untold = (store.submit(NewJob("Adder", {}))[0].id for _ in range(2))
    store.leave_to_sweep(untold)
    assert store.sweep().publish == ((untold, ""),)


def test_but_not_before_its_time(store: JobStore) -> None:
    job, _ = store.submit(NewJob("Adder", {}, delay=60))
    store.leave_to_sweep(job.id)
    assert store.sweep() == Swept()


def test_nor_if_it_runs_already(store: JobStore, running: JobRecord) -> None:
    store.leave_to_sweep(running.id)
    assert store.sweep() == Swept()


def test_a_lost_workers_job_is_queued_again(store: JobStore, queued: JobRecord) -> None:
    lose(store, queued.id)
    assert store.sweep() == Swept(publish=((queued.id, "sums"),))
    job = store.get(queued.id)
    assert (job.state, job.attempt, job.lost) == (State.QUEUED, 1, 1)
    assert store.claim(queued.id, "worker-2", 60) is not None


def test_a_running_job_is_left_to_its_worker(store: JobStore, running: JobRecord) -> None:
    assert store.sweep() == Swept()
    assert store.get(running.id) == running


def test_a_job_that_loses_every_worker_fails_with_that_reason(store: JobStore) -> None:
    job, _ = store.submit(NewJob("Crasher", {}, attempts=3))
    for attempt in (1, 2):
        lose(store, job.id, f"worker-{attempt}")
        assert store.sweep().publish
    lose(store, job.id, "worker-3")
    assert store.sweep() == Swept(failed=(job.id,))
    failed = store.get(job.id)
    assert (failed.state, failed.lost) == (State.FAILED, 3)
    assert failed.error == {
        "error": "The worker was lost 3 times while it ran this job (last worker-3 in attempt 3 of 3); "
        "it is not tried again.",
        "code": "worker-lost",
        "status": 500,
    }
    assert store.claim(job.id, "worker-4", 60) is None


def test_only_lost_workers_are_counted_as_lost(store: JobStore) -> None:
    job, _ = store.submit(NewJob("Crasher", {}, attempts=2))
    claimed = store.claim(job.id, "worker-1", 60)
    assert claimed is not None
    store.release(claimed.hold, 0, "the line was busy")
    lose(store, job.id)
    store.sweep()
    error = store.get(job.id).error
    assert error is not None
    assert "was lost 1 time while" in error["error"]


def test_a_job_released_after_its_last_attempt_does_not_wait_for_ever(store: JobStore) -> None:
    job, _ = store.submit(NewJob("Adder", {}, attempts=1))
    claimed = store.claim(job.id, "worker-1", 60)
    assert claimed is not None
    store.release(claimed.hold, 0, "the line was busy")
    assert store.sweep().failed == (job.id,)
    error = store.get(job.id).error
    assert error is not None
    assert error["error"].startswith("This job has had its last attempt (1 of 1)")


def test_a_lost_job_that_was_to_be_cancelled_is_cancelled(store: JobStore, queued: JobRecord) -> None:
    lose(store, queued.id)
    store.cancel(queued.id)
    assert store.sweep() == Swept(cancelled=(queued.id,))
    job = store.get(queued.id)
    assert (job.state, job.error) == (State.CANCELLED, None)
    assert job.finished is not None


def test_a_sweep_is_bounded_and_takes_the_longest_due_first(store: JobStore) -> None:
    due = [store.submit(NewJob("Adder", {}, delay=LONG_AGO - n))[0].id for n in range(5)]
    found = [[job for job, _queue in store.sweep(limit=2).publish] for _ in range(3)]
    assert found == [[due[4], due[3]], [due[2], due[1]], [due[0]]]


def test_of_sweeps_at_the_same_moment_each_finds_its_own(
    together: Callable[..., list[Any]], store: JobStore
) -> None:
    due = [store.submit(NewJob("Adder", {}, delay=LONG_AGO))[0].id for _ in range(40)]
    found = together("sweep", ["worker-1", "worker-2", "worker-3"])
    assert sorted(job for each in found for job in each) == sorted(due)


# Who does it


def test_one_process_leads_until_its_lease_ends(store: JobStore) -> None:
    assert store.lead("sweep", "one", 60)
    assert not store.lead("sweep", "two", 60)
    assert store.lead("sweep", "one", -1)
    assert store.lead("sweep", "two", 60)
    assert not store.lead("sweep", "one", 60)


def test_a_task_that_is_given_up_is_free_at_once(store: JobStore) -> None:
    store.lead("sweep", "one", 60)
    store.resign("sweep", "two")
    assert not store.lead("sweep", "two", 60)
    store.resign("sweep", "one")
    assert store.lead("sweep", "two", 60)


def test_each_task_has_its_own_leader(store: JobStore) -> None:
    assert store.lead("sweep", "one", 60)
    assert store.lead("purge", "two", 60)


def test_of_many_processes_one_leads(together: Callable[..., list[Any]], store: JobStore) -> None:
    assert sorted(together("lead", ["one", "two", "three"])) == [False, False, True]
    assert not store.lead("sweep", "four", 60)


# The clean-up


def finish(store: JobStore, lines: int = 0) -> str:
    job, _ = store.submit(NewJob("Adder", {}), owner="worker-1", lease=60)
    if lines:
        store.renew(job.hold, 60, lines=[LogLine("INFO", "line", 0.0)] * lines)
    store.finish(job.hold, State.SUCCEEDED, "{}")
    return job.id


def test_what_finished_long_ago_is_deleted_with_its_log(
    store: JobStore, queued: JobRecord, running: JobRecord
) -> None:
    finish(store, lines=3)
    assert store.purge(keep=60) == 0
    assert store.purge(keep=-60) == 1
    assert [job.id for job in store.list_jobs().jobs] == [running.id]
    assert queued.id == running.id
    assert _lines(store) == 0


def test_what_was_made_long_ago_but_finished_lately_is_kept(store: JobStore, running: JobRecord) -> None:
    store.finish(running.hold, State.SUCCEEDED)
    _grow_older(store, timedelta(days=8), "finished = finished")
    assert store.purge(keep=7 * 86400) == 0
    _grow_older(store, timedelta(days=8), "finished = created")
    assert store.purge(keep=7 * 86400) == 1


def test_the_clean_up_goes_by_bounded_steps_oldest_first(store: JobStore) -> None:
    finished = [finish(store) for _ in range(5)]
    assert store.purge(keep=-60, limit=2) == 2
    assert [job.id for job in store.list_jobs().jobs] == finished[:1:-1]
    assert [store.purge(keep=-60, limit=2) for _ in range(3)] == [2, 1, 0]


def test_jobs_with_long_logs_go_a_few_at_a_time(store: JobStore) -> None:
    for _ in range(4):
        finish(store, lines=maintenance.MOST_LINES // 2 - 1)
    assert [store.purge(keep=-60) for _ in range(3)] == [2, 2, 0]
    assert _lines(store) == 0


def _grow_older(store: JobStore, age: timedelta, finished: str) -> None:
    """Make every job look as if it was made ``age`` ago."""
    seconds = age.total_seconds()
    past = datetime.now().timestamp() - seconds
    with store.database.connect() as connection:
        connection.exec_driver_sql(
            f"UPDATE micro_jobs SET id = '{maintenance.first_id(past)}', created = {past}"
        )
        connection.exec_driver_sql(f"UPDATE micro_jobs SET {finished}")


def _lines(store: JobStore) -> int:
    with store.database.connect() as connection:
        return connection.execute(select(func.count()).select_from(logs)).scalar_one()


def _due(store: JobStore, job: JobRecord) -> float:
    with store.database.connect() as connection:
        return float(
            connection.exec_driver_sql(f"SELECT due FROM micro_jobs WHERE id = '{job.id}'").scalar_one()
        )


def _now(store: JobStore) -> float:
    with store.database.connect() as connection:
        return connection.execute(select(maintenance.now())).scalar_one()
