"""The connection to the job table's database: SQLite or PostgreSQL, threads, forks, outages."""

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
from micro.jobs import schema
from micro.jobs.forks import ForkGate
from micro.jobs.wal import WriteAheadLog
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
# A server that vanishes without a word is noticed in about ten seconds, not in two hours.
_POSTGRESQL = {
    "connect_timeout": 3,
    "application_name": "micro",
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}


class now(FunctionElement[float]):  # noqa: N801 - reads as the SQL function that it is
    """The database's clock, in seconds since the epoch: many machines, one time."""

    type = Double()
    inherit_cache = True


@compiles(now, "sqlite")
def _now_sqlite(*_args: Any, **_kw: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"


# Not clock_timestamp(): that one is volatile, and no index is used to compare with it.
@compiles(now, "postgresql")
def _now_postgresql(*_args: Any, **_kw: Any) -> str:
    return "CAST(extract(epoch FROM statement_timestamp()) AS DOUBLE PRECISION)"


class Database:
    """Connections to one database, safe to share by threads and to carry through a fork.

    Making one connects to nothing. The tables are created or upgraded by the first use in
    each process, and looked at again after every failure.
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
        # Idle connections are closed with it, or as the process ends, also where nobody calls close(): Python
        # 3.13 warns of others, and only who closes the last one empties the log of SQLite into its database.
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
        """Yield a connection in one transaction that writes: all of it is kept, or nothing."""
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
            # One writer at a time anyway: threads wait better here than inside SQLite.
            options |= {"pool_size": 3, "max_overflow": 0}
            engine = create_engine(self.url, connect_args={"timeout": _BUSY_SECONDS}, **options)
            # Not a method: the engine must not keep this object.
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
                f"The job store {self.name} does not answer as it should: {_reason(err)}. "
                "See that it runs and can be reached, then try again."
            ) from err

    def _prepare(self) -> None:
        if self._prepared and self._file == self._identity():
            return
        with self._preparing:
            if self._file and self._file != self._identity():
                # What is written to a file that was moved away nobody finds.
                log.warning("The job table %s was moved or replaced; what is there now is used", self.name)
                self._engine.dispose()
            if self.is_sqlite:
                self._create_file()
            with self._engine.connect() as connection:
                if not schema.check_version(schema.installed_version(connection)):
                    self._migrate(connection)
            self._file = self._identity()
            self._prepared = True

    def _identity(self) -> tuple[int, int] | None:
        """Tell which file it is, if it is one and there."""
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
        """Create the file for its owner only: it holds what callers sent, secrets among it."""
        path = Path(self.url.database or "")
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            _create_empty(path)
        deadline = time.monotonic() + _BUSY_SECONDS
        while not self._use_log(last_try=time.monotonic() >= deadline):
            time.sleep(_BUSY_PAUSE)

    def _use_log(self, *, last_try: bool) -> bool:
        """Let the file have a write-ahead log; to ask while another does is refused without a wait."""
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
    """Create a file under another name first, so that this process never closes the database's own.

    Who closes a file loses all locks on it, those of SQLite's connections in other threads too, and others
    then take the log for their own (https://sqlite.org/howtocorrupt.html#_posix_advisory_locks_canceled).
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
        # Not chained: the text that could not be read may hold a password.
        raise ConfigError(f"The job store's URL cannot be read. Expected {_ACCEPTED}.") from None
    driver = _DRIVERS.get(url.drivername)
    if driver is None:
        raise ConfigError(f"No job store speaks {url.drivername!r}. Expected {_ACCEPTED}.")
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
    # Absolute, since a daemon leaves the folder it was started in.
    return url.set(database=str(Path(url.database).absolute()), query={}), synchronous


def _reason(err: SQLAlchemyError | OSError) -> str:
    """Return the driver's own sentence; SQLAlchemy's would quote the whole statement."""
    cause: BaseException = err.orig or err if isinstance(err, DBAPIError) else err
    return " ".join(str(cause).split()).rstrip(".") or type(cause).__name__
