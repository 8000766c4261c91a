"""A job is on record when submit returns, and says what it was given."""

from __future__ import annotations

import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from micro.errors import Conflict, JobNotFound
from micro.jobs.models import JobRecord, NewJob, State, first_id, is_id, new_id
from micro.jobs.store.store import JobStore


def test_a_submitted_job_is_queued_and_found_again(store: JobStore, queued: JobRecord) -> None:
    assert queued.state is State.QUEUED
    assert store.get(queued.id) == queued
    assert store.state(queued.id) is State.QUEUED


@pytest.mark.postgresql
def test_a_job_keeps_what_was_known_at_its_start(store: JobStore) -> None:
    parent = new_id()
    job, _ = store.submit(
        NewJob(
            "Adder",
            {"a": 1},
            queue="sums",
            attempts=5,
            timeout=2.5,
            idempotency_key="key",
            parent=parent,
            transport="rest",
            request_id="request",
            traceparent="00-trace",
            generation=7,
        )
    )
    kept = store.get(job.id)
    assert (kept.plugin, kept.params, kept.queue) == ("Adder", {"a": 1}, "sums")
    assert (kept.attempts, kept.timeout, kept.idempotency_key, kept.parent) == (5, 2.5, "key", parent)
    assert (kept.transport, kept.request_id, kept.traceparent) == ("rest", "request", "00-trace")
    assert kept.generation == 7


@pytest.mark.postgresql
def test_times_are_aware_and_by_the_databases_clock(queued: JobRecord) -> None:
    assert queued.created.tzinfo is UTC
    assert abs(datetime.now(UTC) - queued.created) < timedelta(seconds=30)
    assert queued.started is None
    assert queued.finished is None


def test_ids_sort_by_the_time_they_were_made() -> None:
    before = first_id(datetime.now(UTC).timestamp() - 1)
    ids = [new_id() for _ in range(100)]
    assert ids == sorted(ids)
    assert before < ids[0]
    assert ids[-1] < first_id(datetime.now(UTC).timestamp() + 1)
    assert all(is_id(each) for each in ids)


@pytest.mark.postgresql
@pytest.mark.parametrize("text", ["", "7", "\0", "x" * 36, "8c6f5b0e-0000-4000-8000-000000000000", "é"])
def test_what_is_no_id_is_an_unknown_job(store: JobStore, text: str) -> None:
    asked: list[Callable[[str], object]] = [store.get, store.state, store.events, store.cancel, store.delete]
    for ask in asked:
        with pytest.raises(JobNotFound, match="No job has the id"):
            ask(text)
    assert store.claim(text, "worker", 60) is None


def test_an_unknown_id_is_an_unknown_job(store: JobStore) -> None:
    unknown = new_id()
    asked: list[Callable[[str], object]] = [store.get, store.state, store.events, store.cancel, store.delete]
    for ask in asked:
        with pytest.raises(JobNotFound, match=unknown):
            ask(unknown)


@pytest.mark.postgresql
def test_any_text_is_taken(store: JobStore) -> None:
    job, _ = store.submit(
        NewJob("Adder", {"text": "a\0b\ud800 ünï"}, request_id="r\0\ud800", transport="x" * 9999)
    )
    kept = store.get(job.id)
    assert kept.params == {"text": "a\0b\ud800 ünï"}
    assert kept.request_id == "r\\x00\\ud800"
    assert kept.transport is not None
    assert len(kept.transport) < 5000


def test_a_job_may_start_as_claimed_by_who_submits_it(store: JobStore) -> None:
    job, _ = store.submit(NewJob("Adder", {"a": 1}), owner="worker-1", lease=60)
    assert (job.state, job.worker, job.attempt) == (State.RUNNING, "worker-1", 1)
    assert job.started is not None
    assert store.get(job.id) == job
    assert store.claim(job.id, "worker-2", 60) is None
    assert store.finish(job.hold, State.SUCCEEDED, "{}")


@pytest.mark.postgresql
def test_a_delayed_job_is_not_claimed_before_its_time(store: JobStore) -> None:
    job, _ = store.submit(NewJob("Adder", {}, delay=60))
    assert store.claim(job.id, "worker-1", 60) is None
    assert job.run_after - job.created == pytest.approx(timedelta(seconds=60), abs=timedelta(seconds=1))


# Secrets


SECRET = NewJob("Login", {"user": "ann", "password": "hunter2"}, shown={"user": "ann", "password": "***"})


def test_readers_see_secrets_masked_and_the_worker_gets_them(store: JobStore) -> None:
    job, _ = store.submit(SECRET)
    assert job.params == store.get(job.id).params == SECRET.shown
    assert job.has_secrets
    claimed = store.claim(job.id, "worker-1", 60)
    assert claimed is not None
    assert claimed.params == SECRET.params


@pytest.mark.parametrize("end", ["finish", "cancel", "sweep"])
def test_no_secret_is_left_when_a_job_is_finished(store: JobStore, end: str) -> None:
    job, _ = store.submit(NewJob(SECRET.plugin, SECRET.params, SECRET.shown, attempts=1, delay=-60))
    if end == "cancel":
        store.cancel(job.id)
    else:
        claimed = store.claim(job.id, "worker-1", lease=-1)
        assert claimed is not None
        assert store.finish(claimed.hold, State.SUCCEEDED) if end == "finish" else store.sweep().failed
    with store.database.connect() as connection:
        row = connection.exec_driver_sql("SELECT * FROM micro_jobs").one()
    assert "hunter2" not in repr(row)
    assert store.get(job.id).params == SECRET.shown


def test_the_file_is_for_its_owner_only(sqlite: JobStore) -> None:
    sqlite.submit(SECRET)
    folder = Path(sqlite.database.url.database or "").parent
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.glob("jobs.db*")}
    assert modes == dict.fromkeys(("jobs.db", "jobs.db-wal", "jobs.db-shm"), 0o600)


def test_missing_folders_are_made_for_their_owner_only(tmp_path: Path) -> None:
    store = JobStore(f"sqlite:///{tmp_path}/state/micro/jobs.db")
    store.ping()
    store.close()
    assert stat.S_IMODE((tmp_path / "state" / "micro").stat().st_mode) == 0o700


# Idempotency


CALL = NewJob("Adder", {"a": 1, "b": 2}, idempotency_key="key")


@pytest.mark.postgresql
def test_the_same_key_and_call_is_the_same_job(store: JobStore) -> None:
    first, created = store.submit(CALL)
    assert created
    again, created = store.submit(
        NewJob("Adder", {"b": 2, "a": 1}, idempotency_key="key", request_id="other")
    )
    assert not created
    assert again == first


@pytest.mark.parametrize(
    "other",
    [
        NewJob("Adder", {"a": 1, "b": 3}, idempotency_key="key"),
        NewJob("Subtracter", {"a": 1, "b": 2}, idempotency_key="key"),
    ],
    ids=["parameters", "plugin"],
)
def test_the_same_key_for_another_call_is_a_conflict(store: JobStore, other: NewJob) -> None:
    store.submit(CALL)
    with pytest.raises(Conflict, match="'key' belongs to job") as caught:
        store.submit(other)
    assert (caught.value.status, caught.value.code) == (409, "idempotency-conflict")


@pytest.mark.postgresql
def test_a_key_holds_while_its_job_is_kept(store: JobStore) -> None:
    secret = NewJob(SECRET.plugin, SECRET.params, SECRET.shown, idempotency_key="key")
    first, _ = store.submit(secret)
    store.cancel(first.id)
    assert store.submit(secret) == (store.get(first.id), False)
    store.delete(first.id)
    assert store.submit(secret)[1]


def test_jobs_without_a_key_are_never_the_same(store: JobStore) -> None:
    assert store.submit(NewJob("Adder", {}))[0].id != store.submit(NewJob("Adder", {}))[0].id


def test_one_key_makes_one_job_in_many_processes(together: Callable[..., list[Any]], store: JobStore) -> None:
    answers = together("submit_once", ["1"] * 3)
    assert len({job for job, _created in answers}) == 1
    assert sorted(created for _job, created in answers) == [False, False, True]
    assert len(store.list_jobs().jobs) == 1


def test_of_conflicting_calls_in_many_processes_one_wins(
    together: Callable[..., list[Any]], store: JobStore
) -> None:
    answers = together("submit_once", ["1", "2", "3"])
    assert sorted(created for _job, created in answers) == [False, False, True]
    assert sum(job == "idempotency-conflict" for job, _created in answers) == 2
    assert len(store.list_jobs().jobs) == 1


def test_what_was_accepted_survives_kill_9(start: Callable[..., Any], store: JobStore) -> None:
    program = start("submit_on").go()
    accepted = [program.line() for _ in range(20)]
    accepted += [line for line in program.kill().splitlines() if is_id(line)]
    assert set(accepted) <= {job.id for job in store.list_jobs(limit=1000).jobs}
