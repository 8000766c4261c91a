"""What is no HTTP, or is meant to be read in two ways, is refused or cut off; the server goes on serving."""

from __future__ import annotations

import json
import random
import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import pytest

pytestmark = pytest.mark.measured

# Statuses for what a server does not know: a method, a transfer coding, a version.
UNKNOWN = {501, 505}
MOMENT = 0.3
STATUS = re.compile(rb"HTTP/1\.[01] (\d{3}) ")
HOST = b"Host: x\r\n"
POST = b"POST /run/process HTTP/1.1\r\n" + HOST + b"Content-Type: application/json\r\n"
# What an attacker hopes to get in behind a request that a proxy has let through.
HIDDEN = b"GET /hidden-request HTTP/1.1\r\n" + HOST + b"\r\n"
CLIENT_HELLO = bytes.fromhex("16030100c8010000c40303") + bytes(range(32)) + b"\x00" * 160

BAD = {
    "nothing but line ends": b"\r\n\r\n\r\n\r\n",
    "no version, as in HTTP/0.9": b"GET /plugins\r\n\r\n",
    "a method alone": b"GET\r\n\r\n",
    "no method": b" /plugins HTTP/1.1\r\n\r\n",
    "an unknown version": b"GET /plugins HTTP/9.9\r\n" + HOST + b"\r\n",
    "a version that is none": b"GET /plugins HTTP/x\r\n" + HOST + b"\r\n",
    "another protocol": b"GET /plugins FTP/1.1\r\n" + HOST + b"\r\n",
    "four parts": b"GET /plugins x HTTP/1.1\r\n" + HOST + b"\r\n",
    "a method of other characters": b'G"T /plugins HTTP/1.1\r\n' + HOST + b"\r\n",
    "a NUL in the path": b"GET /plu\x00gins HTTP/1.1\r\n" + HOST + b"\r\n",
    "a NUL in a header": b"GET /plugins HTTP/1.1\r\nX: a\x00b\r\n" + HOST + b"\r\n",
    "a NUL in a header's name": b"GET /plugins HTTP/1.1\r\nX\x00: a\r\n" + HOST + b"\r\n",
    "a bare CR in a header": b"GET /plugins HTTP/1.1\r\nX: a\rY: b\r\n" + HOST + b"\r\n",
    "a bare LF before a header": b"GET /plugins HTTP/1.1\r\nX: a\nContent-Length: 5\r\n" + HOST + b"\r\n",
    "bare LFs only": b"GET /plugins HTTP/1.1\nHost: x\n\n",
    "a very long path": b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n",
    "a very long header": b"GET /plugins HTTP/1.1\r\nX: " + b"a" * 200_000 + b"\r\n" + HOST + b"\r\n",
    "very many headers": b"GET /plugins HTTP/1.1\r\n" + b"X: a\r\n" * 5000 + HOST + b"\r\n",
    "a header without a colon": b"GET /plugins HTTP/1.1\r\nHost\r\n\r\n",
    "a header without a name": b"GET /plugins HTTP/1.1\r\n: x\r\n" + HOST + b"\r\n",
    "a space in a header's name": b"GET /plugins HTTP/1.1\r\nX Y: a\r\n" + HOST + b"\r\n",
    "a space before the colon": POST + b"Content-Length : 2\r\n\r\n{}",
    "a folded header": b"GET /plugins HTTP/1.1\r\nX: a\r\n b\r\n" + HOST + b"\r\n",
    "a header that begins with a space": b"GET /plugins HTTP/1.1\r\n X: a\r\n" + HOST + b"\r\n",
    "a length and chunks": POST
    + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    + HIDDEN,
    "chunks and a length": POST
    + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"
    + HIDDEN,
    "two lengths": POST + b"Content-Length: 2\r\nContent-Length: 40\r\n\r\n{}" + HIDDEN,
    "two lengths in one": POST + b"Content-Length: 2, 40\r\n\r\n{}" + HIDDEN,
    "a negative length": POST + b"Content-Length: -1\r\n\r\n{}" + HIDDEN,
    "a length with a sign": POST + b"Content-Length: +2\r\n\r\n{}" + HIDDEN,
    "a length in hexadecimal": POST + b"Content-Length: 0x2\r\n\r\n{}" + HIDDEN,
    "a length of other digits": POST + "Content-Length: ²\r\n\r\n{}".encode() + HIDDEN,
    "a length with an underscore": POST + b"Content-Length: 1_0\r\n\r\n{}" + HIDDEN,
    "an empty length": POST + b"Content-Length: \r\n\r\n{}" + HIDDEN,
    "an absurd length": POST + b"Content-Length: 1" + b"0" * 30 + b"\r\n\r\n{}",
    "a length of thousands of digits": POST + b"Content-Length: " + b"9" * 6000 + b"\r\n\r\n{}",
    "an unknown coding": POST + b"Transfer-Encoding: rot13\r\n\r\n{}" + HIDDEN,
    "a misspelt coding": POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + HIDDEN,
    "chunks before another coding": POST + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n" + HIDDEN,
    "chunks twice": POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n" + HIDDEN,
    "a coding after a tab of its own": POST + b"Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n" + HIDDEN,
    "chunks in HTTP/1.0": POST.replace(b"/1.1", b"/1.0") + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a chunk size that is none": POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n" + HIDDEN,
    "a negative chunk size": POST + b"Transfer-Encoding: chunked\r\n\r\n-2\r\n{}\r\n0\r\n\r\n" + HIDDEN,
    "a chunk size in 0x": POST + b"Transfer-Encoding: chunked\r\n\r\n0x2\r\n{}\r\n0\r\n\r\n" + HIDDEN,
    "an absurd chunk size": POST + b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 5000 + b"\r\n{}\r\n",
    "a chunk that is too long": POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}xx\r\n0\r\n\r\n" + HIDDEN,
    "the preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00" * 40,
    "TLS": CLIENT_HELLO,
    "a proxy's line": b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\nGET /plugins HTTP/1.1\r\n" + HOST + b"\r\n",
    "random bytes": random.Random(1).randbytes(5000) + b"\r\n\r\n",
}
CUT_OFF = {
    "in the request line": b"GET /plug",
    "in a header": b"GET /plugins HTTP/1.1\r\nHos",
    "before the head's end": b"GET /plugins HTTP/1.1\r\n" + HOST,
    "in a body": POST + b"Content-Length: 100\r\n\r\n{",
    "in a chunk": POST + b"Transfer-Encoding: chunked\r\n\r\n10\r\n{",
    "before the last chunk": POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
}


@pytest.fixture(scope="module")
def micro(start_shared_micro: Callable[..., Any], good_plugins: str) -> Any:
    return start_shared_micro("-G", "-p", good_plugins)


@pytest.fixture(scope="module")
def threads(
    start_shared_micro: Callable[..., Any], good_plugins: str, tmp_path_factory: pytest.TempPathFactory
) -> Any:
    """The same with gunicorn's gthread worker."""
    config = tmp_path_factory.mktemp("threads") / "config.json"
    config.write_text('{"gunicorn": {"worker_class": "gthread"}}')
    return start_shared_micro("-G", "-p", good_plugins, "-c", str(config))


@contextmanager
def connections(micro: Any) -> Iterator[Callable[[], socket.socket]]:
    address = ("127.0.0.1", int(micro.url.rpartition(":")[2]))
    with ExitStack() as stack:
        yield lambda: stack.enter_context(socket.create_connection(address, timeout=20))


@pytest.fixture
def connect(micro: Any) -> Iterator[Callable[[], socket.socket]]:
    with connections(micro) as connect:
        yield connect


@pytest.fixture
def connect_to_threads(threads: Any) -> Iterator[Callable[[], socket.socket]]:
    with connections(threads) as connect:
        yield connect


def read_to_end(connection: socket.socket) -> bytes:
    found = b""
    # A server that closes with input unread resets the connection.
    with suppress(ConnectionError, TimeoutError):
        while chunk := connection.recv(65536):
            found += chunk
    return found


def exchange(connection: socket.socket, data: bytes) -> bytes:
    """Send all of it and return all that comes back.

    A server that waits for more, and so it may, is told after a moment that nothing will come.
    """
    with suppress(ConnectionError):
        connection.sendall(data)
    connection.settimeout(MOMENT)
    found = read_to_end(connection)
    connection.settimeout(20)
    with suppress(OSError):
        connection.shutdown(socket.SHUT_WR)
    return found + read_to_end(connection)


def is_served(connection: socket.socket) -> bool:
    """Tell whether a sound request gets its answer."""
    connection.sendall(b"GET /plugins HTTP/1.0\r\n\r\n")
    return statuses(read_to_end(connection)) == [200]


def statuses(answer: bytes) -> list[int]:
    return [int(each) for each in STATUS.findall(answer)]


def problem(answer: bytes) -> Any:
    """Return the body of an error."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"content-type: application/problem+json" in head.lower()
    return json.loads(body)


@pytest.mark.parametrize("data", BAD.values(), ids=BAD.keys())
def test_what_is_malformed_is_refused(connect: Callable[[], socket.socket], data: bytes) -> None:
    answer = exchange(connect(), data)
    found = statuses(answer)
    assert all(400 <= each < 500 or each in UNKNOWN for each in found), answer
    # None at all where it was cut off. What hides behind it is never taken for a request.
    assert len(found) <= 1, answer
    assert not found or problem(answer)["status"] == found[0]
    assert b"hidden-request" not in answer
    assert is_served(connect())


@pytest.mark.parametrize("name", [each for each in BAD if "chunk" in each])
def test_malformed_chunks_are_refused_by_threads_too(
    connect_to_threads: Callable[[], socket.socket], name: str
) -> None:
    answer = exchange(connect_to_threads(), BAD[name])
    found = statuses(answer)
    assert all(400 <= each < 500 or each in UNKNOWN for each in found), answer
    assert len(found) <= 2 and b"hidden-request" not in answer
    assert is_served(connect_to_threads())


@pytest.mark.parametrize("data", CUT_OFF.values(), ids=CUT_OFF.keys())
def test_what_ends_too_early_is_no_request(connect: Callable[[], socket.socket], data: bytes) -> None:
    found = statuses(exchange(connect(), data))
    assert all(400 <= each < 500 for each in found)
    assert is_served(connect())


def test_requests_may_follow_each_other_at_once(connect: Callable[[], socket.socket]) -> None:
    calls = (POST + b"Content-Length: 2\r\n\r\n{}") * 5
    connection = connect()
    connection.sendall(calls + b"GET /livez HTTP/1.1\r\nConnection: close\r\n" + HOST + b"\r\n")
    assert statuses(read_to_end(connection)) == [200] * 6


def test_clients_that_send_nothing_more_keep_nobody_waiting(connect: Callable[[], socket.socket]) -> None:
    parts = [b"", *(data for data in CUT_OFF.values())]
    for number in range(60):
        connect().sendall(parts[number % len(parts)])
    began = time.monotonic()
    for _ in range(5):
        assert is_served(connect())
    assert time.monotonic() - began < 10


def test_clients_that_do_not_read_keep_nobody_waiting(connect: Callable[[], socket.socket]) -> None:
    call = b"GET /openapi.json HTTP/1.1\r\n" + HOST + b"\r\n"
    for _ in range(30):
        connection = connect()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.sendall(call * 20)
    assert is_served(connect())


def test_the_servers_have_no_fault_of_their_own_to_tell(micro: Any, threads: Any) -> None:
    for each in (micro, threads):
        assert each.process.poll() is None
        assert "Traceback" not in each.output()
