"""The parts of the OpenAPI document that are the same whatever plugins there are."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

_STRING: Final = {"type": "string"}
_STRING_OR_NULL: Final = {"type": ["string", "null"]}
_MEANINGS: Final = {
    400: "The body is not a JSON object.",
    404: "No plugin answers to the name.",
    413: "The body is larger than the limit.",
    415: "The body is not declared as application/json.",
    422: "The parameters do not fit.",
    429: "The plugin does as many runs at once as it may.",
    500: "The plugin failed.",
    504: "The run took longer than the plugin allows.",
}


def answer(schema: dict[str, Any], description: str = "The answer.", **media: Any) -> dict[str, Any]:
    """Describe a 200; ``media`` is what else is to be said of its JSON, such as examples."""
    content = {"application/json": {"schema": schema, **media}}
    return {"description": description, "headers": HEADERS, "content": content}


def problems(*statuses: int) -> dict[str, Any]:
    """Describe the errors that are to be expected; others have the same body."""
    named = {str(status): {**PROBLEM_RESPONSE, "description": _MEANINGS[status]} for status in statuses}
    return {**named, "default": {"$ref": "#/components/responses/Problem"}}


def _object(properties: Iterable[str], **special: Any) -> dict[str, Any]:
    names = list(properties)
    return {
        "type": "object",
        "properties": {name: special.get(name, _STRING_OR_NULL) for name in names},
        "required": names,
    }


def _get(summary: str, schema: str, *statuses: int) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": schema.lower(),
        "tags": ["service"],
        "summary": summary,
        "responses": {
            "200": answer({"$ref": f"#/components/schemas/{schema}"}),
            **problems(*statuses),
        },
    }
    return {"get": operation}


def _with_generation(path: dict[str, Any]) -> dict[str, Any]:
    told = "How many sets of plugins the service has loaded, this one included; a reload counts it up."
    header = {"description": told, "schema": {"type": "integer", "minimum": 1}}
    path["get"]["responses"]["200"]["headers"] = {"Micro-Generation": header}
    return path


_NAME: Final = {
    "name": "name",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "minLength": 1},
    "description": "A plugin's name or its URL form.",
}
_FIELD_ERROR: Final = {
    "type": "object",
    "properties": {
        "pointer": {"type": "string", "description": "JSON Pointer to the wrong parameter."},
        "message": _STRING,
    },
    "required": ["pointer", "message"],
}
_PROBLEM: Final = {
    "type": "object",
    "description": "RFC 9457 problem details.",
    "properties": {
        "type": _STRING,
        "title": _STRING,
        "status": {"type": "integer"},
        "detail": _STRING,
        "instance": _STRING,
        "error": {"type": "string", "description": "The sentence, as in detail, for clients of Micro 3."},
        "code": {"type": "string", "description": "A short name for programs."},
        "errors": {"type": "array", "items": _FIELD_ERROR},
        "request_id": _STRING_OR_NULL,
        "trace_id": {"type": ["string", "null"], "description": "The W3C trace that the request belongs to."},
    },
    "required": ["type", "title", "status", "detail", "instance", "error", "code", "request_id"],
}
REQUEST_ID: Final = {
    "description": "What log and error bodies call this request: the caller's own X-Request-ID or a new one.",
    "required": True,
    "schema": _STRING,
}
TRACEPARENT: Final = {
    "description": "The W3C trace context of the request: the caller's own or a new one.",
    "required": True,
    "schema": _STRING,
}
HEADERS: Final = {name: {"$ref": f"#/components/headers/{name}"} for name in ("X-Request-ID", "traceparent")}
PROBLEM_RESPONSE: Final = {
    "description": "What went wrong.",
    "headers": HEADERS,
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}
_INFO: Final = (
    "name",
    "version",
    "url",
    "author",
    "author_email",
    "description",
    "long_description",
    "parameters",
    "returns",
    "origin",
)
SCHEMAS: Final = {
    "Problem": _PROBLEM,
    "Plugins": {"type": "array", "items": _object(("name", "version", "description"), name=_STRING)},
    "Info": _object(
        _INFO,
        name=_STRING,
        origin=_STRING,
        parameters={"type": "object", "description": "JSON Schema of the parameters."},
        returns={
            "type": ["object", "null"],
            "description": "JSON Schema of the result, null if it is not declared.",
        },
    ),
    "Help": _object(
        ("name", "version", "help", "examples"),
        name=_STRING,
        help={"description": "What the author says of the parameters: text, as a rule."},
        examples={"type": "array", "items": {"type": "object"}},
    ),
}
SECURITY_SCHEMES: Final = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "The API key, as a bearer token."},
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "The API key."},
}
SECURITY: Final[list[dict[str, list[str]]]] = [{"bearer": []}, {"header": []}]
PATHS: Final = {
    "/plugins": _with_generation(_get("List the plugins", "Plugins")),
    "/info/{name}": {"parameters": [_NAME], **_get("Describe one plugin", "Info", 404)},
    "/help/{name}": {"parameters": [_NAME], **_get("Show how one plugin is called", "Help", 404)},
}
