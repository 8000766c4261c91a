"""What run() declares to return, published and held."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from decimal import Decimal
from typing import Annotated, Any, NamedTuple, TypedDict

import jsonschema
import pytest
import typing_extensions
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import (
    AfterValidator,
    BaseModel,
    Field,
    PlainSerializer,
    computed_field,
    field_serializer,
    field_validator,
)

from micro.contract.contract import Contract, build_contract
from micro.errors import BadResult
from micro.plugin.pluginbase import PluginBase

NOON = datetime(2030, 12, 31, 12, tzinfo=timezone.utc)  # noqa: UP017


class Count(TypedDict):
    count: Annotated[int, Field(ge=0)]
    note: typing_extensions.NotRequired[str]


@dataclasses.dataclass
class Report:
    when: datetime
    price: Decimal = Decimal("1.50")
    data: bytes = b""


class Item(BaseModel):
    name: str
    size: int = Field(default=1, alias="item-size")


class Box(BaseModel):
    items: list[Item]
    inner: Box | None = None


class Circle(BaseModel):
    radius: float

    @computed_field
    def area(self) -> float:
        return 3 * self.radius**2

    @field_serializer("radius")
    def rounded(self, radius: float) -> str:
        return f"{radius:.1f}"


class Fussy(BaseModel):
    value: int

    @field_validator("value")
    @classmethod
    def refuse(cls, value: int) -> int:
        if value == 13:
            raise ValueError("not that number")
        return value


class Pair(NamedTuple):
    a: int


def failing(value: int) -> int:
    return {}[value]


Failing = Annotated[int, AfterValidator(failing)]
Stamp = Annotated[datetime, PlainSerializer(lambda value: value.year, return_type=int)]


class Stamped(TypedDict):
    when: Stamp


def contract_for(annotation: Any) -> Contract:
    def run(self: Any) -> Any: ...

    run.__annotations__["return"] = annotation
    return build_contract(type("Plugin", (PluginBase,), {"run": run}))


def complaint(contract: Contract, result: object) -> str:
    with pytest.raises(BadResult) as caught:
        contract.encode(result)
    return caught.value.message


@pytest.mark.parametrize(
    "annotation", [Any, dict, dict[str, Any], Mapping[str, Any], Mapping, dict[str, object]]
)
def test_any_dictionary_is_no_more_than_the_rule(annotation: Any) -> None:
    contract = contract_for(annotation)
    assert contract.returns is None
    assert contract.findings == ()
    assert contract.encode({"a": [1, None]}) == '{"a":[1,null]}'


@pytest.mark.parametrize(
    "result", [None, "text", 5, 1.5, True, [1], (1,), {1}, object(), b"x", Pair(1), Item]
)
@pytest.mark.parametrize("annotation", [Any, Count, Circle], ids=["any", "declared", "serializing"])
def test_a_result_that_is_no_object_is_refused_by_its_type(annotation: Any, result: object) -> None:
    name = type(result).__qualname__
    if annotation is Circle:
        assert "The result is not what run() declares" in complaint(contract_for(annotation), result)
    else:
        assert complaint(contract_for(annotation), result) == (
            f"Micro plugins must return a Python dictionary, found an object of type '{name}'"
        )


GOOD = [
    (Count, {"count": 1}, {"count": 1}),
    (Count, {"count": 1, "note": "x", "more": [1]}, {"count": 1, "note": "x", "more": [1]}),
    (dict[str, int], {"a": 1}, {"a": 1}),
    (
        Report,
        Report(NOON, data=b"\xff\xef"),
        {"when": "2030-12-31T12:00:00Z", "price": "1.50", "data": "_-8="},
    ),
    (Report, {"when": NOON}, {"when": "2030-12-31T12:00:00Z"}),
    (Item, Item(name="x"), {"name": "x", "item-size": 1}),
    (Item, {"name": "x", "item-size": 3}, {"name": "x", "item-size": 3}),
    (Item, {"name": "x"}, {"name": "x"}),
    (Box, Box(items=[Item(name="x")]), {"items": [{"name": "x", "item-size": 1}], "inner": None}),
    (Box, {"items": [Item(name="x")]}, {"items": [{"name": "x", "item-size": 1}]}),
    (dict[str, Box], {"a": Box(items=[])}, {"a": {"items": [], "inner": None}}),
    (Circle, Circle(radius=2), {"radius": "2.0", "area": 12.0}),
    (Circle, {"radius": 2}, {"radius": "2.0", "area": 12.0}),
    (list[Circle] | Circle, Circle(radius=1), {"radius": "1.0", "area": 3.0}),
    (dict[str, Circle], {"a": Circle(radius=1)}, {"a": {"radius": "1.0", "area": 3.0}}),
    (Stamped, {"when": NOON}, {"when": 2030}),
    (Item | None, Item(name="x"), {"name": "x", "item-size": 1}),
]


@pytest.mark.parametrize(("annotation", "result", "expected"), GOOD)
def test_a_result_of_the_declared_type_is_written_and_fits_its_schema(
    annotation: Any, result: object, expected: object
) -> None:
    contract = contract_for(annotation)
    sent = json.loads(contract.encode(result))
    assert sent == expected
    assert contract.findings == ()
    jsonschema.Draft202012Validator(contract.returns).validate(sent)


BAD = [
    (Count, {}, "'count': required, but missing"),
    (Count, {"count": "1"}, "'count': expected an integer, found a string"),
    (Count, {"count": True}, "'count': expected an integer, found a boolean"),
    (Count, {"count": -1}, "'count': expected a value of at least 0"),
    (dict[str, int], {"a": 1, "b": None}, "'b': expected an integer, found null"),
    (Report, {"when": "x"}, "'when': expected a date and time"),
    (Report, Report(when="x"), "'when': expected a date and time"),
    (Box, {"items": [{"name": 1}]}, "/items/0/name: expected a string, found an integer"),
    (Circle, {"radius": "wide"}, "'radius': expected a number"),
    (Stamped, {"when": "soon"}, "'when': expected a date and time"),
    (Fussy, {"value": 13}, "'value': not that number"),
    (dict[str, list[int]], {"a": {"b": 1}}, "'a': expected an array, found an object"),
]


@pytest.mark.parametrize(("annotation", "result", "expected"), BAD)
def test_a_result_that_breaks_its_own_schema_is_refused_by_the_field(
    annotation: Any, result: object, expected: str
) -> None:
    message = complaint(contract_for(annotation), result)
    assert message.startswith(f"The result is not what run() declares to return: {expected}")


@pytest.mark.parametrize("annotation", [dict[str, Failing], dict[str, Failing] | Circle])
def test_a_validator_of_the_authors_that_breaks_is_the_plugins_failure(annotation: Any) -> None:
    assert complaint(contract_for(annotation), {"a": 1}) == "The plugin failed while it checked its result"


def test_bytes_that_are_no_base64_break_their_type() -> None:
    contract = contract_for(dict[str, bytes])
    assert contract.encode({"a": b"\xff\xef"}) == '{"a":"_-8="}'
    assert "'a': expected bytes as base64, found other text" in complaint(contract, {"a": "é"})


def test_a_serializing_model_that_was_made_unchecked_is_refused() -> None:
    class Sized(BaseModel):
        size: int

        @computed_field
        def double(self) -> int:
            return self.size * 2

    contract = contract_for(Sized)
    assert contract.encode(Sized(size=2)) == '{"size":2,"double":4}'
    assert "cannot be written" in complaint(contract, Sized.model_construct(size="x"))


def test_too_many_wrong_fields_are_not_listed() -> None:
    message = complaint(contract_for(dict[str, int]), {str(number): "x" for number in range(2000)})
    assert message.endswith("it has too many errors to list")


@pytest.mark.parametrize("annotation", [Any, Count, dict[str, float], Circle, Stamped])
def test_nan_is_refused_whatever_is_declared(annotation: Any) -> None:
    nan = float("nan")
    for result in ({"count": nan, "radius": nan, "when": nan}, {"a": {"b": nan}}):
        with pytest.raises(BadResult):
            contract_for(annotation).encode(result)


def test_nan_in_a_pydantic_model_is_refused_too() -> None:
    class Price(BaseModel):
        value: float
        note: str | None = None

    price = Price(value=float("nan"))
    expected = "The result cannot be written as JSON: at /value it holds NaN or infinity"
    assert complaint(contract_for(Price), price) == expected
    assert "/prices/0/value" in complaint(contract_for(Any), {"prices": [price]})


def test_a_schema_with_one_definition_stands_alone_and_a_recursive_one_keeps_it() -> None:
    assert contract_for(Count).returns == {
        "type": "object",
        "title": "Count",
        "properties": {"count": {"type": "integer", "minimum": 0}, "note": {"type": "string"}},
        "required": ["count"],
    }
    box = contract_for(Box).returns
    assert box["type"] == "object"
    assert set(box["$defs"]) == {"Box", "Item"}


def test_what_is_published_of_a_serializing_type_is_what_it_writes() -> None:
    returns = contract_for(Circle).returns
    assert returns["properties"]["radius"] == {"type": "string"}
    assert returns["properties"]["area"]["type"] == "number"
    assert returns["required"] == ["radius", "area"]


@pytest.mark.parametrize("annotation", [None, str, int, list[int], tuple[int, ...], Pair])
def test_a_declared_type_that_is_no_object_is_a_finding(annotation: Any) -> None:
    contract = contract_for(annotation)
    assert contract.returns is None
    assert "it must return a dictionary" in contract.findings[0]
    assert contract.encode({"a": 1}) == '{"a":1}'


def test_a_serializer_without_a_json_form_is_a_finding() -> None:
    contract = contract_for(Annotated[Count, PlainSerializer(len, return_type=Callable[[], int])])
    assert "The type of the result" in contract.findings[0]
    assert contract.encode({"a": 1}) == '{"a":1}'


def test_bytes_inside_a_pydantic_model_are_a_finding() -> None:
    class Download(BaseModel):
        data: bytes

    assert "ser_json_bytes='base64'" in contract_for(Download).findings[0]


RESULTS = st.dictionaries(
    st.sampled_from(["count", "note", "other"]),
    st.one_of(st.none(), st.integers(-3, 3), st.text(max_size=2), st.floats(), st.booleans()),
)


def test_no_answer_breaks_its_published_schema() -> None:
    contract = contract_for(Count)
    schema = jsonschema.Draft202012Validator(contract.returns)

    @settings(max_examples=150, deadline=None, derandomize=True)
    @given(result=RESULTS)
    def hold(result: dict[str, Any]) -> None:
        try:
            text = contract.encode(result)
        except BadResult:
            return
        schema.validate(json.loads(text))

    hold()
