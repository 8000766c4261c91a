"""The import statement and the ``importlib`` that the modules of one plugin see.

The file is so named because ``warnings`` passes over the frames of a file with "importlib" and
"_bootstrap" in its name: a warning about an import then points at the line that imports.
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
    """Return a stand-in for ``importlib`` whose two import functions know the plugin's own names.

    All else is the real one's, at the time of use. No frame is looked at, so it works in any thread.
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
    """Tell whether an own name means the module of that name elsewhere all the same.

    So it is for a plain module which imports its own name (a wrapper: ``redis.py``), and for
    PyImport_Import() in C code, which ends up here with an empty list and the same dict twice.
    """
    if globals is None:
        return False
    of_itself = globals.get("__name__") == namespace.prefix + top and "__path__" not in globals
    from_c = locals is globals and isinstance(fromlist, list) and not fromlist
    return (of_itself or from_c) and namespace.exists_elsewhere(top)
