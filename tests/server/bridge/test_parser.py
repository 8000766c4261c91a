"""The parser with regular expressions and gunicorn's agree on every byte."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from gunicorn.asgi.parser import PythonProtocol

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


def test_a_client_that_sends_requests_without_end_is_not_read_without_end(serve: Callable[..., Any]) -> None:
    server = serve(http_parser="python")
    with server.connect() as client:
        client.get("/wait?gate=open")
        server.wait_for("started")
        client.socket.settimeout(1)
        with pytest.raises(TimeoutError):
            client.send(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n" * 2_000_000)
        server.open("open")
