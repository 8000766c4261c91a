"""What cannot be started ends at once, with one clear line and its exit code."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.measured

Run = Callable[..., subprocess.CompletedProcess[str]]


def _is_refused(done: subprocess.CompletedProcess[str], code: int, *parts: str) -> None:
    """Hold it to its exit code and to one line that has all the parts, after which nothing comes."""
    last = done.stderr.splitlines()[-1]
    assert done.returncode == code
    assert last.startswith("Error: ")
    assert done.stderr.count("Error: ") == 1, done.stderr
    assert "Traceback" not in done.stderr
    for part in parts:
        assert part in last


@pytest.fixture
def config_file(tmp_path: Path) -> Callable[..., str]:
    def write(**sections: Any) -> str:
        path = tmp_path / "config.json"
        path.write_text(json.dumps(sections))
        return str(path)

    return write


@pytest.mark.parametrize(
    "url", ["amqp://guest:sesame@127.0.0.1:{port}//", "redis://:sesame@127.0.0.1:{port}/0"]
)
def test_a_broker_that_does_not_answer(run_micro: Run, closed_port: int, url: str) -> None:
    # At DEBUG, too, it is named without its password.
    done = run_micro("-C", "-B", url.format(port=closed_port), "-ll", "DEBUG")
    _is_refused(
        done, 3, f"**********@127.0.0.1:{closed_port}/", "refused", "is it running, and is the URL right?"
    )
    assert "sesame" not in done.stdout + done.stderr


def test_a_broker_of_a_kind_that_nobody_knows(run_micro: Run) -> None:
    done = run_micro("-C", "-B", "pigeon://user:sesame@roof")
    _is_refused(done, 2, "pigeon://user:**********@roof", "expected a URL such as amqp://")


@pytest.mark.parametrize(
    ("section", "options", "flag", "parts"),
    [
        ("gunicorn", {"tiemout": 3}, "-G", ("'tiemout'", "did you mean 'timeout'?")),
        ("gunicorn", {"timeout": "soon"}, "-G", ("'gunicorn.timeout'", "'soon'")),
        ("gunicorn", {"worker_class": "nobodys"}, "-G", ("nobodys",)),
        ("gunicorn", {"cors": "*"}, "-G", ("'gunicorn.cors'", "expected an object")),
        ("celery", {"task_time_limt": 3}, "-C", ("'task_time_limt'", "did you mean 'task_time_limit'?")),
    ],
)
def test_a_setting_that_the_library_does_not_take(
    run_micro: Run,
    config_file: Callable[..., str],
    section: str,
    options: dict[str, Any],
    flag: str,
    parts: tuple[str, ...],
) -> None:
    file = config_file(**{section: options})
    _is_refused(run_micro("-c", file, flag, "-B", "redis://127.0.0.1"), 2, *parts)


def test_an_address_that_is_nowhere(run_micro: Run) -> None:
    _is_refused(run_micro("-G", "-b", "192.0.2.1:8000"), 1, "192.0.2.1:8000 cannot be used", "with -b")


@pytest.mark.parametrize("kind", ["file", "missing"])
def test_a_socket_path_that_cannot_be_used(run_micro: Run, tmp_path: Path, kind: str) -> None:
    (tmp_path / "file").touch()
    path = tmp_path / kind / "socket"
    _is_refused(run_micro("-G", "-b", f"unix:{path}"), 1, f"unix:{path} cannot be used")


def test_a_socket_that_another_server_answers_on(run_micro: Run, tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()
        _is_refused(run_micro("-G", "-b", f"unix:{path}"), 1, f"unix:{path} is in use")
    assert path.exists()


def test_a_plugin_folder_that_is_not_there(run_micro: Run) -> None:
    _is_refused(run_micro("-G", "-p", "nowhere"), 2, "'plugin_path' (command line)", "nowhere'")


@pytest.mark.parametrize(("flag", "name"), [("-pp", "pid_folder_path"), ("-lp", "log_folder_path")])
def test_a_folder_that_the_user_named_and_that_cannot_be_used(
    run_micro: Run, tmp_path: Path, flag: str, name: str
) -> None:
    (tmp_path / "file").touch()
    _is_refused(run_micro("-G", flag, str(tmp_path / "file")), 2, f"'{name}' (command line)", "File exists")


def test_a_log_file_that_is_a_folder(run_micro: Run, tmp_path: Path) -> None:
    (tmp_path / "logs" / "there").mkdir(parents=True)
    _is_refused(run_micro("-G", "-ln", "there"), 2, "logs/there' cannot be written", "with -ln")


def test_a_bug_that_ends_a_child_is_shown_with_its_traceback(run_micro: Run, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\nif 'http.gunicorn' in sys.orig_argv:\n    sys.modules['gunicorn'] = None\n"
    )
    paths = os.pathsep.join(filter(None, (str(tmp_path), os.environ.get("PYTHONPATH"))))
    done = run_micro("-G", PYTHONPATH=paths)
    assert done.returncode == 1
    assert "| Traceback (most recent call last):" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("Error: rest did not start: it exited with status 1.")
