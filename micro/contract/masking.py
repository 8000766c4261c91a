"""Masks secret parameters, those that the schema marks as passwords, for tables and logs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from micro.config.redaction import MASK

_Schema = Mapping[str, Any]
_UNIONS = ("anyOf", "oneOf", "allOf")
_DEEPEST = 200


def is_secret(schema: _Schema) -> bool:
    """Return True if the schema is that of a secret, such as SecretStr."""
    return schema.get("writeOnly") is True or schema.get("format") == "password"


def has_secrets(schema: Any) -> bool:
    """Return True if the schema contains a secret anywhere."""
    if isinstance(schema, list):
        return any(has_secrets(each) for each in schema)
    if not isinstance(schema, dict):
        return False
    return is_secret(schema) or any(has_secrets(each) for each in schema.values())


def masked(value: Any, schema: _Schema) -> Any:
    """Return a copy of the JSON value with every secret replaced by asterisks.

    In a union, a value is secret if any branch declares it secret.
    """
    definitions = schema.get("$defs", {})
    return _masked(value, _readings(schema, definitions), definitions, 0)


def _masked(value: Any, readings: list[_Schema], definitions: _Schema, depth: int) -> Any:
    if value is None:
        return None
    if depth > _DEEPEST or any(is_secret(each) for each in readings):
        return MASK
    if isinstance(value, Mapping):
        return {
            key: _masked(each, _inside(readings, definitions, str(key)), definitions, depth + 1)
            for key, each in value.items()
        }
    if isinstance(value, list | tuple):
        return [
            _masked(each, _inside(readings, definitions, index), definitions, depth + 1)
            for index, each in enumerate(value)
        ]
    return value


def _inside(readings: Iterable[_Schema], definitions: _Schema, key: str | int) -> list[_Schema]:
    """Return the schemas of one member of an object or item of an array."""
    found: list[_Schema] = []
    for schema in readings:
        parts = _items(schema, key) if isinstance(key, int) else _members(schema, key)
        for each in parts:
            found.extend(_readings(each, definitions))
    return found


def _members(schema: _Schema, key: str) -> list[Any]:
    properties = schema.get("properties", {})
    if key in properties:
        return [properties[key]]
    return [*schema.get("patternProperties", {}).values(), schema.get("additionalProperties")]


def _items(schema: _Schema, index: int) -> list[Any]:
    first = schema.get("prefixItems", [])
    return [first[index]] if index < len(first) else [schema.get("items")]


def _readings(schema: Any, definitions: _Schema, seen: frozenset[str] = frozenset()) -> list[_Schema]:
    """Return the schema and, recursively, the schemas it refers to and the branches of its unions."""
    if not isinstance(schema, Mapping):
        return []
    found = [schema]
    name = str(schema.get("$ref", "")).removeprefix("#/$defs/")
    if name in definitions and name not in seen:
        found.extend(_readings(definitions[name], definitions, seen | {name}))
    for union in _UNIONS:
        for each in schema.get(union, ()):
            found.extend(_readings(each, definitions, seen))
    return found
