"""Runs functions in threads for an event loop, which is woken once for all that have finished."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread
from typing import Any

log = logging.getLogger(__name__)


class Pool:
    """Up to ``size`` threads, each started when it is first needed; one event loop uses them.

    They are daemons, so that a run which outlasts the time to stop cannot keep the process.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._threads: list[Thread] = []
        self._jobs: SimpleQueue[tuple[Callable[[], Any], asyncio.Future[Any]] | None] = SimpleQueue()
        self._finished: deque[tuple[asyncio.Future[Any], Any, BaseException | None]] = deque()
        self._unfinished = 0
        self._loop_is_woken = False
        self._all_finished: asyncio.Future[None] | None = None

    def run(self, function: Callable[[], Any]) -> asyncio.Future[Any]:
        """Call the function in a thread; cancelling the future does not keep it from being called."""
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        self._unfinished += 1
        if self._unfinished > len(self._threads) < self.size:
            self._start_thread(loop)
        self._jobs.put((function, future))
        return future

    async def close(self, deadline: float | None = None) -> bool:
        """Wait until all functions have returned, then end the threads; tell whether they did in time.

        The deadline is a time of the event loop.
        """
        if self._unfinished:
            self._all_finished = asyncio.get_running_loop().create_future()
            with suppress(TimeoutError):
                async with asyncio.timeout_at(deadline):
                    await self._all_finished
        for _ in self._threads:
            self._jobs.put(None)
        if self._unfinished:
            return False
        for thread in self._threads:
            thread.join()
        return True

    def _start_thread(self, loop: asyncio.AbstractEventLoop) -> None:
        name = f"pool-{len(self._threads) + 1}"
        thread = Thread(target=self._work, args=(loop,), name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _work(self, loop: asyncio.AbstractEventLoop) -> None:
        while job := self._jobs.get():
            function, future = job
            result, error = None, None
            try:
                result = function()
            except BaseException as err:
                error = err
            self._finished.append((future, result, error))
            # Waking the loop costs a system call, in which this thread gives up the interpreter.
            if not self._loop_is_woken:
                self._loop_is_woken = True
                # The loop is closed when this run has outlasted it.
                with suppress(RuntimeError):
                    loop.call_soon_threadsafe(self._deliver)
            # A thread that waits must not keep what it has worked on.
            del job, function, future, result, error

    def _deliver(self) -> None:
        self._loop_is_woken = False
        while self._finished:
            future, result, error = self._finished.popleft()
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
