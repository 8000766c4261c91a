"""Connections to the job table's database, SQLite or PostgreSQL, across threads, forks and outages."""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Double, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError, SQLAlchemyError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from micro.errors import ConfigError, StoreUnavailable
from micro.jobs.store import schema
from micro.jobs.store.fork_safety import ForkGate
from micro.jobs.store.sqlite_wal import WriteAheadLog
from micro.runtime.files import create_whole

log = logging.getLogger(__name__)

_DRIVERS = {
    "sqlite": "sqlite+pysqlite",
    "sqlite+pysqlite": "sqlite+pysqlite",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
}
_ACCEPTED = (
    "sqlite:///relative/path, sqlite:////absolute/path (with ?synchronous=full if wanted) "
    "or postgresql://user:password@host:5432/database"
)
_BUSY_SECONDS = 10
_BUSY_PAUSE = 0.01
_OLDEST_SQLITE = (3, 35)  # the first with RETURNING
# A server that vanishes without closing its connections is noticed in about ten seconds, not in two hours.
_POSTGRESQL = {
    "connect_timeout": 3,
    "application_name": "micro",
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}


class now(FunctionElement[float]):  # noqa: N801 - reads as the SQL function that it is
    """The database's clock, in seconds since the epoch: all machines share it."""

    type = Double()
    inherit_cache = True


@compiles(now, "sqlite")
def _now_sqlite(*_args: Any, **_kw: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"


# Not clock_timestamp(): that is volatile, so PostgreSQL would use no index for a comparison with it.
@compiles(now, "postgresql")
def _now_postgresql(*_args: Any, **_kw: Any) -> str:
    return "CAST(extract(epoch FROM statement_timestamp()) AS DOUBLE PRECISION)"


class Database:
    """Connections to one database, safe to share between threads and across a fork.

    The constructor connects to nothing. The first use in each process creates or upgrades the
    tables, and so does the first use after a failure. Raises ConfigError for a URL that is not
    accepted, and StoreUnavailable while the database does not answer.
    """

    def __init__(self, url: str) -> None:
        self.url, self._synchronous = _parse(url)
        self.name = self.url.set(query={}).render_as_string(hide_password=True)
        self._engine = self._make_engine()
        self._begin = "BEGIN IMMEDIATE" if self.is_sqlite else "BEGIN"
        self._log = WriteAheadLog(self.url.database or "", _BUSY_SECONDS * 1000) if self.is_sqlite else None
        self._prepared = False
        self._file: tuple[int, int] | None = None
        self._preparing = threading.Lock()
        self._gate = ForkGate(close=self._engine.dispose, forget=self._after_fork)
        # Close idle connections when this object is collected or the process exits, even if close() is never
        # called. Python 3.13 warns about connections left open, and SQLite empties its log into the database
        # when the last connection closes.
        weakref.finalize(self, self._engine.dispose)

    @property
    def is_sqlite(self) -> bool:
        return self.url.get_backend_name() == "sqlite"

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """Yield a connection on which each statement is a transaction of its own."""
        with self._gate, self._translated():
            self._prepare()
            with self._engine.connect() as connection:
                yield connection
            if self._log:
                self._log.shorten(self._engine)

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Yield a connection in one transaction that may write: all of it is committed, or nothing."""
        with self.connect() as connection, connection.begin():
            connection.exec_driver_sql(self._begin)
            yield connection

    def close(self) -> None:
        """Close every connection; the next use opens new ones."""
        self._engine.dispose()

    def _make_engine(self) -> Engine:
        options: dict[str, Any] = {"isolation_level": "AUTOCOMMIT", "hide_parameters": True}
        options["pool_timeout"] = _BUSY_SECONDS
        if self.is_sqlite:
            # SQLite has one writer at a time. Threads wait for a connection here instead of polling its lock.
            options |= {"pool_size": 3, "max_overflow": 0}
            engine = create_engine(self.url, connect_args={"timeout": _BUSY_SECONDS}, **options)
            # Not a method: the finalizer keeps the engine alive, so the engine must not refer to this object.
            event.listen(engine, "connect", partial(_set_up_sqlite, self._synchronous))
            return engine
        options |= {"pool_size": 5, "max_overflow": 20, "pool_pre_ping": True}
        connect_args = {name: value for name, value in _POSTGRESQL.items() if name not in self.url.query}
        try:
            return create_engine(self.url, connect_args=connect_args, **options)
        except ImportError as err:
            raise ConfigError(
                f"The job store {self.name} needs the PostgreSQL driver psycopg, which cannot be "
                f'imported ({err}). Install it: pip install "Micro[postgresql]"'
            ) from err

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (SQLAlchemyError, OSError) as err:
            self._prepared = False
            raise StoreUnavailable(
                f"The job store {self.name} is not available: {_reason(err)}. "
                "Check that it runs and can be reached, then try again."
            ) from err

    def _prepare(self) -> None:
        if self._prepared and self._file == self._identity():
            return
        with self._preparing:
            if self._file and self._file != self._identity():
                # Close connections to the old file: nobody would find what is written to it.
                log.warning(
                    "The file of the job table %s was moved or replaced; using the new file", self.name
                )
                self._engine.dispose()
            if self.is_sqlite:
                self._create_file()
            with self._engine.connect() as connection:
                if not schema.check_version(schema.installed_version(connection)):
                    self._migrate(connection)
            self._file = self._identity()
            self._prepared = True

    def _identity(self) -> tuple[int, int] | None:
        """Return device and inode of SQLite's file; None if it does not exist, and for PostgreSQL."""
        if not self.is_sqlite:
            return None
        try:
            found = os.stat(self.url.database or "")  # noqa: PTH116 - before each use; a Path costs double
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def _migrate(self, connection: Connection) -> None:
        connection.rollback()
        with connection.begin():
            connection.exec_driver_sql(self._begin)
            schema.migrate(connection)

    def _create_file(self) -> None:
        """Create SQLite's file, for its owner only: it holds what callers sent, including secrets."""
        path = Path(self.url.database or "")
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            _create_empty(path)
        deadline = time.monotonic() + _BUSY_SECONDS
        while not self._use_log(last_try=time.monotonic() >= deadline):
            time.sleep(_BUSY_PAUSE)

    def _use_log(self, *, last_try: bool) -> bool:
        """Turn on the write-ahead log; return False if another process does so now: SQLite does not wait."""
        try:
            with self._engine.connect() as connection:
                connection.exec_driver_sql("PRAGMA journal_mode = WAL")
        except OperationalError as err:
            if last_try or getattr(err.orig, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            return False
        return True

    def _after_fork(self) -> None:
        self._preparing = threading.Lock()
        self._engine.dispose(close=False)


def _create_empty(path: Path) -> None:
    """Create a file under another name and link it, so that this process never closes the database file.

    Closing a file drops all locks that the process holds on it, including those of SQLite's connections in
    other threads. Other processes could then corrupt the database
    (https://sqlite.org/howtocorrupt.html#_posix_advisory_locks_canceled).
    """
    create_whole(path)


def _set_up_sqlite(synchronous: str, connection: sqlite3.Connection, _record: object) -> None:
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute(f"PRAGMA synchronous = {synchronous}")
    connection.execute("PRAGMA wal_autocheckpoint = 0")


def _parse(text: str) -> tuple[URL, str]:
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        # Not chained: the original error quotes the URL, which may hold a password.
        raise ConfigError(f"The job store's URL cannot be read. Expected {_ACCEPTED}.") from None
    driver = _DRIVERS.get(url.drivername)
    if driver is None:
        raise ConfigError(f"Unknown scheme {url.drivername!r} in the job store's URL. Expected {_ACCEPTED}.")
    url = url.set(drivername=driver)
    return _parse_sqlite(url) if driver.startswith("sqlite") else (url, "")


def _parse_sqlite(url: URL) -> tuple[URL, str]:
    options = dict(url.query)
    synchronous = str(options.pop("synchronous", "normal")).lower()
    name = url.render_as_string(hide_password=True)
    if synchronous not in {"normal", "full"} or options:
        raise ConfigError(f"The job store {name} has an option that is not known. Expected {_ACCEPTED}.")
    if url.host or not url.database or url.database.startswith((":memory:", "file:")):
        raise ConfigError(f"The job store {name} names no file. Expected {_ACCEPTED}.")
    if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
        raise ConfigError(
            f"The job store needs SQLite 3.35 or newer, this Python has {sqlite3.sqlite_version}. "
            "Use another Python, or PostgreSQL: MICRO_JOBS_URL=postgresql://..."
        )
    # Absolute, because a daemon changes its working directory.
    return url.set(database=str(Path(url.database).absolute()), query={}), synchronous


def _reason(err: SQLAlchemyError | OSError) -> str:
    """Return the driver's own message; SQLAlchemy's would quote the whole statement."""
    cause: BaseException = err.orig or err if isinstance(err, DBAPIError) else err
    return " ".join(str(cause).split()).rstrip(".") or type(cause).__name__
