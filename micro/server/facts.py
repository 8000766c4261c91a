"""Loads the plugins in a child process, with what its ready file tells of them."""

from __future__ import annotations

from typing import Any

from micro.plugin.fingerprint import fingerprints
from micro.server.child import Role
from micro.service import Micro
from micro.settings import Settings


def load(settings: Settings, role: Role) -> tuple[Micro, dict[str, Any]]:
    """Load the plugins; return Micro, and how many were loaded, which were left out, and what stands for
    the files that were loaded.
    """
    # Before: of what changes meanwhile it may not be known which version was loaded.
    files = {} if settings.reload == "off" else fingerprints(settings)
    micro = Micro(settings, generation=role.generation)
    return micro, {"plugins": len(micro.loaded), "failed": micro.loaded.failures(), "files": files}
