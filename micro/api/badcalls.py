"""Makes calls of a plugin that its contract refuses, from the contract itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from micro.contract.contract import Contract
from micro.contract.trouble import json_pointer
from micro.errors import InvalidParameters, PluginFailed

Params = dict[str, Any]

_UNKNOWN = "unknown_parameter"
# One of these is of another kind than whatever the parameter is.
_WRONG: tuple[Any, ...] = ({"wrong": [None]}, "wrong", [None, {}], 1.5, True, None)


def bad_calls(contract: Contract, good: Mapping[str, Any]) -> Iterator[tuple[str, Params]]:
    """Yield each call with a word on what is wrong; ``good`` are parameters that fit, if any are known."""
    for what, name, candidates in _candidates(contract.parameters, good):
        call = next((each for each in candidates if _refuses(contract, each, name)), None)
        if call is not None:
            yield what, call


def _candidates(
    schema: Mapping[str, Any], good: Mapping[str, Any]
) -> Iterator[tuple[str, str, list[Params]]]:
    for name in schema.get("required", ()):
        without = {key: value for key, value in good.items() if key != name}
        yield f"a call without {name!r}", name, [without]
    yield "a call with an unknown parameter", _UNKNOWN, [{**good, _UNKNOWN: 1}]
    for name in schema.get("properties", {}):
        yield f"a call with a wrong type for {name!r}", name, [{**good, name: wrong} for wrong in _WRONG]


def _refuses(contract: Contract, params: Params, name: str) -> bool:
    """Tell whether this very parameter is refused, not just another."""
    place = json_pointer([name])
    try:
        contract.check(params)
    except InvalidParameters as err:
        return any(f"{each.pointer}/".startswith(f"{place}/") for each in err.errors)
    except PluginFailed:
        return False
    return False
