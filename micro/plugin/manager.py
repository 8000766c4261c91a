"""Loads every plugin under a guard, registers it with pluggy, and reports what failed."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from types import ModuleType
from typing import Any

import pluggy

from micro.contract.contract import Contract, build_contract
from micro.errors import MicroError, PluginLoadError, PluginNotFound, one_line
from micro.plugin.folders import FolderScan, PluginFolder, install, load_folder, scan_folders, unload_folder
from micro.plugin.hooks import create_hook_manager
from micro.plugin.names import Selection, as_asked, slug, suggestion
from micro.plugin.packages import Package, find_packages, load_package
from micro.plugin.pluginbase import PluginBase, PluginDescription, is_plugin_class
from micro.plugin.slots import Slots
from micro.settings import Settings, check_plugin_path

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Source:
    """Where plugins come from: a plugin folder or an installed package's entry point."""

    name: str
    origin: str
    load: Callable[[], object]
    folder: PluginFolder | None = None
    package: Package | None = None

    @property
    def label(self) -> str:
        """The name of its hooks, which no other source has."""
        return f"{self.name} ({self.origin})"


@dataclass(frozen=True, eq=False)
class Plugin:
    """One loaded plugin: the class to run, how to call it, and where it came from."""

    name: str
    cls: type[PluginBase]
    description: PluginDescription
    source: Source
    slots: Slots | None = None

    @property
    def origin(self) -> str:
        return self.source.origin

    @cached_property
    def slug(self) -> str:
        """The URL-safe form of the name."""
        return slug(self.name)

    @cached_property
    def contract(self) -> Contract:
        return build_contract(self.cls)

    @property
    def version(self) -> str | None:
        return self._told("version", "version")

    @property
    def url(self) -> str | None:
        return self._told("url", "url")

    @property
    def author(self) -> str | None:
        return self._told("author", "author")

    @property
    def author_email(self) -> str | None:
        return self._told("author_email", "author_email")

    @property
    def summary(self) -> str | None:
        return self._told("description", "summary")

    def _told(self, attribute: str, of_package: str) -> str | None:
        """What the description says or, where it is silent, the distribution."""
        value: str | None = getattr(self.description, attribute)
        if value is None and self.source.package:
            value = getattr(self.source.package, of_package)
        return value


@dataclass(frozen=True)
class LoadFailure:
    """A plugin that was left out, and why."""

    name: str
    origin: str
    cause: str


class Plugins:
    """The loaded plugins by name, those that failed, and the pluggy manager with their hooks."""

    def __init__(self, hooks: pluggy.PluginManager) -> None:
        self.hooks = hooks
        self.failed: list[LoadFailure] = []
        self._by_name: dict[str, Plugin] = {}
        self._by_case: dict[str, list[Plugin]] = {}
        self._by_slug: dict[str, list[Plugin]] = {}

    def __iter__(self) -> Iterator[Plugin]:
        return iter(self._by_name.values())

    def __len__(self) -> int:
        return len(self._by_name)

    def add(self, plugin: Plugin) -> None:
        """Add the plugin; raise PluginLoadError when its name is taken."""
        first = self._by_name.get(plugin.name)
        if first:
            raise PluginLoadError(f"its name {plugin.name!r} is taken by the plugin from {first.origin}")
        self._by_name[plugin.name] = plugin
        self._by_case.setdefault(plugin.name.casefold(), []).append(plugin)
        if plugin.slug:
            self._by_slug.setdefault(plugin.slug, []).append(plugin)

    def add_feature(self, module: ModuleType) -> None:
        """Register the hooks of a module of Micro itself, once."""
        if not self.hooks.is_registered(module):
            self.hooks.register(module, name=module.__name__)

    def leave_out(self, name: str, origin: str, err: BaseException) -> None:
        """Record a plugin that cannot be served, and say so in one line."""
        cause = err.message if isinstance(err, MicroError) else one_line(err)
        self.failed.append(LoadFailure(name, origin, cause))
        log.error("Plugin %r (%s) was left out: %s", name, origin, cause)
        log.debug("Plugin %r (%s)", name, origin, exc_info=err)

    def failures(self) -> list[dict[str, str]]:
        """Return what was left out, for programs: name, origin, cause."""
        return [asdict(each) for each in self.failed]

    def find(self, name: str) -> Plugin:
        """Return the plugin of exactly this name, else the one that differs only in case or URL form.

        Raises PluginNotFound, which names the candidates of an ambiguous name.
        """
        plugin = self._by_name.get(name)
        if plugin:
            return plugin
        candidates = self._by_case.get(name.casefold()) or self._by_slug.get(as_asked(name)) or []
        if len(candidates) == 1:
            return candidates[0]
        if candidates:
            names = ", ".join(sorted(repr(each.name) for each in candidates))
            raise PluginNotFound(f"plugin not found: {name!r} may be any of {names}; use the exact name")
        raise PluginNotFound(f"plugin not found: {name!r}{suggestion(name, self._by_name)}")

    def call_guarded(self, hook: str, **arguments: Any) -> None:
        """Call each implementation of a collecting hook; one that raises is logged, the others go on."""
        for impl in reversed(getattr(self.hooks.hook, hook).get_hookimpls()):
            try:
                impl.function(*(arguments[name] for name in impl.argnames))
            except (Exception, SystemExit) as err:
                log.error("Hook %s of %s failed: %s", hook, impl.plugin_name, one_line(err))
                log.debug("Hook %s of %s", hook, impl.plugin_name, exc_info=True)


def load_plugins(settings: Settings) -> Plugins:
    """Load the plugins of the plugin path and the installed ones; none can hurt the others."""
    plugins = Plugins(create_hook_manager())
    scan = _scan_folders(settings)
    sources = [*_folder_sources(scan), *_package_sources()]
    left_out = [each.path.name for each in scan.left_out]
    selection = Selection(settings, [*left_out, *(source.name for source in sources)])
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


def _load(source: Source, plugins: Plugins, selection: Selection) -> None:
    """Load one source; leave nothing of it behind when none of it is served."""
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


def _serve(found: object, source: Source, plugins: Plugins, selection: Selection) -> bool:
    """Add the plugins that a source offers; tell whether one of them, or its hooks alone, is served."""
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
    slots = Slots(name, description.concurrency) if description.concurrency else None
    return Plugin(name, cls, description, source, slots)


def _module(found: object, source: Source) -> object:
    """Return what holds the classes: the module itself, or the one that an entry point goes through."""
    return sys.modules[source.package.entry_point.module] if source.package else found


def _only_class(module: object) -> type[PluginBase]:
    """Return the one plugin class that the module itself defines."""
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
