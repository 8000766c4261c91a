"""Hands the resolved settings to the child processes in a file that only the owner may read."""

from __future__ import annotations

import os
from pathlib import Path

from micro.layers import dump_settings
from micro.settings import Settings


def settings_file(settings: Settings) -> Path:
    """Name the file that carries the settings to the children."""
    return settings.pid_folder_path / "micro.settings"


def write_settings(settings: Settings) -> None:
    """Write the resolved settings for the children; the file is the owner's alone, as it holds secrets."""
    path = settings_file(settings)
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(dump_settings(settings))
