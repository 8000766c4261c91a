"""Job stores to test with: a SQLite file and, where a server answers, PostgreSQL."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from micro.jobs.models import JobRecord, NewJob
from micro.jobs.service import Jobs, open_store
from micro.jobs.store.store import JobStore
from micro.jobs.worker.runner import JobRunner
from micro.service import Micro

SERVER = os.environ.get("MICRO_TEST_POSTGRESQL", "postgresql://postgres@127.0.0.1:5432")
PROGRAM = Path(__file__).with_name("program.py")


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The URL of a new, empty database."""
    import psycopg
    from psycopg.sql import SQL, Identifier

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
    import psycopg
    from psycopg.sql import SQL, Identifier

    schema = Identifier(f"test_{uuid4().hex[:12]}")
    with psycopg.connect(postgresql, autocommit=True) as connection:
        connection.execute("SET synchronous_commit = off")
        connection.execute(SQL("CREATE SCHEMA {}").format(schema))
        yield f"{postgresql}?options=-csearch_path%3D{schema.as_string()[1:-1]}%20-csynchronous_commit%3Doff"
        connection.execute(SQL("DROP SCHEMA {} CASCADE").format(schema))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Test the store on SQLite; on PostgreSQL too where several processes use it, or a test is marked so.

    Most statements are the same for both. The long form of the tests takes both for all of them.
    """
    if "url" in metafunc.fixturenames:
        concurrent = not {"start", "together"}.isdisjoint(metafunc.fixturenames)
        marked = metafunc.definition.get_closest_marker("postgresql")
        both = concurrent or marked or os.environ.get("MICRO_RELIABILITY") == "long"
        metafunc.parametrize("url", ["sqlite", "postgresql"] if both else ["sqlite"], indirect=True)


@pytest.fixture
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
def queued(store: JobStore) -> JobRecord:
    return store.submit(NewJob("Adder", {"a": 1, "b": 2}, queue="sums"))[0]


@pytest.fixture
def running(store: JobStore, queued: JobRecord) -> JobRecord:
    claimed = store.claim(queued.id, "worker-1", lease=60)
    assert claimed is not None
    return claimed


class Program:
    """A run of ``program.py``: another process at the same store, which waits to be told."""

    def __init__(self, server: socket.socket, verb: str, url: str, *arguments: object) -> None:
        ours, theirs = zip(*self._pipes(), strict=True)
        command = json.dumps([verb, url, *map(str, arguments)])
        socket.send_fds(server, [command.encode()], theirs)
        self.pid = int(server.recv(64))
        for each in theirs:
            os.close(each)
        self._input, self._output = os.fdopen(ours[0], "w"), os.fdopen(ours[1])

    @staticmethod
    def _pipes() -> tuple[tuple[int, int], tuple[int, int]]:
        """Make the pipes of standard input and output: this process's end, the other's end."""
        read, write = os.pipe()
        return (write, read), os.pipe()

    def ready(self) -> Program:
        assert self.line() == "ready"
        return self

    def go(self) -> Program:
        self._input.write("go\n")
        self._input.flush()
        return self

    def line(self) -> str:
        return self._output.readline().rstrip("\n")

    def answer(self) -> Any:
        return json.loads(self._output.read())

    def kill(self) -> str:
        """Kill it as ``kill -9`` does; return what it had still printed."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        return self._output.read()

    def close(self) -> None:
        self.kill()
        self._input.close()
        self._output.close()


@pytest.fixture(scope="session")
def program_server() -> Iterator[socket.socket]:
    """A process that has imported Micro, and forks the programs of all tests."""
    ours, theirs = socket.socketpair()
    with ours, subprocess.Popen([sys.executable, "-P", str(PROGRAM)], stdin=theirs):
        theirs.close()
        yield ours
        ours.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def start(url: str, program_server: socket.socket) -> Iterator[Callable[..., Program]]:
    """Start a program, and wait until it is ready."""
    with ExitStack() as stack:

        def start(verb: str, *arguments: object) -> Program:
            program = Program(program_server, verb, url, *arguments)
            stack.callback(program.close)
            return program.ready()

        yield start


@pytest.fixture
def together(start: Callable[..., Program]) -> Callable[..., list[Any]]:
    """Let several processes do the same at the same moment; return what each answered."""

    def together(verb: str, arguments: Sequence[str]) -> list[Any]:
        programs = [start(verb, argument) for argument in arguments]
        for program in programs:
            program.go()
        return [program.answer() for program in programs]

    return together


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
    """Micro with the chores."""
    return load(plugins / "jobs", jobs_url=sqlite_url)


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
def worker(micro: Micro, table: JobStore) -> JobRunner:
    micro.start()
    return JobRunner(micro, table, lease=1, grace=0)


@pytest.fixture
def beside() -> Iterator[Callable[..., Future[Any]]]:
    """Call a function in a thread beside the test, which waits for it in the end."""
    with ThreadPoolExecutor() as pool:
        yield pool.submit
