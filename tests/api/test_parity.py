"""The same call has the same answer over every transport: the text of a result, the words of an error."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from textwrap import dedent
from typing import Any
from urllib.parse import quote

import pytest

from micro.api.endpoints import Requests
from micro.api.rest import create_app
from micro.api.tasks import create_celery
from micro.config.settings import Settings
from micro.errors import MicroError, error_fields
from micro.plugin.imports import folders
from micro.service import Micro

SOURCE = """
    import enum
    import typing
    import uuid
    from dataclasses import dataclass
    from datetime import date, datetime, timedelta, timezone
    from decimal import Decimal

    import pydantic

    from micro import PluginBase, PluginDescription, PluginError, hookimpl

    class Echo(PluginBase):
        def run(self, **params):
            return params

    class Color(enum.Enum):
        RED = "red"
        BLUE = "blue"

    class Point(pydantic.BaseModel):
        x: float
        y: float = 0.0

    class TypedPlugin(PluginBase):
        def run(
            self,
            number: int,
            name: str = "none",
            *,
            day: date | None = None,
            color: Color = Color.RED,
            points: list[Point] = [],
            size: typing.Annotated[int, pydantic.Field(gt=0)] = 1,
        ):
            return {
                "number": number, "name": name, "day": day, "color": color, "points": points, "size": size
            }

    @dataclass
    class Everything:
        when: datetime
        span: timedelta
        price: Decimal
        data: bytes
        id: uuid.UUID
        few: set[int]
        pair: tuple[int, str]
        point: Point

    class Rich(PluginBase):
        def run(self) -> Everything:
            return Everything(
                datetime(2024, 2, 29, 12, 30, tzinfo=timezone.utc), timedelta(minutes=90), Decimal("1.10"),
                b"\\x00\\xff", uuid.UUID(int=7), {5}, (1, "a"), Point(x=1),
            )

    class Asynchronous(PluginBase):
        async def run(self, text: str = "hi"):
            return {"text": text}

    class Faulty(PluginBase):
        def run(self, how: str = "raise"):
            if how == "refuse":
                raise PluginError("not on a Monday", status=409, code="monday")
            if how == "exit":
                raise SystemExit(3)
            if how == "raise":
                raise ValueError(how)
            return {"none": None, "list": [1], "nan": {"it": float("nan")}, "object": {"it": object()}}[how]

    def named(cls, name):
        return PluginDescription(
            cls, name, "1.0", "https://plugins.example", "Ada", "ada@plugins.example", "Short", "Long", "Help"
        )

    @hookimpl
    def micro_plugins():
        yield named(Echo, "Echo")
        yield named(TypedPlugin, "Typed Plugin")
        yield PluginDescription(Rich, "Rich")
        yield PluginDescription(Asynchronous, "Asynchronous")
        yield PluginDescription(Faulty, "Faulty")
        yield PluginDescription(Echo, "a/b & Ümläut?")
        yield PluginDescription(Echo, "C++")
        yield PluginDescription(Echo, "C#")
"""

# Plugin, parameters, and of the answer what must be in it: part of the result, or the code of the error.
CALLS: dict[str, tuple[str, dict[str, Any], dict[str, Any] | str]] = {
    "no parameters": ("Echo", {}, {}),
    "text": ("Echo", {"text": 'ä ☃ 😀 " \\ \n\t\x00'}, {"text": 'ä ☃ 😀 " \\ \n\t\x00'}),
    "numbers": ("Echo", {"a": 0, "b": -1.5e-7, "c": 2**80, "d": 1e300}, {"a": 0, "c": 2**80}),
    "what is no text and no number": ("Echo", {"a": None, "b": True, "c": [], "d": {}}, {"a": None, "d": {}}),
    "keys in their order": ("Echo", {"z": 1, "a": {"y": 1, "b": 2}}, {"z": 1, "a": {"y": 1, "b": 2}}),
    "much": ("Echo", {"text": "x" * 100_000, "list": list(range(5000))}, {"text": "x" * 100_000}),
    "very much": ("Echo", {"text": "x" * 9_000_000}, {"text": "x" * 9_000_000}),
    "huge numbers": ("Echo", {"a": 10**400, "b": -(10**400)}, {"a": 10**400, "b": -(10**400)}),
    "deep": ("Echo", {"a": json.loads("[" * 50 + "]" * 50)}, {}),
    "what looks like Celery's own": ("Echo", {"__type__": "date", "task": "x"}, {"task": "x"}),
    "names of arguments": ("Echo", {"name": 1, "plugin_name": 2, "params": 3, "args": 4}, {"plugin_name": 2}),
    "another case": ("eCHO", {"a": 1}, {"a": 1}),
    "the URL form": ("typed-plugin", {"number": 1}, {"number": 1, "name": "none"}),
    "a name of many characters": ("a/b & Ümläut?", {"a": 1}, {"a": 1}),
    "a name that is not safe in URLs": ("C++", {"a": 1}, {"a": 1}),
    "typed": (
        "Typed Plugin",
        {"number": 7, "day": "2024-02-29", "color": "blue", "points": [{"x": 1.5}], "size": 2},
        {"day": "2024-02-29", "color": "blue", "points": [{"x": 1.5, "y": 0.0}]},
    ),
    "types of results": ("Rich", {}, {"span": "PT1H30M", "few": [5], "point": {"x": 1.0, "y": 0.0}}),
    "asynchronous": ("Asynchronous", {}, {"text": "hi"}),
    "no such plugin": ("Ecko", {}, "plugin-not-found"),
    "an empty name": (" ", {}, "plugin-not-found"),
    "an ambiguous name": ("c", {}, "plugin-not-found"),
    "a missing parameter": ("Typed Plugin", {}, "invalid-parameters"),
    "an unknown parameter": ("Typed Plugin", {"number": 1, "nummer": 2}, "invalid-parameters"),
    "a wrong type": ("Typed Plugin", {"number": "7"}, "invalid-parameters"),
    "null for a number": ("Typed Plugin", {"number": None}, "invalid-parameters"),
    "a huge number for a size": ("Typed Plugin", {"number": 1, "size": -(10**400)}, "invalid-parameters"),
    "too deep": ("Asynchronous", {"text": json.loads("[" * 300 + "]" * 300)}, "invalid-parameters"),
    "too deep for anything": (
        "Echo",
        {"a": json.loads("[" * 300 + "]" * 300)},
        "invalid-parameters",
    ),
    "several wrong ones": (
        "Typed Plugin",
        {"number": None, "size": 0, "points": [{"y": "a"}], "day": "x"},
        "invalid-parameters",
    ),
    "half of a character": ("Asynchronous", {"text": "\ud800"}, "invalid-parameters"),
    "a plugin that refuses": ("Faulty", {"how": "refuse"}, "monday"),
    "a plugin that breaks": ("Faulty", {}, "plugin-failed"),
    "a plugin that exits": ("Faulty", {"how": "exit"}, "plugin-failed"),
    "no result": ("Faulty", {"how": "none"}, "bad-result"),
    "a result that is no object": ("Faulty", {"how": "list"}, "bad-result"),
    "a result beyond JSON": ("Faulty", {"how": "nan"}, "bad-result"),
    "a result of any kind": ("Faulty", {"how": "object"}, "bad-result"),
}
LOOK_UPS = [
    ("plugins",),
    *(
        (operation, name)
        for operation in ("info", "help")
        for name in ("Echo", "typed-plugin", "C++", "Ecko")
    ),
]

# The JSON text of a result, or what is told of an error.
Answer = str | dict[str, Any]
Transport = Callable[[str, tuple[str, ...], dict[str, Any]], Answer]


def told(fields: dict[str, Any]) -> dict[str, Any]:
    """What an error tells, without the id of the request, which no two calls share."""
    kept = {name: fields[name] for name in ("error", "code", "errors") if name in fields}
    return {**kept, "error": re.sub(r"request [\w-]+$", "request ...", fields["error"])}


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    path = tmp_path_factory.mktemp("plugins")
    (path / "parity").mkdir()
    (path / "parity" / "interface.py").write_text(dedent(SOURCE), encoding="utf-8")
    queue = f"micro-test-{uuid.uuid4().hex[:12]}"
    return Settings(plugin_path=(path,), state_folder_path=path / ".state", task_queues=(queue,))


@pytest.fixture(scope="module")
def micro(settings: Settings) -> Iterator[Micro]:
    service = Micro(settings)
    yield service
    service.stop()
    folders.uninstall()


@pytest.fixture(scope="module")
def direct(micro: Micro) -> Transport:
    def call(operation: str, names: tuple[str, ...], params: dict[str, Any]) -> Answer:
        try:
            if operation == "run":
                return micro.run(*names, params)
            return json.dumps(getattr(micro, operation)(*names))
        except MicroError as error:
            return told(error_fields(error))

    return call


@pytest.fixture(scope="module")
def rest(micro: Micro) -> Transport:
    client = create_app(micro=micro).test_client()

    def call(operation: str, names: tuple[str, ...], params: dict[str, Any]) -> Answer:
        path = "/".join(["", operation, *(quote(name, safe="") for name in names)])
        if operation == "run":
            response = client.post(path, data=json.dumps(params), content_type="application/json")
        else:
            response = client.get(path)
        return response.text if response.status_code == 200 else told(response.json)

    return call


def over_celery(requests: Requests) -> Transport:
    def call(operation: str, names: tuple[str, ...], params: dict[str, Any]) -> Answer:
        task = getattr(requests, operation)
        try:
            text = task.apply_async(args=names, kwargs=params).get(timeout=9)
        except MicroError as error:
            return told(error_fields(error))
        value = json.loads(text)
        failed = operation != "plugins" and {"error", "code"} <= value.keys() <= {"error", "code", "errors"}
        return told(value) if failed else text

    return call


@pytest.fixture(scope="module")
def celery_here(micro: Micro) -> Transport:
    app = create_celery(micro=micro)
    app.conf.update(task_always_eager=True)
    return over_celery(Requests.of(app))


@pytest.fixture(scope="module")
def celery_worker(settings: Settings, rabbitmq_url: str, work, connect) -> Iterator[Transport]:
    with work(replace(settings, broker_url=rabbitmq_url)):
        yield over_celery(connect(rabbitmq_url, settings.task_queues[0]))


@pytest.fixture(scope="module", params=["rest", "celery_here", "celery_worker"])
def transport(request: pytest.FixtureRequest) -> Transport:
    found: Transport = request.getfixturevalue(request.param)
    return found


@pytest.mark.parametrize("case", CALLS)
def test_a_call_answers_as_expected(direct, case):
    name, params, expected = CALLS[case]
    answer = direct("run", (name,), params)
    if isinstance(expected, str):
        assert answer["code"] == expected
    else:
        assert expected.items() <= json.loads(answer).items()


@pytest.mark.parametrize("case", CALLS)
def test_a_run_answers_alike_over_every_transport(direct, transport, case):
    name, params, _ = CALLS[case]
    assert transport("run", (name,), params) == direct("run", (name,), params)


@pytest.mark.parametrize("call", LOOK_UPS, ids=" ".join)
def test_what_is_told_of_plugins_is_alike_over_every_transport(direct, transport, call):
    operation, *names = call
    assert transport(operation, tuple(names), {}) == direct(operation, tuple(names), {})
