"""Where a wrong parameter is said to be, in which words, and what is never said."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import pytest
from pydantic import AfterValidator, BaseModel

from micro.contract.contract import Contract, build_contract
from micro.errors import InvalidParameters
from micro.plugin.pluginbase import PluginBase

SECRET = "s3cr3t-v4lu3"


class Tag(BaseModel):
    label: str


class User(BaseModel, extra="forbid"):
    name: str
    emails: list[str] = []
    tags: dict[str, Tag] = {}
    either: int | Tag = 0


def even(value: int) -> int:
    assert value % 2 == 0, "an even number is needed"
    return value


def known(value: str) -> str:
    if value != "known":
        raise ValueError("no such user; ask for an account")
    return value


class Everything(PluginBase):
    def run(
        self,
        user: User,
        name: str = "",
        times: int = 1,
        numbers: dict[int, int] = {},  # noqa: B006
        half: Annotated[int, AfterValidator(even)] = 2,
        account: Annotated[str, AfterValidator(known)] = "known",
        free: Any = None,
    ) -> Any: ...


GOOD_USER = {"name": "Ada"}


@pytest.fixture(scope="module")
def contract() -> Contract:
    return build_contract(Everything)


@pytest.fixture
def refusal(contract: Contract) -> Callable[..., InvalidParameters]:
    def call(**params: Any) -> InvalidParameters:
        with pytest.raises(InvalidParameters) as caught:
            contract.check({"user": GOOD_USER, **params})
        return caught.value

    return call


Refusal = Callable[..., InvalidParameters]


@pytest.mark.parametrize(
    ("user", "pointer", "message"),
    [
        ({"name": 1}, "/user/name", "expected a string, found an integer"),
        ({}, "/user/name", "required, but missing"),
        ({"name": "A", "emails": ["a", 1]}, "/user/emails/1", "expected a string, found an integer"),
        ({"name": "A", "tags": {"a/b~c": {}}}, "/user/tags/a~1b~0c/label", "required, but missing"),
        ({"name": "A", "tags": {"": 1}}, "/user/tags/", "expected an object, found an integer"),
        ({"name": "A", "more": 1}, "/user/more", "not accepted"),
        (
            {"name": "A", "either": "x"},
            "/user/either",
            "expected an integer or an object, found a string",
        ),
    ],
)
def test_a_json_pointer_leads_to_the_wrong_value(
    refusal: Refusal, user: object, pointer: str, message: str
) -> None:
    (error,) = refusal(user=user).errors
    assert (error.pointer, error.message) == (pointer, message)


def test_the_branches_of_a_union_are_no_part_of_the_pointer(refusal: Refusal) -> None:
    errors = refusal(user={"name": "A", "either": {"label": 1}}).errors
    assert [error.pointer for error in errors] == ["/user/either", "/user/either/label"]


def test_a_wrong_key_is_named_as_one(refusal: Refusal) -> None:
    (error,) = refusal(numbers={"x": 1}).errors
    assert (error.pointer, error.message) == ("/numbers/x", "expected an integer as the key")


def test_several_wrong_parameters_are_told_at_once(refusal: Refusal) -> None:
    error = refusal(name=1, times="x")
    assert error.message == (
        "2 parameters are wrong: 'name': expected a string, found an integer; "
        "'times': expected an integer, found a string"
    )
    assert [each.pointer for each in error.errors] == ["/name", "/times"]


def test_the_sentence_stays_short_when_much_is_wrong(refusal: Refusal) -> None:
    error = refusal(numbers={str(number): "x" for number in range(20)})
    assert error.message.startswith("20 values are wrong: /numbers/0: expected")
    assert error.message.endswith("; and 17 more")
    assert len(error.errors) == 20


def test_a_validator_of_the_authors_speaks_for_itself(refusal: Refusal) -> None:
    assert refusal(half=3).message.startswith("Parameter 'half': an even number is needed")
    assert refusal(account="x").message == "Parameter 'account': no such user; ask for an account"


@pytest.mark.parametrize(
    "params",
    [
        {"name": [SECRET]},
        {"times": SECRET},
        {"numbers": {"1": SECRET}},
        {"half": SECRET},
        {"free": object},
        {"user": SECRET},
        {"user": {"name": {SECRET: SECRET}}},
    ],
)
def test_no_message_quotes_a_value(refusal: Refusal, params: dict[str, Any]) -> None:
    error = refusal(**params)
    told = [error.message, *(each.message for each in error.errors)]
    assert SECRET not in "".join(told)
    assert not isinstance(error.__cause__, ValueError) or SECRET not in str(error.__cause__)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_numbers_that_json_does_not_have_are_refused_typed_or_not(refusal: Refusal, value: float) -> None:
    for params in ({"free": value}, {"free": {"a": [value]}}, {"times": value}):
        error = refusal(**params)
        assert "found NaN or infinity" in error.message
        assert error.errors[0].pointer.startswith(("/free", "/times"))
    assert refusal(free={"a": [value]}).errors[0].pointer == "/free/a/0"


def test_the_word_nan_is_a_string_like_any_other(contract: Contract) -> None:
    params = {"user": GOOD_USER, "name": "NaN", "free": ["Infinity", None]}
    assert contract.check(params)["free"] == ["Infinity", None]


@pytest.mark.parametrize("text", ["\ud800", "a\udfff"])
def test_text_that_is_no_unicode_is_refused(refusal: Refusal, text: str) -> None:
    assert "lone surrogate" in refusal(name=text).message
    assert refusal(free={"a": text}).errors[0].pointer == "/free/a"
    assert "a key" in refusal(free={text: 1}).message


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize("depth", [205, 300, 100_000])
def test_deep_nesting_is_refused(refusal: Refusal, depth: int) -> None:
    error = refusal(free=nested(depth))
    assert "nested too deeply" in error.message
    assert [each.pointer for each in error.errors] == ["/free"]


def test_nesting_in_bounds_and_great_numbers_pass(contract: Contract) -> None:
    params = {"user": GOOD_USER, "free": nested(150), "times": 10**400}
    assert contract.check(params) == {**params, "user": User(name="Ada")}


def test_what_contains_itself_is_refused(refusal: Refusal) -> None:
    loop: list[Any] = []
    loop.append(loop)
    assert "contains itself" in refusal(free=loop).message


def test_a_number_with_more_digits_than_python_reads_is_refused(refusal: Refusal) -> None:
    assert refusal(times=10**5000).message == "Parameter 'times': a number with too many digits"


def test_what_is_no_json_at_all_is_refused(refusal: Refusal) -> None:
    assert refusal(free=object()).message == (
        "Parameter 'free': expected what JSON can hold, found an object of type 'object'"
    )


def test_long_strings_pass_and_are_not_quoted_when_wrong(contract: Contract, refusal: Refusal) -> None:
    long = "x" * 10_000_000
    assert contract.check({"user": GOOD_USER, "name": long})["name"] == long
    assert len(refusal(times=long).message) < 100


def test_long_names_are_cut(refusal: Refusal) -> None:
    error = refusal(**{"k" * 1_000_000: 1})
    assert error.message.startswith(f"Parameter '{'k' * 60}…': not accepted; accepted are 'user'")
    assert len(error.errors[0].pointer) < 100


def test_a_million_wrong_items_give_one_error() -> None:
    def run(self: Any, names: list[str]) -> Any: ...

    plugin = type("Plugin", (PluginBase,), {"run": run})
    with pytest.raises(InvalidParameters) as caught:
        build_contract(plugin).check({"names": [0] * 1_000_000})
    assert [error.pointer for error in caught.value.errors] == ["/names/0"]


def test_more_errors_than_anybody_reads_are_not_listed(refusal: Refusal) -> None:
    error = refusal(numbers={str(number): "x" for number in range(5000)})
    assert error.message == "The parameters are wrong in too many places to list"
    assert error.errors == ()


@pytest.mark.parametrize("run", [Everything.run, lambda self, **kwargs: {}])
def test_parameters_that_are_no_object_are_refused(run: Any) -> None:
    contract = build_contract(type("Plugin", (PluginBase,), {"run": run}))
    with pytest.raises(InvalidParameters) as caught:
        contract.check([1, 2])
    assert caught.value.message == "The parameters: expected an object, found an array"
