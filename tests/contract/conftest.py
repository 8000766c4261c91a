"""What tests of contracts share: a plugin with a run() of the test's own, and what its callers are told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from micro.contract.contract import Contract, build_contract
from micro.errors import InvalidParameters
from micro.plugin.pluginbase import PluginBase


def _plugin(run: Any, **attributes: Any) -> type[PluginBase]:
    return type("Plugin", (PluginBase,), {"run": run, **attributes})


def _contract_of(run: Any, **attributes: Any) -> Contract:
    return build_contract(_plugin(run, **attributes))


def _message(contract: Contract, params: dict[str, Any]) -> str:
    with pytest.raises(InvalidParameters) as caught:
        contract.check(params)
    return caught.value.message


@pytest.fixture(scope="session")
def plugin() -> Callable[..., type[PluginBase]]:
    """Make a plugin's class with this run() and these attributes."""
    return _plugin


@pytest.fixture(scope="session")
def contract_of() -> Callable[..., Contract]:
    """Build the contract of a plugin with this run() and these attributes."""
    return _contract_of


@pytest.fixture(scope="session")
def message() -> Callable[[Contract, dict[str, Any]], str]:
    """Return what a caller is told who passes these wrong parameters."""
    return _message
