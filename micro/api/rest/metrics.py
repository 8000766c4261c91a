"""GET /metrics: the metrics page for Prometheus."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from flask import Flask, Response, request

from micro.plugin.hookspecs import hookimpl
from micro.telemetry.metrics import meter_runs


@hookimpl
def micro_app(app: Flask) -> None:
    """Count the runs of this process, and add the route."""
    metrics = meter_runs(app.extensions["micro"])
    if metrics is None:
        return

    @cache
    def exposition() -> Callable[[str], tuple[bytes, str]]:
        # Imported late, to start faster: the first scrape comes after the service is up.
        from micro.api.rest.exposition import ServiceCollector, render

        service = ServiceCollector(app.extensions["micro"], lambda: app.extensions.get("micro_jobs"))
        return lambda accept: render(metrics.files or metrics.registry, service, accept)

    @app.get("/metrics")
    def metrics_page() -> Response:
        metrics.meter.flush()
        page, content_type = exposition()(request.headers.get("Accept", ""))
        return Response(page, content_type=content_type, headers={"Cache-Control": "no-store"})
