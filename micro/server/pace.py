"""Tells from how long the calls of a path took whether the next one is likely to be quick."""

from __future__ import annotations

import resource
from collections.abc import Callable
from threading import Lock
from time import perf_counter
from typing import Any

from micro.server.leaders import MOMENT

QUICK_SECONDS = 0.001
"""Calls that are no longer are quick: to hand one to another thread would take a good part of that."""

_PROVEN = 16
_MOST = 32
_COST = 8
_LEAST = -1000.0
_MOST_PATHS = 1024
# Linux tells of each thread how often it waited for something; elsewhere the time has to do.
_THREAD = getattr(resource, "RUSAGE_THREAD", None)


class Pace:
    """Keeps a score for each path: a quick call adds one, any other takes eight for each millisecond.

    So a path that is slow now and then is seldom taken for a quick one. A call of more than a moment takes no
    more than one of a moment: it costs the event loop no more, which another thread runs from then on.
    """

    def __init__(self) -> None:
        self._scores: dict[str, float] = {}
        self._lock = Lock()

    def is_quick(self, path: str) -> bool:
        """Tell whether nearly all calls were quick, and none that was doubted goes on still."""
        return self._scores.get(path, 0) >= _PROVEN

    def timed(self, path: str, function: Callable[[], Any]) -> Any:
        """Call the function, and change the score of the path by its time."""
        return self._timed(path, function)

    def doubted(self, path: str, function: Callable[[], Any]) -> Any:
        """Do so, and do not take the path for quick until it has returned."""
        with self._lock:
            score = self._scores.pop(path, 0)
        return self._timed(path, function, score)

    def _timed(self, path: str, function: Callable[[], Any], score: float | None = None) -> Any:
        cpu, waits = _used()
        began = perf_counter()
        try:
            return function()
        finally:
            seconds = perf_counter() - began
            if seconds > QUICK_SECONDS:
                cpu_after, waits_after = _used()
                if waits_after == waits:
                    # Other processes had the processor meanwhile.
                    seconds = cpu_after - cpu
            with self._lock:
                self._note(path, self._scores.get(path, 0) if score is None else score, seconds)

    def _note(self, path: str, score: float, seconds: float) -> None:
        if seconds <= QUICK_SECONDS:
            self._scores[path] = min(score + 1, _MOST)
        else:
            self._scores[path] = max(score - _COST * min(seconds, MOMENT) / QUICK_SECONDS, _LEAST)
        if len(self._scores) > _MOST_PATHS:
            # Those that are quick are put in again with each call.
            del self._scores[next(iter(self._scores))]


def _used() -> tuple[float, int]:
    """Return the CPU seconds of this thread, and how often it waited."""
    if _THREAD is None:
        return 0.0, 0
    usage = resource.getrusage(_THREAD)
    return usage.ru_utime + usage.ru_stime, usage.ru_nvcsw
