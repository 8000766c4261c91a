"""A whole service on a fixed port, and brokers of the test's own that can be ended and started again.

``MICRO_RELIABILITY=long`` is the long form of these tests; the short one belongs to every run of the tests.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sysconfig
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from micro.api.endpoints import Requests

COMMAND = shutil.which("micro", path=sysconfig.get_path("scripts")) or ""
START_SECONDS, STOP_SECONDS = 60, 60
_NOT_PASSED_ON = ("MICRO_", "XDG_")
# What Debian's rabbitmq-server in the path starts drops root's rights, which the test's folders need.
RABBITMQ_FOLDERS = os.pathsep.join(["/usr/lib/rabbitmq/bin", os.environ.get("PATH", "")])
RABBITMQ_CONFIG = """
[{{rabbit, [{{tcp_listeners, [{{"127.0.0.1", {port}}}]}}{more}]}},
 {{kernel, [{{inet_dist_use_interface, {{127,0,0,1}}}}]}}].
"""
Wait = Callable[..., Any]


class Service:
    """A ``micro`` that can be ended and started again at the same address, with the same state."""

    def __init__(
        self,
        folder: Path,
        settings: Mapping[str, str],
        celery: Mapping[str, Any],
        plugins: str,
        flags: Sequence[str],
    ) -> None:
        folder.mkdir()
        self.folder = folder
        (folder / "config.json").write_text(json.dumps({"celery": {"worker_concurrency": 2, **celery}}))
        self._flags = flags
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self._environ = {
            **{key: value for key, value in os.environ.items() if not key.startswith(_NOT_PASSED_ON)},
            "HOME": str(folder),
            "MICRO_BIND": f"127.0.0.1:{port}",
            "MICRO_PLUGIN_PATH": plugins,
            "MICRO_GUNICORN_WORKERS": "2",
            "MICRO_CELERY_WORKERS": "2",
            "MICRO_STOP_TIMEOUT": "20",
            **{f"MICRO_{each.upper()}_FOLDER_PATH": str(folder / each) for each in ("log", "pid", "state")},
            **{f"MICRO_{name.upper()}": value for name, value in settings.items()},
        }
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until all of it is up."""
        before = len(self.output())
        with (self.folder / "output").open("ab") as output:
            self.process = subprocess.Popen(
                [COMMAND, *self._flags, "-c", "config.json"],
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                env=self._environ, cwd=self.folder, start_new_session=True,
            )  # fmt: skip
        deadline = time.monotonic() + START_SECONDS
        # A child that is killed before it was ever up is not started again: the program ends.
        while " serves " not in self.output()[before:]:
            self.assert_runs()
            assert time.monotonic() < deadline, self.output()
            time.sleep(0.05)

    def stop(self) -> None:
        """Let it come to an orderly end."""
        assert self.process
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(STOP_SECONDS) == 0, self.output()

    def end(self) -> None:
        """End it whatever it does: the second signal kills."""
        if self.process is None:
            return
        for number in (signal.SIGTERM, signal.SIGINT):
            self.process.send_signal(number)
        self.process.wait(STOP_SECONDS)

    def assert_runs(self) -> None:
        assert self.process and self.process.poll() is None, self.output()

    @property
    def broker_url(self) -> str:
        """Where clients find the embedded broker."""
        return (self.folder / "state" / "broker" / "url").read_text().strip()

    def output(self) -> str:
        with suppress(FileNotFoundError):
            return (self.folder / "output").read_text(errors="replace")
        return ""

    def leader(self, name: str) -> int:
        """Return the process of a child; 0 while there is none."""
        with suppress(FileNotFoundError, ValueError):
            return int((self.folder / "pid" / f"{name}.pid").read_text())
        return 0

    def forked(self, name: str) -> list[int]:
        """Return the processes that the child has forked."""
        return _children(self.leader(name))

    def broker(self) -> int:
        """Return the process of the embedded broker; 0 while there is none."""
        for pid in _children(self.process.pid) if self.process else ():
            with suppress(OSError):
                if Path(f"/proc/{pid}/comm").read_text().startswith("valkey"):
                    return pid
        return 0

    def call(self, path: str, params: Any = None, **headers: str) -> tuple[int, Any]:
        """Return status and JSON of an answer; raise OSError or HTTPException where there is none."""
        data = None if params is None else json.dumps(params).encode()
        given = {"Content-Type": "application/json"} | {
            key.replace("_", "-"): value for key, value in headers.items()
        }
        request = urllib.request.Request(self.url + path, data, given)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)

    def submit(self, params: Mapping[str, Any], **headers: str) -> tuple[int, Any]:
        """Ask for a run of the plugin as a job."""
        return self.call("/run/work", params, Prefer="respond-async", **headers)

    def has_active_jobs(self) -> bool:
        """Tell whether some job is queued or running, or cannot be asked for."""
        with suppress(OSError, HTTPException, ValueError):
            pages = [self.call(f"/jobs?state={state}&limit=1") for state in ("queued", "running")]
            return any(status != 200 or page["jobs"] for status, page in pages)
        return True


class OwnServer:
    """A broker of a test's own, which can be ended and started again with what it keeps."""

    def __init__(self, url: str, argv: Sequence[str], folder: Path, environ: Mapping[str, str]) -> None:
        self.url = url
        self._argv, self._folder, self._environ = argv, folder, environ
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self._folder / "output").open("ab") as output:
            self._process = subprocess.Popen(
                self._argv, env=self._environ, cwd=self._folder, stdin=subprocess.DEVNULL,
                stdout=output, stderr=output, start_new_session=True,
            )  # fmt: skip
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            said = (self._folder / "output").read_text(errors="replace")
            assert self._process.poll() is None and time.monotonic() < deadline, said
            time.sleep(0.1)

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """Send it the signal, and wait until it has ended."""
        if self._process:
            # RabbitMQ's is a script's child.
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)
            self._process.wait(STOP_SECONDS)
            self._process = None

    def restart(self, number: signal.Signals = signal.SIGKILL) -> None:
        """End it with the signal, and start it again after a second."""
        self.kill(number)
        time.sleep(1)
        self.start()

    def _answers(self) -> bool:
        from kombu import Connection

        with suppress(OSError), Connection(self.url, connect_timeout=2) as connection:
            connection.connect()
            return True
        return False


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Callable[..., OwnServer]]:
    """Start a RabbitMQ or a Redis of the test's own; ``more`` goes into RabbitMQ's configuration."""
    with ExitStack() as stack:

        def make(kind: str, more: str = "") -> OwnServer:
            server = _rabbitmq(tmp_path, more) if kind == "rabbitmq" else _redis(tmp_path)
            stack.callback(server.kill)
            server.start()
            return server

        yield make


def _redis(tmp_path: Path) -> OwnServer:
    program = shutil.which("redis-server") or shutil.which("valkey-server")
    if not program:
        pytest.skip("there is neither a redis-server nor a valkey-server")
    folder, port = tmp_path / "redis", free_port()
    folder.mkdir()
    # One that keeps nothing: what it holds is lost with it.
    options = ("--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no")
    return OwnServer(f"redis://127.0.0.1:{port}/0", (program, *options), folder, dict(os.environ))


def _rabbitmq(tmp_path: Path, more: str) -> OwnServer:
    program = shutil.which("rabbitmq-server", path=RABBITMQ_FOLDERS)
    if not program:
        pytest.skip("there is no rabbitmq-server")
    folder, port = tmp_path / "rabbitmq", free_port()
    folder.mkdir()
    (folder / "advanced.config").write_text(RABBITMQ_CONFIG.format(port=port, more=more))
    (folder / "plugins").write_text("[].")
    (folder / "environment").touch()
    names = {"CONF_ENV_FILE": "environment", "ADVANCED_CONFIG_FILE": "advanced.config", "BASE": "."}
    names |= {"MNESIA_BASE": "data", "LOG_BASE": "log", "ENABLED_PLUGINS_FILE": "plugins", "PID_FILE": "pid"}
    environ = {f"RABBITMQ_{name}": str(folder / value) for name, value in names.items()}
    environ |= {"RABBITMQ_NODENAME": f"micro-{port}@localhost", "RABBITMQ_LOGS": "-", "HOME": str(folder)}
    environ |= {"RABBITMQ_DIST_PORT": str(free_port()), "ERL_EPMD_ADDRESS": "127.0.0.1"}
    environ |= {"PATH": os.environ["PATH"]}
    return OwnServer(f"amqp://guest:guest@127.0.0.1:{port}//", (program,), folder, environ)


@pytest.fixture
def cut_redis(redis_url: str) -> Callable[[], None]:
    """Let Redis close the connections to this run's database."""
    from redis import Redis

    number = redis_url.rpartition("/")[2]

    def cut() -> None:
        with Redis() as redis:
            for client in redis.client_list():
                if client["db"] == number:
                    redis.client_kill_filter(_id=client["id"])

    return cut


@pytest.fixture
def make_service(tmp_path: Path, plugins: Path) -> Iterator[Callable[..., Service]]:
    """Start a service with these settings of Micro, and of Celery; ended after the test."""
    made: list[Service] = []

    def make(
        celery: Mapping[str, Any] | None = None, flags: Sequence[str] = ("-G", "-C"), **settings: str
    ) -> Service:
        folder = tmp_path / f"micro{len(made)}"
        path = f"{plugins / 'reliability'}:{plugins / 'short_limits'}"
        made.append(Service(folder, settings, celery or {}, path, flags))
        made[-1].start()
        return made[-1]

    yield make
    for service in made:
        service.end()
        print(service.output())


@pytest.fixture
def connect() -> Iterator[Callable[..., Requests]]:
    """Make the Celery client of a broker, which is closed in the end."""
    from micro.api.endpoints import Requests

    made: list[Requests] = []

    def make(broker: str, queue: str = "micro") -> Requests:
        made.append(Requests(broker, queue))
        return made[-1]

    yield make
    for requests in made:
        with suppress(Exception):
            requests.run.app.backend.result_consumer.stop()
        requests.run.app.close()


@pytest.fixture
def marks(tmp_path: Path) -> Callable[[], list[str]]:
    """Return what the runs in the test's folder have noted, sorted."""

    def read() -> list[str]:
        with suppress(FileNotFoundError):
            return sorted((tmp_path / "marks").read_text().splitlines())
        return []

    return read


def free_port() -> int:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port: int = unused.getsockname()[1]
        return port


def _children(pid: int) -> list[int]:
    with suppress(OSError):
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []
