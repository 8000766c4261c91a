"""One child process: its command line and options, its output, and its life from start to reaping."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass

from micro.server.supervisor.output import LineSplitter

_CHUNK = 64 * 1024
# The largest capacity of a pipe. Reading that much gets all output of an ended child process, but does not
# go on for ever if a grandchild in another session still writes to the pipe.
_PIPE_CAPACITY = 1024 * 1024
# Kept for the error message when a process does not start.
_TAIL_LINES = 20


@dataclass(frozen=True)
class Process:
    """A child process to start and watch.

    ``ready(pid)`` returns True if the child is ready; it is called often and must return at once. Without
    it a child counts as up after one second. ``left(pid)`` returns True if a stopping child takes no new
    work any more; it may still finish some. Children with a lower ``start_order`` start first, and the next
    ones wait until they are up; children with a lower ``stop_order`` stop first. ``env`` replaces the whole
    environment, and ``pass_fds`` are inherited descriptors. Successive processes of one name differ in
    their ``generation``.
    If ``reopens_logs`` is true, SIGUSR1 makes the child reopen its log files.
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] | None = None
    ready: Callable[[int], bool] | None = None
    left: Callable[[int], bool] | None = None
    start_order: int = 0
    stop_order: int = 0
    stop_signal: signal.Signals = signal.SIGTERM
    pass_fds: tuple[int, ...] = ()
    generation: int = 1
    reopens_logs: bool = False


class Child:
    """A started process, leader of a session of its own; raises OSError when it cannot be started."""

    def __init__(self, process: Process) -> None:
        self._popen = subprocess.Popen(
            process.argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
            env=process.env,
            start_new_session=True,
            pass_fds=process.pass_fds,
        )
        assert self._popen.stdout is not None
        self._pipe = self._popen.stdout
        os.set_blocking(self._pipe.fileno(), False)
        self._lines = LineSplitter()
        self.pid = self._popen.pid
        self.tail: deque[str] = deque(maxlen=_TAIL_LINES)

    def fileno(self) -> int | None:
        """Return the file descriptor of its output, or None once the output has ended."""
        return None if self._pipe.closed else self._pipe.fileno()

    def read(self) -> list[str]:
        """Return the lines of output that have arrived, without waiting for more."""
        data = self._pull()
        if data is None:
            return []
        if data:
            return self._keep(self._lines.feed(data))
        self._pipe.close()
        return self._keep(self._lines.rest())

    def poll(self) -> int | None:
        """Reap the process if it has ended; return its exit status (negative: a signal), or None."""
        return self._popen.poll()

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the leader of the process group only.

        SIGTERM is a request for a graceful shutdown to a Celery node, but kills its pool processes.
        """
        self._popen.send_signal(number)

    def kill_group(self) -> None:
        """Kill the process group."""
        # macOS reports EPERM for a process group that has only zombies.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    def bury(self) -> list[str]:
        """Clean up after the leader has ended: kill the rest of the process group, return the last lines."""
        self.kill_group()
        lines = []
        for _ in range(_PIPE_CAPACITY // _CHUNK):
            if not self._pipe.closed:
                lines += self.read()
        self._pipe.close()
        return lines + self._keep(self._lines.rest())

    def _pull(self) -> bytes | None:
        try:
            return os.read(self._pipe.fileno(), _CHUNK)
        except BlockingIOError:
            return None

    def _keep(self, lines: list[str]) -> list[str]:
        self.tail.extend(line for line in lines if line.strip())
        return lines


def describe_exit(status: int) -> str:
    """Return how a process ended, such as ``exited with status 2`` or ``was killed by SIGKILL``."""
    if status >= 0:
        return f"exited with status {status}"
    with suppress(ValueError):
        return f"was killed by {signal.Signals(-status).name}"
    return f"was killed by signal {-status}"


def reap_orphans(known: Collection[int]) -> None:
    """Reap orphaned processes that the kernel gave to us because we are PID 1.

    Processes whose PID is in ``known`` are left alone: their ``Child`` needs the exit status.
    """
    while (pid := _first_zombie()) and pid not in known:
        os.waitpid(pid, os.WNOHANG)


def _first_zombie() -> int | None:
    # On macOS, Python has no os.waitid() before 3.13, and Micro is never PID 1.
    if sys.platform == "darwin":
        return None
    with suppress(ChildProcessError):
        info = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        return info.si_pid if info else None
    return None
