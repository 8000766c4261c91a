"""Closes what must not be carried through a fork, and waits for what is using it."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable
from types import TracebackType

# Longer than any statement waits for a lock.
_PATIENCE = 15.0


class ForkGate:
    """Lets threads work at the same time, and a fork happen only when none does.

    A connection to SQLite, even an idle one, keeps its locks in memory that a fork copies:
    the child would believe it holds them, and the file could be destroyed. A connection to
    PostgreSQL would be spoken to by two. So before a fork ``close`` is called once
    nobody works, and in the child ``forget`` replaces what threads may have left locked. The
    wait is bounded; after that the fork goes on all the same.
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
