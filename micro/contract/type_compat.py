"""Replaces type annotations that pydantic cannot use with equivalent ones.

pydantic rejects ``typing.TypedDict`` before Python 3.12, validates the items of ``Iterable`` only during
iteration, and accepts no JSON value for a ``Literal`` of enum members.
"""

from __future__ import annotations

import functools
import operator
import sys
import types
from collections.abc import Callable, Iterable
from enum import Enum
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import typing_extensions
from pydantic import AfterValidator


def usable(annotation: Any) -> Any:
    """Return the annotation with all unsupported parts replaced, at any depth."""
    return _usable(annotation, frozenset())


def _usable(annotation: Any, outer: frozenset[Any]) -> Any:
    if _is_old_typed_dict(annotation):
        # Keep a recursive TypedDict as it is: pydantic then raises an error that says what to do.
        return annotation if annotation in outer else _new_typed_dict(annotation, outer | {annotation})
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return _usable_literal(annotation, args)
    if origin is Iterable:
        return list[_usable(args[0], outer)]  # type: ignore[misc]  # a type made at run time
    if origin is Annotated:
        return Annotated[_usable(args[0], outer), *annotation.__metadata__]
    changed = tuple(_usable(each, outer) if _is_type_like(each) else each for each in args)
    return annotation if changed == args else _rebuilt(annotation, origin, changed)


def _is_type_like(argument: Any) -> bool:
    return isinstance(argument, type) or get_origin(argument) is not None


def _rebuilt(annotation: Any, origin: Any, args: tuple[Any, ...]) -> Any:
    if origin is types.UnionType:
        return functools.reduce(operator.or_, args)
    copy_with: Callable[[Any], Any] | None = getattr(annotation, "copy_with", None)
    return copy_with(args) if copy_with else origin[args]


def _usable_literal(annotation: Any, args: tuple[Any, ...]) -> Any:
    members = {each.value: each for each in args if isinstance(each, Enum)}
    if not members:
        return annotation
    values = tuple(each.value if isinstance(each, Enum) else each for each in args)
    return Annotated[Literal.__getitem__(values), AfterValidator(lambda value: members.get(value, value))]


def _is_old_typed_dict(annotation: Any) -> bool:
    old = sys.version_info < (3, 12) and type(annotation).__module__ == "typing"
    return old and typing_extensions.is_typeddict(annotation)


def _new_typed_dict(old: Any, outer: frozenset[Any]) -> Any:
    hints = get_type_hints(old, include_extras=True)
    fields = {name: _field(old, name, hint, outer) for name, hint in hints.items()}
    make: Any = typing_extensions.TypedDict
    new = make(old.__name__, fields)
    new.__doc__, new.__module__ = old.__doc__, old.__module__
    if hasattr(old, "__pydantic_config__"):
        new.__pydantic_config__ = old.__pydantic_config__
    return new


def _field(old: Any, name: str, hint: Any, outer: frozenset[Any]) -> Any:
    marker = get_origin(hint)
    if marker in (typing_extensions.Required, typing_extensions.NotRequired):
        return marker[_usable(get_args(hint)[0], outer)]
    wanted = typing_extensions.Required if name in old.__required_keys__ else typing_extensions.NotRequired
    return wanted[_usable(hint, outer)]
