"""Jobs through the real command: REST, broker, workers, job table."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from micro.jobs.models import NewJob
from micro.jobs.store.store import JobStore

ASYNC = {"Prefer": "respond-async"}
Start = Callable[..., Any]
Wait = Callable[..., Any]


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Any
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


class Caller:
    """Calls a running ``micro`` over HTTP."""

    def __init__(self, micro: Any, wait: Wait) -> None:
        self.micro, self._wait = micro, wait

    def __call__(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> Answer:
        with self.open(method, path, body, headers) as answer:
            return Answer(answer.status, answer.headers, answer.read().decode())

    def open(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Any:
        """Return the response itself, errors too."""
        data = None if body is None else json.dumps(body).encode()
        given = {"Content-Type": "application/json", **(headers or {})}
        request = urllib.request.Request(self.micro.url + path, data, given, method=method)
        try:
            return urllib.request.urlopen(request, timeout=20)
        except urllib.error.HTTPError as error:
            return error

    def submit(self, name: str, headers: dict[str, str] | None = None, **params: Any) -> str:
        answer = self("POST", f"/run/{name}", params, ASYNC | (headers or {}))
        assert answer.status == 202, answer.text
        path: str = answer.headers["Location"]
        return path

    def state(self, job: str) -> str:
        state: str = self("GET", job).json["state"]
        return state

    def end(self, job: str, seconds: float = 30) -> Any:
        """Wait until the job has ended, and return it."""
        return self._wait(lambda: (found := self("GET", job).json)["finished"] and found, seconds)


class Folder:
    """Where the runs of the chores tell how far they are, and wait to be let go."""

    def __init__(self, path: Path) -> None:
        path.mkdir()
        self.path, self.params = path, {"folder": str(path)}

    def count(self, word: str) -> int:
        return len([*self.path.glob(f"{word}-*")])

    def pid(self, word: str) -> int:
        """Return the process of the run that said so last."""
        return int(max(self.path.glob(f"{word}-*")).name.split("-")[2])

    def open(self) -> None:
        (self.path / "open").touch()


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    folder = Folder(tmp_path / "chores")
    yield folder
    folder.open()


@pytest.fixture(scope="module")
def chores(plugins: Path) -> tuple[str, str]:
    return ("-p", f"{plugins / 'jobs'}:{plugins / 'short_limits'}")


@pytest.fixture(scope="module")
def call(start_shared_micro: Start, chores: tuple[str, str], wait_for: Wait) -> Caller:
    """A ``micro`` with an embedded broker, a job table in SQLite and two pool processes."""
    micro = start_shared_micro("-GC", *chores, "-ll", "INFO")
    return Caller(micro, wait_for)


@pytest.fixture
def start(start_micro: Start, chores: tuple[str, str], wait_for: Wait) -> Callable[..., Caller]:
    """Start another with these arguments and variables."""
    return lambda *args, **env: Caller(start_micro(*args, *chores, **env), wait_for)


# Starting and following


def test_a_run_becomes_a_job_whose_result_is_that_of_the_plain_call(call: Caller) -> None:
    job = call.submit("add", a=1, b=2)
    ended = call.end(job)
    assert (ended["state"], ended["attempt"], ended["transport"]) == ("succeeded", 1, "rest")
    assert call("GET", f"{job}/result").text == call("POST", "/run/add", {"a": 1, "b": 2}).text


def test_a_caller_may_wait_for_a_job(call: Caller) -> None:
    answer = call("POST", "/run/add", {"a": 1, "b": 2}, {"Prefer": "wait=10"})
    assert (answer.status, answer.json) == (200, {"sum": 3})
    assert call("GET", answer.headers["Location"]).json["state"] == "succeeded"


def test_one_who_waited_in_vain_finds_the_same_run_going_on(call: Caller, folder: Folder) -> None:
    answer = call("POST", "/run/patient", folder.params, {"Prefer": "wait=1"})
    assert answer.status == 202
    folder.open()
    assert call.end(answer.headers["Location"])["state"] == "succeeded"
    assert folder.count("started") == 1


def test_a_stream_tells_what_happens_and_goes_on_after_a_break(call: Caller, folder: Folder) -> None:
    job = call.submit("patient", **folder.params)
    with call.open("GET", f"{job}/events") as stream:
        assert stream.headers["Content-Type"].startswith("text/event-stream")
        line = ""
        while '"running"' not in line:
            line, before = stream.readline().decode(), line
        assert before == "event: state\n"
        last = json.loads(line.removeprefix("data: "))
        folder.open()
        assert '"succeeded"' in stream.read().decode()
    again = call("GET", f"{job}/events", headers={"Last-Event-ID": "1"})
    assert last["state"] == "running"
    assert "succeeded" in again.text
    number = again.text.split("id: ")[-1].splitlines()[0]
    assert call("GET", f"{job}/events", headers={"Last-Event-ID": number}).status == 204


def test_progress_and_log_go_with_the_job(call: Caller) -> None:
    job = call.submit("steps", count=3)
    ended = call.end(job)
    assert ended["progress"] == {"done": 3, "total": 3, "message": "counting"}
    assert call("GET", f"{job}/events").text.count("event: log") == 3


def test_jobs_can_be_listed_narrowed_and_paged(call: Caller) -> None:
    jobs = [call.submit("add-elsewhere", a=1, b=number) for number in range(3)]
    for job in jobs:
        call.end(job)
    first = call("GET", "/jobs?plugin=add-elsewhere&state=succeeded&limit=2").json
    second = call("GET", first["next"]).json
    listed = [each["links"]["self"] for page in (first, second) for each in page["jobs"]]
    assert (listed, second["next"]) == ([*reversed(jobs)], None)
    assert call("GET", "/jobs?state=gone").status == 400


@pytest.mark.parametrize("path", ["", "/result", "/events"])
def test_an_unknown_job_is_not_found(call: Caller, path: str) -> None:
    answer = call("GET", f"/jobs/01a20346-f776-762e-a0b2-7bf295207895{path}")
    assert (answer.status, answer.json["code"]) == (404, "job-not-found")


def test_the_same_key_gives_the_same_job(call: Caller, folder: Folder) -> None:
    key = {"Idempotency-Key": f'"{folder.path}"'}
    first = call.submit("flaky", key, failures=0, **folder.params)
    assert call.submit("flaky", key, failures=0, **folder.params) == first
    call.end(first)
    assert call.submit("flaky", key, failures=0, **folder.params) == first
    assert folder.count("started") == 1
    assert call("POST", "/run/flaky", {**folder.params, "failures": 1}, ASYNC | key).status == 409


def test_secrets_are_shown_to_nobody(call: Caller) -> None:
    job = call.submit("keeper", password="hunter2-for-tests")
    assert "hunter2" not in call("GET", job).text
    ended = call.end(job)
    assert ended["state"] == "succeeded"
    assert call("GET", f"{job}/result").json == {"length": 17}
    told = [json.dumps(ended), call("GET", "/jobs").text, call("GET", f"{job}/events").text]
    assert "hunter2" not in "".join(told) + call.micro.output() + call.micro.log.read_text()
    table = call.micro.folder / "state" / "jobs.sqlite"
    assert b"hunter2" not in table.read_bytes()


# Stopping


def test_a_queued_job_that_is_cancelled_never_runs(call: Caller, folder: Folder) -> None:
    # More than there are processes.
    busy = [call.submit("patient", **folder.params) for _ in range(4)]
    queued = call.submit("flaky", failures=0, **folder.params)
    assert call("POST", f"{queued}/cancel").json["state"] == "cancelled"
    folder.open()
    assert [call.end(job)["state"] for job in busy] == ["succeeded"] * 4
    assert folder.count("started") == 4
    assert call("POST", f"{queued}/cancel").status == 202


def test_a_run_that_listens_stops_when_it_is_cancelled(call: Caller, folder: Folder, wait_for: Wait) -> None:
    job = call.submit("patient", **folder.params)
    wait_for(lambda: folder.count("started"))
    assert call("POST", f"{job}/cancel").json["cancel_requested"]
    assert call.end(job)["state"] == "cancelled"
    assert folder.count("ended") == 1
    assert call("GET", f"{job}/result").json["code"] == "job-cancelled"


@pytest.mark.parametrize("name", ["stubborn", "stubborn-and-bounded"])
def test_a_run_that_does_not_is_killed_and_the_next_one_runs(
    call: Caller, folder: Folder, wait_for: Wait, name: str, runs: Callable[[int], bool]
) -> None:
    job = call.submit(name, **folder.params)
    wait_for(lambda: folder.count("started"))
    process = folder.pid("started")
    if name == "stubborn":
        call("POST", f"{job}/cancel")
    ended = call.end(job)
    wait_for(lambda: not runs(process))
    assert folder.count("ended") == 0
    assert ended["state"] == {"stubborn": "cancelled"}.get(name, "failed")
    assert (ended["error"] or {}).get("code") == {"stubborn": None}.get(name, "time-limit")
    assert call("POST", "/run/add", {"a": 1, "b": 2}, {"Prefer": "wait=10"}).json == {"sum": 3}


def test_a_run_that_lets_nothing_else_run_loses_its_process_when_its_time_is_over(
    call: Caller, folder: Folder, wait_for: Wait, runs: Callable[[int], bool]
) -> None:
    job = call.submit("engrossed", **folder.params)
    wait_for(lambda: folder.count("started"))
    process = folder.pid("started")
    call("POST", f"{job}/cancel")
    wait_for(lambda: not runs(process))
    assert call.end(job)["finished"]


def test_a_run_that_takes_too_long_is_interrupted(call: Caller) -> None:
    answer = call("POST", "/run/sleepy", {}, {"Prefer": "wait=10"})
    assert (answer.status, answer.json["code"]) == (504, "time-limit")
    assert "longer than the 0.3 seconds that plugin 'Sleepy' allows" in answer.json["error"]


# Repeating


def test_a_failure_that_the_plugin_lists_is_tried_again(call: Caller, folder: Folder) -> None:
    job = call.submit("flaky", failures=1, **folder.params)
    ended = call.end(job)
    assert (ended["state"], ended["attempt"]) == ("succeeded", 2)
    assert "Attempt 1 failed" in call("GET", f"{job}/events").text


def test_an_ended_job_can_be_repeated_and_deleted(call: Caller) -> None:
    first = call.submit("add", a=1, b=2)
    call.end(first)
    again = call("POST", f"{first}/retry")
    assert again.status == 202
    assert call.end(again.headers["Location"])["parent"] == first.removeprefix("/jobs/")
    assert call("DELETE", first).status == 204
    assert call("GET", first).status == 404


def test_a_job_whose_process_dies_every_time_fails_with_that_reason(call: Caller, folder: Folder) -> None:
    job = call.submit("dies", **folder.params)
    ended = call.end(job, 40)
    assert (ended["state"], ended["error"]["code"], folder.count("started")) == ("failed", "worker-lost", 3)
    assert "The worker was lost 3 times while it ran this job" in ended["error"]["error"]
    assert "mark_as_worker_lost" not in call.micro.output()


# Celery clients


def test_a_celery_clients_run_is_a_job_too(call: Caller, wait_for: Wait) -> None:
    task = call.micro.requests().run.delay("Keeper", password="hunter2-for-tests")
    assert json.loads(task.get(timeout=30)) == {"length": 17}
    (job,) = wait_for(
        lambda: [each for each in call("GET", "/jobs").json["jobs"] if each["request_id"] == task.id]
    )
    assert (job["state"], job["transport"]) == ("succeeded", "celery")
    assert "hunter2" not in call("GET", job["links"]["self"]).text


def test_it_can_be_cancelled_as_any_other(call: Caller, folder: Folder, wait_for: Wait) -> None:
    task = call.micro.requests().run.delay("Patient", **folder.params)
    (job,) = wait_for(
        lambda: [each for each in call("GET", "/jobs").json["jobs"] if each["request_id"] == task.id]
    )
    call("POST", f"{job['links']['self']}/cancel")
    assert json.loads(task.get(timeout=30))["code"] == "job-cancelled"


def test_jobs_are_kept_no_longer_than_wanted(
    start: Callable[..., Caller], folder: Folder, wait_for: Wait
) -> None:
    url = f"sqlite:///{folder.path}/jobs.sqlite"
    with closing(JobStore(url)) as store:
        job, _ = store.submit(NewJob("Add", {"a": 1, "b": 2}))
        store.cancel(job.id)
    call = start("-GC", MICRO_JOBS_URL=url, MICRO_JOBS_KEEP="1")
    wait_for(lambda: call("GET", f"/jobs/{job.id}").status == 404)


# Queues


def test_a_job_waits_for_a_worker_of_its_plugins_queue(
    start: Callable[..., Caller], redis_url: str, task_queue: str, folder: Folder
) -> None:
    table = {"MICRO_JOBS_URL": f"sqlite:///{folder.path}/jobs.sqlite"}
    call = start("-GC", "-B", redis_url, "-q", task_queue, **table)
    elsewhere = call.submit("add-elsewhere", a=1, b=2)
    assert call.end(call.submit("add", a=1, b=2))["queue"] == task_queue
    assert call.state(elsewhere) == "queued"
    start("-C", "-B", redis_url, "-q", "elsewhere", **table)
    assert call.end(elsewhere)["state"] == "succeeded"


def test_without_a_worker_jobs_are_refused(start: Callable[..., Caller]) -> None:
    call = start("-G")
    answer = call("POST", "/run/add", {"a": 1, "b": 2}, ASYNC)
    assert (answer.status, answer.json["code"]) == (503, "no-worker")
    assert call("GET", "/jobs").json == {"jobs": [], "next": None}


# Trouble


def test_rest_and_workers_go_on_after_the_embedded_broker_was_killed(
    start: Callable[..., Caller], wait_for: Wait
) -> None:
    call = start("-GC")
    call.end(call.submit("add", a=1, b=2))
    os.kill(call.micro.child("valkey"), signal.SIGKILL)
    # Accepted while there is no broker, or again one.
    job = call.submit("add", a=3, b=4)
    assert call.end(job)["state"] == "succeeded"


def test_a_broker_of_its_own_may_be_away_for_a_while(
    start: Callable[..., Caller], own_broker: Any, wait_for: Wait
) -> None:
    call = start("-G", "-C", "-B", own_broker.url)
    call.end(call.submit("add", a=1, b=2))
    own_broker.kill()
    jobs = [call.submit("add", a=number, b=1) for number in range(3)]
    own_broker.start(wait_for)
    assert [call.end(job, 40)["state"] for job in jobs] == ["succeeded"] * 3


def test_a_stop_does_not_wait_for_what_was_on_its_way_when_the_broker_went(
    start: Callable[..., Caller], own_broker: Any, folder: Folder, wait_for: Wait
) -> None:
    call = start("-G", "-C", "-B", own_broker.url, MICRO_STOP_TIMEOUT="3")
    folder.open()
    pool = call.micro.children(call.micro.pid("worker1"))
    for pid in pool:
        os.kill(pid, signal.SIGSTOP)
    call.submit("patient", **folder.params)
    # Then it is on its way to a process of the pool.
    with Redis(unix_socket_path=own_broker.url.removeprefix("redis+socket://")) as broker:
        wait_for(lambda: not broker.llen("micro.jobs"))
    own_broker.kill()
    wait_for(lambda: "Connection to broker lost" in call.micro.output())
    for pid in pool:
        os.kill(pid, signal.SIGCONT)
    wait_for(lambda: folder.count("ended"))
    assert call.micro.stop() == 0


def test_a_worker_that_loses_its_connection_goes_on_and_runs_nothing_again(
    start: Callable[..., Caller], rabbitmq_url: str, cut_connections: Callable[[], None], task_queue: str,
    folder: Folder, wait_for: Wait,
) -> None:  # fmt: skip
    call = start("-GC", "-B", rabbitmq_url, "-q", task_queue)
    # The broker delivers the message of each again.
    task = call.micro.requests(task_queue, rabbitmq_url).run.delay("Patient", **folder.params)
    wait_for(lambda: call("GET", "/jobs").json["jobs"])
    cut_connections()
    folder.open()
    assert json.loads(task.get(timeout=30)) == {"cancelled": False}
    (job,) = call("GET", "/jobs").json["jobs"]
    assert (job["state"], job["attempt"], folder.count("started")) == ("succeeded", 1, 1)

    other = Folder(folder.path / "other")
    running = call.submit("patient", **other.params)
    wait_for(lambda: other.count("started"))
    cut_connections()
    other.open()
    assert call.end(running)["attempt"] == 1
    assert call.end(call.submit("add", a=1, b=2))["state"] == "succeeded"


def test_a_job_table_that_is_down_is_a_503_and_loses_no_result(
    start: Callable[..., Caller], own_database: Any, folder: Folder, wait_for: Wait
) -> None:
    call = start("-GC", MICRO_JOBS_URL=own_database.url)
    job = call.submit("patient", **folder.params)
    wait_for(lambda: folder.count("started"))
    own_database.shut()
    answer = call("POST", "/run/add", {"a": 1, "b": 2}, ASYNC)
    assert (answer.status, answer.json["code"]) == (503, "store-unavailable")
    assert call("POST", "/run/add", {"a": 1, "b": 2}).json == {"sum": 3}
    folder.open()
    wait_for(lambda: f"The end of job {job.removeprefix('/jobs/')} waits" in call.micro.output())
    own_database.open()
    ended = call.end(job)
    assert (ended["state"], ended["attempt"], folder.count("started")) == ("succeeded", 1, 1)


def test_a_stream_that_is_followed_does_not_keep_micro_from_stopping_and_what_ended_last_is_on_record(
    start: Callable[..., Caller], folder: Folder, wait_for: Wait
) -> None:
    call = start("-GC")
    job = call.submit("patient", **folder.params)
    wait_for(lambda: folder.count("started"))
    with call.open("GET", f"{job}/events") as stream:
        assert stream.readline() == b"retry: 1000\n"
        task = call.micro.requests().run.delay("Add", a=1, b=2)
        assert json.loads(task.get(timeout=30)) == {"sum": 3}
        began = time.monotonic()
        folder.open()
        assert call.micro.stop() == 0
        # Less than the time to stop in, after which it would be killed.
        assert time.monotonic() - began < 15
    table_file = call.micro.folder / "state" / "jobs.sqlite"
    # All of it, with no log beside it.
    assert list(table_file.parent.glob("jobs.sqlite*")) == [table_file]
    with closing(sqlite3.connect(table_file)) as table:
        ended = table.execute("SELECT state FROM micro_jobs WHERE idempotency_key = ?", [f"celery:{task.id}"])
        assert ended.fetchall() == [("succeeded",)]
