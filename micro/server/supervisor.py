"""Starts, watches and stops child processes; knows nothing of plugins.

One thread, one loop around select(). A child runs in a session of its own, so that Ctrl-C reaches the
supervisor alone, and what a dead leader leaves in its group is killed before it is started again.
"""

from __future__ import annotations

import math
import os
import select
import signal
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack

from micro.errors import EXIT_FAILED, EXIT_OK
from micro.server.guard import Guard
from micro.server.keeper import ChildFailed, Keeper, Limits, State, Status
from micro.server.output import Output
from micro.server.process import Process, reap_orphans
from micro.server.signals import SignalQueue

__all__ = ["NAME", "ChildFailed", "Limits", "Process", "State", "Status", "Supervisor"]

NAME = "micro"
"""The name under which the supervisor itself speaks."""

_STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_KILLING_SECONDS = 5
_FLUSHING_SECONDS = 1


class Supervisor:
    """Runs processes until it is told to stop or one of them proves unable to start.

    ``output`` must know the names of all of them and ``NAME``. ``on_ready`` is called once, when all are up.
    """

    def __init__(
        self,
        processes: Iterable[Process],
        output: Output,
        on_ready: Callable[[], None] | None = None,
        limits: Limits | None = None,
    ) -> None:
        self._limits = limits or Limits()
        self._output = output
        self._on_ready = on_ready
        self._signals = SignalQueue((*_STOPPING, signal.SIGCHLD))
        self._guard = Guard(self._limits.grace)
        self._keepers = [
            Keeper(process, self._limits, self._guard, output.line, self._tell) for process in processes
        ]
        self._stop_requests = 0

    def snapshot(self) -> tuple[Status, ...]:
        """Return how each process is."""
        return tuple(keeper.status for keeper in self._keepers)

    def run(self) -> int:
        """Start all, watch them, and stop them on SIGTERM, SIGINT or SIGHUP; a second signal kills them.

        Returns the exit code: 0, or 1 if a process had to be killed. Raises ChildFailed, after stopping the
        others, if one never came up. Only for the main thread.
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

    def _start(self) -> None:
        for order in sorted({keeper.process.start_order for keeper in self._keepers}):
            stage = [keeper for keeper in self._keepers if keeper.process.start_order == order]
            for keeper in stage:
                keeper.launch()
            while not all(keeper.came_up for keeper in stage):
                self._turn()
                if self._stop_requests:
                    return
        if self._on_ready:
            self._on_ready()

    def _stop(self) -> bool:
        for keeper in self._keepers:
            keeper.retire()
        end = time.monotonic() + self._limits.grace
        orderly = True
        for order in sorted({keeper.process.stop_order for keeper in self._keepers}):
            stage = [keeper for keeper in self._keepers if keeper.process.stop_order == order]
            orderly = self._stop_stage(stage, end) and orderly
        return orderly

    def _stop_stage(self, stage: list[Keeper], end: float) -> bool:
        for keeper in stage:
            keeper.ask_to_stop()
        # A stage that used up the grace must not cost the later ones, the broker among them, a clean end.
        deadline = max(end, time.monotonic() + self._limits.least_grace)
        self._wait_for_end(stage, deadline, stop_requests=2)
        left = [keeper for keeper in stage if keeper.child]
        for keeper in left:
            self._tell(f"{keeper.process.name} has not stopped; killing it")
            keeper.kill()
        self._wait_for_end(left, time.monotonic() + _KILLING_SECONDS)
        return not left

    def _wait_for_end(self, stage: list[Keeper], deadline: float, stop_requests: float = math.inf) -> None:
        while any(keeper.child for keeper in stage) and time.monotonic() < deadline:
            if self._stop_requests >= stop_requests:
                return
            self._turn(deadline)

    def _turn(self, deadline: float = math.inf) -> None:
        readable = self._select(deadline)
        for keeper in self._keepers:
            if keeper.fileno() in readable:
                keeper.forward()
        self._output.write()
        for number in self._signals.take():
            self._heed(number)
        for keeper in self._keepers:
            keeper.step()
        if os.getpid() == 1:
            reap_orphans({keeper.child.pid for keeper in self._keepers if keeper.child})

    def _select(self, deadline: float) -> list[int]:
        # While the stream takes no more, the children wait for it as if they wrote to it themselves.
        talking = [] if self._output.full else [keeper.fileno() for keeper in self._keepers]
        reading = [self._signals.fileno(), *(fd for fd in talking if fd is not None)]
        writing = [fd for fd in (self._output.fileno(),) if fd is not None]
        wake = min((deadline, *(keeper.wake_at() for keeper in self._keepers)))
        timeout = None if wake == math.inf else max(0, wake - time.monotonic())
        return select.select(reading, writing, [], timeout)[0]

    def _heed(self, number: int) -> None:
        if number not in _STOPPING:
            return
        self._stop_requests += 1
        name = signal.Signals(number).name
        self._tell(f"{name}: stopping" if self._stop_requests == 1 else f"{name} again: killing")

    def _tell(self, text: str) -> None:
        self._output.line(NAME, text)
