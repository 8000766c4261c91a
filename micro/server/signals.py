"""Brings signals to a loop that waits in select(), and keeps handlers of a server from what its runs fork."""

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
    """Collects signals while it is entered, only in the main thread; afterwards they do what they did before.

    SIGHUP stays ignored where it is, as nohup(1) wishes, but for one who heeds that too.
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
        """Return the descriptor that becomes readable when a signal comes."""
        return self._reader

    def take(self) -> list[int]:
        """Return the signals that came since the last time, in their order."""
        # The pipe is emptied first: a signal in between wakes the loop once too often, never too seldom.
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
    """Let the signals do in a process that a run forks what they do in any other: as a rule, end it.

    The handlers that this process has now would do nothing there, as no loop runs that could heed them, and
    ``terminate()`` of `multiprocessing` be in vain. Those that a plugin sets later are its own to carry over.
    """
    # Not the handlers themselves: a hook at fork keeps what it knows beyond the end of everything else.
    ours = {each: weakref.ref(handler) for each in numbers if callable(handler := signal.getsignal(each))}
    here = threading.local()

    # Until the handlers are gone a signal waits; else it would be lost in the child.
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
        # Not before: a hook at fork may raise no KeyboardInterrupt.
        if signal.SIGINT in gone:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    os.register_at_fork(before=block, after_in_parent=unblock, after_in_child=forget)
