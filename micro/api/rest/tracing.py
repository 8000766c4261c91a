"""Records a span of each HTTP request, if OpenTelemetry tracing is on."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from flask import Flask, Response, g, request

from micro.correlation import CALL
from micro.plugin.hookspecs import hookimpl
from micro.telemetry.tracing import trace_runs

if TYPE_CHECKING:
    from micro.telemetry.otel import OtelTracer

# Probes and scrapes arrive every few seconds. Their spans would bury all others.
_UNTRACED = frozenset({"/livez", "/readyz", "/healthz", "/metrics"})


@hookimpl
def micro_app(app: Flask) -> None:
    """Trace requests, job submissions and runs."""
    tracer = trace_runs(app.extensions["micro"])
    if tracer is None:
        return
    app.before_request(lambda: _begin(tracer))
    app.after_request(lambda response: _tell_status(tracer, response))
    app.teardown_request(_end)


def _begin(tracer: OtelTracer) -> None:
    call = CALL.get()
    if call is None or request.path in _UNTRACED:
        return
    route = request.url_rule.rule if request.url_rule else None
    headers = {name.lower(): value for name, value in request.headers}
    g.trace = ExitStack()
    g.span = g.trace.enter_context(tracer.request(f"{request.method} {route or ''}".strip(), headers, call))
    g.span.set_attributes({"http.request.method": request.method, "url.path": request.path})
    if route:
        g.span.set_attribute("http.route", route)


def _tell_status(tracer: OtelTracer, response: Response) -> Response:
    span = g.get("span")
    if span:
        tracer.answered(span, response.status_code)
    return response


def _end(_error: BaseException | None) -> None:
    stack = g.pop("trace", None)
    if stack:
        stack.close()
