"""Job stores to test with: a SQLite file and, where a server answers, PostgreSQL."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from micro.jobs.models import Job, NewJob
from micro.jobs.service import Jobs, open_store
from micro.jobs.store import JobStore
from micro.jobs.work import JobWorker
from micro.service import Micro

SERVER = os.environ.get("MICRO_TEST_POSTGRESQL", "postgresql://postgres@127.0.0.1:5432")
PROGRAM = Path(__file__).with_name("program.py")


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The URL of a new, empty database."""
    name = f"micro_test_{uuid4().hex[:12]}"
    try:
        admin = psycopg.connect(f"{SERVER}/postgres", autocommit=True, connect_timeout=3)
    except psycopg.OperationalError as err:
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI needs a PostgreSQL server at {SERVER}: {err}")
        pytest.skip(f"no PostgreSQL server at {SERVER}: {err}")
    with admin:
        admin.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
        yield f"{SERVER}/{name}"
        admin.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/jobs.db"


@pytest.fixture
def postgresql_url(postgresql: str) -> Iterator[str]:
    """The URL of an empty schema in the session's database: quicker than a database each."""
    schema = Identifier(f"test_{uuid4().hex[:12]}")
    with psycopg.connect(postgresql, autocommit=True) as connection:
        connection.execute("SET synchronous_commit = off")
        connection.execute(SQL("CREATE SCHEMA {}").format(schema))
        yield f"{postgresql}?options=-csearch_path%3D{schema.as_string()[1:-1]}%20-csynchronous_commit%3Doff"
        connection.execute(SQL("DROP SCHEMA {} CASCADE").format(schema))


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    found: str = request.getfixturevalue(f"{request.param}_url")
    return found


@pytest.fixture
def store(url: str) -> Iterator[JobStore]:
    yield from opened(url)


@pytest.fixture
def sqlite(sqlite_url: str) -> Iterator[JobStore]:
    yield from opened(sqlite_url)


def opened(url: str) -> Iterator[JobStore]:
    store = JobStore(url)
    yield store
    store.close()


@pytest.fixture
def queued(store: JobStore) -> Job:
    return store.submit(NewJob("Adder", {"a": 1, "b": 2}, queue="sums"))[0]


@pytest.fixture
def running(store: JobStore, queued: Job) -> Job:
    claimed = store.claim(queued.id, "worker-1", lease=60)
    assert claimed is not None
    return claimed


class Program:
    """A run of ``program.py``: another process at the same store, which waits to be told."""

    def __init__(self, verb: str, url: str, *arguments: object) -> None:
        command = [sys.executable, str(PROGRAM), verb, url, *map(str, arguments)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ready(self) -> Program:
        assert self.line() == "ready"
        return self

    def go(self) -> Program:
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        return self

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().rstrip("\n")

    def answer(self) -> Any:
        return json.loads(self.process.communicate()[0])

    def kill(self) -> str:
        """Kill it as ``kill -9`` does; return what it had still printed."""
        self.process.kill()
        return self.process.communicate()[0]


@pytest.fixture
def start(url: str) -> Iterator[Callable[..., Program]]:
    started: list[Program] = []

    def start(verb: str, *arguments: object) -> Program:
        started.append(Program(verb, url, *arguments))
        return started[-1].ready()

    yield start
    for program in started:
        program.kill()


@pytest.fixture
def together(url: str) -> Iterator[Callable[..., list[Any]]]:
    """Let several processes do the same at the same moment; return what each answered."""

    programs: list[Program] = []

    def together(verb: str, arguments: Sequence[str]) -> list[Any]:
        programs.extend(Program(verb, url, argument) for argument in arguments)
        for program in programs:
            program.ready()
        for program in programs:
            program.go()
        return [program.answer() for program in programs]

    yield together
    for program in programs:
        program.kill()


class Folder:
    """Where the runs of the chores tell how far they are, and wait to be let go."""

    def __init__(self, path: Path) -> None:
        path.mkdir()
        self.path = path
        self.params = {"folder": str(path)}

    def count(self, word: str) -> int:
        """Return how many runs have said so."""
        return len([*self.path.glob(f"{word}-*")])

    def open(self) -> None:
        (self.path / "open").touch()


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "chores")


@pytest.fixture
def micro(load: Callable[..., Micro], plugins: Path, sqlite_url: str) -> Micro:
    """Micro with the chores, whose patience is short."""
    return load(plugins / "jobs", jobs_url=sqlite_url, job_lease="1", cancel_grace="0")


@pytest.fixture
def table(micro: Micro) -> Iterator[JobStore]:
    """The job table of ``micro``."""
    store = open_store(micro.settings)
    yield store
    store.close()


@pytest.fixture
def woken() -> list[tuple[str, str]]:
    """The messages that workers were sent: job and queue."""
    return []


@pytest.fixture
def jobs(micro: Micro, table: JobStore, woken: list[tuple[str, str]]) -> Jobs:
    """Jobs whose messages go nowhere but to ``woken``."""
    return Jobs(micro, table, wake=lambda job, queue: woken.append((job, queue)) is None)


@pytest.fixture
def worker(micro: Micro, table: JobStore) -> JobWorker:
    micro.start()
    return JobWorker(micro, table)


@pytest.fixture
def beside() -> Iterator[Callable[..., Future[Any]]]:
    """Call a function in a thread beside the test, which waits for it in the end."""
    with ThreadPoolExecutor() as pool:
        yield pool.submit
