"""Measures whether clients that send half of a body make other calls wait.

    python benchmarks/slow_clients.py [--clients N] [--calls N]

Starts `micro -G` with one process, and times calls: first alone, then while N connections have sent
half of their bodies and keep silent. Prints the median and the longest call of both, in milliseconds.
The exit status is 1 if the median call takes 50 ms more beside the slow clients.
"""

from __future__ import annotations

import argparse
import json
import socket
import statistics
import sysconfig
import time
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from trees import free_port, running

PLUGINS = Path(__file__).parent / "peers" / "plugins"
MOST_MILLISECONDS_MORE = 50.0


def main() -> int:
    """Measure and print; the exit status is 1 when the goal is missed."""
    options = _options()
    port = free_port()
    with TemporaryDirectory() as folder, ExitStack() as stack:
        micro = Path(sysconfig.get_path("scripts")) / "micro"
        command = [str(micro), "-G", "-gw", "1", "-b", f"127.0.0.1:{port}", "-p", str(PLUGINS)]
        folders = {f"MICRO_{each}_FOLDER_PATH": folder for each in ("LOG", "PID", "STATE")}
        url = f"http://127.0.0.1:{port}/run/hello"
        stack.enter_context(running(command, url, Path(folder) / "output", folders))
        alone = _measure(url, options.calls)
        for _ in range(options.clients):
            stack.enter_context(_half_sent(port))
        beside = _measure(url, options.calls)
    _print("alone", alone)
    _print(f"beside {options.clients} half-sent bodies", beside)
    more = statistics.median(beside) - statistics.median(alone)
    return 1 if more > MOST_MILLISECONDS_MORE else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--clients", type=int, default=40)
    parser.add_argument("--calls", type=int, default=200)
    return parser.parse_args()


def _half_sent(port: int) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port))
    head = "POST /run/hello HTTP/1.1\r\nHost: x\r\nContent-Length: 17\r\n"
    connection.sendall(f"{head}Content-Type: application/json\r\n\r\n".encode() + b'{"name": ')
    return connection


def _measure(url: str, calls: int) -> list[float]:
    """Return the milliseconds of each call."""
    body = json.dumps({"name": "Micro"}).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    taken = []
    for _ in range(calls):
        began = time.perf_counter()
        with urllib.request.urlopen(request, timeout=20) as answer:
            answer.read()
        taken.append((time.perf_counter() - began) * 1000)
    return taken


def _print(what: str, taken: list[float]) -> None:
    print(f"{what:32} median {statistics.median(taken):6.1f} ms   longest {max(taken):6.1f} ms")


if __name__ == "__main__":
    raise SystemExit(main())
