"""Finds a running Micro by its PID folder, for commands such as ``micro status`` and ``micro stop``."""

from __future__ import annotations

import fcntl
import os
from dataclasses import dataclass
from pathlib import Path

from micro.config.loading import restore_settings
from micro.config.settings import Settings
from micro.errors import ConfigError
from micro.runtime.files import is_alive
from micro.runtime.folders import prepare_folders
from micro.runtime.settings_file import settings_file


@dataclass(frozen=True)
class Running:
    """A running Micro: the PID of its supervisor, and its resolved settings."""

    pid: int
    settings: Settings


def find_running(settings: Settings) -> Running | None:
    """Return the Micro that runs with the PID folder of these settings, or None if none does.

    Raises ConfigError if it belongs to another user, as its settings file contains secrets.
    """
    # Look first in the user's own folder, which replaces a default folder that the user cannot write.
    for given in (prepare_folders(settings)[0], settings):
        pid = _holder(given.pid_folder_path / "micro.pid")
        restored = None if pid is None else _restore(settings_file(given))
        if pid is not None and restored is not None:
            return Running(pid, restored)
    return None


def settings_in_use(settings: Settings) -> Settings:
    """Return the settings of the Micro that runs with the same PID folder or, if none does, these.

    The folders in them are the ones that such a Micro uses, so that its job table is found in both cases.
    """
    running = find_running(settings)
    return running.settings if running else prepare_folders(settings)[0]


def _holder(path: Path) -> int | None:
    """Return the PID of the process that holds the lock on the PID file, or None if none does."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        # Check the PID before the lock: testing a free lock acquires it for a moment, in which another Micro
        # could not start.
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
    """Return the settings in the file, or None if it is not written yet or already removed."""
    try:
        return restore_settings(path.read_text())
    except FileNotFoundError:
        return None
    except PermissionError as err:
        raise ConfigError(
            f"Micro runs with the PID folder '{path.parent}' as another user, and only that user can read"
            f" '{path}'; run this command as that user."
        ) from err
