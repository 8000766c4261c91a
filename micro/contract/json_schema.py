"""Creates validators and JSON Schemas from types, all with the same pydantic config."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final, Literal

import typing_extensions
from pydantic import ConfigDict, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, JsonSchemaWarningKind
from pydantic_core import SchemaValidator, core_schema

# Applies to all types but pydantic models and dataclasses, which have a config of their own.
CONFIG: Final = ConfigDict(
    allow_inf_nan=False,
    val_json_bytes="base64",
    ser_json_bytes="base64",
    ser_json_inf_nan="constants",
    hide_input_in_errors=True,
)
# The same config for the validators of pydantic-core; encoding needs only CONFIG.
_CORE_CONFIG: Final = core_schema.CoreConfig(
    allow_inf_nan=False, val_json_bytes="base64", hide_input_in_errors=True
)

# Both base64 alphabets, with or without padding; unused bits of the last character must be zero.
BASE64: Final = "|".join(
    f"^([{each}]{{4}})*([{each}][AQgw](==?)?|[{each}]{{2}}[AEIMQUYcgkosw048]=?)?$"
    for each in ("A-Za-z0-9+/", "A-Za-z0-9_-")
)
DECIMAL: Final = r"^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,9})?$"

_SEQUENCES = ("list", "set", "frozenset", "tuple")
# These keys of a core schema hold values, not schemas.
_NO_SCHEMAS = frozenset({"default", "metadata", "expected", "members", "config", "serialization"})

Mode = Literal["validation", "serialization"]


class Generator(GenerateJsonSchema):
    """Generates JSON Schema without titles that only repeat names, and marks every secret."""

    ignored_warning_kinds: ClassVar[set[JsonSchemaWarningKind]] = {  # type: ignore[misc]  # never set
        "skipped-choice",
        "non-serializable-default",
    }

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def bytes_schema(self, schema: core_schema.BytesSchema) -> JsonSchemaValue:
        told = super().bytes_schema(schema)
        if told["format"] == "binary":
            return told
        # Leave out length limits: they count bytes, not the characters of the base64 text.
        return {"type": "string", "format": "base64url", "pattern": BASE64}

    def decimal_schema(self, schema: core_schema.DecimalSchema) -> JsonSchemaValue:
        told = super().decimal_schema(schema)
        for each in told.get("anyOf", [told]):
            if each["type"] == "string":
                each["pattern"] = DECIMAL
        return told

    def set_schema(self, schema: core_schema.SetSchema) -> JsonSchemaValue:
        return _with_duplicates(super().set_schema(schema))

    def frozenset_schema(self, schema: core_schema.FrozenSetSchema) -> JsonSchemaValue:
        return _with_duplicates(super().frozenset_schema(schema))

    def tagged_union_schema(self, schema: core_schema.TaggedUnionSchema) -> JsonSchemaValue:
        told = super().tagged_union_schema(schema)
        # The discriminator is required even if it has a default.
        if name := told.get("discriminator", {}).get("propertyName"):
            told["oneOf"] = [
                {**each, "required": [name]} if "$ref" in each else each for each in told["oneOf"]
            ]
        return told

    def json_or_python_schema(self, schema: core_schema.JsonOrPythonSchema) -> JsonSchemaValue:
        told = super().json_or_python_schema(schema)
        # pydantic marks SecretStr as writeOnly, but not Secret[...]: recognize it by its serializer.
        serializer: Any = schema.get("serialization", {}).get("function")
        name = f"{getattr(serializer, '__module__', '')}.{getattr(serializer, '__name__', '')}"
        return {**told, "writeOnly": True} if name == "pydantic.types._serialize_secret" else told


class _Shape(Generator):
    """Generates JSON Schema for comparing the input of a type with its output."""

    def decimal_schema(self, schema: core_schema.DecimalSchema) -> JsonSchemaValue:
        # A Decimal is read from a number or string and written as a string; ignore that difference.
        return {"type": "string"}


def _with_duplicates(schema: JsonSchemaValue) -> JsonSchemaValue:
    """Return the schema without uniqueItems, because a set accepts duplicates and drops them."""
    return {key: value for key, value in schema.items() if key != "uniqueItems"}


def object_adapter(fields: Mapping[str, Any]) -> TypeAdapter[dict[str, Any]]:
    """Return the adapter of an object with exactly these fields; names may be any strings."""
    make: Any = typing_extensions.TypedDict
    made = make("Parameters", dict(fields))
    made.__pydantic_config__ = ConfigDict(**CONFIG, extra="forbid")
    return TypeAdapter(made)


def json_schema(adapter: TypeAdapter[Any], mode: Mode = "validation") -> dict[str, Any]:
    """Return the adapter's JSON Schema (2020-12)."""
    return adapter.json_schema(mode=mode, schema_generator=Generator)


def reads_what_it_writes(adapter: TypeAdapter[Any]) -> bool:
    """Return True if the type's output has the schema of its input: it has no custom serializers."""
    reads, writes = (
        adapter.json_schema(mode=mode, schema_generator=_Shape) for mode in ("validation", "serialization")
    )
    return reads == writes


def has_raw_bytes(schema: Any, encoding: object = "base64") -> bool:
    """Return True if a core schema contains bytes that are encoded as UTF-8 text, not as base64."""
    if isinstance(schema, list):
        return any(has_raw_bytes(each, encoding) for each in schema)
    if not isinstance(schema, dict):
        return False
    config = schema.get("config")
    if isinstance(config, dict):
        encoding = config.get("val_json_bytes", "utf8")
    if schema.get("type") == "bytes":
        return encoding != "base64"
    return any(has_raw_bytes(each, encoding) for key, each in schema.items() if key not in _NO_SCHEMAS)


def validator(adapter: TypeAdapter[Any]) -> SchemaValidator:
    """Return a validator that stops a sequence at its first invalid item.

    Otherwise ten megabytes of invalid items would give gigabytes of error messages.
    """
    return SchemaValidator(_failing_fast(adapter.core_schema), _CORE_CONFIG)


def _failing_fast(schema: Any) -> Any:
    if type(schema) is list:
        return [_failing_fast(each) for each in schema]
    if type(schema) is not dict:
        return schema
    copy = {key: each if key in _NO_SCHEMAS else _failing_fast(each) for key, each in schema.items()}
    if copy.get("type") in _SEQUENCES:
        copy["fail_fast"] = True
    return copy
