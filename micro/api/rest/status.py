"""GET /status: the state of the processes, queues and plugins as JSON."""

from __future__ import annotations

import json
from typing import Any

from flask import Flask, Response

from micro.jobs.stats import Backlog
from micro.plugin.hookspecs import hookimpl
from micro.runtime.status import read_status, waiting
from micro.service import Micro


@hookimpl
def micro_app(app: Flask) -> None:
    """Add the route."""
    micro: Micro = app.extensions["micro"]
    backlog = Backlog(lambda: app.extensions["micro_jobs"])

    @app.get("/status")
    def status() -> Response:
        told = {**read_status(micro.settings), "plugins": _plugins(micro)}
        if micro.settings.broker_url:
            counts = backlog.counts()
            told |= waiting(counts.queues, counts.jobs)
        return Response(json.dumps(told), headers={"Cache-Control": "no-store"}, mimetype="application/json")


def _plugins(micro: Micro) -> dict[str, Any]:
    """Return how many plugins this process has loaded, and which failed to load."""
    return {"loaded": len(micro.loaded), "failed": micro.loaded.failures()}
