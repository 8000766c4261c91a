"""The processes that run beside each other: those in service, those that take over, and those that leave."""

from __future__ import annotations

import math
import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator

from micro.server.errand import Errand
from micro.server.keeper import ChildFailed, Keeper, Status
from micro.server.process import Process, reap_orphans

Done = Callable[[ChildFailed | None], None]
"""Is told how a renewal ended: None when all have been replaced, else why it went no further."""


class Crew:
    """Keepers by the names of their processes; ``hire`` makes one.

    A renewal is over when the old ones have gone or told that they take no new work or, where they cannot
    tell that, ``handover`` seconds after they were asked to stop: by then they take none.
    """

    def __init__(
        self, processes: Iterable[Process], hire: Callable[[Process], Keeper], handover: float
    ) -> None:
        self._hire = hire
        self._handover = handover
        self._handed_over = 0.0
        self._serving = [hire(process) for process in processes]
        self._leaving: list[Keeper] = []
        self._joining: Keeper | None = None
        self._successors: list[Process] = []
        self._done: Done | None = None
        self._errand: Errand | None = None

    def __iter__(self) -> Iterator[Keeper | Errand]:
        yield from self.keepers
        if self._errand:
            yield self._errand

    @property
    def keepers(self) -> list[Keeper]:
        """All but the errand."""
        return [*self._serving, *([self._joining] if self._joining else []), *self._leaving]

    def statuses(self) -> tuple[Status, ...]:
        """Return how each process is."""
        return tuple(keeper.status for keeper in self.keepers)

    def wake_at(self) -> float:
        """Return when to call ``step`` though nothing happened, on the monotonic clock."""
        ending = self._done and not self._joining and not self._successors
        return min((self._handed_over if ending else math.inf, *(member.wake_at() for member in self)))

    def send(self, errand: Errand) -> None:
        """Run an errand, one at a time."""
        self._errand = errand
        errand.launch()

    def renew(self, successors: Iterable[Process], done: Done) -> None:
        """Let each successor take over from the process of its name, one by one.

        The old one is asked to stop once the new one is up, and gets the time it needs. The
        first that does not come up ends the renewal: it and those after it are not replaced.
        """
        self._successors, self._done = list(successors), done
        self._renew(done)

    def step(self) -> None:
        """Do what is due; raises ChildFailed when a process that served from the start never came up."""
        for keeper in (*self._serving, *self._leaving):
            keeper.step()
        self._leaving = [keeper for keeper in self._leaving if keeper.child]
        if self._errand:
            self._errand.step()
        if self._done:
            self._renew(self._done)
        elif self._joining:
            self._joining.step()
        if os.getpid() == 1:
            reap_orphans({member.child.pid for member in self if member.child})

    def reopen(self) -> None:
        """Pass SIGUSR1 on to those that reopen their own logs at it."""
        for keeper in self.keepers:
            # Before it is up, the signal may still end it.
            if keeper.child and keeper.came_up and keeper.process.reopens_logs:
                keeper.child.send(signal.SIGUSR1)

    def disband(self) -> None:
        """Start nothing any more."""
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

    def _replace(self, new: Keeper) -> None:
        for place, old in enumerate(self._serving):
            if old.process.name == new.process.name:
                self._serving[place] = new
                old.retire()
                old.ask_to_stop()
                self._leaving.append(old)
        self._handed_over = time.monotonic() + self._handover
