"""The routes of jobs in this process, with a worker in threads beside them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from micro.api.rest import create_app
from micro.jobs.models import NewJob, State
from micro.jobs.store.store import JobStore
from micro.jobs.worker.runner import JobRunner
from micro.service import Micro

ASYNC = {"Prefer": "respond-async"}
UNKNOWN = "01a20346-f776-762e-a0b2-7bf295207895"
Beside = Callable[..., "Future[Any]"]
Wait = Callable[..., Any]
Run = Callable[..., TestResponse]


@pytest.fixture
def app(micro: Micro) -> Iterator[Flask]:
    """The application; its jobs wake nobody."""
    app = create_app(micro=micro)
    app.extensions["micro_jobs"]._wake = lambda job, queue: None
    yield app
    app.extensions["micro_jobs"].store.close()


@pytest.fixture
def working(app: Flask, worker: JobRunner, beside: Beside) -> None:
    """Let a thread run each job that is submitted."""
    app.extensions["micro_jobs"]._wake = lambda job, queue: beside(worker.run_job, job)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def run(client: FlaskClient) -> Run:
    """Call a plugin with these headers and parameters."""

    def run(name: str = "add", headers: dict[str, str] | None = None, **params: Any) -> TestResponse:
        return client.post(f"/run/{name}", json=params or {"a": 1, "b": 2}, headers=ASYNC | (headers or {}))

    return run


def events(response: TestResponse) -> list[tuple[str, str, Any]]:
    """Return the events of a whole stream: id, kind, data."""
    found = []
    for block in response.text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line)
        if "id" in fields:
            found.append((fields["id"], fields["event"], json.loads(fields["data"])))
    return found


# Starting


def test_a_plain_call_makes_no_job(client: FlaskClient, table: JobStore) -> None:
    answer = client.post("/run/add", json={"a": 1, "b": 2})
    assert (answer.status_code, answer.json) == (200, {"sum": 3})
    assert table.list_jobs().jobs == ()


def test_a_caller_may_ask_not_to_wait(run: Run, table: JobStore) -> None:
    answer = run()
    job = answer.json or {}
    assert answer.status_code == 202
    assert (job["plugin"], job["state"], job["params"]) == ("Add", "queued", {"a": 1, "b": 2})
    assert answer.headers["Location"] == f"/jobs/{job['id']}"
    assert answer.headers["Preference-Applied"] == "respond-async"
    assert answer.headers["Retry-After"] == "1"
    assert table.state(job["id"]) is State.QUEUED
    assert job["links"] == {
        "self": f"/jobs/{job['id']}",
        "result": f"/jobs/{job['id']}/result",
        "events": f"/jobs/{job['id']}/events",
        "cancel": f"/jobs/{job['id']}/cancel",
        "retry": f"/jobs/{job['id']}/retry",
    }


def test_the_request_id_goes_with_the_job(run: Run, table: JobStore) -> None:
    answer = run(headers={"X-Request-ID": "request-7"})
    assert (answer.json or {})["request_id"] == answer.headers["X-Request-ID"] == "request-7"


@pytest.mark.usefixtures("working")
def test_who_waits_long_enough_gets_the_result(run: Run, table: JobStore) -> None:
    answer = run(headers={"Prefer": "wait=8"})
    assert (answer.status_code, answer.json) == (200, {"sum": 3})
    assert answer.headers["Preference-Applied"] == "wait=8"
    (job,) = table.list_jobs().jobs
    assert answer.headers["Location"] == f"/jobs/{job.id}"


@pytest.mark.usefixtures("working")
def test_who_does_not_gets_the_job_which_goes_on(client: FlaskClient, run: Run, folder: Any) -> None:
    answer = run("patient", {"Prefer": "wait=1"}, **folder.params)
    assert answer.status_code == 202
    folder.open()
    again = client.get(f"{answer.headers['Location']}/events")
    assert events(again)[-1][2]["state"] == "succeeded"
    assert folder.count("started") == 1


@pytest.mark.usefixtures("working")
@pytest.mark.parametrize(("name", "status"), [("refuses", 409), ("breaks", 500)])
def test_who_waits_gets_the_error_of_a_run_and_where_its_job_is(
    client: FlaskClient, table: JobStore, name: str, status: int
) -> None:
    answer = client.post(f"/run/{name}", json={}, headers={"Prefer": "wait=8"})
    (job,) = table.list_jobs().jobs
    assert answer.status_code == status
    assert answer.headers["Location"] == f"/jobs/{job.id}"
    assert answer.headers["Preference-Applied"] == "wait=8"


@pytest.mark.parametrize("name", ["nobody", "add"])
def test_what_cannot_run_is_refused_before_it_is_recorded(run: Run, table: JobStore, name: str) -> None:
    answer = run(name, a="one")
    assert answer.status_code in (404, 422)
    assert "error" in (answer.json or {})
    assert table.list_jobs().jobs == ()


def test_the_same_key_gives_the_same_job(run: Run) -> None:
    key = {"Idempotency-Key": "order-7"}
    first = run(headers=key).json or {}
    assert (run(headers=key).json or {})["id"] == first["id"]
    other = run(headers=key, a=1, b=3)
    assert (other.status_code, (other.json or {})["code"]) == (409, "idempotency-conflict")


@pytest.mark.usefixtures("working")
def test_a_key_alone_waits_as_a_plain_call_does(client: FlaskClient) -> None:
    key = {"Idempotency-Key": "order-7"}
    for _ in range(2):
        answer = client.post("/run/add", json={"a": 1, "b": 2}, headers=key)
        assert (answer.status_code, answer.json) == (200, {"sum": 3})
        assert "Preference-Applied" not in answer.headers


def test_a_key_that_is_none_is_refused(run: Run) -> None:
    assert run(headers={"Idempotency-Key": "x" * 256}).status_code == 400


def test_without_a_worker_a_job_is_refused_with_what_to_start(micro: Micro) -> None:
    answer = create_app(micro=micro).test_client().post("/run/add", json={"a": 1, "b": 2}, headers=ASYNC)
    body = answer.json or {}
    assert (answer.status_code, body["code"]) == (503, "no-worker")
    assert "start Micro with -C" in body["error"]


def test_secrets_are_masked_wherever_a_job_is_shown(client: FlaskClient, run: Run) -> None:
    answer = run("keeper", password="hunter2")
    shown = client.get(answer.headers["Location"])
    listed = client.get("/jobs")
    assert "hunter2" not in answer.text + shown.text + listed.text
    assert (shown.json or {})["params"]["password"] != "hunter2"


# Following


def test_a_job_can_be_looked_at(client: FlaskClient, run: Run) -> None:
    answer = run()
    assert client.get(answer.headers["Location"]).json == answer.json


@pytest.mark.parametrize("job", ["nonsense", UNKNOWN])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("DELETE", ""),
        ("GET", "/result"),
        ("GET", "/events"),
        ("POST", "/cancel"),
        ("POST", "/retry"),
    ],
)
def test_a_job_that_is_not_there_is_not_found(client: FlaskClient, job: str, method: str, path: str) -> None:
    answer = client.open(f"/jobs/{job}{path}", method=method)
    assert (answer.status_code, (answer.json or {})["code"]) == (404, "job-not-found")


def test_a_result_that_is_not_ready_is_not_found_either(client: FlaskClient, run: Run) -> None:
    answer = client.get(run().headers["Location"] + "/result")
    assert (answer.status_code, (answer.json or {})["code"]) == (404, "result-not-ready")


def test_the_result_is_what_the_plain_call_answers(client: FlaskClient, run: Run, worker: JobRunner) -> None:
    job = run().json or {}
    worker.run_job(job["id"])
    answer = client.get(job["links"]["result"])
    plain = client.post("/run/add", json={"a": 1, "b": 2})
    assert (answer.status_code, answer.data, answer.mimetype) == (200, plain.data, plain.mimetype)


@pytest.mark.parametrize(
    ("name", "params"), [("refuses", {"status": 402}), ("breaks", {}), ("sleepy", {"wrapped": True})]
)
def test_the_result_of_a_failed_job_is_its_error(
    client: FlaskClient, run: Run, worker: JobRunner, name: str, params: dict[str, Any]
) -> None:
    job = client.post(f"/run/{name}", json=params, headers=ASYNC).json or {}
    worker.run_job(job["id"])
    answer = client.get(job["links"]["result"])
    shown = (client.get(job["links"]["self"]).json or {})["error"]
    assert answer.mimetype == "application/problem+json"
    assert (answer.json or {}) | shown == answer.json
    assert answer.status_code == shown["status"] == {"refuses": 402, "breaks": 500, "sleepy": 504}[name]


def test_jobs_are_listed_newest_first_in_pages(client: FlaskClient, run: Run) -> None:
    ids = [(run().json or {})["id"] for _ in range(5)]
    found, path = [], "/jobs?limit=2"
    while path:
        page = client.get(path).json or {}
        found.append([job["id"] for job in page["jobs"]])
        path = page["next"]
    assert found == [[ids[4], ids[3]], [ids[2], ids[1]], [ids[0]]]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("plugin=add", 2),
        ("plugin=Add+elsewhere", 1),
        ("plugin=gone", 1),
        ("plugin=nobody", 0),
        ("plugin=%00", 0),
        ("state=queued", 3),
        ("state=succeeded", 1),
        ("state=succeeded&plugin=add", 1),
        ("since=2020-01-01", 4),
        ("until=2020-01-01T00:00:00Z", 0),
        ("since=2020-01-01T00:00:00%2B02:00&until=2999-01-01", 4),
        # What else RFC 3339 calls a time.
        ("since=2016-12-31t23:59:60.5z", 4),
        ("since=0000-02-29T12:00:00-23:59", 4),
        ("since=9999-12-31T23:59:59.123456789Z", 0),
    ],
)
def test_a_listing_can_be_narrowed(
    client: FlaskClient, run: Run, worker: JobRunner, table: JobStore, query: str, found: int
) -> None:
    worker.run_job((run().json or {})["id"])
    run()
    run("add-elsewhere")
    table.submit(NewJob("gone", {}))
    assert len((client.get(f"/jobs?{query}").json or {})["jobs"]) == found


@pytest.mark.parametrize(
    "query",
    [
        "state=done",
        "since=yesterday",
        "since=9999-12-31T23:59:60Z",
        "limit=0",
        "limit=1001",
        "limit=many",
        "cursor=7",
        "plugins=add",
    ],
)
def test_a_filter_that_cannot_be_read_is_refused(client: FlaskClient, query: str) -> None:
    answer = client.get(f"/jobs?{query}")
    assert (answer.status_code, (answer.json or {})["code"]) == (400, "bad-request")


# Events


def test_what_happens_to_a_job_can_be_followed(
    client: FlaskClient, run: Run, worker: JobRunner, beside: Beside, folder: Any, wait_for: Wait
) -> None:
    job = run("patient", **folder.params).json or {}
    stream = iter(client.get(job["links"]["events"]).response)
    assert next(stream) == b"retry: 1000\n\n"
    assert b'"state": "queued"' in next(stream)
    beside(worker.run_job, job["id"])
    running = next(each for each in stream if each)
    assert b'"state": "running"' in running
    folder.open()
    assert b'"state": "succeeded"' in next(each for each in stream if each)
    assert [*stream] == []


def test_a_stream_goes_on_where_the_last_one_broke_off(
    client: FlaskClient, run: Run, worker: JobRunner
) -> None:
    job = run("steps", count=3).json or {}
    worker.run_job(job["id"])
    answer = client.get(job["links"]["events"])
    assert (answer.mimetype, answer.headers["Cache-Control"]) == ("text/event-stream", "no-store")
    whole = events(answer)
    assert [kind for _, kind, _ in whole] == ["log", "log", "log", "progress", "state"]
    assert [data["text"] for _, kind, data in whole if kind == "log"] == ["step 0", "step 1", "step 2"]
    for number, (event, _, _) in enumerate(whole[:-1], 1):
        rest = client.get(job["links"]["events"], headers={"Last-Event-ID": event})
        assert events(rest) == whole[number:]


def test_after_the_last_event_there_is_nothing_to_come_back_for(
    client: FlaskClient, run: Run, worker: JobRunner
) -> None:
    job = run().json or {}
    worker.run_job(job["id"])
    (last, _, _) = events(client.get(job["links"]["events"]))[-1]
    assert client.get(job["links"]["events"], headers={"Last-Event-ID": last}).status_code == 204


@pytest.mark.parametrize("given", ["", "-1", "seven", "9" * 19])
def test_an_event_id_that_is_none_counts_as_none(
    client: FlaskClient, run: Run, worker: JobRunner, given: str
) -> None:
    job = run().json or {}
    worker.run_job(job["id"])
    assert events(client.get(job["links"]["events"], headers={"Last-Event-ID": given}))


def test_a_stream_ends_when_its_job_is_deleted(client: FlaskClient, run: Run, table: JobStore) -> None:
    job = run().json or {}
    stream = iter(client.get(job["links"]["events"]).response)
    assert [next(stream), b'"queued"' in next(stream)] == [b"retry: 1000\n\n", True]
    with table.database.transaction() as connection:
        connection.exec_driver_sql("DELETE FROM micro_jobs")
    assert [each for each in stream if each] == []


def test_a_stream_holds_no_thread_of_a_server_that_lets_it_rest(client: FlaskClient, run: Run) -> None:
    rests: list[float] = []

    def rest(seconds: float) -> bytes:
        rests.append(seconds)
        return b""

    job = run().json or {}
    stream = iter(client.get(job["links"]["events"], environ_overrides={"micro.rest": rest}).response)
    assert [next(stream) for _ in range(4)][2:] == [b"", b""]
    assert len(rests) == 2


# Stopping, repeating, deleting


def test_a_queued_job_is_cancelled_at_once_and_never_runs(
    client: FlaskClient, run: Run, worker: JobRunner, folder: Any
) -> None:
    job = run("flaky", failures=0, **folder.params).json or {}
    for _ in range(2):
        answer = client.post(job["links"]["cancel"])
        assert (answer.status_code, (answer.json or {})["state"]) == (202, "cancelled")
    worker.run_job(job["id"])
    assert folder.count("started") == 0
    result = client.get(job["links"]["result"])
    assert (result.status_code, (result.json or {})["code"]) == (409, "job-cancelled")


def test_a_running_job_is_asked_to_stop(
    client: FlaskClient, run: Run, worker: JobRunner, beside: Beside, folder: Any, wait_for: Wait
) -> None:
    job = run("patient", **folder.params).json or {}
    running = beside(worker.run_job, job["id"])
    wait_for(lambda: folder.count("started"))
    asked = client.post(job["links"]["cancel"])
    assert (asked.status_code, (asked.json or {})["cancel_requested"]) == (202, True)
    running.result(30)
    assert (client.get(job["links"]["self"]).json or {})["state"] == "cancelled"


@pytest.mark.parametrize(("method", "path"), [("POST", "/cancel"), ("POST", "/retry"), ("DELETE", "")])
def test_what_does_not_fit_a_jobs_state_is_a_conflict(
    client: FlaskClient, run: Run, worker: JobRunner, method: str, path: str
) -> None:
    job = run().json or {}
    if path == "/cancel":
        worker.run_job(job["id"])
    answer = client.open(f"/jobs/{job['id']}{path}", method=method)
    assert answer.status_code == 409
    assert (answer.json or {})["code"] in ("job-finished", "job-not-finished")


def test_a_job_can_be_repeated(client: FlaskClient, run: Run, worker: JobRunner) -> None:
    first = run().json or {}
    worker.run_job(first["id"])
    answer = client.post(first["links"]["retry"])
    again = answer.json or {}
    assert answer.status_code == 202
    assert (again["parent"], again["params"], again["state"]) == (first["id"], {"a": 1, "b": 2}, "queued")
    assert answer.headers["Location"] == again["links"]["self"] != first["links"]["self"]


def test_a_finished_job_can_be_deleted(client: FlaskClient, run: Run, worker: JobRunner) -> None:
    job = run().json or {}
    worker.run_job(job["id"])
    assert client.delete(job["links"]["self"]).status_code == 204
    assert client.get(job["links"]["self"]).status_code == 404


# Trouble


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/run/add"), ("GET", "/jobs"), ("GET", f"/jobs/{UNKNOWN}")]
)
def test_a_job_table_that_does_not_answer_is_a_503(
    load: Callable[..., Micro], plugins: Path, tmp_path: Path, method: str, path: str
) -> None:
    (tmp_path / "file").touch()
    micro = load(plugins / "jobs", jobs_url=f"sqlite:///{tmp_path}/file/jobs.db", broker_url="redis://")
    client = create_app(micro=micro).test_client()
    answer = client.open(path, method=method, headers=ASYNC, json={"a": 1, "b": 2})
    assert (answer.status_code, (answer.json or {})["code"]) == (503, "store-unavailable")
    assert client.post("/run/add", json={"a": 1, "b": 2}).json == {"sum": 3}
