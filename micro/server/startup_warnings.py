"""Warnings at startup about insecure or unsupported settings."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from importlib.util import find_spec
from ipaddress import ip_address
from pathlib import Path

from micro.config.settings import Settings


def can_watch() -> bool:
    """Return True if watchfiles is installed. It has no wheels for some systems."""
    return find_spec("watchfiles") is not None


def startup_warnings(settings: Settings) -> Iterator[str]:
    """Yield a warning for each risk: root, an address open to the network, readable keys, no file watcher."""
    if os.geteuid() == 0:
        yield "WARNING: Micro runs as root, and so do the plugins; start it as another user"
    if settings.reload == "watch" and not can_watch():
        yield (
            "WARNING: changed plugins are not noticed, as watchfiles is not installed; install it with"
            " 'pip install watchfiles', or call `micro reload` after each change"
        )
    if settings.gunicorn and not _is_local(settings.bind):
        yield from _of_open_address(settings)
    file = settings.api_keys_file
    if file and _mode(file) & stat.S_IROTH:
        yield f"WARNING: every user of this machine can read the API keys in '{file}'; `chmod o-r` it"


def _of_open_address(settings: Settings) -> Iterator[str]:
    reach = f"WARNING: {settings.bind} can be reached from other machines, and"
    if not settings.api_keys and settings.api_keys_file is None:
        yield (
            f"{reach} whoever reaches it can run the plugins; name keys in MICRO_API_KEYS, bind 127.0.0.1,"
            " or put a proxy that checks its callers in front"
        )
    elif not settings.gunicorn_options.get("certfile"):
        yield (
            f"{reach} API keys travel there in clear; set gunicorn.certfile and gunicorn.keyfile, or bind"
            " 127.0.0.1 and put a proxy with TLS in front"
        )


def _mode(file: Path) -> int:
    # A missing file is reported where it is read.
    with suppress(OSError):
        return file.stat().st_mode
    return 0


def _is_local(bind: str) -> bool:
    host = bind.rpartition(":")[0].strip("[]")
    if bind.startswith("unix:") or host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
