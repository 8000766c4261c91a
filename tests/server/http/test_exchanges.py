"""Requests and answers byte by byte, through uvicorn; the WSGI validator checks the application's side."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

pytestmark = pytest.mark.measured

BODY = b'{"name": "Micro"}'
DIGEST = hashlib.sha256(BODY).hexdigest()


@pytest.fixture(scope="module", params=["asyncio", "uvloop"])
def server(serve_shared: Callable[..., Any], request: Any) -> Iterator[Any]:
    served = serve_shared(loop=request.param)
    yield served
    assert served.end() == 0
    # What the validator says of iterables that were not closed.
    assert "garbage collected" not in served.output()


@pytest.fixture
def client(server: Any) -> Iterator[Any]:
    with server.connect() as connection:
        yield connection


def test_a_call_arrives_and_its_answer_has_a_length(client: Any) -> None:
    answer = client.post("/a%20path?x=1&y=%20", BODY, "Content-Type: application/json", "X-Two: 2").read()
    seen = answer.json()
    assert (answer.version, answer.status, answer.chunks) == ("HTTP/1.1", 200, None)
    assert (seen["length"], seen["sha256"]) == (len(BODY), DIGEST)
    expected = {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/a path",
        "QUERY_STRING": "x=1&y=%20",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(BODY)),
        "HTTP_X_TWO": "2",
        "HTTP_HOST": "test",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.url_scheme": "http",
        "wsgi.input_terminated": True,
    }
    assert expected.items() <= seen.items()


def test_calls_follow_each_other_on_one_connection(client: Any) -> None:
    for number in range(3):
        assert client.get(f"/{number}").read().json()["PATH_INFO"] == f"/{number}"


def test_pipelined_calls_are_answered_in_their_order(client: Any) -> None:
    for number in range(5):
        client.post(f"/{number}", b"x" * number)
    seen = [client.read().json() for _ in range(5)]
    assert [(each["PATH_INFO"], each["length"]) for each in seen] == [(f"/{n}", n) for n in range(5)]


@pytest.mark.parametrize(
    ("head", "keeps"),
    [
        ("GET / HTTP/1.1\r\nHost: x", True),
        ("GET / HTTP/1.1\r\nHost: x\r\nConnection: close", False),
        ("GET / HTTP/1.0", False),
        # uvicorn keeps no connection of HTTP/1.0.
        ("GET / HTTP/1.0\r\nConnection: keep-alive", False),
    ],
)
def test_a_connection_is_kept_as_the_client_asks(client: Any, head: str, keeps: bool) -> None:
    answer = client.send(f"{head}\r\n\r\n").read()
    assert answer.status == 200
    if keeps:
        assert client.get("/").read().status == 200
    else:
        assert answer.headers["connection"] == "close"
        assert client.is_closed()


@pytest.mark.parametrize(
    "chunks",
    [
        b"11\r\n" + BODY + b"\r\n0\r\n\r\n",
        b"1\r\n{\r\n10;extension=1\r\n" + BODY[1:] + b"\r\n0\r\nX-Sum: 1\r\n\r\n",
    ],
)
def test_a_body_in_chunks_arrives_whole(client: Any, chunks: bytes) -> None:
    client.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n").send(chunks)
    seen = client.read().json()
    assert (seen["sha256"], seen["wsgi.input_terminated"]) == (DIGEST, True)
    assert "CONTENT_LENGTH" not in seen
    assert client.get("/").read().status == 200


def test_a_body_may_come_in_pieces(client: Any) -> None:
    client.send(f"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {len(BODY)}\r\n\r\n")
    for byte in BODY:
        client.send(bytes([byte]))
    assert client.read().json()["sha256"] == DIGEST


def test_a_client_that_expects_100_is_told_to_continue(client: Any) -> None:
    client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 17\r\nExpect: 100-continue\r\n\r\n")
    assert client.read().status == 100
    assert client.send(BODY).read().json()["sha256"] == DIGEST


def test_a_client_of_http_1_0_is_not_told_to_continue(client: Any) -> None:
    client.send("POST / HTTP/1.0\r\nContent-Length: 17\r\nExpect: 100-continue\r\n\r\n").send(BODY)
    assert client.read().json()["sha256"] == DIGEST


def test_head_has_the_head_of_get_and_no_body(client: Any) -> None:
    answer = client.send("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n").read(to_head=True)
    assert int(answer.headers["content-length"]) > 100
    # What followed the head would be taken for the next answer.
    assert client.get("/status?code=201").read().status == 201


def test_head_does_not_run_a_stream_to_its_end(server: Any, client: Any) -> None:
    client.send("HEAD /numbers?count=1000000&size=10 HTTP/1.1\r\nHost: x\r\n\r\n").read(to_head=True)
    server.wait_for("closed in a thread")
    assert "block 100" not in server.events()


@pytest.mark.parametrize("code", [204, 304])
def test_an_answer_without_a_body_says_nothing_of_its_length(client: Any, code: int) -> None:
    answer = client.get(f"/status?code={code}").read()
    assert (answer.status, answer.body) == (code, b"")
    assert not {"content-length", "transfer-encoding"} & answer.headers.keys()
    assert client.get("/").read().status == 200


def test_an_absolute_target_names_the_path(client: Any) -> None:
    assert client.get("http://elsewhere/a%2Fb").read().json()["PATH_INFO"] == "/a/b"


@pytest.mark.parametrize("when", ["early", "exit"])
def test_an_exception_of_the_application_is_logged_and_answered(server: Any, client: Any, when: str) -> None:
    assert client.get(f"/fail?when={when}").read().status == 500
    assert when in server.output()
    assert server.get("/").status == 200


def test_an_exception_in_the_middle_of_an_answer_cuts_it_short(server: Any, client: Any) -> None:
    client.get("/fail?when=late").read_head()
    rest = client.file.read()
    assert rest.endswith(b"block\r\n")
    assert "ValueError: late" in server.output()


def test_a_head_that_was_not_sent_is_replaced(client: Any) -> None:
    answer = client.get("/replace_head?when=before").read()
    assert (answer.status, answer.body) == (503, b"sorry")


def test_a_head_that_was_sent_is_not_replaced(server: Any, client: Any) -> None:
    assert client.get("/replace_head?when=after").read_head().status == 200
    assert b"never" not in client.file.read()
    assert "ValueError: too late" in server.output()


def test_blocks_are_written_from_within_the_application(client: Any) -> None:
    answer = client.get("/write?count=2&size=3").read()
    assert answer.body == b"wwwwwwend"


def test_a_websocket_is_refused(client: Any) -> None:
    client.get(
        "/",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
    )
    answer = client.read()
    assert (answer.status, answer.headers["content-type"]) == (403, "application/problem+json")
    assert client.is_closed()


@pytest.mark.parametrize(
    "head", ["GET / HTTP/3.0", "get / HTTP/1.1", "GET / HTTP/1.1\r\n: a", "GET / HTTP/1.1\r\nA b: c"]
)
def test_a_head_that_is_none_is_refused_in_a_sentence(client: Any, head: str) -> None:
    answer = client.send(f"{head}\r\n\r\n").read()
    assert answer.status == 400
    assert len(answer.json()["error"].split()) > 2


def test_every_iterable_was_closed_in_a_thread(server: Any, client: Any) -> None:
    before = server.events().count("closed in a thread")
    client.get("/").read()
    server.wait_for("closed in a thread", before + 1)
    assert set(server.events()) - {"closed in a thread", "block 0", "writes", "wrote"} == set()
