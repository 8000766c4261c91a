"""What may be secret among parameters, and how it is kept out of tables and logs."""

from __future__ import annotations

import dataclasses
import json
from typing import Any, TypedDict

import pytest
from pydantic import BaseModel, Secret, SecretBytes, SecretStr

from micro.contract.contract import Contract, build_contract
from micro.plugin.pluginbase import PluginBase

MASK = "**********"


class Login(BaseModel):
    user: str
    password: SecretStr
    backup: Login | None = None


@dataclasses.dataclass
class Key:
    data: SecretBytes
    name: str = ""


class Vault(TypedDict, total=False):
    by_name: dict[str, SecretStr]
    pair: tuple[str, SecretStr]
    keys: list[Key]


def contract_for(annotation: Any, default: Any = ...) -> Contract:
    def run(self: Any, value: Any = default) -> Any: ...

    def required(self: Any, value: Any) -> Any: ...

    chosen = required if default is ... else run
    chosen.__annotations__["value"] = annotation
    return build_contract(type("Plugin", (PluginBase,), {"run": chosen}))


@pytest.mark.parametrize(
    ("annotation", "value", "hidden"),
    [
        (SecretStr, "x", MASK),
        (SecretStr | None, "x", MASK),
        (SecretStr | None, None, None),
        (SecretStr | int, 5, MASK),
        (Secret[int], 5, MASK),
        (Secret[Login], {"user": "u", "password": "x"}, MASK),
        (dict[str, Secret[list[int]]], {"a": [1]}, {"a": MASK}),
        (list[SecretStr], ["x", "y"], [MASK, MASK]),
        (Login, {"user": "u", "password": "x"}, {"user": "u", "password": MASK}),
        (
            Login,
            {"user": "u", "password": "x", "backup": {"user": "v", "password": "y"}},
            {"user": "u", "password": MASK, "backup": {"user": "v", "password": MASK}},
        ),
        (Login | str, {"user": "u", "password": "x"}, {"user": "u", "password": MASK}),
        (Key, {"data": "eA==", "name": "k"}, {"data": MASK, "name": "k"}),
        (Vault, {"by_name": {"a": "x"}}, {"by_name": {"a": MASK}}),
        (Vault, {"pair": ["a", "x"]}, {"pair": ["a", MASK]}),
        (Vault, {"keys": [{"data": "eA=="}]}, {"keys": [{"data": MASK}]}),
        (tuple[str, SecretStr], ("a", "x"), ["a", MASK]),
        (str, "x", "x"),
        (Any, {"password": "x"}, {"password": "x"}),
    ],
)
def test_what_the_types_call_secret_is_masked(annotation: Any, value: object, hidden: object) -> None:
    contract = contract_for(annotation)
    params = {"value": value}
    assert contract.mask(params) == {"value": hidden}
    assert params == {"value": value}


def test_masked_parameters_are_a_copy() -> None:
    params: dict[str, Any] = {"value": "x"}
    masked = contract_for(str).mask(params)
    masked["value"] = "other"
    assert params == {"value": "x"}


def test_parameters_that_were_not_checked_can_be_masked_too() -> None:
    contract = contract_for(Login)
    assert contract.mask({"other": [1], "value": 7}) == {"other": [1], "value": 7}
    deep: dict[str, Any] = {}
    for _ in range(1000):
        deep = {"backup": deep}
    assert MASK in json.dumps(contract.mask({"value": deep}))


def test_secret_keyword_parameters_are_masked() -> None:
    def run(self: Any, **tokens: SecretStr) -> Any: ...

    contract = build_contract(type("Plugin", (PluginBase,), {"run": run}))
    assert contract.mask({"a": "x"}) == {"a": MASK}
    assert contract.check({"a": "x"}) == {"a": SecretStr("x")}


@pytest.mark.parametrize("default", ["hunter2", SecretStr("hunter2")])
def test_the_default_of_a_secret_is_not_published(default: object) -> None:
    contract = contract_for(SecretStr, default)
    assert "hunter2" not in json.dumps(contract.parameters)
    assert "default" not in contract.parameters["properties"]["value"]
