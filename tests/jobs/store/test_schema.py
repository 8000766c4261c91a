"""Micro makes and upgrades its tables by itself, once, whoever comes first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, create_engine, inspect

from micro.errors import ConfigError, StoreUnavailable
from micro.jobs.models import NewJob, State
from micro.jobs.store import schema
from micro.jobs.store.store import JobStore

pytestmark = pytest.mark.postgresql

DUMPS = sorted((Path(__file__).parent / "schemas").glob("v*.sql"))


def version(store: JobStore) -> int:
    with store.database.connect() as connection:
        return schema.installed_version(connection)


@contextmanager
def bare(store: JobStore) -> Iterator[Connection]:
    """Yield a connection to the store's database past the store, which would make its tables."""
    engine = create_engine(store.database.url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def load(store: JobStore, dump: Path) -> None:
    """Give the store's empty database the tables and rows of ``dump``."""
    script = dump.read_text()
    for name, word in schema.WORDS["sqlite" if store.database.is_sqlite else "postgresql"].items():
        script = script.replace(f"{{{name}}}", word)
    with bare(store) as connection:
        for statement in filter(str.strip, script.split(";\n")):
            connection.exec_driver_sql(statement)


def shape(store: JobStore) -> list[tuple[str, str]]:
    store.ping()
    with store.database.connect() as connection:
        rows = connection.exec_driver_sql("SELECT name, sql FROM sqlite_schema ORDER BY name")
        return [(row.name, " ".join((row.sql or "").split())) for row in rows]


def test_a_new_database_gets_the_latest_version(store: JobStore) -> None:
    assert version(store) == schema.LATEST


def test_each_version_has_a_dump_to_be_tested_with() -> None:
    assert [dump.name for dump in DUMPS] == [f"v{number}.sql" for number in range(1, schema.LATEST + 1)]


@pytest.mark.parametrize("dump", DUMPS, ids=lambda dump: dump.stem)
def test_an_earlier_version_is_upgraded_with_its_jobs(store: JobStore, dump: Path) -> None:
    load(store, dump)
    states = {job.id[-1]: job.state for job in store.list_jobs().jobs}
    assert states == {"1": State.SUCCEEDED, "2": State.FAILED, "3": State.RUNNING, "4": State.QUEUED}
    assert version(store) == schema.LATEST
    succeeded, failed, running, queued = reversed(store.list_jobs().jobs)
    assert store.get(succeeded.id).result == '{"sum": 3}'
    assert failed.error == {"error": "It failed.", "code": "plugin-failed", "status": 500}
    assert [event.kind for event in store.events(running.id).events] == ["state", "log", "progress"]
    assert store.get(queued.id).params == {"password": "***"}
    claimed = store.claim(queued.id, "worker-1", 60)
    assert claimed is not None
    assert claimed.params == {"password": "hunter2"}


@pytest.mark.parametrize("dump", DUMPS, ids=lambda dump: dump.stem)
def test_an_upgraded_database_has_what_a_new_one_has(sqlite: JobStore, dump: Path, tmp_path: Path) -> None:
    load(sqlite, dump)
    new = JobStore(f"sqlite:///{tmp_path}/new.db")
    assert shape(sqlite) == shape(new)
    new.close()


def test_the_tables_have_the_columns_that_the_statements_name(store: JobStore) -> None:
    with store.database.connect() as connection:
        found = inspect(connection)
        for table in schema.metadata.sorted_tables:
            assert [column["name"] for column in found.get_columns(table.name)] == table.columns.keys()
            primary = found.get_pk_constraint(table.name)["constrained_columns"]
            assert primary == [column.name for column in table.primary_key]


def test_the_tables_of_a_newer_micro_are_refused(store: JobStore, url: str) -> None:
    store.ping()
    with store.database.connect() as connection:
        connection.exec_driver_sql("UPDATE micro_schema SET version = 99")
    later = JobStore(url)
    for _ in range(2):
        with pytest.raises(
            ConfigError, match=r"version 99; this Micro knows versions up to \d+\. Upgrade Micro"
        ):
            later.submit(NewJob("Adder", {}))
    later.close()


def test_processes_that_start_at_once_make_the_tables_once(
    together: Callable[..., list[Any]], url: str
) -> None:
    assert together("ping", ["one", "two", "three"]) == ["pong"] * 3
    store = JobStore(url)
    with store.database.connect() as connection:
        assert connection.exec_driver_sql("SELECT version FROM micro_schema").scalars().all() == [
            schema.LATEST
        ]
    store.close()


def test_a_migration_that_fails_leaves_nothing_and_is_tried_again(store: JobStore) -> None:
    with bare(store) as connection:
        connection.exec_driver_sql("CREATE TABLE micro_leases (a INTEGER)")
    with pytest.raises(StoreUnavailable, match=r"micro_leases.* already exists"):
        store.ping()
    with bare(store) as connection:
        assert inspect(connection).get_table_names() == ["micro_leases"]
        connection.exec_driver_sql("DROP TABLE micro_leases")
    store.ping()
