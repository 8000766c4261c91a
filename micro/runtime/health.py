"""Readiness checks of a process, each with a timeout."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

from micro.config.redaction import masked_urls
from micro.errors import MicroError, one_line

Found = TypeVar("Found")
Check = Callable[[], str]
"""Returns a short detail if the check passes; raises NotReady, or any exception, if it fails."""

_PATIENCE_SECONDS = 2.0
_KEEP_SECONDS = 1.0


class NotReady(MicroError):
    """The process is not ready; the message gives the reason."""

    status = 503
    code = "not-ready"


@dataclass(frozen=True)
class HealthResult:
    """The result of a check: whether it passed, and a short detail."""

    name: str
    passed: bool
    detail: str


class Readiness:
    """The readiness checks of one process, in the order in which they were added.

    ``patience`` is the timeout in seconds of ``remote`` checks, which ask another service: each runs in a
    thread of its own, so that a hanging check cannot block the caller. Its result is cached for a second.
    """

    def __init__(self, patience: float = _PATIENCE_SECONDS) -> None:
        self._patience = patience
        self._local: dict[str, Check] = {}
        self._remote: dict[str, Inquiry[HealthResult]] = {}

    def add(self, name: str, check: Check, *, remote: bool = False) -> None:
        """Add a check; it replaces a check of the same name."""
        if remote:
            self._remote[name] = Inquiry(partial(ask, name, check), _KEEP_SECONDS)
        else:
            self._local[name] = check

    def results(self) -> list[HealthResult]:
        """Run every check and return the results."""
        found = [ask(name, check) for name, check in self._local.items()]
        remote = list(self._remote.items())
        for _, each in remote:
            each.begin()
        deadline = time.monotonic() + self._patience
        late = f"no answer within {self._patience:g} s"
        return found + [
            each.end(deadline, self._patience) or HealthResult(name, False, late) for name, each in remote
        ]


class Inquiry(Generic[Found]):
    """A slow check that runs in a thread of its own, at most one at a time.

    The result is cached for ``keep`` seconds.
    """

    def __init__(self, look: Callable[[], Found], keep: float) -> None:
        self._look, self._keep = look, keep
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._found: Found | None = None
        self._began = self._ended = float("-inf")

    def begin(self) -> None:
        """Start the check, unless it is running or its cached result is still fresh."""
        with self._lock:
            if self._began > self._ended or time.monotonic() - self._ended < self._keep:
                return
            self._began = time.monotonic()
            self._done.clear()
            threading.Thread(target=self._run, name="inquiry", daemon=True).start()

    def end(self, deadline: float, patience: float) -> Found | None:
        """Wait for the result until ``deadline`` (``time.monotonic()``); return None on timeout."""
        # Count the patience from the start of the check: only the first caller waits for a hanging check.
        left = min(deadline, self._began + patience) - time.monotonic()
        return self._found if self._done.wait(max(left, 0)) else None

    def _run(self) -> None:
        self._found = self._look()
        with self._lock:
            self._ended = time.monotonic()
            self._done.set()


def ask(name: str, check: Check) -> HealthResult:
    """Run one check; an exception becomes a failed result."""
    try:
        return HealthResult(name, True, masked_urls(check()))
    except MicroError as err:
        return HealthResult(name, False, masked_urls(err.message))
    # The check may be a plugin's or a library's code, so any exception is possible.
    except Exception as err:
        return HealthResult(name, False, masked_urls(one_line(err)))
