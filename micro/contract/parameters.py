"""Validates the parameters of a call against the annotations of run()."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import pydantic_core
import typing_extensions
from pydantic import TypeAdapter
from pydantic_core import ErrorDetails, SchemaValidator, ValidationError

from micro.contract.encoding import NOT_A_NUMBER, to_json
from micro.contract.json_errors import NotJson, json_pointer
from micro.contract.json_schema import CONFIG, json_schema, object_adapter, validator
from micro.contract.signature import REFUSED, REQUIRED, Parameter
from micro.contract.validation_errors import MOST_ERRORS, field_errors, listing
from micro.errors import FieldError, InvalidParameters, PluginFailed


class ParameterTypes:
    """Validators of all parameters; ``schema`` is their JSON Schema, without descriptions."""

    def __init__(
        self, parameters: Sequence[Parameter], extras: Any = REFUSED, reserved: Collection[str] = ()
    ) -> None:
        adapter = object_adapter({each.name: _field(each) for each in parameters})
        self.schema = json_schema(adapter)
        self._validator = validator(adapter)
        self._names = tuple(self.schema["properties"])
        if len(self._names) != len(parameters):
            raise ValueError("two have the same alias")
        self._reserved = frozenset(reserved)
        self._extras: SchemaValidator | None = None
        if extras is not REFUSED:
            self._accept_extras(TypeAdapter(dict[str, extras], config=CONFIG))

    def _accept_extras(self, adapter: TypeAdapter[dict[str, Any]]) -> None:
        self._extras = validator(adapter)
        schema = json_schema(adapter)
        self.schema["additionalProperties"] = schema["additionalProperties"]
        if definitions := {**schema.get("$defs", {}), **self.schema.get("$defs", {})}:
            self.schema["$defs"] = definitions

    def check(self, params: Mapping[str, object]) -> dict[str, Any]:
        """Return the keyword arguments for ``run``. Raises InvalidParameters or PluginFailed."""
        if self._extras is None or not isinstance(params, Mapping):
            return _checked(self._validator, params, self._names)
        known = {name: value for name, value in params.items() if name in self._names}
        others = {name: value for name, value in params.items() if name not in self._names}
        arguments = _checked(self._validator, known, self._names)
        if others:
            self._refuse_reserved(others)
            arguments.update(_checked(self._extras, others, ()))
        return arguments

    def _refuse_reserved(self, names: Iterable[str]) -> None:
        wrong = [
            FieldError(json_pointer([each]), "not accepted: the plugin uses this name itself")
            for each in names
            if each in self._reserved
        ]
        if wrong:
            raise _invalid(wrong)


def _field(parameter: Parameter) -> Any:
    if parameter.default is REQUIRED:
        return typing_extensions.Required[parameter.annotation]
    # A missing parameter is not passed on, so that the default in the signature of run() applies.
    return typing_extensions.NotRequired[parameter.annotation]


def _checked(
    types: SchemaValidator, params: Mapping[str, object], accepted: Collection[str]
) -> dict[str, Any]:
    try:
        return _read(types, params)
    except NotJson as err:
        message = f"expected what JSON can hold, found {err.found}"
        raise _invalid([FieldError(err.pointer, message)]) from err
    except ValidationError as err:
        # Not "from err", because pydantic's message quotes values.
        raise _invalid(_errors(err, params, accepted)) from None
    # The plugin's validators may raise anything; pydantic catches only ValueError and AssertionError.
    except Exception as err:
        raise PluginFailed("The plugin failed while it checked its parameters") from err


def _read(types: SchemaValidator, params: Mapping[str, object]) -> dict[str, Any]:
    text = to_json(params, suspects=NOT_A_NUMBER)
    try:
        arguments: dict[str, Any] = types.validate_json(text, strict=True)
    except ValidationError as err:
        names = _with_whole_floats(err)
        if not names:
            raise
        repaired = {name: _whole(value) if name in names else value for name, value in params.items()}
        return types.validate_json(to_json(repaired), strict=True)  # type: ignore[no-any-return]
    return arguments


def _with_whole_floats(error: ValidationError) -> set[str | int]:
    """Return the parameters where 5.0 was sent for an integer, which JSON Schema allows."""
    if error.error_count() > MOST_ERRORS:
        return set()
    return {
        each["loc"][0]
        for each in error.errors(include_url=False, include_context=False)
        if each["type"] == "int_type" and isinstance(each["input"], float) and each["input"].is_integer()
    }


def _whole(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {key: _whole(each) for key, each in value.items()}
    return [_whole(each) for each in value] if isinstance(value, list | tuple) else value


def _errors(
    error: ValidationError, params: Mapping[str, object], accepted: Collection[str]
) -> list[FieldError]:
    if error.error_count() == 1 and _is_about_text(error.errors(include_url=False)[0]):
        return [problem for name, value in params.items() if (problem := _beyond_limits(name, value))]
    return field_errors(error, pydantic_core.from_json(to_json(params)), accepted)


def _is_about_text(error: ErrorDetails) -> bool:
    return error["type"] == "json_invalid" and not error["loc"]


def _beyond_limits(name: str, value: object) -> FieldError | None:
    try:
        pydantic_core.from_json(to_json(value))
    except ValueError as err:
        found = "nested too deeply" if "recursion" in str(err) else "a number with too many digits"
        return FieldError(json_pointer([name]), found)
    return None


def _invalid(errors: Sequence[FieldError]) -> InvalidParameters:
    if not errors:
        return InvalidParameters("The parameters are wrong in too many places to list")
    if not errors[0].pointer:
        return InvalidParameters(f"The parameters: {errors[0].message}", errors)
    if len(errors) == 1:
        return InvalidParameters(f"Parameter {listing(errors)}", errors)
    things = "values" if any(each.pointer.count("/") > 1 for each in errors) else "parameters"
    return InvalidParameters(f"{len(errors)} {things} are wrong: {listing(errors)}", errors)
