"""Retries calls, with backoff and a deadline, while the service cannot be reached."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

from micro.client.errors import NoAnswer, ServiceUnreachable

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0
_PATIENCE = 3.0

Answer = TypeVar("Answer")


class Patience:
    """Waits between attempts, longer each time, for at most ``seconds`` after the first failure."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.succeeded()

    def succeeded(self) -> None:
        """Reset: the next failure starts with the shortest wait and a new deadline."""
        self._pause = _FIRST_PAUSE
        self._deadline: float | None = None

    def wait(self, error: Exception) -> None:
        """Wait before the next attempt; raise ``error`` if the deadline would pass meanwhile."""
        now = time.monotonic()
        self._deadline = self._deadline or now + self._seconds
        if now + self._pause > self._deadline:
            raise error
        # Random, so that clients do not all retry at the same moment when a service restarts.
        time.sleep(self._pause * random.uniform(0.5, 1))
        self._pause = min(self._pause * 2, _LONGEST_PAUSE)


def repeated(call: Callable[[], Answer], *, repeatable: bool) -> Answer:
    """Retry ``call`` for three seconds; if it is not ``repeatable``, only while it cannot have arrived.

    NoAnswer is not retried: it has taken the whole timeout already.
    """
    patience = Patience(_PATIENCE)
    while True:
        try:
            return call()
        except NoAnswer:
            raise
        except ServiceUnreachable as err:
            if err.sent and not repeatable:
                raise
            patience.wait(err)
