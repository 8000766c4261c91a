"""Words the messages of validation errors: what was expected and found, in JSON terms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic_core import ErrorDetails

_INTEGER, _NUMBER, _ARRAY, _OBJECT = "an integer", "a number", "an array", "an object"
_BASE64, _UUID, _URL = "bytes as base64", "a UUID", "a URL"
_DATE = 'a date such as "2030-12-31"'
_DATETIME = 'a date and time such as "2030-12-31T23:59:00Z"'
_TIME = 'a time such as "23:59:00"'
_DURATION = 'a duration such as "PT1H30M"'
_DECIMAL = 'a decimal number such as "12.50"'

_EXPECTED = {
    "none_required": "null",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "int_type": _INTEGER,
    "int_parsing": _INTEGER,
    "int_from_float": _INTEGER,
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "finite_number": "a finite number",
    "decimal_type": _DECIMAL,
    "decimal_parsing": _DECIMAL,
    "string_type": "a string",
    "list_type": _ARRAY,
    "tuple_type": _ARRAY,
    "set_type": _ARRAY,
    "frozen_set_type": _ARRAY,
    "deque_type": _ARRAY,
    "arguments_type": "an array or an object",
    "named_tuple_type": "an array or an object",
    "dict_type": _OBJECT,
    "ordered_dict_type": _OBJECT,
    "counter_type": _OBJECT,
    "model_type": _OBJECT,
    "model_attributes_type": _OBJECT,
    "dataclass_type": _OBJECT,
    "bytes_type": _BASE64,
    "bytes_invalid_encoding": _BASE64,
    "date_type": _DATE,
    "date_parsing": _DATE,
    "date_from_datetime_parsing": _DATE,
    "datetime_type": _DATETIME,
    "datetime_parsing": _DATETIME,
    "datetime_from_date_parsing": _DATETIME,
    "time_type": _TIME,
    "time_parsing": _TIME,
    "time_delta_type": _DURATION,
    "time_delta_parsing": _DURATION,
    "uuid_type": _UUID,
    "uuid_parsing": _UUID,
    "url_type": _URL,
    "url_parsing": _URL,
    "enum": "{expected}",
    "literal_error": "{expected}",
}
# Errors whose message needs no "found" part.
_LIMITS = {
    "union_tag_not_found": "an object with {discriminator}",
    "union_tag_invalid": "{discriminator} to be one of {expected_tags}",
    "greater_than": "a value greater than {gt}",
    "greater_than_equal": "a value of at least {ge}",
    "less_than": "a value less than {lt}",
    "less_than_equal": "a value of at most {le}",
    "multiple_of": "a multiple of {multiple_of}",
    "string_too_short": "at least {min_length} characters",
    "string_too_long": "at most {max_length} characters",
    "string_pattern_mismatch": "a string that matches {pattern}",
    "too_short": "at least {min_length} items, found {actual_length}",
    "too_long": "at most {max_length} items",
}
_KINDS = {
    bool: "a boolean",
    int: _INTEGER,
    float: _NUMBER,
    str: "a string",
    list: _ARRAY,
    dict: _OBJECT,
    type(None): "null",
}


def explanation(errors: Sequence[ErrorDetails]) -> str:
    """Return one message for the errors at one place.

    A union gives one error per branch; any of the expected types would have been valid.
    """
    wanted = list(dict.fromkeys(text for each in errors if (text := _expected(each))))
    told = [_author_message(each) for each in errors if _expected(each) is None]
    expected = [f"expected {' or '.join(wanted)}{_found(errors)}"] if wanted else []
    return "; ".join([*expected, *told])


def _expected(error: ErrorDetails) -> str | None:
    template = _EXPECTED.get(error["type"]) or _LIMITS.get(error["type"])
    if template is not None:
        return template.format_map(error.get("ctx", {}))
    stock = "Input should be "
    return error["msg"].removeprefix(stock) if error["msg"].startswith(stock) else None


def _author_message(error: ErrorDetails) -> str:
    message = error["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    return message or "refused by the plugin's own check"


def _found(errors: Sequence[ErrorDetails]) -> str:
    if any(each["type"] not in _EXPECTED for each in errors):
        return ""
    if errors[0]["loc"][-1:] == ("[key]",):
        return " as the key"
    value: Any = errors[0]["input"]
    if isinstance(value, str) and not all(_is_about_type(each) for each in errors):
        return ", found other text"
    return f", found {_KINDS.get(type(value), 'something else')}"


def _is_about_type(error: ErrorDetails) -> bool:
    return error["type"].endswith("_type") or error["type"] == "none_required"
