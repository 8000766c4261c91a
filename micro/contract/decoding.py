"""Parses the JSON object with the parameters of a call."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from micro.errors import BadRequest

_NAMES = {
    list: "a list",
    str: "a string",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    type(None): "null",
}


def parse_parameters(text: bytes | str) -> dict[str, Any]:
    """Return the parameters; empty text means none.

    Raises BadRequest unless the text is one JSON object in UTF-8 without duplicate keys.
    """
    try:
        content = text.decode() if isinstance(text, bytes) else text
        if content.startswith("\ufeff"):
            raise ValueError("Unexpected UTF-8 BOM; leave the byte order mark out")
        params = _DECODER.decode(content) if content.strip() else {}
    except UnicodeDecodeError as err:
        raise BadRequest(
            f"The body is not UTF-8: byte {err.start} cannot be decoded; send JSON in UTF-8"
        ) from err
    except RecursionError as err:
        raise BadRequest("The body is nested too deeply to be read") from err
    except ValueError as err:
        raise BadRequest(
            f'The body is not valid JSON: {err}; expected an object such as {{"name": 1}}'
        ) from err
    if not isinstance(params, dict):
        raise BadRequest(f"The body must be a JSON object of parameters, found {_NAMES[type(params)]}")
    return params


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice!r} is given more than once")
    return content


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON number")


# Reuse one decoder: json.loads() with options creates one per call.
_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_refuse)
