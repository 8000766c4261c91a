"""Runs an event loop in one thread at a time, which makes quick calls itself between two rounds of it."""

from __future__ import annotations

import asyncio
import signal
from asyncio import AbstractEventLoop, Future
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from socket import socket, socketpair
from threading import Event, Lock, Thread, current_thread, main_thread
from time import sleep
from typing import Any

from micro.server.pool import Pool, make

MOMENT = 0.005
"""Seconds after which a call that goes on still has another thread run the loop; it may be twice as many."""


@contextmanager
def _rung_by_signals(bell: socket) -> Iterator[None]:
    """Let each signal wake the main thread, which alone handles them, whichever thread takes it."""
    bell.setblocking(False)
    if current_thread() is not main_thread():
        yield
        return
    before = signal.set_wakeup_fd(bell.fileno(), warn_on_full_buffer=False)
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)


class Leaders:
    """The threads that run a loop in turn: one leads, one watches it.

    To hand a call to another thread, and its result back, costs more than many a call. So the leader
    leaves the loop to make a quick one, and comes back. A call that is not quick after all costs it the
    lead: after a moment the thread that watches takes over the loop, and the call goes on beside it, as it
    would in a pool. (The pattern is known as Leader/Followers: Schmidt et al., 2000.)

    The thread that waits for the end never leads, so that no call keeps the process from ending.
    """

    def __init__(self, loop: AbstractEventLoop) -> None:
        self.loop = loop
        self._calls: deque[tuple[Pool, Callable[[], Any], Future[Any]]] = deque()
        self._lock = Lock()
        self._term = 0
        self._making: Future[Any] | None = None
        self._made = 0
        self._busy = Event()
        self._is_over = False
        self._has_ended = False
        self._error: BaseException | None = None

    def run(self, function: Callable[[], Any], pool: Pool, future: Future[Any] | None = None) -> Future[Any]:
        """Let the leader call the function next, in place of the pool; only for what the loop runs."""
        future = pool.begin(future)
        self._calls.append((pool, function, future))
        # It comes back as soon as the calls are made.
        self.loop.stop()
        return future

    def run_until_complete(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Run the loop until the coroutine ends; return its result, or raise what ended either."""
        self._is_over, self._has_ended, self._error = False, False, None
        task = asyncio.ensure_future(coroutine, loop=self.loop)
        task.add_done_callback(self._end)
        ear, self._bell = socketpair()
        with ear, self._bell, _rung_by_signals(self._bell):
            self._watcher = self._start(self._watch)
            self._start(self._lead, self._term)
            while not self._has_ended:
                ear.recv(1024)
        self._busy.set()
        self._watcher.join()
        if self._error:
            raise self._error
        return task.result()

    def _start(self, target: Callable[..., None], *args: Any) -> Thread:
        thread = Thread(target=target, args=args, name="leader", daemon=True)
        thread.start()
        return thread

    def _end(self, _task: object) -> None:
        self._is_over = True
        self.loop.stop()

    def _lead(self, term: int) -> None:
        """Run the loop, and the calls it brings, to its end, or until another thread leads."""
        try:
            while not self._is_over:
                self.loop.run_forever()
                while self._calls:
                    if not self._make(*self._calls.popleft(), term):
                        return
        except BaseException as err:
            # SystemExit, or what else ends a loop: it is for the thread that waits.
            self._error = err
            self._is_over = True
        self._has_ended = True
        # A signal may have woken it just now, and it may have gone.
        with suppress(OSError):
            self._bell.send(b"\0")

    def _make(self, pool: Pool, function: Callable[[], Any], future: Future[Any], term: int) -> bool:
        """Call the function; tell whether this thread leads still."""
        self._making = future
        self._made += 1
        if not self._busy.is_set():
            self._busy.set()
        outcome = make(function, future)
        with self._lock:
            leads = self._term == term
            if leads:
                self._making = None
        if leads:
            pool.deliver(outcome)
        else:
            pool.deliver_soon(self.loop, outcome)
        return leads

    def _watch(self) -> None:
        """Lead, once the leader has been making the same call for a moment; sleep while none are made."""
        seen, made = self._making, self._made
        while not self._is_over:
            sleep(MOMENT)
            with self._lock:
                is_late = seen is not None and seen is self._making
                if is_late:
                    self._term += 1
                    self._making = None
            if is_late:
                # This frame outlasts the call and all that it holds.
                seen = None
                self._take_over(self._term)
                return
            if made == self._made:
                self._busy.clear()
                # One that is made from now on sets it again.
                if self._making is None and not self._is_over:
                    seen = None
                    self._busy.wait()
            seen, made = self._making, self._made

    def _take_over(self, term: int) -> None:
        self._watcher = self._start(self._watch)
        # They have waited, and may be as long.
        self.loop.call_soon(self._pass_on)
        self._lead(term)

    def _pass_on(self) -> None:
        while self._calls:
            pool, function, future = self._calls.popleft()
            pool.put(function, future)
