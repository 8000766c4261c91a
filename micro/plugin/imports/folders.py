"""Finds plugin folders and imports each in a namespace of its own, ``micro_plugins.<identifier>``.

A plugin's modules import each other by their bare names, absolutely or relatively; modules of
that name in other plugins, and in the rest of the process, are other modules. How, and in which
order names are looked up: ``namespace.py``.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType

from micro.plugin.imports.errors import load_error
from micro.plugin.imports.finder import PluginFinder, installed_finder
from micro.plugin.imports.scan import FolderScan, LeftOut, PluginFolder, scan_folders

__all__ = [
    "FolderScan",
    "LeftOut",
    "PluginFolder",
    "find_folders",
    "install",
    "install_from_environment",
    "load_folder",
    "refresh_builtins",
    "scan_folders",
    "uninstall",
    "unload_folder",
]

log = logging.getLogger(__name__)

SETTING = "MICRO_PLUGIN_PATH"
# A variable of its own: MICRO_PLUGIN_PATH in the environment would override the configuration file of
# every `micro` below this process.
INHERITED = "_MICRO_PLUGIN_PATH"


def install(paths: Sequence[Path]) -> None:
    """Make the plugin folders in these paths importable below ``micro_plugins``, here and in child processes.

    A process has one set of plugin paths: a second call takes over and drops the modules of the
    first. Children that are spawned, not forked, find the paths in an environment variable of
    Micro's own, so that pickles, process pools and ``python -m micro_plugins.x`` work there.
    """
    old = installed_finder()
    absolute = tuple(path.absolute() for path in paths)
    if old and not old.claimed and old.paths == absolute:
        # Plugin modules may already be imported, by unpickling or `python -m`; keep them.
        old.claimed = True
    else:
        _replace(old, PluginFinder(absolute, claimed=True, after=old))
    os.environ[INHERITED] = os.pathsep.join(map(str, absolute))


def install_from_environment() -> None:
    """Install the finder for the paths in the environment, unless one is installed.

    The paths are those of a parent process that runs Micro, else those in ``MICRO_PLUGIN_PATH``.
    """
    if not installed_finder():
        paths = os.environ.get(INHERITED) or os.environ.get(SETTING, "")
        absolute = [Path(path) for path in paths.split(os.pathsep) if path]
        _replace(None, PluginFinder(absolute, claimed=False))


def uninstall() -> None:
    """Undo install(): remove the finder, all plugin modules and the environment variable."""
    _replace(installed_finder(), None)
    os.environ.pop(INHERITED, None)


def find_folders(paths: Sequence[Path]) -> list[PluginFolder]:
    """Return the plugin folders in these paths, sorted by name; log those left out.

    Use scan_folders() to get both.
    """
    scan = scan_folders(paths)
    for each in scan.left_out:
        log.warning("%s is left out: %s", each.path, each.reason)
    return list(scan.folders)


def load_folder(folder: PluginFolder) -> ModuleType:
    """Import the folder's ``interface`` module and return it.

    Raises PluginLoadError with the plugin, the folder, the file and the line for whatever the
    plugin raises, SystemExit too; KeyboardInterrupt passes. Nothing of a failed import is left.
    """
    finder = _finder(folder)
    with finder.lock(folder.ident):
        namespace = finder.add(folder)
        try:
            module = import_module(f"{folder.module}.interface")
        except (KeyboardInterrupt, GeneratorExit):
            finder.purge(folder.ident)
            raise
        except BaseException as err:
            finder.purge(folder.ident)
            raise load_error(folder, err) from err
        namespace.release_paths()
        return module


def unload_folder(folder: PluginFolder) -> None:
    """Remove the folder's modules; the next import reads the sources and ignores bytecode."""
    finder = _finder(folder)
    with finder.lock(folder.ident):
        if finder.knows(folder):
            finder.purge(folder.ident)


def refresh_builtins(folder: PluginFolder) -> None:
    """Copy additions to ``builtins`` to the plugin's own builtins; cheap enough to call on each run."""
    namespace = _finder(folder).namespace(folder.ident)
    if namespace:
        namespace.refresh_builtins()


def _finder(folder: PluginFolder) -> PluginFinder:
    finder = installed_finder()
    if finder:
        return finder
    install([folder.path.parent])
    return _finder(folder)


def _replace(old: PluginFinder | None, new: PluginFinder | None) -> None:
    if old:
        old.purge_all()
        sys.meta_path.remove(old)
    if new:
        sys.meta_path.insert(0, new)
