"""KEY=VALUE and KEY:=JSON are typed by the plugin's schema; parameters are written so that they come back."""

from __future__ import annotations

import json
from typing import Any

import click
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from micro.cli.arguments import read_arguments, write_arguments

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "text": {"type": "string"},
        "whole": {"type": "integer"},
        "number": {"type": "number"},
        "flag": {"type": "boolean"},
        "nothing": {"type": "null"},
        "list": {"type": "array", "items": {"type": "integer"}},
        "texts": {"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "null"}]},
        "mixed_list": {"type": "array"},
        "pair": {"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}], "items": False},
        "object": {"type": "object"},
        "colour": {"enum": ["red", "5"]},
        "level": {"enum": [1, 2, "all"]},
        "mode": {"const": "fast"},
        "three": {"const": 3},
        "either": {"anyOf": [{"type": "integer"}, {"type": "string"}]},
        "maybe": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
        "kinds": {"type": ["integer", "null"]},
        "one_of": {"oneOf": [{"type": "integer"}, {"$ref": "#/$defs/Flag"}]},
        "point": {"$ref": "#/$defs/Point"},
        "name": {"$ref": "#/$defs/Na~1me"},
        "any": {},
    },
    "additionalProperties": {"type": "integer"},
    "$defs": {"Flag": {"type": "boolean"}, "Point": {"type": "object"}, "Na/me": {"type": "string"}},
}


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("text=5", "5"),
        ("text=", ""),
        ("text=a=b", "a=b"),
        ("text=null", "null"),
        ("whole=5", 5),
        ("whole=five", "five"),
        ("whole=", ""),
        ("whole=1, 2", "1, 2"),
        ('whole=1, "x": 2', '1, "x": 2'),
        ("number=-1.5e3", -1500.0),
        ("number=NaN", "NaN"),
        ("flag=true", True),
        ("flag=yes", "yes"),
        ("nothing=null", None),
        ("list=[1, 2]", [1, 2]),
        ("texts=null", None),
        ('object={"a": [1]}', {"a": [1]}),
        ('object={"a": 1, "a": 2}', '{"a": 1, "a": 2}'),
        ("colour=5", "5"),
        ("colour=blue", "blue"),
        ("level=2", 2),
        ("level=all", "all"),
        ("mode=fast", "fast"),
        ("three=3", 3),
        ("either=5", "5"),
        ("maybe=5", 5),
        ("maybe=null", None),
        ("kinds=null", None),
        ("one_of=true", True),
        ("point={}", {}),
        ("name=5", "5"),
        ("any=5", "5"),
        ("other=5", 5),
        ("either:=5", 5),
        ('text:="5"', "5"),
        ("any:=[null]", [None]),
    ],
)
def test_a_value_is_typed_by_its_schema(argument: str, value: object) -> None:
    (read,) = read_arguments([argument], SCHEMA).values()

    assert (read, type(read)) == (value, type(value))


@pytest.mark.parametrize("schema", [{}, {"additionalProperties": True}, {"additionalProperties": False}])
def test_a_parameter_that_the_schema_does_not_know_is_text(schema: dict[str, Any]) -> None:
    assert read_arguments(["x=5"], schema) == {"x": "5"}


@pytest.mark.parametrize(
    ("arguments", "value"),
    [
        (["list=1", "list=2"], [1, 2]),
        (["list=1", "list=x"], [1, "x"]),
        (["texts=1", "texts=2"], ["1", "2"]),
        (["mixed_list=1", "mixed_list:=2"], ["1", 2]),
        (["pair=1", "pair=2", "pair=3"], ["1", 2, "3"]),
    ],
)
def test_a_key_given_several_times_makes_a_list(arguments: list[str], value: object) -> None:
    assert list(read_arguments(arguments, SCHEMA).values()) == [value]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["text=a", "text=b"], "Parameter 'text' is given 2 times and is no list."),
        (["lonely"], "Expected KEY=VALUE or KEY:=JSON, found 'lonely'."),
        (["=x"], "Expected KEY=VALUE or KEY:=JSON, found '=x'."),
        ([":=1"], "Expected KEY=VALUE or KEY:=JSON, found ':=1'."),
        (["whole:=five"], "Parameter 'whole': expected JSON after ':=', found 'five'."),
        (["whole:="], "Parameter 'whole': expected JSON after ':=', found ''."),
        (["whole:=1, 2"], "Parameter 'whole': expected JSON after ':=', found '1, 2'."),
        (['whole:=1, "x": 2'], "Parameter 'whole': expected JSON after ':=', found '1, \"x\": 2'."),
        (["whole:=NaN"], "Parameter 'whole': expected JSON after ':=', found 'NaN'."),
    ],
)
def test_what_cannot_be_read_is_refused(arguments: list[str], message: str) -> None:
    with pytest.raises(click.UsageError) as refused:
        read_arguments(arguments, SCHEMA)

    assert refused.value.message == message


@pytest.mark.parametrize(
    ("params", "arguments"),
    [
        ({"text": "Ada & Bob"}, ["text=Ada & Bob"]),
        ({"text": 5}, ["text:=5"]),
        ({"whole": 5, "either": 5}, ["whole=5", "either:=5"]),
        ({"whole": "5"}, ['whole:="5"']),
        ({"list": [1, 2], "object": {"ä": None}}, ["list=[1, 2]", 'object={"ä": null}']),
        ({"-p": 1}, ["--json", '{"-p": 1}']),
        ({"a:": 1}, ["--json", '{"a:": 1}']),
        ({"a=b": 1}, ["--json", '{"a=b": 1}']),
        ({}, []),
    ],
)
def test_parameters_are_written_as_plainly_as_they_can_be(
    params: dict[str, Any], arguments: list[str]
) -> None:
    assert write_arguments(params, SCHEMA) == arguments


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


# How long the generating takes says nothing of what is tested.
@settings(deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from([*SCHEMA["properties"], "other"]), JSON, max_size=5))
def test_what_is_written_is_read_back(params: dict[str, Any]) -> None:
    read = read_arguments(write_arguments(params, SCHEMA), SCHEMA)

    assert json.dumps(read) == json.dumps(params)
