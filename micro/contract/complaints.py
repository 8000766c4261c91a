"""Converts pydantic's validation errors to JSON Pointers and messages for the caller.

No message quotes a value from the caller: it may be secret, or ten megabytes long.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from difflib import get_close_matches
from typing import Any, Final

from pydantic_core import ErrorDetails, ValidationError

from micro.contract.expectations import explanation
from micro.contract.trouble import json_pointer
from micro.errors import FieldError

MOST_ERRORS: Final = 1000
_MOST_TOLD = 3
_LONGEST_NAME = 60

_MISSING = frozenset({"missing", "missing_argument", "missing_keyword_only_argument"})
_UNEXPECTED = frozenset({"extra_forbidden", "unexpected_keyword_argument", "unexpected_positional_argument"})


def field_errors(error: ValidationError, data: object, accepted: Collection[str]) -> list[FieldError]:
    """Return one error per place in ``data``; an empty list if there are more than MOST_ERRORS.

    ``accepted`` holds the names that the outermost object may have.
    """
    if error.error_count() > MOST_ERRORS:
        return []
    places: dict[str, list[ErrorDetails]] = {}
    for each in error.errors(include_url=False):
        places.setdefault(json_pointer(_path(each, data)), []).append(each)
    return [FieldError(place, _sentence(place, wrong, accepted)) for place, wrong in places.items()]


def label(pointer: str) -> str:
    """Format a pointer for messages: the quoted name for a parameter itself, else the pointer."""
    name = pointer.removeprefix("/").replace("~1", "/").replace("~0", "~")
    return f"'{name}'" if pointer.count("/") == 1 else pointer


def listing(errors: Sequence[FieldError]) -> str:
    """Return the first errors, and the number of the others, on one line."""
    told = [f"{label(each.pointer)}: {each.message}" for each in errors[:_MOST_TOLD]]
    more = len(errors) - len(told)
    return "; ".join(told) + (f"; and {more} more" if more else "")


def _path(error: ErrorDetails, data: Any) -> list[object]:
    """Return pydantic's location without the parts that name a branch of a union."""
    path: list[object] = []
    for each in error["loc"]:
        try:
            data = data[each]
        except (LookupError, TypeError):
            continue
        path.append(_cut(each))
    return [*path, error["loc"][-1]] if error["type"] in _MISSING else path


def _cut(name: str | int) -> str | int:
    """Shorten a name from the caller, which may be as long as the whole body."""
    return name if isinstance(name, int) or len(name) <= _LONGEST_NAME else name[:_LONGEST_NAME] + "…"


def _sentence(place: str, errors: Sequence[ErrorDetails], accepted: Collection[str]) -> str:
    kinds = {each["type"] for each in errors}
    if kinds <= _MISSING:
        return "required, but missing"
    if kinds <= _UNEXPECTED:
        return _unexpected(str(errors[0]["loc"][-1]), accepted if place.count("/") == 1 else ())
    return explanation(errors)


def _unexpected(name: str, accepted: Collection[str]) -> str:
    if not accepted:
        return "not accepted"
    close = get_close_matches(name[:_LONGEST_NAME], accepted, n=1)
    hint = f"did you mean '{close[0]}'? " if close else ""
    names = ", ".join(repr(each) for each in accepted)
    return f"not accepted; {hint}accepted are {names}"
