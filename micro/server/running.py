"""What a running Micro with the same PID folder tells other commands."""

from __future__ import annotations

import fcntl
import os
from dataclasses import dataclass
from pathlib import Path

from micro.errors import ConfigError
from micro.layers import restore_settings
from micro.runtime.files import is_alive
from micro.server.child import settings_file
from micro.server.folders import prepare_folders
from micro.settings import Settings


@dataclass(frozen=True)
class Running:
    """A Micro that runs: the process of its supervisor, and its settings as it resolved them."""

    pid: int
    settings: Settings


def find_running(settings: Settings) -> Running | None:
    """Return the Micro that runs with the PID folder of these settings, None if none does.

    Raises ConfigError for one whose settings only another user may read, as they hold secrets.
    """
    # The user's own comes first: it has another folder where the default cannot be written.
    for given in (prepare_folders(settings)[0], settings):
        pid = _holder(given.pid_folder_path / "micro.pid")
        restored = None if pid is None else _restore(settings_file(given))
        if pid is not None and restored is not None:
            return Running(pid, restored)
    return None


def settings_in_use(settings: Settings) -> Settings:
    """Return the settings of the Micro that runs with the same PID folder, else these.

    The folders in them are those that such a Micro uses, so that its job table is found at any time.
    """
    running = find_running(settings)
    return running.settings if running else prepare_folders(settings)[0]


def _holder(path: Path) -> int | None:
    """Return the process that holds the PID file, None if none does."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        # What a dead process left is told from its number first, as a free lock would be ours for a moment
        # in which another Micro may want it.
        pid = int(os.read(descriptor, 32) or 0)
        return pid if pid and is_alive(pid) and _is_locked(descriptor) else None
    finally:
        os.close(descriptor)


def _is_locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


def _restore(path: Path) -> Settings | None:
    """Read the settings; None while they are not written yet, or no more there."""
    try:
        return restore_settings(path.read_text())
    except FileNotFoundError:
        return None
    except PermissionError as err:
        raise ConfigError(
            f"Micro runs with the PID folder '{path.parent}' as another user, and '{path}' is only for that"
            " one to read; run this command as that user."
        ) from err
