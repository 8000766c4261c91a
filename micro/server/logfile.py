"""The log file: begun anew when it is moved away or grows too large, and no reason to stop serving."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from logging.handlers import RotatingFileHandler
from pathlib import Path

from micro.errors import ConfigError, one_line

BACKUPS = 5
"""How many full log files are kept beside the current one: ``micro.log.1`` is the latest."""


class LogFile(RotatingFileHandler):
    """Writes records to a file, which begins anew beyond ``max_size`` bytes, 0 for never.

    ``tell`` is told, once, when it cannot be written, and when it can again; ``fail`` is told of the former
    alone. Raises ConfigError where it cannot from the start.
    """

    def __init__(
        self,
        path: Path,
        max_size: int,
        tell: Callable[[str], None],
        fail: Callable[[str], None] = lambda reason: None,
    ) -> None:
        try:
            super().__init__(path, maxBytes=max_size, backupCount=BACKUPS, encoding="utf-8")
        except OSError as err:
            raise ConfigError(
                f"The log file '{path}' cannot be written ({err.strerror}); name another with -ln, or its"
                " folder with -lp."
            ) from err
        self._path = path
        self._tell = tell
        self._fail = fail
        self._problem = ""
        self._told = False

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record; what goes wrong is told once, and raises nothing."""
        if self._is_elsewhere():
            self.reopen()
        self._problem = ""
        super().emit(record)
        # Noted before it is told, as who is told may log in turn.
        told, self._told = self._told, bool(self._problem)
        if self._told and not told:
            problem = f"'{self._path}' cannot be written ({self._problem})"
            self._tell(f"The log file {problem}; serving goes on")
            self._fail(problem)
        elif told and not self._told:
            self._tell(f"The log file '{self._path}' can be written again")

    def reopen(self) -> None:
        """Let go of the file; the next record opens the one that has its name then."""
        stream, self.stream = self.stream, None
        # What is still in its buffer may fail once more.
        with suppress(OSError):
            if stream:
                stream.close()

    def doRollover(self) -> None:  # noqa: N802
        """Begin anew; where the folder allows no other name for the file, it grows on."""
        with suppress(OSError):
            super().doRollover()

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Note what went wrong, where logging would print a traceback for every record."""
        err = sys.exception()
        self._problem = getattr(err, "strerror", None) or (one_line(err) if err else "unknown")
        self.reopen()

    def _is_elsewhere(self) -> bool:
        """Tell whether the file was moved or removed, as logrotate does."""
        if self.stream is None:
            return False
        try:
            return not os.path.samestat(self._path.stat(), os.fstat(self.stream.fileno()))
        except OSError:
            return True
