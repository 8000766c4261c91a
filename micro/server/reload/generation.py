"""Describes the generation of plugins that a process serves, for the readiness probe."""

from __future__ import annotations

import time

from micro.config.settings import Settings
from micro.runtime.ready_files import generations
from micro.runtime.status import iso, read_status
from micro.server.child import Role

RELOAD = "reload"
"""The name under which the status file records the failure of a reload."""


class GenerationReport:
    """The generation of one serving process, compared with the other processes."""

    def __init__(self, settings: Settings, role: Role) -> None:
        self._settings, self._role = settings, role
        self._since = iso(time.time())

    def tell(self) -> str:
        """Return the generation, the processes that serve another one, and why the last reload failed.

        Differing generations are no error: they are normal during a reload.
        """
        return "; ".join(filter(None, (f"{self._role.generation}", self._others(), self._failure())))

    def _others(self) -> str:
        told = generations(self._settings).items()
        others = ", ".join(f"{name} {each}" for name, each in told if each != self._role.generation)
        return f"processes disagree: {others}" if others else ""

    def _failure(self) -> str:
        failure = read_status(self._settings)["last_failure"]
        # Ignore a reload that failed before this process started: this generation came after it.
        is_ours = failure and failure["what"] == RELOAD and failure["time"] >= self._since
        return f"the last reload failed: {failure['reason']}" if is_ours else ""
