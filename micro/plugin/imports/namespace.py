"""The namespace of one plugin: which modules belong to it, and the builtins that they see."""

from __future__ import annotations

import builtins
import logging
import os
import sys
from collections.abc import Sequence
from functools import cached_property
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

from micro.plugin.imports._importlib_bootstrap import make_import, make_importlib
from micro.plugin.imports.scan import ROOT, PluginFolder

log = logging.getLogger(__name__)

NEVER_OWN = frozenset({"micro", ROOT, "__main__"})


class Host:
    """The process outside of plugins: its original ``sys.path``, and a cache of what it can import."""

    def __init__(self) -> None:
        self.path = frozenset(sys.path)
        self._known: dict[tuple[str, ...], bool] = {}

    def has(self, top: str, path: Sequence[str]) -> bool:
        """Return True if a finder of the process finds the module in these entries of ``sys.path``."""
        key = (top, *path)
        if key not in self._known:
            self._known[key] = any(_finds(finder, top, path) for finder in sys.meta_path)
        return self._known[key]

    def forget(self) -> None:
        """Look every name up anew."""
        self._known.clear()


class Namespace:
    """The state of one loaded plugin; discarded when its modules are unloaded."""

    def __init__(self, folder: PluginFolder, host: Host, use_bytecode: bool) -> None:
        self.folder = folder
        self.prefix = f"{folder.module}."
        # Folders to search for the plugin's modules; this list is also the package's __path__.
        self.roots = [str(folder.path)]
        self.foreign = set(NEVER_OWN)
        self.use_bytecode = use_bytecode
        self.import_ = make_import(self)
        self._builtins: dict[str, Any] = {}
        self._seen: list[object] = []
        self._host = host
        self._private: dict[str, bool] = {}

    @cached_property
    def importlib(self) -> ModuleType:
        """The stand-in that the plugin's modules get from ``import importlib``."""
        return make_importlib(self)

    def new_module(self, name: str) -> ModuleType:
        """Make an empty module that sees the plugin's builtins."""
        self.refresh_builtins()
        module = ModuleType(name)
        vars(module)["__builtins__"] = self._builtins
        return module

    def refresh_builtins(self) -> None:
        """Copy changes of the process's builtins to the plugin's.

        This must be a single update: between two, another thread would see the wrong ``__import__``.
        """
        # Builtins rarely change, so make the comparison cheap: lists compare in half the time of dicts.
        # The last name is included to detect a value that was only renamed.
        now = vars(builtins)
        seen = [*now.values(), next(reversed(now))]
        if seen != self._seen:
            self._seen = seen
            self._builtins.update({**now, "__import__": self.import_})

    def owns(self, top: str) -> bool:
        """Return True if an absolute import of this top-level name means a module of the plugin.

        Lookup order: the standard library (as far as this Python has it), the plugin's modules and
        packages, installed modules, the plugin's folders without ``__init__.py``.
        """
        if top in self.foreign:
            return False
        if top in sys.stdlib_module_names and self.exists_elsewhere(top):
            self.foreign.add(top)
            return False
        return self.prefix + top in sys.modules or self._has(top)

    def exists_elsewhere(self, top: str) -> bool:
        """Return True if a module of this name is loaded, or can be imported, outside the plugin."""
        if top in sys.modules:
            return True
        path = [entry for entry in sys.path if isinstance(entry, str) and not self._is_private(entry)]
        return self._host.has(top, path)

    def forget(self) -> None:
        """Look every name up anew."""
        self.foreign = set(NEVER_OWN)

    def adopt_paths(self) -> None:
        """Search also the folders inside the plugin that it has added to ``sys.path``."""
        for entry in filter(self._is_private, sys.path):
            root = str(Path(entry).absolute())
            if root not in self.roots and os.path.realpath(root) != self._real_path:
                self.roots.append(root)

    def release_paths(self) -> None:
        """Remove the plugin's own folders from ``sys.path``; only the plugin continues to search them."""
        if self._host.path.issuperset(entry for entry in sys.path if isinstance(entry, str)):
            return
        self.adopt_paths()
        public = [entry for entry in sys.path if not self._is_private(entry)]
        if public != sys.path:
            sys.path[:] = public
            log.info("Plugin %r added its own folders to sys.path: only it sees them", self.folder.name)

    def _has(self, top: str) -> bool:
        self.adopt_paths()
        spec = PathFinder.find_spec(self.prefix + top, self.roots)
        if spec is None:
            return False
        elsewhere = self.exists_elsewhere(top)
        if spec.loader is None:
            return not elsewhere
        if elsewhere:
            log.warning(
                "Plugin %r imports its own %r (%s), but one of that name is installed too; "
                "rename it, or import it with `from . import %s`",
                self.folder.name, top, spec.origin, top,
            )  # fmt: skip
        return True

    def _is_private(self, entry: object) -> bool:
        """Return True if this entry of ``sys.path`` was added later and lies in the plugin's folder."""
        if not isinstance(entry, str) or entry in self._host.path:
            return False
        if entry not in self._private:
            named, real = Path(entry).absolute(), Path(os.path.realpath(entry))
            inside = named.is_relative_to(self.folder.path) or real.is_relative_to(self._real_path)
            self._private[entry] = inside
        return self._private[entry]

    @cached_property
    def _real_path(self) -> str:
        return os.path.realpath(self.folder.path)


def _finds(finder: Any, top: str, path: Sequence[str]) -> bool:
    find_spec = getattr(finder, "find_spec", None)
    return bool(find_spec and find_spec(top, path if finder is PathFinder else None))
