"""``micro jobs`` on a job table, beside a running Micro, and against another service."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from werkzeug.serving import make_server

from micro.api.rest import create_app
from micro.cli.table_client import TableClient
from micro.cli.watch import run_as_job
from micro.config.loading import load_settings
from micro.config.settings import Settings
from micro.errors import NoWorker
from micro.jobs.models import JobRecord, LogLine, NewJob, State
from micro.jobs.store.store import JobStore
from micro.jobs.worker.runner import JobRunner
from micro.models import Progress
from micro.runtime.folders import claimed
from micro.runtime.settings_file import write_settings
from micro.service import Micro
from micro.testing import WritePlugins

pytestmark = pytest.mark.measured

Run = Callable[..., Result]
WaitFor = Callable[..., Any]
PLUGINS = {
    "adder/interface.py": """
        from micro import PluginBase, PluginDescription

        class Adder(PluginBase):
            def run(self, a: int) -> dict[str, int]:
                self.log.info("adding")
                return {"sum": a}

        plugin = PluginDescription(name="The Adder")
    """
}


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """The variables of a ``micro`` that keeps to the test's folder."""
    folders = {name: str(tmp_path / name) for name in ("log", "pid", "state")}
    return {f"MICRO_{name.upper()}_FOLDER_PATH": path for name, path in folders.items()}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[JobStore]:
    (tmp_path / "state").mkdir()
    store = JobStore(f"sqlite:///{tmp_path}/state/jobs.sqlite")
    yield store
    store.close()


@pytest.fixture
def jobs(run: Run, environment: dict[str, str]) -> Run:
    """Run ``micro jobs`` with these arguments."""
    return lambda *args, **options: run("jobs", *args, **{**environment, **options})


@pytest.fixture
def running(store: JobStore) -> JobRecord:
    """A job that a worker holds."""
    job, _ = store.submit(NewJob("The Adder", {"a": 1}, queue="micro"))
    claimed = store.claim(job.id, "worker/1", 60)
    assert claimed
    return claimed


@pytest.fixture
def succeeded(store: JobStore, running: JobRecord) -> JobRecord:
    store.renew(running.hold, 60, Progress(1, 2), [LogLine("INFO", "adding", 1_800_000_000)])
    store.finish(running.hold, State.SUCCEEDED, '{"sum": 1}')
    return running


@pytest.fixture
def failed(store: JobStore, running: JobRecord) -> JobRecord:
    error = {"error": "Nothing but trouble", "code": "plugin-failed", "status": 500}
    store.finish(running.hold, State.FAILED, error=error)
    return running


def listed(result: Result) -> list[str]:
    return [job["id"] for job in json.loads(result.stdout)]


def test_without_a_command_the_jobs_are_listed(jobs: Run, running: JobRecord, store: JobStore) -> None:
    store.renew(running.hold, 60, Progress(1, 4))
    result = jobs()
    assert result.exit_code == 0
    assert result.stdout.split()[:6] == ["ID", "PLUGIN", "STATE", "MADE", "TOOK", "ERROR"]
    assert f"{running.id}   The Adder   running 25%" in result.stdout


def test_no_jobs_are_told_as_none(jobs: Run) -> None:
    assert jobs().stdout == "No jobs.\n"
    assert jobs("--json").stdout == "[]\n"


def test_a_long_error_is_cut_in_the_list(jobs: Run, store: JobStore, running: JobRecord) -> None:
    store.finish(running.hold, State.FAILED, error={"error": "x" * 100, "code": "plugin-failed"})
    assert f"{'x' * 59}…" in jobs().stdout


@pytest.mark.parametrize(
    ("options", "count"),
    [
        ((), 3),
        (("--limit", "2"), 2),
        (("--state", "running"), 1),
        (("--plugin", "Gone"), 2),
        (("--plugin", "the-adder"), 1),
        (("--since", "1h"), 3),
        (("--since", "2 h ago", "--until", "1h ago"), 0),
        (("--until", "2020-01-31"), 0),
        (("--since", "2020-01-31T12:00:00Z"), 3),
    ],
)
def test_the_list_is_filtered(
    jobs: Run,
    running: JobRecord,
    store: JobStore,
    plugin_dir: WritePlugins,
    options: tuple[str, ...],
    count: int,
) -> None:
    for _ in range(2):
        store.submit(NewJob("Gone", {}, queue="micro"))
    path = str(plugin_dir(PLUGINS))
    assert len(listed(jobs("--json", *options, MICRO_PLUGIN_PATH=path))) == count


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--since", "yesterday"), "expected a time such as 2026-01-31T12:00"),
        (("--since", "99999999w"), "expected a time such as 2026-01-31T12:00"),
        (("--state", "lost"), "is not one of"),
        (("purge", "--older", "a while"), "expected a duration such as 90s"),
        (("purge", "--older", "7d"), "There is no terminal to confirm this on; give --yes."),
        (("show", "no-id"), "No job has the id 'no-id'"),
        (("watch", "no-id"), "No job has the id 'no-id'"),
        (("cancel", "no-id"), "No job has the id 'no-id'"),
        (("retry", "no-id"), "No job has the id 'no-id'"),
        (("nonsense",), "No such command 'nonsense'"),
    ],
)
def test_wrong_calls_are_usage_errors(jobs: Run, arguments: tuple[str, ...], complaint: str) -> None:
    result = jobs(*arguments)
    assert result.exit_code == 2
    assert complaint in result.stderr


def test_help_is_that_of_all_commands(jobs: Run) -> None:
    assert "watch" in jobs("--help").stdout
    assert "--state" in jobs("list", "-h").stdout


def test_all_of_a_job_is_shown(jobs: Run, succeeded: JobRecord) -> None:
    told = jobs("show", succeeded.id).stdout
    for line in ("plugin    The Adder", 'params    {"a": 1}', 'result    {"sum": 1}', "worker    worker/1"):
        assert f"{line}\n" in told
    assert told.endswith("INFO    adding\n")
    details = json.loads(jobs("show", succeeded.id, "--json").stdout)
    assert details["result"] == {"sum": 1}
    assert details["log"][0]["text"] == "adding"


def test_a_failed_job_shows_its_error(jobs: Run, failed: JobRecord) -> None:
    assert "error     Nothing but trouble [plugin-failed]\n" in jobs("show", failed.id).stdout
    assert json.loads(jobs("show", failed.id, "--json").stdout)["result"] is None


def test_a_later_attempt_is_shown_as_such(jobs: Run, running: JobRecord, store: JobStore) -> None:
    store.release(running.hold, 0, "again")
    assert store.claim(running.id, "worker/2", 60)
    assert "state     running, attempt 2 of 3\n" in jobs("show", running.id).stdout
    assert "result" not in json.loads(jobs("show", running.id, "--json").stdout)


def test_a_job_is_watched_to_its_result(jobs: Run, running: JobRecord, store: JobStore) -> None:
    def work() -> None:
        store.renew(running.hold, 60, Progress(1, 2, "half"), [LogLine("INFO", "adding", 1_800_000_000)])
        store.finish(running.hold, State.SUCCEEDED, '{"sum": "é"}')

    worker = threading.Timer(0.1, work)
    worker.start()
    result = jobs("watch", running.id)
    worker.join()
    assert (result.exit_code, result.stdout) == (0, '{"sum": "é"}\n')
    *_, log, end = result.stderr.splitlines()
    assert log.endswith("INFO    adding")
    assert end == "The job has succeeded"


def test_watching_a_failed_job_exits_with_1(jobs: Run, failed: JobRecord) -> None:
    result = jobs("watch", failed.id)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.endswith("The job has failed\nError: Nothing but trouble [plugin-failed]\n")


def test_watching_a_cancelled_job_exits_with_1(jobs: Run, running: JobRecord, store: JobStore) -> None:
    store.cancel(running.id)
    assert "asked to stop" in jobs("cancel", running.id).stdout
    store.finish(running.hold, State.CANCELLED)
    result = jobs("watch", running.id)
    assert result.exit_code == 1
    assert result.stderr.endswith(f"Error: job {running.id} was cancelled\n")


def test_an_interrupt_ends_the_watching_and_not_the_job(
    running: JobRecord, store: JobStore, environment: dict[str, str]
) -> None:
    command = [sys.executable, "-m", "micro", "jobs", "watch", running.id]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env={**os.environ, **environment}
    ) as watch:
        assert watch.stderr
        assert watch.stderr.readline() == "The job is running\n"
        watch.send_signal(signal.SIGINT)
        _, told = watch.communicate(timeout=20)
    assert watch.returncode == 130
    assert told == f"Job {running.id} goes on; `micro jobs cancel {running.id}` cancels it\n"
    assert store.state(running.id) is State.RUNNING


def test_jobs_are_cancelled(jobs: Run, store: JobStore, succeeded: JobRecord) -> None:
    queued, _ = store.submit(NewJob("The Adder", {"a": 1}, queue="micro"))
    assert jobs("cancel", queued.id).stdout == f"Job {queued.id} is cancelled\n"
    result = jobs("cancel", succeeded.id)
    assert result.exit_code == 1
    assert "only a queued or running one can be cancelled" in result.stderr


def test_a_job_is_repeated_as_a_new_one(
    jobs: Run, store: JobStore, succeeded: JobRecord, plugin_dir: WritePlugins
) -> None:
    path = str(plugin_dir(PLUGINS))
    result = jobs("retry", succeeded.id, "-p", path)
    assert result.exit_code == 1
    assert "No worker is configured" in result.stderr
    shared = f"{store.database.url}"
    result = jobs("retry", succeeded.id, "-p", path, MICRO_JOBS_URL=shared)
    assert store.get(result.stdout.strip()).parent == succeeded.id


@pytest.mark.parametrize(("older", "count"), [("1h", "0 jobs"), ("0s", "1 job")])
def test_old_jobs_are_purged(jobs: Run, succeeded: JobRecord, older: str, count: str) -> None:
    assert jobs("purge", "--older", older, "--yes").stdout == f"{count} deleted\n"


@pytest.mark.parametrize(("answer", "code", "left"), [(b"n", 1, 1), (b"y", 0, 0)])
def test_purging_asks_on_a_terminal(
    store: JobStore, succeeded: JobRecord, environment: dict[str, str], answer: bytes, code: int, left: int
) -> None:
    master, terminal = os.openpty()
    os.write(master, answer + b"\n")
    command = [sys.executable, "-m", "micro", "jobs", "purge", "--older", "0s"]
    done = subprocess.run(command, stdin=terminal, capture_output=True, env={**os.environ, **environment})
    assert (done.returncode, len(store.list_jobs().jobs)) == (code, left)
    assert b"Delete all jobs that ended more than 0ms ago? [y/N]" in done.stdout
    os.close(master)
    os.close(terminal)


def test_the_job_table_of_a_running_micro_is_used(
    run: Run, store: JobStore, running: JobRecord, tmp_path: Path
) -> None:
    settings = load_settings({"pid_folder_path": str(tmp_path)}, environ={})
    with claimed(tmp_path):
        write_settings(replace(settings, state_folder_path=tmp_path / "state"))
        for arguments in (
            ("-pp", str(tmp_path), "jobs", "--json"),
            ("jobs", "-pp", str(tmp_path), "list", "--json"),
        ):
            assert listed(run(*arguments, MICRO_STATE_FOLDER_PATH=str(tmp_path / "other"))) == [running.id]


@pytest.fixture
def micro(load: Callable[..., Micro], store: JobStore, tmp_path: Path) -> Micro:
    """Micro with the job table of the test, which is shared with workers elsewhere."""
    file = tmp_path / "config.json"
    file.write_text(json.dumps({"micro": {"jobs_url": f"sqlite:///{tmp_path}/state/jobs.sqlite"}}))
    return load(PLUGINS, config_file=str(file))


@pytest.fixture
def url(micro: Micro) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, create_app(micro=micro), threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_another_service_is_asked_by_its_url(run: Run, url: str, succeeded: JobRecord) -> None:
    assert listed(run("jobs", "--url", url, "--json")) == [succeeded.id]
    assert "adding" in run("jobs", "show", succeeded.id, "--url", url).stdout
    assert run("jobs", "--url", url, "watch", succeeded.id).stdout == '{"sum": 1}\n'
    assert (
        run("jobs", "purge", "--older", "0s", "-y", "--url", url, MICRO_API_KEY="k").stdout
        == "1 job deleted\n"
    )
    result = run("jobs", "show", succeeded.id, "--url", url)
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)


def test_a_service_that_is_not_there_is_one_line_and_exit_code_3(run: Run) -> None:
    result = run("jobs", "--url", "http://127.0.0.1:1")
    assert (result.exit_code, result.stderr.count("\n")) == (3, 1)
    assert "http://127.0.0.1:1 cannot be reached" in result.stderr


def test_a_broker_is_no_service_to_ask(run: Run) -> None:
    result = run("jobs", "--url", "redis://127.0.0.1:6379/0")
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "Expected a URL such as http://host:8000" in result.stderr


def test_the_client_of_a_job_table_knows_the_plugins(micro: Micro) -> None:
    with TableClient(micro.settings, micro) as client:
        assert client.plugins()[0]["name"] == "The Adder"
        assert client.info("the-adder")["name"] == client.help("the-adder")["name"] == "The Adder"
        with pytest.raises(NotImplementedError):
            client.run("the-adder", a=1)


def test_a_job_is_deleted_from_the_job_table(micro: Micro, store: JobStore, succeeded: JobRecord) -> None:
    with TableClient(micro.settings, micro) as client:
        client.job(succeeded.id).delete()
    assert store.list_jobs().jobs == ()


def test_a_run_as_a_job_prints_its_result(
    micro: Micro, store: JobStore, wait_for: WaitFor, capfd: pytest.CaptureFixture[str]
) -> None:
    def work() -> None:
        queued = wait_for(lambda: store.list_jobs(state=State.QUEUED).jobs)
        JobRunner(micro, store).run_job(queued[0].id)

    worker = threading.Thread(target=work)
    worker.start()
    assert run_as_job(micro, "the-adder", {"a": 1}) == 0
    worker.join()
    told = capfd.readouterr()
    assert told.out == '{"sum": 1}\n'
    assert "is submitted\n" in told.err
    assert "adding" in told.err


def test_a_run_as_a_job_needs_a_worker(load: Callable[..., Micro], tmp_path: Path) -> None:
    settings: Settings = replace(load(PLUGINS).settings, state_folder_path=tmp_path)
    with pytest.raises(NoWorker):
        run_as_job(Micro(settings), "the-adder", {"a": 1})
