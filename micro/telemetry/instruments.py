"""The Prometheus counter, histogram and gauge of runs."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterable
from functools import cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

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


Ended = tuple[str, str, str, float]
"""A run that has ended: plugin, transport, outcome, seconds."""


class Instruments:
    """Counts runs, their duration and the runs in progress, in a registry of its own."""

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()
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
        self._labelled = cache(lambda metric, *labels: metric.labels(*labels))

    def add(self, begun: Iterable[str], ended: Iterable[Ended]) -> None:
        """Count runs that have begun (the names of their plugins) and runs that have ended."""
        running, outcomes = Tally(begun), Tally[tuple[str, str, str]]()
        for plugin, transport, outcome, seconds in ended:
            running[plugin] -= 1
            outcomes[plugin, transport, outcome] += 1
            self._labelled(self._seconds, plugin, transport).observe(seconds)
        for labels, number in outcomes.items():
            self._labelled(self._runs, *labels).inc(number)
        for plugin, number in running.items():
            self._labelled(self._in_progress, plugin).inc(number)
