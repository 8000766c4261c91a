"""The tables of the job store, and the versioned SQL that creates and upgrades them."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Double,
    Integer,
    MetaData,
    Table,
    Text,
    inspect,
    text,
)

from micro.errors import ConfigError

metadata = MetaData()

# Times are seconds since the epoch, by the database's clock. Long columns come last, so that
# SQLite finds the other columns on the row's first page.
jobs = Table(
    "micro_jobs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("plugin", Text, nullable=False),
    Column("queue", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("created", Double, nullable=False),
    Column("run_after", Double, nullable=False),
    Column("started", Double),
    Column("finished", Double),
    # When a sweep must handle the job: to publish a queued one (again), or when a running one's lease ends.
    Column("due", Double),
    Column("worker", Text),
    Column("attempt", Integer, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("lost", Integer, nullable=False),
    # How often sweeps have published the queued job; the wait before the next time grows with it.
    Column("told", Integer, nullable=False),
    Column("cancel_requested", Boolean, nullable=False),
    Column("timeout", Double),
    # Numbers of events: the newest of all, the newest state, the newest progress report.
    Column("last_event", Integer, nullable=False),
    Column("state_event", Integer, nullable=False),
    Column("progress_event", Integer, nullable=False),
    Column("log_lines", Integer, nullable=False),
    Column("done", Double),
    Column("total", Double),
    Column("message", Text),
    Column("idempotency_key", Text),
    Column("fingerprint", Text),
    Column("parent", Text),
    Column("transport", Text),
    Column("request_id", Text),
    Column("traceparent", Text),
    Column("generation", Text),
    Column("error", Text),
    Column("shown", Text),
    Column("params", Text, nullable=False),
    Column("result", Text),
)

logs = Table(
    "micro_job_log",
    metadata,
    Column("job", Text, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("time", Double, nullable=False),
    Column("level", Text, nullable=False),
    Column("line", Text, nullable=False),
)

leases = Table(
    "micro_leases",
    metadata,
    Column("name", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("until", Double, nullable=False),
)

# One tuple of statements for each version of the tables. Never edit a released one; append another.
# {key} is the collation that compares bytes, {clustered} stores a table in the order of its key.
STEPS: tuple[tuple[str, ...], ...] = (
    (
        """
        CREATE TABLE micro_jobs (
            id TEXT COLLATE {key} PRIMARY KEY,
            plugin TEXT COLLATE {key} NOT NULL,
            queue TEXT NOT NULL,
            state TEXT COLLATE {key} NOT NULL,
            created DOUBLE PRECISION NOT NULL,
            run_after DOUBLE PRECISION NOT NULL,
            started DOUBLE PRECISION,
            finished DOUBLE PRECISION,
            due DOUBLE PRECISION,
            worker TEXT,
            attempt INTEGER NOT NULL,
            attempts INTEGER NOT NULL,
            lost INTEGER NOT NULL,
            told INTEGER NOT NULL,
            cancel_requested BOOLEAN NOT NULL,
            timeout DOUBLE PRECISION,
            last_event INTEGER NOT NULL,
            state_event INTEGER NOT NULL,
            progress_event INTEGER NOT NULL,
            log_lines INTEGER NOT NULL,
            done DOUBLE PRECISION,
            total DOUBLE PRECISION,
            message TEXT,
            idempotency_key TEXT,
            fingerprint TEXT,
            parent TEXT,
            transport TEXT,
            request_id TEXT,
            traceparent TEXT,
            generation TEXT,
            error TEXT,
            shown TEXT,
            params TEXT NOT NULL,
            result TEXT,
            CHECK (state IN ('queued', 'running', 'succeeded', 'failed', 'cancelled'))
        )
        """,
        "CREATE INDEX micro_jobs_by_due ON micro_jobs (due) WHERE due IS NOT NULL",
        "CREATE INDEX micro_jobs_active ON micro_jobs (id) WHERE due IS NOT NULL",
        "CREATE INDEX micro_jobs_by_state ON micro_jobs (state, id, finished) WHERE finished IS NOT NULL",
        "CREATE INDEX micro_jobs_by_plugin ON micro_jobs (plugin, state, id) WHERE finished IS NOT NULL",
        """
        CREATE UNIQUE INDEX micro_jobs_by_key ON micro_jobs (idempotency_key)
        WHERE idempotency_key IS NOT NULL
        """,
        """
        CREATE TABLE micro_job_log (
            job TEXT COLLATE {key} NOT NULL REFERENCES micro_jobs (id) ON DELETE CASCADE,
            number INTEGER NOT NULL,
            time DOUBLE PRECISION NOT NULL,
            level TEXT NOT NULL,
            line TEXT NOT NULL,
            PRIMARY KEY (job, number)
        ) {clustered}
        """,
        """
        CREATE TABLE micro_leases (
            name TEXT PRIMARY KEY,
            owner TEXT NOT NULL,
            until DOUBLE PRECISION NOT NULL
        )
        """,
    ),
    # With these indexes a long queue is counted, and searched for a plugin, without reading its rows.
    (
        "DROP INDEX micro_jobs_by_due",
        "DROP INDEX micro_jobs_active",
        "CREATE INDEX micro_jobs_by_due ON micro_jobs (due, state, queue) WHERE due IS NOT NULL",
        "CREATE INDEX micro_jobs_active ON micro_jobs (id, plugin) WHERE due IS NOT NULL",
    ),
)
LATEST = len(STEPS)

WORDS = {
    "sqlite": {"key": "BINARY", "clustered": "WITHOUT ROWID"},
    "postgresql": {"key": '"C"', "clustered": ""},
}
# The key of PostgreSQL's advisory lock: "Micro" in ASCII.
_LOCK = 0x4D_6963_726F


def installed_version(connection: Connection) -> int:
    """Return the version of the tables in the database; 0 if there are none."""
    if not inspect(connection).has_table("micro_schema"):
        return 0
    return int(connection.execute(text("SELECT version FROM micro_schema")).scalar_one())


def check_version(found: int) -> bool:
    """Return True if version ``found`` is the latest; raise ConfigError if a newer Micro made it."""
    if found > LATEST:
        raise ConfigError(
            f"The job table is of version {found}; this Micro knows versions up to {LATEST}. "
            "Upgrade Micro, or name another store with MICRO_JOBS_URL."
        )
    return found == LATEST


def migrate(connection: Connection) -> None:
    """Upgrade the tables to the latest version; ``connection`` must be in a transaction that writes.

    SQLite admits one such transaction at a time; on PostgreSQL an advisory lock does the same.
    A process that had to wait finds the tables up to date.
    """
    dialect = connection.dialect.name
    if dialect == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    found = installed_version(connection)
    if check_version(found):
        return
    if found == 0:
        connection.execute(text("CREATE TABLE micro_schema (version INTEGER NOT NULL)"))
        connection.execute(text("INSERT INTO micro_schema (version) VALUES (0)"))
    for statement in (each for step in STEPS[found:] for each in step):
        connection.exec_driver_sql(statement.format_map(WORDS[dialect]))
    connection.execute(text("UPDATE micro_schema SET version = :version"), {"version": LATEST})
