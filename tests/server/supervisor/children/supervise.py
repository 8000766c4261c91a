"""Runs a supervisor over shell scripts, as a process of its own: supervise.py '{"name": {...}}'.

Each name has a ``script`` and what else a Process takes; ``up`` names a file that tells it is ready. When all
are up it prints their process ids as JSON and writes the file ``ready``; the exit code is the supervisor's.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from micro.errors import MicroError
from micro.server.supervisor.output import Output
from micro.server.supervisor.supervisor import NAME, Process, RestartLimits, Supervisor


def process(name: str, script: str, up: str, **options: Any) -> Process:
    return Process(name, ("sh", "-c", script), ready=lambda _pid: Path(up).exists(), **options)


def main() -> int:
    def on_ready() -> None:
        print(json.dumps([each.pid for each in supervisor.snapshot()]), flush=True)
        Path("ready").touch()

    processes = [process(name, **options) for name, options in json.loads(sys.argv[1]).items()]
    supervisor = Supervisor(
        processes,
        Output(sys.stderr, [*(each.name for each in processes), NAME]),
        on_ready,
        limits=RestartLimits(grace=2, least_grace=0.2, boot=8, pause=0.01, poll=0.01),
    )
    try:
        return supervisor.run()
    except MicroError as err:
        print(err.message, file=sys.stderr)
        return err.exit_code


if __name__ == "__main__":
    sys.exit(main())
