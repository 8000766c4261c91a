"""Calls functions periodically from one thread, which ends when there is nothing to call."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

log = logging.getLogger(__name__)

_LINGER_SECONDS = 10.0


class PeriodicCalls:
    """Calls each added function about every ``seconds`` until it is removed.

    One thread serves all functions, because starting a thread for each short run would cost more than the
    run. The thread stays for ``linger`` seconds after the last function, because another is likely to come.
    """

    def __init__(self, seconds: float, linger: float = _LINGER_SECONDS) -> None:
        self._seconds, self._linger = seconds, linger
        self._calls: dict[Callable[[], object], None] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def add(self, call: Callable[[], object]) -> None:
        """Start calling the function; adding it a second time changes nothing."""
        with self._lock:
            self._calls[call] = None
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="ticker", daemon=True)
                self._thread.start()

    def remove(self, call: Callable[[], object]) -> None:
        """Stop calling the function; a call that has begun is not interrupted."""
        with self._lock:
            self._calls.pop(call, None)

    def _run(self) -> None:
        needed = time.monotonic()
        while True:
            time.sleep(self._seconds)
            with self._lock:
                calls = [*self._calls]
                if calls:
                    needed = time.monotonic()
                elif time.monotonic() - needed > self._linger:
                    self._thread = None
                    return
            for call in calls:
                _guarded(call)


def _guarded(call: Callable[[], object]) -> None:
    try:
        call()
    except Exception:
        # The thread's outermost edge: an error of one function must not stop the calls of the others.
        log.exception("A periodic call failed")
