"""Compares what a call over REST costs with other servers of the same function, and with Micro 3.1.0.

    python benchmarks/rest.py --peers FOLDER [--python36 PYTHON]
                              [--seconds N] [--rounds N] [--only NAME,...]

Each server gets the same POST of a small JSON object over 8 kept connections, from wrk (apt install wrk).
The figure is the CPU time of the server's process tree for one request: it depends less than the
requests per second on what else the machine does. The servers take turns, round by round; the
figure is the median of the rounds, the ratio is the median of each round's. The folder is for
virtual environments, made when they are missing.

"plain uvicorn" has its parser and its event loop in Python; the others, Micro too, have both in C.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from trees import cpu_seconds, free_port, load, running

HERE = Path(__file__).parent / "peers"
BODY = {"name": "Micro"}
CONNECTIONS = 8
PEERS = ("fastapi", "uvicorn[standard]", "functions-framework")
# Its Celery half does not start with a later vine; REST needs nothing of it but that it can be imported.
OLD = ("Micro==3.1.0", "vine==1.3.0")
MICRO = "Micro"
GOALS = {"Micro 3.1.0": 0.45, "FastAPI def": 0.65, "FastAPI async def": 1.1, "functions-framework": 0.4}


@dataclass(frozen=True)
class Server:
    """How one is started, and where the function is."""

    name: str
    command: Sequence[str]
    port: int
    path: str = "/run/hello"
    env: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{self.path}"


@dataclass
class Figures:
    """Of one server, a value for each round."""

    micros: list[float] = field(default_factory=list)
    per_second: list[float] = field(default_factory=list)


def main() -> int:
    """Measure and print; the exit status is 1 when a goal is missed."""
    options = _options()
    with TemporaryDirectory() as folder, ExitStack() as stack:
        script = Path(folder) / "post.lua"
        script.write_text(_lua())
        servers = [each for each in _servers(options, Path(folder)) if _wanted(each.name, options.only)]
        pids = {each.name: stack.enter_context(_started(each, Path(folder))) for each in servers}
        figures = {each.name: Figures() for each in servers}
        for number in range(options.rounds + 1):
            for each in servers:
                measured = _measure(each, pids[each.name], script, options.seconds)
                # The first round warms up.
                if number:
                    figures[each.name].micros.append(measured[0])
                    figures[each.name].per_second.append(measured[1])
    return _report(figures)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--peers", type=Path, required=True, help="folder of the peers' virtual environments")
    parser.add_argument("--python36", default=shutil.which("python3.6"), help="what runs Micro 3.1.0")
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="names of the only servers to measure, beside Micro")
    return parser.parse_args()


def _wanted(name: str, only: str) -> bool:
    return not only or name in (MICRO, *only.split(","))


def _lua() -> str:
    body = json.dumps(json.dumps(BODY))
    return f'wrk.method = "POST"\nwrk.body = {body}\nwrk.headers["Content-Type"] = "application/json"\n'


def _servers(options: argparse.Namespace, folder: Path) -> Iterator[Server]:
    here = Path(sysconfig.get_path("scripts"))
    peers = _environment(options.peers / "peers", sys.executable, PEERS)
    yield from _micro(MICRO, here, folder)
    yield from _on_gunicorn(here)
    yield from _fastapi(peers)
    port = free_port()
    function = [
        str(peers / "functions-framework"),
        "--source",
        str(HERE / "function.py"),
        "--target",
        "hello",
    ]
    yield Server("functions-framework", [*function, "--port", str(port), "--host", "127.0.0.1"], port, "/")
    if options.python36:
        old = _environment(options.peers / "micro3", options.python36, OLD)
        yield from _micro("Micro 3.1.0", old, folder)
    else:
        print("No python3.6 is on the path, and --python36 names none: Micro 3.1.0 is left out.")


def _fastapi(scripts: Path) -> Iterator[Server]:
    kinds: dict[str, tuple[str, list[str]]] = {
        "FastAPI def": ("/def", []),
        "FastAPI async def": ("/async", []),
        # As `pip install fastapi uvicorn` has it.
        "FastAPI async def, plain uvicorn": ("/async", ["--loop", "asyncio", "--http", "h11"]),
    }
    for name, (path, options) in kinds.items():
        port = free_port()
        command = [str(scripts / "uvicorn"), "--app-dir", str(HERE), "--no-access-log", "--port", str(port)]
        yield Server(name, [*command, *options, "fastapi_app:app"], port, path)


def _micro(name: str, scripts: Path, folder: Path) -> Iterator[Server]:
    port = free_port()
    place = folder / name
    place.mkdir()
    folders = {f"{each}_folder_path": str(place) for each in ("log", "pid")}
    config = {
        # 3.1.0 goes into the background by itself.
        "gunicorn": {"bind": f"127.0.0.1:{port}", **({"daemon": False} if "3.1" in name else {})},
        "micro": {"plugin_path": str(HERE / "plugins"), **folders},
    }
    file = place / "config.json"
    file.write_text(json.dumps(config))
    env = {"MICRO_STATE_FOLDER_PATH": str(place)}
    yield Server(name, [str(scripts / "micro"), "-G", "-c", str(file)], port, env=env)


def _on_gunicorn(scripts: Path) -> Iterator[Server]:
    kinds = {
        # What the server of Micro costs without Micro and Flask.
        "bare ASGI, same server": ["-k", "uvicorn_worker.UvicornWorker", "asgi_app:app"],
        "Flask, gthread": ["-k", "gthread", "--threads", "4", "flask_app:app"],
        "Flask, sync": ["-k", "sync", "flask_app:app"],
    }
    for name, options in kinds.items():
        port = free_port()
        command = [str(scripts / "gunicorn"), "--chdir", str(HERE), "-b", f"127.0.0.1:{port}"]
        yield Server(name, [*command, "--no-control-socket", *options], port)


def _environment(folder: Path, python: str, packages: Sequence[str]) -> Path:
    """Return the folder of the commands of a virtual environment with the packages."""
    if not folder.exists():
        print(f"Installing {' '.join(packages)} into {folder}")
        subprocess.run([python, "-m", "venv", str(folder)], check=True)
        subprocess.run([str(folder / "bin" / "pip"), "install", "-q", *packages], check=True)
    return folder / "bin"


def _started(server: Server, folder: Path) -> AbstractContextManager[int]:
    return running(server.command, server.url, folder / f"{server.name}.log", server.env)


def _measure(server: Server, pid: int, script: Path, seconds: int) -> tuple[float, float]:
    before, began = cpu_seconds(pid), time.monotonic()
    requests = load(server.url, script, CONNECTIONS, seconds)
    taken = time.monotonic() - began
    return (cpu_seconds(pid) - before) / requests * 1e6, requests / taken


def _report(figures: dict[str, Figures]) -> int:
    missed = []
    print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}, {CONNECTIONS} connections\n")
    print(f"{'':32} {'CPU us/request':>15} {'requests/s':>11} {'Micro is':>10} {'goal':>5}")
    for name, each in sorted(figures.items(), key=lambda item: statistics.median(item[1].micros)):
        ratio, goal = _ratio(figures[MICRO], each), GOALS.get(name)
        micros, per_second = statistics.median(each.micros), statistics.median(each.per_second)
        print(f"{name:32} {micros:15.0f} {per_second:11.0f} {ratio:10.2f} {goal or '':>5}")
        if goal and ratio > goal:
            missed.append(name)
    if missed:
        print(f"\nMissed the goal against: {', '.join(missed)}")
    return 1 if missed else 0


def _ratio(ours: Figures, theirs: Figures) -> float:
    """Return the median of the rounds' ratios: within a round the machine is much the same."""
    return statistics.median(a / b for a, b in zip(ours.micros, theirs.micros, strict=True))


if __name__ == "__main__":
    raise SystemExit(main())
