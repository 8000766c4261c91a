"""Writes files atomically, locks files, and checks whether a process is alive.

Only the standard library is imported here, as the small program of ``orphan_guard`` uses this module too.
"""

from __future__ import annotations

import fcntl
import os
import threading
from contextlib import suppress
from pathlib import Path


def is_alive(pid: int) -> bool:
    """Return True if the process runs, whichever user owns it; a zombie does not run."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    # macOS has no such file: there a zombie counts as running until it is reaped.
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] != b"Z"
    return True


def write_whole(path: Path, text: str, mode: int = 0o640) -> None:
    """Write a draft of the file, then rename it: readers see the old or the whole new text.

    By default the owner and the group may read it. The group includes the user that gunicorn's setting
    ``user`` names. Others may not, because causes of failures may hold private details.
    """
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w") as file:
            file.write(text)
        draft.replace(path)
    except OSError:
        remove(draft)
        raise


def create_whole(path: Path, content: bytes = b"", mode: int = 0o600) -> None:
    """Write a draft of a new file, then link it to its name; an existing file stays as it is."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    # A killed process may have left its draft, which may be linked to a file in use.
    draft.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(content)
        with suppress(FileExistsError):
            path.hardlink_to(draft)
    finally:
        draft.unlink(missing_ok=True)


def remove(path: Path) -> None:
    """Remove the file if it exists and can be removed; a file left on a read-only disk does no harm."""
    with suppress(OSError):
        path.unlink()


def lock(descriptor: int, *, wait: bool = False) -> bool:
    """Lock an open file until it is closed; return False if another process has locked it.

    With ``wait``, wait until the lock is free.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
