"""Signal handling: a queue of signals for a select() loop, and default handlers in forked child processes."""

from __future__ import annotations

import os
import signal
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from types import FrameType
from typing import Any


class SignalQueue:
    """Queues signals while the context is active, and restores their handlers afterwards. Main thread only.

    An ignored SIGHUP (as under nohup(1)) stays ignored, unless ``heed_ignored`` is true.
    """

    def __init__(self, numbers: Iterable[signal.Signals], *, heed_ignored: bool = False) -> None:
        self._numbers = tuple(numbers)
        self._heed_ignored = heed_ignored
        self._came: deque[int] = deque()
        self._before: dict[signal.Signals, Callable[..., Any] | int | None] = {}

    def __enter__(self) -> SignalQueue:
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)
        self._wakeup_before = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        for number in self._numbers:
            if self._heed_ignored or number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._remember)
        return self

    def __exit__(self, *exc: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler or signal.SIG_DFL)
        signal.set_wakeup_fd(self._wakeup_before)
        os.close(self._reader)
        os.close(self._writer)

    def fileno(self) -> int:
        """Return the file descriptor that becomes readable when a signal arrives."""
        return self._reader

    def take(self) -> list[int]:
        """Return the signals that have arrived since the last call, in order."""
        # Empty the pipe before the queue: a signal in between then wakes the loop again, and is not missed.
        with suppress(BlockingIOError):
            while os.read(self._reader, 4096):
                pass
        taken = []
        while self._came:
            taken.append(self._came.popleft())
        return taken

    def _remember(self, number: int, _frame: FrameType | None) -> None:
        self._came.append(number)


def keep_from_children(numbers: Iterable[signal.Signals]) -> None:
    """Reset the current handlers of these signals in every process that a run forks.

    The server's handlers only notify its loop, which does not run in such a process: SIGTERM, and so
    ``terminate()`` of `multiprocessing`, would have no effect. Handlers that a plugin sets later are kept.
    """
    # Weak references, as fork hooks can never be removed and would keep the handlers' objects alive.
    ours = {each: weakref.ref(handler) for each in numbers if callable(handler := signal.getsignal(each))}
    here = threading.local()

    # Block the signals during the fork, until the handlers are reset: else one could get lost in the child.
    def block() -> None:
        here.mask = signal.pthread_sigmask(signal.SIG_BLOCK, ours)

    def unblock() -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, here.mask)

    def forget() -> None:
        signal.set_wakeup_fd(-1)
        gone = [number for number, handler in ours.items() if signal.getsignal(number) is handler()]
        for number in gone:
            signal.signal(number, signal.SIG_DFL)
        unblock()
        # Set last, as a pending SIGINT would raise KeyboardInterrupt here: Python only prints exceptions of
        # fork hooks, so the signal would be lost.
        if signal.SIGINT in gone:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    os.register_at_fork(before=block, after_in_parent=unblock, after_in_child=forget)
