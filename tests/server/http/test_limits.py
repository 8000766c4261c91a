"""What is refused before anything runs for it: bodies too large, and clients too slow."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

pytestmark = pytest.mark.measured

MIB = 1024 * 1024
BODY = {"size": 4 * MIB, "seconds": 0.5, "rate": MIB}
HEAD = {"seconds": 0.5}
ECHO = """
from micro import PluginBase, PluginDescription

class Echo(PluginBase):
    def run(self, text: str) -> dict[str, int]:
        return {"length": len(text)}

plugin = PluginDescription(name="Echo", version="1", description="Echoes")
"""


@pytest.fixture(scope="module")
def server(serve_shared: Callable[..., Any]) -> Any:
    return serve_shared(body=BODY, head=HEAD)


@pytest.fixture(scope="module")
def micro(serve_shared: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("plugins")
    (folder / "echo").mkdir()
    (folder / "echo" / "interface.py").write_text(ECHO)
    return serve_shared(body=BODY, head=HEAD, plugins=str(folder))


@pytest.mark.parametrize(
    ("size", "kept_in"),
    [(0, "BytesIO"), (1000, "BytesIO"), (MIB + 1, "SpooledTemporaryFile"), (4 * MIB, "SpooledTemporaryFile")],
)
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_up_to_the_limit_arrives_whole(server: Any, size: int, kept_in: str, chunked: bool) -> None:
    body = random.Random(size).randbytes(size)
    with server.connect() as client:
        client.post_chunked("/", body) if chunked else client.post("/", body)
        seen = client.read().json()
        assert (seen["length"], seen["sha256"]) == (size, hashlib.sha256(body).hexdigest())
        assert size < MIB or seen["input"] == kept_in
        assert client.get("/").read().status == 200


def test_a_body_declared_too_large_is_refused_before_it_is_sent(micro: Any) -> None:
    with micro.connect() as client:
        client.send(
            "POST /run/echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            f"Content-Length: {4 * MIB + 1}\r\nExpect: 100-continue\r\n\r\n"
        )
        answer = client.read()
        client.end_sending()
        _check_refusal(answer, 413, f"The body is larger than the limit of {4 * MIB} bytes")
        assert client.is_closed()


@pytest.mark.parametrize("size", [4 * MIB + 1, 8 * MIB])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_too_large_is_refused_though_the_client_sends_on(micro: Any, size: int, chunked: bool) -> None:
    body = b" " * size
    with micro.connect() as client:
        client.post_chunked("/run/echo", body) if chunked else client.post("/run/echo", body)
        _check_refusal(client.read(), 413, f"The body is larger than the limit of {4 * MIB} bytes")


def test_a_body_that_the_application_does_not_read_is_no_reason_to_refuse(micro: Any) -> None:
    with micro.connect() as client:
        assert client.post("/nowhere", b" " * (4 * MIB + 1)).read().status == 404


def test_a_body_that_trickles_is_refused(micro: Any) -> None:
    with micro.connect() as client:
        client.send(
            "POST /run/echo HTTP/1.1\r\nHost: x\r\n"
            "Content-Type: application/json\r\nContent-Length: 9\r\n\r\n1"
        )
        _check_refusal(client.read(), 408, "Expected the body within 0.5 seconds")


def test_time_is_given_for_what_has_arrived(server: Any) -> None:
    body = b"x" * 3 * MIB
    with server.connect() as client:
        client.send(f"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body) + 1}\r\n\r\n").send(body)
        # The others are refused within half a second.
        with server.connect() as other:
            other.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n1")
            assert other.read().status == 500
        assert client.send("x").read().json()["length"] == 3 * MIB + 1


@pytest.mark.parametrize("sent", ["", "GET / HT", "GET / HTTP/1.1\r\nHost: x\r\nX-Long: "])
def test_a_connection_whose_first_head_does_not_come_is_closed(server: Any, sent: str) -> None:
    with server.connect() as client:
        client.send(sent)
        assert client.is_closed()


def test_a_connection_whose_next_head_does_not_come_is_closed(server: Any) -> None:
    with server.connect() as client:
        client.get("/").read()
        assert client.send("GET / HTTP/1.1\r\n").is_closed()


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: "])
def test_a_head_that_comes_byte_by_byte_is_given_up(
    server: Any, sent: bytes, wait_until: Callable[..., Any]
) -> None:
    with server.connect() as client:
        client.send(sent)
        wait_until(lambda: _is_cut_off(client))


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET / HTTP/1.1\r\n" + b"X-Long: " + b"a" * 100_000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + b"X-Many: a\r\n" * 101 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + (b"X-Large: " + b"a" * 8000 + b"\r\n") * 10 + b"\r\n", 431),
        (b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nX-Endless: " + b"a" * 70_000, 431),
    ],
    ids=["a field", "fields", "in all", "the request line", "without an end"],
)
@pytest.mark.parametrize("pieces", [1, 30])
def test_a_head_that_is_too_large_is_refused(server: Any, head: bytes, status: int, pieces: int) -> None:
    with server.connect() as client:
        size = len(head) // pieces + 1
        with suppress(ConnectionError):
            for start in range(0, len(head), size):
                client.send(head[start : start + size])
        with suppress(ConnectionError):
            answer = client.read()
            assert answer.status == status
            assert answer.headers["content-type"] == "application/problem+json"
            assert client.is_closed()
    assert server.get("/").status == 200


def test_a_head_without_an_end_behind_a_running_call_is_cut_off(server: Any) -> None:
    with server.connect() as client:
        client.get("/wait?gate=behind")
        server.wait_for("started")
        with suppress(ConnectionError):
            client.send(b"GET / HTTP/1.1\r\nX-Endless: " + b"a" * 500_000)
        assert client.is_closed()
    server.open("behind")


def test_a_malformed_body_is_refused(server: Any) -> None:
    with server.connect() as client:
        client.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")
        answer = client.read()
        assert (answer.status, answer.json()["status"]) == (400, 400)
        assert client.is_closed()


def test_slow_clients_hold_no_thread(serve: Callable[..., Any]) -> None:
    server = serve(threads=1)
    slow = [
        server.connect().send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n1") for _ in range(20)
    ]
    assert server.get("/").status == 200
    for client in slow:
        with client:
            assert client.send("2").read().json()["length"] == 2


def _is_cut_off(client: Any) -> bool:
    """Send a byte; return True if the server has closed the connection."""
    client.socket.settimeout(0.05)
    try:
        return client.send(b"a").socket.recv(100) == b""
    except TimeoutError:
        return False
    except OSError:
        return True


def _check_refusal(answer: Any, status: int, sentence: str) -> None:
    assert answer.status == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["connection"] == "close"
    assert answer.json()["error"].startswith(sentence)
