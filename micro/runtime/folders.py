"""Creates the log, PID and state folders, and locks the PID folder against a second Micro."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from micro.config.settings import DEFAULT, Settings
from micro.errors import AlreadyRunning, ConfigError
from micro.runtime.files import lock, remove

_FALLBACKS = {"log_folder_path": "log", "pid_folder_path": "run", "state_folder_path": "state"}


def prepare_folders(settings: Settings) -> tuple[Settings, str]:
    """Create the log, PID and state folders; return the settings with the folders in use, and a message.

    A default folder that cannot be written is replaced by one in the user's state directory, also if the
    default comes from a file that `micro -d` has written; the message says so, and is empty otherwise.
    Raises ConfigError if a folder that the user chose cannot be used.
    """
    moved: dict[str, Any] = {}
    for name in _FALLBACKS:
        folder: Path = getattr(settings, name)
        problem = _problem(folder)
        if problem and settings.source(name) != DEFAULT and folder != getattr(Settings, name):
            where = f"Setting '{name}' ({settings.source(name)})"
            raise ConfigError(f"{where}: expected a folder that can be written, but '{folder}' {problem}.")
        if problem:
            moved[name] = _instead(name, folder, problem)
    if not moved:
        return settings, ""
    before = ", ".join(str(getattr(settings, name)) for name in moved)
    after = ", ".join(str(folder) for folder in moved.values())
    return replace(settings, **moved), f"{before} cannot be written; instead used: {after}"


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Write and lock the PID file while the context is active.

    Raises AlreadyRunning if another Micro holds the lock.
    """
    path = folder / "micro.pid"
    descriptor = _lock(path)
    try:
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        yield
    finally:
        remove(path)
        os.close(descriptor)


def _lock(path: Path) -> int:
    while True:
        descriptor = _open(path)
        if not lock(descriptor):
            pid = os.read(descriptor, 32).decode().strip()
            os.close(descriptor)
            raise AlreadyRunning(
                f"Micro is already running with the PID folder '{path.parent}' (process {pid});"
                " `micro stop` ends it, or name another folder with -pp."
            )
        # Try again if a Micro that was ending removed the file between our open() and our lock.
        if path.exists() and os.path.samestat(path.stat(), os.fstat(descriptor)):
            return descriptor
        os.close(descriptor)


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as err:
        raise ConfigError(
            f"The PID file '{path}' cannot be written ({err.strerror}); name another folder with -pp."
        ) from err


def _instead(name: str, folder: Path, problem: str) -> Path:
    instead = _state_directory() / _FALLBACKS[name]
    if again := _problem(instead):
        raise ConfigError(f"'{folder}' {problem}, and '{instead}' {again}; set '{name}' to another folder.")
    return instead


def _problem(folder: Path) -> str:
    """Create the folder; return why it cannot be written, or an empty string if it can."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as err:
        return f"cannot be created ({err.strerror})"
    return "" if os.access(folder, os.W_OK | os.X_OK) else "is not writable"


def _state_directory() -> Path:
    from platformdirs import user_state_path

    try:
        return user_state_path("micro")
    except RuntimeError as err:
        raise ConfigError(
            "This user has no home directory for Micro's folders; set HOME, or MICRO_LOG_FOLDER_PATH,"
            " MICRO_PID_FOLDER_PATH and MICRO_STATE_FOLDER_PATH."
        ) from err
