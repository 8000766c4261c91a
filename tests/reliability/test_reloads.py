"""Plugins are reloaded again and again while calls and jobs come in: none is lost, and no memory.

``MICRO_RELIABILITY_RELOADS`` sets how often.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path
from threading import Event
from typing import Any
from urllib.parse import urlsplit

import pytest

LONG = os.environ.get("MICRO_RELIABILITY") == "long"
RELOADS = int(os.environ.get("MICRO_RELIABILITY_RELOADS") or (20 if LONG else 3))
LEAK_RELOADS = int(os.environ.get("MICRO_RELIABILITY_RELOADS") or 1000)
RELOAD_SECONDS = 120
SOURCE = """
from micro import PluginBase, PluginDescription

class Count(PluginBase):
    def run(self, number: int = 0):
        return {{"generation": {generation}, "number": number}}

plugin = PluginDescription(name="Count", examples=[{{"result": {{"generation": {generation}, "number": 0}}}}])
"""

pytestmark = [pytest.mark.reliability, pytest.mark.timeout(7200 if LONG else 150)]


class Plugin:
    """The plugin that is changed; it answers with how often it was."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path / "count" / "interface.py"
        self._file.parent.mkdir(parents=True)
        self.write(1)

    def write(self, generation: int) -> None:
        self._file.write_text(SOURCE.format(generation=generation))


@pytest.fixture
def plugin(tmp_path: Path) -> Plugin:
    return Plugin(tmp_path / "plugins")


def generation(service: Any) -> int:
    answer = service.call("/run/count", {})
    assert answer[0] == 200
    return int(answer[1]["generation"])


def reload(service: Any, plugin: Plugin, number: int, wait_for: Callable[..., Any]) -> None:
    """Change the plugin, and wait until the change has been taken up in every process."""
    plugin.write(number)
    wait_for(lambda: f"Reloaded: generation {number} serves" in service.output(), RELOAD_SECONDS)
    assert generation(service) == number


class Load:
    """Calls without a pause; ``answers`` has what came of each by its kind."""

    def __init__(self, service: Any, requests: Any) -> None:
        self.answers: dict[str, list[Any]] = {"kept": [], "new": [], "job": [], "celery": []}
        self._service, self._requests = service, requests
        self._address = urlsplit(service.url).netloc
        self._over = Event()

    @contextmanager
    def running(self) -> Iterator[None]:
        work = [self._keep_alive, self._connect_anew, self._submit, self._send]
        with ThreadPoolExecutor(len(work)) as pool:
            futures = [pool.submit(each) for each in work]
            try:
                yield
            finally:
                self._over.set()
            for future in futures:
                future.result(120)

    def _keep_alive(self) -> None:
        with closing(HTTPConnection(self._address, timeout=60)) as connection:
            while not self._over.is_set():
                self.answers["kept"].append(_post(connection))

    def _connect_anew(self) -> None:
        while not self._over.is_set():
            with closing(HTTPConnection(self._address, timeout=60)) as connection:
                self.answers["new"].append(_post(connection))

    def _submit(self) -> None:
        while not self._over.wait(0.05):
            status, job = self._service.call("/run/count", {"number": 7}, Prefer="respond-async")
            self.answers["job"].append((status, job["id"]))

    def _send(self) -> None:
        while not self._over.is_set():
            answer = json.loads(self._requests.run.delay("Count", number=7).get(timeout=90))
            self.answers["celery"].append((200 if answer.get("number") == 7 else 500, answer))


def _post(connection: HTTPConnection) -> tuple[int, Any]:
    connection.request("POST", "/run/count", '{"number": 7}', {"Content-Type": "application/json"})
    answer = connection.getresponse()
    body = json.load(answer)
    # Where the server says that it closes the connection, the client opens another.
    return answer.status, body


def test_under_load_no_reload_loses_a_call_or_a_job(
    make_service: Callable[..., Any], connect: Callable[..., Any], wait_for: Callable[..., Any],
    plugin: Plugin, record_property: Callable[[str, object], None],
) -> None:  # fmt: skip
    counts = {"gunicorn_workers": "1", "celery_workers": "2" if LONG else "1"}
    service = make_service(plugin_path=str(plugin.path), **counts)
    load = Load(service, connect(service.broker_url))
    with load.running():
        for number in range(2, RELOADS + 2):
            reload(service, plugin, number, wait_for)
    wait_for(lambda: not service.has_active_jobs(), RELOAD_SECONDS)

    jobs = [service.call(f"/jobs/{job}")[1] for _, job in load.answers["job"]]
    made = ", ".join(f"{len(answers)} {kind}" for kind, answers in load.answers.items())
    print(made)
    record_property("reliability", made)
    assert [each for kind, good in (("kept", 200), ("new", 200), ("job", 202), ("celery", 200))
            for each in load.answers[kind] if each[0] != good] == []  # fmt: skip
    assert [job for job in jobs if job["state"] != "succeeded" or job["attempt"] != 1] == []
    assert all(load.answers.values())
    assert {job["generation"] for job in jobs} <= set(range(1, RELOADS + 2))


@pytest.mark.skipif(not LONG, reason="takes an hour; MICRO_RELIABILITY=long")
def test_no_process_grows_with_the_reloads(
    make_service: Callable[..., Any], wait_for: Callable[..., Any], plugin: Plugin,
    record_property: Callable[[str, object], None],
) -> None:  # fmt: skip
    service = make_service(
        plugin_path=str(plugin.path), gunicorn_workers="1", celery_workers="1", log_level="ERROR"
    )
    sizes: list[dict[str, int]] = []
    for number in range(2, LEAK_RELOADS + 2):
        reload(service, plugin, number, wait_for)
        sizes.append(_sizes(service.process.pid))
    # What the first ones load for good is not of interest.
    first, last = sizes[min(10, len(sizes) // 4)], sizes[-1]
    told = {name: (first[name], last[name]) for name in first}
    print(told)
    record_property("reliability", f"kB of memory after {len(sizes)} reloads: {told}")
    assert first.keys() == last.keys()
    assert [name for name, (before, after) in told.items() if after > before * 1.1] == []
    assert len(list((service.folder / "pid").rglob("*"))) < 40


def _sizes(pid: int) -> dict[str, int]:
    """Return the memory, in kB, of the supervisor and of each of its children, once no old one is left."""
    deadline = time.monotonic() + RELOAD_SECONDS
    while True:
        # One may end as it is looked at.
        with suppress(OSError, StopIteration):
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            found = [(_name(child), _size(child)) for child in children]
            if len(dict(found)) == len(found):
                return {"supervisor": _size(str(pid)), **dict(found)}
        assert time.monotonic() < deadline
        time.sleep(0.1)


def _name(pid: str) -> str:
    # Valkey writes a title of its own there, with spaces.
    argv = Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ").split()
    words = [Path(each).name for each in argv]
    return next(word for word in words if word.startswith(("micro.server", "valkey", "guard")))


def _size(pid: str) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS")))
