"""Distinguishes the two meanings of SIGHUP: the terminal has closed, or the user asks for a reload."""

from __future__ import annotations

import os
import signal
from contextlib import suppress


class Hangup:
    """Remembers whether the process has a terminal, and whether it was started by nohup(1)."""

    def __init__(self) -> None:
        self._has_terminal = _has_terminal()
        self._outlives = signal.getsignal(signal.SIGHUP) == signal.SIG_IGN

    def closed(self) -> bool:
        """Return True if the terminal has closed since the last call."""
        had, self._has_terminal = self._has_terminal, _has_terminal()
        return had and not self._has_terminal

    @property
    def ends(self) -> bool:
        """True if the process is to end when its terminal closes, so unless nohup(1) started it."""
        return not self._outlives


def _has_terminal() -> bool:
    with suppress(OSError):
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC))
        return True
    return False
