"""The paths of jobs in the OpenAPI document."""

from __future__ import annotations

from typing import Any, Final

from micro.api.openapi_fixed import answer, problems

_STRING: Final = {"type": "string"}
_STRING_OR_NULL: Final = {"type": ["string", "null"]}
_TIME_OR_NULL: Final = {"type": ["string", "null"], "format": "date-time"}
_ID_PATTERN: Final = "^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"
_STATE: Final = {"enum": ["queued", "running", "succeeded", "failed", "cancelled"]}
_JOB: Final = {"$ref": "#/components/schemas/Job"}
_ID: Final = {"name": "id", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}


def _filter(name: str, schema: dict[str, Any], description: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "schema": schema, "description": description}


def _operation(key: str, summary: str, good: dict[str, Any], *statuses: int, **more: Any) -> dict[str, Any]:
    return {
        "operationId": key,
        "tags": ["jobs"],
        "summary": summary,
        "responses": {**good, **problems(*statuses)},
        **more,
    }


SCHEMAS: Final = {
    "Job": {
        "type": "object",
        "description": "One run that outlives its request.",
        "properties": {
            "id": _STRING,
            "plugin": _STRING,
            "state": _STATE,
            "progress": {"type": ["object", "null"]},
            "created": {"type": "string", "format": "date-time"},
            "started": _TIME_OR_NULL,
            "finished": _TIME_OR_NULL,
            "attempt": {"type": "integer"},
            "attempts": {"type": "integer"},
            "cancel_requested": {"type": "boolean"},
            "params": {"type": ["object", "null"], "description": "Secrets are masked."},
            "error": {"type": ["object", "null"]},
            "queue": _STRING,
            "transport": _STRING_OR_NULL,
            "worker": _STRING_OR_NULL,
            "request_id": _STRING_OR_NULL,
            "traceparent": _STRING_OR_NULL,
            "parent": _STRING_OR_NULL,
            "generation": {
                "type": ["integer", "null"],
                "description": "The generation of the plugins that the last attempt ran with.",
            },
            "links": {"type": "object", "additionalProperties": _STRING},
        },
        "required": ["id", "plugin", "state", "created", "attempt", "links"],
    },
    "Jobs": {
        "type": "object",
        "properties": {"jobs": {"type": "array", "items": _JOB}, "next": _STRING_OR_NULL},
        "required": ["jobs", "next"],
    },
}
_FILTERS: Final = [
    _filter("plugin", _STRING, "Only jobs of this plugin."),
    _filter("state", _STATE, "Only jobs in this state."),
    _filter("since", {"type": "string", "format": "date-time"}, "Only jobs made at or after this time."),
    _filter("until", {"type": "string", "format": "date-time"}, "Only jobs made before this time."),
    _filter("limit", {"type": "integer", "minimum": 1, "maximum": 1000}, "How many, 50 if left out."),
    _filter("cursor", {"type": "string", "pattern": _ID_PATTERN}, "Where the page before ended."),
]
_ONE: Final = {"200": answer(_JOB)}
_TAKEN: Final = {"202": answer(_JOB)}
_EVENTS: Final = {
    "200": {
        "description": "Server-sent events: state, progress and log lines until the job is over.",
        "content": {"text/event-stream": {"schema": _STRING}},
    },
    "204": {"description": "Nothing will follow after Last-Event-ID."},
}
PATHS: Final = {
    "/jobs": {
        "get": _operation(
            "jobs", "List jobs, newest first", {"200": answer({"$ref": "#/components/schemas/Jobs"})},
            parameters=_FILTERS,
        )
    },
    "/jobs/{id}": {
        "parameters": [_ID],
        "get": _operation("job", "Show one job", _ONE, 404),
        "delete": _operation("deleteJob", "Delete an ended job", {"204": {"description": "Deleted."}}, 404),
    },
    "/jobs/{id}/result": {
        "parameters": [_ID],
        "get": _operation("jobResult", "Get the bare result", {"200": answer({"type": "object"})}, 404),
    },
    "/jobs/{id}/events": {
        "parameters": [_ID],
        "get": _operation("jobEvents", "Follow one job", _EVENTS, 404),
    },
    "/jobs/{id}/cancel": {
        "parameters": [_ID],
        "post": _operation("cancelJob", "Cancel a job, or ask it to stop", _TAKEN, 404),
    },
    "/jobs/{id}/retry": {
        "parameters": [_ID],
        "post": _operation("retryJob", "Run an ended job again, as a new one", _TAKEN, 404),
    },
}  # fmt: skip
