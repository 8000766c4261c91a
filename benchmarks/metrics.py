"""Measures what counting and timing runs adds to a run, all that is done later included."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

RUNS = 50_000
ROUNDS = 5


def main() -> None:
    """Print the CPU time of a run without and with metrics, in microseconds."""
    with tempfile.TemporaryDirectory() as folder:
        # Before the library is imported, as Micro's launcher does.
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        bare, metered = _measure(Path(folder), metrics=False), _measure(Path(folder), metrics=True)
    print(f"a run without metrics  {bare:6.2f} us")
    print(f"a run with metrics     {metered:6.2f} us")
    print(f"metrics add            {metered - bare:6.2f} us")


def _measure(folder: Path, *, metrics: bool) -> float:
    from micro import PluginBase, PluginDescription
    from micro.config.settings import Settings
    from micro.plugin.context import RunContext
    from micro.plugin.hook_manager import create_hook_manager
    from micro.plugin.plugin import Plugin, Plugins, Source
    from micro.service import Micro
    from micro.telemetry.metrics import meter_runs

    class Echo(PluginBase):
        def run(self) -> dict[str, int]:
            return {"n": 1}

    plugins = Plugins(create_hook_manager())
    plugins.add(Plugin("Echo", Echo, PluginDescription(name="Echo"), Source("echo", "here", SimpleNamespace)))
    micro = Micro(Settings(metrics=metrics), plugins)
    measured = meter_runs(micro)
    context = RunContext("rest")
    best = float("inf")
    for _ in range(ROUNDS):
        # Of the whole process: the thread that adds the runs up counts too.
        began = time.process_time()
        for _ in range(RUNS):
            micro.run("Echo", {}, context)
        if measured:
            measured.meter.flush()
        best = min(best, (time.process_time() - began) / RUNS)
    return best * 1e6


if __name__ == "__main__":
    main()
