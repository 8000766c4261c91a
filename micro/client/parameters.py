"""Writes parameters as JSON, including dates, UUIDs, paths, bytes and sets."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import date, time
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any
from uuid import UUID

from micro.errors import BadRequest


def to_json(params: Mapping[str, Any]) -> str:
    """Return the parameters as the text of a JSON object; raise BadRequest for a value without JSON form."""
    try:
        return json.dumps(params, default=_plain, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as err:
        raise BadRequest(f"The parameters cannot be written as JSON: {err}") from err


def _plain(value: object) -> object:
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, UUID | PurePath | Decimal):
        return str(value)
    if isinstance(value, bytes | bytearray):
        return base64.b64encode(value).decode()
    if isinstance(value, set | frozenset):
        return list(value)
    if isinstance(value, Enum):
        return value.value
    raise TypeError(f"a {type(value).__name__} has no JSON form")
