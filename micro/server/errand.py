"""Runs one process to its end, beside those that are kept running."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from micro.server.guard import Guard
from micro.server.process import Child, Process, describe_exit


@dataclass(frozen=True)
class End:
    """How an errand ended: its exit status, in words if it is not 0, and its last lines."""

    status: int
    reason: str
    tail: Sequence[str] = ()


class Errand:
    """A process that is to end by itself within ``seconds``, or is killed.

    ``say(name, line)`` takes what it says, ``done`` how it ended.
    """

    def __init__(
        self,
        process: Process,
        seconds: float,
        guard: Guard,
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
        """Look whether it has ended, or is to be ended."""
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
        """Pass on the lines that have arrived."""
        for line in self.child.read() if self.child else ():
            self._say(self.process.name, line)

    def fileno(self) -> int | None:
        """Return the descriptor to read its output from, None if there is none."""
        return self.child.fileno() if self.child else None

    def wake_at(self) -> float:
        """Return when to call ``step`` though nothing happened, on the monotonic clock."""
        return self._deadline if self.child else math.inf

    def retire(self) -> None:
        """Tell nobody of its end."""
        self._done = lambda _end: None

    def ask_to_stop(self) -> None:
        """Kill it: what it finds out is wanted no more."""
        self.kill()

    def kill(self) -> None:
        """Kill it and all that is in its group."""
        if self.child:
            self.child.kill_group()
