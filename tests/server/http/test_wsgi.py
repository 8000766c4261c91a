"""The rules of PEP 3333 for an application's answer, step by step and without a server."""

from __future__ import annotations

import asyncio
import sys
import weakref
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from io import BytesIO
from typing import Any

import pytest

from micro.server.http.wsgi import WSGICall

TEXT = [("Content-Type", "text/plain")]


def length(number: int) -> list[tuple[str, str]]:
    return [*TEXT, ("Content-Length", str(number))]


class Blocks:
    """An iterable that counts how often it is asked and closed."""

    def __init__(self, *blocks: bytes, error: Exception | None = None) -> None:
        self.left = list(blocks)
        self.error = error
        self.asked = self.closed = 0

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        self.asked += 1
        if self.left:
            return self.left.pop(0)
        raise StopIteration

    def close(self) -> None:
        self.closed += 1
        if self.error:
            raise self.error


def call_of(
    answer: Callable[..., Any] | Iterable[bytes],
    status: str = "200 OK",
    headers: list[tuple[str, str]] | None = None,
    method: str = "GET",
) -> WSGICall:
    """Make the call of an application, or of one that answers with these blocks."""

    def app(_environ: Any, start_response: Any) -> Any:
        start_response(status, TEXT if headers is None else headers)
        return answer

    environ = {"REQUEST_METHOD": method, "SERVER_PROTOCOL": "HTTP/1.1", "wsgi.input": BytesIO(b"body")}
    return WSGICall(answer if callable(answer) else app, environ)


def steps(call: WSGICall) -> list[bytes]:
    data = [call.step()]
    while call.more:
        data.append(call.step())
    return data


@pytest.mark.parametrize(
    ("blocks", "headers", "expected"),
    [
        ([b"a", b"b"], TEXT, [b"ab"]),
        ((), TEXT, [b""]),
        (Blocks(b"a", b"b"), TEXT, [b"a", b"b", b""]),
        (Blocks(b"", b"a", b"", b"b", b""), TEXT, [b"a", b"b", b""]),
        (Blocks(), TEXT, [b""]),
        (Blocks(b"ab"), length(2), [b"ab"]),
        (Blocks(b"", b"ab", b"", b"more than was told"), length(2), [b"ab"]),
        (Blocks(b"a", b"b"), length(2), [b"a", b"b", b""]),
    ],
)
def test_a_step_gives_the_next_block_and_the_whole_where_it_is_known(
    blocks: Any, headers: Any, expected: list[bytes]
) -> None:
    call = call_of(blocks, headers=headers)
    assert steps(call) == expected
    assert getattr(blocks, "closed", 1) == 1
    assert call.body.closed


@pytest.mark.parametrize(("method", "status"), [("HEAD", "200 OK"), ("GET", "204 X"), ("GET", "304 X")])
def test_an_answer_without_a_body_is_not_asked_for_all_of_one(method: str, status: str) -> None:
    blocks = Blocks(*[b"block"] * 10)
    assert steps(call_of(blocks, status, method=method)) == [b""]
    assert (blocks.asked, blocks.closed) == (1, 1)


def test_the_head_may_be_told_as_late_as_with_the_first_block() -> None:
    def app(_environ: Any, start_response: Any) -> Iterator[bytes]:
        yield b""
        start_response("201 Created", length(1))
        yield b"a"

    call = call_of(app)
    assert steps(call) == [b"a"]
    assert (call.status, call.length) == ("201 Created", 1)
    assert call.headers == [(b"content-type", b"text/plain"), (b"content-length", b"1")]


def test_a_block_before_the_head_is_an_error() -> None:
    blocks = Blocks(b"a")
    with pytest.raises(AssertionError, match="did not call start_response"):
        call_of(lambda *_: blocks).step()
    assert blocks.closed == 1


def test_a_second_head_is_an_error() -> None:
    call = call_of([])
    call.step()
    with pytest.raises(AssertionError, match="again without exc_info"):
        call.start_response("200 OK", TEXT)


def test_an_error_replaces_a_head_that_was_not_sent() -> None:
    call = call_of([])
    call.step()
    try:
        raise ValueError("wrong")
    except ValueError:
        call.start_response("500 Wrong", length(3), sys.exc_info())
    assert (call.status, call.length) == ("500 Wrong", 3)


def test_an_error_after_the_head_was_sent_is_raised_again() -> None:
    call = call_of([])
    call.step()
    call.head_is_sent = True
    try:
        raise ValueError("wrong")
    except ValueError:
        with pytest.raises(ValueError, match="wrong"):
            call.start_response("500 Wrong", TEXT, sys.exc_info())
    assert call.status == "200 OK"


@pytest.mark.parametrize(
    "error", [SystemExit(1), StopIteration(), KeyboardInterrupt(), asyncio.CancelledError()]
)
def test_what_would_end_the_event_loop_is_an_ordinary_error(error: BaseException) -> None:
    def app(*_: Any) -> Any:
        raise error

    with pytest.raises(RuntimeError, match=type(error).__name__):
        call_of(app).step()


def test_an_error_of_close_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    call = call_of(Blocks(b"a", error=ValueError("in close")), headers=length(1))
    assert call.step() == b"a"
    assert "failed when it was closed" in caplog.text
    assert call.body.closed


def test_what_one_step_sets_the_next_finds_and_no_other_call_does() -> None:
    mine: ContextVar[str] = ContextVar("mine", default="nobody's")

    def app(_environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", TEXT)
        token = mine.set("this call's")
        yield mine.get().encode()
        yield mine.get().encode()
        mine.reset(token)
        yield mine.get().encode()

    call = call_of(app)
    with ThreadPoolExecutor(1) as one, ThreadPoolExecutor(1) as other:
        found = [thread.submit(call.step).result() for thread in (one, other, one)]
        assert found == [b"this call's", b"this call's", b"nobody's"]
        assert {thread.submit(mine.get).result() for thread in (one, other)} == {"nobody's"}
        other.submit(call.close).result()


def test_a_rest_is_no_end() -> None:
    def app(_environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", TEXT)
        yield b"a"
        yield call.rest(5)
        yield b"b"

    call = call_of(app)
    seen = [(call.step(), call.pause, call.more) for _ in range(4)]
    assert seen == [(b"a", 0, True), (b"", 5, True), (b"b", 0, True), (b"", 0, False)]


def test_a_call_abandoned_between_steps_is_left_to_be_closed() -> None:
    blocks = Blocks(b"a", b"b")
    call = call_of(blocks)
    call.step()
    assert call.abandon()
    assert blocks.closed == 0
    # Whichever comes first, a step that was on its way or the closing.
    assert (call.step(), call.more) == (b"", False)
    call.close()
    assert (blocks.asked, blocks.closed) == (1, 1)


def test_a_call_is_closed_while_the_step_that_ended_has_its_context_still() -> None:
    blocks = Blocks(b"a", b"b")
    call = call_of(blocks)
    call.step()

    def close() -> None:
        with ThreadPoolExecutor(1) as pool:
            pool.submit(call.close).result()

    call._context.run(close)
    assert blocks.closed == 1


def test_a_call_abandoned_within_a_step_is_closed_at_its_end() -> None:
    class Leaving(Blocks):
        def __next__(self) -> bytes:
            assert not call.abandon()
            return b"a"

    blocks = Leaving()
    call = call_of(blocks)
    call.step()
    assert (call.more, blocks.closed) == (False, 1)


def test_a_call_abandoned_before_its_first_step_is_not_made() -> None:
    call = call_of(lambda *_: pytest.fail("it was called"))
    assert not call.abandon()
    assert (call.step(), call.more, call.body.closed) == (b"", False, True)


def test_blocks_that_are_written_come_before_the_first_block() -> None:
    def app(_environ: Any, start_response: Any) -> list[bytes]:
        write = start_response("200 OK", TEXT)
        write(b"a")
        write(b"b")
        return [b"c"]

    assert steps(call_of(app)) == [b"abc"]


def test_a_call_that_is_over_is_not_left_to_the_garbage_collector() -> None:
    environ: dict[str, Any] = {
        "REQUEST_METHOD": "GET",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.input": BytesIO(),
    }
    call = WSGICall(lambda _environ, start_response: start_response("200 OK", TEXT) and [], environ)
    environ["micro.rest"] = call.rest
    call.step()
    over = weakref.ref(call)
    del call, environ
    assert over() is None
