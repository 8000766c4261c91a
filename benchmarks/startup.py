"""Compares the start of the command and of the package with that of a Python that does next to nothing.

    python benchmarks/startup.py [--rounds N] [--check] [--serve]

The base is ``python -c "import argparse, json"``. Each measurement is the CPU time of a process of its
own, the kinds in turn; the figure is the median of the rounds. With --check the exit status is 1 when
one takes more than 2.5 times as long as the base. Run it where Micro is installed as users install it:
an editable installation makes every Python start slower, the base too.

With --serve instead: the time from the command to the first answer over REST, of gunicorn with a Flask
application that says the same, of the parts of `micro -G` without Micro (a Python process that starts
uvicorn's worker beside Flask and pydantic), and of `micro -G`, in turn.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import sysconfig
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from trees import free_port, running

PEERS = Path(__file__).parent / "peers"
LIMIT = 2.5
BASE = "import argparse, json"
_START = "import subprocess, sys; raise SystemExit(subprocess.call(sys.argv[1:]))"


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--check", action="store_true", help=f"fail above {LIMIT} times the base")
    parser.add_argument("--serve", action="store_true", help="measure until REST answers")
    options = parser.parse_args(argv)
    if options.serve:
        _compare_serving(options.rounds)
        return 0
    commands = _commands()
    medians = _measure(list(commands.values()), options.rounds)
    slow = []
    for (name, _), seconds in zip(commands.items(), medians, strict=True):
        ratio = seconds / medians[0]
        print(f"{name:24} {seconds * 1000:6.1f} ms   {ratio:4.2f}")
        if ratio > LIMIT:
            slow.append(name)
    if options.check and slow:
        print(f"more than {LIMIT} times the base: {', '.join(slow)}")
        return 1
    return 0


def _commands() -> dict[str, list[str]]:
    micro = shutil.which("micro", path=sysconfig.get_path("scripts"))
    if micro is None:
        raise SystemExit(f"micro is not installed in {sys.prefix}; `pip install .` installs it.")
    return {
        BASE: [sys.executable, "-c", BASE],
        "import micro": [sys.executable, "-c", "import micro"],
        "micro -h": [micro, "-h"],
        "micro -v": [micro, "-v"],
    }


def _measure(commands: list[list[str]], rounds: int) -> list[float]:
    """Return the median CPU time of each command, in seconds."""
    taken: list[list[float]] = [[] for _ in commands]
    for _ in range(rounds):
        for command, times in zip(commands, taken, strict=True):
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode:
                raise SystemExit(f"{' '.join(command)} exited with status {process.returncode}")
            times.append(usage.ru_utime + usage.ru_stime)
    return [statistics.median(times) for times in taken]


def _compare_serving(rounds: int) -> None:
    scripts = sysconfig.get_path("scripts")
    gunicorn = [f"{scripts}/gunicorn", "--chdir", str(PEERS), "--no-control-socket"]
    parts = [sys.executable, "-c", _START, *gunicorn, "--preload", "-k", "uvicorn_worker.UvicornWorker"]
    commands = {
        "gunicorn and Flask": [*gunicorn, "flask_app:app", "-b"],
        "the parts without Micro": [*parts, "parts_app:app", "-b"],
        "micro -G": [f"{scripts}/micro", "-G", "-p", str(PEERS / "plugins"), "-b"],
    }
    taken: dict[str, list[float]] = {what: [] for what in commands}
    with TemporaryDirectory() as name:
        for _ in range(rounds):
            for what, command in commands.items():
                taken[what].append(_until_served(command, Path(name)))
    base = taken["gunicorn and Flask"]
    for what, times in taken.items():
        ratio = statistics.median(ours / theirs for ours, theirs in zip(times, base, strict=True))
        print(f"{what:24} {statistics.median(times) * 1000:6.0f} ms   {ratio:4.2f}")


def _until_served(command: list[str], folder: Path) -> float:
    """Return the seconds from the command to the first answer."""
    address = f"127.0.0.1:{free_port()}"
    places = {f"MICRO_{each}_FOLDER_PATH": str(folder) for each in ("LOG", "PID", "STATE")}
    began = time.monotonic()
    with running([*command, address], f"http://{address}/run/hello", folder / "output", places):
        return time.monotonic() - began


if __name__ == "__main__":
    raise SystemExit(main())
