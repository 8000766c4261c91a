"""/openapi.json describes what the service does, whatever the plugins are named and take."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from micro.api.rest import create_app
from micro.api.rest.openapi import build_openapi
from micro.service import Micro

Load = Callable[..., Micro]

NAMED = """
    from micro import PluginBase, PluginDescription

    class Named(PluginBase):
        def run(self):
            return {{"name": {name!r}}}

    plugin = PluginDescription(instance=Named, name={name!r})
"""
NAMES = [
    "Same Name",
    "same-name",
    "Same_Name",
    "UP",
    "a/b?c#d",
    "{braces}",
    "été",
    "ätä",
    "!!!",
    "???",
    "100%",
]
PLACED = """
    from typing import Annotated, Literal
    from pydantic import BaseModel, Field
    from micro import PluginBase, PluginDescription

    class Place(BaseModel):
        {field}: int

    class Box(BaseModel):
        default: list[Place] = []

    class Placed(PluginBase):
        def run(self, box: Box, default: Place | None = None) -> Box:
            return box

    plugin = PluginDescription(name="{name}")
"""
ODD = """
    from micro import PluginBase, PluginDescription

    class Odd(PluginBase):
        def run(self):
            '''Summary.

            Description.
            '''
            return {}

    plugin = PluginDescription(
        name="Odd",
        version=1.0,
        description=["a", "list"],
        plugin_help={"a": "dict"},
        examples=[{"params": {"x": object}}, 5, {"result": {"x": 1}}],
    )
"""


def checked(micro: Micro) -> dict[str, Any]:
    """The document as clients read it, which is valid."""
    document: dict[str, Any] = json.loads(json.dumps(build_openapi(micro)))
    validate(document)
    return document


def client(micro: Micro) -> FlaskClient:
    return create_app(micro=micro).test_client()


def parts(value: Any, key: str) -> Iterator[Any]:
    """All that stands under the key, at any depth."""
    if isinstance(value, dict):
        yield from [value[key]] if key in value else []
        value = list(value.values())
    for each in value if isinstance(value, list) else ():
        yield from parts(each, key)


@pytest.fixture
def typed(load: Load, plugins: Path) -> Micro:
    return load(plugins / "typed")


@pytest.mark.parametrize("path", ["typed", "good", "../../plugins_example"])
def test_the_document_of_any_plugins_is_valid(load: Load, plugins: Path, path: str) -> None:
    document = checked(load(plugins / path))

    assert document["openapi"] == "3.1.0"
    assert {"/plugins", "/info/{name}", "/help/{name}"} < document["paths"].keys()


def test_every_reference_leads_somewhere(typed: Micro) -> None:
    document = checked(typed)
    references = {each for each in parts(document, "$ref") if isinstance(each, str)}
    targets = {target for mapping in parts(document, "mapping") for target in mapping.values()}

    assert any("shapes-trees.params.Circle" in each for each in references & targets)
    for each in references | targets:
        found: Any = document
        for part in each.removeprefix("#/").split("/"):
            found = found[part]


def test_whatever_plugins_are_named_each_has_a_path_that_calls_it(load: Load) -> None:
    micro = load({f"folder{n}/interface.py": NAMED.format(name=name) for n, name in enumerate(NAMES)})
    document = checked(micro)
    paths = [path for path in document["paths"] if path.startswith("/run/")]

    called = [client(micro).post(path, json={}).json["name"] for path in paths]
    assert sorted(called) == sorted(NAMES)
    assert {"/run/up", "/run/braces", "/run/Same%20Name", "/run/%21%21%21"} < {*paths}


def test_operations_and_schemas_have_names_of_their_own(load: Load) -> None:
    sources = {f"folder{n}/interface.py": NAMED.format(name=name) for n, name in enumerate(NAMES)}
    sources["one/interface.py"] = PLACED.format(field="x", name="The One")
    sources["two/interface.py"] = PLACED.format(field="y", name="The-One")
    document = checked(load(sources))

    identifiers = Counter(parts(document["paths"], "operationId"))
    assert identifiers.most_common(1)[0][1] == 1
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+", each) for each in identifiers)
    schemas = document["components"]["schemas"]
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+", each) for each in schemas)
    places = [schemas[f"{key}.params.Place"]["required"] for key in ("the-one", "the-one-2")]
    assert places == [["x"], ["y"]]


def test_a_parameter_named_like_a_keyword_keeps_its_reference(load: Load) -> None:
    document = checked(load({"one/interface.py": PLACED.format(field="x", name="One")}))
    body = document["paths"]["/run/one"]["post"]["requestBody"]

    schema = body["content"]["application/json"]["schema"]
    assert schema["properties"]["default"]["anyOf"][0] == {"$ref": "#/components/schemas/one.params.Place"}
    assert "$defs" not in schema
    assert body["required"] is True


def test_examples_are_written_as_results_are(typed: Micro) -> None:
    paths = checked(typed)["paths"]
    texts = paths["/run/texts"]["post"]
    numbers = paths["/run/numbers"]["post"]

    assert texts["requestBody"]["content"]["application/json"]["examples"]["example-1"]["value"] == {
        "moment": "2026-05-06T00:00:00Z",
        "key": "00000000-0000-0000-0000-000000000001",
        "data": "YWJj",
    }
    assert "examples" not in texts["responses"]["200"]["content"]["application/json"]
    assert list(numbers["responses"]["200"]["content"]["application/json"]["examples"]) == ["example-1"]


def test_odd_descriptions_and_bad_examples_spoil_nothing(load: Load) -> None:
    operation = checked(load({"odd/interface.py": ODD}))["paths"]["/run/odd"]["post"]

    assert operation["summary"] == "['a', 'list']"
    assert operation["description"] == "Description.\n\n{'a': 'dict'}"
    request, response = (
        part["content"]["application/json"]
        for part in (operation["requestBody"], operation["responses"]["200"])
    )
    assert request["examples"] == {"example-3": {"value": {}}}
    assert response["examples"] == {"example-3": {"value": {"x": 1}}}


def response_schema(document: dict[str, Any], path: str, method: str, status: str) -> dict[str, Any]:
    (content,) = document["paths"][path][method]["responses"][status]["content"].values()
    # The references lead into the document, so it comes along.
    return {**document, **content["schema"]}


@pytest.mark.parametrize(
    ("path", "call", "method", "body", "status"),
    [
        ("/plugins", "/plugins", "get", None, "200"),
        ("/info/{name}", "/info/Texts", "get", None, "200"),
        ("/info/{name}", "/info/nothing", "get", None, "404"),
        ("/help/{name}", "/help/Texts", "get", None, "200"),
        ("/help/{name}", "/help/nothing", "get", None, "404"),
        ("/run/numbers", "/run/numbers", "post", {"whole": 1}, "200"),
        ("/run/numbers", "/run/numbers", "post", {"whole": "x"}, "422"),
        ("/run/numbers", "/run/numbers", "post", [], "400"),
        ("/run/pairs", "/run/pairs", "post", {"pair": [1, "one"]}, "200"),
    ],
)
def test_answers_fit_the_document(
    typed: Micro, path: str, call: str, method: str, body: object, status: str
) -> None:
    answer = client(typed).open(call, method=method, json=body)
    # It is valid, as another test shows.
    document = json.loads(json.dumps(build_openapi(typed)))
    described = document["paths"][path][method]["responses"][status]

    assert answer.status_code == int(status)
    assert [answer.mimetype] == list(described["content"])
    assert all(name in answer.headers for name in described["headers"])
    Draft202012Validator(response_schema(document, path, method, status)).validate(answer.json)


@pytest.mark.parametrize("path", ["/openapi.json", "/plugins"])
def test_clients_may_keep_what_stays_as_it_is(typed: Micro, path: str) -> None:
    first = client(typed).get(path)
    second = client(typed).get(path, headers={"If-None-Match": first.headers["ETag"]})

    assert (first.status_code, first.mimetype) == (200, "application/json")
    assert (second.status_code, second.data) == (304, b"")
