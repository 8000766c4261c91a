"""GET /metrics: what Prometheus scrapes."""

from __future__ import annotations

from flask import Flask, Response, request

from micro.api.exposition import ServiceCollector, render
from micro.api.meter import meter_runs
from micro.plugin.hookspecs import hookimpl


@hookimpl
def micro_app(app: Flask) -> None:
    """Count the runs of this process, and add the route."""
    metrics = meter_runs(app.extensions["micro"])
    if metrics is None:
        return
    service = ServiceCollector(app.extensions["micro"], lambda: app.extensions.get("micro_jobs"))

    @app.get("/metrics")
    def metrics_page() -> Response:
        metrics.meter.flush()
        accept = request.headers.get("Accept", "")
        page, content_type = render(metrics.files or metrics.registry, service, accept)
        return Response(page, content_type=content_type, headers={"Cache-Control": "no-store"})
