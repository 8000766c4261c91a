"""The real command: what starts it on free ports and in folders of its own, watches it and ends it."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

if TYPE_CHECKING:
    from celery import Celery

    from micro.api.endpoints import Requests

Found = TypeVar("Found")
COMMAND = shutil.which("micro", path=sysconfig.get_path("scripts")) or ""
START_SECONDS = 45
STOP_SECONDS = 20
_URL = re.compile(r"^  REST    (\S+)$", re.MULTILINE)
_BROKER = re.compile(r"^  Celery  (\S+)  ", re.MULTILINE)


def _wait_until(find: Callable[[], Found], seconds: float = 20) -> Found:
    deadline = time.monotonic() + seconds
    while not (found := find()):
        assert time.monotonic() < deadline, f"it did not happen within {seconds:g} s"
        time.sleep(0.02)
    return found


def _runs(pid: int) -> bool:
    """Tell whether the process runs; one that only waits to be reaped does not."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    return False


def _environment(folder: Path, env: dict[str, str | None]) -> dict[str, str]:
    """Make the variables for a ``micro`` that keeps to the folder; None takes a variable away."""
    ours = re.compile(r"_?MICRO_|XDG_|PORT$|HOST$")
    kept = {key: value for key, value in os.environ.items() if not ours.match(key)}
    own = {
        "HOME": str(folder),
        "MICRO_BIND": "127.0.0.1:0",
        "MICRO_LOG_FOLDER_PATH": str(folder / "logs"),
        "MICRO_PID_FOLDER_PATH": str(folder / "pids"),
        "MICRO_STATE_FOLDER_PATH": str(folder / "state"),
        "MICRO_RELOAD": "manual",
        "MICRO_STOP_TIMEOUT": "20",
    }
    return {key: value for key, value in {**kept, **own, **env}.items() if value is not None}


def _close(app: Celery) -> None:
    # It may have consumed nothing, and its broker may be gone.
    with suppress(Exception):
        app.backend.result_consumer.stop()
    app.close()


class RunningMicro:
    """A ``micro`` that was started; its output and its files are in ``folder``."""

    def __init__(
        self, folder: Path, args: tuple[str, ...], env: dict[str, str | None], before: Sequence[str]
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.pids = folder / "pids"
        self.log = folder / "logs" / "micro.log"
        self._output = folder / "output"
        self._clients: list[Requests] = []
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                [*before, COMMAND, *args],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=_environment(folder, env),
                cwd=folder,
                # A process group of its own, as a shell gives it one.
                start_new_session=True,
            )

    @property
    def url(self) -> str:
        return _URL.findall(self.output())[-1]

    @property
    def broker_url(self) -> str:
        return _BROKER.findall(self.output())[-1]

    def output(self) -> str:
        return self._output.read_text()

    def wait_ready(self) -> RunningMicro:
        _wait_until(lambda: " serves " in self.output() or self.process.poll() is not None, START_SECONDS)
        # The lines with the URLs follow the first in the same breath.
        for flag, pattern in (("-G", _URL), ("-C", _BROKER)):
            if flag in self.process.args:
                _wait_until(lambda found=pattern: found.search(self.output()))
        assert self.process.poll() is None, "micro ended"
        return self

    def call(self, path: str, params: object = None) -> Any:
        """GET the path, or POST the parameters to it; return the JSON of the answer, errors too."""
        data = None if params is None else json.dumps(params).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return json.load(error)

    def requests(self, queue: str = "micro", broker_url: str = "") -> Requests:
        """Make a Celery client, which is closed in the end."""
        from micro.api.endpoints import Requests

        requests = Requests(broker_url or self.broker_url, queue)
        self._clients.append(requests)
        return requests

    def pid(self, name: str) -> int:
        """Return what the PID file says; 0 as long as there is none."""
        with suppress(FileNotFoundError, ValueError):
            return int((self.pids / f"{name}.pid").read_text())
        return 0

    def children(self, pid: int) -> set[int]:
        """Return the processes that a process has forked."""
        with suppress(FileNotFoundError):
            return {int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}
        return set()

    def child(self, command: str) -> int:
        """Return the child process whose command begins so."""
        commands = {pid: Path(f"/proc/{pid}/comm").read_text() for pid in self.children(self.process.pid)}
        return next(pid for pid, name in commands.items() if name.startswith(command))

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send the signal and return the exit status."""
        self.process.send_signal(number)
        return self.process.wait(STOP_SECONDS)

    def end(self) -> None:
        """End it whatever it does: the second signal kills."""
        for requests in self._clients:
            _close(requests.run.app)
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            # The same signal twice in a row would count once.
            self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise


class Gate:
    """The folder in which the runs of the plugin Gate tell how far they are, and wait to be let through."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.params = {"folder": str(folder)}
        self._folder = folder

    def open(self) -> None:
        (self._folder / "open").touch()

    def started(self) -> list[int]:
        """Return the processes in which runs started, in their order."""
        return self._pids("started")

    def finished(self) -> list[int]:
        return self._pids("finished")

    def _pids(self, event: str) -> list[int]:
        return [int(path.name.split("-")[2]) for path in sorted(self._folder.glob(f"{event}-*"))]


@contextmanager
def _starter(folder: Path) -> Iterator[Callable[..., RunningMicro]]:
    started: list[RunningMicro] = []

    def start(*args: str, ready: bool = True, before: Sequence[str] = (), **env: str | None) -> RunningMicro:
        started.append(RunningMicro(folder / f"micro{len(started) + 1}", args, env, before))
        return started[-1].wait_ready() if ready else started[-1]

    try:
        yield start
    finally:
        for each in started:
            each.end()
            # pytest shows it when the test has failed.
            print(f"--- {' '.join(map(str, each.process.args))}\n{each.output()}", file=sys.stderr)


@pytest.fixture
def start_micro(tmp_path: Path) -> Iterator[Callable[..., RunningMicro]]:
    """Start ``micro`` with these arguments and variables and wait until it serves; ended after the test."""
    with _starter(tmp_path) as start:
        yield start


@pytest.fixture(scope="module")
def start_shared_micro(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., RunningMicro]]:
    """Like ``start_micro``, but it lives as long as the tests of the module."""
    with _starter(tmp_path_factory.mktemp("shared")) as start:
        yield start


@pytest.fixture
def run_micro(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run ``micro`` to its end."""

    def run(*args: str, before: Sequence[str] = (), **env: str | None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*before, COMMAND, *args],
            capture_output=True,
            text=True,
            env=_environment(tmp_path, env),
            cwd=tmp_path,
            timeout=START_SECONDS,
        )

    return run


@pytest.fixture(scope="session")
def runs() -> Callable[[int], bool]:
    """Tell whether a process runs."""
    return _runs


@pytest.fixture(scope="session")
def good_plugins(plugins: Path) -> str:
    """The plugin path of the plugins for these tests."""
    return str(plugins / "e2e" / "good")


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    """What the plugin Gate waits for."""
    return Gate(tmp_path / "gate")


@pytest.fixture
def other_gate(tmp_path: Path) -> Gate:
    """What another run of the plugin Gate waits for."""
    return Gate(tmp_path / "other-gate")
