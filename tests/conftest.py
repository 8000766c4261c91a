"""What many tests share: Micro with plugins written for the test, and the brokers of this machine."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from textwrap import dedent, indent
from typing import TYPE_CHECKING, Any, LiteralString, NoReturn, TypeVar

import pytest

from micro.config.loading import load_settings
from micro.plugin.imports import folders
from micro.service import Micro
from micro.testing import WritePlugins

# Fixtures import what is slow to import: most files of tests need none of it.
if TYPE_CHECKING:
    import psycopg

    from micro.server.broker import EmbeddedBroker

Found = TypeVar("Found")
MakeMicro = Callable[..., Micro]
POSTGRESQL = os.environ.get("MICRO_TEST_POSTGRESQL", "postgresql://postgres@127.0.0.1:5432")
_FIRST = ("reliability", "e2e", "client", "server", "jobs")
_COVERAGE = pytest.StashKey[dict[str, str]]()
INTERFACE = """
from micro import PluginBase, PluginDescription, PluginError, hookimpl
from pathlib import Path
import os

def note(word):
    with (Path(__file__).parents[1] / "diary").open("a") as file:
        file.write(word + "\\n")
"""


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show what the reliability tests count, also where all is well."""
    reports = [*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")]
    lines = [text for each in reports for key, text in each.user_properties if key == "reliability"]
    if lines:
        terminalreporter.section("reliability")
        for line in lines:
            terminalreporter.write_line(str(line))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect in half the time, as no garbage is looked for in thousands of tests that stay."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let files that wait for processes most take turns with the others, the longest first.

    So both have their share of the cores all the time, and nothing long is left for the end.
    """
    files = {item.path: list[pytest.Item]() for item in items}
    for item in items:
        files[item.path].append(item)
    waiting = sorted(
        (each for each in files if _part(each) in _FIRST), key=lambda each: _FIRST.index(_part(each))
    )
    others = [each for each in files if _part(each) not in _FIRST]
    turns = len(waiting) or 1
    ordered: list[Path] = []
    for turn in range(turns):
        ordered += waiting[turn : turn + 1]
        ordered += others[turn * len(others) // turns : (turn + 1) * len(others) // turns]
    items[:] = [item for path in ordered for item in files[path]]


def _part(path: Path) -> str:
    return path.relative_to(Path(__file__).parent).parts[0]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Let coverage be measured in what the test starts only where it is marked so.

    It makes each process slower by a third, and most show nothing that others do not.
    """
    variables = item.config.stash[_COVERAGE]
    if item.get_closest_marker("measured"):
        os.environ.update(variables)
    else:
        for name in variables:
            os.environ.pop(name, None)


def pytest_configure(config: pytest.Config) -> None:
    measuring = ("COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG")
    config.stash[_COVERAGE] = {name: os.environ[name] for name in measuring if name in os.environ}
    # A shell ignores the one in what it starts in the background, nohup the other; children would inherit it.
    for number, default in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, default)


@pytest.fixture(scope="session")
def plugins() -> Path:
    """The folder of the tests' plugins: ``good``, ``broken`` and ``short_limits`` are plugin paths."""
    return Path(__file__).with_name("plugins")


@pytest.fixture
def load(plugin_dir: WritePlugins, tmp_path: Path) -> Iterator[MakeMicro]:
    """Make Micro of plugin files, ``load({"hello/interface.py": "..."})``, or of a plugin path.

    Further arguments are settings; those that only a file can give are ``gunicorn_options``
    and ``celery_options``.
    """
    made: list[Micro] = []

    def make(
        plugins: Mapping[str, str] | Path,
        gunicorn_options: Mapping[str, Any] | None = None,
        celery_options: Mapping[str, Any] | None = None,
        **flags: Any,
    ) -> Micro:
        path = plugins if isinstance(plugins, Path) else plugin_dir(plugins)
        own = {"plugin_path": str(path), "state_folder_path": str(tmp_path / "state")}
        settings = load_settings({**own, **flags}, environ={})
        options = {"gunicorn_options": gunicorn_options or {}, "celery_options": celery_options or {}}
        made.append(Micro(replace(settings, **options)))
        return made[-1]

    yield make
    for micro in made:
        micro.stop()
    folders.uninstall()


@pytest.fixture(scope="session")
def interface() -> Callable[..., str]:
    """Make the source of an interface.py with one plugin, whose class has this body; ``more`` follows.

    In it ``note(word)`` writes a line into the file ``diary`` of the plugin path.
    """

    def source(body: str, name: str = "Plugin", more: str = "") -> str:
        cls = f"class {name}(PluginBase):\n" + indent(dedent(body), "    ")
        return "\n".join([INTERFACE, cls, f"plugin = PluginDescription(name={name!r})", dedent(more)])

    return source


@pytest.fixture(scope="session")
def wait_for() -> Callable[..., Any]:
    """Call a function until it returns something true; fail after some seconds."""

    def wait(find: Callable[[], Found], seconds: float = 20) -> Found:
        deadline = time.monotonic() + seconds
        while not (found := find()):
            assert time.monotonic() < deadline, "it did not happen in time"
            time.sleep(0.01)
        return found

    return wait


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port where nobody listens, and that nobody else gets meanwhile."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port: int = held.getsockname()[1]
        yield port


@pytest.fixture(scope="session")
def rabbitmq_url() -> Iterator[str]:
    """The local RabbitMQ, with a virtual host of this run's own where rabbitmqctl can make one.

    Where it cannot, the queues' own names have to keep runs apart.
    """
    from kombu import Connection

    shared = "amqp://guest:guest@127.0.0.1:5672//"
    try:
        with Connection(shared, connect_timeout=3) as connection:
            connection.connect()
    except OSError as err:
        _do_without(f"RabbitMQ does not answer on 127.0.0.1:5672: {err}")
    vhost = f"micro-test-{uuid.uuid4().hex[:12]}"
    if not _rabbitmqctl("add_vhost", vhost):
        yield shared
        return
    try:
        assert _rabbitmqctl("set_permissions", "-p", vhost, "guest", ".*", ".*", ".*")
        yield f"amqp://guest:guest@127.0.0.1:5672/{vhost}"
    finally:
        _rabbitmqctl("delete_vhost", vhost)


@pytest.fixture(scope="session")
def cut_connections(rabbitmq_url: str) -> Callable[[], None]:
    """Let the local RabbitMQ close every connection of this run."""
    vhost = rabbitmq_url.rpartition("/")[2]
    if not vhost:
        _do_without("This run has no virtual host of its own, and would cut others off")

    def cut() -> None:
        assert _rabbitmqctl("close_all_connections", "-p", vhost, "a test wants it")

    return cut


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """The local Redis, with an empty database of this run's own."""
    from redis import Redis
    from redis.exceptions import RedisError

    try:
        number = next(filter(_claim, range(15, 0, -1)), None)
    except RedisError as err:
        _do_without(f"Redis does not answer on 127.0.0.1:6379: {err}")
    if number is None:
        _do_without("No database of the Redis on 127.0.0.1:6379 is empty")
    yield f"redis://127.0.0.1:6379/{number}"
    with Redis(db=number) as client:
        client.flushdb()


class OwnBroker:
    """An embedded broker of a test's own, which can be killed and started again."""

    def __init__(self, broker: EmbeddedBroker) -> None:
        self.url = broker.url
        self._broker = broker
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, wait: Callable[..., Any]) -> None:
        self._process = process = subprocess.Popen(self._broker.process.argv, stdout=subprocess.DEVNULL)
        assert self._broker.process.ready
        wait(lambda: self._broker.process.ready(process.pid))

    def kill(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()


@pytest.fixture
def own_broker(tmp_path: Path, wait_for: Callable[..., Any]) -> Iterator[OwnBroker]:
    """A broker that runs, and that no other test uses."""
    from micro.server.broker import embedded_broker

    with embedded_broker(tmp_path / "broker") as embedded:
        broker = OwnBroker(embedded)
        broker.start(wait_for)
        yield broker
        broker.kill()


class OwnDatabase:
    """A PostgreSQL database of a test's own, which can be made unreachable."""

    def __init__(self, admin: psycopg.Connection[Any]) -> None:
        self.name = f"micro_test_{uuid.uuid4().hex[:12]}"
        self.url = f"{POSTGRESQL}/{self.name}"
        self._admin = admin
        self._do("CREATE DATABASE {}")

    def drop(self) -> None:
        self._do("DROP DATABASE {} WITH (FORCE)")

    def shut(self) -> None:
        """Cut all connections, and let no new one in."""
        self._do("ALTER DATABASE {} ALLOW_CONNECTIONS false")
        query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
        self._admin.execute(query, [self.name])

    def open(self) -> None:
        self._do("ALTER DATABASE {} ALLOW_CONNECTIONS true")

    def _do(self, statement: LiteralString) -> None:
        from psycopg.sql import SQL, Identifier

        self._admin.execute(SQL(statement).format(Identifier(self.name)))


@pytest.fixture
def own_database() -> Iterator[OwnDatabase]:
    """An empty database that no other test uses."""
    import psycopg

    try:
        admin = psycopg.connect(f"{POSTGRESQL}/postgres", autocommit=True, connect_timeout=3)
    except psycopg.OperationalError as err:
        _do_without(f"PostgreSQL does not answer at {POSTGRESQL}: {err}")
    with admin:
        database = OwnDatabase(admin)
        yield database
        database.drop()


@pytest.fixture
def task_queue() -> str:
    """The name of a Celery queue that no other test uses."""
    return f"micro-test-{uuid.uuid4().hex[:12]}"


def _do_without(reason: str) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def _rabbitmqctl(*arguments: str) -> bool:
    program = shutil.which("rabbitmqctl")
    if not program:
        return False
    return subprocess.run([program, "-q", *arguments], capture_output=True, timeout=30).returncode == 0


def _claim(number: int) -> bool:
    """Take a database for this run if it is empty, or left behind by a run that was killed."""
    from redis import Redis

    key = "micro-test-run"
    with Redis(db=number, decode_responses=True) as client:
        owner = client.get(key)
        if owner and not Path("/proc", owner).exists() and Path("/proc/self").exists():
            client.flushdb()
        return client.dbsize() == 0 and bool(client.set(key, os.getpid(), nx=True))
