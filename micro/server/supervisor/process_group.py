"""A process group that is replaced one process at a time: processes that serve, that start, that stop."""

from __future__ import annotations

import math
import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator

from micro.server.supervisor.managed_process import ChildFailed, ManagedProcess, Status
from micro.server.supervisor.oneshot import OneShot
from micro.server.supervisor.process import Process, reap_orphans

Done = Callable[[ChildFailed | None], None]
"""Called when a renewal ends: with None if all processes were replaced, else with the error that ended it."""


class ProcessGroup:
    """All managed processes of the supervisor. ``hire`` makes the managed process for a ``Process``.

    A renewal is over when all old processes have ended or reported that they take no new work, at the latest
    ``handover`` seconds after the last one was asked to stop: then a process that cannot report takes none.
    """

    def __init__(
        self, processes: Iterable[Process], hire: Callable[[Process], ManagedProcess], handover: float
    ) -> None:
        self._hire = hire
        self._handover = handover
        self._handed_over = 0.0
        self._serving = [hire(process) for process in processes]
        self._leaving: list[ManagedProcess] = []
        self._joining: ManagedProcess | None = None
        self._successors: list[Process] = []
        self._done: Done | None = None
        self._oneshot: OneShot | None = None

    def __iter__(self) -> Iterator[ManagedProcess | OneShot]:
        yield from self.managed_processes
        if self._oneshot:
            yield self._oneshot

    @property
    def managed_processes(self) -> list[ManagedProcess]:
        """All managed processes, without the one-shot process."""
        return [*self._serving, *([self._joining] if self._joining else []), *self._leaving]

    def statuses(self) -> tuple[Status, ...]:
        """Return a snapshot of each process."""
        return tuple(managed.status for managed in self.managed_processes)

    def wake_at(self) -> float:
        """Return the latest time for the next ``step``, on the monotonic clock."""
        ending = self._done and not self._joining and not self._successors
        return min((self._handed_over if ending else math.inf, *(member.wake_at() for member in self)))

    def send(self, oneshot: OneShot) -> None:
        """Run a one-shot process, one at a time."""
        self._oneshot = oneshot
        oneshot.launch()

    def renew(self, successors: Iterable[Process], done: Done) -> None:
        """Let each successor take over from the process of its name, one by one.

        The old one is asked to stop once the new one is up, and gets the time it needs. The
        first that does not come up ends the renewal: it and those after it are not replaced.
        """
        self._successors, self._done = list(successors), done
        self._renew(done)

    def step(self) -> None:
        """Check all processes, restart those that are due, and go on with the renewal.

        Raises ChildFailed if a process of the first generation ended and has never been up.
        """
        for managed in (*self._serving, *self._leaving):
            managed.step()
        self._leaving = [managed for managed in self._leaving if managed.child]
        if self._oneshot:
            self._oneshot.step()
        if self._done:
            self._renew(self._done)
        elif self._joining:
            self._joining.step()
        if os.getpid() == 1:
            reap_orphans({member.child.pid for member in self if member.child})

    def reopen(self) -> None:
        """Send SIGUSR1 to the processes that reopen their logs at it."""
        for managed in self.managed_processes:
            # Skip a process that is not up yet: without its handler installed, the signal would end it.
            if managed.child and managed.came_up and managed.process.reopens_logs:
                managed.child.send(signal.SIGUSR1)

    def disband(self) -> None:
        """Start and restart no process any more."""
        self._done = None
        for member in self:
            member.retire()

    def _renew(self, done: Done) -> None:
        try:
            if self._joining:
                self._joining.step()
                if not self._joining.came_up:
                    return
                self._replace(self._joining)
                self._joining = None
            if self._successors:
                self._joining = self._hire(self._successors.pop(0))
                self._joining.launch()
                return
            if any(each.takes_work for each in self._leaving) and time.monotonic() < self._handed_over:
                return
        except ChildFailed as err:
            self._joining, self._done = None, None
            done(err)
            return
        self._done = None
        done(None)

    def _replace(self, new: ManagedProcess) -> None:
        for place, old in enumerate(self._serving):
            if old.process.name == new.process.name:
                self._serving[place] = new
                old.retire()
                old.ask_to_stop()
                self._leaving.append(old)
        self._handed_over = time.monotonic() + self._handover
