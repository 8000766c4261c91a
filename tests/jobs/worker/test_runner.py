"""What a worker does with a job, and with the message of a Celery client."""

from __future__ import annotations

import json
import logging
import signal
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from billiard import Process
from celery.exceptions import Ignore

from micro.errors import (
    InvalidParameters,
    PluginError,
    PluginFailed,
    PluginNotFound,
    RecordedError,
    StoreUnavailable,
    TimeLimit,
)
from micro.jobs.models import JobRecord, NewJob, State
from micro.jobs.service import Jobs
from micro.jobs.store.store import JobStore
from micro.jobs.worker import runner
from micro.jobs.worker.retry import retry
from micro.jobs.worker.runner import JobRunner
from micro.plugin.context import RunContext
from micro.service import Micro

Beside = Callable[..., "Future[Any]"]
Wait = Callable[..., Any]


@pytest.fixture
def submit(jobs: Jobs) -> Callable[..., str]:
    return lambda name, **params: jobs.submit(name, params, RunContext("rest", "request-7")).id


Submit = Callable[..., str]


def the_job(table: JobStore) -> JobRecord:
    (job,) = table.list_jobs().jobs
    return table.get(job.id)


def due_now(table: JobStore, job: str) -> None:
    """Let the pause before the next attempt be over."""
    with table.database.transaction() as connection:
        connection.exec_driver_sql("UPDATE micro_jobs SET run_after = 0, due = 0 WHERE id = ?", (job,))


def lost(table: JobStore, job: str) -> None:
    """Let the lease of whoever runs the job be over."""
    with table.database.transaction() as connection:
        connection.exec_driver_sql("UPDATE micro_jobs SET due = 0 WHERE id = ?", (job,))


@contextmanager
def away(table: JobStore):
    """Make the table unreachable: in place of its folder there is a file."""
    table.ping()
    folder = Path(table.database.url.database).parent
    elsewhere = folder.with_name("elsewhere")
    table.close()
    folder.rename(elsewhere)
    folder.touch()
    yield
    table.close()
    folder.unlink()
    elsewhere.rename(folder)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """A file in a folder of its own, which can be taken away."""
    return f"sqlite:///{tmp_path}/table/jobs.db"


# Jobs


def test_a_job_runs_and_its_result_is_on_record(worker: JobRunner, table: JobStore, submit: Submit) -> None:
    job = submit("Add", a=1, b=2)
    worker.run_job(job)
    ended = table.get(job)
    assert (ended.state, ended.result, ended.attempt) == ("succeeded", '{"sum":3}', 1)


@pytest.mark.parametrize("copies", [2, 3])
def test_a_second_copy_of_its_message_runs_nothing(
    worker: JobRunner, folder: Any, submit: Submit, copies: int
) -> None:
    job = submit("Flaky", failures=0, **folder.params)
    for _ in range(copies):
        worker.run_job(job)
    assert folder.count("started") == 1


def test_a_message_about_no_job_is_passed_over(worker: JobRunner) -> None:
    worker.run_job("nonsense")


@pytest.mark.parametrize(
    ("name", "code", "status"),
    [("Refuses", "sold-out", 409), ("Breaks", "plugin-failed", 500), ("Sleepy", "time-limit", 504)],
)
def test_a_failure_is_on_record_with_its_reason(
    worker: JobRunner, table: JobStore, submit: Submit, name: str, code: str, status: int
) -> None:
    job = submit(name)
    worker.run_job(job)
    ended = table.get(job)
    assert ended.state is State.FAILED
    assert ended.error is not None
    assert (ended.error["code"], ended.error["status"]) == (code, status)
    assert ended.error["error"]


def test_a_job_of_a_plugin_that_is_gone_fails(worker: JobRunner, table: JobStore) -> None:
    job, _ = table.submit(NewJob("Gone", {}))
    worker.run_job(job.id)
    error = table.get(job.id).error
    assert error is not None
    assert error["error"].startswith("plugin not found: 'Gone'")
    assert (error["code"], error["status"]) == ("plugin-not-found", 404)


def test_a_plugin_cannot_pass_its_time_limit_off_as_another_failure(
    worker: JobRunner, table: JobStore, submit: Submit
) -> None:
    job = submit("Sleepy", wrapped=True)
    worker.run_job(job)
    error = table.get(job).error
    assert error is not None
    assert error["error"] == "The run took longer than the 0.3 seconds that plugin 'Sleepy' allows"


def test_the_alarm_of_the_process_is_left_as_it_was(worker: JobRunner, submit: Submit) -> None:
    before = signal.getsignal(signal.SIGALRM)
    worker.run_job(submit("Sleepy"))
    assert signal.getsignal(signal.SIGALRM) is before


def test_outside_a_main_thread_a_run_past_its_limit_fails_on_record_and_goes_on(
    worker: JobRunner, table: JobStore, submit: Submit, folder: Any, beside: Beside, wait_for: Wait,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    job = submit("Stubborn and bounded", **folder.params)
    run = beside(worker.run_job, job)
    wait_for(lambda: table.state(job).finished)
    assert not run.done()
    folder.open()
    run.result()
    error = table.get(job).error
    assert error is not None
    assert error["code"] == "time-limit"
    assert "its pool has no processes to kill" in caplog.text
    assert "another attempt had taken it over" in caplog.text


def test_a_run_knows_its_job(
    load: Callable[..., Micro], interface: Callable[..., str], sqlite_url: str
) -> None:
    body = """
        def run(self):
            context = self._micro_context
            return {"told": [context.transport, context.request_id, context.job, context.attempt]}
    """
    micro = load({"knows/interface.py": interface(body)}, jobs_url=sqlite_url)
    store = JobStore(sqlite_url)
    job, _ = store.submit(NewJob("Plugin", {}, transport="rest", request_id="request-7"))
    JobRunner(micro, store).run_job(job.id)
    assert json.loads(store.get(job.id).result or "") == {"told": ["rest", "request-7", job.id, 1]}
    store.close()


# Further attempts


def test_a_failure_that_the_plugin_lists_is_tried_again_after_a_pause(
    worker: JobRunner, table: JobStore, submit: Submit, folder: Any
) -> None:
    job = submit("Flaky", failures=2, **folder.params)
    for attempt in (1, 2):
        began = datetime.now(UTC)
        worker.run_job(job)
        ended = datetime.now(UTC)
        queued = table.get(job)
        assert (queued.state, queued.attempt) == (State.QUEUED, attempt)
        # One second, then two, each half as long or half as long again, from some moment of the run.
        pause = timedelta(seconds=attempt)
        assert began + 0.5 * pause <= queued.run_after <= ended + 1.5 * pause
        due_now(table, job)
    worker.run_job(job)
    assert table.get(job).result == '{"attempts":3}'


def test_the_log_of_the_job_tells_why_it_was_tried_again(
    worker: JobRunner, table: JobStore, submit: Submit, folder: Any
) -> None:
    job = submit("Flaky", failures=1, **folder.params)
    worker.run_job(job)
    (line,) = (each.data["text"] for each in table.events(job).events if each.kind == "log")
    assert line.startswith("Attempt 1 failed: Plugin 'Flaky' failed; the log has the cause")


def test_a_plugin_has_only_so_many_retries(
    worker: JobRunner, table: JobStore, submit: Submit, folder: Any
) -> None:
    job = submit("Flaky", failures=9, **folder.params)
    for _ in range(4):
        worker.run_job(job)
        due_now(table, job)
    ended = table.get(job)
    assert (ended.state, ended.attempt, folder.count("started")) == (State.FAILED, 3, 3)


def test_a_failure_that_the_plugin_does_not_list_ends_the_job(
    worker: JobRunner, table: JobStore, submit: Submit, folder: Any
) -> None:
    job = submit("Flaky", failures=1, kind="ValueError", **folder.params)
    worker.run_job(job)
    assert table.get(job).state is State.FAILED


def test_a_lost_worker_costs_the_plugin_none_of_its_retries(
    worker: JobRunner, table: JobStore, submit: Submit, folder: Any
) -> None:
    job = submit("Flaky", failures=9, **folder.params)
    assert table.claim(job, "another", lease=-1)
    for _ in range(4):
        worker.run_job(job)
        due_now(table, job)
    assert table.get(job).attempt == 1 + 3


def test_the_last_attempt_of_all_ends_with_its_own_reason(
    worker: JobRunner, table: JobStore, submit: Submit, folder: Any
) -> None:
    job = submit("Flaky", failures=9, **folder.params)
    for _ in range(4):
        assert table.claim(job, "another", lease=-1)
    worker.run_job(job)
    ended = table.get(job)
    assert (ended.state, ended.attempt) == (State.FAILED, 5)
    assert ended.error is not None
    assert ended.error["code"] == "plugin-failed"


# Stopping


def test_a_run_that_listens_is_cancelled_when_it_is_asked_to(
    worker: JobRunner, table: JobStore, submit: Submit, folder: Any, beside: Beside, wait_for: Wait
) -> None:
    job = submit("Patient", **folder.params)
    run = beside(worker.run_job, job)
    wait_for(lambda: folder.count("started"))
    assert table.cancel(job).cancel_requested
    run.result(30)
    assert folder.count("ended") == 1
    assert (table.get(job).state, table.get(job).error) == (State.CANCELLED, None)


def test_a_run_that_was_taken_over_is_asked_to_stop_and_changes_nothing(
    worker: JobRunner, table: JobStore, submit: Submit, folder: Any, beside: Beside, wait_for: Wait
) -> None:
    job = submit("Patient", **folder.params)
    run = beside(worker.run_job, job)
    wait_for(lambda: folder.count("started"))
    lost(table, job)
    taken = table.claim(job, "another", 60)
    run.result(30)
    assert table.get(job) == taken


def test_a_process_of_a_pool_is_killed(caplog: pytest.LogCaptureFixture) -> None:
    child = Process(target=runner._kill_pool_child, args=("7",), daemon=True)
    child.start()
    child.join(8)
    assert child.exitcode == -signal.SIGKILL


# The messages of Celery clients


def test_a_message_is_answered_and_on_record_soon_after(
    worker: JobRunner, table: JobStore, wait_for: Wait
) -> None:
    assert worker.run_message("task-1", "add", {"a": 1, "b": 2}) == '{"sum":3}'
    wait_for(lambda: table.list_jobs().jobs)
    job = the_job(table)
    assert (job.plugin, job.state, job.result, job.params) == (
        "Add",
        "succeeded",
        '{"sum":3}',
        {"a": 1, "b": 2},
    )
    assert (job.idempotency_key, job.transport, job.request_id, job.attempt) == (
        "celery:task-1",
        "celery",
        "task-1",
        1,
    )
    assert job.started is not None
    assert job.finished is not None
    assert job.created == job.started <= job.finished


def test_a_longer_run_is_on_record_while_it_goes_on(
    worker: JobRunner, table: JobStore, folder: Any, beside: Beside, wait_for: Wait
) -> None:
    run = beside(worker.run_message, "task-1", "Patient", folder.params)
    wait_for(lambda: table.list_jobs(state=State.RUNNING).jobs)
    folder.open()
    assert run.result(30) == '{"cancelled":false}'
    assert the_job(table).state is State.SUCCEEDED


def test_it_can_be_cancelled_then(
    worker: JobRunner, table: JobStore, folder: Any, beside: Beside, wait_for: Wait
) -> None:
    run = beside(worker.run_message, "task-1", "Patient", folder.params)
    (job,) = wait_for(lambda: table.list_jobs(state=State.RUNNING).jobs)
    table.cancel(job.id)
    with pytest.raises(RecordedError, match="was cancelled"):
        run.result(30)
    assert the_job(table).state is State.CANCELLED


@pytest.mark.parametrize(
    ("name", "params", "error"),
    [("Nobody", {}, PluginNotFound), ("Add", {"a": "one"}, InvalidParameters)],
    ids=["plugin", "parameters"],
)
def test_a_message_that_cannot_run_is_refused_and_not_recorded(
    worker: JobRunner, table: JobStore, name: str, params: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        worker.run_message("task-1", name, params)
    worker.micro_stop()
    assert table.list_jobs().jobs == ()


@pytest.mark.parametrize(
    ("name", "error"), [("Refuses", PluginError), ("Breaks", PluginFailed), ("Sleepy", TimeLimit)]
)
def test_what_a_message_failed_with_is_raised_and_recorded(
    worker: JobRunner, table: JobStore, name: str, error: type[Exception]
) -> None:
    with pytest.raises(error) as caught:
        worker.run_message("task-1", name, {})
    worker.micro_stop()
    assert the_job(table).error is not None
    assert (the_job(table).error or {})["error"] == str(caught.value)


def test_the_record_of_a_message_has_no_secrets(worker: JobRunner, table: JobStore, tmp_path: Path) -> None:
    worker.run_message("task-1", "Keeper", {"password": "hunter2"})
    worker.micro_stop()
    assert the_job(table).has_secrets
    table.close()
    assert b"hunter2" not in b"".join(path.read_bytes() for path in tmp_path.glob("table/*"))


def test_a_message_delivered_again_gives_what_is_on_record(
    worker: JobRunner, table: JobStore, folder: Any
) -> None:
    given = "task-1", "Flaky", {"failures": 0, **folder.params}
    first = worker.run_message(*given)
    worker.micro_stop()
    assert worker.run_message(*given, redelivered=True) == first
    assert folder.count("started") == 1


def test_a_failure_too(worker: JobRunner) -> None:
    with pytest.raises(PluginError):
        worker.run_message("task-1", "Refuses", {"status": 402})
    worker.micro_stop()
    with pytest.raises(RecordedError, match="sold out") as caught:
        worker.run_message("task-1", "Refuses", {"status": 402}, redelivered=True)
    assert caught.value.status == 402


def test_a_message_that_never_ran_runs_when_it_is_delivered_again(worker: JobRunner, table: JobStore) -> None:
    assert worker.run_message("task-1", "Add", {"a": 1, "b": 2}, redelivered=True) == '{"sum":3}'
    assert the_job(table).state is State.SUCCEEDED


def test_a_message_whose_worker_was_lost_is_taken_over(
    worker: JobRunner, table: JobStore, beside: Beside, wait_for: Wait
) -> None:
    new = NewJob("Add", {"a": 1, "b": 2}, idempotency_key="celery:task-1", attempts=3)
    job, _ = table.submit(new, "another", lease=0.5)
    assert worker.run_message("task-1", "Add", {"a": 1, "b": 2}, redelivered=True) == '{"sum":3}'
    assert (table.get(job.id).attempt, table.get(job.id).lost) == (2, 1)


def test_a_message_whose_first_run_goes_on_is_left_to_it(
    worker: JobRunner, table: JobStore, folder: Any, beside: Beside, wait_for: Wait
) -> None:
    run = beside(worker.run_message, "task-1", "Patient", folder.params)
    wait_for(lambda: table.list_jobs(state=State.RUNNING).jobs)
    with pytest.raises(Ignore):
        worker.run_message("task-1", "Patient", folder.params, redelivered=True)
    folder.open()
    run.result(30)
    assert folder.count("started") == 1


def test_a_message_that_is_to_be_tried_again_waits_for_that(
    worker: JobRunner, table: JobStore, folder: Any, beside: Beside, wait_for: Wait
) -> None:
    run = beside(worker.run_message, "task-1", "Flaky", {"failures": 1, **folder.params})
    (job,) = wait_for(lambda: table.list_jobs(state=State.QUEUED).jobs)
    due_now(table, job.id)
    assert run.result(30) == '{"attempts":2}'
    assert (the_job(table).state, the_job(table).attempt) == (State.SUCCEEDED, 2)


def test_a_message_that_failed_for_good_elsewhere_fails_here(
    worker: JobRunner, table: JobStore, folder: Any, beside: Beside, wait_for: Wait
) -> None:
    run = beside(worker.run_message, "task-1", "Flaky", {"failures": 1, **folder.params})
    (job,) = wait_for(lambda: table.list_jobs(state=State.QUEUED).jobs)
    table.cancel(job.id)
    with pytest.raises(RecordedError, match="was cancelled"):
        run.result(30)


def test_what_a_message_reported_is_on_record(worker: JobRunner, table: JobStore) -> None:
    worker.run_message("task-1", "Steps", {"count": 2})
    job = the_job(table)
    assert job.progress is not None
    assert (job.progress.done, job.log_lines) == (2, 2)


# While the job table does not answer


def test_a_finished_result_waits_for_the_table(
    worker: JobRunner, table: JobStore, submit: Submit, folder: Any, beside: Beside, wait_for: Wait,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    job = submit("Patient", **folder.params)
    run = beside(worker.run_job, job)
    wait_for(lambda: folder.count("started"))
    with away(table):
        folder.open()
        wait_for(lambda: f"The end of job {job} waits for the job table" in caplog.text)
    run.result(30)
    assert table.get(job).state is State.SUCCEEDED


def test_a_run_goes_on_without_the_table_and_keeps_what_it_reports(
    worker: JobRunner, table: JobStore, folder: Any, submit: Submit, beside: Beside, wait_for: Wait,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    job = submit("Patient", **folder.params)
    run = beside(worker.run_job, job)
    wait_for(lambda: folder.count("started"))
    with away(table):
        wait_for(lambda: f"Job {job} goes on, but the job table does not answer" in caplog.text)
        assert not run.done()
    folder.open()
    run.result(30)
    assert table.get(job).state is State.SUCCEEDED


def test_a_message_is_answered_without_the_table_and_recorded_later(
    worker: JobRunner, table: JobStore, wait_for: Wait, caplog: pytest.LogCaptureFixture
) -> None:
    with away(table):
        assert worker.run_message("task-1", "Add", {"a": 1, "b": 2}) == '{"sum":3}'
        assert worker.run_message("task-2", "Add", {"a": 1, "b": 2}, redelivered=True) == '{"sum":3}'
        wait_for(lambda: "1 ended runs wait for the job table" in caplog.text)
    assert "Task task-2 runs unrecorded" in caplog.text
    wait_for(lambda: table.list_jobs().jobs)
    assert the_job(table).request_id == "task-1"


def test_a_process_that_ends_says_what_it_could_not_record(
    worker: JobRunner, table: JobStore, caplog: pytest.LogCaptureFixture
) -> None:
    with away(table):
        worker.run_message("task-1", "Add", {"a": 1, "b": 2})
        worker.micro_stop()
    assert "1 ended runs of Celery clients are not on record" in caplog.text


def test_a_job_that_cannot_be_claimed_is_left_to_a_sweep(
    worker: JobRunner, table: JobStore, submit: Submit, caplog: pytest.LogCaptureFixture
) -> None:
    job = submit("Add", a=1, b=2)
    with away(table):
        worker.run_job(job)
    assert f"The claim of job {job} is given up, the job table does not answer" in caplog.text
    assert table.get(job).state is State.QUEUED


def test_a_retry_ends(caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        raise StoreUnavailable("no answer")

    with pytest.raises(StoreUnavailable):
        retry(fail, "end of job 7", limit=0.3)
    assert "The end of job 7 waits for the job table: no answer" in caplog.text
    assert "The end of job 7 is given up" in caplog.text


# What goes to the log of the process


def test_the_traceback_of_a_plugin_begins_with_the_plugin(
    worker: JobRunner, submit: Submit, caplog: pytest.LogCaptureFixture
) -> None:
    worker.run_job(submit("Breaks"))
    (record,) = (each for each in caplog.records if each.levelno == logging.ERROR)
    assert record.getMessage() == "Plugin 'Breaks' failed in request request-7"
    frames = logging.Formatter().formatException(record.exc_info).splitlines()[1:]  # type: ignore[arg-type]
    assert "chores/interface.py" in frames[0]
    assert "pluggy" not in "".join(frames)


def test_the_log_tells_nothing_of_what_was_being_handled_when_the_process_began(
    micro: Micro, caplog: pytest.LogCaptureFixture
) -> None:
    try:
        raise OSError("The broker is gone")
    except OSError:
        with pytest.raises(PluginFailed):
            micro.run("Breaks", {})
    assert "KeyError" in caplog.text
    assert "The broker is gone" not in caplog.text
