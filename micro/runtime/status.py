"""Reads the status of a running Micro (processes, plugins, last failure) from its PID folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from micro._version import __version__
from micro.config.settings import Settings
from micro.runtime.files import is_alive
from micro.runtime.ready_files import process_names, read_ready


def status_file(settings: Settings) -> Path:
    """Return the path of the file to which the supervisor writes its status."""
    return settings.pid_folder_path / "micro.status"


def read_status(settings: Settings) -> dict[str, Any]:
    """Return the status from the files; ``queues`` and ``jobs``, which no file holds, are None.

    Without a live supervisor (another server runs the application, or the supervisor was killed and left
    its files behind) there are no processes.
    """
    told = _read_supervisors(settings)
    if told and not is_alive(told["pid"]):
        told, names = {}, []
    else:
        names = process_names(settings)
    ready = [facts for name in names if (facts := read_ready(settings, name))]
    plugins = ready[0] if ready else {}
    return {
        "version": __version__,
        "generation": min((facts["generation"] for facts in ready), default=1),
        "pid": told.get("pid"),
        "started": told.get("started"),
        "processes": told.get("processes", []),
        "plugins": {"loaded": plugins.get("plugins", 0), "failed": plugins.get("failed", [])},
        "queues": None,
        "jobs": None,
        "last_failure": told.get("last_failure"),
    }


def waiting(depths: Mapping[str, int] | None, jobs: Mapping[str, int] | None) -> dict[str, Any]:
    """Return the keys ``queues`` and ``jobs`` of a status; None means that the source did not answer."""
    return {
        "queues": None
        if depths is None
        else [{"name": name, "depth": depth} for name, depth in depths.items()],
        "jobs": None if jobs is None else {state: jobs[state] for state in ("queued", "running")},
    }


def iso(seconds: float) -> str:
    """Format seconds since the epoch as ISO 8601 in UTC, with milliseconds."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _read_supervisors(settings: Settings) -> dict[str, Any]:
    try:
        told: dict[str, Any] = json.loads(status_file(settings).read_text())
    except (FileNotFoundError, PermissionError):
        return {}
    return told
