"""The probes, the status and the metrics in the OpenAPI document."""

from __future__ import annotations

from typing import Any, Final

from micro.api.openapi_fixed import HEADERS, answer, problems

_STRING: Final = {"type": "string"}
_CHECK: Final = {
    "type": "object",
    "properties": {
        "name": _STRING,
        "status": {"enum": ["passed", "failed"]},
        "detail": {"type": "string", "description": "What the check found."},
    },
    "required": ["name", "status", "detail"],
}
_INTEGER: Final = {"type": "integer"}
_TIME: Final = {"type": "string", "format": "date-time"}


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}


_PROCESS: Final = _object(
    name=_STRING,
    pid=_or_null(_INTEGER),
    state={"enum": ["starting", "up", "waiting", "stopping", "stopped"]},
    restarts=_INTEGER,
    since=_TIME,
    generation=_INTEGER,
)
_FAILED_PLUGIN: Final = _object(name=_STRING, origin=_STRING, cause=_STRING)
_VERBOSE: Final = {
    "name": "verbose",
    "in": "query",
    "allowEmptyValue": True,
    "schema": {},
    "description": "Lists the checks; whatever its value.",
}
SCHEMAS: Final = {
    "Live": {
        "type": "object",
        "properties": {"status": {"const": "live"}},
        "required": ["status"],
    },
    "Ready": {
        "type": "object",
        "properties": {"status": {"const": "ready"}, "checks": {"type": "array", "items": _CHECK}},
        "required": ["status"],
    },
    "Status": _object(
        version=_STRING,
        generation=_INTEGER,
        pid=_or_null(_INTEGER),
        started=_or_null(_TIME),
        processes={"type": "array", "items": _PROCESS},
        plugins=_object(loaded=_INTEGER, failed={"type": "array", "items": _FAILED_PLUGIN}),
        queues=_or_null({"type": "array", "items": _object(name=_STRING, depth=_INTEGER)}),
        jobs=_or_null(_object(queued=_INTEGER, running=_INTEGER)),
        last_failure=_or_null(_object(what=_STRING, reason=_STRING, time=_TIME)),
    ),
    "Version": {
        "type": "object",
        "properties": {"version": _STRING, "python": _STRING},
        "required": ["version", "python"],
    },
}


def _get(key: str, summary: str, schema: str, *, open_to_all: bool = True, **more: Any) -> dict[str, Any]:
    good = answer({"$ref": f"#/components/schemas/{schema}"})
    operation = {
        "operationId": key,
        "tags": ["service"],
        "summary": summary,
        # Open, whatever the document says of the others.
        **({"security": []} if open_to_all else {}),
        "responses": {"200": good, **problems()},
        **more,
    }
    return {"get": operation}


_METRICS: Final = {
    "operationId": "metrics",
    "tags": ["service"],
    "summary": "Show what Prometheus scrapes",
    "responses": {
        "200": {
            "description": "Prometheus' text format, or OpenMetrics where it is asked for.",
            "headers": HEADERS,
            "content": {
                "text/plain": {"schema": _STRING},
                "application/openmetrics-text": {"schema": _STRING},
            },
        },
        **problems(),
    },
}
PATHS: Final = {
    "/livez": _get("livez", "Tell that the process lives", "Live"),
    "/healthz": _get("healthz", "Tell that the process lives, as /livez does", "Live"),
    "/readyz": _get("readyz", "Tell whether work can be done, or 503", "Ready", parameters=[_VERBOSE]),
    "/metrics": {"get": _METRICS},
    "/status": _get("status", "Tell what the service is doing", "Status", open_to_all=False),
    "/version": _get("version", "Tell which Micro serves", "Version"),
}
