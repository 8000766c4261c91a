"""Measures a service of many plugins, and one of many connections and many slow calls at once.

    python benchmarks/scale.py [--plugins N] [--workers N] [--calls N] [--idle N]

The same service with one plugin and with many, loaded in each worker process and, with
``preload_app``, before these are forked: how long it takes to serve, the memory of all its processes,
the CPU time of a call (wrk, 8 connections), and what the documents about all plugins take. Then one
worker with many idle connections, each of which is called in the end, while many calls each take a second.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import sysconfig
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from trees import cpu_seconds, free_port, load, memory, running

PLUGIN = """
from micro import PluginBase, PluginDescription


class Hello(PluginBase):
    def run(self, name: str, times: int = 1) -> dict:
        return {{"message": f"Hello {{name}}", "times": times}}


plugin = PluginDescription(name="hello{number}", version="1.0.0", description="Greets")
"""
SLOW = """
import time
from micro import PluginBase, PluginDescription


class Slow(PluginBase):
    def run(self, seconds: float) -> dict:
        time.sleep(seconds)
        return {}


plugin = PluginDescription(name="slow")
"""
LUA = """
wrk.method = "POST"
wrk.body = '{"name": "Micro"}'
wrk.headers["Content-Type"] = "application/json"
"""
FILES = 4096


def main() -> None:
    options = _options()
    resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, max(FILES, _most_files())))
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "post.lua").write_text(LUA)
        for number in (1, options.plugins):
            plugins = _make_plugins(folder / f"plugins{number}", number)
            for preload in (False, True):
                settings = {"workers": options.workers, "preload_app": preload}
                _measure_plugins(folder, plugins, number, settings)
        slow = _make_plugins(folder / "slow", 1)
        (slow / "slow").mkdir()
        (slow / "slow" / "interface.py").write_text(SLOW)
        _measure_connections(folder, slow, options.idle, options.calls)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--plugins", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--idle", type=int, default=1000)
    return parser.parse_args()


def _most_files() -> int:
    return resource.getrlimit(resource.RLIMIT_NOFILE)[1]


def _make_plugins(folder: Path, number: int) -> Path:
    for each in range(number):
        place = folder / f"hello{each}"
        place.mkdir(parents=True)
        (place / "interface.py").write_text(PLUGIN.format(number=each))
    return folder


@contextmanager
def _service(folder: Path, plugins: Path, gunicorn: dict[str, Any]) -> Iterator[tuple[int, int]]:
    """Run Micro; yield its port and process id."""
    port = free_port()
    places = {f"{each}_folder_path": str(folder) for each in ("log", "pid", "state")}
    options = {"bind": f"127.0.0.1:{port}", **gunicorn}
    file = folder / "config.json"
    file.write_text(json.dumps({"gunicorn": options, "micro": {"plugin_path": str(plugins), **places}}))
    command = [f"{sysconfig.get_path('scripts')}/micro", "-G", "-c", str(file)]
    with running(command, f"http://127.0.0.1:{port}/plugins", folder / "log") as pid:
        yield port, pid


def _measure_plugins(folder: Path, plugins: Path, number: int, gunicorn: dict[str, Any]) -> None:
    began = time.monotonic()
    with _service(folder, plugins, gunicorn) as (port, pid):
        taken = time.monotonic() - began
        print(f"\n{number} plugins, {gunicorn}: answers after {taken:.2f} s, {_told(memory(pid))}")
        with closing(HTTPConnection("127.0.0.1", port)) as connection:
            for each in range(number):
                _call(connection, "POST", f"/run/hello{each}", '{"name": "Micro"}')
            for path in ("/plugins", "/openapi.json"):
                print(f"    {path}: {_document(connection, path)}")
        script, url = folder / "post.lua", f"http://127.0.0.1:{port}/run/hello{number - 1}"
        costs = [_cost(pid, url, script) for _ in range(6)][1:]
        print(f"    a call: {statistics.median(costs):.0f} us of CPU; {_told(memory(pid))} after all")


def _told(mib: dict[str, float]) -> str:
    return f"{mib['pss']:.0f} MiB in all, {mib['private']:.0f} of them not shared"


def _cost(pid: int, url: str, script: Path) -> float:
    before = cpu_seconds(pid)
    requests = load(url, script, 8, 1)
    return (cpu_seconds(pid) - before) / requests * 1e6


def _document(connection: HTTPConnection, path: str) -> str:
    """Return the times of the first request, of the next one, and of one with the ETag."""
    told = []
    tag: str | None = None
    for what in ("at first", "again", "with its ETag"):
        headers = {"If-None-Match": tag} if tag and what == "with its ETag" else {}
        began = time.monotonic()
        tag = _call(connection, "GET", path, headers=headers)
        told.append(f"{(time.monotonic() - began) * 1e3:.1f} ms {what}")
    return ", ".join(told)


def _call(
    connection: HTTPConnection, method: str, path: str, body: str = "", headers: dict[str, str] | None = None
) -> str | None:
    """Send a request; return the ETag of the response."""
    connection.request(method, path, body or None, {"Content-Type": "application/json", **(headers or {})})
    answer = connection.getresponse()
    text = answer.read()
    if answer.status not in (200, 304):
        raise SystemExit(f"{path}: found {answer.status}: {text.decode()}")
    return answer.headers["ETag"]


def _measure_connections(folder: Path, plugins: Path, idle: int, calls: int) -> None:
    with _service(folder, plugins, {"workers": 1, "threads": calls}) as (port, pid), ExitStack() as stack:
        print(f"\n1 worker with {calls} threads: {_told(memory(pid))}")
        connections = [
            stack.enter_context(closing(HTTPConnection("127.0.0.1", port, timeout=60))) for _ in range(idle)
        ]
        for each in connections:
            each.connect()
        print(f"    {idle} idle connections: {_told(memory(pid))}")
        with ThreadPoolExecutor(calls) as pool:
            began = time.monotonic()
            slow = [pool.submit(_call_slow, port) for _ in range(calls)]
            answered = time.monotonic()
            for each in connections:
                _call(each, "POST", "/run/hello0", '{"name": "Micro"}')
            quick = time.monotonic() - answered
            for call in slow:
                call.result()
            taken = time.monotonic() - began
        print(f"    {calls} calls of a second at once: {taken:.1f} s, none failed; {_told(memory(pid))}")
        print(f"    a call over each of the {idle} connections meanwhile: {quick:.2f} s in all, none failed")


def _call_slow(port: int) -> None:
    with closing(HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        _call(connection, "POST", "/run/slow", '{"seconds": 1}')


if __name__ == "__main__":
    main()
