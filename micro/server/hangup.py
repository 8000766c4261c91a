"""Tells what a SIGHUP means: that the terminal has closed, or that someone asks for something."""

from __future__ import annotations

import os
import signal
from contextlib import suppress


class Hangup:
    """Remembers whether there was a terminal, and whether nohup(1) wished to outlive it."""

    def __init__(self) -> None:
        self._has_terminal = _has_terminal()
        self._outlives = signal.getsignal(signal.SIGHUP) == signal.SIG_IGN

    def closed(self) -> bool:
        """Tell whether the terminal was there and has gone; once."""
        had, self._has_terminal = self._has_terminal, _has_terminal()
        return had and not self._has_terminal

    @property
    def ends(self) -> bool:
        """Whether the process ends with its terminal."""
        return not self._outlives


def _has_terminal() -> bool:
    with suppress(OSError):
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC))
        return True
    return False
