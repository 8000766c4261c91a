"""A terminal that closes is told from a request, with real terminals."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

pytestmark = pytest.mark.measured

PROGRAM = """
import signal, sys, time
from pathlib import Path
from micro.server.reload.reload import Hangup

if sys.argv[1] == "nohup":
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
hangup = Hangup()
heard = []
signal.signal(signal.SIGHUP, lambda *_: heard.append(f"{hangup.closed()} {hangup.ends}"))
Path("up").touch()
for _ in range(1000):
    told = list(heard)
    Path("draft").write_text("\\n".join(told))
    Path("draft").replace("heard")
    # Not what was heard meanwhile: it would end untold.
    if len(told) == 2:
        break
    time.sleep(0.02)
"""


def _heard() -> list[str]:
    with suppress(FileNotFoundError):
        return Path("heard").read_text().splitlines()
    return []


@pytest.mark.parametrize("mode", ["plain", "nohup"])
def test_a_terminal_that_closes_is_noticed_once(
    mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wait_until: Callable[..., object]
) -> None:
    monkeypatch.chdir(tmp_path)
    # The child of pty.fork() leads a session whose terminal is ours to close.
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(sys.executable, [sys.executable, "-c", PROGRAM, mode])
    try:
        wait_until(Path("up").exists, 20)
        os.close(terminal)
        wait_until(lambda: len(_heard()) == 1, 20)
        os.kill(pid, signal.SIGHUP)
        wait_until(lambda: len(_heard()) == 2, 20)
    finally:
        os.waitpid(pid, 0)
    ends = mode == "plain"
    assert _heard() == [f"True {ends}", f"False {ends}"]


def test_without_a_terminal_nothing_closes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wait_until: Callable[..., object]
) -> None:
    monkeypatch.chdir(tmp_path)
    command = [sys.executable, "-c", PROGRAM, "plain"]
    with subprocess.Popen(command, start_new_session=True) as process:
        wait_until(Path("up").exists, 20)
        for count in (1, 2):
            process.send_signal(signal.SIGHUP)
            wait_until(lambda count=count: len(_heard()) == count, 20)
    assert _heard() == ["False True"] * 2
