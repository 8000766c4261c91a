"""Checks the health of a running Micro's processes, for ``micro health``. Imports no plugin."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

from micro.config.settings import Settings
from micro.runtime.discovery import find_running
from micro.runtime.files import is_alive
from micro.runtime.ready_files import process_names, read_ready

_CONNECT_SECONDS = 2


@dataclass(frozen=True)
class Check:
    """The health of one process. ``detail`` is its PID or, if it is unhealthy, the reason."""

    name: str
    healthy: bool
    detail: str


def check_health(settings: Settings) -> list[Check]:
    """Return a check of each process, or one failed check if no Micro runs with this PID folder."""
    running = find_running(settings)
    if not running:
        return [Check("micro", False, f"not running with the PID folder '{settings.pid_folder_path}'")]
    return [Check("micro", True, f"process {running.pid}"), *_children(running.settings)]


def _children(settings: Settings) -> Iterator[Check]:
    for name in process_names(settings):
        facts = read_ready(settings, name)
        if not facts:
            yield Check(name, False, "has not come up yet")
        elif not is_alive(facts["pid"]):
            yield Check(name, False, f"process {facts['pid']} has ended")
        else:
            deaf = [each for each in facts.get("addresses", ()) if not _listens(each)]
            yield Check(
                name, not deaf, f"does not answer at {deaf[0]}" if deaf else f"process {facts['pid']}"
            )


def _listens(address: str) -> bool:
    with suppress(OSError), _connect(address):
        return True
    return False


def _connect(address: str) -> socket.socket:
    if address.startswith("unix:"):
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(_CONNECT_SECONDS)
        client.connect(address.removeprefix("unix:"))
        return client
    url = urlsplit(address)
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(url.hostname or "", url.hostname)
    return socket.create_connection((host, url.port), _CONNECT_SECONDS)
