"""Finds the first place in a value that cannot be encoded as JSON."""

from __future__ import annotations

import dataclasses
import math
from collections import deque
from collections.abc import Iterable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Final
from uuid import UUID

from pydantic_core import PydanticSerializationError

from micro.contract.json_types import dump, plain

DEEPEST: Final = 200
NOT_FINITE: Final = "NaN or infinity"

_HARMLESS = frozenset({int, bool, str, bytes, type(None), datetime, date, time, timedelta, UUID})
_ARRAYS = (list, tuple, set, frozenset, deque)


class NotJson(ValueError):
    """A value cannot be encoded as JSON: the JSON Pointer to it, and what was found there."""

    def __init__(self, pointer: str, found: str) -> None:
        super().__init__(pointer, found)
        self.pointer = pointer
        self.found = found


def json_pointer(path: Iterable[object]) -> str:
    """Format a path as a JSON Pointer (RFC 6901)."""
    return "".join("/" + str(each).replace("~", "~0").replace("/", "~1") for each in path)


def kind_of(value: object) -> str:
    """Describe a value by its type; the value itself may be secret."""
    return f"an object of type '{type(value).__qualname__}'"


def first_trouble(value: object) -> NotJson | None:
    """Return the first place, depth first, that cannot be encoded, or None."""
    return _search(value, ())


def surely_finite(value: object) -> bool:
    """Return True if a quick search shows that the value holds no NaN; False if it is not sure."""
    pending: list[Any] = [value]
    while pending:
        each = pending.pop()
        kind = type(each)
        if kind in _HARMLESS or (kind is float and math.isfinite(each)):
            continue
        if kind is dict:
            pending.extend(each.values())
        elif kind is list or kind is tuple:
            pending.extend(each)
        elif not _unpack(each, pending):
            return False
    return True


def _unpack(value: Any, pending: list[Any]) -> bool:
    """Append the children of the value to ``pending``; return False if they are not known."""
    try:
        simpler = _simpler(value)
    except Exception:  # of the author's own serializer
        return False
    children = _children(simpler)
    if children is not None:
        pending.extend(child for _, child in children)
    elif simpler is not value:
        pending.append(simpler)
    return children is not None or simpler is not value


def _search(value: Any, path: tuple[object, ...]) -> NotJson | None:
    if len(path) > DEEPEST:
        # Report only the outermost name: the whole pointer would be too long.
        return NotJson(json_pointer(path[:1]), "what contains itself or is nested too deeply")
    try:
        value = _simpler(value)
    except Exception:  # of the author's own serializer
        return NotJson(json_pointer(path), f"{kind_of(value)} that cannot be written")
    children = _children(value)
    if children is None:
        return _leaf_trouble(value, path)
    for key, child in children:
        found = _key_trouble(key, path)
        if found is None:
            found = _search(child, (*path, key))
        if found is not None:
            return found
    return None


def _simpler(value: Any) -> Any:
    """Return the value that pydantic-core would encode for a model or an enum."""
    if isinstance(value, Enum):
        return value.value
    serializer = getattr(type(value), "__pydantic_serializer__", None)
    if serializer is None:
        return value
    return serializer.to_python(value, mode="json", by_alias=True, fallback=plain)


def _children(value: Any) -> Iterable[tuple[object, Any]] | None:
    if isinstance(value, Mapping):
        return value.items()
    if isinstance(value, _ARRAYS):
        return enumerate(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return [(each.name, getattr(value, each.name)) for each in dataclasses.fields(value)]
    return None


def _key_trouble(key: object, path: tuple[object, ...]) -> NotJson | None:
    if isinstance(key, int) or (isinstance(key, str) and key.isascii()) or _can_be_written({key: None}):
        return None
    if isinstance(key, str):
        return NotJson(json_pointer(path), "a key that is no Unicode text (it has a lone surrogate)")
    return NotJson(json_pointer(path), f"a key that is {kind_of(key)}")


def _leaf_trouble(value: Any, path: tuple[object, ...]) -> NotJson | None:
    where = json_pointer(path)
    if isinstance(value, float):
        return None if math.isfinite(value) else NotJson(where, NOT_FINITE)
    if isinstance(value, Decimal):
        return None if value.is_finite() else NotJson(where, NOT_FINITE)
    if isinstance(value, str):
        well = value.isascii() or _can_be_written(value)
        return None if well else NotJson(where, "text that is no Unicode (it has a lone surrogate)")
    try:
        return _search(plain(value), path)
    except TypeError:
        return None if _can_be_written(value) else NotJson(where, kind_of(value))
    except ValueError as err:
        return NotJson(where, str(err))


def _can_be_written(value: object) -> bool:
    try:
        dump(value)
    except PydanticSerializationError:
        return False
    return True
