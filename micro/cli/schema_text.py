"""Describes in a few words which values a JSON Schema accepts, and lists its alternatives."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]

_TYPES = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "null": "null",
}
_FORMATS = {
    "base64": "base64 text",
    "base64url": "base64 text",
    "binary": "base64 text",
    "date": "date",
    "date-time": "date and time",
    "duration": "duration (ISO 8601)",
    "password": "secret text",
    "path": "path",
    "time": "time",
    "uuid": "UUID",
}
_RANGES = (
    ("minimum", "maximum", ""),
    ("minLength", "maxLength", " characters"),
    ("minItems", "maxItems", " items"),
)
_BOUNDS = {
    "exclusiveMinimum": "above {}",
    "exclusiveMaximum": "below {}",
    "multipleOf": "a multiple of {}",
}
_LONGEST_PATTERN = 40


def alternatives(schema: Schema, root: Schema) -> Iterator[Schema]:
    """Yield the schemas of which a value must match one: references are resolved, unions flattened."""
    target = schema.get("$ref")
    if target:
        yield from alternatives(_referred(target, root), root)
    elif choices := schema.get("anyOf") or schema.get("oneOf"):
        for each in choices:
            yield from alternatives(each, root)
    else:
        kinds = schema.get("type")
        yield from [{**schema, "type": each} for each in kinds] if isinstance(kinds, list) else [schema]


def in_words(schema: Schema, root: Schema) -> str:
    """Return a description of the values that the schema accepts, such as "whole number, at least 1"."""
    return _joined(dict.fromkeys(_one_in_words(each, root) for each in alternatives(schema, root)))


def _referred(target: str, root: Schema) -> Schema:
    found: Any = root
    for part in target.removeprefix("#/").split("/"):
        found = found[part.replace("~1", "/").replace("~0", "~")]
    schema: Schema = found
    return schema


def _one_in_words(schema: Schema, root: Schema) -> str:
    values = [schema["const"]] if "const" in schema else schema.get("enum")
    if values:
        return _joined([json.dumps(each, ensure_ascii=False) for each in values])
    kind = schema.get("type")
    if "prefixItems" in schema:
        return f"list of ({', '.join(in_words(each, root) for each in schema['prefixItems'])})"
    if kind == "array":
        words = f"list of {in_words(schema['items'], root)}" if schema.get("items") else "list"
    elif kind == "object":
        words = _object_in_words(schema, root)
    else:
        words = _FORMATS.get(schema.get("format", "")) or _TYPES.get(str(kind), "anything")
    return ", ".join([words, *_limits(schema)])


def _object_in_words(schema: Schema, root: Schema) -> str:
    # Names only: a description of the values would not end for an object that contains its own kind.
    if names := ", ".join(schema.get("properties", {})):
        return f"object ({names})"
    values = schema.get("additionalProperties")
    return f"object of {in_words(values, root)}" if values and values is not True else "object"


def _limits(schema: Schema) -> Iterator[str]:
    for low, high, unit in _RANGES:
        if low in schema and high in schema:
            yield f"{schema[low]} to {schema[high]}{unit}"
        elif low in schema or high in schema:
            yield f"at least {schema[low]}{unit}" if low in schema else f"at most {schema[high]}{unit}"
    yield from (phrase.format(schema[key]) for key, phrase in _BOUNDS.items() if key in schema)
    # Longer patterns, such as those of Decimal and bytes, do not help a reader.
    if "pattern" in schema and len(schema["pattern"]) <= _LONGEST_PATTERN:
        yield f"that matches {schema['pattern']}"


def _joined(words: Any) -> str:
    *first, last = words
    return f"{', '.join(first)} or {last}" if first else str(last)
