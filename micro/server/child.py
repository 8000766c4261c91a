"""What the child processes share: their settings, their ready file, their exit codes."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from micro.errors import MicroError
from micro.layers import dump_settings, restore_settings
from micro.server.logs import configure_logging
from micro.settings import Settings

REASON = "Error: "
"""What the line begins with in which a child tells why it ends."""


def settings_file(settings: Settings) -> Path:
    """Name the file that carries the settings to the children."""
    return settings.pid_folder_path / "micro.settings"


def write_settings(settings: Settings) -> None:
    """Write the resolved settings for the children; the file is the owner's alone, as it holds secrets."""
    path = settings_file(settings)
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(dump_settings(settings))


def run_child(main: Callable[[Settings, str], int], argv: list[str] | None = None) -> int:
    """Run ``main`` with the settings file and the name that the supervisor gave as arguments.

    Returns the exit code; a MicroError is told in one line.
    """
    file, name = argv or sys.argv[1:]
    settings = restore_settings(Path(file).read_text())
    configure_logging(settings.log_level)
    try:
        return main(settings, name)
    except MicroError as err:
        print(f"{REASON}{err.message}", file=sys.stderr, flush=True)
        return err.exit_code


def tell_ready(settings: Settings, name: str, pid: int, **facts: Any) -> None:
    """Write the ready file that the supervisor waits for; it appears whole or not at all."""
    path = _ready_file(settings, name)
    draft = path.with_suffix(f".{os.getpid()}")
    draft.write_text(json.dumps({"pid": pid, **facts}))
    draft.replace(path)


def read_ready(settings: Settings, name: str) -> dict[str, Any] | None:
    """Return what the child of that name told when it was ready, None as long as it has not."""
    try:
        facts: dict[str, Any] = json.loads(_ready_file(settings, name).read_text())
    except FileNotFoundError:
        return None
    return facts


def reason_in(lines: Sequence[str]) -> str:
    """Return the reason that a child told among its last lines, empty if it told none."""
    return next((each.removeprefix(REASON) for each in reversed(lines) if each.startswith(REASON)), "")


def forget(settings: Settings, names: Iterable[str]) -> None:
    """Remove the files of the children of these names: ready file, PID file, and the settings of all."""
    settings_file(settings).unlink(missing_ok=True)
    for name in names:
        _ready_file(settings, name).unlink(missing_ok=True)
        (settings.pid_folder_path / f"{name}.pid").unlink(missing_ok=True)


def _ready_file(settings: Settings, name: str) -> Path:
    return settings.pid_folder_path / f"{name}.ready"
