"""One JSON for every result, and the place of what has no JSON form."""

from __future__ import annotations

import collections
import dataclasses
import json
import math
import subprocess
import sys
import types
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from ipaddress import ip_address
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, HttpUrl, RootModel, SecretStr, field_serializer

from micro.contract.encoding import encode_result
from micro.errors import BadResult

NAN, INFINITY = float("nan"), float("inf")
CAUSE = "NaN or infinity"


class Color(Enum):
    RED = "red"
    STRANGE = NAN


class Level(IntEnum):
    LOW = 1


class Mode(StrEnum):
    FAST = "fast"


class Pair(NamedTuple):
    left: int
    right: str


@dataclasses.dataclass
class Point:
    x: float
    y: Any = None


@pydantic.dataclasses.dataclass
class Checked:
    x: float


class Item(BaseModel):
    price: float = Field(default=1.0, alias="item-price")
    note: str | None = None
    more: list[float] = []


class Careful(BaseModel):
    price: float

    @field_serializer("price")
    def nan_is_null(self, price: float) -> float | None:
        return None if math.isnan(price) else price


class Broken(BaseModel):
    price: float = 1.0

    @field_serializer("price")
    def fail(self, price: float) -> float:
        raise KeyError("price")


class Raw(BaseModel):
    data: bytes


class Encoded(BaseModel):
    model_config = ConfigDict(ser_json_bytes="base64")
    data: bytes


class Opaque:
    pass


UTC_NOON = datetime(2030, 12, 31, 12, tzinfo=timezone.utc)  # noqa: UP017


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (UTC_NOON, '"2030-12-31T12:00:00Z"'),
        (datetime(2030, 12, 31, 12, 0, 0, 5), '"2030-12-31T12:00:00.000005"'),
        (date(2030, 12, 31), '"2030-12-31"'),
        (time(23, 59), '"23:59:00"'),
        (timedelta(minutes=90), '"PT1H30M"'),
        (UUID(int=3), '"00000000-0000-0000-0000-000000000003"'),
        (Decimal("1.10"), '"1.10"'),
        (Path("/etc/micro"), '"/etc/micro"'),
        (ip_address("127.0.0.1"), '"127.0.0.1"'),
        (HttpUrl("http://micro.test/x"), '"http://micro.test/x"'),
        (Color.RED, '"red"'),
        (Level.LOW, "1"),
        (Mode.FAST, '"fast"'),
        (b"\xff\xef", '"_-8="'),
        (bytearray(b"\xff\xef"), '"_-8="'),
        (memoryview(b"\xff\xef"), '"_-8="'),
        ({7}, "[7]"),
        (frozenset({7}), "[7]"),
        ((1, "a"), '[1,"a"]'),
        (Pair(1, "a"), '[1,"a"]'),
        (collections.deque([1]), "[1]"),
        (range(3), "[0,1,2]"),
        ((each for each in "ab"), '["a","b"]'),
        ({"a": 1}.keys(), '["a"]'),
        ({"a": 1}.values(), "[1]"),
        (types.MappingProxyType({"a": 1}), '{"a":1}'),
        (collections.OrderedDict(b=1, a=2), '{"b":1,"a":2}'),
        (collections.ChainMap({"a": 1}), '{"a":1}'),
        (Point(1.5), '{"x":1.5,"y":null}'),
        (Point(1.5, Point(2)), '{"x":1.5,"y":{"x":2,"y":null}}'),
        (Checked(x=1), '{"x":1.0}'),
        (Item(), '{"item-price":1.0,"note":null,"more":[]}'),
        (Careful(price=NAN), '{"price":null}'),
        (Encoded(data=b"\xff\xef"), '{"data":"_-8="}'),
        (RootModel[list[int]]([1]), "[1]"),
        (SecretStr("s3cret"), '"**********"'),
        (10**400, "1" + "0" * 400),
        (2**64 + 1, "18446744073709551617"),
        (-0.0, "-0.0"),
        (0.1 + 0.2, "0.30000000000000004"),
        ("é\u20ac\U0001f600 NaN null", '"é\u20ac\U0001f600 NaN null"'),
        ('"\\\n\x00', '"\\"\\\\\\n\\u0000"'),
        (None, "null"),
        ({1: 2, Color.RED: 3, UUID(int=3): 4, date(2030, 1, 1): 5}, None),
    ],
)
def test_a_value_becomes_the_same_json_everywhere(value: object, expected: str | None) -> None:
    written = encode_result({"value": value})
    expected = expected or ('{"1":2,"red":3,"00000000-0000-0000-0000-000000000003":4,"2030-01-01":5}')
    assert written == f'{{"value":{expected}}}'


@pytest.mark.parametrize("result", [Point(1), Item(), Checked(x=1), types.MappingProxyType({"a": 1})])
def test_an_object_of_any_kind_is_a_result(result: object) -> None:
    assert isinstance(json.loads(encode_result(result)), dict)


def test_keys_stay_in_their_order() -> None:
    assert encode_result({"b": 1, "a": {"d": 2, "c": 3}}) == '{"b":1,"a":{"d":2,"c":3}}'


LOOP: dict[str, Any] = {}
LOOP["a"] = [LOOP]
DEEP: Any = []
for _ in range(10_000):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    ("result", "place", "found"),
    [
        ({"a": NAN}, "/a", CAUSE),
        ({"a": [1, {"b/c~d": -INFINITY}]}, "/a/1/b~1c~0d", CAUSE),
        ({"n": None, "a": ({"b": NAN},)}, "/a/0/b", CAUSE),
        ({"a": Point(NAN)}, "/a/x", CAUSE),
        ({"a": [Point(1, Item(more=[1, NAN]))]}, "/a/0/y/more/1", CAUSE),
        ({"a": Item(**{"item-price": NAN})}, "/a/item-price", CAUSE),
        ({"a": Checked(x=NAN)}, "/a/x", CAUSE),
        ({"a": RootModel[list[float]]([NAN])}, "/a/0", CAUSE),
        ({"a": Color.STRANGE}, "/a", CAUSE),
        ({"a": Decimal("NaN")}, "/a", CAUSE),
        ({"a": Decimal("sNaN")}, "/a", CAUSE),
        ({"a": Decimal("Infinity")}, "/a", CAUSE),
        (Item(**{"item-price": NAN}), "/item-price", CAUSE),
        ({"a": Opaque()}, "/a", "an object of type 'Opaque'"),
        ({"a": [None, Opaque]}, "/a/1", "an object of type 'type'"),
        ({"a": {"b": {Opaque(): 1}}}, "/a/b", "a key that is an object of type 'Opaque'"),
        ({"a": ValueError("s3cret")}, "/a", "an object of type 'ValueError'"),
        ({"a": "\ud800"}, "/a", "text that is no Unicode (it has a lone surrogate)"),
        ({"a": {"\udfff": 1}}, "/a", "a key that is no Unicode text (it has a lone surrogate)"),
        ({"a": Raw(data=b"\xff")}, "/a", "an object of type 'Raw' that cannot be written"),
        ({"a": [Broken()]}, "/a/0", "an object of type 'Broken' that cannot be written"),
        (LOOP, "/a", "what contains itself or is nested too deeply"),
        ({"d": DEEP}, "/d", "what contains itself or is nested too deeply"),
    ],
)
def test_what_has_no_json_form_is_refused_and_its_place_named(result: Any, place: str, found: str) -> None:
    with pytest.raises(BadResult) as caught:
        encode_result(result)
    assert caught.value.message == f"The result cannot be written as JSON: at {place} it holds {found}"


@pytest.mark.parametrize(
    "result", [{Opaque(): 1}, {"a": (1 // 0 for _ in "a")}, {"\ud800": 1}], ids=["key", "generator", "text"]
)
def test_trouble_without_a_place_is_that_of_the_whole(result: object) -> None:
    with pytest.raises(BadResult, match="cannot be written as JSON: as a whole it holds"):
        encode_result(result)


@pytest.mark.parametrize(
    "result", [None, [], "{}", b"{}", 1, Opaque(), {1}, NAN, "\ud800", (each for each in "a")]
)
def test_a_result_that_is_no_object_is_refused_by_its_type(result: object) -> None:
    with pytest.raises(BadResult) as caught:
        encode_result(result)
    assert caught.value.message == (
        f"Micro plugins must return a Python dictionary, found an object of type '{type(result).__name__}'"
    )


def test_a_serializer_that_works_only_once_is_asked_no_more_than_needed() -> None:
    calls = iter([None])

    class Once(BaseModel):
        price: float = 1.0

        @field_serializer("price")
        def once(self, price: float) -> None:
            return next(calls)

    assert encode_result({"a": Once()}) == '{"a":{"price":null}}'


def test_null_beside_values_of_every_kind_is_no_trouble() -> None:
    np = sys.modules.get("numpy")
    result = {
        "none": None,
        "word": "NaN and Infinity",
        "values": [1.5, b"x", UTC_NOON, Color.RED, Decimal("1"), Point(1), Item(), {7}, Path("/"), range(2)],
        "numbers": np.arange(2) if np else [],
    }
    assert json.loads(encode_result(result))["none"] is None


def numpy_values() -> dict[str, tuple[Any, Any]]:
    np = pytest.importorskip("numpy", reason="numpy is not installed")
    return {
        "float64": (np.float64(1.5), 1.5),
        "float32": (np.float32(1.5), 1.5),
        "float16": (np.float16(1.5), 1.5),
        "longdouble": (np.longdouble(1.5), 1.5),
        "int64": (np.int64(2**40), 2**40),
        "uint8": (np.uint8(7), 7),
        "bool": (np.bool_(True), True),
        "str": (np.str_("a"), "a"),
        "bytes": (np.bytes_(b"\xff\xef"), "_-8="),
        "datetime of days": (np.datetime64("2030-12-31"), "2030-12-31"),
        "datetime of seconds": (np.datetime64("2030-12-31T12:00:00"), "2030-12-31T12:00:00"),
        "datetime of nanoseconds": (
            np.datetime64("2030-12-31T12:00:00.123456789"),
            "2030-12-31T12:00:00.123456",
        ),
        "timedelta": (np.timedelta64(90, "m"), "PT1H30M"),
        "array": (np.arange(4).reshape(2, 2), [[0, 1], [2, 3]]),
        "array of float32": (np.array([1.5], dtype="f4"), [1.5]),
        "array of no dimension": (np.array(5), 5),
        "array of strings": (np.array(["a"]), ["a"]),
        "array of datetimes": (np.array(["2030-12-31"], dtype="M8[ns]"), ["2030-12-31T00:00:00"]),
        "array of objects": (np.array([None, Color.RED]), [None, "red"]),
        "records": (np.array([(1, 2.5)], dtype=[("a", "i4"), ("b", "f8")]), [[1, 2.5]]),
        "keys": ({np.int64(1): np.float32(2)}, {"1": 2.0}),
        "in a dataclass": (Point(np.float32(1)), {"x": 1.0, "y": None}),
    }


def test_numpy_scalars_and_arrays_become_numbers_and_arrays() -> None:
    for name, (value, expected) in numpy_values().items():
        assert json.loads(encode_result({"value": value})) == {"value": expected}, name


def test_nan_in_numpy_is_refused_and_its_place_named() -> None:
    np = pytest.importorskip("numpy", reason="numpy is not installed")
    for value, place, found in [
        (np.float32("nan"), "/a", CAUSE),
        (np.float64("inf"), "/a", CAUSE),
        (np.array([[1, np.nan]]), "/a/0/1", CAUSE),
        (np.array([[1, np.inf]], dtype="f4"), "/a/0/1", CAUSE),
        ([None, np.array([Opaque()])], "/a/1/0", "an object of type 'Opaque'"),
        (np.datetime64("NaT", "s"), "/a", "NaT"),
        ([np.full(1, "NaT", dtype="M8[s]")], "/a/0", "NaT"),
    ]:
        with pytest.raises(BadResult) as caught:
            encode_result({"a": value})
        assert caught.value.message.endswith(f"at {place} it holds {found}")


def test_encoding_does_not_import_numpy() -> None:
    code = (
        "import sys; from micro.contract.encoding import encode_result;"
        "print(encode_result({'a': range(1)})); sys.exit('numpy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == '{"a":[0]}\n'


VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(st.characters(codec=None), max_size=5),
        st.datetimes(),
        st.decimals(),
        st.binary(max_size=4),
        st.builds(Opaque),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.tuples(inner),
        st.dictionaries(st.one_of(st.text(max_size=3), st.integers()), inner, max_size=3),
        st.builds(Point, st.floats(), inner),
        st.builds(Item, note=st.none(), more=st.lists(st.floats(), max_size=2)),
    ),
    max_leaves=8,
)


def strict(text: str) -> Any:
    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    return json.loads(text, parse_constant=refuse)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(value=VALUES)
def test_whatever_is_returned_gives_strict_json_or_a_place(value: object) -> None:
    try:
        text = encode_result({"value": value})
    except BadResult as err:
        assert "at /value" in err.message  # noqa: PT017
        return
    assert isinstance(strict(text), Mapping)
    text.encode()


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    value=st.recursive(
        st.one_of(
            st.none(),
            st.booleans(),
            st.integers(),
            st.floats(allow_nan=False, allow_infinity=False),
            st.text(),
        ),
        lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
        max_leaves=8,
    )
)
def test_json_comes_back_as_it_was(value: object) -> None:
    assert strict(encode_result({"value": value})) == {"value": value}
