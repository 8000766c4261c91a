"""The file that passes the resolved settings to the child processes; only its owner may read it."""

from __future__ import annotations

import os
from pathlib import Path

from micro.config.loading import dump_settings
from micro.config.settings import Settings


def settings_file(settings: Settings) -> Path:
    """Return the path of the file that passes the settings to the child processes."""
    return settings.pid_folder_path / "micro.settings"


def write_settings(settings: Settings) -> None:
    """Write the resolved settings for the child processes.

    Only the owner may read the file, as it contains secrets.
    """
    path = settings_file(settings)
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(dump_settings(settings))
