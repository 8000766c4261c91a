"""Measures what Micro adds to a call over REST, beyond what a Flask application that does the same costs.

    python benchmarks/share.py [--rounds N] [--calls N] [--instructions] [--bound RATIO]

Both applications are called in this process, as a server calls them, without one: the figures are
CPU microseconds a call. With --instructions valgrind's callgrind counts the instructions of each,
which no load on the machine changes; with --bound the exit status is 1 when Micro's call costs more
than so many times Flask's.
"""

from __future__ import annotations

import argparse
import gc
import io
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

HERE = Path(__file__).parent / "peers"
BODY = b'{"name": "Micro"}'
Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def main() -> int:
    """Measure and print; return exit status 1 if the ratio exceeds the bound."""
    options = _options()
    if options.counted:
        _be_counted(options.calls)
        return 0
    if options.instructions:
        flask, micro = _count(options.calls)
        unit = "instructions"
    else:
        flask, micro = _time(options.rounds, options.calls)
        unit = "us"
    ratio = micro / flask
    print(f"Flask {flask:.1f} {unit}, Micro {micro:.1f}, so {micro - flask:.1f} more: ratio {ratio:.3f}")
    return 1 if options.bound and ratio > options.bound else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--calls", type=int, default=0)
    parser.add_argument("--instructions", action="store_true")
    parser.add_argument("--bound", type=float)
    parser.add_argument("--counted", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.calls = options.calls or (50 if options.instructions else 1000)
    return options


def _applications() -> tuple[Application, Application]:
    sys.path.insert(0, str(HERE))
    from flask_app import app

    from micro.api.rest import create_app
    from micro.config.settings import Settings

    applications = app, create_app(Settings(plugin_path=(HERE / "plugins",)))
    for each in applications:
        _repeat(each, 200)
    # Flush now: another thread would load the metrics code half a second after the first run.
    applications[1].extensions["micro"].observer.flush()
    # Collect now, and exempt what is loaded, so that no measured call pays for a full collection.
    gc.collect()
    gc.freeze()
    return applications


def _call(app: Application) -> None:
    status = ""

    def start(told: str, _headers: Sequence[tuple[str, str]], _exc_info: object = None) -> None:
        nonlocal status
        status = told

    answer = app(_environ(), start)
    body = b"".join(answer)
    # A WSGI server calls close() after the response, which ends the request.
    getattr(answer, "close", lambda: None)()
    if status != "200 OK" or b"Hello Micro" not in body:
        raise SystemExit(f"Expected the greeting, found {status}: {body!r}")


def _environ() -> dict[str, Any]:
    return {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/run/hello",
        "QUERY_STRING": "",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "127.0.0.1:8000",
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(BODY)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(BODY),
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }


def _repeat(app: Application, calls: int) -> None:
    for _ in range(calls):
        _call(app)


def _time(rounds: int, calls: int) -> tuple[float, float]:
    """Return the median CPU time of a call, in microseconds, of Flask and Micro in turns."""
    applications = _applications()
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        for app, taken in zip(applications, times, strict=True):
            began = time.process_time()
            _repeat(app, calls)
            taken.append((time.process_time() - began) / calls * 1e6)
    return statistics.median(times[0]), statistics.median(times[1])


def _count(calls: int) -> tuple[float, float]:
    """Return the instructions per call of Flask and Micro, counted by callgrind."""
    with TemporaryDirectory() as folder:
        command = ["valgrind", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={folder}/out"]
        itself = [sys.executable, __file__, "--counted", "--calls", str(calls)]
        subprocess.run([*command, *itself], check=True, env=_same_hashes(), stderr=subprocess.DEVNULL)
        counts = [_total(Path(folder) / f"out.{number}") / calls for number in (1, 2)]
    return counts[0], counts[1]


def _same_hashes() -> dict[str, str]:
    """Return an environment with fixed hashes: random ones make the counts differ between runs."""
    # Leave out the variables of coverage, whose instructions would be counted too.
    kept = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    return {**kept, "PYTHONHASHSEED": "0"}


def _be_counted(calls: int) -> None:
    applications = _applications()
    _control("-i", "on")
    for app in applications:
        _control("-z")
        _repeat(app, calls)
        _control("-d")


def _control(*options: str) -> None:
    subprocess.run(["callgrind_control", *options, str(os.getpid())], check=True, stdout=subprocess.DEVNULL)


def _total(file: Path) -> int:
    found = re.search(r"^(?:summary|totals): (\d+)", file.read_text(), re.MULTILINE)
    if found is None:
        raise SystemExit(f"callgrind counted nothing: {file.read_text()[:500]}")
    return int(found[1])


if __name__ == "__main__":
    raise SystemExit(main())
