"""Jobs as callers see them, over a table and without a worker."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from kombu import Connection

from micro.errors import (
    Conflict,
    InvalidParameters,
    JobNotFound,
    NoWorker,
    PluginNotFound,
    RecordedError,
    ResultNotReady,
    StoreUnavailable,
)
from micro.jobs.models import State, new_id
from micro.jobs.service import Jobs, job_fields, open_store, outcome
from micro.jobs.store.store import JobStore
from micro.jobs.worker.runner import JobRunner
from micro.plugin.context import RunContext
from micro.service import Micro

Beside = Callable[..., "Future[Any]"]
Woken = list[tuple[str, str]]


def submit(jobs: Jobs, name: str = "Add", key: str | None = None, **params: Any) -> str:
    return jobs.submit(name, params or {"a": 1, "b": 2}, RunContext("rest", "request-7"), key).id


def test_a_job_is_on_record_before_a_worker_is_told(jobs: Jobs, table: JobStore, woken: Woken) -> None:
    job = jobs.submit("add", {"a": 1, "b": 2}, RunContext("rest", "request-7"))
    assert woken == [(job.id, "micro")]
    assert table.get(job.id) == job
    assert (job.plugin, job.state, job.transport, job.request_id) == ("Add", "queued", "rest", "request-7")


@pytest.mark.parametrize(
    ("name", "params", "error"),
    [("Subtract", {}, PluginNotFound), ("Add", {"a": "one"}, InvalidParameters)],
    ids=["plugin", "parameters"],
)
def test_what_cannot_run_is_refused_and_not_recorded(
    jobs: Jobs, table: JobStore, woken: Woken, name: str, params: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        submit(jobs, name, **params)
    assert table.list_jobs().jobs == ()
    assert woken == []


def test_the_same_key_wakes_no_second_worker(jobs: Jobs, woken: Woken) -> None:
    first = submit(jobs, key="once")
    assert submit(jobs, key="once") == first
    assert len(woken) == 1
    with pytest.raises(Conflict, match="belongs to job"):
        submit(jobs, key="once", a=1, b=3)


def test_a_plugin_may_have_a_queue_of_its_own(jobs: Jobs, woken: Woken) -> None:
    submit(jobs, "Add elsewhere")
    assert [queue for _, queue in woken] == ["elsewhere"]


def test_lost_workers_are_forgiven_beyond_the_plugins_retries(jobs: Jobs, table: JobStore) -> None:
    assert table.get(submit(jobs)).attempts == 3
    assert table.get(submit(jobs, "Flaky", folder="x", failures=1)).attempts == 5


def test_secrets_are_shown_masked_and_reach_the_worker_as_they_are(jobs: Jobs, table: JobStore) -> None:
    job = submit(jobs, "Keeper", password="hunter2")
    shown = table.get(job)
    assert shown.has_secrets
    assert "hunter2" not in str(job_fields(shown))
    claimed = table.claim(job, "worker", 60)
    assert claimed is not None
    assert claimed.params == {"password": "hunter2"}


def test_without_a_broker_there_is_no_worker(micro: Micro, table: JobStore) -> None:
    with pytest.raises(NoWorker, match="start Micro with -C, or name the broker of its workers with -B"):
        submit(Jobs(micro, table))
    assert table.list_jobs().jobs == ()


def test_the_broker_of_the_settings_tells_workers(
    load: Callable[..., Micro], plugins: Path, sqlite_url: str, redis_url: str, task_queue: str
) -> None:
    settings = {"jobs_url": sqlite_url, "broker_url": redis_url, "task_queues": task_queue}
    jobs = Jobs(load(plugins / "jobs", **settings))
    job = submit(jobs)
    with Connection(redis_url) as connection, connection.SimpleQueue(f"{task_queue}.jobs") as queue:
        message = queue.get(timeout=5)
        message.ack()
        queue.queue.delete()
    assert message.headers["task"] == "Micro.job"
    assert message.payload[0] == [job]
    jobs.store.close()


def test_a_job_that_no_worker_was_told_of_is_left_to_the_next_sweep(micro: Micro, table: JobStore) -> None:
    job = submit(Jobs(micro, table, wake=lambda job, queue: False))
    assert [found for found, _queue in table.sweep().publish] == [job]


def test_the_table_is_a_file_in_the_state_folder_unless_a_setting_names_one(
    load: Callable[..., Micro], tmp_path: Path
) -> None:
    default = open_store(load({}, state_folder_path=str(tmp_path)).settings)
    assert default.database.name == f"sqlite+pysqlite:///{tmp_path}/jobs.sqlite"
    named = open_store(load({}, jobs_url="sqlite:////elsewhere/jobs.db").settings)
    assert named.database.name == "sqlite+pysqlite:////elsewhere/jobs.db"


# Waiting and results


def test_who_waits_gets_the_job_as_soon_as_it_has_ended(
    jobs: Jobs, worker: JobRunner, beside: Beside
) -> None:
    job = submit(jobs)
    waiting = beside(jobs.wait, job, 8)
    worker.run_job(job)
    assert outcome(waiting.result()) == '{"sum":3}'


def test_who_has_waited_long_enough_gets_the_job_as_it_is(jobs: Jobs) -> None:
    assert jobs.wait(submit(jobs), 0.05).state is State.QUEUED


def test_there_is_nothing_to_wait_for_without_a_job(jobs: Jobs) -> None:
    with pytest.raises(JobNotFound):
        jobs.wait(new_id(), 5)


def test_a_result_is_not_ready_until_the_job_has_ended(jobs: Jobs, worker: JobRunner) -> None:
    job = submit(jobs)
    with pytest.raises(ResultNotReady, match=f"Job {job} is queued"):
        jobs.result(job)
    worker.run_job(job)
    assert outcome(jobs.result(job)) == '{"sum":3}'


def test_what_a_plugin_raised_is_raised_again_by_the_record(jobs: Jobs, worker: JobRunner) -> None:
    job = submit(jobs, "Refuses", status=402)
    worker.run_job(job)
    with pytest.raises(RecordedError, match="sold out") as caught:
        outcome(jobs.result(job))
    assert (caught.value.status, caught.value.code) == (402, "sold-out")


def test_a_cancelled_job_has_no_result(jobs: Jobs, table: JobStore) -> None:
    job = submit(jobs)
    table.cancel(job)
    with pytest.raises(RecordedError, match=f"Job {job} was cancelled") as caught:
        outcome(jobs.result(job))
    assert caught.value.status == 409


# Repeating


def test_an_ended_job_can_be_repeated(jobs: Jobs, table: JobStore, worker: JobRunner) -> None:
    first = submit(jobs, key="once")
    worker.run_job(first)
    again = jobs.retry(first, RunContext("rest", "request-8"))
    assert again.id != first
    assert (again.parent, again.state, again.params, again.request_id) == (
        first,
        "queued",
        {"a": 1, "b": 2},
        "request-8",
    )


def test_one_that_goes_on_cannot(jobs: Jobs) -> None:
    with pytest.raises(Conflict, match="only an ended one can be repeated") as caught:
        jobs.retry(submit(jobs), RunContext())
    assert caught.value.code == "job-not-finished"


def test_one_with_secrets_cannot_as_they_are_not_kept(jobs: Jobs, worker: JobRunner) -> None:
    job = submit(jobs, "Keeper", password="hunter2")
    worker.run_job(job)
    with pytest.raises(Conflict, match="secret parameters, which are not kept") as caught:
        jobs.retry(job, RunContext())
    assert caught.value.code == "secrets-not-kept"


# What every transport shows


def test_the_fields_of_a_job_tell_all_but_its_result(jobs: Jobs, worker: JobRunner) -> None:
    job = submit(jobs, "Steps", count=3)
    worker.run_job(job)
    fields = job_fields(jobs.store.get(job))
    times = {name: fields.pop(name) for name in ("created", "started", "finished")}
    assert times["created"] <= times["started"] <= times["finished"]
    assert times["finished"].endswith("+00:00")
    assert fields.pop("worker").endswith(f"/{worker._owner.partition('/')[2]}")
    assert fields == {
        "id": job,
        "plugin": "Steps",
        "state": "succeeded",
        "progress": {"done": 3, "total": 3, "message": "counting"},
        "attempt": 1,
        "attempts": 3,
        "cancel_requested": False,
        "params": {"count": 3},
        "error": None,
        "queue": "micro",
        "transport": "rest",
        "request_id": "request-7",
        "traceparent": None,
        "parent": None,
        "generation": 1,
    }


def test_a_store_that_is_down_refuses_the_job(
    load: Callable[..., Micro], plugins: Path, tmp_path: Path, woken: Woken
) -> None:
    (tmp_path / "file").touch()
    micro = load(plugins / "jobs", jobs_url=f"sqlite:///{tmp_path}/file/jobs.db")
    jobs = Jobs(micro, wake=lambda job, queue: woken.append((job, queue)) is None)
    with pytest.raises(StoreUnavailable, match="Check that it runs and can be reached"):
        submit(jobs)
    assert woken == []
