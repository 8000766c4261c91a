"""The parser with regular expressions and gunicorn's agree on every byte."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from gunicorn.asgi.parser import PythonProtocol
from hypothesis import given
from hypothesis import strategies as st

from micro.server.parser import Parser

OURS, THEIRS = Parser(), PythonProtocol()
BYTES = [bytes([number]) for number in range(256)]
AROUND = [b"%b", b"GE%b", b"%bGET", b"GE%bT", b"GET%b", b"Accept%bIn", b"a value%b", b"\xe4 %b\t"]
LENGTHS = [b"A" * length for length in (0, 1, 2, 3, 20, 21, 500)] + [b"a" * 3, b"get", b"GET\n", b"GET\r\n"]


@pytest.mark.parametrize("check", ["_is_valid_method", "_is_valid_token", "_has_invalid_header_chars"])
@pytest.mark.parametrize("data", [*AROUND, LENGTHS], ids=str)
def test_each_byte_and_length_is_judged_alike(check: str, data: bytes | list[bytes]) -> None:
    tried = data if isinstance(data, list) else [data % byte for byte in BYTES]
    ours, theirs = getattr(OURS, check), getattr(THEIRS, check)
    assert [ours(each) for each in tried] == [theirs(each) for each in tried]


HEADS = [
    b"POST /run/a%20b?c HTTP/1.1\r\nHost: test\r\nContent-Type:\t a/b;c \r\nContent-Length: 4\r\n\r\nbody",
    b"GET / HTTP/1.1\r\n\r\nGET /next HTTP/1.1\r\n\r\n",
    b"\r\nOPTIONS * HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n",
    b"GET http://a/b HTTP/1.0\r\nConnection: keep-alive\r\nX:\r\nX-\xe4: \xe4\r\n\r\n",
    b"PUT /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
    b"GET /a HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\nA: b\r\n c\r\n\r\n",
    b"GET /a HTTP/1.1\r\n" + b"".join(b"Number-%d: %d\r\n" % (each, each) for each in range(12)) + b"\r\n",
]
PIECES = [
    b"\r\n",
    b"\n",
    b"\r",
    b" ",
    b"\t",
    b":",
    b"\0",
    b"\x7f",
    b"\xff",
    b"A",
    b"HTTP/1.1",
    b"Content-Length: 4\r\n",
]


def read(kind: type[Any], parts: list[bytes], limits: dict[str, int]) -> object:
    """Return all that the parser tells of the parts, or how it refuses them."""
    told: list[object] = []
    parser = kind(
        on_headers_complete=lambda: told.append(
            (parser.method, parser.path, parser.http_version, parser.headers)
        ),
        on_body=told.append,
        on_message_complete=lambda: told.append("complete"),
        **limits,
    )
    try:
        for part in parts:
            parser.feed(part)
    except Exception as err:
        return told, type(err), str(err)
    state = parser.content_length, parser.is_chunked, parser.should_keep_alive, parser.is_complete
    return told, state, parser.remaining(), parser._state


@given(
    head=st.sampled_from(HEADS),
    changes=st.lists(st.tuples(st.integers(0, 200), st.integers(0, 2), st.sampled_from(PIECES)), max_size=3),
    cuts=st.lists(st.integers(0, 200), max_size=2),
    limits=st.fixed_dictionaries(
        {},
        optional={
            "limit_request_line": st.sampled_from([0, 15, 40]),
            "limit_request_fields": st.sampled_from([0, 2, 11, 12]),
            "limit_request_field_size": st.sampled_from([0, 20, 60]),
        },
    ),
)
def test_each_head_is_read_or_refused_alike_however_it_comes(
    head: bytes, changes: list[tuple[int, int, bytes]], cuts: list[int], limits: dict[str, int]
) -> None:
    for place, length, piece in changes:
        head = head[:place] + piece + head[place + length :]
    ends = [0, *sorted(cuts), len(head)]
    parts = [head[start:end] for start, end in pairwise(ends)]
    assert read(Parser, parts, limits) == read(PythonProtocol, parts, limits)


def test_a_client_that_sends_requests_without_end_is_not_read_without_end(serve: Callable[..., Any]) -> None:
    server = serve(http_parser="python")
    with server.connect() as client:
        client.get("/wait?gate=open")
        server.wait_for("started")
        client.socket.settimeout(1)
        with pytest.raises(TimeoutError):
            client.send(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n" * 2_000_000)
        server.open("open")
