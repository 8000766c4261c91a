"""Computes fingerprints of plugin files, to detect changes without importing anything."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from pathlib import Path

from micro.config.settings import Settings
from micro.plugin.imports.folders import PluginFolder, scan_folders

INSTALLED = ""
"""The key of the fingerprint of installed packages, which any plugin may use."""

# Leave out data files: a plugin that writes some would be reloaded for ever.
_CODE = (".py", ".pyc", ".so", ".pyd", ".zip")
_METADATA = (".dist-info", ".egg-info", ".egg-link", ".pth")

State = tuple[str, int, int, int]


def fingerprints(settings: Settings) -> dict[str, str]:
    """Return a fingerprint of each plugin folder, by path, and of the installed packages (INSTALLED)."""
    folders = scan_folders(settings.plugin_path).folders
    return {
        **{str(folder.path): _digest(_states_of(folder)) for folder in folders},
        INSTALLED: installed(),
    }


def installed() -> str:
    """Return a fingerprint of the installed packages."""
    return _digest(_states_of_packages())


def installed_folders() -> list[Path]:
    """Return the folders of ``sys.path``, which hold the metadata of installed packages."""
    return [Path(entry) for entry in dict.fromkeys(sys.path) if entry and Path(entry).is_dir()]


def tells_of_packages(name: str) -> bool:
    """Return True if the name is that of package metadata, or of a folder that pip is replacing."""
    return name.endswith(_METADATA) or name.startswith("~")


def is_being_installed(since: float) -> bool:
    """Return True if pip is installing: it renames what it replaces to names that begin with ``~``.

    Names older than ``since`` (seconds since the epoch) are leftovers of an interrupted pip, and ignored.
    """
    for folder in installed_folders():
        for entry in _entries(folder):
            if entry.name.startswith("~") and _state(entry)[3] >= since * 1e9:
                return True
    return False


def _states_of(folder: PluginFolder) -> Iterator[State]:
    pending, seen = [str(folder.path)], set()
    while pending:
        path = pending.pop()
        real = os.path.realpath(path)
        # A symbolic link may lead back to a parent folder.
        if real in seen:
            continue
        seen.add(real)
        for entry in _entries(path):
            if entry.name.startswith(".") or entry.name == "__pycache__":
                continue
            if _is_folder(entry):
                pending.append(entry.path)
            elif entry.name.endswith(_CODE):
                yield _state(entry)


def _states_of_packages() -> Iterator[State]:
    for folder in installed_folders():
        yield from (_state(entry) for entry in _entries(folder) if entry.name.endswith(_METADATA))


def _entries(path: str | Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(path) as entries:
            return list(entries)
    except OSError:
        return []


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _state(entry: os.DirEntry[str]) -> State:
    try:
        # Use os.stat(), because entry.stat() may return a cached state.
        found = os.stat(entry.path)  # noqa: PTH116
    except OSError:
        # A broken link, or a file deleted meanwhile.
        return (entry.path, 0, 0, 0)
    return (entry.path, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def _digest(states: Iterable[State]) -> str:
    return blake2b(repr(sorted(states)).encode(errors="surrogateescape"), digest_size=12).hexdigest()
