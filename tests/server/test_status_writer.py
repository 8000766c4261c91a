from __future__ import annotations

import json
import shutil
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from micro.config.loading import load_settings
from micro.config.settings import Settings
from micro.runtime.ready_files import tell_ready
from micro.runtime.status import read_status, status_file
from micro.server.status_writer import StatusWriter
from micro.server.supervisor.managed_process import ProcessState, Status

UP = Status("rest", 42, ProcessState.UP, 0, 1.5)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    pids = tmp_path / "pids"
    pids.mkdir()
    return replace(load_settings({}, {}), pid_folder_path=pids, gunicorn=True, celery=True)


def test_what_is_written_is_what_is_read(settings: Settings) -> None:
    StatusWriter(settings, print).update([UP])
    assert not status_file(settings).stat().st_mode & stat.S_IRWXO
    told = read_status(settings)
    assert told["processes"] == [
        {
            "name": "rest",
            "pid": 42,
            "state": "up",
            "restarts": 0,
            "since": "1970-01-01T00:00:01.500Z",
            "generation": 1,
        }
    ]
    assert told["last_failure"] is None
    assert told["pid"] > 0


def test_the_last_failure_is_kept_when_its_process_has_left(settings: Settings) -> None:
    report = StatusWriter(settings, print)
    report.update([replace(UP, failed=10.0, failure="was killed by SIGKILL")])
    report.update([replace(UP, failed=5.0, failure="an earlier one")])
    report.update([UP])
    expected = {"what": "rest", "reason": "was killed by SIGKILL", "time": "1970-01-01T00:00:10.000Z"}
    assert read_status(settings)["last_failure"] == expected
    report.fail("reload", "'hello' cannot be imported")
    assert read_status(settings)["last_failure"]["what"] == "reload"


def test_it_tells_of_the_plugins_and_the_generation_that_all_processes_serve(settings: Settings) -> None:
    failure = {"name": "bad", "origin": "folder /plugins/bad", "cause": "no plugin"}
    tell_ready(settings, "rest", 1, 3, plugins=2, failed=[failure])
    tell_ready(settings, "worker1", 2, 2, plugins=2, failed=[])
    told = read_status(settings)
    assert told["generation"] == 2
    assert told["plugins"] == {"loaded": 2, "failed": [failure]}


def test_nothing_is_known_without_a_supervisor(settings: Settings) -> None:
    told = read_status(settings)
    assert (told["processes"], told["generation"], told["pid"]) == ([], 1, None)


def test_what_a_killed_supervisor_left_is_not_told(settings: Settings) -> None:
    StatusWriter(settings, print).update([UP])
    tell_ready(settings, "rest", 42, 3, plugins=2, failed=[])
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    file = status_file(settings)
    file.write_text(json.dumps({**json.loads(file.read_text()), "pid": dead.pid}))
    told = read_status(settings)
    assert (told["processes"], told["generation"], told["pid"]) == ([], 1, None)
    assert told["plugins"] == {"loaded": 0, "failed": []}


def test_a_file_that_cannot_be_written_is_told_of_once_and_does_no_harm(settings: Settings) -> None:
    said: list[str] = []
    report = StatusWriter(settings, said.append)
    shutil.rmtree(settings.pid_folder_path)
    report.update([UP])
    report.update([replace(UP, pid=43)])
    assert len(said) == 1 and "cannot be written (No such file or directory)" in said[0]
    settings.pid_folder_path.mkdir()
    report.update([UP])
    assert json.loads(status_file(settings).read_text())["processes"][0]["pid"] == 42
    report.remove()
    assert not status_file(settings).exists()
