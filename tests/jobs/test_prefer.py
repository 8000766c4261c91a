"""The headers with which a caller asks for a job."""

from __future__ import annotations

import pytest

from micro.api.rest.prefer import Preference, read_preference
from micro.errors import BadRequest


@pytest.mark.parametrize("header", [None, "", "return=minimal", "handling=lenient; x=y", "wait", "wait=soon"])
def test_without_a_preference_for_a_job_a_run_is_a_plain_one(header: str | None) -> None:
    assert read_preference({"Prefer": header} if header is not None else {}) is None


@pytest.mark.parametrize(
    ("header", "wait", "applied"),
    [
        ("respond-async", 0, "respond-async"),
        ("Respond-Async", 0, "respond-async"),
        ("return=minimal, respond-async", 0, "respond-async"),
        ("wait=5", 5, "wait=5"),
        ('wait = "5"', 5, "wait=5"),
        ("wait=0", 0, "wait=0"),
        ("respond-async, wait=10", 10, "wait=10"),
        ("wait=10;x=1, respond-async", 10, "wait=10"),
        # The first one counts (RFC 7240, 2).
        ("wait=1, wait=2", 1, "wait=1"),
        # As long as a connection may be expected to last.
        ("wait=86400", 300, "wait=300"),
        ("wait=-5, respond-async", 0, "respond-async"),
        ("wait=٣, respond-async", 0, "respond-async"),
    ],
)
def test_what_a_caller_prefers(header: str, wait: float, applied: str) -> None:
    assert read_preference({"Prefer": header}) == Preference(wait, None, applied)


@pytest.mark.parametrize("header", ["order-7", '"order-7"', "  order-7 "])
def test_a_key_alone_makes_a_job_for_which_the_caller_waits(header: str) -> None:
    assert read_preference({"Idempotency-Key": header}) == Preference(30, "order-7", "")


def test_a_key_goes_with_any_preference() -> None:
    headers = {"Prefer": "respond-async", "Idempotency-Key": "order-7"}
    assert read_preference(headers) == Preference(0, "order-7", "respond-async")


@pytest.mark.parametrize("key", ["", '""', "x" * 256, "a\tb", "\x7f"])
def test_a_key_that_is_none_is_refused(key: str) -> None:
    with pytest.raises(BadRequest, match="must be 1 to 255 printable characters"):
        read_preference({"Idempotency-Key": key})
