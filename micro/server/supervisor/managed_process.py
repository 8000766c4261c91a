"""Manages one child process: starts it, waits until it is ready, and restarts it when it has died."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from micro.errors import EXIT_FAILED, MicroError
from micro.server.supervisor.orphan_guard import OrphanGuard
from micro.server.supervisor.process import Child, Process, describe_exit

# Enough to reach the longest pause; without a limit 2**failures would overflow a float some day.
_MOST_DOUBLINGS = 16


class ChildFailed(MicroError):
    """A child process never became ready.

    ``exit_code`` is that of the process, ``tail`` its last lines of output.
    """

    code = "child-failed"

    def __init__(self, message: str, exit_code: int = EXIT_FAILED, tail: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.exit_code = exit_code
        self.tail = tuple(tail)


class ProcessState(StrEnum):
    """The state of a supervised process. WAITING means the pause before a restart."""

    STARTING = "starting"
    UP = "up"
    WAITING = "waiting"
    STOPPING = "stopping"
    STOPPED = "stopped"


@dataclass(frozen=True)
class RestartLimits:
    """Time limits of the supervisor, in seconds.

    ``grace``: for a whole graceful shutdown; each stage of it gets at least ``least_grace``.
    ``boot``: for a process to become ready. ``settle``: a process without a readiness check counts as up
    after this time. ``pause`` to ``longest_pause``: the pause before a restart, which doubles with each
    failure until the process has been up for ``steady``. ``handover``: for a replaced process to stop
    taking new work. ``poll``: between two readiness checks.
    """

    grace: float = 30
    least_grace: float = 2
    boot: float = 300
    settle: float = 1
    pause: float = 0.5
    longest_pause: float = 30
    steady: float = 30
    handover: float = 3
    poll: float = 0.05


@dataclass(frozen=True)
class Status:
    """A snapshot of a process. ``since`` is the time of its last change of state, in seconds since the epoch.

    ``failed`` is the time of its last failure, or None if it never failed; ``failure`` is the reason.
    """

    name: str
    pid: int | None
    state: ProcessState
    restarts: int
    since: float
    generation: int = 1
    failed: float | None = None
    failure: str = ""


class ManagedProcess:
    """A process that is kept running, across all its restarts.

    ``say(name, line)`` is called with each line of its output, ``tell(line)`` with messages about it.
    """

    def __init__(
        self,
        process: Process,
        limits: RestartLimits,
        guard: OrphanGuard,
        say: Callable[[str, str], None],
        tell: Callable[[str], None],
    ) -> None:
        self.process = process
        self.child: Child | None = None
        self.came_up = False
        self._limits = limits
        self._guard = guard
        self._say = say
        self._tell = tell
        self._retired = False
        self._left = False
        self._overdue = False
        self._restarts = 0
        self._failures = 0
        self._due = math.inf
        self._failure: tuple[float | None, str] = (None, "")
        self._enter(ProcessState.STOPPED)

    @property
    def status(self) -> Status:
        """Return a snapshot of the process."""
        pid = self.child.pid if self.child else None
        process = self.process
        return Status(
            process.name, pid, self._state, self._restarts, self._since, process.generation, *self._failure
        )

    def wake_at(self) -> float:
        """Return the latest time for the next ``step``, on the monotonic clock."""
        leaving = self._state is ProcessState.STOPPING and self.process.left and self.takes_work
        if self._state is ProcessState.STARTING or leaving:
            return time.monotonic() + self._limits.poll
        return self._due if self._state is ProcessState.WAITING else math.inf

    @property
    def takes_work(self) -> bool:
        """True while the process runs and has not reported, while stopping, that it takes no new work."""
        return self.child is not None and not self._left

    def launch(self) -> None:
        """Start the process. Raises ChildFailed if it cannot be started and has never been up."""
        self._overdue = False
        try:
            self.child = Child(self.process)
        except OSError as err:
            self._failed(f"could not be run ({err})")
            return
        self._guard.watch(self.child.pid, self.process.stop_order, self.process.stop_signal)
        self._enter(ProcessState.STARTING)

    def step(self) -> None:
        """Check the process and restart it if due. Raises ChildFailed if it ended and has never been up."""
        if self.child is None:
            if self._state is ProcessState.WAITING and time.monotonic() >= self._due:
                self.launch()
            return
        status = self.child.poll()
        if status is not None:
            self._ended(self.child, status)
        elif self._state is ProcessState.STARTING:
            self._check_ready(self.child)
        elif self._state is ProcessState.STOPPING and self.process.left and not self._left:
            self._left = self.process.left(self.child.pid)

    def forward(self) -> None:
        """Pass on the lines of output that have arrived."""
        if self.child:
            self._pass_on(self.child.read())

    def fileno(self) -> int | None:
        """Return the file descriptor of its output, or None if there is no more output."""
        return self.child.fileno() if self.child else None

    def retire(self) -> None:
        """Do not restart the process any more."""
        self._retired = True
        if self.child is None:
            self._enter(ProcessState.STOPPED)

    def ask_to_stop(self) -> None:
        """Send the stop signal once. Some programs take a second one as a request to end at once."""
        if self.child and self._state is not ProcessState.STOPPING:
            self.child.send(self.process.stop_signal)
            self._enter(ProcessState.STOPPING)

    def kill(self) -> None:
        """Kill the process group."""
        if self.child:
            self.child.kill_group()

    def _enter(self, state: ProcessState) -> None:
        self._state, self._since, self._changed = state, time.time(), time.monotonic()

    def _pass_on(self, lines: Iterable[str]) -> None:
        for line in lines:
            self._say(self.process.name, line)

    def _check_ready(self, child: Child) -> None:
        seconds = time.monotonic() - self._changed
        if self.process.ready(child.pid) if self.process.ready else seconds >= self._limits.settle:
            self.came_up = True
            self._enter(ProcessState.UP)
            if self._restarts:
                self._tell(f"{self.process.name} is up again")
        elif seconds >= self._limits.boot:
            self._overdue = True
            child.kill_group()

    def _ended(self, child: Child, status: int) -> None:
        self._pass_on(child.bury())
        self._guard.forget(child.pid)
        self.child = None
        reason = f"was not ready within {self._limits.boot:g} s" if self._overdue else describe_exit(status)
        self._failed(reason, max(status, 0) or EXIT_FAILED, child.tail)

    def _failed(self, reason: str, exit_code: int = EXIT_FAILED, tail: Sequence[str] = ()) -> None:
        if self._retired:
            self._enter(ProcessState.STOPPED)
            return
        self._failure = time.time(), reason
        if not self.came_up:
            self._enter(ProcessState.STOPPED)
            last = f". Its last line: {tail[-1].strip()}" if tail else ""
            raise ChildFailed(f"{self.process.name} did not start: it {reason}{last}", exit_code, tail)
        if self._state is ProcessState.UP and time.monotonic() - self._changed >= self._limits.steady:
            self._failures = 0
        doubled = self._limits.pause * 2 ** min(self._failures, _MOST_DOUBLINGS)
        pause = min(doubled, self._limits.longest_pause)
        self._failures += 1
        self._restarts += 1
        self._due = time.monotonic() + pause
        self._enter(ProcessState.WAITING)
        self._tell(f"{self.process.name} {reason}; starting it again in {pause:g} s")
