"""Bodies of every kind, with keys on: nothing gets in without a key, and nothing breaks.

Most go to the application in this process, the rest over one connection to the real server. They are 500, and
2,000 in the long form.
"""

from __future__ import annotations

import http.client
import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from micro.api.rest import create_app
from micro.errors import FieldError
from micro.service import Micro

TYPED = Path(__file__).parents[1] / "plugins" / "typed"
KEY, LIMITED = "the-key-of-the-fuzzer", "a-key-for-texts-alone"
KEYS = [{"name": "all", "key": KEY}, {"name": "limited", "key": LIMITED, "plugins": ["Texts"]}]
NAMES = ("anything", "declared-errors", "numbers", "pairs", "shapes-trees", "texts", "untyped")
IN_PROCESS, OVER_HTTP = (1600, 400) if os.environ.get("MICRO_RELIABILITY") == "long" else (400, 100)
EXPECTED = {200, 400, 401, 403, 404, 413, 415, 422}
Send = Callable[["Call"], tuple[int, Mapping[str, str], bytes]]


@dataclass(frozen=True)
class Call:
    """One POST: the plugin, the headers, the body, and whether a valid key is with it."""

    name: str
    headers: dict[str, str]
    body: bytes

    @property
    def has_key(self) -> bool:
        return any(key in value for value in self.headers.values() for key in (KEY, LIMITED))


FIELDS = [
    "whole",
    "ratio",
    "price",
    "negative",
    "factors",
    "limit",
    "user",
    "text",
    "name",
    "a",
    "__type__",
    "__class__",
    "$ref",
]
ODD = ["", "\x00", "é", "🎈", "null", "NaN", "1e999", "{}", "../..", "%00", "'; --", "${x}"]
WORDS = st.sampled_from([*FIELDS, *ODD])
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20), WORDS,
    st.sampled_from([10**400, -(2**63), 2**64, 1e308, "9" * 5000, "2026-02-30T25:61:61Z"]),
)  # fmt: skip
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=5,
)
OBJECTS = st.dictionaries(WORDS, VALUES, max_size=4).map(lambda found: json.dumps(found).encode())
NESTED = st.tuples(
    st.sampled_from([b"[", b'{"a":', b'{"text":[', b'"', b"\\u", b"-"]), st.integers(1, 20_000)
)


@st.composite
def broken(draw: st.DrawFn) -> bytes:
    """Cut a sound body off, or put some bytes into it."""
    body = draw(OBJECTS)
    at = draw(st.integers(0, len(body)))
    return body[:at] + draw(st.binary(max_size=6)) + (body[at:] if draw(st.booleans()) else b"")


BODIES = st.one_of(
    OBJECTS,
    broken(),
    VALUES.map(lambda found: json.dumps(found).encode()),
    st.binary(max_size=200),
    NESTED.map(lambda found: found[0] * found[1]),
    OBJECTS.map(lambda body: body.decode().encode("utf-16")),
)
# Words of Latin-1 without line ends, as no client could send others.
TEXTS = st.text(st.characters(min_codepoint=33, max_codepoint=255, exclude_characters="\x7f"), max_size=30)
HEADERS = st.one_of(
    st.just({"Authorization": f"Bearer {KEY}"}),
    st.just({"X-API-Key": KEY}),
    st.just({"X-API-Key": LIMITED}),
    TEXTS.map(lambda text: {"Authorization": f"Bearer {text}"}),
    TEXTS.map(lambda text: {"X-API-Key": text, "Authorization": "Basic YTpi"}),
    st.just({}),
)
KINDS = st.sampled_from(
    ["application/json"] * 6 + ["application/json; charset=utf-16", "text/plain", "x/y+json"]
)
CALLS = st.builds(
    lambda name, headers, kind, body: Call(name, {**headers, "Content-Type": kind}, body),
    st.sampled_from(NAMES),
    HEADERS,
    KINDS,
    BODIES,
)


def fuzzed(examples: int) -> settings:
    slow = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
    return settings(
        max_examples=examples, deadline=None, database=None, derandomize=True, suppress_health_check=slow
    )


def check(call: Call, send: Send) -> None:
    status, headers, body = send(call)
    assert status in EXPECTED, body
    assert (status == 401) is (not call.has_key)
    assert KEY.encode() not in body and LIMITED.encode() not in body
    found = json.loads(body)
    assert isinstance(found, dict)
    assert headers["X-Content-Type-Options"] == "nosniff"
    if status != 200:
        assert headers["Content-Type"] == "application/problem+json"
        assert (found["status"], type(found["error"]), type(found["code"])) == (status, str, str)
        for each in found.get("errors", ()):
            assert FieldError(**each)
    if LIMITED in call.headers.values():
        assert status == 403 or call.name == "texts"


@pytest.fixture
def in_process(load: Callable[..., Micro]) -> Send:
    client = create_app(micro=load(TYPED, api_keys=KEYS)).test_client()

    def send(call: Call) -> tuple[int, Mapping[str, str], bytes]:
        answer = client.post(f"/run/{call.name}", data=call.body, headers=call.headers)
        return answer.status_code, answer.headers, answer.data

    return send


@pytest.fixture
def server(start_micro: Callable[..., Any]) -> Any:
    keys = f"all:{KEY},limited:{LIMITED}:Texts"
    return start_micro("-G", "-p", str(TYPED), "-ll", "DEBUG", MICRO_API_KEYS=keys)


@pytest.fixture
def over_http(server: Any) -> Iterator[Send]:
    connection = http.client.HTTPConnection("127.0.0.1", int(server.url.rpartition(":")[2]), timeout=20)

    def send(call: Call) -> tuple[int, Mapping[str, str], bytes]:
        connection.request("POST", f"/run/{call.name}", call.body, call.headers)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()

    yield send
    connection.close()


@fuzzed(IN_PROCESS)
@given(call=CALLS)
def test_no_body_gets_past_the_keys_or_breaks_the_application(in_process: Send, call: Call) -> None:
    check(call, in_process)


@fuzzed(OVER_HTTP)
@given(call=CALLS)
def test_no_body_gets_past_the_keys_or_breaks_the_server(over_http: Send, call: Call) -> None:
    check(call, over_http)


def test_the_server_tells_no_key_and_has_no_fault_of_its_own(server: Any, over_http: Send) -> None:
    for key in (KEY, LIMITED):
        check(Call("texts", {"X-API-Key": key, "Content-Type": "application/json"}, b'{"text": 7'), over_http)
    said = server.output() + server.log.read_text()
    assert "Traceback" not in said and KEY not in said and LIMITED not in said
