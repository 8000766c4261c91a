"""Starts servers for the benchmarks, and tells what their process trees use and how they are loaded."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_START_SECONDS = 60
_STOP_SECONDS = 15


def free_port() -> int:
    """Return a port of loopback that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running(
    command: Sequence[str], url: str, log: Path, env: Mapping[str, str] | None = None
) -> Iterator[int]:
    """Run the server until the block ends; give its process id once the URL answers anything."""
    environment = {**os.environ, **(env or {})}
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, env=environment, stdout=output, stderr=output, start_new_session=True
        )
    try:
        await_answer(url, process, log)
        yield process.pid
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_SECONDS)
        # Micro 3.1.0 leaves its children behind.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def await_answer(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Return as soon as the URL answers, be it with an error."""
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.005)
    raise SystemExit(f"{process.args!r} does not answer at {url}:\n{log.read_text()[-2000:]}")


def tree(pid: int) -> list[int]:
    """Return the ids of the process and all that descend from it."""
    parents: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            parents.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found = [pid]
    for each in found:
        found += parents.get(each, [])
    return found


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of the tree, of its processes that have ended too."""
    total = 0
    for each in tree(pid):
        with suppress(OSError):
            fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
            total += sum(map(int, fields[11:15]))
    return total / _TICKS


def memory(pid: int) -> dict[str, float]:
    """Return the tree's memory in MiB: ``pss``, in which shared pages count once, and ``private``."""
    text = ""
    for each in tree(pid):
        with suppress(OSError):
            text += Path(f"/proc/{each}/smaps_rollup").read_text()
    return {
        "pss": _sum(r"^Pss:\s+(\d+)", text) / 1024,
        "private": _sum(r"^Private_(?:Clean|Dirty):\s+(\d+)", text) / 1024,
    }


def _sum(pattern: str, text: str) -> int:
    return sum(map(int, re.findall(pattern, text, re.MULTILINE)))


def load(url: str, script: Path, connections: int, seconds: int) -> int:
    """Send requests with wrk; return how many were answered, all of them well."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(script), url]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    answered = re.search(r"(\d+) requests in", output)
    if answered is None or "Non-2xx" in output:
        raise SystemExit(f"{url}: not all requests were answered well:\n{output}")
    return int(answered[1])
