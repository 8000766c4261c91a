"""The checks that tell whether a process can do its work, each bounded in time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from micro.errors import MicroError, one_line
from micro.secrets import masked_urls

Check = Callable[[], str]
"""Returns in a few words what it found; raises NotReady, or whatever else, where work cannot be done."""

_PATIENCE_SECONDS = 2.0
_KEEP_SECONDS = 1.0


class NotReady(MicroError):
    """The process cannot do its work now; the sentence says why."""

    status = 503
    code = "not-ready"


@dataclass(frozen=True)
class Result:
    """What a check found: whether it passed, and in a few words what it saw."""

    name: str
    passed: bool
    detail: str


class Readiness:
    """The checks of one process, in the order in which they were added; ``patience`` is in seconds.

    A check that looks elsewhere, ``remote``, gets a thread, so that one which hangs holds nobody up for
    longer than that, and what it found is kept for a second.
    """

    def __init__(self, patience: float = _PATIENCE_SECONDS) -> None:
        self._patience = patience
        self._local: dict[str, Check] = {}
        self._remote: dict[str, _Remote] = {}

    def add(self, name: str, check: Check, *, remote: bool = False) -> None:
        """Add a check, in place of one of the same name."""
        if remote:
            self._remote[name] = _Remote(name, check)
        else:
            self._local[name] = check

    def results(self) -> list[Result]:
        """Ask every check, and return what each found."""
        found = [ask(name, check) for name, check in self._local.items()]
        remote = list(self._remote.values())
        for each in remote:
            each.begin()
        deadline = time.monotonic() + self._patience
        return found + [each.end(deadline, self._patience) for each in remote]


class _Remote:
    """A check in a thread of its own, one at a time."""

    def __init__(self, name: str, check: Check) -> None:
        self._name, self._check = name, check
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._result: Result | None = None
        self._began = self._ended = float("-inf")

    def begin(self) -> None:
        """Start to look, unless that goes on, or the last look was a moment ago."""
        with self._lock:
            if self._began > self._ended or time.monotonic() - self._ended < _KEEP_SECONDS:
                return
            self._began = time.monotonic()
            self._done.clear()
            threading.Thread(target=self._look, name=f"check-{self._name}", daemon=True).start()

    def end(self, deadline: float, patience: float) -> Result:
        """Return what was found, waiting for it until the deadline."""
        # One that hangs was waited for once; the next who asks is told at once.
        left = min(deadline, self._began + patience) - time.monotonic()
        if self._done.wait(max(left, 0)) and self._result:
            return self._result
        return Result(self._name, False, f"no answer within {patience:g} s")

    def _look(self) -> None:
        self._result = ask(self._name, self._check)
        with self._lock:
            self._ended = time.monotonic()
            self._done.set()


def ask(name: str, check: Check) -> Result:
    """Ask one check; what it raises is its finding."""
    try:
        return Result(name, True, masked_urls(check()))
    except MicroError as err:
        return Result(name, False, masked_urls(err.message))
    # A library's or a plugin's own check: the border of what is asked.
    except Exception as err:
        return Result(name, False, masked_urls(one_line(err)))
