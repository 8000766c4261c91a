"""The import finder for ``micro_plugins.*``, which is also the registry of plugin namespaces."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, cast

from micro.plugin.imports.loaders import interface_spec, package_spec, plugin_loader
from micro.plugin.imports.namespace import Host, Namespace
from micro.plugin.imports.scan import ROOT, PluginFolder, scan_folders

if TYPE_CHECKING:
    from importlib.abc import Loader


class PluginFinder:
    """The finder on ``sys.meta_path`` and the registry of namespaces, one per process."""

    def __init__(self, paths: Sequence[Path], *, claimed: bool, after: PluginFinder | None = None) -> None:
        self.paths = tuple(path.absolute() for path in paths)
        self.claimed = claimed
        self._folders: dict[str, PluginFolder] = {}
        self._scanned = False
        self._namespaces: dict[str, Namespace] = {}
        self._locks: dict[str, threading.RLock] = {}
        self._host: Host = after._host if after else Host()
        self._purged: set[str] = after._purged if after else set()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        root, _, below = fullname.partition(".")
        ident, _, inner = below.partition(".")
        namespace = self.namespace(ident) if root == ROOT else None
        if namespace is None:
            return None
        if not inner:
            return package_spec(namespace)
        if inner == "interface":
            return interface_spec(namespace)
        spec = PathFinder.find_spec(fullname, path, target)
        loader = plugin_loader(spec.loader, fullname, namespace) if spec else None
        if spec and loader:
            spec.loader = cast("Loader", loader)
        return spec

    def invalidate_caches(self) -> None:
        self._scanned = False
        self._host.forget()
        for namespace in list(self._namespaces.values()):
            namespace.forget()

    def namespace(self, ident: str) -> Namespace | None:
        """Return the namespace of an identifier, or None; its modules need not be imported yet."""
        if ident in self._namespaces:
            return self._namespaces[ident]
        folder = self._folder(ident)
        if folder is None:
            return None
        fresh = Namespace(folder, self._host, use_bytecode=str(folder.path) not in self._purged)
        return self._namespaces.setdefault(ident, fresh)

    def lock(self, ident: str) -> threading.RLock:
        """Return the lock that loading and unloading of the plugin must hold."""
        return self._locks.setdefault(ident, threading.RLock())

    def knows(self, folder: PluginFolder) -> bool:
        """Return True if the identifier belongs to this folder, and not to another one by now."""
        return self._folders.get(folder.ident) == folder

    def add(self, folder: PluginFolder) -> Namespace:
        """Register a folder if needed, in place of another of the same identifier; return its namespace."""
        if not self.knows(folder):
            self.purge(folder.ident)
            self._folders[folder.ident] = folder
        namespace = self.namespace(folder.ident)
        assert namespace
        return namespace

    def purge(self, ident: str) -> None:
        """Remove the plugin's modules and caches, so that its next import reads the files again."""
        namespace = self._namespaces.pop(ident, None)
        if namespace is None:
            return
        namespace.release_paths()
        self._folders.pop(ident, None)
        self._scanned = False
        self._purged.add(str(namespace.folder.path))
        # Iterate over a copy, because another thread's import may change sys.modules.
        for name in [name for name in list(sys.modules) if f"{name}.".startswith(namespace.prefix)]:
            sys.modules.pop(name, None)
        if ROOT in sys.modules:
            vars(sys.modules[ROOT]).pop(ident, None)
        for entry in list(sys.path_importer_cache):
            if f"{entry}{os.sep}".startswith(tuple(f"{root}{os.sep}" for root in namespace.roots)):
                sys.path_importer_cache.pop(entry, None)

    def _folder(self, ident: str) -> PluginFolder | None:
        if ident not in self._folders and not self._scanned:
            for folder in scan_folders(self.paths).folders:
                self._folders.setdefault(folder.ident, folder)
            self._scanned = True
        return self._folders.get(ident)

    def purge_all(self) -> None:
        for ident in list(self._namespaces):
            self.purge(ident)


def installed_finder() -> PluginFinder | None:
    """Return the finder of this process, or None."""
    for finder in sys.meta_path:
        if isinstance(finder, PluginFinder):
            return finder
    return None
