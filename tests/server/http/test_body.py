"""Where a body is kept while it arrives, and what becomes of one that breaks off."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import pytest
from werkzeug.exceptions import RequestEntityTooLarge

from micro.server.http.body import (
    IN_MEMORY,
    BodyLimits,
    ClientDisconnected,
    RefusedBody,
    discard_body,
    receive_body,
)

LIMITS = BodyLimits(size=2 * IN_MEMORY)


def receiver(blocks: Iterable[bytes], breaks_off: bool = False) -> Callable[[], Awaitable[dict[str, Any]]]:
    blocks = list(blocks)

    async def receive() -> dict[str, Any]:
        if not blocks:
            return {"type": "http.disconnect"}
        body = blocks.pop(0)
        return {"type": "http.request", "body": body, "more_body": bool(blocks) or breaks_off}

    return receive


def receive(blocks: Iterable[bytes], declared: int | None = None) -> Any:
    return asyncio.run(receive_body(receiver(blocks), declared, LIMITS))


@pytest.mark.parametrize(
    ("blocks", "in_file"),
    [
        ([b""], False),
        ([b"abc"], False),
        ([b"a" * IN_MEMORY], False),
        ([b"ab", b"c"], False),
        ([b"a" * IN_MEMORY, b"b"], True),
        ([b"a" * IN_MEMORY] * 2, True),
    ],
)
def test_a_body_is_kept_in_memory_up_to_a_size(blocks: list[bytes], in_file: bool) -> None:
    with receive(blocks) as file:
        assert bool(getattr(file, "_rolled", False)) is in_file
        assert file.readline() == b"".join(blocks)


@pytest.mark.parametrize("blocks", [[b"a" * (2 * IN_MEMORY + 1)], [b"a" * IN_MEMORY, b"b" * (IN_MEMORY + 1)]])
def test_a_body_that_is_larger_than_the_limit_raises_when_it_is_read(blocks: list[bytes]) -> None:
    refused = receive(blocks)
    assert isinstance(refused, RefusedBody)
    for read in (refused.read, refused.readline, refused.readlines, lambda: refused.read(1)):
        with pytest.raises(RequestEntityTooLarge):
            read()
    assert refused.readable()


def test_a_body_that_is_declared_larger_than_the_limit_is_not_received() -> None:
    assert isinstance(receive([], declared=2 * IN_MEMORY + 1), RefusedBody)


@pytest.mark.parametrize("blocks", [[], [b"a"], [b"a" * IN_MEMORY, b"b"]])
def test_a_body_that_breaks_off_is_none(blocks: list[bytes]) -> None:
    with pytest.raises(ClientDisconnected):
        asyncio.run(receive_body(receiver(blocks, breaks_off=True), None, LIMITS))


def test_the_rest_of_a_refused_body_is_read_to_its_end() -> None:
    blocks = [b"a"] * 10
    left = receiver(blocks)

    async def main() -> None:
        await discard_body(left)
        assert (await left())["type"] == "http.disconnect"

    asyncio.run(main())
