"""Spans of the real processes, sent to a receiver of OTLP over HTTP."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

pytestmark = pytest.mark.measured

proto = pytest.importorskip("opentelemetry.proto.collector.trace.v1.trace_service_pb2")

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
FAILS = """
    from micro import PluginBase, PluginDescription
    from micro.correlation import message_headers

    class Fails(PluginBase):
        def run(self, fail: bool = False):
            if fail:
                raise ValueError("broken")
            return message_headers()

    plugin = PluginDescription(name="Fails", version="1.0")
"""


class Receiver:
    """Takes spans as a collector does."""

    def __init__(self) -> None:
        self.spans: list[Any] = []
        self.services: set[str] = set()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.take(proto.ExportTraceServiceRequest.FromString(body))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,))
        self.thread.start()

    def take(self, request: Any) -> None:
        for each in request.resource_spans:
            self.services |= {
                a.value.string_value for a in each.resource.attributes if a.key == "service.name"
            }
            self.spans += [span for scope in each.scope_spans for span in scope.spans]

    def named(self, name: str, trace_id: str = "") -> list[Any]:
        return [span for span in self.spans if span.name == name and span.trace_id.hex().startswith(trace_id)]

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


def _post(micro: Any, params: object, **headers: str) -> tuple[int, Any]:
    sent = {"Content-Type": "application/json"} | headers
    request = urllib.request.Request(f"{micro.url}/run/fails", json.dumps(params).encode(), sent)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_a_request_its_job_and_the_run_are_spans_of_one_trace(
    start_micro: Callable[..., Any],
    plugin_dir: Callable[..., Any],
    receiver: Receiver,
    wait_for: Callable[..., Any],
) -> None:
    micro = start_micro(
        "-G",
        "-C",
        "-p",
        str(plugin_dir({"fails/interface.py": FAILS})),
        OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url,
        OTEL_SERVICE_NAME="shop",
        OTEL_BSP_SCHEDULE_DELAY="100",
    )
    trace_id = TRACE.split("-")[1]
    status, job = _post(micro, {}, traceparent=TRACE, Prefer="respond-async")
    assert status == 202
    (run,) = wait_for(lambda: receiver.named("run Fails", trace_id))
    (submit,) = wait_for(lambda: receiver.named("submit Fails", trace_id))
    (request,) = wait_for(lambda: receiver.named("POST /run/<path:name>", trace_id))
    assert request.parent_span_id.hex() == TRACE.split("-")[2]
    assert submit.parent_span_id == request.span_id
    assert run.parent_span_id == submit.span_id
    assert job["traceparent"] == f"00-{trace_id}-{submit.span_id.hex()}-01"
    told = {each.key: each.value.string_value for each in run.attributes}
    assert (told["micro.job"], told["micro.transport"]) == (job["id"], "rest")
    assert receiver.services == {"shop"}

    # Called at once: a failure, in a trace that begins here, though the log had made one up.
    assert _post(micro, {"fail": True})[0] == 500
    (failed,) = wait_for(lambda: [span for span in receiver.named("run Fails") if span.status.code == 2])
    (request,) = wait_for(lambda: receiver.named("POST /run/<path:name>", failed.trace_id.hex()))
    assert failed.parent_span_id == request.span_id
    assert (request.parent_span_id, request.status.code) == (b"", 2)

    # A Celery client without OpenTelemetry, and one that has a trace.
    requests = micro.requests()
    seen = json.loads(requests.run.delay("Fails").wait(timeout=20))["traceparent"]
    (run,) = wait_for(lambda: receiver.named("run Fails", seen.split("-")[1]))
    # What the run itself calls becomes its child.
    assert seen.startswith(f"00-{run.trace_id.hex()}-{run.span_id.hex()}-")
    requests.run.apply_async(("Fails",), headers={"traceparent": TRACE}).wait(timeout=20)
    wait_for(lambda: len(receiver.named("run Fails", trace_id)) == 2)
    # What waits to be sent is not lost when Micro stops.
    assert _post(micro, {}, traceparent=TRACE)[0] == 200
    assert micro.stop() == 0
    assert len(receiver.named("run Fails", trace_id)) == 3
    # Probes are asked all the time.
    assert not [span for span in receiver.spans if "readyz" in span.name]


@pytest.mark.parametrize(
    "variables",
    [
        {"OTEL_SDK_DISABLED": "true", "OTEL_TRACES_EXPORTER": "console"},
        {"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"},
    ],
    ids=["disabled", "no exporter"],
)
def test_nothing_is_loaded_where_tracing_is_off(
    start_micro: Callable[..., Any], good_plugins: str, variables: dict[str, str]
) -> None:
    micro = start_micro("-G", "-p", good_plugins, **variables)
    modules = micro.call("/run/process", {})["modules"]
    assert not [each for each in modules if each.startswith("opentelemetry")]
