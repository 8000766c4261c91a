"""Standard module loaders that give each module the builtins of its plugin.

They override create_module(): overriding exec_module() would add a frame to each traceback.
"""

from __future__ import annotations

import os
from importlib.machinery import ModuleSpec, SourceFileLoader, SourcelessFileLoader
from importlib.util import cache_from_source, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, TypeVar
from zipimport import zipimporter

from micro.plugin.imports.scan import INTERFACE

if TYPE_CHECKING:
    from micro.plugin.imports.namespace import Namespace


# FAT, for one, stores modification times in steps of two seconds.
_RACY_SECONDS = 2


class SourceLoader(SourceFileLoader):
    namespace: Namespace

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return self.namespace.new_module(spec.name)

    def get_data(self, path: str) -> bytes:
        if path == cache_from_source(self.path) and not self._trusts(path):
            raise FileNotFoundError(path)
        return super().get_data(path)

    def _trusts(self, bytecode: str) -> bool:
        """Return True if the bytecode cannot be older than the source.

        Python compares only size and whole seconds, so it can miss an edit. Bytecode written within two
        seconds of the source is therefore ignored and written again.
        """
        if not self.namespace.use_bytecode:
            return False
        written, edited = os.stat(bytecode).st_mtime, os.stat(self.path).st_mtime  # noqa: PTH116
        return abs(written - edited) > _RACY_SECONDS


class FolderLoader(SourceFileLoader):
    """Loads an empty package for a plugin folder without ``__init__.py``."""

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = ModuleType(spec.name)
        # pkgutil.get_data() needs __file__ to find data files.
        module.__file__ = self.path
        return module

    def exec_module(self, module: ModuleType) -> None:
        pass


class SourcelessLoader(SourcelessFileLoader):
    namespace: Namespace

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return self.namespace.new_module(spec.name)


class ZipLoader(zipimporter):
    namespace: Namespace

    # typeshed declares that zipimporter.create_module() returns None.
    def create_module(self, spec: ModuleSpec) -> ModuleType:  # type: ignore[override]
        return self.namespace.new_module(spec.name)


PluginLoader = SourceLoader | SourcelessLoader | ZipLoader
AnyLoader = TypeVar("AnyLoader", SourceLoader, SourcelessLoader, ZipLoader)


def package_spec(namespace: Namespace) -> ModuleSpec | None:
    """Return the spec of a plugin's package, whether or not its folder has an ``__init__.py``."""
    name, file = namespace.folder.module, f"{namespace.folder.path}{os.sep}__init__.py"
    if not os.access(file, os.F_OK):
        spec = ModuleSpec(name, FolderLoader(name, file), origin=file)
        spec.submodule_search_locations = namespace.roots
        return spec
    loader = _bound(SourceLoader(name, file), namespace)
    return spec_from_file_location(name, file, loader=loader, submodule_search_locations=namespace.roots)


def interface_spec(namespace: Namespace) -> ModuleSpec | None:
    """Return the spec of a plugin's ``interface.py`` without a search of the folder.

    The file is known to exist, and listing a thousand folders would take most of the start.
    """
    name, file = f"{namespace.prefix}interface", f"{namespace.folder.path}{os.sep}{INTERFACE}"
    return spec_from_file_location(name, file, loader=_bound(SourceLoader(name, file), namespace))


def plugin_loader(loader: object, name: str, namespace: Namespace) -> PluginLoader | None:
    """Return the plugin's counterpart of a standard loader; None for extension modules."""
    if type(loader) is SourceFileLoader:
        return _bound(SourceLoader(name, loader.path), namespace)
    if type(loader) is SourcelessFileLoader:
        return _bound(SourcelessLoader(name, loader.path), namespace)
    if type(loader) is zipimporter:
        return _bound(ZipLoader(str(Path(loader.archive, loader.prefix))), namespace)
    return None


def _bound(loader: AnyLoader, namespace: Namespace) -> AnyLoader:
    loader.namespace = namespace
    return loader
