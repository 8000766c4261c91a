"""Validates the results of a plugin against the return annotation of its run()."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from pydantic import BaseModel, TypeAdapter
from pydantic_core import ValidationError

from micro.contract.encoding import encode_result
from micro.contract.json_schema import CONFIG, json_schema, reads_what_it_writes, validator
from micro.contract.validation_errors import field_errors, listing
from micro.errors import BadResult, FieldError


class ResultType:
    """The return type that run() declares.

    The annotation does not change what is sent: a result is written as any other, and the JSON
    text is then checked against the type, strictly. Only a type with serializers of its own
    (a pydantic model with a computed field, say), which cannot read what it writes, is asked
    to make the result its own first and to write it.
    """

    def __init__(self, annotation: Any) -> None:
        # Wrap the type in a tuple: pydantic rejects a config for types that can have their own.
        self._adapter: TypeAdapter[tuple[Any]] = TypeAdapter(tuple[annotation], config=CONFIG)
        self._validator = validator(self._adapter)
        self.encode: Callable[[object], str]
        if reads_what_it_writes(self._adapter):
            self.schema = _schema_of_item(json_schema(self._adapter, "validation"))
            self.encode = self._write_and_check
        else:
            self.schema = _schema_of_item(json_schema(self._adapter, "serialization"))
            self.encode = self._convert_and_write
        # A pydantic model is validated when it is created.
        is_model = isinstance(annotation, type) and issubclass(annotation, BaseModel)
        self._checked_before = annotation if is_model else ()

    def _write_and_check(self, result: object) -> str:
        text = encode_result(result)
        if not isinstance(result, self._checked_before):
            _check(lambda: self._validator.validate_json(f"[{text}]", strict=True), lambda: json.loads(text))
        return text

    def _convert_and_write(self, result: object) -> str:
        (own,) = _check(lambda: self._validator.validate_python((result,)), lambda: result)
        return encode_result(own, self._write)

    def _write(self, own: Any) -> bytes:
        return self._adapter.dump_json((own,), by_alias=True, warnings="error")[1:-1]


def _check(check: Callable[[], Any], data: Callable[[], object]) -> Any:
    try:
        return check()
    except ValidationError as err:
        raise _breach(field_errors(err, [data()], ())) from err
    # The plugin's validators may raise anything; pydantic catches only ValueError and AssertionError.
    except Exception as err:
        raise BadResult("The plugin failed while it checked its result") from err


def _breach(errors: list[FieldError]) -> BadResult:
    inside = [FieldError(each.pointer.removeprefix("/0"), each.message) for each in errors]
    told = listing(inside) if inside else "it has too many errors to list"
    return BadResult(f"The result is not what run() declares to return: {told}")


def _schema_of_item(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of the tuple's only item, with the definitions it refers to."""
    item: dict[str, Any] = dict(schema["prefixItems"][0])
    definitions: dict[str, Any] = schema.get("$defs", {})
    name = str(item.get("$ref", "")).removeprefix("#/$defs/")
    if name in definitions:
        del item["$ref"]
        item = {**definitions[name], **item}
    refers_to_itself = f'"#/$defs/{name}"' in json.dumps([item, definitions])
    kept = {key: each for key, each in definitions.items() if key != name or refers_to_itself}
    return {**item, "$defs": kept} if kept else item
