"""Reads and writes the ready files, in which each process records that it is up and what it serves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from micro.config.settings import Settings
from micro.errors import MicroError
from micro.runtime.files import remove, write_whole

REST = "rest"


class NotTold(MicroError):
    """A process cannot write its ready file to the PID folder."""

    code = "not-told"


def process_names(settings: Settings) -> list[str]:
    """Return the names of the serving processes: the REST server and the Celery nodes."""
    count = settings.celery_workers if settings.celery else 0
    nodes = [f"worker{number}" for number in range(1, count + 1)]
    return [*([REST] if settings.gunicorn else []), *nodes]


def tell_ready(settings: Settings, name: str, pid: int, generation: int = 1, **facts: Any) -> None:
    """Write the ready file and the PID file of a process, each atomically.

    Does nothing if a newer generation has already written its ready file: the old process only finishes its
    runs. Raises NotTold if a file cannot be written.
    """
    before = read_ready(settings, name) or {}
    told = json.loads(json.dumps({"pid": pid, "generation": generation, **facts}))
    # All gunicorn workers write the same content; skip the write so that a late one survives a full disk.
    if before == told or before.get("generation", 0) > generation:
        return
    try:
        write_whole(settings.pid_folder_path / f"{name}.pid", f"{pid}\n", 0o644)
        write_whole(_ready_file(settings, name), json.dumps(told))
    except OSError as err:
        raise NotTold(f"{name} cannot tell that it is up: {cannot_be_written(settings, err)}") from err


def tell_left(settings: Settings, name: str, pid: int) -> None:
    """Record that the process accepts no new work."""
    write_whole(_left_file(settings, name), f"{pid}\n")


def has_left(settings: Settings, name: str, pid: int) -> bool:
    """Return True if the process has recorded that it accepts no new work."""
    try:
        return int(_left_file(settings, name).read_text()) == pid
    except FileNotFoundError:
        return False


def read_ready(settings: Settings, name: str) -> dict[str, Any] | None:
    """Return the content of the process's ready file.

    Returns None if the file does not exist, or if this user may not read it.
    """
    try:
        facts: dict[str, Any] = json.loads(_ready_file(settings, name).read_text())
    except (FileNotFoundError, PermissionError):
        return None
    return facts


def generations(settings: Settings) -> dict[str, int]:
    """Map the name of each process that came up to the generation it serves.

    A reload is complete when all generations are equal.
    """
    told = {name: read_ready(settings, name) for name in process_names(settings)}
    return {name: facts["generation"] for name, facts in told.items() if facts}


def newest(settings: Settings) -> dict[str, Any]:
    """Return the ready file of a process of the newest generation; empty if there is none."""
    told = (read_ready(settings, name) for name in process_names(settings))
    return max(filter(None, told), key=lambda facts: int(facts["generation"]), default={})


def forget(settings: Settings, name: str) -> None:
    """Remove the files of the process of this name."""
    for path in (_ready_file(settings, name), _left_file(settings, name)):
        remove(path)
    remove(settings.pid_folder_path / f"{name}.pid")


def cannot_be_written(settings: Settings, err: OSError) -> str:
    """Return a message that the PID folder cannot be written, with the cause."""
    return f"the folder '{settings.pid_folder_path}' cannot be written ({err.strerror})"


def _ready_file(settings: Settings, name: str) -> Path:
    return settings.pid_folder_path / f"{name}.ready"


def _left_file(settings: Settings, name: str) -> Path:
    return settings.pid_folder_path / f"{name}.left"
