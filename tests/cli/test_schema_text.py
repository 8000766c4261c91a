"""A schema is said in plain words."""

from __future__ import annotations

from typing import Any

import pytest

from micro.cli.schema_text import in_words

ROOT = {
    "$defs": {
        "Tree": {"type": "object", "properties": {"name": {}, "branches": {"$ref": "#/$defs/Tree"}}},
        "Colour": {"enum": ["red", "blue"]},
    }
}


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({}, "anything"),
        ({"type": "string"}, "text"),
        ({"type": "string", "format": "date-time"}, "date and time"),
        ({"type": "string", "format": "unheard-of"}, "text"),
        ({"type": "string", "minLength": 1, "maxLength": 20}, "text, 1 to 20 characters"),
        ({"type": "string", "pattern": "^a"}, "text, that matches ^a"),
        ({"type": "string", "pattern": "a" * 41}, "text"),
        ({"type": "integer", "minimum": 0}, "whole number, at least 0"),
        ({"type": "number", "exclusiveMinimum": 0, "maximum": 1}, "number, at most 1, above 0"),
        ({"type": "boolean"}, "true or false"),
        ({"type": ["integer", "null"]}, "whole number or null"),
        (
            {"anyOf": [{"type": "integer"}, {"type": "string"}, {"type": "null"}]},
            "whole number, text or null",
        ),
        ({"const": "fast"}, '"fast"'),
        ({"enum": ["ä", 1, None]}, '"ä", 1 or null'),
        ({"$ref": "#/$defs/Colour"}, '"red" or "blue"'),
        ({"type": "array"}, "list"),
        ({"type": "array", "items": {"type": "number"}, "maxItems": 3}, "list of number, at most 3 items"),
        ({"type": "array", "prefixItems": [{"type": "integer"}, {}]}, "list of (whole number, anything)"),
        ({"type": "object"}, "object"),
        ({"type": "object", "additionalProperties": True}, "object"),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, "object of whole number"),
        ({"$ref": "#/$defs/Tree"}, "object (name, branches)"),
        ({"oneOf": [{"$ref": "#/$defs/Tree"}, {"$ref": "#/$defs/Tree"}]}, "object (name, branches)"),
    ],
)
def test_a_schema_is_said_in_plain_words(schema: dict[str, Any], words: str) -> None:
    assert in_words(schema, ROOT) == words
