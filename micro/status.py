"""What a Micro is doing: processes, plugins, the last failure, read from the files in its PID folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from micro import __version__
from micro.ready import process_names, read_ready
from micro.runtime.files import is_alive
from micro.settings import Settings


def status_file(settings: Settings) -> Path:
    """Name the file in which the supervisor tells of its processes."""
    return settings.pid_folder_path / "micro.status"


def read_status(settings: Settings) -> dict[str, Any]:
    """Return what the files tell; ``queues`` and ``jobs``, which no file knows, are None.

    Where no supervisor has told anything, as another server serves the application, there are no
    processes, and the generation is 1. So it is where the supervisor was killed, and could not take its
    files away.
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
    """Return the parts of a status that tell what waits; None stands for what did not answer."""
    return {
        "queues": None
        if depths is None
        else [{"name": name, "depth": depth} for name, depth in depths.items()],
        "jobs": None if jobs is None else {state: jobs[state] for state in ("queued", "running")},
    }


def iso(seconds: float) -> str:
    """Write seconds since the epoch as a time in ISO 8601, UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _read_supervisors(settings: Settings) -> dict[str, Any]:
    try:
        told: dict[str, Any] = json.loads(status_file(settings).read_text())
    except (FileNotFoundError, PermissionError):
        return {}
    return told
