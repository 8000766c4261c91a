"""Watches the plugin path and the installed packages, and requests a reload when plugins change."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from threading import Event, Thread

import watchfiles

from micro.config.settings import Settings
from micro.plugin.fingerprint import fingerprints, installed_folders, is_being_installed, tells_of_packages
from micro.runtime.discovery import Running
from micro.runtime.ready_files import process_names, read_ready, tell_ready
from micro.server.child import Role
from micro.server.reload import requests

log = logging.getLogger(__name__)

# Editors and deployments write many files: reload once there were no changes for this time.
_QUIET_SECONDS = 0.3
_LONGEST_SECONDS = 3.0
_INSTALLING_SECONDS = 60.0
_LOOK_SECONDS = 0.5
_STEP_MILLISECONDS = 50
# How often to look if a watched folder was replaced, which the system does not report.
_ROOTS_MILLISECONDS = 5000


def main(settings: Settings, role: Role) -> int:
    """Watch until the process is ended."""
    changed = Event()
    # Check once at the start, as files may have changed while the other processes loaded them.
    changed.set()
    _start(settings.plugin_path, lambda path: "__pycache__" not in path, True, changed)
    _start(installed_folders(), lambda path: tells_of_packages(Path(path).name), False, changed)
    tell_ready(settings, role.name, os.getpid(), role.generation)
    asked: dict[str, str] = {}
    while True:
        _wait(changed)
        files = fingerprints(settings)
        served = [read_ready(settings, name) for name in process_names(settings)]
        if not all(served):
            # Not all processes are up yet: check again soon.
            time.sleep(_LOOK_SECONDS)
            changed.set()
        elif files != asked and any(facts and facts["files"] != files for facts in served):
            # Request each state only once: a refused reload is not tried again until a file changes.
            asked = files
            requests.ask(Running(os.getppid(), settings), "watcher")


def _wait(changed: Event) -> None:
    """Wait for a change, then until changes stop (at most 3 s) and pip has finished (at most 60 s)."""
    changed.wait()
    longest = time.monotonic() + _LONGEST_SECONDS
    changed.clear()
    while time.monotonic() < longest and changed.wait(_QUIET_SECONDS):
        changed.clear()
    longest = time.monotonic() + _INSTALLING_SECONDS
    while time.monotonic() < longest and is_being_installed(time.time() - _INSTALLING_SECONDS):
        time.sleep(_LOOK_SECONDS)


def _start(paths: Iterable[Path], concerns: Callable[[str], bool], recursive: bool, changed: Event) -> None:
    Thread(target=_watch, args=(list(paths), concerns, recursive, changed), daemon=True).start()


def _watch(paths: list[Path], concerns: Callable[[str], bool], recursive: bool, changed: Event) -> None:
    polling = None
    while paths:
        roots = _identities(paths)
        try:
            for changes in watchfiles.watch(
                *(path for path in paths if path.is_dir()),
                watch_filter=lambda _change, path: concerns(path),
                step=_STEP_MILLISECONDS,
                rust_timeout=_ROOTS_MILLISECONDS,
                yield_on_timeout=True,
                force_polling=polling,
                recursive=recursive,
                ignore_permission_denied=True,
            ):
                if changes:
                    changed.set()
                if _identities(paths) != roots:
                    # A symbolic link was changed or a folder replaced. The system does not report that.
                    changed.set()
                    break
        except FileNotFoundError:
            # A folder disappeared between is_dir() and the watch.
            time.sleep(_LOOK_SECONDS)
        except (OSError, RuntimeError) as err:
            # watchfiles raises either if the system allows no more watches.
            if polling is None:
                log.warning("Polling files twice a second, as the system cannot report changes: %s", err)
            polling = True
            time.sleep(_LOOK_SECONDS)


def _identities(paths: list[Path]) -> list[tuple[int, int] | None]:
    return [_identity(path) for path in paths]


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
