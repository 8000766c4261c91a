"""Repeats what failed because the service could not be reached, as long as that is safe and not too long."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

from micro.client.trouble import NoAnswer, ServiceUnreachable

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0
_PATIENCE = 3.0

Answer = TypeVar("Answer")


class Patience:
    """Waits between attempts, longer each time, until ``seconds`` have passed without a success."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.succeeded()

    def succeeded(self) -> None:
        """Start over: what fails next is a new trouble."""
        self._pause = _FIRST_PAUSE
        self._deadline: float | None = None

    def wait(self, error: Exception) -> None:
        """Wait before the next attempt; raise ``error`` where there is to be none."""
        now = time.monotonic()
        self._deadline = self._deadline or now + self._seconds
        if now + self._pause > self._deadline:
            raise error
        # Not all at the same moment when a service comes back.
        time.sleep(self._pause * random.uniform(0.5, 1))
        self._pause = min(self._pause * 2, _LONGEST_PAUSE)


def repeated(call: Callable[[], Answer], *, repeatable: bool) -> Answer:
    """Call until it is answered; what is not ``repeatable`` only as long as it cannot have arrived."""
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
