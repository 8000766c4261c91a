"""Counts and times runs for Prometheus: each run notes what it was, and a thread of its own adds it up."""

from __future__ import annotations

import os
from bisect import bisect_left
from collections import Counter as Tally
from collections import deque
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from micro.api.metric_files import FOLDER_VARIABLE, MetricFiles
from micro.jobs.ticker import Ticker
from micro.plugin.hookspecs import hookimpl
from micro.service import Micro

FLUSH_SECONDS = 0.5
"""How far behind what is shown may be."""

_BUCKETS = (
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
    30.0,
    60.0,
    300.0,
    1800.0,
)
_Ended = tuple[str, str, str, float]


class Meter:
    """Takes the beginnings and the ends of runs, at the cost of an append to a list.

    Writing to the instruments itself would cost ten times as much; so that is done for many runs at once.
    A process that is killed takes with it what ended in its last half second.
    """

    def __init__(self, registry: CollectorRegistry, files: MetricFiles | None) -> None:
        self._files = files
        self._runs = Counter(
            "micro_runs", "Runs that have ended", ("plugin", "transport", "outcome"), registry=registry
        )
        self._seconds = Histogram(
            "micro_run_seconds",
            "Seconds that runs took",
            ("plugin", "transport"),
            buckets=_BUCKETS,
            registry=registry,
        )
        self._in_progress = Gauge(
            "micro_runs_in_progress",
            "Runs that go on",
            ("plugin",),
            multiprocess_mode="livesum",
            registry=registry,
        )
        self._begun: deque[str] = deque()
        self._ended: deque[_Ended] = deque()
        self._ticker = Ticker(FLUSH_SECONDS)
        self._flushing = Lock()
        self._noted = False
        self._pid = 0
        self._labelled = cache(lambda metric, *labels: metric.labels(*labels))

    def begin(self, plugin: str) -> None:
        """Note that a run begins."""
        self._begun.append(plugin)
        if not self._noted:
            self._see_to_it()

    def end(self, plugin: str, transport: str, outcome: str, seconds: float) -> None:
        """Note that a run has ended."""
        self._ended.append((plugin, transport, outcome, seconds))
        if not self._noted:
            self._see_to_it()

    def flush(self) -> None:
        """Add up what was noted."""
        # First, so that what is noted from now on brings this back.
        self._noted = False
        self._ticker.remove(self.flush)
        with self._flushing:
            begun, ended = _taken(self._begun), _taken(self._ended)
            if (begun or ended) and self._can_write():
                self._add(begun, ended)

    @hookimpl
    def micro_stop(self) -> None:
        """Add up the last runs of the process."""
        self.flush()

    def _see_to_it(self) -> None:
        self._noted = True
        self._ticker.add(self.flush)

    def _can_write(self) -> bool:
        pid = os.getpid()
        if self._files and self._pid != pid:
            self._pid = pid
            self._files.prepare(pid)
        return self._files is None or self._files.usable

    def _add(self, begun: Iterable[str], ended: Iterable[_Ended]) -> None:
        running, outcomes = Tally(begun), Tally[tuple[str, str, str]]()
        times: dict[tuple[str, str], list[float]] = {}
        for plugin, transport, outcome, seconds in ended:
            running[plugin] -= 1
            outcomes[plugin, transport, outcome] += 1
            times.setdefault((plugin, transport), []).append(seconds)
        for labels, number in outcomes.items():
            self._labelled(self._runs, *labels).inc(number)
        for pair, several in times.items():
            _observe(self._labelled(self._seconds, *pair), several)
        for plugin, number in running.items():
            self._labelled(self._in_progress, plugin).inc(number)


def _observe(histogram: Any, several: list[float]) -> None:
    """Add many observations at once, which the library has no word for."""
    bounds = histogram._upper_bounds
    for index, number in Tally(bisect_left(bounds, each) for each in several).items():
        histogram._buckets[index].inc(number)
    histogram._sum.inc(sum(several))


def _taken(notes: deque[Any]) -> list[Any]:
    return [notes.popleft() for _ in range(len(notes))]


class Metrics:
    """What one service measures: the meter of its runs, and where the numbers of all its processes are."""

    def __init__(self, plugins: int = 1) -> None:
        folder = os.environ.get(FOLDER_VARIABLE)
        self.files = MetricFiles(Path(folder), plugins) if folder else None
        self.registry = CollectorRegistry()
        self.meter = Meter(self.registry, self.files)


def meter_runs(micro: Micro) -> Metrics | None:
    """Let the service count its runs from now on; None if the setting ``metrics`` is off."""
    if not micro.settings.metrics:
        return None
    metrics = Metrics(len(micro.loaded))
    micro.observer = metrics.meter
    micro.loaded.hooks.register(metrics.meter)
    return metrics
