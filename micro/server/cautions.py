"""Tells what is unwise about how Micro is started."""

from __future__ import annotations

import os
from collections.abc import Iterator
from ipaddress import ip_address

from micro.settings import Settings


def cautions(settings: Settings) -> Iterator[str]:
    """Yield a sentence for each thing that the user should know before others find out."""
    if os.geteuid() == 0:
        yield "WARNING: Micro runs as root, and so do the plugins; start it as another user"
    if settings.gunicorn and not _is_local(settings.bind):
        yield (
            f"WARNING: {settings.bind} can be reached from other machines, and whoever reaches it"
            " can run the plugins; bind 127.0.0.1 or put a proxy that checks its callers in front"
        )


def _is_local(bind: str) -> bool:
    host = bind.rpartition(":")[0].strip("[]")
    if bind.startswith("unix:") or host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
