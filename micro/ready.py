"""The files by which the processes of a Micro tell that they are ready, and what they serve."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from micro.errors import MicroError
from micro.runtime.files import remove, write_whole
from micro.settings import Settings

REST = "rest"


class NotTold(MicroError):
    """A process could not write to the PID folder what others wait for."""

    code = "not-told"


def process_names(settings: Settings) -> list[str]:
    """Name the processes that serve: the REST server and the Celery nodes."""
    count = settings.celery_workers if settings.celery else 0
    nodes = [f"worker{number}" for number in range(1, count + 1)]
    return [*([REST] if settings.gunicorn else []), *nodes]


def tell_ready(settings: Settings, name: str, pid: int, generation: int = 1, **facts: Any) -> None:
    """Write the ready file and the PID file of a process; each appears whole or not at all.

    One of an older generation, which may still finish what it runs, keeps silent once its successor has
    told. Raises NotTold.
    """
    before = read_ready(settings, name) or {}
    told = json.loads(json.dumps({"pid": pid, "generation": generation, **facts}))
    # Of gunicorn's workers each tells the same; one that comes later must not need room on a full disk.
    if before == told or before.get("generation", 0) > generation:
        return
    try:
        write_whole(settings.pid_folder_path / f"{name}.pid", f"{pid}\n", 0o644)
        write_whole(_ready_file(settings, name), json.dumps(told))
    except OSError as err:
        raise NotTold(f"{name} cannot tell that it is up: {cannot_be_written(settings, err)}") from err


def tell_left(settings: Settings, name: str, pid: int) -> None:
    """Tell that the process takes no new work any more."""
    write_whole(_left_file(settings, name), f"{pid}\n")


def has_left(settings: Settings, name: str, pid: int) -> bool:
    """Return whether the process has told that it takes no new work."""
    try:
        return int(_left_file(settings, name).read_text()) == pid
    except FileNotFoundError:
        return False


def read_ready(settings: Settings, name: str) -> dict[str, Any] | None:
    """Return what the process of that name told when it was ready.

    None as long as it has not, or if it has not told it to this user.
    """
    try:
        facts: dict[str, Any] = json.loads(_ready_file(settings, name).read_text())
    except (FileNotFoundError, PermissionError):
        return None
    return facts


def generations(settings: Settings) -> dict[str, int]:
    """Return the generation that each process serves, by its name; one that never came up is not there.

    A reload is over, and all transports answer alike, when they are all the same.
    """
    told = {name: read_ready(settings, name) for name in process_names(settings)}
    return {name: facts["generation"] for name, facts in told.items() if facts}


def newest(settings: Settings) -> dict[str, Any]:
    """Return what a process of the newest generation told, nothing as long as none has."""
    told = (read_ready(settings, name) for name in process_names(settings))
    return max(filter(None, told), key=lambda facts: int(facts["generation"]), default={})


def forget(settings: Settings, name: str) -> None:
    """Remove the files of the process of this name."""
    for path in (_ready_file(settings, name), _left_file(settings, name)):
        remove(path)
    remove(settings.pid_folder_path / f"{name}.pid")


def cannot_be_written(settings: Settings, err: OSError) -> str:
    """Say what is wrong with the PID folder."""
    return f"the folder '{settings.pid_folder_path}' cannot be written ({err.strerror})"


def _ready_file(settings: Settings, name: str) -> Path:
    return settings.pid_folder_path / f"{name}.ready"


def _left_file(settings: Settings, name: str) -> Path:
    return settings.pid_folder_path / f"{name}.left"
