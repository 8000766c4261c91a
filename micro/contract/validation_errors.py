"""Translates pydantic's validation errors into JSON Pointers and messages for the caller.

No sentence quotes a value that was sent: it may be secret, or ten megabytes long.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from difflib import get_close_matches
from typing import Any, Final

from pydantic_core import ErrorDetails, ValidationError

from micro.contract.json_errors import json_pointer
from micro.errors import FieldError

MOST_ERRORS: Final = 1000
_MOST_TOLD = 3
_LONGEST_NAME = 60

_MISSING = frozenset({"missing", "missing_argument", "missing_keyword_only_argument"})
_UNEXPECTED = frozenset({"extra_forbidden", "unexpected_keyword_argument", "unexpected_positional_argument"})
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


def field_errors(error: ValidationError, data: object, accepted: Collection[str]) -> list[FieldError]:
    """Return one error for each wrong place in ``data``; an empty list if there are more than MOST_ERRORS.

    ``accepted`` are the names that the outermost object may have.
    """
    if error.error_count() > MOST_ERRORS:
        return []
    places: dict[str, list[ErrorDetails]] = {}
    for each in error.errors(include_url=False):
        places.setdefault(json_pointer(_path(each, data)), []).append(each)
    return [FieldError(place, _sentence(place, wrong, accepted)) for place, wrong in places.items()]


def label(pointer: str) -> str:
    """Return a pointer for messages: a top-level parameter as its quoted name."""
    name = pointer.removeprefix("/").replace("~1", "/").replace("~0", "~")
    return f"'{name}'" if pointer.count("/") == 1 else pointer


def listing(errors: Sequence[FieldError]) -> str:
    """Return the first of several errors in one line."""
    told = [f"{label(each.pointer)}: {each.message}" for each in errors[:_MOST_TOLD]]
    more = len(errors) - len(told)
    return "; ".join(told) + (f"; and {more} more" if more else "")


def _path(error: ErrorDetails, data: Any) -> list[object]:
    """Return pydantic's location without the names of union branches, which are no places in the data."""
    path: list[object] = []
    for each in error["loc"]:
        try:
            data = data[each]
        except (LookupError, TypeError):
            continue
        path.append(_cut(each))
    return [*path, error["loc"][-1]] if error["type"] in _MISSING else path


def _cut(name: str | int) -> str | int:
    """Shorten a name that the caller sent: it may be megabytes long."""
    return name if isinstance(name, int) or len(name) <= _LONGEST_NAME else name[:_LONGEST_NAME] + "…"


def _sentence(place: str, errors: Sequence[ErrorDetails], accepted: Collection[str]) -> str:
    kinds = {each["type"] for each in errors}
    if kinds <= _MISSING:
        return "required, but missing"
    if kinds <= _UNEXPECTED:
        return _unexpected(str(errors[0]["loc"][-1]), accepted if place.count("/") == 1 else ())
    return _explanation(errors)


def _unexpected(name: str, accepted: Collection[str]) -> str:
    if not accepted:
        return "not accepted"
    close = get_close_matches(name[:_LONGEST_NAME], accepted, n=1)
    hint = f"did you mean '{close[0]}'? " if close else ""
    names = ", ".join(repr(each) for each in accepted)
    return f"not accepted; {hint}accepted are {names}"


def _explanation(errors: Sequence[ErrorDetails]) -> str:
    """Return one sentence for the errors of one place.

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
