"""The probes in the OpenAPI document."""

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
_VERBOSE: Final = {
    "name": "verbose",
    "in": "query",
    "allowEmptyValue": True,
    "schema": _STRING,
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
    "Version": {
        "type": "object",
        "properties": {"version": _STRING, "python": _STRING},
        "required": ["version", "python"],
    },
}


def _get(key: str, summary: str, schema: str, **more: Any) -> dict[str, Any]:
    good = answer({"$ref": f"#/components/schemas/{schema}"})
    operation = {
        "operationId": key,
        "tags": ["service"],
        "summary": summary,
        # Open, whatever the document says of the others.
        "security": [],
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
    "/version": _get("version", "Tell which Micro serves", "Version"),
}
