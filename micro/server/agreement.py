"""Tells which generation of plugins a process serves, and whether the others serve the same."""

from __future__ import annotations

import time

from micro.ready import generations
from micro.server.child import Role
from micro.settings import Settings
from micro.status import iso, read_status

RELOAD = "reload"
"""What the last failure is called in the status file when it is that of a reload."""


class Agreement:
    """What a process that serves knows of it, from its start on."""

    def __init__(self, settings: Settings, role: Role) -> None:
        self._settings, self._role = settings, role
        self._since = iso(time.time())

    def tell(self) -> str:
        """Return it in a sentence; that they disagree, as during each reload, keeps nobody from serving."""
        return "; ".join(filter(None, (f"{self._role.generation}", self._others(), self._failure())))

    def _others(self) -> str:
        told = generations(self._settings).items()
        others = ", ".join(f"{name} {each}" for name, each in told if each != self._role.generation)
        return f"processes disagree: {others}" if others else ""

    def _failure(self) -> str:
        failure = read_status(self._settings)["last_failure"]
        # One of before is that of a set of plugins which this one follows.
        is_ours = failure and failure["what"] == RELOAD and failure["time"] >= self._since
        return f"the last reload failed: {failure['reason']}" if is_ours else ""
