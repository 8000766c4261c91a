"""Turns OpenTelemetry on where its variables ask for it; without it nothing of it is imported."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from micro.service import Micro

if TYPE_CHECKING:
    from micro.api.otel import OtelTracer

log = logging.getLogger(__name__)

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


def is_wanted(environ: Mapping[str, str]) -> bool:
    """Tell whether the variables name a place for spans, or a program around this one has set up one."""
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    exporter = environ.get("OTEL_TRACES_EXPORTER", "").strip()
    if exporter:
        return exporter != "none"
    return any(environ.get(name) for name in _ENDPOINTS) or _is_set_up()


def _is_set_up() -> bool:
    # opentelemetry-instrument, or a program that embeds the application, has imported it by now.
    found = sys.modules.get("opentelemetry.trace")
    return found is not None and not isinstance(found.get_tracer_provider(), found.ProxyTracerProvider)


def trace_runs(micro: Micro) -> OtelTracer | None:
    """Record the runs and submissions of the service from now on; None where nobody wants that."""
    if not is_wanted(os.environ):
        return None
    try:
        from micro.api.otel import OtelTracer
    except ImportError as err:
        log.warning(
            "Nothing is traced, though OTEL_* variables ask for it: %s; pip install 'Micro[otel]'", err
        )
        return None
    tracer = OtelTracer()
    micro.tracer = tracer
    micro.loaded.hooks.register(tracer)
    return tracer
