"""Renders the Prometheus metrics: runs of all processes, plus values that are looked up at each scrape."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector

from micro._version import __version__
from micro.jobs.stats import Backlog
from micro.telemetry.metric_files import MetricFiles

if TYPE_CHECKING:
    from micro.jobs.service import Jobs
    from micro.service import Micro

Numbers = dict[Any, int]


def render(
    runs: MetricFiles | CollectorRegistry, service: ServiceCollector, accept: str
) -> tuple[bytes, str]:
    """Return the metrics page and its content type, in the format that the header ``accept`` prefers."""
    encode, content_type = choose_encoder(accept)
    return encode(make_registry(runs, service)), content_type


def make_registry(runs: MetricFiles | CollectorRegistry, service: ServiceCollector) -> CollectorRegistry:
    """Return a registry of the runs (of this process, or of all that share the files) and of the service."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(service)
    registry.register(_Runs(runs))
    return registry


class _Runs:
    """A collector of the metrics of another registry, or of the files of several processes."""

    def __init__(self, runs: MetricFiles | CollectorRegistry) -> None:
        self._runs = runs

    def collect(self) -> Iterable[Metric]:
        if isinstance(self._runs, CollectorRegistry):
            return self._runs.collect()
        with self._runs.settled():
            found: Iterable[Metric] = MultiProcessCollector(None, str(self._runs.folder)).collect()
            return found


class ServiceCollector:
    """Collects versions, plugins, queue depths and job counts at each scrape.

    If the broker or the job table does not answer, its metrics are left out and ``micro_reachable`` is 0.
    Neither is asked if no broker is configured or ``find_jobs`` returns None.
    """

    def __init__(self, micro: Micro, find_jobs: Callable[[], Jobs | None]) -> None:
        self._micro, self._find_jobs = micro, find_jobs
        self._backlog = Backlog(self._needed_jobs)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the metric families, as ``prometheus_client`` expects of a collector."""
        yield _family("micro_build_info", "The Micro that serves", ("version",), {(__version__,): 1})
        versions = {(each.name, each.version or ""): 1 for each in self._micro.loaded}
        yield _family("micro_plugin_info", "The plugins that are served", ("plugin", "version"), versions)
        if self._micro.settings.broker_url and self._find_jobs():
            yield from self._collect_jobs()

    def _needed_jobs(self) -> Jobs:
        jobs = self._find_jobs()
        assert jobs is not None
        return jobs

    def _collect_jobs(self) -> Iterator[GaugeMetricFamily]:
        counts = self._backlog.counts()
        reachable = {"store": int(counts.jobs is not None), "queues": int(counts.queues is not None)}
        yield _family("micro_reachable", "Whether what is measured answered", ("part",), _labelled(reachable))
        if counts.jobs is not None:
            yield _family("micro_jobs", "Jobs on record", ("state",), _labelled(counts.jobs))
        if counts.queues is not None:
            yield _family(
                "micro_queue_depth", "Runs that wait in the queue", ("queue",), _labelled(counts.queues)
            )


def _labelled(numbers: Mapping[str, int]) -> Numbers:
    return {(label,): number for label, number in numbers.items()}


def _family(name: str, text: str, labels: tuple[str, ...], values: Numbers) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=labels)
    for key, value in values.items():
        family.add_metric(list(key), value)
    return family
