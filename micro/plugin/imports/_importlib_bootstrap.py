"""The ``__import__`` and ``importlib`` that the modules of one plugin see.

The file name contains "importlib" and "_bootstrap" because ``warnings`` skips frames of such files: a
warning about an import then points at the line with the import statement.
"""

from __future__ import annotations

import builtins
import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import ModuleType
from typing import Any, Protocol


class Names(Protocol):
    """What the import statement of a plugin asks of the plugin's namespace."""

    prefix: str
    foreign: set[str]
    import_: Callable[..., Any]

    @property
    def importlib(self) -> ModuleType:
        """What the plugin's modules get for ``import importlib``."""

    def owns(self, top: str) -> bool:
        """Return True if the undotted name means a module of the plugin."""

    def exists_elsewhere(self, top: str) -> bool:
        """Return True if a module of this name can be imported from outside the plugin."""


def make_import(namespace: Names) -> Callable[..., Any]:
    """Return the ``__import__`` of a plugin, which tries the plugin's own names first."""

    def import_(
        name: str,
        globals: Mapping[str, Any] | None = None,
        locals: Mapping[str, Any] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> Any:
        if level:
            return builtins.__import__(name, globals, locals, fromlist, level)
        top = name.partition(".")[0]
        if not namespace.owns(top):
            module = builtins.__import__(name, globals, locals, fromlist)
            namespace.foreign.add(top)
            if top == "importlib" and (name == top or not fromlist):
                return namespace.importlib
            return module
        if _means_another(namespace, top, globals, locals, fromlist):
            return builtins.__import__(name, globals, locals, fromlist)
        module = builtins.__import__(namespace.prefix + name, globals, locals, fromlist)
        return module if fromlist else sys.modules[namespace.prefix + top]

    return import_


def make_importlib(namespace: Names) -> ModuleType:
    """Return a stand-in for ``importlib`` whose two import functions find the plugin's own modules.

    Other attributes are looked up in the real module on each use. No stack frame is inspected, so it works
    in every thread.
    """

    def import_module(name: str, package: str | None = None) -> ModuleType:
        top = name.partition(".")[0]
        own = top and namespace.owns(top)
        return importlib.import_module(namespace.prefix + name if own else name, package)

    stand_in = ModuleType(importlib.__name__, importlib.__doc__)
    vars(stand_in).update(
        {name: value for name, value in vars(importlib).items() if name.startswith("__")},
        __builtins__=vars(builtins),
        __dir__=partial(dir, importlib),
        __getattr__=partial(getattr, importlib),
        __import__=namespace.import_,
        import_module=import_module,
    )
    return stand_in


def _means_another(
    namespace: Names,
    top: str,
    globals: Mapping[str, Any] | None,
    locals: Mapping[str, Any] | None,
    fromlist: Sequence[str] | None,
) -> bool:
    """Return True if the import means the installed module, although the plugin has one of that name.

    Two cases: a plain module that imports its own name (a wrapper ``redis.py``), and PyImport_Import()
    in C code, recognized by an empty list as fromlist and the same dict as globals and locals.
    """
    if globals is None:
        return False
    of_itself = globals.get("__name__") == namespace.prefix + top and "__path__" not in globals
    from_c = locals is globals and isinstance(fromlist, list) and not fromlist
    return (of_itself or from_c) and namespace.exists_elsewhere(top)
