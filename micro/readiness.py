"""The checks that tell whether a process can do its work, each bounded in time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

from micro.errors import MicroError, one_line
from micro.secrets import masked_urls

Found = TypeVar("Found")
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
        self._remote: dict[str, Inquiry[Result]] = {}

    def add(self, name: str, check: Check, *, remote: bool = False) -> None:
        """Add a check, in place of one of the same name."""
        if remote:
            self._remote[name] = Inquiry(partial(ask, name, check), _KEEP_SECONDS)
        else:
            self._local[name] = check

    def results(self) -> list[Result]:
        """Ask every check, and return what each found."""
        found = [ask(name, check) for name, check in self._local.items()]
        remote = list(self._remote.items())
        for _, each in remote:
            each.begin()
        deadline = time.monotonic() + self._patience
        late = f"no answer within {self._patience:g} s"
        return found + [
            each.end(deadline, self._patience) or Result(name, False, late) for name, each in remote
        ]


class Inquiry(Generic[Found]):
    """A question whose answer may be long in coming: it gets a thread, one at a time.

    What was found is kept for ``keep`` seconds.
    """

    def __init__(self, look: Callable[[], Found], keep: float) -> None:
        self._look, self._keep = look, keep
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._found: Found | None = None
        self._began = self._ended = float("-inf")

    def begin(self) -> None:
        """Start to look, unless that goes on, or the last look was a moment ago."""
        with self._lock:
            if self._began > self._ended or time.monotonic() - self._ended < self._keep:
                return
            self._began = time.monotonic()
            self._done.clear()
            threading.Thread(target=self._run, name="inquiry", daemon=True).start()

    def end(self, deadline: float, patience: float) -> Found | None:
        """Return what was found, waiting for it until the deadline; None if nothing was by then."""
        # One that hangs was waited for once; the next who asks is told at once.
        left = min(deadline, self._began + patience) - time.monotonic()
        return self._found if self._done.wait(max(left, 0)) else None

    def _run(self) -> None:
        self._found = self._look()
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
