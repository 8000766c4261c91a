from __future__ import annotations

import threading
import time

from micro.runtime.health import NotReady, Readiness


def test_every_check_is_asked_and_what_it_raises_is_its_finding() -> None:
    readiness = Readiness()

    def fail() -> str:
        raise NotReady("the table at db://me:secret@host is away")

    def break_() -> str:
        raise OSError("no\nroute")

    readiness.add("good", lambda: "fine")
    readiness.add("bad", fail, remote=True)
    readiness.add("broken", break_)
    found = {each.name: (each.passed, each.detail) for each in readiness.results()}
    assert found == {
        "good": (True, "fine"),
        "bad": (False, "the table at db://me:**********@host is away"),
        "broken": (False, "OSError: no route"),
    }


def test_a_remote_check_is_asked_once_a_second_at_most_and_a_local_one_each_time() -> None:
    readiness, asked = Readiness(), []

    def check(name: str) -> str:
        asked.append(name)
        return "fine"

    readiness.add("here", lambda: check("here"))
    readiness.add("there", lambda: check("there"), remote=True)
    for _ in range(5):
        readiness.results()
    assert asked.count("here") == 5
    assert asked.count("there") == 1


def test_a_check_that_hangs_holds_nobody_up_and_passes_when_it_answers_at_last() -> None:
    readiness, gate = Readiness(patience=0.2), threading.Event()
    readiness.add("slow", lambda: "fine" if gate.wait(20) else "", remote=True)
    (first,) = readiness.results()
    assert (first.passed, first.detail) == (False, "no answer within 0.2 s")
    before = time.monotonic()
    # The next ones do not wait again.
    assert [readiness.results()[0].passed for _ in range(20)] == [False] * 20
    assert time.monotonic() - before < 3
    gate.set()
    deadline = time.monotonic() + 8
    while not readiness.results()[0].passed:
        assert time.monotonic() < deadline
