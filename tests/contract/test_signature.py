"""Every kind of run() that a signature and a docstring can be read from."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Callable
from typing import Any

import pytest

from micro.contract.contract import Contract, build_contract
from micro.plugin.pluginbase import PluginBase

ContractOf = Callable[..., Contract]
Message = Callable[[Contract, dict[str, Any]], str]
MakePlugin = Callable[..., type[PluginBase]]


def greet(self: Any, name: str, times: int = 1) -> dict[str, Any]:
    return {"message": f"Hello {name}" * times}


def logged(run: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(run)
    def wrapper(this: Any, *args: Any, **kwargs: Any) -> Any:
        return run(this, *args, **kwargs)

    return wrapper


def narrowing(run: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(run)
    def wrapper(self: Any, name: str) -> Any:
        return run(self, name, 3)

    return wrapper


class Callable_:  # noqa: N801
    def __call__(self, name: str, times: int = 1) -> Any: ...


async def later(self: Any, name: str, times: int = 1) -> Any: ...


RUNS = {
    "function": greet,
    "coroutine function": later,
    "decorated": logged(greet),
    "decorated twice": logged(logged(greet)),
    "lru_cache": functools.lru_cache(greet),
    "staticmethod": staticmethod(lambda name, times=1: {}),
    "classmethod": classmethod(greet),
    "callable object": Callable_(),
    "partialmethod": functools.partialmethod(greet, times=4),
    "partial": staticmethod(functools.partial(greet, None)),
}


@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
def test_every_kind_of_run_has_its_signature_read_and_can_be_called(
    message: Message, plugin: MakePlugin, run: Any
) -> None:
    owner = plugin(run)
    contract = build_contract(owner)
    assert list(contract.parameters["properties"]) == ["name", "times"]
    assert message(contract, {"nam": "x"}).startswith("2 parameters are wrong: 'name': required, but missing")
    arguments = contract.check({"name": "Micro", "times": 2})
    called = owner().run(**arguments)
    if inspect.iscoroutine(called):
        asyncio.run(called)


def test_an_inherited_run_is_read_in_the_class_that_defines_it(message: Message, plugin: MakePlugin) -> None:
    class Child(plugin(greet)):
        """The child."""

    contract = build_contract(Child)
    assert message(contract, {}) == "Parameter 'name': required, but missing"
    assert contract.summary == "The child."


def test_a_decorator_with_parameters_of_its_own_decides(contract_of: ContractOf) -> None:
    contract = contract_of(narrowing(greet))
    assert list(contract.parameters["properties"]) == ["name"]
    assert contract.check({"name": "Micro"}) == {"name": "Micro"}


@pytest.mark.parametrize(
    "run",
    [type, property(lambda self: self.missing), functools.partialmethod(greet, nonsense=1)],
    ids=["type", "property", "partialmethod with a wrong name"],
)
def test_a_signature_that_cannot_be_read_takes_anything(contract_of: ContractOf, run: Any) -> None:
    contract = contract_of(run)
    assert contract.check({"a": 1, "b": "x"}) == {"a": 1, "b": "x"}
    assert contract.parameters["additionalProperties"] is True
    assert "cannot be read" in contract.findings[0]


def test_a_run_that_wraps_itself_does_not_hang(contract_of: ContractOf) -> None:
    def run(self: Any, name: str) -> Any: ...

    run.__wrapped__ = run
    assert list(contract_of(run).parameters["properties"]) == ["name"]


def test_parameters_that_cannot_be_passed_by_name_are_findings(contract_of: ContractOf) -> None:
    def run(self: Any, first: int, /, second: int, *rest: int) -> Any: ...

    contract = contract_of(run)
    assert list(contract.parameters["properties"]) == ["second"]
    assert contract.findings == (
        "Parameter 'first' takes no value by name, as callers pass it: "
        "remove the '/' from the signature of run()",
        "Parameter '*rest' stays empty: callers pass parameters by name; remove it",
    )


@pytest.mark.parametrize(
    "source",
    [
        "def run(): ...",
        "def run(**names): ...",
        "def run(name: str): ...",
        "def run(names: list[str], n=1): ...",
        "def run(name='Ada'): ...",
    ],
)
def test_a_method_without_self_is_a_finding(contract_of: ContractOf, source: str) -> None:
    place: dict[str, Any] = {}
    exec(source, place)
    contract = contract_of(place["run"])
    assert contract.findings == (
        "run() takes no `self`, so that it cannot be called; write `def run(self, ...)`",
    )


@pytest.mark.parametrize(
    "source", ["def run(this): ...", "def run(this: 'Any', a=1): ...", "def run(*a, **k): ..."]
)
def test_self_may_have_another_name(contract_of: ContractOf, source: str) -> None:
    place: dict[str, Any] = {}
    exec(source, place)
    assert not any("self" in each for each in contract_of(place["run"]).findings)


GREETING = {
    "Google": """Greet somebody, once or more often.

        The words are
        cheerful.

        Args:
            name (str): Who is greeted,
                by name.
            times: How often.
        """,
    "NumPy": """Greet somebody, once or more often.

        The words are
        cheerful.

        Parameters
        ----------
        name : str
            Who is greeted,
            by name.
        times : int, optional
            How often.
        """,
    "Sphinx": """Greet somebody, once or more often.

        The words are
        cheerful.

        :param name: Who is greeted,
            by name.
        :param int times: How often.
        """,
}


@pytest.mark.parametrize("docstring", GREETING.values(), ids=GREETING)
@pytest.mark.parametrize("place", ["of run", "of the class"])
def test_docstrings_describe_the_plugin_and_its_parameters(
    contract_of: ContractOf, docstring: str, place: str
) -> None:
    def run(self: Any, name: str, times: int = 1) -> Any: ...

    if place == "of run":
        run.__doc__ = docstring
        contract = contract_of(run)
    else:
        contract = contract_of(run, __doc__=docstring)
    assert contract.summary == "Greet somebody, once or more often."
    assert contract.description == "The words are\ncheerful."
    described = {name: each["description"] for name, each in contract.parameters["properties"].items()}
    assert described == {"name": "Who is greeted, by name.", "times": "How often."}


def test_the_contract_of_a_plugin_without_docstrings_has_no_words(contract_of: ContractOf) -> None:
    contract = contract_of(greet)
    assert (contract.summary, contract.description) == (None, None)
