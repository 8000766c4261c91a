"""Retries an operation on the job table, with backoff, until the table answers or a deadline passes."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from micro.errors import StoreUnavailable
from micro.retry import Backoff

log = logging.getLogger(__name__)

RETRY_SECONDS = 600.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 10.0

Outcome = TypeVar("Outcome")


def retry(operation: Callable[[], Outcome], what: str, limit: float = RETRY_SECONDS) -> Outcome:
    """Retry ``operation`` until the job table answers, and return its result.

    ``what`` names the operation in the log. After ``limit`` seconds its StoreUnavailable is raised.
    """
    backoff = Backoff(limit, _FIRST_PAUSE, _LONGEST_PAUSE)
    warned = False
    while True:
        try:
            return operation()
        except StoreUnavailable as err:
            if not warned:
                log.warning("The %s waits for the job table: %s", what, err.message)
            warned = True
            if not backoff.wait():
                log.error("The %s is given up, the job table does not answer: %s", what, err.message)
                raise
