"""Finds the first place where two JSON values differ."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from micro.contract.json_errors import json_pointer

_NOTHING = object()
_LONGEST = 60


def difference(expected: Any, found: Any) -> str | None:
    """Return where the values differ and how, or None if they are equal.

    1 and 1.0 are equal, as JSON has one type of number; 1 and true are not.
    """
    return _difference(expected, found, ())


def _difference(expected: Any, found: Any, path: tuple[object, ...]) -> str | None:
    if isinstance(expected, dict) and isinstance(found, dict):
        pairs: Iterable[tuple[object, Any, Any]] = (
            (key, expected.get(key, _NOTHING), found.get(key, _NOTHING)) for key in {**expected, **found}
        )
    elif isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        pairs = zip(range(len(expected)), expected, found, strict=True)
    elif isinstance(expected, bool) is isinstance(found, bool) and expected == found:
        return None
    else:
        return f"at {json_pointer(path) or 'the top'} expected {_shown(expected)}, found {_shown(found)}"
    return next((told for key, one, two in pairs if (told := _difference(one, two, (*path, key)))), None)


def _shown(value: Any) -> str:
    text = "nothing" if value is _NOTHING else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
