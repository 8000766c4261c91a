"""Examples are read as the JSON that callers send and get; one that is none is told, and hurts nobody."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from micro import PluginDescription
from micro.plugin.examples import BadExample, Example, read_examples, usable_examples


def described(*examples: Any) -> PluginDescription:
    return PluginDescription(name="Plugin", examples=examples)


def test_values_are_written_as_they_are_in_results() -> None:
    (example,) = read_examples(
        described({"params": {"day": date(2026, 1, 2)}, "result": {"sum": Decimal("1.0")}})
    )

    assert example == Example(1, {"day": "2026-01-02"}, {"sum": "1.0"})


@pytest.mark.parametrize(
    ("declared", "read"),
    [
        ({}, {"params": {}}),
        ({"params": {"a": 1}}, {"params": {"a": 1}}),
        ({"result": {}}, {"params": {}, "result": {}}),
    ],
)
def test_what_is_left_out_stays_out(declared: dict[str, Any], read: dict[str, Any]) -> None:
    (example,) = usable_examples(described(declared))

    assert example.as_dict() == read


@pytest.mark.parametrize(
    ("declared", "reason"),
    [
        (["params"], "expected 'params' and 'result' in a dict, found list"),
        ({"parms": {}, 1: 2}, "expected no keys but 'params' and 'result', found 'parms' and '1'"),
        ({"params": [1]}, "expected 'params' to be a dict, found list"),
        ({"result": None}, "expected 'result' to be a dict, found NoneType"),
        ({"params": {"a": [object]}}, "params/a/0 holds an object of type 'type', which has no JSON form"),
        ({"result": {"a": float("nan")}}, "result/a holds NaN or infinity, which has no JSON form"),
    ],
)
def test_what_is_no_example_is_told_and_the_others_keep_their_numbers(declared: Any, reason: str) -> None:
    description = described({"params": {}}, declared, {"params": {"a": 1}})

    assert read_examples(description) == [Example(1, {}), BadExample(2, reason), Example(3, {"a": 1})]
    assert [each.number for each in usable_examples(description)] == [1, 3]
