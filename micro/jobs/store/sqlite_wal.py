"""Checkpoints SQLite's write-ahead log, in a way that is safe between processes."""

from __future__ import annotations

import os
import threading
from contextlib import suppress

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

# Bytes.
LONGEST = 16 * 1024 * 1024
# How long a checkpoint waits for a reader that still needs the log; writers wait meanwhile.
_PATIENCE_MS = 500


class WriteAheadLog:
    """The write-ahead log of the database at ``path``, which is checkpointed when it has become long.

    SQLite's automatic checkpoints are not safe before 3.51.3: two of them at the same moment as
    a commit may lose that commit (https://sqlite.org/wal.html#walresetbug). A TRUNCATE checkpoint
    admits no commit meanwhile. ``busy_ms`` is how long other statements wait for a lock.
    """

    def __init__(self, path: str, busy_ms: int) -> None:
        self._path = f"{path}-wal"
        self._busy_ms = busy_ms
        self._bound = LONGEST
        self._at_it = threading.Lock()

    def shorten(self, engine: Engine) -> None:
        """Empty the log if it is long. Errors are ignored: what was committed is safe in the log."""
        if self._size() < self._bound or not self._at_it.acquire(blocking=False):
            return
        try:
            with suppress(SQLAlchemyError):
                self._checkpoint(engine)
            # If a reader held the log, try again only after it has grown by as much once more.
            self._bound = self._size() + LONGEST
        finally:
            self._at_it.release()

    def _checkpoint(self, engine: Engine) -> None:
        with engine.connect() as connection:
            connection.exec_driver_sql(f"PRAGMA busy_timeout = {_PATIENCE_MS}")
            try:
                connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").all()
            finally:
                connection.exec_driver_sql(f"PRAGMA busy_timeout = {self._busy_ms}")

    def _size(self) -> int:
        try:
            return os.stat(self._path).st_size  # noqa: PTH116 - after each statement; a Path costs double
        except OSError:
            return 0
