"""One worker at a time runs a job, and only it can end it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from micro.errors import Conflict, JobNotFound
from micro.jobs.models import Hold, JobRecord, NewJob, State, new_id
from micro.jobs.store.store import JobStore
from micro.models import Progress


def expired(store: JobStore, attempts: int = 3) -> JobRecord:
    """Return a job whose worker let its lease run out."""
    job, _ = store.submit(NewJob("Adder", {}, attempts=attempts))
    claimed = store.claim(job.id, "worker-1", lease=-1)
    assert claimed is not None
    return claimed


def claim(store: JobStore, job: str, owner: str = "worker-2") -> JobRecord:
    claimed = store.claim(job, owner, 60)
    assert claimed is not None
    return claimed


# Claiming


@pytest.mark.postgresql
def test_a_claimed_job_runs(store: JobStore, running: JobRecord) -> None:
    assert (running.state, running.worker, running.attempt) == (State.RUNNING, "worker-1", 1)
    assert running.started is not None
    assert running.started >= running.created
    assert store.get(running.id) == running


def test_a_second_copy_of_the_message_runs_nothing(store: JobStore, running: JobRecord) -> None:
    assert store.claim(running.id, "worker-2", 60) is None
    assert store.claim(running.id, "worker-1", 60) is None
    assert store.get(running.id) == running


def test_a_job_that_was_deleted_meanwhile_is_not_claimed(store: JobStore) -> None:
    assert store.claim(new_id(), "worker-1", 60) is None


@pytest.mark.postgresql
def test_a_job_whose_lease_ran_out_is_taken_over(store: JobStore) -> None:
    first = expired(store)
    second = claim(store, first.id)
    assert (second.worker, second.attempt, second.lost) == ("worker-2", 2, 1)


def test_a_job_that_had_all_its_attempts_is_not_taken_over(store: JobStore) -> None:
    assert store.claim(expired(store, attempts=1).id, "worker-2", 60) is None


def test_a_job_whose_cancellation_was_asked_for_is_not_taken_over(store: JobStore) -> None:
    job = expired(store)
    store.cancel(job.id)
    assert store.claim(job.id, "worker-2", 60) is None


def test_of_many_workers_with_all_the_messages_each_job_runs_once(
    together: Callable[..., list[Any]], store: JobStore
) -> None:
    submitted = [store.submit(NewJob("Adder", {"a": n}))[0].id for n in range(50)]
    ran = together("drain", ["worker-1", "worker-2", "worker-3"])
    assert sorted(job for each in ran for job in each) == sorted(submitted)
    assert store.counts()[State.SUCCEEDED] == 50
    assert all(job.attempt == 1 for job in store.list_jobs().jobs)


def test_a_killed_workers_job_is_taken_over(
    start: Callable[..., Any], store: JobStore, queued: JobRecord
) -> None:
    program = start("claim_and_hang", queued.id, 0).go()
    assert program.line() == "1"
    program.kill()
    assert claim(store, queued.id).attempt == 2


def test_a_worker_killed_while_it_writes_leaves_nothing_behind(
    start: Callable[..., Any], store: JobStore, queued: JobRecord
) -> None:
    program = start("half_write", queued.id).go()
    assert program.line() == "written"
    program.kill()
    assert store.get(queued.id).worker == "worker-that-dies"
    store.submit(NewJob("Adder", {}))


# Renewing


@pytest.mark.postgresql
def test_a_renewed_lease_keeps_others_away(store: JobStore) -> None:
    job = expired(store)
    assert store.renew(job.hold, 60).kept
    assert store.claim(job.id, "worker-2", 60) is None


def test_a_renewal_tells_that_the_job_is_to_be_cancelled(store: JobStore, running: JobRecord) -> None:
    assert not store.renew(running.hold, 60).cancel_requested
    store.cancel(running.id)
    assert store.renew(running.hold, 60).cancel_requested


@pytest.mark.postgresql
def test_a_replaced_worker_can_neither_renew_nor_finish_nor_release(store: JobStore) -> None:
    first = expired(store)
    second = claim(store, first.id)
    assert not store.renew(first.hold, 60, Progress(1)).kept
    assert not store.finish(first.hold, State.SUCCEEDED, '"first"')
    assert not store.release(first.hold, 0, "never mind")
    assert store.get(first.id) == second
    assert store.finish(second.hold, State.SUCCEEDED, '"second"')
    assert store.get(first.id).result == '"second"'


def test_an_earlier_attempt_of_the_same_worker_is_fenced_too(store: JobStore) -> None:
    first = expired(store)
    claim(store, first.id, "worker-1")
    assert not store.renew(first.hold, 60).kept
    assert not store.finish(first.hold, State.SUCCEEDED)


def test_a_worker_that_comes_back_before_another_claimed_goes_on(store: JobStore) -> None:
    job = expired(store)
    assert store.sweep().publish
    assert store.get(job.id).state is State.QUEUED
    assert store.renew(job.hold, 60, Progress(2, 4)).kept
    back = store.get(job.id)
    assert (back.state, back.attempt, back.lost, back.progress) == (State.RUNNING, 1, 0, Progress(2, 4))
    assert store.claim(job.id, "worker-2", 60) is None


def test_a_result_that_comes_back_before_another_claimed_counts(store: JobStore) -> None:
    job = expired(store)
    store.sweep()
    assert store.finish(job.hold, State.SUCCEEDED, "{}")
    assert store.claim(job.id, "worker-2", 60) is None


# Finishing


@pytest.mark.parametrize(
    ("state", "result", "error"),
    [
        (State.SUCCEEDED, '{"sum": 3}', None),
        (State.FAILED, None, {"error": "It failed.", "code": "plugin-failed", "status": 500}),
        (State.CANCELLED, None, None),
    ],
)
def test_a_finished_job_shows_its_outcome(
    store: JobStore, running: JobRecord, state: State, result: str | None, error: dict[str, Any] | None
) -> None:
    assert store.finish(running.hold, state, result, error)
    job = store.get(running.id)
    assert (job.state, job.result, job.error) == (state, result, error)
    assert job.finished is not None
    assert running.started is not None
    assert job.finished >= running.started


def test_finishing_again_as_before_is_no_mistake(store: JobStore, running: JobRecord) -> None:
    assert store.finish(running.hold, State.SUCCEEDED, '"first"')
    assert store.finish(running.hold, State.SUCCEEDED, '"again"')
    assert store.get(running.id).result == '"first"'
    assert not store.finish(running.hold, State.FAILED)


def test_a_deleted_job_cannot_be_finished_or_renewed_or_released(store: JobStore) -> None:
    gone = Hold(new_id(), "worker-1", 1)
    assert not store.finish(gone, State.SUCCEEDED)
    assert not store.renew(gone, 60).kept
    assert not store.release(gone, 0, "gone")


def test_a_finished_job_is_not_claimed_again(store: JobStore, running: JobRecord) -> None:
    store.finish(running.hold, State.FAILED)
    assert store.claim(running.id, "worker-2", 60) is None


# Trying again


def test_a_released_job_is_queued_for_a_later_attempt(store: JobStore, running: JobRecord) -> None:
    assert store.release(running.hold, delay=60, reason="the line was busy")
    job = store.get(running.id)
    assert (job.state, job.worker, job.attempt) == (State.QUEUED, None, 1)
    assert store.claim(job.id, "worker-2", 60) is None
    assert store.sweep().publish == ()


@pytest.mark.postgresql
def test_a_released_job_is_published_and_run_when_its_time_has_come(
    store: JobStore, running: JobRecord
) -> None:
    store.release(running.hold, delay=0, reason="the line was busy")
    assert store.sweep().publish == ((running.id, "sums"),)
    assert claim(store, running.id).attempt == 2


def test_releasing_again_is_no_mistake(store: JobStore, running: JobRecord) -> None:
    assert store.release(running.hold, delay=60, reason="the line was busy")
    assert store.release(running.hold, delay=60, reason="the line was busy")
    assert store.get(running.id).log_lines == 1


def test_who_released_a_job_has_no_part_in_it_any_more(store: JobStore, running: JobRecord) -> None:
    store.release(running.hold, delay=60, reason="the line was busy")
    assert not store.renew(running.hold, 60).kept
    assert not store.finish(running.hold, State.SUCCEEDED)


def test_a_released_job_that_was_to_be_cancelled_is_cancelled(store: JobStore, running: JobRecord) -> None:
    store.cancel(running.id)
    assert store.release(running.hold, delay=60, reason="the line was busy")
    assert store.get(running.id).state is State.CANCELLED


def test_a_job_that_another_finished_cannot_be_released(store: JobStore, running: JobRecord) -> None:
    store.finish(running.hold, State.SUCCEEDED)
    assert not store.release(running.hold, delay=60, reason="the line was busy")


# Cancelling and deleting


def test_a_cancelled_queued_job_never_runs(store: JobStore, queued: JobRecord) -> None:
    job = store.cancel(queued.id)
    assert job.state is State.CANCELLED
    assert job.finished is not None
    assert store.claim(queued.id, "worker-1", 60) is None
    assert store.cancel(queued.id) == job


def test_a_running_job_is_asked_to_stop(store: JobStore, running: JobRecord) -> None:
    job = store.cancel(running.id)
    assert (job.state, job.cancel_requested, job.finished) == (State.RUNNING, True, None)
    assert store.cancel(running.id) == job
    assert store.finish(running.hold, State.CANCELLED)
    assert store.cancel(running.id).state is State.CANCELLED


@pytest.mark.parametrize("state", [State.SUCCEEDED, State.FAILED])
def test_a_job_that_ended_otherwise_cannot_be_cancelled(
    store: JobStore, running: JobRecord, state: State
) -> None:
    store.finish(running.hold, state)
    with pytest.raises(Conflict, match=f"has already {state}") as caught:
        store.cancel(running.id)
    assert caught.value.code == "job-finished"


def test_a_finished_job_can_be_deleted(store: JobStore, running: JobRecord) -> None:
    store.release(running.hold, 0, "a line in its log")
    store.cancel(running.id)
    store.delete(running.id)
    with pytest.raises(JobNotFound):
        store.get(running.id)
    with store.database.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM micro_job_log").scalar() == 0


@pytest.mark.parametrize("state", [State.QUEUED, State.RUNNING])
def test_an_active_job_cannot_be_deleted(store: JobStore, queued: JobRecord, state: State) -> None:
    if state is State.RUNNING:
        claim(store, queued.id)
    with pytest.raises(Conflict, match="Cancel it first") as caught:
        store.delete(queued.id)
    assert caught.value.code == "job-not-finished"


def test_a_hold_is_all_that_a_worker_needs(store: JobStore, running: JobRecord) -> None:
    assert running.hold == Hold(running.id, "worker-1", 1)
    assert not store.renew(replace(running.hold, owner="worker-2"), 60).kept
    assert not store.renew(replace(running.hold, attempt=2), 60).kept
