"""Tells, without importing anything, whether the files of plugins have changed since they were loaded."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from pathlib import Path

from micro.plugin.folders import PluginFolder, scan_folders
from micro.settings import Settings

INSTALLED = ""
"""The key of what is installed, which any plugin may use."""

# Data files are left out: a plugin may write some, and would be loaded anew for ever.
_CODE = (".py", ".pyc", ".so", ".pyd", ".zip")
_METADATA = (".dist-info", ".egg-info", ".egg-link", ".pth")

State = tuple[str, int, int, int]


def fingerprints(settings: Settings) -> dict[str, str]:
    """Return what stands for the files of each plugin folder, by its path, and for what is installed."""
    folders = scan_folders(settings.plugin_path).folders
    return {
        **{str(folder.path): _digest(_states_of(folder)) for folder in folders},
        INSTALLED: installed(),
    }


def installed() -> str:
    """Return what stands for the packages that are installed."""
    return _digest(_states_of_packages())


def installed_folders() -> list[Path]:
    """Return the folders that hold what tells of installed packages."""
    return [Path(entry) for entry in dict.fromkeys(sys.path) if entry and Path(entry).is_dir()]


def tells_of_packages(name: str) -> bool:
    """Tell whether a file or folder of this name, where packages are installed, tells of them."""
    return name.endswith(_METADATA) or name.startswith("~")


def is_being_installed(since: float) -> bool:
    """Tell whether pip is at work, which keeps what it replaces under names that begin with ``~``.

    What has been like that since before ``since``, in seconds since the epoch, an interrupted pip has left.
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
        # A link may lead back to where it came from.
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
        # Not the entry's own stat(), which may be an old one.
        found = os.stat(entry.path)  # noqa: PTH116
    except OSError:
        # A link to nothing, or a file that goes as we look.
        return (entry.path, 0, 0, 0)
    return (entry.path, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def _digest(states: Iterable[State]) -> str:
    return blake2b(repr(sorted(states)).encode(errors="surrogateescape"), digest_size=12).hexdigest()
