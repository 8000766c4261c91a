"""Counts and times runs for Prometheus: each run adds a record, and a thread adds the records up."""

from __future__ import annotations

import os
from collections import deque
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from micro.periodic import PeriodicCalls
from micro.plugin.hookspecs import hookimpl
from micro.service import Micro
from micro.telemetry.metric_files import FOLDER_VARIABLE, MetricFiles

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from micro.telemetry.instruments import Ended, Instruments

FLUSH_SECONDS = 0.5
"""How old the numbers of the metrics page may be."""


class Meter:
    """Records the begin and the end of each run with an append to a list; a thread adds the records up.

    A run does not wait for the import of prometheus-client, and pays 7 us instead of the 20 us that writing
    to the instruments costs (`benchmarks/metrics.py`). A process that is killed loses the records of its
    last half second.
    """

    def __init__(self, files: MetricFiles | None) -> None:
        self._files = files
        self._begun: deque[str] = deque()
        self._ended: deque[Ended] = deque()
        self._periodic = PeriodicCalls(FLUSH_SECONDS)
        self._flushing = Lock()
        self._noted = False
        self._pid = 0

    @cached_property
    def instruments(self) -> Instruments:
        """The instruments of this process."""
        # Imported late: the import takes time, and nothing is counted before the first run.
        from micro.telemetry.instruments import Instruments

        return Instruments()

    def begin(self, plugin: str) -> None:
        """Record that a run begins."""
        self._begun.append(plugin)
        if not self._noted:
            self._see_to_it()

    def end(self, plugin: str, transport: str, outcome: str, seconds: float) -> None:
        """Record that a run has ended."""
        self._ended.append((plugin, transport, outcome, seconds))
        if not self._noted:
            self._see_to_it()

    def flush(self) -> None:
        """Add the records up."""
        # Reset first, so that a record made from now on schedules this method again.
        self._noted = False
        self._periodic.remove(self.flush)
        with self._flushing:
            begun, ended = _taken(self._begun), _taken(self._ended)
            if (begun or ended) and self._can_write():
                self.instruments.add(begun, ended)

    @hookimpl
    def micro_stop(self) -> None:
        """Add up the last records of the process."""
        self.flush()

    def _see_to_it(self) -> None:
        self._noted = True
        self._periodic.add(self.flush)

    def _can_write(self) -> bool:
        pid = os.getpid()
        if self._files and self._pid != pid:
            self._pid = pid
            self._files.prepare(pid)
        return self._files is None or self._files.usable


def _taken(notes: deque[Any]) -> list[Any]:
    return [notes.popleft() for _ in range(len(notes))]


class Metrics:
    """The meter of one service, and the files that its processes share their numbers through."""

    def __init__(self, plugins: int = 1) -> None:
        folder = os.environ.get(FOLDER_VARIABLE)
        self.files = MetricFiles(Path(folder), plugins) if folder else None
        self.meter = Meter(self.files)

    @property
    def registry(self) -> CollectorRegistry:
        """The registry of this process's instruments."""
        return self.meter.instruments.registry


def meter_runs(micro: Micro) -> Metrics | None:
    """Let the service count its runs from now on; return None if the setting ``metrics`` is off."""
    if not micro.settings.metrics:
        return None
    metrics = Metrics(len(micro.loaded))
    micro.observer = metrics.meter
    micro.loaded.hooks.register(metrics.meter)
    return metrics
