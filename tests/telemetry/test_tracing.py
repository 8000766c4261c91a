from __future__ import annotations

import subprocess
import sys
from textwrap import dedent

import pytest

from micro.telemetry.tracing import is_wanted

SOMEWHERE = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}


@pytest.mark.parametrize(
    ("variables", "wanted"),
    [
        ({}, False),
        ({"OTEL_SERVICE_NAME": "shop"}, False),
        (SOMEWHERE, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:4318/v1/traces"}, True),
        ({"OTEL_TRACES_EXPORTER": "console"}, True),
        ({**SOMEWHERE, "OTEL_TRACES_EXPORTER": "none"}, False),
        ({**SOMEWHERE, "OTEL_SDK_DISABLED": "TRUE"}, False),
    ],
)
def test_the_standard_variables_turn_tracing_on_and_off(variables: dict[str, str], wanted: bool) -> None:
    assert is_wanted(variables) is wanted


def _run(program: str, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", dedent(program)]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=True)


def test_a_provider_that_a_program_has_set_up_is_used() -> None:
    pytest.importorskip("opentelemetry.sdk")
    program = """
        from opentelemetry import trace
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import SimpleSpanProcessor
        from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
        from micro.api.rest import create_app
        from micro.config.settings import Settings

        exporter = InMemorySpanExporter()
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        trace.set_tracer_provider(provider)
        client = create_app(Settings()).test_client()
        for path in ("/plugins", "/livez", "/nothing", "/info/nothing"):
            answer = client.get(path)
        (*_, last) = exporter.get_finished_spans()
        assert answer.headers["traceparent"].split("-")[2] == f"{last.context.span_id:016x}"
        print(*(f"{span.name} {span.attributes['http.response.status_code']}" for span in
                exporter.get_finished_spans()), sep=chr(10))
    """
    lines = _run(program).stdout.splitlines()
    assert lines == ["GET /plugins 200", "GET 404", "GET /info/<path:name> 404"]


def test_an_unknown_exporter_is_named_and_stops_nothing() -> None:
    pytest.importorskip("opentelemetry.sdk")
    program = """
        from micro.api.rest import create_app
        from micro.config.settings import Settings
        assert create_app(Settings()).test_client().get("/plugins").status_code == 200
    """
    done = _run(program, OTEL_TRACES_EXPORTER="nowhere")
    assert done.stderr.count("Spans are not exported to 'nowhere' of OTEL_TRACES_EXPORTER") == 1


def test_without_the_extra_it_is_said_how_to_install_it() -> None:
    program = """
        import sys
        sys.modules["opentelemetry"] = None
        from micro.api.rest import create_app
        from micro.config.settings import Settings
        assert create_app(Settings()).test_client().get("/plugins").status_code == 200
    """
    done = _run(program, OTEL_TRACES_EXPORTER="otlp")
    assert "pip install 'Micro[otel]'" in done.stderr
