"""What the client does with a real service."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path, PurePosixPath
from typing import Any
from uuid import UUID

import pytest

from micro.client import Client, Job, JobCancelled, Progress
from micro.correlation import Call, working_for
from micro.errors import (
    BadRequest,
    Conflict,
    FieldError,
    InvalidParameters,
    JobNotFound,
    MicroError,
    PluginError,
    PluginFailed,
    PluginNotFound,
)

Colour = Enum("Colour", {"RED": "red"})
WaitFor = Callable[..., Any]


def test_plugins_are_listed_described_and_run(client: Client) -> None:
    assert client.plugins()[0] == {"name": "Adder", "version": "1.0", "description": "Adds"}
    assert client.info("adder")["parameters"]["required"] == ["a"]
    assert client.help("Adder")["help"] == "a and b"
    assert client.run("Adder", a=1, b=2) == {"sum": 3}
    assert client.run("Echo / ö", text="naïve ☃") == {"text": "naïve ☃"}


def test_parameters_may_have_any_name(client: Client) -> None:
    params = {"name": 1, "queue": 2, "timeout": 3, "key": 4, "job": 5, "plugin_name": 6, "a-b": 7}
    assert client.run("Echo / ö", **params) == params
    assert client.submit("Echo / ö", **params).result(10) == params


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (date(2026, 1, 31), "2026-01-31"),
        (datetime(2026, 1, 31, 12, tzinfo=UTC), "2026-01-31T12:00:00+00:00"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (Decimal("1.10"), "1.10"),
        (PurePosixPath("/a/b"), "/a/b"),
        (b"\x00\xff", "AP8="),
        ({1}, [1]),
        (Colour["RED"], "red"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_values_that_json_has_no_type_for_are_sent_as_plugins_read_them(
    client: Client, value: object, text: object
) -> None:
    assert client.run("Echo / ö", value=value) == {"value": text}


@pytest.mark.parametrize("value", [math.nan, object()], ids=["nan", "object"])
def test_what_cannot_be_json_is_refused_before_it_is_sent(client: Client, value: object) -> None:
    with pytest.raises(BadRequest, match="cannot be written as JSON"):
        client.submit("Echo / ö", value=value)


@pytest.mark.parametrize(
    ("name", "params", "error", "code"),
    [
        ("Nobody", {}, PluginNotFound, "plugin-not-found"),
        ("Adder", {"a": "x"}, InvalidParameters, "invalid-parameters"),
        ("Refuser", {}, PluginFailed, "plugin-failed"),
        ("Refuser", {"code": "user-unknown"}, PluginError, "user-unknown"),
        ("Refuser", {"code": "plugin-not-found"}, PluginNotFound, "plugin-not-found"),
    ],
)
def test_errors_come_back_as_what_they_were(
    client: Client, name: str, params: dict[str, Any], error: type[MicroError], code: str
) -> None:
    with pytest.raises(MicroError) as caught:
        client.run(name, **params)
    assert type(caught.value) is error
    assert caught.value.code == code
    assert "callers" not in str(caught.value)


def test_wrong_parameters_are_told_one_by_one(client: Client) -> None:
    for call in (client.run, client.submit):
        with pytest.raises(InvalidParameters, match="Parameter 'a'") as caught:
            call("Adder", a="x", b=1)
        assert caught.value.status == 422
        assert caught.value.errors == (FieldError("/a", "expected an integer, found a string"),)


def test_a_job_is_followed_to_its_result(client: Client) -> None:
    job = client.submit("adder", a=1, b=2)
    assert job.result(timeout=10) == {"sum": 3}
    assert (job.plugin, job.state, job.finished, job.progress, job.error) == (
        "Adder",
        "succeeded",
        True,
        None,
        None,
    )
    assert job.details["params"] == {"a": 1, "b": 2}
    assert repr(job) == f"<Job {job.id} 'Adder' succeeded>"
    assert client.job(job.id).result() == {"sum": 3}


@pytest.mark.parametrize(
    ("params", "error", "status"),
    [({}, PluginFailed, 500), ({"code": "user-unknown", "status": 418}, PluginError, 418)],
    ids=["bug", "declared"],
)
def test_a_failed_job_raises_the_error_of_its_run(
    client: Client, params: dict[str, Any], error: type[MicroError], status: int
) -> None:
    job = client.submit("Refuser", **params)
    with pytest.raises(error) as caught:
        job.result(10)
    assert caught.value.status == status
    assert job.state == "failed"
    assert str(job.error) == str(caught.value)


def test_a_result_is_waited_for_no_longer_than_asked(waiting: Job, tmp_path: Path, wait_for: WaitFor) -> None:
    with pytest.raises(TimeoutError, match=r"is running after 0\.1 seconds"):
        waiting.result(timeout=0.1)
    assert (waiting.state, waiting.finished) == ("running", False)
    assert wait_for(lambda: waiting.progress) == Progress(1, 2, "waiting")
    (tmp_path / "go").touch()
    assert waiting.result(timeout=10) == {"found": True}


def test_events_are_told_until_the_job_is_over(waiting: Job, tmp_path: Path, wait_for: WaitFor) -> None:
    told = []
    # A second report would replace the first one before that is told.
    wait_for(lambda: waiting.progress)
    for event in waiting.events():
        told.append((event.kind, event.data.get("state") or event.data.get("text") or event.data["done"]))
        (tmp_path / "go").touch()
    assert told == [
        ("state", "running"),
        ("log", "waiting for go"),
        ("progress", 1),
        ("progress", 2),
        ("state", "succeeded"),
    ]
    *_, end = waiting.events()
    assert end.data["state"] == "succeeded"
    assert [event.number for event in waiting.events(after=end.number - 1)] == [end.number]
    assert list(waiting.events(after=end.number)) == []


def test_a_running_job_is_cancelled(waiting: Job) -> None:
    assert waiting.cancel() is waiting
    with pytest.raises(JobCancelled, match=f"Job {waiting.id} was cancelled"):
        waiting.result(10)
    assert waiting.state == "cancelled"
    assert waiting.cancel().state == "cancelled"


def test_a_queued_job_is_cancelled_and_never_runs(client: Client, waiting: Job, tmp_path: Path) -> None:
    queued = client.submit("Adder", a=1)
    assert queued.cancel().state == "cancelled"
    assert queued.details["attempt"] == 0


def test_what_has_ended_is_not_cancelled(client: Client) -> None:
    job = client.submit("Adder", a=1)
    job.result(10)
    with pytest.raises(Conflict, match="already succeeded") as caught:
        job.cancel()
    assert (caught.value.status, caught.value.code) == (409, "job-finished")


def test_an_ended_job_is_repeated_as_a_new_one(client: Client, waiting: Job, tmp_path: Path) -> None:
    with pytest.raises(Conflict, match="only an ended one can be repeated"):
        waiting.retry()
    (tmp_path / "go").touch()
    waiting.result(10)
    again = waiting.retry()
    assert again.result(10) == {"found": True}
    assert again.details["parent"] == waiting.id != again.id


def test_a_deleted_job_is_gone(client: Client, waiting: Job, tmp_path: Path) -> None:
    job = client.submit_once(f"deleted by {client}", "Refuser", code="gone")
    with pytest.raises(Conflict):
        waiting.delete()
    (tmp_path / "go").touch()
    with pytest.raises(PluginError):
        job.result(10)
    job.delete()
    for unknown in (job.id, "no-id"):
        with pytest.raises(JobNotFound):
            client.job(unknown)
    with pytest.raises(JobNotFound):
        list(job.events())


def test_the_same_key_starts_a_run_once(client: Client) -> None:
    key = f"order 17 by {client}"
    jobs = [client.submit_once(key, "Adder", a=1) for _ in range(2)]
    assert jobs[0].id == jobs[1].id
    with pytest.raises(Conflict, match="belongs to job") as caught:
        client.submit_once(key, "Adder", a=2)
    assert caught.value.code == "idempotency-conflict"


def test_jobs_are_found_page_by_page(client: Client, service: Any) -> None:
    start = datetime.now(UTC)
    service.record(105, "Gone")
    found = list(client.jobs(plugin="Gone", state="queued", since=start, until=start + timedelta(hours=1)))
    assert len({job.id for job in found}) == 105
    assert [job.id for job in found] == sorted((job.id for job in found), reverse=True)
    assert len(list(client.jobs(plugin="Gone", limit=102))) == 102
    assert list(client.jobs(plugin="Gone", until=start)) == []
    assert found[-1].known["params"] is None
    assert found[-1].details["params"] == {"number": 0}
    for job in found:
        job.cancel()
    assert client.purge(older=0) >= 105
    assert list(client.jobs(plugin="Gone")) == []


def test_a_listing_with_an_unknown_state_is_refused(client: Client) -> None:
    with pytest.raises(BadRequest, match="'state' must be one of queued, running"):
        list(client.jobs(state="lost"))


def test_a_client_is_shared_by_threads(client: Client) -> None:
    results: list[object] = []

    def call(number: int) -> None:
        results.extend(client.run("Adder", a=number, b=each)["sum"] - each for each in range(10))

    threads = [threading.Thread(target=call, args=(number,)) for number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == sorted(number for number in range(10) for _ in range(10))


def test_a_busy_pool_keeps_nobody_waiting(client: Client, waiting: Job) -> None:
    queued = client.submit("Adder", a=1)
    assert (queued.state, waiting.state) == ("queued", "running")
    assert len(client.plugins()) == 4


def test_what_is_called_on_behalf_of_a_call_belongs_to_it(client: Client) -> None:
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    with working_for(Call("order-7", trace)):
        job = client.submit("Adder", a=1, b=2)
    assert (job.known["request_id"], job.known["traceparent"]) == ("order-7", trace)
    assert job.result(10) == {"sum": 3}
