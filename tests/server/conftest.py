"""What the tests of processes share."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import pytest

Found = TypeVar("Found")


def _wait_until(find: Callable[[], Found], seconds: float = 20) -> Found:
    deadline = time.monotonic() + seconds
    while not (found := find()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)
    return found


def _is_gone(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    if Path("/proc/self").exists():
        try:
            return stat.read_text().rpartition(")")[2].split()[0] in "ZX"
        except (FileNotFoundError, ProcessLookupError):
            return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def _guard_of(pid: int) -> int | None:
    for status in Path("/proc").glob("[0-9]*/status"):
        with suppress(OSError):
            command = status.with_name("cmdline").read_text()
            if f"\nPPid:\t{pid}\n" in status.read_text() and "guard import main" in command:
                return int(status.parent.name)
    return None


@pytest.fixture
def wait_until() -> Callable[..., object]:
    """Call a function until it returns something true; fail after some seconds."""
    return _wait_until


@pytest.fixture
def is_gone() -> Callable[[int], bool]:
    """Tell whether a process has ended; a zombie that only waits to be reaped has."""
    return _is_gone


@pytest.fixture
def guard_of() -> Callable[[int], int | None]:
    """Find the process id of a supervisor's guard; None while it has none."""
    if not Path("/proc/self").exists():
        pytest.skip("finds the guard through /proc")
    return _guard_of
