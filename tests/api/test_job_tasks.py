"""The tasks of jobs, as any Celery client calls them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from celery import Celery

from micro.api.job_tasks import CALLS, add_job_tasks
from micro.jobs.models import State
from micro.jobs.service import Jobs
from micro.jobs.store import JobStore
from micro.jobs.work import JobWorker
from micro.service import Micro

ADDER = """
    from micro import PluginBase, PluginDescription, PluginError

    class Adder(PluginBase):
        def run(self, a: int, b: int = 0) -> dict[str, object]:
            if a < 0:
                raise PluginError("Too small", status=418, code="too-small")
            return {"error": "none", "code": "none"} if a == 0 else {"sum": a + b}

    plugin = PluginDescription(name="Adder")
"""
UNKNOWN = "018bcfe5-6800-7000-8000-000000000000"
Call = Callable[..., Any]


@pytest.fixture
def micro(load: Callable[..., Micro]) -> Micro:
    return load({"adder/interface.py": ADDER})


@pytest.fixture
def store(tmp_path: Path) -> Iterator[JobStore]:
    store = JobStore(f"sqlite:///{tmp_path}/jobs.sqlite")
    yield store
    store.close()


@pytest.fixture
def woken() -> list[str]:
    return []


@pytest.fixture
def call(micro: Micro, store: JobStore, woken: list[str]) -> Call:
    """Call a task in this process and read the JSON that it returns."""
    app = Celery("test", set_as_current=False)
    app.conf.update(task_always_eager=True, task_store_eager_result=False)
    add_job_tasks(app, Jobs(micro, store, lambda job, queue: woken.append(job) is None))
    return lambda task, *args, **kwargs: json.loads(app.tasks[f"Micro.{task}"].delay(*args, **kwargs).get())


@pytest.fixture
def work(micro: Micro, store: JobStore) -> Callable[[str], None]:
    return JobWorker(micro, store).run_job


def test_a_job_is_submitted_followed_and_ended(
    call: Call, work: Callable[[str], None], woken: list[str]
) -> None:
    job = call("submit", "adder", {"a": 1, "b": 2})
    assert (job["state"], job["plugin"], job["transport"], woken) == (
        "queued",
        "Adder",
        "celery",
        [job["id"]],
    )
    work(job["id"])
    assert call("status", job["id"])["state"] == "succeeded"
    assert call("result", job["id"]) == {"result": {"sum": 3}}
    feed = call("events", job["id"])
    assert feed["over"]
    assert feed["events"][-1]["data"]["state"] == "succeeded"
    assert call("events", job["id"], feed["events"][-1]["number"]) == {"events": [], "over": True}
    again = call("retry", job["id"])
    assert (again["parent"], woken) == (job["id"], [job["id"], again["id"]])
    assert call("delete", job["id"]) is None
    assert call("cancel", again["id"])["state"] == "cancelled"
    assert [each["id"] for each in call("jobs")["jobs"]] == [again["id"]]


def test_a_result_that_looks_like_an_error_is_a_result(call: Call, work: Callable[[str], None]) -> None:
    job = call("submit", "Adder", {"a": 0})
    work(job["id"])
    assert call("result", job["id"]) == {"result": {"error": "none", "code": "none"}}


@pytest.mark.parametrize(
    ("task", "args", "status", "code"),
    [
        ("submit", ("Nobody", {}), 404, "plugin-not-found"),
        ("submit", ("Adder", {"a": "x"}), 422, "invalid-parameters"),
        ("submit", (), 400, "bad-request"),
        ("status", (UNKNOWN,), 404, "job-not-found"),
        ("result", (UNKNOWN,), 404, "job-not-found"),
        ("events", (UNKNOWN,), 404, "job-not-found"),
        ("cancel", (UNKNOWN,), 404, "job-not-found"),
        ("retry", (UNKNOWN,), 404, "job-not-found"),
        ("delete", (UNKNOWN,), 404, "job-not-found"),
        ("jobs", ({"limit": "0"},), 400, "bad-request"),
    ],
)
def test_refusals_are_answers_with_their_status(
    call: Call, task: str, args: tuple[object, ...], status: int, code: str
) -> None:
    answer = call(task, *args)
    assert (answer["status"], answer["code"]) == (status, code)
    assert isinstance(answer["error"], str)


def test_a_result_that_is_none_is_told_as_rest_tells_it(call: Call, work: Callable[[str], None]) -> None:
    job = call("submit", "Adder", {"a": -1})
    assert call("result", job["id"])["code"] == "result-not-ready"
    work(job["id"])
    assert call("result", job["id"]) == {"error": "Too small", "code": "too-small", "status": 418}
    job = call("submit", "Adder", {"a": 1})
    call("cancel", job["id"])
    assert call("result", job["id"])["code"] == "job-cancelled"


def test_jobs_are_listed_by_filters_and_pages(call: Call) -> None:
    ids = [call("submit", "Adder", {"a": each})["id"] for each in range(3)]
    page = call("jobs", {"plugin": "adder", "state": "queued", "limit": "2"})
    assert [each["id"] for each in page["jobs"]] == ids[:0:-1]
    page = call("jobs", {"plugin": "adder", "cursor": page["cursor"]})
    assert ([each["id"] for each in page["jobs"]], page["cursor"]) == (ids[:1], None)
    assert call("jobs", {"plugin": "Gone"})["jobs"] == []
    # A time without a zone is UTC.
    later = (datetime.now(UTC) + timedelta(minutes=1)).replace(tzinfo=None).isoformat()
    assert call("jobs", {"since": later})["jobs"] == []
    assert len(call("jobs", {"until": later})["jobs"]) == 3


@pytest.mark.parametrize(
    ("filters", "complaint"),
    [
        ({"state": "lost"}, "'state' must be one of queued, running"),
        ({"since": "today"}, "'since' must be a time as in ISO 8601"),
        ({"limit": "1001"}, "'limit' must be a whole number from 1 to 1000, found '1001'"),
        ({"limit": "٣"}, "'limit' must be a whole number"),
        ({"cursor": "x"}, "The cursor 'x' does not come from"),
        (
            {"plugins": "Adder"},
            "Jobs are filtered by plugin, state, since, until, limit, cursor, found 'plugins'",
        ),
    ],
)
def test_filters_that_cannot_be_read_are_refused(call: Call, filters: dict[str, str], complaint: str) -> None:
    assert complaint in call("jobs", filters)["error"]


def test_the_same_key_records_one_job(store: JobStore, call: Call) -> None:
    call("submit", "Adder", {"a": 1}, key="once")
    call("submit", "Adder", {"a": 1}, key="once")
    assert store.counts()[State.QUEUED] == 1


def test_what_a_node_answers_itself_are_the_tasks_but_run() -> None:
    assert set(CALLS) == {
        "plugins",
        "info",
        "help",
        "submit",
        "status",
        "jobs",
        "result",
        "events",
        "cancel",
        "retry",
        "delete",
    }
