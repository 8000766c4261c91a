"""Stops the orphaned child processes of a supervisor that was killed.

Neither gunicorn nor Celery nor Valkey ends by itself when its parent dies, and prctl(PR_SET_PDEATHSIG)
exists on Linux only, reaches the leader of a process group alone and knows no order. So a small guard
process reads from a pipe which child processes run. If the pipe is closed while some still run, the
supervisor has died, and the guard stops them.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

import micro
from micro.runtime.files import is_alive

_PROGRAM = f"""
import sys
sys.path.append(sys.argv[1])
from {__name__} import main
main(sys.stdin, float(sys.argv[2]))
"""


class OrphanGuard:
    """The supervisor's side: starts the guard process and tells it which child processes run.

    ``grace`` is the time in seconds that each stage gets to stop before it is killed.
    """

    def __init__(self, grace: float) -> None:
        self._grace = grace
        self._watched: dict[int, str] = {}
        self._popen: subprocess.Popen[bytes] | None = None

    def watch(self, pid: int, order: int, number: signal.Signals) -> None:
        """Let the guard stop the process group that ``pid`` leads, if the supervisor dies.

        Processes with a lower ``order`` are stopped first. The signal ``number`` goes to the leader.
        """
        self._watched[pid] = f"+ {pid} {order} {number.value}\n"
        self._tell(self._watched[pid])

    def forget(self, pid: int) -> None:
        """Stop guarding the process ``pid``, as it has ended."""
        del self._watched[pid]
        self._tell(f"- {pid}\n")

    def close(self) -> None:
        """End the guard process. It first stops the processes that it still guards."""
        if self._popen and self._popen.stdin:
            self._popen.stdin.close()
            self._popen.wait()

    def _tell(self, line: str) -> None:
        # No guard is needed for PID 1: when it ends, the kernel kills all processes of its PID namespace.
        if os.getpid() == 1:
            return
        try:
            self._write(line)
        except BrokenPipeError:
            self.close()
            self._popen = None
            self._write("".join(self._watched.values()))

    def _write(self, text: str) -> None:
        self._popen = self._popen or self._start()
        assert self._popen.stdin is not None
        self._popen.stdin.write(text.encode())

    def _start(self) -> subprocess.Popen[bytes]:
        # Isolated, without site-packages, and with Micro's own folder last in the path: no installed package
        # can shadow or slow down its imports.
        root = str(Path(micro.__file__).parents[1])
        return subprocess.Popen(
            (sys.executable, "-I", "-S", "-c", _PROGRAM, root, str(self._grace)),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            start_new_session=True,
        )


def main(lines: Iterable[str], grace: float) -> None:
    """Read the supervisor's ``lines`` to their end, then stop the processes that are left, by stages."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    stages: dict[int, tuple[int, int]] = {}
    for line in lines:
        kind, pid, *rest = line.split()
        if kind == "+":
            stages[int(pid)] = (int(rest[0]), int(rest[1]))
        else:
            stages.pop(int(pid), None)
    for order in sorted({order for order, _ in stages.values()}):
        _stop({pid: number for pid, (place, number) in stages.items() if place == order}, grace)


def _stop(leaders: dict[int, int], grace: float) -> None:
    for pid, number in leaders.items():
        _signal(os.kill, pid, number)
    deadline = time.monotonic() + grace
    while any(is_alive(pid) for pid in leaders) and time.monotonic() < deadline:
        time.sleep(0.05)
    for pid in leaders:
        _signal(os.killpg, pid, signal.SIGKILL)


def _signal(send: Callable[[int, int], None], pid: int, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        send(pid, number)
