"""Loads the plugins in a child process, and collects the facts for its ready file."""

from __future__ import annotations

from typing import Any

from micro.plugin.fingerprint import fingerprints
from micro.server.child import Role
from micro.service import Micro
from micro.settings import Settings


def load(settings: Settings, role: Role) -> tuple[Micro, dict[str, Any]]:
    """Load the plugins; return Micro, and the facts about them.

    The facts are ``plugins`` (how many were loaded), ``failed`` (those left out) and ``files``
    (fingerprints of the files that were loaded; empty if the setting ``reload`` is off).
    """
    # Fingerprint first: a file that changes during the import must look changed afterwards.
    files = {} if settings.reload == "off" else fingerprints(settings)
    micro = Micro(settings, generation=role.generation)
    return micro, {"plugins": len(micro.loaded), "failed": micro.loaded.failures(), "files": files}
