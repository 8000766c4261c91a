"""Starts, watches and stops child processes; knows nothing of plugins.

One thread runs one loop around select(). Each child process leads its own session, so that Ctrl-C reaches
the supervisor only. When it dies, the rest of its process group is killed before it is started again.
"""

from __future__ import annotations

import math
import select
import signal
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack

from micro.errors import EXIT_FAILED, EXIT_OK
from micro.server.supervisor.managed_process import (
    ChildFailed,
    ManagedProcess,
    ProcessState,
    RestartLimits,
    Status,
)
from micro.server.supervisor.oneshot import End, OneShot
from micro.server.supervisor.orphan_guard import OrphanGuard
from micro.server.supervisor.output import Output
from micro.server.supervisor.process import Process
from micro.server.supervisor.process_group import Done, ProcessGroup
from micro.server.supervisor.signals import SignalQueue

__all__ = ["NAME", "ChildFailed", "Process", "ProcessState", "RestartLimits", "Status", "Supervisor"]

NAME = "micro"
"""The supervisor's own name in the output."""

_STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
# SIGKILL ends a process at once, unless it is in an uninterruptible system call. Do not wait for ever then.
_KILLING_SECONDS = 5
_FLUSHING_SECONDS = 1


class Supervisor:
    """Runs processes until it is asked to stop or one of them cannot start.

    ``output`` must know the names of all processes and ``NAME``. ``on_ready`` is called once, when all are
    up. ``on_hangup`` is called at each SIGHUP, and returns True if it has handled it, False to stop; without
    it SIGHUP stops the supervisor, and stays ignored if it was, as under nohup(1). ``on_change`` is called
    with the status of all processes each time one has changed, ``on_reopen`` at each SIGUSR1.
    """

    def __init__(
        self,
        processes: Iterable[Process],
        output: Output,
        on_ready: Callable[[], None] | None = None,
        limits: RestartLimits | None = None,
        on_hangup: Callable[[], bool] | None = None,
        on_change: Callable[[tuple[Status, ...]], None] | None = None,
        on_reopen: Callable[[], None] | None = None,
    ) -> None:
        self._limits = limits or RestartLimits()
        self._output = output
        self._on_ready = on_ready
        self._on_hangup = on_hangup
        self._on_change = on_change
        self._on_reopen = on_reopen
        self._told: tuple[Status, ...] = ()
        self._signals = SignalQueue(
            (*_STOPPING, signal.SIGCHLD, signal.SIGUSR1), heed_ignored=on_hangup is not None
        )
        self._guard = OrphanGuard(self._limits.grace)
        self._group = ProcessGroup(processes, self._hire, self._limits.handover)
        self._stop_requests = 0

    def snapshot(self) -> tuple[Status, ...]:
        """Return the status of each process. During a renewal this includes both the old and the new one."""
        return self._group.statuses()

    def run_once(self, process: Process, seconds: float, done: Callable[[End], None]) -> None:
        """Run a one-shot process, one at a time. It is killed if it has not ended within ``seconds``.

        ``done(end)`` is called when it has ended.
        """
        self._group.send(OneShot(process, seconds, self._guard, self._output.line, done))

    def renew(self, successors: Iterable[Process], done: Done) -> None:
        """Replace the processes of the same names one by one; see ``ProcessGroup.renew``."""
        self._group.renew(successors, done)

    def tell(self, text: str) -> None:
        """Write a line to the output under the supervisor's own name."""
        self._output.line(NAME, text)

    def run(self) -> int:
        """Start all processes, watch them, and stop them at SIGTERM, SIGINT or SIGHUP. A second signal kills.

        Returns the exit code: 0, or 1 if a process had to be killed. If a process never became ready, raises
        ChildFailed after stopping the others. Main thread only.
        """
        with ExitStack() as stack:
            stack.enter_context(self._signals)
            stack.callback(self._guard.close)
            stack.callback(self._output.flush, _FLUSHING_SECONDS)
            try:
                self._start()
                while not self._stop_requests:
                    self._turn()
            finally:
                orderly = self._stop()
            return EXIT_OK if orderly else EXIT_FAILED

    def _hire(self, process: Process) -> ManagedProcess:
        return ManagedProcess(process, self._limits, self._guard, self._output.line, self.tell)

    def _start(self) -> None:
        managed_processes = self._group.managed_processes
        for order in sorted({managed.process.start_order for managed in managed_processes}):
            stage = [managed for managed in managed_processes if managed.process.start_order == order]
            for managed in stage:
                managed.launch()
            while not all(managed.came_up for managed in stage):
                self._turn()
                if self._stop_requests:
                    return
        if self._on_ready:
            self._on_ready()

    def _stop(self) -> bool:
        self._group.disband()
        members = list(self._group)
        end = time.monotonic() + self._limits.grace
        orderly = True
        for order in sorted({member.process.stop_order for member in members}):
            stage = [member for member in members if member.process.stop_order == order]
            orderly = self._stop_stage(stage, end) and orderly
        return orderly

    def _stop_stage(self, stage: list[ManagedProcess | OneShot], end: float) -> bool:
        for member in stage:
            member.ask_to_stop()
        # Later stages, such as the broker, get some time to stop even if earlier ones have used up the grace.
        deadline = max(end, time.monotonic() + self._limits.least_grace)
        self._wait_for_end(stage, deadline, stop_requests=2)
        left = [member for member in stage if member.child]
        for member in left:
            self.tell(f"{member.process.name} has not stopped; killing it")
            member.kill()
        self._wait_for_end(left, time.monotonic() + _KILLING_SECONDS)
        return not left

    def _wait_for_end(
        self, stage: list[ManagedProcess | OneShot], deadline: float, stop_requests: float = math.inf
    ) -> None:
        while any(member.child for member in stage) and time.monotonic() < deadline:
            if self._stop_requests >= stop_requests:
                return
            self._turn(deadline)

    def _turn(self, deadline: float = math.inf) -> None:
        readable = self._select(deadline)
        for member in self._group:
            if member.fileno() in readable:
                member.forward()
        self._output.write()
        for number in self._signals.take():
            self._heed(number)
        self._group.step()
        self._tell_changes()

    def _tell_changes(self) -> None:
        statuses = self.snapshot()
        if self._on_change and statuses != self._told:
            self._told = statuses
            self._on_change(statuses)

    def _select(self, deadline: float) -> list[int]:
        # Backpressure: while the stream is blocked, do not read from the processes, so that they block too.
        talking = [] if self._output.full else [member.fileno() for member in self._group]
        reading = [self._signals.fileno(), *(fd for fd in talking if fd is not None)]
        writing = [fd for fd in (self._output.fileno(),) if fd is not None]
        wake = min(deadline, self._group.wake_at())
        timeout = None if wake == math.inf else max(0, wake - time.monotonic())
        return select.select(reading, writing, [], timeout)[0]

    def _heed(self, number: int) -> None:
        if number == signal.SIGUSR1 and self._on_reopen:
            self._on_reopen()
            self._group.reopen()
        if number not in _STOPPING or self._is_seen_to(number):
            return
        self._stop_requests += 1
        name = signal.Signals(number).name
        self.tell(f"{name}: stopping" if self._stop_requests == 1 else f"{name} again: killing")

    def _is_seen_to(self, number: int) -> bool:
        return number == signal.SIGHUP and self._on_hangup is not None and self._on_hangup()
