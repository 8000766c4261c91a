"""What runs detached, and what is told of it; in processes of their own, which the daemon leaves."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from micro.runtime.files import is_alive

pytestmark = pytest.mark.measured

WAITS = """
import os, sys, time
from pathlib import Path
from micro.errors import ConfigError
from micro.server.daemon import DaemonFailed, run_detached

folder = Path(sys.argv[1])

def work(tell):
    (folder / "pid").write_text(str(os.getpid()))
    {work}

try:
    print(run_detached(work))
except DaemonFailed as err:
    print("failed", err.exit_code, err.message)
"""


def start(folder: Path, work: str) -> subprocess.CompletedProcess[str]:
    code = WAITS.replace("{work}", work)
    return subprocess.run(
        [sys.executable, "-c", code, str(folder)], capture_output=True, text=True, timeout=20, check=True
    )


def test_it_returns_what_is_told_and_leaves_the_process_running(
    tmp_path: Path, wait_for: Callable[..., Any]
) -> None:
    # Its end of the pipes is closed, or run() would wait for it.
    done = start(
        tmp_path,
        'tell("serves\\nat 8000"); print("nobody reads this")\n'
        '    while not (folder / "end").exists(): time.sleep(0.02)\n'
        '    (folder / "ended").write_text(str(os.getsid(0) == os.getpid())); return 0',
    )
    assert done.stdout == "serves\nat 8000\n"
    assert not (tmp_path / "ended").exists()
    (tmp_path / "end").touch()
    assert wait_for(lambda: (tmp_path / "ended").exists() and (tmp_path / "ended").read_text()) == "True"


def test_what_keeps_it_from_starting_is_told_with_its_exit_code(tmp_path: Path) -> None:
    assert start(tmp_path, 'raise ConfigError("wrong")').stdout == "failed 2 wrong\n"


def test_one_that_is_killed_before_it_is_ready_has_failed(tmp_path: Path) -> None:
    assert "failed 1 Micro ended with signal 9 before" in start(tmp_path, "os.kill(os.getpid(), 9)").stdout


def test_one_that_is_stopped_before_it_is_ready_says_so(tmp_path: Path) -> None:
    assert start(tmp_path, "return 0").stdout == "failed 1 Micro was stopped before it was ready.\n"


def test_a_fault_of_its_own_is_told_in_one_line(tmp_path: Path) -> None:
    assert start(tmp_path, "1 / 0").stdout == "failed 1 Micro failed: ZeroDivisionError: division by zero\n"


def test_ctrl_c_before_it_is_ready_stops_it(tmp_path: Path, wait_for: Callable[..., Any]) -> None:
    work = "while True: time.sleep(0.02)"
    code = WAITS.replace("{work}", work)
    starter = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stderr=subprocess.PIPE, text=True)
    pid = int(wait_for(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text(), seconds=20))
    starter.send_signal(signal.SIGINT)
    assert "KeyboardInterrupt" in starter.communicate(timeout=20)[1]
    assert not is_alive(pid)
