"""Keeps the write-ahead log of SQLite short, in a way that no two processes can spoil."""

from __future__ import annotations

import os
import threading
from contextlib import suppress

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

LONGEST = 16 * 1024 * 1024
# How long writers may have to wait because some reader does not let the log go.
_PATIENCE_MS = 500


class WriteAheadLog:
    """Copies the log of the database at ``path`` into the database when it has become long.

    SQLite would do it by itself, but not safely before 3.51.3: two such checkpoints at the
    same moment as a commit may lose that commit (https://sqlite.org/wal.html#walresetbug).
    A TRUNCATE checkpoint lets nobody commit meanwhile. ``busy_ms`` is how long statements
    on other occasions wait for a lock.
    """

    def __init__(self, path: str, busy_ms: int) -> None:
        self._path = f"{path}-wal"
        self._busy_ms = busy_ms
        self._bound = LONGEST
        self._at_it = threading.Lock()

    def shorten(self, engine: Engine) -> None:
        """Empty the log if it is long. Nothing is raised: what was committed is safe in it."""
        if self._size() < self._bound or not self._at_it.acquire(blocking=False):
            return
        try:
            with suppress(SQLAlchemyError):
                self._checkpoint(engine)
            # As long as a reader holds it, it is tried again only now and then.
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
