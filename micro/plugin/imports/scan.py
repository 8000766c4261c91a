"""Scans plugin paths for plugin folders, and assigns each its identifier below ``micro_plugins``."""

from __future__ import annotations

import keyword
import os
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = "micro_plugins"
INTERFACE = "interface.py"
# A file that has this text in its first 64 KiB is taken for a plugin's.
_MARK = b"PluginDescription("
_HEAD = 64 * 1024


@dataclass(frozen=True)
class PluginFolder:
    """One plugin folder: its name on disk, its absolute path, its identifier below ``micro_plugins``."""

    name: str
    path: Path
    ident: str

    @property
    def module(self) -> str:
        """The full name of the plugin's package."""
        return f"{ROOT}.{self.ident}"


@dataclass(frozen=True)
class LeftOut:
    """A folder or plugin path without a loadable plugin, and the reason."""

    path: Path
    reason: str


@dataclass(frozen=True)
class FolderScan:
    """The result of a scan: plugin folders sorted by name, and what was left out."""

    folders: tuple[PluginFolder, ...]
    left_out: tuple[LeftOut, ...]


def scan_folders(paths: Sequence[Path]) -> FolderScan:
    """List the plugin folders in these paths, sorted by folder name.

    If two paths hold a folder of the same name, the first path wins. Folders that look like a plugin but
    have no interface.py are listed in ``left_out``; others, and names that start with ``.`` or ``_``, are
    ignored.
    """
    found: dict[str, Path] = {}
    left_out: list[LeftOut] = []
    for path in dict.fromkeys(path.absolute() for path in paths):
        try:
            names = sorted(_folders_in(path))
        except OSError as err:
            left_out.append(LeftOut(path, f"the plugin path cannot be read: {err.strerror}"))
            continue
        for name in names:
            if not _has_interface(path, name):
                reason = _reason_to_tell(path / name)
            elif name in found:
                reason = f"the plugin path before it has a folder of this name, {found[name]}"
            else:
                found[name] = path / name
                continue
            if reason:
                left_out.append(LeftOut(path / name, reason))
    idents = identifiers(found)
    folders = tuple(PluginFolder(name, found[name], idents[name]) for name in sorted(found))
    return FolderScan(folders, tuple(left_out))


def identifiers(names: Iterable[str]) -> dict[str, str]:
    """Map folder names to unique identifiers; the result depends only on the set of names.

    If several names map to one identifier, the name equal to it gets it, else the first in sort order;
    the others get a digest of their name as suffix.
    """
    wanted = {name: _wanted_identifier(name) for name in names}
    taken: dict[str, str] = {}
    for name in sorted(wanted, key=lambda name: (wanted[name] != name, name)):
        ident = wanted[name]
        if ident in taken:
            ident = f"{ident}_{_digest(name)}"
        taken[ident] = name
    return {name: ident for ident, name in taken.items()}


def _digest(folder_name: str) -> str:
    # Import here: hashlib loads OpenSSL, and name collisions are rare.
    from hashlib import sha256

    return sha256(os.fsencode(folder_name)).hexdigest()[:8]


def _folders_in(path: Path) -> Iterator[str]:
    with os.scandir(path) as entries:
        for entry in entries:
            if not entry.name.startswith((".", "_")) and _is_folder(entry):
                yield entry.name


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _has_interface(path: Path, name: str) -> bool:
    # lexists() never raises; the import reports a broken symbolic link as an error of the plugin.
    return os.path.lexists(f"{path}{os.sep}{name}{os.sep}{INTERFACE}")


def _reason_to_tell(folder: Path) -> str | None:
    """Return why a folder without interface.py looks like a plugin, or None if it does not."""
    try:
        with os.scandir(folder) as scan:
            entries = sorted(scan, key=lambda entry: entry.name)
    except OSError as err:
        return f"it cannot be read: {err.strerror}"
    for entry in entries:
        if entry.name.endswith(".py") and _describes_a_plugin(Path(entry.path)):
            return f"it holds no {INTERFACE}, but {entry.name} describes a plugin; name that file {INTERFACE}"
    for entry in entries:
        if not entry.name.startswith((".", "_")) and _has_interface(folder, entry.name):
            return f"it holds no {INTERFACE}, its folder {entry.name} does; add {folder} to the plugin path"
    return None


def _describes_a_plugin(file: Path) -> bool:
    try:
        with file.open("rb") as source:
            return _MARK in source.read(_HEAD)
    except OSError:
        return False


def _wanted_identifier(folder_name: str) -> str:
    name = unicodedata.normalize("NFKC", folder_name)
    if _is_free_identifier(name):
        return name
    name = "".join(char if f"p{char}".isidentifier() else "_" for char in name)
    return name if _is_free_identifier(name) else f"p_{name}"


def _is_free_identifier(name: str) -> bool:
    return name.isidentifier() and not keyword.iskeyword(name) and not name.startswith("_")
