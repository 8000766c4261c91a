from __future__ import annotations

import time

from micro.retry import Backoff


def test_the_pauses_grow_to_the_longest() -> None:
    backoff = Backoff(5, first=0.01, longest=0.04)
    pauses = []
    for _ in range(5):
        began = time.monotonic()
        assert backoff.wait()
        pauses.append(time.monotonic() - began)
    for pause, least in zip(pauses, (0.005, 0.01, 0.02, 0.02, 0.02), strict=True):
        assert pause >= least


def test_it_gives_up_instead_of_passing_the_deadline() -> None:
    backoff = Backoff(0.05, first=0.04, longest=1)
    began = time.monotonic()
    assert backoff.wait()
    assert not backoff.wait()
    assert time.monotonic() - began < 1


def test_a_success_starts_anew() -> None:
    backoff = Backoff(0.05, first=0.04, longest=1)
    assert backoff.wait()
    assert not backoff.wait()
    backoff.reset()
    assert backoff.wait()
