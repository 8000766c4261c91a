"""A real service to call: its REST server and its worker."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from micro.client import Client, Job, connect
from micro.config.loading import dump_settings, load_settings
from micro.config.settings import Settings
from micro.jobs.models import NewJob
from micro.jobs.store.store import JobStore

SERVE = Path(__file__).with_name("serve.py")
PLUGINS = {
    "adder": """
        class Adder(PluginBase):
            def run(self, a: int, b: int = 0) -> dict[str, int]:
                return {"sum": a + b}

        plugin = PluginDescription(name="Adder", version="1.0", description="Adds", plugin_help="a and b")
    """,
    "echo": """
        class Echo(PluginBase):
            def run(self, **params):
                return params

        plugin = PluginDescription(name="Echo / ö", version="1.0")
    """,
    "refuser": """
        class Refuser(PluginBase):
            def run(self, code: str = "", status: int = 404):
                if not code:
                    raise RuntimeError("this is not for callers")
                raise PluginError("No such user", status=status, code=code)

        plugin = PluginDescription(name="Refuser", version="1.0")
    """,
    "waiter": """
        import time
        from pathlib import Path

        class Waiter(PluginBase):
            def run(self, path: str):
                self.log.info("waiting for %s", Path(path).name)
                self.progress(1, 2, "waiting")
                while not Path(path).exists() and not self.cancelled:
                    time.sleep(0.02)
                self.progress(2, 2, "found")
                return {"found": Path(path).exists()}

        plugin = PluginDescription(name="Waiter", version="1.0")
    """,
}


class RunningService:
    """A service that runs: where it is to be called, and its job table."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.table = f"sqlite:///{settings.state_folder_path / 'jobs.sqlite'}"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{(self.settings.pid_folder_path / 'rest.port').read_text()}"

    def connect(self, timeout: float = 10) -> Client:
        return connect(f"{self.url}/", timeout=timeout)

    def record(self, count: int, plugin: str) -> None:
        """Put jobs into the table that nobody is told of, as their plugin has gone."""
        with closing(JobStore(self.table)) as store:
            for number in range(count):
                store.submit(NewJob(plugin, {"number": number}, queue="nobody", delay=3600))


@contextmanager
def _serving(folder: Path, broker_url: str, wait_for: Callable[..., Any]) -> Iterator[RunningService]:
    for name, source in PLUGINS.items():
        interface = folder / "plugins" / name / "interface.py"
        interface.parent.mkdir(parents=True)
        interface.write_text(
            f"from micro import PluginBase, PluginDescription, PluginError\n{dedent(source)}"
        )
    settings = load_settings({"config_file": _config(folder), "broker_url": broker_url}, environ={})
    file = folder / "settings"
    file.write_text(dump_settings(settings))
    processes = []
    with ExitStack() as stack:
        for verb in ("rest", "worker"):
            log = stack.enter_context((folder / f"{verb}.log").open("w"))
            process = subprocess.Popen([sys.executable, SERVE, verb, file], stdout=log, stderr=log)
            stack.callback(_end, process)
            processes.append(process)
        ready = [settings.pid_folder_path / name for name in ("rest.port", "worker1.ready")]
        wait_for(lambda: all(each.exists() for each in ready), 60)
        yield RunningService(settings)
        for process in processes:
            process.terminate()


def _config(folder: Path) -> str:
    for name in ("log", "pids", "state"):
        (folder / name).mkdir()
    content = {
        "celery": {"task_queues": f"micro-test-{uuid.uuid4().hex[:12]}", "worker_concurrency": 1},
        "micro": {
            "plugin_path": str(folder / "plugins"),
            "log_folder_path": str(folder / "log"),
            "pid_folder_path": str(folder / "pids"),
            "state_folder_path": str(folder / "state"),
        },
    }
    path = folder / "config.json"
    path.write_text(json.dumps(content))
    return str(path)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(8)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@pytest.fixture(scope="session")
def service(
    tmp_path_factory: pytest.TempPathFactory, redis_url: str, wait_for: Callable[..., Any]
) -> Iterator[RunningService]:
    with _serving(tmp_path_factory.mktemp("redis"), redis_url, wait_for) as service:
        yield service


@pytest.fixture
def client(service: RunningService) -> Iterator[Client]:
    with service.connect() as client:
        yield client


@pytest.fixture
def waiting(client: Client, tmp_path: Path, wait_for: Callable[..., Any]) -> Iterator[Job]:
    """A job that runs until ``tmp_path / "go"`` is there."""
    job = client.submit("Waiter", path=str(tmp_path / "go"))
    wait_for(lambda: job.state == "running")
    yield job
    (tmp_path / "go").touch()
    wait_for(lambda: job.finished)
