"""Runs functions in threads for an event loop, and wakes as few of them, and it as seldom, as will do."""

from __future__ import annotations

import asyncio
import logging
from asyncio import AbstractEventLoop, Future
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from threading import Lock, Thread
from typing import Any

log = logging.getLogger(__name__)

Outcome = tuple[Future[Any], Any, BaseException | None]


def make(function: Callable[[], Any], future: Future[Any]) -> Outcome:
    """Call the function, whatever it raises."""
    try:
        return future, function(), None
    except BaseException as err:
        return future, None, err


class Pool:
    """Up to ``size`` threads, each started when it is first needed; one event loop uses them.

    They are daemons, so that a run which outlasts the time to stop cannot keep the process.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._threads: list[Thread] = []
        self._jobs: deque[tuple[Callable[[], Any], Future[Any]]] = deque()
        self._finished: deque[Outcome] = deque()
        self._unfinished = 0
        self._all_finished: Future[None] | None = None
        # The locks that idle threads wait for. The last is woken first: its memory is still in the caches.
        self._idle: list[Lock] = []
        self._one_is_waking = False
        self._loop_is_waking = False
        self._closed = False

    def run(self, function: Callable[[], Any]) -> Future[Any]:
        """Call the function in a thread; it is called even if the future is cancelled."""
        future = self.begin()
        self.put(function, future)
        return future

    def begin(self, future: Future[Any] | None = None) -> Future[Any]:
        """Return the future of a call that ``close`` is to wait for; its outcome must be delivered."""
        self._unfinished += 1
        return asyncio.get_running_loop().create_future() if future is None else future

    def put(self, function: Callable[[], Any], future: Future[Any]) -> None:
        """Call the function in a thread, for a future that ``begin`` returned."""
        self._jobs.append((function, future))
        if self._unfinished > len(self._threads) < self.size:
            self._start_thread(future.get_loop())
        self._wake_one()

    async def close(self, deadline: float | None = None) -> bool:
        """Wait until all functions have returned, then end the threads; tell whether they did in time.

        The deadline is a time of the event loop.
        """
        if self._unfinished:
            self._all_finished = asyncio.get_running_loop().create_future()
            with suppress(TimeoutError):
                async with asyncio.timeout_at(deadline):
                    await self._all_finished
        self._closed = True
        while self._idle:
            self._idle.pop().release()
        if self._unfinished:
            return False
        for thread in self._threads:
            thread.join()
        return True

    def _start_thread(self, loop: AbstractEventLoop) -> None:
        name = f"pool-{len(self._threads) + 1}"
        thread = Thread(target=self._work, args=(loop,), name=name, daemon=True)
        thread.start()
        self._threads.append(thread)

    def _wake_one(self) -> None:
        """Wake a thread, unless one that was woken has yet to come for a job: it will wake the next.

        So threads that block have company at once, while short calls are not fought over by a crowd of
        which only one thread can run at a time.
        """
        if self._idle and not self._one_is_waking:
            with suppress(IndexError):
                wake = self._idle.pop()
                self._one_is_waking = True
                wake.release()

    def _work(self, loop: AbstractEventLoop) -> None:
        wake = Lock()
        wake.acquire()
        while True:
            try:
                function, future = self._jobs.popleft()
            except IndexError:
                if self._wait(wake):
                    continue
                return
            if self._jobs:
                self._wake_one()
            outcome = make(function, future)
            self.deliver_soon(loop, outcome)
            # A thread that waits must not keep what it has worked on.
            del function, future, outcome

    def _wait(self, wake: Lock) -> bool:
        """Sleep until there may be a job; tell whether there may be another."""
        self._idle.append(wake)
        # Whoever brought a job, or closed, before this thread was known to be idle, did not wake it.
        if self._jobs:
            self._wake_one()
        if not self._closed:
            wake.acquire()
        self._one_is_waking = False
        return not self._closed

    def deliver_soon(self, loop: AbstractEventLoop, outcome: Outcome) -> None:
        """Let the loop deliver the outcome of a call that was made in some thread."""
        self._finished.append(outcome)
        # Waking the loop costs a system call, in which this thread gives up the interpreter.
        if not self._loop_is_waking:
            self._loop_is_waking = True
            # The loop is closed when a run has outlasted it.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(self._deliver_finished)

    def _deliver_finished(self) -> None:
        self._loop_is_waking = False
        while self._finished:
            self.deliver(self._finished.popleft())

    def deliver(self, outcome: Outcome) -> None:
        """Tell the future how its call ended; only for the thread that runs the loop."""
        future, result, error = outcome
        self._unfinished -= 1
        if future.done():
            if error:
                log.error("A call failed whose client had left", exc_info=error)
        elif error:
            future.set_exception(error)
        else:
            future.set_result(result)
        if not self._unfinished and self._all_finished and not self._all_finished.done():
            self._all_finished.set_result(None)
