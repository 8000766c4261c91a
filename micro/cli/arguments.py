"""Reads KEY=VALUE and KEY:=JSON arguments as a plugin's parameters, and writes parameters as arguments."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

import click

from micro.cli.schema_text import Schema, alternatives
from micro.contract.decoding import parse_parameters
from micro.errors import BadRequest

_WRITABLE_NAME = re.compile(r"[^\W\d][^=]*(?<!:)")


def read_arguments(arguments: Iterable[str], schema: Schema) -> dict[str, Any]:
    """Return the parameters that the arguments give; ``schema`` is the JSON Schema of all parameters.

    A value is text if the schema accepts text there or says nothing. Otherwise it is read as JSON; a
    value that is no JSON stays text, which the contract then refuses. A key that is given several
    times makes a list if the schema has an array there. Raises click.UsageError.
    """
    given: dict[str, list[tuple[str, bool]]] = {}
    for argument in arguments:
        name, separator, value = argument.partition("=")
        is_json = name.endswith(":")
        name = name.removesuffix(":")
        if not separator or not name:
            raise click.UsageError(f"Expected KEY=VALUE or KEY:=JSON, found {argument!r}.")
        given.setdefault(name, []).append((value, is_json))
    return {name: _value(name, values, schema) for name, values in given.items()}


def write_arguments(params: Mapping[str, Any], schema: Schema) -> list[str]:
    """Return the parameters as arguments of ``micro run``; read_arguments() reads them back."""
    if not all(_WRITABLE_NAME.fullmatch(name) for name in params):
        return ["--json", json.dumps(params, ensure_ascii=False)]
    return [_argument(name, value, schema) for name, value in params.items()]


def _value(name: str, values: list[tuple[str, bool]], root: Schema) -> Any:
    schema = _schema_of(name, root)
    if len(values) == 1:
        return _read(name, *values[0], schema, root)
    array = next((each for each in alternatives(schema, root) if each.get("type") == "array"), None)
    if array is None:
        raise click.UsageError(f"Parameter {name!r} is given {len(values)} times and is no list.")
    return [_read(name, *each, _item(array, index), root) for index, each in enumerate(values)]


def _schema_of(name: str, root: Schema) -> Schema:
    return _object(root.get("properties", {}).get(name, root.get("additionalProperties")))


def _item(array: Schema, index: int) -> Schema:
    first = array.get("prefixItems", [])
    return _object(first[index] if index < len(first) else array.get("items"))


def _object(schema: Any) -> Schema:
    """Return an empty schema for the schemas ``true`` and ``false``, and for None."""
    return schema if isinstance(schema, Mapping) else {}


def _read(name: str, value: str, is_json: bool, schema: Schema, root: Schema) -> Any:
    if is_json:
        try:
            return _json(value)
        except BadRequest as err:
            raise click.UsageError(f"Parameter {name!r}: expected JSON after ':=', found {value!r}.") from err
    if any(_takes(value, each) for each in alternatives(schema, root)):
        return value
    try:
        return _json(value)
    except BadRequest:
        return value


def _takes(text: str, schema: Schema) -> bool:
    if "const" in schema or "enum" in schema:
        values = schema.get("enum", [schema.get("const")])
        return text in values or all(isinstance(each, str) for each in values)
    return "type" not in schema or schema["type"] == "string"


def _json(text: str) -> Any:
    # Parsed as a member of an object, so that the limits for the body of a request hold here too.
    params = parse_parameters(f'{{"value": {text}}}')
    if len(params) != 1:
        raise BadRequest("expected one JSON value, found several")
    return params["value"]


def _argument(name: str, value: Any, root: Schema) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    # Compared as JSON text, where 1, 1.0 and true differ; in Python they are equal.
    same = json.dumps(_value(name, [(text, False)], root)) == json.dumps(value)
    return f"{name}={text}" if same else f"{name}:={json.dumps(value, ensure_ascii=False)}"
