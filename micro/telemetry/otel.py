"""Records OpenTelemetry spans of requests, job submissions and runs, linked as parents and children."""

from __future__ import annotations

import logging
import os
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import entry_points
from typing import Any

from opentelemetry import context as otel_context
from opentelemetry import propagate, trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from micro._version import __version__
from micro.correlation import CALL, Call, is_made, working_for
from micro.errors import MicroError
from micro.plugin.context import RunContext
from micro.plugin.hookspecs import hookimpl
from micro.plugin.plugin import Plugin

log = logging.getLogger(__name__)

_W3C = TraceContextTextMapPropagator()
# A collector that does not answer must not delay the end of the process for longer.
_FLUSH_MS = 3000
_PROTOCOLS = {"http/protobuf": "otlp_proto_http", "grpc": "otlp_proto_grpc"}


class OtelTracer:
    """Records spans with this process's tracer provider. Sets one up if there is none yet."""

    def __init__(self) -> None:
        self._provider = _provider()
        self._tracer = self._provider.get_tracer("micro", __version__)

    @contextmanager
    def request(self, name: str, headers: Mapping[str, str], call: Call) -> Iterator[Span]:
        """Record a span around an HTTP request. The names in ``headers`` must be lower case."""
        parent = propagate.extract(dict(headers))
        with self._span(name, SpanKind.SERVER, parent, call) as span:
            yield span

    def answered(self, span: Span, status: int) -> None:
        """Set the HTTP status of the response on the request's span; 5xx marks the span as failed."""
        span.set_attribute("http.response.status_code", status)
        if status >= MicroError.status:
            span.set_status(StatusCode.ERROR)

    @contextmanager
    def submission(self, plugin: Plugin, context: RunContext) -> Iterator[RunContext]:
        """Record a span around the submission of a job.

        Yields the context to submit with: it carries this span's trace context, so that the job's run
        becomes its child.
        """
        with self._span_of(f"submit {plugin.name}", SpanKind.PRODUCER, plugin, context):
            call = CALL.get()
            assert call is not None
            yield replace(context, traceparent=call.traceparent, tracestate=call.tracestate)

    @hookimpl(wrapper=True, tryfirst=True)
    def micro_run(self, plugin: Plugin, context: RunContext) -> Generator[None, object, object]:
        """Record a span around a run."""
        remote = context.job is not None or context.transport == "celery"
        kind = SpanKind.CONSUMER if remote else SpanKind.INTERNAL
        with self._span_of(f"run {plugin.name}", kind, plugin, context):
            return (yield)

    @hookimpl
    def micro_stop(self) -> None:
        """Send the spans that are still buffered, before the process ends."""
        flush = getattr(self._provider, "force_flush", None)
        if flush:
            flush(_FLUSH_MS)

    @contextmanager
    def _span_of(self, name: str, kind: SpanKind, plugin: Plugin, context: RunContext) -> Iterator[Span]:
        call = Call(context.request_id, context.traceparent, context.tracestate, plugin.name, context.job)
        with self._span(name, kind, _parent(call), call) as span:
            span.set_attributes(_attributes(plugin, context))
            yield span

    @contextmanager
    def _span(self, name: str, kind: SpanKind, parent: Any, call: Call) -> Iterator[Span]:
        """Record a span. Inside the block it is the current span, and the call carries its trace context."""
        span = self._tracer.start_span(name, parent, kind, {"micro.request_id": call.request_id})
        token = otel_context.attach(trace.set_span_in_context(span, parent))
        try:
            with working_for(_call_of(span, call)):
                yield span
        except BaseException as err:
            _mark_failed(span, err)
            raise
        finally:
            otel_context.detach(token)
            span.end()


def _call_of(span: Span, call: Call) -> Call:
    headers: dict[str, str] = {}
    _W3C.inject(headers, trace.set_span_in_context(span))
    # A no-op provider injects no traceparent: keep the caller's.
    traceparent = headers.get("traceparent", call.traceparent)
    return call._replace(traceparent=traceparent, tracestate=headers.get("tracestate"))


def _parent(call: Call) -> Any:
    """Return the context of the current span or, if there is none, of the caller's span."""
    current = otel_context.get_current()
    if trace.get_current_span(current).get_span_context().is_valid or not call.traceparent:
        return current
    if is_made(call.traceparent):
        return current
    return _W3C.extract({"traceparent": call.traceparent, "tracestate": call.tracestate or ""}, current)


def _attributes(plugin: Plugin, context: RunContext) -> dict[str, str | int]:
    known = {
        "micro.plugin": plugin.name,
        "micro.plugin.version": plugin.version,
        "micro.transport": context.transport,
        "micro.job": context.job,
        "micro.attempt": context.attempt,
    }
    return {name: value for name, value in known.items() if value is not None}


def _mark_failed(span: Span, err: BaseException) -> None:
    if isinstance(err, MicroError) and err.status < MicroError.status:
        # The caller sent an invalid request: the span is not an error of the service.
        span.set_attribute("micro.refused", err.code)
        return
    span.record_exception(err)
    span.set_status(StatusCode.ERROR, type(err).__name__)


def _provider() -> Any:
    found = trace.get_tracer_provider()
    if not isinstance(found, trace.ProxyTracerProvider):
        return found
    # TracerProvider itself reads the OTEL_* variables: service name, resource, sampler, limits.
    provider = TracerProvider()
    for exporter in _exporters(os.environ):
        provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    return provider


def _exporters(environ: Mapping[str, str]) -> Iterator[Any]:
    for name in (environ.get("OTEL_TRACES_EXPORTER") or "otlp").split(","):
        entry = _entry_name(name.strip(), environ)
        try:
            (found,) = entry_points(group="opentelemetry_traces_exporter", name=entry)
            yield found.load()()
        # A third-party exporter may raise anything. The service goes on without it.
        except Exception as err:
            log.error("Spans are not exported to %r of OTEL_TRACES_EXPORTER: %s", entry, err)


def _entry_name(name: str, environ: Mapping[str, str]) -> str:
    if name != "otlp":
        return name
    general = environ.get("OTEL_EXPORTER_OTLP_PROTOCOL") or "http/protobuf"
    protocol = environ.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL") or general
    return _PROTOCOLS.get(protocol, protocol)
