"""Turns on OpenTelemetry tracing if the ``OTEL_*`` variables ask for it; else never imports it."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from micro.service import Micro

if TYPE_CHECKING:
    from micro.telemetry.otel import OtelTracer

log = logging.getLogger(__name__)

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


def is_wanted(environ: Mapping[str, str]) -> bool:
    """Return True if the variables name an exporter, or the process already has a tracer provider."""
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    exporter = environ.get("OTEL_TRACES_EXPORTER", "").strip()
    if exporter:
        return exporter != "none"
    return any(environ.get(name) for name in _ENDPOINTS) or _is_set_up()


def _is_set_up() -> bool:
    # If opentelemetry-instrument or an embedding program uses tracing, the module is imported by now.
    found = sys.modules.get("opentelemetry.trace")
    return found is not None and not isinstance(found.get_tracer_provider(), found.ProxyTracerProvider)


def trace_runs(micro: Micro) -> OtelTracer | None:
    """Start to record runs and job submissions; return the tracer, or None if tracing is off.

    Logs a warning and returns None if the ``otel`` extra is not installed.
    """
    if not is_wanted(os.environ):
        return None
    try:
        from micro.telemetry.otel import OtelTracer
    except ImportError as err:
        log.warning(
            "Tracing is off, although OTEL_* variables ask for it: %s; pip install 'Micro[otel]'", err
        )
        return None
    tracer = OtelTracer()
    micro.tracer = tracer
    micro.loaded.hooks.register(tracer)
    return tracer
