"""Writes the status file, which ``micro status`` and GET /status read."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable
from typing import Any

from micro._version import __version__
from micro.config.settings import Settings
from micro.runtime.files import remove, write_whole
from micro.runtime.status import iso, status_file
from micro.server.supervisor.managed_process import Status


class StatusWriter:
    """The status file. ``tell(message)`` is called once when it cannot be written."""

    def __init__(self, settings: Settings, tell: Callable[[str], None]) -> None:
        self._path = status_file(settings)
        self._tell = tell
        self._failing = False
        self._processes: list[dict[str, Any]] = []
        self._last_failure: dict[str, Any] | None = None
        self._started = iso(time.time())

    def update(self, statuses: Iterable[Status]) -> None:
        """Write the states of the processes, and the latest failure."""
        statuses = list(statuses)
        self._processes = [_process(each) for each in statuses]
        for each in statuses:
            if each.failed is not None:
                self._keep(each.name, each.failure, iso(each.failed))
        self._write()

    def fail(self, what: str, reason: str) -> None:
        """Write a failure other than the end of a process, such as a failed reload."""
        self._keep(what, reason, iso(time.time()))
        self._write()

    def remove(self) -> None:
        """Remove the file, as nothing runs any more."""
        remove(self._path)

    def _keep(self, what: str, reason: str, moment: str) -> None:
        if self._last_failure is None or self._last_failure["time"] < moment:
            self._last_failure = {"what": what, "reason": reason, "time": moment}

    def _write(self) -> None:
        told = {
            "version": __version__,
            "pid": os.getpid(),
            "started": self._started,
            "processes": self._processes,
            "last_failure": self._last_failure,
        }
        try:
            write_whole(self._path, json.dumps(told))
        except OSError as err:
            # Update the state before calling ``tell``: if the log file fails too, that calls ``fail`` here.
            known, self._failing = self._failing, True
            if not known:
                self._tell(
                    f"The status file '{self._path}' cannot be written ({err.strerror}); serving goes on"
                )
        else:
            self._failing = False


def _process(status: Status) -> dict[str, Any]:
    return {
        "name": status.name,
        "pid": status.pid,
        "state": str(status.state),
        "restarts": status.restarts,
        "since": iso(status.since),
        "generation": status.generation,
    }
