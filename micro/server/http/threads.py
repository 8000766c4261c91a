"""A thread pool for one event loop; its threads do not keep the process alive."""

from __future__ import annotations

import asyncio
import logging
from asyncio import AbstractEventLoop, Future
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread
from typing import Any

log = logging.getLogger(__name__)

_Task = tuple[Callable[[], Any], Future[Any]]


class ThreadPool:
    """Up to ``size`` threads, each started when it is first needed.

    The threads of `concurrent.futures` are joined when the interpreter exits, so a run that outlasts the
    graceful shutdown would keep the process. These are daemon threads.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._threads: list[Thread] = []
        self._tasks: SimpleQueue[_Task | None] = SimpleQueue()
        self._unfinished = 0
        self._all_finished: Future[None] | None = None

    @property
    def is_full(self) -> bool:
        """Return True if functions wait for a thread."""
        return self._unfinished > self.size

    def run(self, function: Callable[[], Any]) -> Future[Any]:
        """Call the function in a thread; it is called even if the future is cancelled."""
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        self._unfinished += 1
        if self._unfinished > len(self._threads) < self.size:
            self._start_thread(loop)
        self._tasks.put((function, future))
        return future

    async def close(self, deadline: float | None = None) -> bool:
        """Wait until all functions have returned, then end the threads; return False at the deadline.

        The deadline is a time of the event loop, in seconds; without one the wait has no limit.
        """
        if self._unfinished:
            self._all_finished = asyncio.get_running_loop().create_future()
            with suppress(TimeoutError):
                async with asyncio.timeout_at(deadline):
                    await self._all_finished
        for _ in self._threads:
            self._tasks.put(None)
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

    def _work(self, loop: AbstractEventLoop) -> None:
        while task := self._tasks.get():
            function, future = task
            result, error = _call(function)
            # The loop is closed when the function has outlasted the shutdown.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(self._finish, future, result, error)
            # An idle thread must not keep the objects of its last task alive.
            del task, function, future, result, error

    def _finish(self, future: Future[Any], result: Any, error: BaseException | None) -> None:
        self._unfinished -= 1
        if future.done():
            if error:
                log.error("A call failed after its client had disconnected", exc_info=error)
        elif error:
            future.set_exception(error)
        else:
            future.set_result(result)
        if not self._unfinished and self._all_finished and not self._all_finished.done():
            self._all_finished.set_result(None)


def _call(function: Callable[[], Any]) -> tuple[Any, BaseException | None]:
    try:
        return function(), None
    except BaseException as err:
        return None, err
