"""The JSON Schema of a type accepts what the check accepts, and nothing else."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import BaseModel, Field

from micro import PluginBase
from micro.contract.contract import Contract, build_contract
from micro.contract.json_schema import BASE64, DECIMAL
from micro.errors import InvalidParameters


class Circle(BaseModel):
    kind: Literal["circle"] = "circle"
    radius: float


class Square(BaseModel):
    kind: Literal["square"]
    side: float


Shape = Annotated[Circle | Square, Field(discriminator="kind")]


def contract_for(annotation: Any) -> Contract:
    def run(self: Any, value: Any) -> Any: ...

    run.__annotations__["value"] = annotation
    return build_contract(type("Plugin", (PluginBase,), {"run": run}))


def verdicts(contract: Contract, value: Any) -> tuple[bool, bool]:
    """Whether the schema and the check accept the value."""
    by_schema = Draft202012Validator(contract.parameters).is_valid({"value": value})
    try:
        contract.check({"value": value})
    except InvalidParameters:
        return by_schema, False
    return by_schema, True


@pytest.mark.parametrize(
    ("annotation", "value", "accepted"),
    [
        (bytes, "", True),
        (bytes, "+/+/", True),
        (bytes, "-_-_", True),
        (bytes, "+_AA", False),
        (bytes, "AA==", True),
        (bytes, "AAA", True),
        (bytes, "AAA==", False),
        (bytes, "AB==", False),
        (bytes, "A", False),
        (bytes, "é", False),
        (Annotated[bytes, Field(min_length=2)], "AAA=", True),
        (Decimal, "12.50", True),
        (Decimal, "-.5e-3", True),
        (Decimal, "", False),
        (Decimal, "1.2.3", False),
        (Decimal, "NaN", False),
        (set[int], [1, 1], True),
        (frozenset[int], [1, 1], True),
        (Shape, {"kind": "circle", "radius": 1.0}, True),
        (Shape, {"radius": 1.0}, False),
        (list[Shape], [{"side": 1.0}], False),
    ],
)
def test_schema_and_check_say_the_same(annotation: Any, value: Any, accepted: bool) -> None:
    assert verdicts(contract_for(annotation), value) == (accepted, accepted)


@pytest.mark.parametrize(("annotation", "pattern"), [(bytes, BASE64), (Decimal, DECIMAL)])
@settings(deadline=None, database=None)
@given(data=st.data())
def test_whatever_matches_a_pattern_is_accepted(annotation: Any, pattern: str, data: st.DataObject) -> None:
    value = data.draw(st.from_regex(pattern, fullmatch=True).map(str.strip))

    assert verdicts(contract_for(annotation), value) == (True, True)
