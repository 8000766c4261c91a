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
from statistics import median
from threading import Event
from typing import Any
from urllib.parse import urlsplit

import pytest

LONG = os.environ.get("MICRO_RELIABILITY") == "long"
GIVEN_RELOADS = os.environ.get("MICRO_RELIABILITY_RELOADS")
RELOADS = int(GIVEN_RELOADS or (20 if LONG else 1))
RELOAD_SECONDS = 120
# Seconds between the calls of a client, so that in the short form the load leaves time to the other tests.
PAUSE = 0.0 if LONG else 0.1
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
    """Calls one after the other; ``answers`` has what came of each by its kind."""

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
            while not self._over.wait(PAUSE):
                self.answers["kept"].append(_post(connection))

    def _connect_anew(self) -> None:
        while not self._over.wait(PAUSE):
            with closing(HTTPConnection(self._address, timeout=60)) as connection:
                self.answers["new"].append(_post(connection))

    def _submit(self) -> None:
        while not self._over.wait(PAUSE or 0.05):
            status, job = self._service.call("/run/count", {"number": 7}, Prefer="respond-async")
            self.answers["job"].append((status, job["id"]))

    def _send(self) -> None:
        while not self._over.wait(PAUSE):
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


@pytest.mark.skipif(not LONG, reason="takes 40 minutes; MICRO_RELIABILITY=long")
@pytest.mark.parametrize(("flags", "reloads"), [(("-G",), 1000), (("-G", "-C"), 100)], ids=["rest", "celery"])
def test_no_process_grows_with_the_reloads(
    make_service: Callable[..., Any], wait_for: Callable[..., Any], plugin: Plugin,
    record_property: Callable[[str, object], None], flags: tuple[str, ...], reloads: int,
) -> None:  # fmt: skip
    service = make_service(
        flags=flags, plugin_path=str(plugin.path), gunicorn_workers="1", celery_workers="1", log_level="ERROR"
    )
    reloads = int(GIVEN_RELOADS or reloads)
    # What the first ones load for good is not of interest. Sizes go up and down a bit, hence medians.
    looks_after = {*range(6, 11), *range(reloads - 3, reloads + 2), *range(50, reloads, 50)}
    looks = []
    for number in range(2, reloads + 2):
        reload(service, plugin, number, wait_for)
        if number in looks_after:
            looks.append(_look(service.process.pid))
            print(number, looks[-1], flush=True)
    assert len({frozenset(each) for each in looks}) == 1
    told = {key: (_median(looks[:5], key), _median(looks[-5:], key)) for key in looks[0]}
    print(told)
    record_property("reliability", f"kB of memory, and open files, after {reloads} reloads: {told}")
    assert [key for key, (before, after) in told.items() if after > before * 1.1] == []
    # What dead processes counted is merged when there are 48 files of it.
    assert len(list((service.folder / "pid").rglob("*"))) < 80


def _median(looks: list[dict[str, int]], key: str) -> int:
    return int(median(each[key] for each in looks))


def _look(pid: int) -> dict[str, int]:
    """Return the kB of memory of the supervisor and its descendants, and the open files of those that stay.

    It is waited for until no old one is left.
    """
    deadline = time.monotonic() + RELOAD_SECONDS
    while True:
        # One may end as it is looked at.
        with suppress(OSError, StopIteration):
            children = {_name(each): each for each in _children(pid)}
            found = {"supervisor": str(pid), **children}
            forked = {name: sorted(_children(each), key=int) for name, each in children.items()}
            sizes = {name: _size(each) for name, each in found.items()}
            for name, those in forked.items():
                sizes |= {f"{name}/{number}": _size(each) for number, each in enumerate(those)}
            if len(children) == len(_children(pid)):
                return {**sizes, "open files": len(list(Path(f"/proc/{pid}/fd").iterdir()))}
        assert time.monotonic() < deadline
        time.sleep(0.1)


def _children(pid: int | str) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def _name(pid: str) -> str:
    # Valkey writes a title of its own there, with spaces.
    argv = Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ").split()
    if "micro.server" in argv:
        return argv[argv.index("micro.server") + 1]
    return next(Path(each).name for each in argv if Path(each).name.startswith(("valkey", "guard")))


def _size(pid: str) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS")))
