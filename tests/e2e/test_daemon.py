"""micro -D, and the commands that see to what it has started."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

pytestmark = pytest.mark.measured

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, str]:
    return {f"MICRO_{name.upper()}_FOLDER_PATH": str(tmp_path / name) for name in ("log", "pid", "state")}


@pytest.fixture
def micro(run_micro: Run, folders: dict[str, str], tmp_path: Path) -> Iterator[Run]:
    """Run the command with folders of the test's own; what it has left running is killed."""
    yield lambda *args, **env: run_micro(*args, **{**folders, **env})
    with suppress(OSError, ValueError):
        os.kill(int((tmp_path / "pid" / "micro.pid").read_text()), signal.SIGKILL)


def test_it_returns_when_it_serves_and_stop_ends_it(micro: Run, tmp_path: Path) -> None:
    started = micro("-G", "-D")
    assert started.returncode == 0, started.stderr
    url = re.findall(r"REST    (\S+)", started.stdout)[0]
    assert f"  Log     {tmp_path}/log/micro.log\n" in started.stdout
    with urlopen(f"{url}/livez") as answer:
        assert answer.status == 200

    again = micro("-G", "-D")
    assert again.returncode == 4
    assert "already running" in again.stderr and again.stderr.count("\n") == 1
    assert micro("status").returncode == 0

    stopped = micro("stop")
    assert stopped.returncode == 0 and "has stopped" in stopped.stdout
    assert list((tmp_path / "pid").iterdir()) == []
    assert "SIGTERM: stopping" in micro("logs", "-n", "1").stdout
    once_more = micro("stop")
    assert (once_more.returncode, once_more.stdout) == (0, "")
    assert "not running" in once_more.stderr


def test_what_keeps_it_from_starting_is_one_line_and_the_exit_code(micro: Run, tmp_path: Path) -> None:
    failed = micro("-G", "-D", "-p", str(tmp_path / "nowhere"))
    assert failed.returncode == 2
    assert failed.stderr.startswith("Error: Setting 'plugin_path'") and failed.stderr.count("\n") == 1
    unreachable = micro("-C", "-D", MICRO_BROKER_URL="redis://127.0.0.1:1/0")
    assert unreachable.returncode == 3
    assert unreachable.stderr.startswith("Error: The broker redis://127.0.0.1:1/0 cannot be used")


def test_logs_are_reopened_at_sigusr1_and_followed_through_it(
    micro: Run, tmp_path: Path, wait_for: Callable[..., Any]
) -> None:
    assert micro("-G", "-D").returncode == 0
    log = tmp_path / "log" / "micro.log"
    log.rename(tmp_path / "old.log")
    os.kill(int((tmp_path / "pid" / "micro.pid").read_text()), signal.SIGUSR1)
    assert micro("stop").returncode == 0
    assert "SIGTERM: stopping" in log.read_text()


def test_a_log_that_cannot_be_written_any_more_is_told_where_there_is_no_terminal(
    micro: Run, tmp_path: Path
) -> None:
    assert micro("-G", "-D").returncode == 0
    log = tmp_path / "log" / "micro.log"
    log.unlink()
    log.symlink_to("/dev/full")
    micro("reload")
    assert f"log: '{log}' cannot be written (No space left on device)" in micro("status").stdout


def test_there_may_be_no_log_yet(micro: Run) -> None:
    failed = micro("logs")
    assert failed.returncode == 2
    assert "does not exist" in failed.stderr and failed.stderr.count("\n") == 1


def test_a_log_that_cannot_be_written_any_more_does_not_stop_the_service(
    start_micro: Callable[..., Any], wait_for: Callable[..., Any]
) -> None:
    micro = start_micro("-G")
    micro.log.unlink()
    micro.log.symlink_to("/dev/full")
    os.killpg(micro.pid("rest"), signal.SIGKILL)
    wait_for(
        lambda: "cannot be written (No space left on device); serving goes on" in micro.output(), seconds=30
    )
    wait_for(lambda: "rest is up again" in micro.output(), seconds=30)
    assert micro.call("/livez") == {"status": "live"}
