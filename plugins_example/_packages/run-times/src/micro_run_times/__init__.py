"""A Micro plugin package: a hook that times every run, and a plugin that tells the times."""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from micro import PluginBase, PluginDescription, hookimpl

if TYPE_CHECKING:
    from micro.plugin.plugin import Plugin


@dataclass
class Times:
    """The runs of one plugin in this process; times are in milliseconds."""

    runs: int = 0
    total_ms: float = 0
    longest_ms: float = 0

    def add(self, milliseconds: float) -> None:
        self.runs += 1
        self.total_ms += milliseconds
        self.longest_ms = max(self.longest_ms, milliseconds)


_times: dict[str, Times] = {}


@hookimpl(wrapper=True)
def micro_run(plugin: Plugin) -> Generator[None, object, object]:
    """Time the run; a run that fails counts as well."""
    start = time.perf_counter()
    try:
        return (yield)
    finally:
        _times.setdefault(plugin.name, Times()).add((time.perf_counter() - start) * 1000)


class RunTimes(PluginBase):
    def run(self) -> dict[str, Any]:
        """Tell how long the runs of each plugin took in this process."""
        return {name: asdict(times) for name, times in _times.items()}


# What is left out here, such as the version, comes from the package.
plugin = PluginDescription(name="Run Times", plugin_help="No parameters")
