"""Fork safety: closes database connections before a fork, once no thread uses them."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable
from types import TracebackType

# Seconds that a fork waits for running statements; longer than any of these waits for a lock.
_PATIENCE = 15.0


class ForkGate:
    """Lets threads use the database in parallel, and lets a fork happen only while none does.

    A context manager around each use. SQLite records a connection's locks in memory, which a
    fork copies: the child would believe that it holds them, and could corrupt the file. A
    connection to PostgreSQL would be used by two processes. So before a fork this waits until no
    thread uses the database, then calls ``close``; in the child it calls ``forget``, which
    replaces locks that threads of the parent may have held. The wait is bounded: after 15 seconds
    the fork goes on all the same.
    """

    def __init__(self, close: Callable[[], None], forget: Callable[[], None]) -> None:
        self._close = close
        self._forget = forget
        self._reset()
        reference = weakref.ref(self)
        os.register_at_fork(
            before=lambda: _call(reference, ForkGate._before),
            after_in_parent=lambda: _call(reference, ForkGate._after_in_parent),
            after_in_child=lambda: _call(reference, ForkGate._after_in_child),
        )

    def __enter__(self) -> None:
        with self._changed:
            while self._forks:
                self._changed.wait()
            self._working += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._changed:
            self._working -= 1
            if self._forks:
                self._changed.notify_all()

    def _before(self) -> None:
        with self._changed:
            self._forks += 1
            self._changed.wait_for(lambda: self._working == 0, timeout=_PATIENCE)
            self._close()

    def _after_in_parent(self) -> None:
        with self._changed:
            self._forks -= 1
            self._changed.notify_all()

    def _after_in_child(self) -> None:
        self._reset()
        self._forget()

    def _reset(self) -> None:
        self._changed = threading.Condition(threading.Lock())
        self._working = 0
        self._forks = 0


def _call(reference: weakref.ref[ForkGate], step: Callable[[ForkGate], None]) -> None:
    gate = reference()
    if gate is not None:
        step(gate)
