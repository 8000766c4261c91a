"""Micro turns Python plugins into services."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from micro._version import __version__

if TYPE_CHECKING:
    from micro.errors import MicroError, PluginError
    from micro.plugin.hookspecs import hookimpl
    from micro.plugin.pluginbase import PluginBase, PluginDescription

__all__ = ["MicroError", "PluginBase", "PluginDescription", "PluginError", "__version__", "hookimpl"]
_HOMES = {
    "MicroError": "micro.errors",
    "PluginBase": "micro.plugin.pluginbase",
    "PluginDescription": "micro.plugin.pluginbase",
    "PluginError": "micro.errors",
    "hookimpl": "micro.plugin.hookspecs",
}


if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        # Import each name on first use: `micro -h`, for one, needs none of them and must start quickly.
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return globals().setdefault(name, getattr(import_module(_HOMES[name]), name))


def __dir__() -> list[str]:
    return __all__
