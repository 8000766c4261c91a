"""The store's database: which are taken, outages, many threads, and forks."""

from __future__ import annotations

import gc
import logging
import os
import socket
import sqlite3
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic
from typing import Any

import psycopg
import pytest
from sqlalchemy.exc import SQLAlchemyError

from micro.errors import ConfigError, StoreUnavailable
from micro.jobs.models import NewJob, State
from micro.jobs.store import sqlite_wal
from micro.jobs.store.database import Database
from micro.jobs.store.store import JobStore

pytestmark = pytest.mark.postgresql

LOCKS = Path("/proc/locks")
LONGEST_MEGABYTES = sqlite_wal.LONGEST // 1024**2

SECRET = NewJob("Login", {"password": "hunter2"})


@pytest.fixture
def nobody() -> Iterator[int]:
    """A port that is taken, and where nothing answers."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def pragma(store: JobStore, name: str) -> Any:
    with store.database.connect() as connection:
        return connection.exec_driver_sql(f"PRAGMA {name}").scalar()


def test_a_table_that_was_moved_away_gets_no_more_jobs(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "jobs.sqlite"
    stores = [JobStore(f"sqlite:///{path}") for _ in range(2)]
    for store in stores:
        store.submit(SECRET)
    (tmp_path / "away").mkdir()
    for file in tmp_path.glob("jobs.sqlite*"):
        file.rename(tmp_path / "away" / file.name)
    job, _ = stores[0].submit(SECRET)
    assert [[found.id for found in each.list_jobs().jobs] for each in stores] == [[job.id]] * 2
    assert "was moved or replaced" in caplog.text
    path.unlink()
    assert stores[1].list_jobs().jobs == ()


# Which databases


@pytest.mark.parametrize(
    "other",
    [
        "mysql://localhost/micro",
        "postgresql+psycopg2://localhost/micro",
        "redis://localhost",
        "jobs.db",
        "",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///file:jobs.db",
        "sqlite://host/jobs.db",
        "sqlite:///jobs.db?mode=memory",
        "sqlite:///jobs.db?synchronous=off",
        "postgresql://host:port/micro",
    ],
)
def test_what_is_no_store_is_refused_with_what_is_one(other: str) -> None:
    with pytest.raises(ConfigError, match=r"Expected sqlite:///relative/path.* or postgresql://"):
        JobStore(other)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_postgresql_goes_by_several_names(postgresql_url: str, scheme: str) -> None:
    store = JobStore(postgresql_url.replace("postgresql", scheme, 1))
    store.ping()
    store.close()


def test_a_relative_path_is_from_where_the_program_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store = JobStore("sqlite:///jobs.db")
    monkeypatch.chdir("/")
    store.ping()
    store.close()
    assert (tmp_path / "jobs.db").exists()


def test_making_a_store_touches_nothing(tmp_path: Path, nobody: int) -> None:
    JobStore(f"sqlite:///{tmp_path}/jobs.db").close()
    JobStore(f"postgresql://127.0.0.1:{nobody}/micro").close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.measured
def test_without_its_driver_postgresql_says_what_to_install() -> None:
    program = (
        "import sys; sys.modules['psycopg'] = None\n"
        "from micro.jobs.store.store import JobStore\n"
        "JobStore('postgresql://micro:hunter2@db/micro')"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    *_, last = answer.stderr.splitlines()
    assert "ConfigError: The job store postgresql+psycopg://micro:***@db/micro needs" in last
    assert 'pip install "Micro[postgresql]"' in last


def test_neither_flask_nor_celery_is_needed() -> None:
    program = (
        "import sys, micro.jobs.store.store; "
        "print(sorted({'flask', 'celery', 'psycopg'} & sys.modules.keys()))"
    )
    assert subprocess.check_output([sys.executable, "-c", program], text=True) == "[]\n"


@pytest.mark.parametrize(("option", "level"), [("", 1), ("?synchronous=full", 2)])
def test_sqlite_is_opened_as_it_must_be(sqlite_url: str, option: str, level: int) -> None:
    store = JobStore(sqlite_url + option)
    assert pragma(store, "journal_mode") == "wal"
    assert pragma(store, "synchronous") == level
    assert pragma(store, "foreign_keys") == 1
    assert pragma(store, "wal_autocheckpoint") == 0
    store.close()


def test_who_uses_a_new_table_waits_for_another_who_makes_it(sqlite: JobStore) -> None:
    # While somebody writes, SQLite refuses the write-ahead log without the wait that it grants for locks.
    other = sqlite3.connect(sqlite.database.url.database or "", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with ThreadPoolExecutor() as pool:
        use = pool.submit(sqlite.ping)
        with pytest.raises(TimeoutError):
            use.result(0.3)
        other.execute("COMMIT")
        use.result(10)
    other.close()


def log_size(store: JobStore) -> int:
    return Path(f"{store.database.url.database}-wal").stat().st_size


def submit_megabytes(store: JobStore, number: int) -> None:
    for _ in range(number):
        store.submit(NewJob("Adder", {"text": "x" * 1024 * 1024}))


def test_the_write_ahead_log_is_kept_short(sqlite: JobStore) -> None:
    sizes = []
    for _ in range(3 * LONGEST_MEGABYTES):
        submit_megabytes(sqlite, 1)
        sizes.append(log_size(sqlite))
    assert max(sizes) < sqlite_wal.LONGEST + 1024 * 1024
    assert sizes.count(0) > 1
    assert sum(sqlite.counts().values()) == len(sizes)


def test_a_reader_that_stays_lets_the_write_ahead_log_grow_but_stops_nobody(sqlite: JobStore) -> None:
    sqlite.ping()
    reader = sqlite3.connect(sqlite.database.url.database or "", isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM micro_jobs").fetchall()
    submit_megabytes(sqlite, 2 * LONGEST_MEGABYTES + 1)
    assert log_size(sqlite) > 2 * sqlite_wal.LONGEST
    started = monotonic()
    for _ in range(20):
        sqlite.submit(SECRET)
    assert monotonic() - started < 3
    assert pragma(sqlite, "busy_timeout") > 1000
    reader.close()
    submit_megabytes(sqlite, 2 * LONGEST_MEGABYTES)
    assert log_size(sqlite) < sqlite_wal.LONGEST


# Outages


def test_a_store_that_is_down_is_unavailable_at_once(nobody: int) -> None:
    store = JobStore(f"postgresql://micro:hunter2@127.0.0.1:{nobody}/micro?password=hunter3")
    started = monotonic()
    with pytest.raises(StoreUnavailable, match=r"is not available: .*refused") as caught:
        store.submit(SECRET)
    assert monotonic() - started < 3
    assert (caught.value.status, caught.value.code) == (503, "store-unavailable")
    assert isinstance(caught.value.__cause__, SQLAlchemyError)
    assert "hunter" not in "".join(traceback.format_exception(caught.value))
    store.close()


@pytest.mark.parametrize("damage", ["a folder", "no database", "not writable"])
def test_a_file_that_cannot_be_used_makes_the_store_unavailable(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "jobs.db"
    if damage == "a folder":
        path.mkdir()
    elif damage == "no database":
        path.write_text("what is this? " * 100)
    else:
        path = Path("/proc/micro/jobs.db")
    store = JobStore(f"sqlite:///{path}")
    for ask in (store.ping, store.list_jobs, store.sweep):
        with pytest.raises(StoreUnavailable, match=f"{path} is not available"):
            ask()
    store.close()


def test_a_statement_that_fails_shows_no_parameters(store: JobStore) -> None:
    store.ping()
    with store.database.connect() as connection:
        connection.exec_driver_sql("DROP TABLE micro_job_log")
        connection.exec_driver_sql("DROP TABLE micro_jobs")
    with pytest.raises(StoreUnavailable, match="micro_jobs") as caught:
        store.submit(SECRET)
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))


def test_sqlite_locked_for_too_long_is_unavailable_and_recovers(sqlite: JobStore) -> None:
    sqlite.ping()
    other = sqlite3.connect(sqlite.database.url.database or "", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with sqlite.database.connect() as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout = 10")
    with pytest.raises(StoreUnavailable, match="database is locked"):
        sqlite.submit(SECRET)
    assert sqlite.list_jobs().jobs == ()
    other.execute("ROLLBACK")
    other.close()
    assert sqlite.submit(SECRET)[1]


def test_a_store_recovers_when_the_server_has_cut_its_connections(postgresql_url: str) -> None:
    store = JobStore(postgresql_url)
    job, _ = store.submit(SECRET)
    with store.database.connect() as connection:
        mine = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
    with psycopg.connect(postgresql_url) as admin:
        admin.execute("SELECT pg_terminate_backend(%s, 5000)", [mine])
    assert store.get(job.id) == job
    store.close()


def test_a_connection_cut_in_the_middle_is_unavailable_and_then_recovers(postgresql_url: str) -> None:
    store = JobStore(postgresql_url)
    store.ping()
    with (
        pytest.raises(StoreUnavailable, match="terminating connection"),
        store.database.transaction() as connection,
    ):
        connection.exec_driver_sql("SELECT pg_terminate_backend(pg_backend_pid())")
    assert store.submit(SECRET)[1]
    store.close()


def test_a_transaction_is_kept_whole_or_not_at_all(store: JobStore) -> None:
    def fail_halfway() -> None:
        with store.database.transaction() as connection:
            connection.exec_driver_sql("DELETE FROM micro_jobs")
            raise KeyboardInterrupt

    job, _ = store.submit(SECRET)
    with pytest.raises(KeyboardInterrupt):
        fail_halfway()
    assert store.get(job.id) == job


def test_a_closed_store_opens_again(store: JobStore) -> None:
    job, _ = store.submit(SECRET)
    store.close()
    assert store.get(job.id) == job


def test_the_log_of_sqlalchemy_shows_no_parameters(store: JobStore, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="sqlalchemy"):
        store.submit(SECRET)
    assert "hunter2" not in caplog.text


# Threads and forks


def test_many_threads_share_a_store(store: JobStore) -> None:
    def run(number: int) -> State:
        job, _ = store.submit(NewJob("Adder", {"a": number}))
        claimed = store.claim(job.id, f"thread-{number}", 60)
        assert claimed is not None
        assert store.finish(claimed.hold, State.SUCCEEDED)
        return store.state(job.id)

    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(run, range(64))) == {State.SUCCEEDED}


def test_a_fork_waits_until_nobody_works_and_the_store_goes_on(
    start: Callable[..., Any], store: JobStore
) -> None:
    found = start("fork").go().answer()
    children = found["children"]
    assert all(child["inherited"] == [] for child in children)
    assert all(child["done"] for child in children)
    accepted = {*found["submitted"], *(child["job"] for child in children)}
    assert sum(store.counts().values()) == len(accepted)
    assert store.counts()[State.SUCCEEDED] == len(children)
    if store.database.is_sqlite:
        assert pragma(store, "integrity_check") == "ok"


def test_what_nobody_closes_is_closed_when_it_is_no_longer_used(sqlite_url: str) -> None:
    database = Database(sqlite_url)
    with database.connect() as connection:
        opened = connection.connection.driver_connection
    assert isinstance(opened, sqlite3.Connection)
    del database
    gc.collect()
    with pytest.raises(sqlite3.ProgrammingError, match="closed database"):
        opened.execute("SELECT 1")


@pytest.mark.skipif(not LOCKS.exists(), reason="only Linux lists locks")
def test_a_second_look_at_the_table_does_not_lose_the_locks_of_the_first(tmp_path: Path) -> None:
    """Linux lists the locks of a process; closing any descriptor of a file would take all of them away."""
    path = tmp_path / "jobs.sqlite"
    first, second = Database(f"sqlite:///{path}"), Database(f"sqlite:///{path}")

    def locks() -> int:
        held = f":{path.stat().st_ino} "
        lines = LOCKS.read_text().splitlines()
        return sum(held in line and f" {os.getpid()} " in line for line in lines)

    with first.connect():
        before = locks()
        with second.connect():
            pass
        assert locks() == before > 0
    first.close()
    second.close()
