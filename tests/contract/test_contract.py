from __future__ import annotations

import json
from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any, Optional

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import AfterValidator, BaseModel, Field, GetCoreSchemaHandler

from micro.contract.contract import Contract, build_contract
from micro.errors import InvalidParameters, PluginFailed
from micro.plugin.pluginbase import PluginBase

ContractOf = Callable[..., Contract]
Message = Callable[[Contract, dict[str, Any]], str]
MakePlugin = Callable[..., type[PluginBase]]

if TYPE_CHECKING:
    from nowhere import Unknown


class Size(Enum):
    SMALL = "s"


class Shape(BaseModel):
    sides: int


def greet(self: Any, name: str, times: int = 1) -> dict[str, Any]:
    return {"message": f"Hello {name}" * times}


def untyped(self: Any, name, times=1): ...


def open_ended(self: Any, name: str = "", **kwargs: Any) -> Any: ...


@pytest.mark.parametrize("params", [{"name": "Micro"}, {"name": "Micro", "times": 2}])
def test_good_parameters_become_keyword_arguments(contract_of: ContractOf, params: dict[str, Any]) -> None:
    assert contract_of(greet).check(params) == params


def test_a_parameter_left_out_is_not_passed_so_the_default_of_run_applies(contract_of: ContractOf) -> None:
    assert contract_of(greet).check({"name": "Micro"}) == {"name": "Micro"}


@pytest.mark.parametrize("value", [None, 1, "1", 1.5, True, [1, {"a": None}], {"a": {"b": []}}])
def test_a_parameter_without_annotation_takes_any_json_value(contract_of: ContractOf, value: object) -> None:
    assert contract_of(untyped).check({"name": value}) == {"name": value}


@pytest.mark.parametrize("run", [greet, untyped])
def test_names_are_checked_with_and_without_annotations(
    contract_of: ContractOf, message: Message, run: Any
) -> None:
    contract = contract_of(run)
    assert message(contract, {}) == "Parameter 'name': required, but missing"
    assert message(contract, {"name": "Micro", "tims": 2}) == (
        "Parameter 'tims': not accepted; did you mean 'times'? accepted are 'name', 'times'"
    )
    assert message(contract, {"name": "Micro", "zzz": 2}) == (
        "Parameter 'zzz': not accepted; accepted are 'name', 'times'"
    )


def test_a_run_without_parameters_takes_none(contract_of: ContractOf, message: Message) -> None:
    contract = contract_of(lambda self: {})
    assert contract.check({}) == {}
    assert contract.parameters == {"type": "object", "properties": {}, "additionalProperties": False}
    assert message(contract, {"x": 1}) == "Parameter 'x': not accepted"


def test_the_schema_tells_names_types_defaults_and_what_is_required(contract_of: ContractOf) -> None:
    assert contract_of(greet).parameters == {
        "type": "object",
        "properties": {"name": {"type": "string"}, "times": {"type": "integer", "default": 1}},
        "required": ["name"],
        "additionalProperties": False,
    }


def test_a_field_as_default_is_what_pydantic_takes_it_for(contract_of: ContractOf, message: Message) -> None:
    def run(
        self: Any,
        name: str = Field(min_length=2),
        times: int = Field(1, ge=1, le=9, description="How often"),
        words: list[str] = Field(default_factory=list),  # noqa: B008
        note: str | None = Field(None),
    ) -> Any: ...

    contract = contract_of(run)
    assert contract.findings == ()
    assert contract.parameters["required"] == ["name"]
    assert contract.parameters["properties"]["times"] == {
        "type": "integer",
        "minimum": 1,
        "maximum": 9,
        "default": 1,
        "description": "How often",
    }
    assert contract.check({"name": "Ada"}) == {"name": "Ada", "times": 1, "words": [], "note": None}
    assert (
        message(contract, {"name": "Ada", "times": 10}) == "Parameter 'times': expected a value of at most 9"
    )


class Login(BaseModel):
    user: str
    password: Annotated[str, Field(json_schema_extra={"format": "password"})]


def test_a_secret_in_the_default_of_a_model_is_masked(contract_of: ContractOf) -> None:
    def run(self: Any, login: Login = Login(user="ada", password="open sesame")) -> Any: ...  # noqa: B008

    shown = contract_of(run).parameters["properties"]["login"]["default"]
    assert shown["user"] == "ada"
    assert "open sesame" not in str(shown)


def test_a_default_of_none_makes_null_acceptable_and_keeps_descriptions_and_limits(
    contract_of: ContractOf, message: Message
) -> None:
    def run(
        self: Any,
        plain: int = None,  # noqa: RUF013
        told: Annotated[int, Field(gt=3, description="Above three")] = None,  # noqa: RUF013
        twice: Optional[int] = None,  # noqa: UP045
        checked: Annotated[int, AfterValidator(lambda n: 1 + n), Field(description="q")] = None,  # noqa: RUF013
    ) -> Any: ...

    contract = contract_of(run)
    nothing = {"plain": None, "told": None, "twice": None, "checked": None}
    assert contract.check(nothing) == nothing
    assert message(contract, {"told": 2}) == "Parameter 'told': expected a value greater than 3"
    assert contract.parameters["properties"]["told"]["description"] == "Above three"


@pytest.mark.parametrize("default", [object(), float("nan"), {1, object()}])
def test_a_default_that_is_no_json_is_left_out_of_the_schema(
    contract_of: ContractOf, default: object
) -> None:
    def run(self: Any, value=default): ...

    contract = contract_of(run)
    assert contract.parameters["properties"] == {"value": {}}
    assert contract.findings == ()


def test_mutable_defaults_are_shown_and_never_shared(contract_of: ContractOf) -> None:
    def run(self: Any, names: list[str] = ["a"]) -> Any: ...  # noqa: B006

    contract = contract_of(run)
    assert contract.parameters["properties"]["names"]["default"] == ["a"]
    assert contract.check({}) == {}


def test_extra_parameters_are_taken_where_run_takes_keywords(
    contract_of: ContractOf, message: Message
) -> None:
    contract = contract_of(open_ended)
    assert contract.parameters["additionalProperties"] is True
    params = {"name": "Micro", "class": [1], "a b": None, "": 0, "params": {}, "kwargs": 1}
    assert contract.check(params) == params
    assert message(contract, {"name": 5, "other": 1}) == (
        "Parameter 'name': expected a string, found an integer"
    )


def test_typed_keywords_are_checked_too(contract_of: ContractOf, message: Message) -> None:
    def run(self: Any, first: str = "", **counts: Annotated[int, Field(ge=0)]) -> Any: ...

    contract = contract_of(run)
    assert contract.parameters["additionalProperties"] == {"type": "integer", "minimum": 0}
    assert contract.check({"first": "x", "a": 1, "b": 2.0}) == {"first": "x", "a": 1, "b": 2}
    assert message(contract, {"a": "1"}) == "Parameter 'a': expected an integer, found a string"


def test_the_schemas_of_typed_keywords_and_parameters_share_their_definitions(
    contract_of: ContractOf,
) -> None:
    def run(self: Any, first: Size, **others: Shape) -> Any: ...

    contract = contract_of(run)
    assert contract.parameters["additionalProperties"] == {"$ref": "#/$defs/Shape"}
    assert set(contract.parameters["$defs"]) == {"Size", "Shape"}
    assert contract.check({"first": "s", "x": {"sides": 3}}) == {"first": Size.SMALL, "x": Shape(sides=3)}


def test_a_name_that_is_bound_already_cannot_come_as_an_extra(
    contract_of: ContractOf, message: Message
) -> None:
    assert message(contract_of(open_ended), {"self": 1}) == (
        "Parameter 'self': not accepted: the plugin uses this name itself"
    )


CLASHING = ["schema", "copy", "json", "validate", "model_config", "model_fields", "_private", "__dunder__"]


@pytest.mark.parametrize("name", [*CLASHING, "dict", "cls", "params", "values", "items", "Parameters"])
def test_no_name_clashes_with_the_library(contract_of: ContractOf, message: Message, name: str) -> None:
    namespace: dict[str, Any] = {}
    exec(f"def run(self, {name}: int): return {{}}", namespace)
    contract = contract_of(namespace["run"])
    assert contract.check({name: 1}) == {name: 1}
    assert message(contract, {name: "1"}) == f"Parameter '{name}': expected an integer, found a string"
    assert contract.parameters["required"] == [name]


def test_an_alias_gives_a_parameter_any_json_name(contract_of: ContractOf, message: Message) -> None:
    def run(self: Any, from_: Annotated[str, Field(alias="from")], limit: int = 5) -> Any:
        """Search.

        Args:
            from_: Where to begin.
        """

    contract = contract_of(run)
    assert contract.check({"from": "x"}) == {"from_": "x"}
    assert contract.parameters["properties"]["from"] == {"type": "string", "description": "Where to begin."}
    assert message(contract, {"from_": "x"}).startswith("2 parameters are wrong: 'from': required")


def test_bytes_among_typed_keywords_are_base64_too(contract_of: ContractOf) -> None:
    def run(self: Any, **files: bytes) -> Any: ...

    assert contract_of(run).check({"a.txt": "/+8="}) == {"a.txt": b"\xff\xef"}


def test_a_default_in_the_annotation_is_one(contract_of: ContractOf) -> None:
    def run(self: Any, times: Annotated[int, Field(default=3)]) -> Any: ...

    contract = contract_of(run)
    assert contract.check({}) == {"times": 3}
    assert contract.parameters["properties"] == {"times": {"type": "integer", "default": 3}}
    assert "required" not in contract.parameters


def test_two_parameters_of_one_alias_are_not_checked_and_a_finding(contract_of: ContractOf) -> None:
    def run(
        self: Any,
        a: Annotated[int, Field(alias="x")] = 1,
        b: Annotated[int, Field(alias="x")] = 2,
        **more: int,
    ) -> Any: ...

    contract = contract_of(run)
    assert "cannot be checked together: two have the same alias" in contract.findings[0]
    assert contract.check({"a": "text", "more": "text"}) == {"a": "text", "more": "text"}


class Unfinished(BaseModel):
    value: Unknown


class BrokenType:
    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> Any:
        raise RuntimeError("no schema today\nand more")


@pytest.mark.parametrize(
    ("annotation", "reason"),
    [
        ("Unknown", "name 'Unknown' is not defined"),
        ("list[Unknown]", "name 'Unknown' is not defined"),
        ("the user's name", "must be an expression"),
        (Callable[[int], int], "Cannot generate a JsonSchema"),
        (BrokenType, "no schema today"),
        (Unfinished, "it refers to a name that is not defined"),
        (range, "Unable to generate pydantic-core schema"),
        (Annotated[str, Field(pattern="(?=x")], "regex"),
        (5, ""),
        (1 / 3, ""),
    ],
)
def test_a_type_that_cannot_be_checked_is_any_and_a_finding(
    contract_of: ContractOf, message: Message, annotation: Any, reason: str
) -> None:
    def run(self: Any, value, sound: int = 1): ...

    run.__annotations__["value"] = annotation
    contract = contract_of(run)
    (finding,) = contract.findings
    assert finding.startswith("The type of parameter 'value', ")
    assert reason in finding
    assert "\n" not in finding
    assert contract.check({"value": [1]}) == {"value": [1]}
    assert message(contract, {"value": 1, "sound": "x"}) == (
        "Parameter 'sound': expected an integer, found a string"
    )


def test_types_defined_inside_the_plugin_class_are_found(message: Message) -> None:
    class Shop(PluginBase):
        class Size(str):
            pass

        Small = Annotated[int, Field(le=3)]

        def run(self, size: Small) -> Any: ...

    contract = build_contract(Shop)
    assert contract.findings == ()
    assert message(contract, {"size": 4}) == "Parameter 'size': expected a value of at most 3"


def test_keywords_and_results_that_cannot_be_checked_are_findings(contract_of: ContractOf) -> None:
    def run(self: Any, **kwargs: Unknown) -> Callable[[], None]: ...

    contract = contract_of(run)
    assert [finding.partition(",")[0] for finding in contract.findings] == [
        "The type of parameter '**kwargs'",
        "The type of the result",
    ]
    assert contract.check({"anything": 1}) == {"anything": 1}


def breaking(value: int) -> int:
    return {}[value]


def test_a_validator_of_the_authors_that_breaks_is_the_plugins_failure(contract_of: ContractOf) -> None:
    def run(self: Any, value: Annotated[int, AfterValidator(breaking)]) -> Any: ...

    with pytest.raises(PluginFailed, match="checked its parameters"):
        contract_of(run).check({"value": 1})


@st.composite
def signatures(draw: st.DrawFn) -> str:
    names = draw(st.lists(st.sampled_from(["a", "b", "c", "schema", "_d"]), unique=True, max_size=4))
    wanted = draw(st.integers(0, len(names)))
    parts = [f"{name}: int" for name in names[:wanted]] + [f"{name}: int = 1" for name in names[wanted:]]
    if names and draw(st.booleans()):
        parts.insert(draw(st.integers(0, len(parts) - 1)), "*")
    if draw(st.booleans()):
        parts.append("**rest")
    return f"def run({', '.join(['self', *parts])}): return {{}}"


CALLS = st.dictionaries(
    st.sampled_from(["a", "b", "c", "schema", "_d", "self", "rest", "other"]), st.integers(-5, 5)
)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(source=signatures(), params=CALLS)
def test_whatever_passes_the_check_can_be_called(
    plugin: MakePlugin, source: str, params: dict[str, int]
) -> None:
    namespace: dict[str, Any] = {}
    exec(source, namespace)
    owner = plugin(namespace["run"])
    contract = build_contract(owner)
    json.dumps(contract.parameters)
    try:
        arguments = contract.check(params)
    except InvalidParameters:
        with pytest.raises(TypeError):
            owner().run(**params)
    else:
        assert owner().run(**arguments) == {}
