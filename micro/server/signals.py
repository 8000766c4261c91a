"""Brings signals to a loop that waits in select(): a descriptor that wakes it and the numbers that came."""

from __future__ import annotations

import os
import signal
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
