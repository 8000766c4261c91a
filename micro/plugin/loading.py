"""Loads all plugins, registers them with pluggy, and records those that fail."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Iterator
from functools import partial

import pluggy

from micro.config.settings import Settings, check_plugin_path
from micro.errors import PluginLoadError
from micro.plugin.concurrency import ConcurrencyLimit
from micro.plugin.entry_points import find_packages, load_package
from micro.plugin.hook_manager import create_hook_manager
from micro.plugin.imports.folders import FolderScan, install, load_folder, scan_folders, unload_folder
from micro.plugin.names import PluginSelection
from micro.plugin.plugin import Plugin, Plugins, Source
from micro.plugin.pluginbase import PluginBase, PluginDescription, is_plugin_class

log = logging.getLogger(__name__)


def load_plugins(settings: Settings) -> Plugins:
    """Load the plugins of the plugin path and of installed packages; a failing plugin is left out."""
    plugins = Plugins(create_hook_manager())
    scan = _scan_folders(settings)
    sources = [*_folder_sources(scan), *_package_sources()]
    left_out = [each.path.name for each in scan.left_out]
    selection = PluginSelection(settings, [*left_out, *(source.name for source in sources)])
    for each in scan.left_out:
        if selection.imports(each.path.name):
            plugins.leave_out(each.path.name, f"folder {each.path}", PluginLoadError(each.reason))
    for source in sources:
        if selection.imports(source.name):
            _load(source, plugins, selection)
    for setting, name in selection.unmet():
        log.warning("Setting %s names %r, but no plugin, folder or package has that name", setting, name)
    return plugins


def _scan_folders(settings: Settings) -> FolderScan:
    check_plugin_path(settings)
    install(settings.plugin_path)
    return scan_folders(settings.plugin_path)


def _folder_sources(scan: FolderScan) -> Iterator[Source]:
    for folder in scan.folders:
        yield Source(folder.name, f"folder {folder.path}", partial(load_folder, folder), folder=folder)


def _package_sources() -> Iterator[Source]:
    for package in find_packages():
        yield Source(package.name, package.origin, partial(load_package, package), package=package)


def _load(source: Source, plugins: Plugins, selection: PluginSelection) -> None:
    """Load one source; undo its import and registration if it serves nothing."""
    try:
        found = source.load()
        _register(found, source, plugins.hooks)
        if _serve(found, source, plugins, selection):
            return
    except (Exception, SystemExit) as err:
        plugins.leave_out(source.name, source.origin, err)
    _withdraw(source, plugins.hooks)


def _register(found: object, source: Source, hooks: pluggy.PluginManager) -> None:
    if isinstance(found, PluginDescription):
        return
    try:
        hooks.register(found, name=source.label)
    except ValueError as err:
        raise PluginLoadError(f"it is loaded already, as {hooks.get_name(found)}") from err


def _withdraw(source: Source, hooks: pluggy.PluginManager) -> None:
    if hooks.has_plugin(source.label):
        hooks.unregister(name=source.label)
    if source.folder:
        unload_folder(source.folder)


def _serve(found: object, source: Source, plugins: Plugins, selection: PluginSelection) -> bool:
    """Add the plugins of a source; return True if any of them, or its hooks alone, are served."""
    offered = [_plugin(description, found, source) for description in _offered(found, plugins.hooks)]
    if not offered:
        return selection.serves(source.name)
    before = len(plugins)
    for plugin in offered:
        if selection.serves(source.name, plugin.name):
            try:
                plugins.add(plugin)
            except PluginLoadError as err:
                plugins.leave_out(plugin.name, source.origin, err)
    return len(plugins) > before


def _offered(found: object, hooks: pluggy.PluginManager) -> list[object]:
    if isinstance(found, PluginDescription):
        return [found]
    description = getattr(found, "plugin", None)
    if description is None and not hooks.get_hookcallers(found):
        raise PluginLoadError(
            "expected a module-level `plugin = PluginDescription(...)`, or hooks; found neither"
        )
    offered = [] if description is None else [description]
    for impl in hooks.hook.micro_plugins.get_hookimpls():
        if impl.plugin is found:
            offered += _listed(impl.function())
    return offered


def _listed(offered: object) -> list[object]:
    if isinstance(offered, Iterable) and not isinstance(offered, str):
        return list(offered)
    if isinstance(offered, PluginDescription):
        return [offered]
    raise PluginLoadError(f"expected micro_plugins() to return PluginDescriptions, found {offered!r}")


def _plugin(description: object, found: object, source: Source) -> Plugin:
    if not isinstance(description, PluginDescription):
        raise PluginLoadError(f"expected a PluginDescription, found {type(description).__name__}")
    name = description.name
    if not isinstance(name, str) or not name.strip():
        raise PluginLoadError('expected PluginDescription to have a name, found none; add name="..."')
    cls = description.instance
    if cls is None:
        cls = _only_class(_module(found, source))
    if not is_plugin_class(cls):
        raise PluginLoadError(f"expected `instance` to be a PluginBase subclass with run(), found {cls!r}")
    slots = ConcurrencyLimit(name, description.concurrency) if description.concurrency else None
    return Plugin(name, cls, description, source, slots)


def _module(found: object, source: Source) -> object:
    """Return the module that defines the classes: ``found`` itself, or that of the entry point."""
    return sys.modules[source.package.entry_point.module] if source.package else found


def _only_class(module: object) -> type[PluginBase]:
    """Return the only plugin class defined in the module, for descriptions without ``instance``."""
    defined: list[type[PluginBase]] = [
        value
        for value in vars(module).values()
        if is_plugin_class(value) and value.__module__ == getattr(module, "__name__", None)
    ]
    if len(defined) != 1:
        names = ", ".join(each.__name__ for each in defined) or "none"
        raise PluginLoadError(
            f"PluginDescription has no `instance`: expected the module to define one PluginBase subclass"
            f" with run(), found {names}"
        )
    return defined[0]
