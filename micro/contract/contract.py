"""Builds the contract of a plugin, JSON Schemas and validators, from the signature of its run().

Parameters are validated strictly as JSON, so that the schema is complete: the string "5" is not an
integer and true is not a number, while 5.0 is an integer, as in JSON Schema. Types that JSON lacks are
sent as text: dates, durations, UUIDs, paths, decimals (numbers too) and bytes as base64
in either alphabet. A parameter without annotation accepts any JSON value; one whose default is
None also accepts null. Results are encoded as ``micro.contract.encoding`` says.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, get_origin

from pydantic import AfterValidator, BeforeValidator, PlainValidator, PydanticUserError, WrapValidator

from micro.contract.docstrings import Documentation, read_documentation
from micro.contract.encoding import encode_result, to_json
from micro.contract.json_errors import NotJson
from micro.contract.json_schema import has_raw_bytes, json_schema, object_adapter
from micro.contract.masking import has_secrets, masked
from micro.contract.parameters import ParameterTypes
from micro.contract.results import ResultType
from micro.contract.signature import REFUSED, REQUIRED, Parameter, Signature, read_signature
from micro.contract.type_compat import usable

_VALIDATORS = (AfterValidator, BeforeValidator, PlainValidator, WrapValidator)
_ORDER = ("type", "properties", "required", "additionalProperties", "$defs")
_ANY_OBJECT = ({"type": "object"}, {"type": "object", "additionalProperties": True})
_LONGEST_REASON = 300
_RAW_BYTES = (
    "has a pydantic model whose bytes are UTF-8 text, not base64 as elsewhere: "
    "give it model_config = ConfigDict(val_json_bytes='base64', ser_json_bytes='base64')"
)


@dataclass(frozen=True, eq=False)
class Contract:
    """What a plugin takes and returns.

    ``parameters`` and ``returns`` are JSON Schemas (2020-12); ``returns`` is None if any
    object is allowed. ``findings`` holds messages about what the author should fix.
    """

    parameters: dict[str, Any]
    returns: dict[str, Any] | None
    summary: str | None
    description: str | None
    findings: tuple[str, ...]
    _parameters: ParameterTypes = field(repr=False)
    _result: ResultType | None = field(repr=False)
    _has_secrets: bool = field(repr=False)

    def check(self, params: Mapping[str, object]) -> dict[str, Any]:
        """Return the keyword arguments for ``run``, as the annotated types.

        Raises InvalidParameters, or PluginFailed if a validator of the plugin raises an exception.
        """
        return self._parameters.check(params)

    def encode(self, result: object) -> str:
        """Return the result of ``run`` as the text of a JSON object. Raises BadResult."""
        return encode_result(result) if self._result is None else self._result.encode(result)

    def mask(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return a copy of the caller's parameters with every secret replaced by asterisks."""
        if not self._has_secrets:
            return dict(params)
        hidden: dict[str, Any] = masked(params, self.parameters)
        return hidden


def build_contract(run_owner: type) -> Contract:
    """Build the contract of a class with a ``run`` method.

    Never raises: a type that cannot be checked counts as Any, and is reported in ``findings``.
    """
    signature = read_signature(run_owner)
    words = read_documentation(signature.function, run_owner)
    findings = list(signature.findings)
    parameters = [_checkable_parameter(each, findings) for each in signature.parameters]
    types = _parameter_types(parameters, signature, findings)
    result = _result_type(signature.returns, findings)
    schema = _described(types.schema, parameters, words)
    returns = result.schema if result else None
    return Contract(
        schema, returns, words.summary, words.description, tuple(findings), types, result, has_secrets(schema)
    )


def _checkable_parameter(parameter: Parameter, findings: list[str]) -> Parameter:
    what = f"parameter '{parameter.name}'"
    annotation = _checkable(parameter.annotation, what, findings, nullable=parameter.default is None)
    return replace(parameter, annotation=annotation)


def _checkable(annotation: Any, what: str, findings: list[str], *, nullable: bool = False) -> Any:
    # pydantic may run code of the plugin here; whatever it raises, the plugin must load.
    try:
        equal = _or_none(usable(annotation)) if nullable else usable(annotation)
        adapter = object_adapter({"it": equal})
        json_schema(adapter)
    except Exception as err:
        findings.append(f"The type of {what}, {_shown(annotation)}, cannot be checked: {_reason(err)}")
        return Any
    if has_raw_bytes(adapter.core_schema):
        findings.append(f"The type of {what}, {_shown(annotation)}, {_RAW_BYTES}")
    return equal


def _or_none(annotation: Any) -> Any:
    if get_origin(annotation) is Annotated:
        # Metadata of the whole parameter, such as a description, must stay outermost. The plugin's validators
        # must not be called with None.
        inner = tuple(each for each in annotation.__metadata__ if isinstance(each, _VALIDATORS))
        outer = tuple(each for each in annotation.__metadata__ if not isinstance(each, _VALIDATORS))
        whole = (Annotated[annotation.__origin__, *inner] if inner else annotation.__origin__) | None
        return Annotated[whole, *outer] if outer else whole
    return annotation | None


def _parameter_types(
    parameters: Sequence[Parameter], signature: Signature, findings: list[str]
) -> ParameterTypes:
    extras = signature.extras
    if extras is not REFUSED:
        extras = _checkable(extras, "the further parameters", findings)
    try:
        return ParameterTypes(parameters, extras, signature.reserved)
    # pydantic may accept types one by one but not together.
    except Exception as err:
        findings.append(f"The types of the parameters cannot be checked together: {_reason(err)}")
        unchecked = [replace(each, annotation=Any) for each in parameters]
        return ParameterTypes(unchecked, extras if extras is REFUSED else Any, signature.reserved)


def _result_type(annotation: Any, findings: list[str]) -> ResultType | None:
    annotation = _checkable(annotation, "the result", findings)
    if annotation is Any:
        return None
    try:
        result = ResultType(annotation)
    except Exception as err:
        findings.append(f"The type of the result, {_shown(annotation)}, cannot be checked: {_reason(err)}")
        return None
    if result.schema.get("type", "object") != "object":
        findings.append(f"run() is declared to return {_shown(annotation)}, but it must return a dictionary")
        return None
    return None if result.schema in _ANY_OBJECT else result


def _described(
    schema: Mapping[str, Any], parameters: Iterable[Parameter], words: Documentation
) -> dict[str, Any]:
    """Return the schema with defaults and with descriptions from the docstring."""
    properties = {
        name: {**_told(parameter, words), **told, **_default(parameter, told, schema.get("$defs", {}))}
        for (name, told), parameter in zip(schema["properties"].items(), parameters, strict=True)
    }
    whole = {**schema, "properties": properties}
    return {key: whole[key] for key in _ORDER if key in whole}


def _told(parameter: Parameter, words: Documentation) -> dict[str, str]:
    text = words.parameters.get(parameter.name)
    return {"description": text} if text else {}


def _default(
    parameter: Parameter, schema: Mapping[str, Any], definitions: Mapping[str, Any]
) -> dict[str, Any]:
    if parameter.default is REQUIRED or has_secrets(schema):
        return {}
    try:
        default = json.loads(to_json(parameter.default))
    except NotJson:
        return {}
    # The schema may refer to a definition that contains a secret.
    return {"default": masked(default, {**schema, "$defs": definitions}) if definitions else default}


def _shown(annotation: object) -> str:
    return inspect.formatannotation(annotation)


def _reason(error: Exception) -> str:
    if isinstance(error, PydanticUserError) and error.code == "class-not-fully-defined":
        return "it refers to a name that is not defined"
    # Cut the paragraph with the URL of its manual, which pydantic appends.
    text = " ".join(str(error).partition("\n\n")[0].split())
    return text[:_LONGEST_REASON] or type(error).__name__
