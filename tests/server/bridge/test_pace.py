"""Which paths are taken for quick."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from micro.server.leaders import MOMENT
from micro.server.pace import Pace


def wait(seconds: float) -> None:
    threading.Event().wait(seconds)


def becomes_quick(pace: Pace, path: str = "/quick") -> bool:
    """Tell whether the path is quick, or soon will be: a machine with much else to do makes calls slow."""
    for _ in range(1000):
        if pace.is_quick(path):
            return True
        pace.timed(path, int)
    return False


@pytest.fixture
def pace() -> Pace:
    pace = Pace()
    for _ in range(40):
        pace.timed("/quick", int)
    return pace


def test_a_path_is_quick_after_many_quick_calls() -> None:
    pace = Pace()
    pace.timed("/a", int)
    assert not pace.is_quick("/a")
    assert becomes_quick(pace, "/a")
    assert not pace.is_quick("/b")


@pytest.mark.parametrize("name", ["timed", "doubted"])
def test_a_call_that_waits_is_not_quick(pace: Pace, name: str) -> None:
    call: Callable[..., None] = getattr(pace, name)
    call("/quick", lambda: wait(0.01))
    assert not pace.is_quick("/quick")


def test_the_longer_a_call_was_the_longer_its_path_is_slow_but_for_that_above_a_moment() -> None:
    def score_after(seconds: float) -> float:
        pace = Pace()
        pace._note("/a", 30, seconds)
        return pace._scores["/a"]

    assert score_after(0.0005) > 30 > score_after(0.002) > score_after(MOMENT) == score_after(60)


def test_a_call_that_computes_long_is_not_quick(pace: Pace) -> None:
    def compute() -> None:
        end = time.thread_time() + 0.02
        while time.thread_time() < end:
            pass

    pace.timed("/quick", compute)
    assert not pace.is_quick("/quick")


def test_a_path_is_not_quick_while_it_is_doubted(pace: Pace) -> None:
    pace.doubted("/quick", lambda: [pace.is_quick("/quick")])
    seen = pace.doubted("/quick", lambda: [pace.is_quick("/quick")])
    assert seen == [False]
    assert becomes_quick(pace)


def test_a_call_that_fails_counts_too(pace: Pace) -> None:
    def fail() -> None:
        wait(0.01)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        pace.timed("/quick", fail)
    assert not pace.is_quick("/quick")


def test_paths_that_are_asked_for_once_take_no_room_for_ever(pace: Pace) -> None:
    for number in range(5000):
        pace.timed(f"/{number}", int)
        pace.doubted("/quick", int)
    assert len(pace._scores) <= 1024
    assert becomes_quick(pace)


def test_many_threads_may_ask_for_ever_new_paths(pace: Pace) -> None:
    def ask(number: int) -> None:
        for each in range(2000):
            pace.timed(f"/{number}/{each}", int)
            pace.doubted(f"/{each % 7}", int)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(ask, range(8)))
    finally:
        sys.setswitchinterval(before)
    assert len(pace._scores) <= 1024
