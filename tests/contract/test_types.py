"""The types that parameters may have: what is sent, what arrives, what is refused."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum
from ipaddress import IPv4Address
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, NewType, Optional, TypedDict, Union
from uuid import UUID

import jsonschema
import pytest
import typing_extensions
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, HttpUrl, Json, SecretBytes, SecretStr, with_config

from micro.contract.contract import Contract, build_contract
from micro.contract.json_schema import BASE64
from micro.errors import InvalidParameters
from micro.plugin.pluginbase import PluginBase


class Color(Enum):
    RED = "red"
    BLUE = "blue"


class Level(IntEnum):
    LOW = 1
    HIGH = 2


class Address(BaseModel):
    street: str
    number: int = 1


class Person(BaseModel):
    name: str
    addresses: list[Address] = []
    friend: Person | None = None


@dataclasses.dataclass
class Point:
    x: int
    y: int = 0
    tag: bytes = b""


class Options(TypedDict):
    depth: int
    data: typing_extensions.NotRequired[bytes]
    inner: typing_extensions.NotRequired[Inner]


@with_config(ConfigDict(str_to_upper=True))
class Shouting(TypedDict):
    text: str


class Inner(TypedDict, total=False):
    color: typing_extensions.Required[Color]
    points: list[Point]


class Pair(NamedTuple):
    left: int
    right: bytes = b""


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int


class Dog(BaseModel):
    kind: Literal["dog"]
    tricks: list[str]


UserId = NewType("UserId", int)
T = typing.TypeVar("T", bound=int)
Pet = Annotated[Cat | Dog, Field(discriminator="kind")]
ID = UUID("12345678-1234-5678-1234-567812345678")


def contract_for(annotation: Any) -> Contract:
    def run(self: Any, value: Any) -> Any: ...

    run.__annotations__["value"] = annotation
    return build_contract(type("Plugin", (PluginBase,), {"run": run}))


GOOD = [
    (str, "x", "x"),
    (str, "", ""),
    (int, 5, 5),
    (int, 5.0, 5),
    (int, -(10**40), -(10**40)),
    (float, 1.5, 1.5),
    (float, 2, 2.0),
    (bool, True, True),
    (None, None, None),
    (Any, {"a": [1.5, None]}, {"a": [1.5, None]}),
    (object, "x", "x"),
    (Literal["a", 1, None], "a", "a"),
    (Literal["a", 1, None], None, None),
    (Literal[Color.RED, "x"], "red", Color.RED),
    (Literal[Color.RED, "x"], "x", "x"),
    (Color, "red", Color.RED),
    (Level, 2, Level.HIGH),
    (Optional[int], None, None),  # noqa: UP045
    (int | None, 3, 3),
    (Union[int, str], "3", "3"),  # noqa: UP007
    (list[Color], ["red"], [Color.RED]),
    (dict[str, list[int]], {"a": [1]}, {"a": [1]}),
    (dict[int, str], {"1": "a"}, {1: "a"}),
    (dict[Color, int], {"red": 1}, {Color.RED: 1}),
    (Mapping[str, int], {"a": 1}, {"a": 1}),
    (set[int], [1, 2, 1], {1, 2}),
    (frozenset[str], ["a"], frozenset({"a"})),
    (tuple[int, str], [1, "a"], (1, "a")),
    (tuple[int, ...], [1, 2, 3], (1, 2, 3)),
    (Sequence[int], [1], [1]),
    (Iterable[int], [1], [1]),
    (Iterable[int] | None, [1], [1]),
    (Annotated[int, Field(gt=3)], 4, 4),
    (Annotated[Iterable[int], Field(min_length=1)], [1], [1]),
    (datetime, "2030-12-31T23:59:00Z", datetime(2030, 12, 31, 23, 59, tzinfo=timezone.utc)),  # noqa: UP017
    (date, "2030-12-31", date(2030, 12, 31)),
    (time, "23:59:00", time(23, 59)),
    (timedelta, "PT1H30M", timedelta(hours=1, minutes=30)),
    (UUID, str(ID), ID),
    (Decimal, "12.50", Decimal("12.50")),
    (Decimal, 12.5, Decimal("12.5")),
    (Decimal, 12, Decimal(12)),
    (Path, "/etc/micro", Path("/etc/micro")),
    (IPv4Address, "127.0.0.1", IPv4Address("127.0.0.1")),
    (HttpUrl, "http://micro.test/", HttpUrl("http://micro.test/")),
    (SecretStr, "s3cret", SecretStr("s3cret")),
    (bytes, "_-8=", b"\xff\xef"),
    (bytes, "/+8=", b"\xff\xef"),
    (bytes, "", b""),
    (SecretBytes, "/+8=", SecretBytes(b"\xff\xef")),
    (Person, {"name": "Ada"}, Person(name="Ada")),
    (Person, {"name": "A", "friend": {"name": "B"}}, Person(name="A", friend=Person(name="B"))),
    (Point, {"x": 1, "tag": "/+8="}, Point(1, 0, b"\xff\xef")),
    (list[Point], [{"x": 1}], [Point(1)]),
    (Options, {"depth": 1, "data": "/+8="}, {"depth": 1, "data": b"\xff\xef"}),
    (
        Options,
        {"depth": 1, "inner": {"color": "red", "points": [{"x": 1}]}},
        {"depth": 1, "inner": {"color": Color.RED, "points": [Point(1)]}},
    ),
    (list[Options] | None, [{"depth": 1}], [{"depth": 1}]),
    (dict[str, Options] | None, {"a": {"depth": 1}}, {"a": {"depth": 1}}),
    (Shouting, {"text": "hello"}, {"text": "HELLO"}),
    (Pair, [1, "/+8="], Pair(1, b"\xff\xef")),
    (Pair, {"left": 1}, Pair(1)),
    (Pet, {"kind": "cat", "lives": 9}, Cat(kind="cat", lives=9)),
    (Json[int], "5", 5),
    (UserId, 7, 7),
    (T, 7, 7),
    (Person | int, 7, 7),
]


@pytest.mark.parametrize(("annotation", "sent", "expected"), GOOD)
def test_a_parameter_arrives_as_its_annotated_type(annotation: Any, sent: object, expected: object) -> None:
    contract = contract_for(annotation)
    assert contract.findings == ()
    arrived = contract.check({"value": sent})["value"]
    assert arrived == expected
    assert type(arrived) is type(expected)


BAD = [
    (str, 5, "expected a string, found an integer"),
    (str, None, "expected a string, found null"),
    (str, ["x"], "expected a string, found an array"),
    (int, "5", "expected an integer, found a string"),
    (int, True, "expected an integer, found a boolean"),
    (int, 5.5, "expected an integer, found a number"),
    (int, None, "expected an integer, found null"),
    (float, "1.5", "expected a number, found a string"),
    (float, True, "expected a number, found a boolean"),
    (bool, 1, "expected true or false, found an integer"),
    (bool, "yes", "expected true or false, found a string"),
    (None, 0, "expected null, found an integer"),
    (Literal["a", 1], "b", "expected 'a' or 1, found other text"),
    (Literal["a", 1], {}, "expected 'a' or 1, found an object"),
    (Literal[Color.RED], "blue", "expected 'red', found other text"),
    (Color, "green", "expected 'red' or 'blue', found other text"),
    (Color, "RED", "expected 'red' or 'blue', found other text"),
    (Level, "1", "expected 1 or 2, found other text"),
    (int | None, "x", "expected an integer, found a string"),
    # A union that no other test has in another order: `typing` keeps one of those that are equal.
    (float | str, [], "expected a number or a string, found an array"),
    (list[int], {}, "expected an array, found an object"),
    (set[int], "ab", "expected an array, found a string"),
    (frozenset[int], 1, "expected an array, found an integer"),
    (tuple[int, str], 1, "expected an array, found an integer"),
    (Iterable[int], 1, "expected an array, found an integer"),
    (dict[str, int], [], "expected an object, found an array"),
    (Person, "Ada", "expected an object, found a string"),
    (Point, [1, 2], "expected an object, found an array"),
    (Options, 1, "expected an object, found an integer"),
    (Pair, 1, "expected an array or an object, found an integer"),
    (Annotated[int, Field(gt=3)], 3, "expected a value greater than 3"),
    (Annotated[int, Field(ge=3)], 2, "expected a value of at least 3"),
    (Annotated[float, Field(lt=3)], 3, "expected a value less than 3.0"),
    (Annotated[float, Field(le=3)], 4, "expected a value of at most 3.0"),
    (Annotated[int, Field(multiple_of=5)], 4, "expected a multiple of 5"),
    (Annotated[str, Field(min_length=2)], "x", "expected at least 2 characters"),
    (Annotated[str, Field(max_length=2)], "xxx", "expected at most 2 characters"),
    (Annotated[str, Field(pattern="^a+$")], "b", "expected a string that matches ^a+$"),
    (Annotated[list[int], Field(min_length=2)], [1], "expected at least 2 items, found 1"),
    (Annotated[list[int], Field(max_length=2)], [1, 2, 3], "expected at most 2 items"),
    (datetime, "soon", 'expected a date and time such as "2030-12-31T23:59:00Z", found other text'),
    (datetime, 1700000000, 'expected a date and time such as "2030-12-31T23:59:00Z", found an integer'),
    (date, "31.12.2030", 'expected a date such as "2030-12-31", found other text'),
    (time, "noon", 'expected a time such as "23:59:00", found other text'),
    (timedelta, "long", 'expected a duration such as "PT1H30M", found other text'),
    (timedelta, 5, 'expected a duration such as "PT1H30M", found an integer'),
    (UUID, "x", "expected a UUID, found other text"),
    (UUID, 5, "expected a UUID, found an integer"),
    (Decimal, "x", 'expected a decimal number such as "12.50", found other text'),
    (Decimal, True, 'expected a decimal number such as "12.50", found a boolean'),
    (Decimal, "NaN", "expected a finite number, found other text"),
    (Path, 5, "expected a string, found an integer"),
    (HttpUrl, "nowhere", "expected a URL, found other text"),
    (SecretStr, 5, "expected a string, found an integer"),
    (bytes, "a", "expected bytes as base64, found other text"),
    (bytes, "é", "expected bytes as base64, found other text"),
    (bytes, [1], "expected bytes as base64, found an array"),
    (Json[int], "{", "Invalid JSON: EOF while parsing an object at line 1 column 1"),
    (Pet, {"kind": "s3cret"}, "expected 'kind' to be one of 'cat', 'dog'"),
    (Pet, {}, "expected an object with 'kind'"),
]


@pytest.mark.parametrize(("annotation", "sent", "expected"), BAD)
def test_a_wrong_parameter_is_refused_with_what_was_expected_and_found(
    annotation: Any, sent: object, expected: str
) -> None:
    with pytest.raises(InvalidParameters) as caught:
        contract_for(annotation).check({"value": sent})
    (error,) = caught.value.errors
    assert (error.pointer, error.message) == ("/value", expected)
    assert caught.value.message == f"Parameter 'value': {expected}"


@pytest.mark.parametrize(
    ("annotation", "schema"),
    [
        (str, {"type": "string"}),
        (datetime, {"type": "string", "format": "date-time"}),
        (timedelta, {"type": "string", "format": "duration"}),
        (UUID, {"type": "string", "format": "uuid"}),
        (bytes, {"type": "string", "format": "base64url", "pattern": BASE64}),
        (SecretStr, {"type": "string", "format": "password", "writeOnly": True}),
        (int | None, {"anyOf": [{"type": "integer"}, {"type": "null"}]}),
        (Literal["a", "b"], {"type": "string", "enum": ["a", "b"]}),
        (Literal[Color.RED], {"type": "string", "const": "red"}),
        (Iterable[int], {"type": "array", "items": {"type": "integer"}}),
        (Any, {}),
        (Color, {"$ref": "#/$defs/Color"}),
        (Options, {"$ref": "#/$defs/Options"}),
        (Person, {"$ref": "#/$defs/Person"}),
    ],
)
def test_the_schema_of_a_type(annotation: Any, schema: dict[str, Any]) -> None:
    contract = contract_for(annotation)
    assert contract.parameters["properties"]["value"] == schema
    if "$ref" in schema:
        assert schema["$ref"].removeprefix("#/$defs/") in contract.parameters["$defs"]


@pytest.mark.parametrize("sent", [10**400, -(10**400)])
def test_an_integer_too_great_for_a_float_is_refused(sent: int) -> None:
    with pytest.raises(InvalidParameters, match=r"Parameter 'value': expected a (finite )?number"):
        contract_for(float).check({"value": sent})


def test_whole_floats_for_integers_leave_other_parameters_alone() -> None:
    def run(self: Any, count: list[int], size: float, free) -> Any: ...

    contract = build_contract(type("Plugin", (PluginBase,), {"run": run}))
    arguments = contract.check({"count": [1.0, 2], "size": 3.0, "free": {"x": 4.0}})
    assert arguments == {"count": [1, 2], "size": 3.0, "free": {"x": 4.0}}
    assert [type(each) for each in arguments["count"]] == [int, int]
    assert isinstance(arguments["free"]["x"], float)


def test_bytes_inside_a_pydantic_model_are_a_finding() -> None:
    class Upload(BaseModel):
        data: bytes

    (finding,) = contract_for(Upload).findings
    assert finding.startswith("The type of parameter 'value', ")
    assert "val_json_bytes='base64'" in finding


class Node(TypedDict):
    children: list[Node]


def test_a_typed_dict_that_contains_itself_works_or_says_what_to_do() -> None:
    contract = contract_for(Node)
    tree = {"children": [{"children": []}]}
    assert contract.check({"value": tree}) == {"value": tree}
    assert all("typing_extensions.TypedDict" in finding for finding in contract.findings)


SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-100, 100), st.floats(allow_nan=False), st.text(max_size=3)
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=2), inner)),
    max_leaves=5,
)
SIMPLE = {
    "str": str,
    "int": int,
    "float": float,
    "bool": bool,
    "int or None": int | None,
    "str or int": str | int,
    "list of int": list[int],
    "dict of int": dict[str, int],
    "limits": Annotated[int, Field(ge=1, lt=50)],
    "short": Annotated[str, Field(min_length=1, max_length=2)],
    "person": Person,
    "options": Options,
    "list of point": list[Point],
    "red": Literal["red", "blue"],
}


@pytest.mark.parametrize("name", SIMPLE)
def test_the_check_accepts_what_the_schema_accepts_and_nothing_else(name: str) -> None:
    contract = contract_for(SIMPLE[name])
    validator = jsonschema.Draft202012Validator(contract.parameters)

    @settings(max_examples=50, deadline=None, derandomize=True)
    @given(sent=JSON)
    def agree(sent: object) -> None:
        try:
            contract.check({"value": sent})
        except InvalidParameters:
            assert not validator.is_valid({"value": sent})
        else:
            assert validator.is_valid({"value": sent})

    agree()


def test_what_comes_without_annotation_arrives_as_it_was() -> None:
    contract = contract_for(Any)

    @settings(max_examples=100, deadline=None, derandomize=True)
    @given(sent=JSON)
    def unchanged(sent: object) -> None:
        assert contract.check({"value": sent}) == {"value": sent}

    unchanged()
