"""The first place where two JSON values differ is told."""

from __future__ import annotations

from typing import Any

import pytest

from micro.check.json_diff import difference


@pytest.mark.parametrize(
    ("expected", "found"),
    [
        ({}, {}),
        ({"a": [1, "b", None]}, {"a": [1, "b", None]}),
        (1, 1.0),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
    ],
)
def test_equal_values_have_no_difference(expected: Any, found: Any) -> None:
    assert difference(expected, found) is None


@pytest.mark.parametrize(
    ("expected", "found", "told"),
    [
        (1, 2, "at the top expected 1, found 2"),
        (1, True, "at the top expected 1, found true"),
        (0.1, 0.10000000000000002, "at the top expected 0.1, found 0.10000000000000002"),
        ({"a": {"b/c": "ä"}}, {"a": {"b/c": None}}, 'at /a/b~1c expected "ä", found null'),
        ({"a": 1}, {}, "at /a expected 1, found nothing"),
        ({}, {"a": 1}, "at /a expected nothing, found 1"),
        ({"a": [1, 2]}, {"a": [1, 3]}, "at /a/1 expected 2, found 3"),
        ({"a": [1]}, {"a": [1, 2]}, "at /a expected [1], found [1, 2]"),
        ({"a": "x" * 99}, None, f'at the top expected {{"a": "{"x" * 52}…, found null'),
    ],
)
def test_the_first_difference_is_told_with_its_place(expected: Any, found: Any, told: str) -> None:
    assert difference(expected, found) == told
