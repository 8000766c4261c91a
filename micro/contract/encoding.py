"""Encodes results as JSON, identically for every transport.

UTF-8, compact, keys in their order. Beyond what JSON knows: dates and times become ISO 8601,
durations too ("PT1M"), UUID, Path and IP addresses their text, Decimal its text (a JSON number
would lose digits), an Enum its value, bytes base64 with the URL-safe alphabet, a set, tuple,
named tuple, deque, range or generator an array (a set's in no certain order), a dataclass or
pydantic model an object, a secret asterisks, numpy scalars and arrays numbers and arrays, and
keys that are no strings their text. Integers keep all their digits. A pydantic model's own
serializers, aliases and configuration hold inside of it.

Rejected, with a message that names the place: NaN, infinity and NaT, text with lone surrogates, values
that contain themselves or are nested too deeply, and all other types.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import is_dataclass
from typing import Final

from pydantic_core import PydanticSerializationError

from micro.contract.json_errors import NOT_FINITE, NotJson, first_trouble, kind_of, surely_finite
from micro.contract.json_types import dump
from micro.errors import BadResult

NOT_A_NUMBER: Final = (b"NaN", b"Infinity")
# A pydantic model encodes NaN as null, so a result that contains null must be searched for NaN too.
_SUSPECTS = (*NOT_A_NUMBER, b"null")


def encode_result(result: object, write: Callable[[object], bytes] = dump) -> str:
    """Encode a plugin's result as the text of a JSON object. Raises BadResult."""
    try:
        text = to_json(result, write)
    except NotJson as err:
        raise _bad_result(err, result) from err
    if not text.startswith(b"{"):
        raise _no_dictionary(result)
    return text.decode()


def to_json(
    value: object, write: Callable[[object], bytes] = dump, suspects: Sequence[bytes] = _SUSPECTS
) -> bytes:
    """Encode any value as JSON. Raises NotJson.

    ``write`` is the encoder and may raise PydanticSerializationError. If its output contains one of
    ``suspects``, the value is searched for NaN.
    """
    try:
        text = write(value)
    except PydanticSerializationError as err:
        raise (first_trouble(value) or NotJson("", "what cannot be written")) from err
    for word in suspects:
        if word in text:
            _refuse_not_finite(value)
            break
    return text


def _refuse_not_finite(value: object) -> None:
    trouble = None if surely_finite(value) else first_trouble(value)
    if trouble is not None and trouble.found == NOT_FINITE:
        raise trouble


def _bad_result(error: NotJson, result: object) -> BadResult:
    if not error.pointer and not _is_like_an_object(result):
        return _no_dictionary(result)
    where = f"at {error.pointer}" if error.pointer else "as a whole"
    return BadResult(f"The result cannot be written as JSON: {where} it holds {error.found}")


def _is_like_an_object(result: object) -> bool:
    kind = type(result)
    return isinstance(result, Mapping) or is_dataclass(kind) or hasattr(kind, "__pydantic_serializer__")


def _no_dictionary(result: object) -> BadResult:
    return BadResult(f"Micro plugins must return a Python dictionary, found {kind_of(result)}")
