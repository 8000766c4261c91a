"""The log file: reopened when it is moved, rotated by size, and never a reason to stop serving."""

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
"""The number of rotated log files that are kept: ``micro.log.1`` is the newest."""


class LogFile(RotatingFileHandler):
    """A logging handler that rotates its file at ``max_size`` bytes (0: never) and survives a full disk.

    ``tell(message)`` is called once when the file cannot be written, and once when it can be written again;
    ``fail(reason)`` only in the first case. Raises ConfigError if the file cannot be opened at first.
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
        """Write the record. Raises nothing; reports an error only if the previous write succeeded."""
        if self._is_elsewhere():
            self.reopen()
        self._problem = ""
        super().emit(record)
        # Update the state before the callbacks, as they may log and so call this method again.
        told, self._told = self._told, bool(self._problem)
        if self._told and not told:
            problem = f"'{self._path}' cannot be written ({self._problem})"
            self._tell(f"The log file {problem}; serving goes on")
            self._fail(problem)
        elif told and not self._told:
            self._tell(f"The log file '{self._path}' can be written again")

    def reopen(self) -> None:
        """Close the file. The next record opens the file that has its name then."""
        stream, self.stream = self.stream, None
        # close() flushes the buffer, which may fail again.
        with suppress(OSError):
            if stream:
                stream.close()

    def doRollover(self) -> None:  # noqa: N802
        """Rotate the file. If the folder does not allow that, go on with the same file."""
        with suppress(OSError):
            super().doRollover()

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Remember the error. The default implementation would print a traceback for every record."""
        err = sys.exception()
        self._problem = getattr(err, "strerror", None) or (one_line(err) if err else "unknown")
        self.reopen()

    def _is_elsewhere(self) -> bool:
        """Return True if the file was moved or removed, as logrotate does."""
        if self.stream is None:
            return False
        try:
            return not os.path.samestat(self._path.stat(), os.fstat(self.stream.fileno()))
        except OSError:
            return True
