"""Converts the examples of a plugin's description to the JSON that callers send and receive."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from micro.contract.encoding import to_json
from micro.contract.json_errors import NotJson
from micro.plugin.pluginbase import PluginDescription

PARTS = ("params", "result")


@dataclass(frozen=True)
class Example:
    """One example, numbered from 1: its parameters and, if declared, its result."""

    number: int
    params: dict[str, Any]
    result: dict[str, Any] | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the example as declared: ``params`` and, if any, ``result``."""
        declared = {"params": self.params, "result": self.result}
        return {part: value for part, value in declared.items() if value is not None}


@dataclass(frozen=True)
class BadExample:
    """An invalid example, and the reason."""

    number: int
    reason: str


def usable_examples(description: PluginDescription) -> list[Example]:
    """Return the valid examples."""
    return [each for each in read_examples(description) if isinstance(each, Example)]


def read_examples(description: PluginDescription) -> list[Example | BadExample]:
    """Return every example; values such as dates are encoded as in results."""
    return [_read(number, example) for number, example in enumerate(description.examples, 1)]


def _read(number: int, example: object) -> Example | BadExample:
    try:
        parts = _parts(example)
        return Example(number, _as_json("params", parts.get("params", {})), _result(parts))
    except ValueError as err:
        return BadExample(number, str(err))


def _parts(example: object) -> Mapping[str, Any]:
    if not isinstance(example, Mapping):
        raise ValueError(f"expected {_listed(PARTS)} in a dict, found {type(example).__name__}")
    unknown = [str(key) for key in example if key not in PARTS]
    if unknown:
        raise ValueError(f"expected no keys but {_listed(PARTS)}, found {_listed(unknown)}")
    return example


def _result(parts: Mapping[str, Any]) -> dict[str, Any] | None:
    return _as_json("result", parts["result"]) if "result" in parts else None


def _as_json(part: str, value: object) -> dict[str, Any]:
    try:
        content = json.loads(to_json(value))
    except NotJson as err:
        raise ValueError(f"{part}{err.pointer} holds {err.found}, which has no JSON form") from err
    if not isinstance(content, dict):
        raise ValueError(f"expected {part!r} to be a dict, found {type(value).__name__}")
    return content


def _listed(names: Iterable[str]) -> str:
    return " and ".join(map(repr, names))
