"""The folder through which the processes share what they count; it begins empty with each Micro."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

from micro.config.settings import Settings


def prepare_metrics(settings: Settings) -> tuple[Settings, str]:
    """Make the folder, empty; where that is not possible, return settings without metrics, and why."""
    if not settings.metrics:
        return settings, ""
    folder = _folder(settings)
    try:
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir()
    except OSError as err:
        cause = f"the folder '{folder}' cannot be made ({err.strerror})"
        return replace(settings, metrics=False), f"Runs are not counted: {cause}"
    return settings, ""


def remove_metrics(settings: Settings) -> None:
    """Take the folder away: what was counted ends with the service."""
    shutil.rmtree(_folder(settings), ignore_errors=True)


def metrics_variable(settings: Settings) -> dict[str, str]:
    """Return the variable that tells prometheus-client, as it is imported, where the folder is."""
    return {"PROMETHEUS_MULTIPROC_DIR": str(_folder(settings))} if settings.metrics else {}


def _folder(settings: Settings) -> Path:
    return settings.pid_folder_path / "metrics"
