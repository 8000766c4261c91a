"""Compares the start of the command and of the package with that of a Python that does next to nothing.

    python benchmarks/startup.py [--rounds N] [--check]

The base is ``python -c "import argparse, json"``. Each measurement is the CPU time of a process of its
own, the kinds in turn; the figure is the median of the rounds. With --check the exit status is 1 when
one takes more than 2.5 times as long as the base. Run it where Micro is installed as users install it:
an editable installation makes every Python start slower, the base too.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import sysconfig
from collections.abc import Sequence

LIMIT = 2.5
BASE = "import argparse, json"


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--check", action="store_true", help=f"fail above {LIMIT} times the base")
    options = parser.parse_args(argv)
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


if __name__ == "__main__":
    raise SystemExit(main())
