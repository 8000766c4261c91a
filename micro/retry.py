"""Pauses between attempts that grow, up to a deadline."""

from __future__ import annotations

import random
import time


class Backoff:
    """Waits between attempts, from ``first`` seconds, doubled each time, to ``longest`` seconds.

    ``limit`` is how many seconds after the first failure the attempts are given up.
    """

    def __init__(self, limit: float, first: float, longest: float) -> None:
        self._limit, self._first, self._longest = limit, first, longest
        self.reset()

    def reset(self) -> None:
        """Forget all failures: the next one starts with the shortest pause and a new deadline."""
        self._pause = self._first
        self._deadline: float | None = None

    def wait(self) -> bool:
        """Wait before the next attempt; return False, at once, if the deadline would pass meanwhile."""
        now = time.monotonic()
        if self._deadline is None:
            self._deadline = now + self._limit
        if now + self._pause > self._deadline:
            return False
        # Random, so that processes do not all retry at the same moment when a server restarts.
        time.sleep(self._pause * random.uniform(0.5, 1))
        self._pause = min(self._pause * 2, self._longest)
        return True
