"""Runs a one-shot process to its end, beside the processes that are kept running."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from micro.server.supervisor.orphan_guard import OrphanGuard
from micro.server.supervisor.process import Child, Process, describe_exit


@dataclass(frozen=True)
class End:
    """How a one-shot process ended: its exit status, that status in words, and its last lines of output."""

    status: int
    reason: str
    tail: Sequence[str] = ()


class OneShot:
    """A one-shot process: it must end by itself within ``seconds``, or its process group is killed.

    ``say(name, line)`` is called with each line of its output, ``done(end)`` when it has ended.
    """

    def __init__(
        self,
        process: Process,
        seconds: float,
        guard: OrphanGuard,
        say: Callable[[str, str], None],
        done: Callable[[End], None],
    ) -> None:
        self.process = process
        self.child: Child | None = None
        self._guard = guard
        self._say = say
        self._done = done
        self._seconds = seconds
        self._deadline = time.monotonic() + seconds

    def launch(self) -> None:
        """Start the process."""
        try:
            self.child = Child(self.process)
        except OSError as err:
            self._done(End(1, f"could not be run ({err})"))
            return
        self._guard.watch(self.child.pid, self.process.stop_order, self.process.stop_signal)

    def step(self) -> None:
        """Call ``done`` if the process has ended; kill it if its time is over."""
        if self.child is None:
            return
        status = self.child.poll()
        if status is None:
            if time.monotonic() >= self._deadline:
                self.child.kill_group()
            return
        child, self.child = self.child, None
        for line in child.bury():
            self._say(self.process.name, line)
        self._guard.forget(child.pid)
        overdue = status < 0 and time.monotonic() >= self._deadline
        reason = f"was not done within {self._seconds:g} s" if overdue else describe_exit(status)
        self._done(End(status, reason, child.tail))

    def forward(self) -> None:
        """Pass on the lines of output that have arrived."""
        for line in self.child.read() if self.child else ():
            self._say(self.process.name, line)

    def fileno(self) -> int | None:
        """Return the file descriptor of its output, or None if there is no more output."""
        return self.child.fileno() if self.child else None

    def wake_at(self) -> float:
        """Return the latest time for the next ``step``, on the monotonic clock."""
        return self._deadline if self.child else math.inf

    def retire(self) -> None:
        """Do not call ``done`` any more."""
        self._done = lambda _end: None

    def ask_to_stop(self) -> None:
        """Kill the process at once: its result is no longer needed."""
        self.kill()

    def kill(self) -> None:
        """Kill the process group."""
        if self.child:
            self.child.kill_group()
