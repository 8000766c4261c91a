"""Retries an operation on the job table, with backoff, until the table answers or a deadline passes."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from micro.errors import StoreUnavailable

log = logging.getLogger(__name__)

PATIENCE = 600.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 10.0

Outcome = TypeVar("Outcome")


def persist(operation: Callable[[], Outcome], what: str, patience: float = PATIENCE) -> Outcome:
    """Retry ``operation`` until the job table answers, and return its result.

    ``what`` names the operation in the log. After ``patience`` seconds its StoreUnavailable is raised.
    """
    deadline = time.monotonic() + patience
    pause = _FIRST_PAUSE
    told = False
    while True:
        try:
            return operation()
        except StoreUnavailable as err:
            if time.monotonic() + pause > deadline:
                log.error("The %s is given up, the job table does not answer: %s", what, err.message)
                raise
            if not told:
                log.warning("The %s waits for the job table: %s", what, err.message)
            told = True
        time.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE)
