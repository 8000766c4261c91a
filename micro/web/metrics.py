"""GET /metrics: what Prometheus scrapes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, request
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector

from micro import __version__
from micro.api.meter import Metrics, meter_runs
from micro.jobs.backlog import Backlog
from micro.plugin.hookspecs import hookimpl

if TYPE_CHECKING:
    from micro.jobs.service import Jobs
    from micro.service import Micro

Numbers = dict[Any, int]


@hookimpl
def micro_app(app: Flask) -> None:
    """Count the runs of this process, and add the route."""
    metrics = meter_runs(app.extensions["micro"])
    if metrics is None:
        return
    service = ServiceCollector(app.extensions["micro"], lambda: app.extensions.get("micro_jobs"))

    @app.get("/metrics")
    def metrics_page() -> Response:
        return _page(metrics, service)


def _page(metrics: Metrics, service: ServiceCollector) -> Response:
    metrics.meter.flush()
    registry = CollectorRegistry(auto_describe=False)
    registry.register(service)
    files = metrics.files
    if files:
        MultiProcessCollector(registry, str(files.folder))
    else:
        registry.register(_Others(metrics.registry))
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    with files.settled() if files else nullcontext():
        return Response(encode(registry), content_type=content_type, headers={"Cache-Control": "no-store"})


class _Others:
    """Collects what another registry has."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def collect(self) -> Any:
        return self._registry.collect()


class ServiceCollector:
    """What is looked up when it is asked for: versions, plugins, and what broker and job table hold.

    What did not answer is left out, and ``micro_reachable`` says so.
    """

    def __init__(self, micro: Micro, find_jobs: Callable[[], Jobs | None]) -> None:
        self._micro, self._find_jobs = micro, find_jobs
        self._backlog = Backlog(self._needed_jobs)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the families."""
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
