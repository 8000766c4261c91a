"""One loaded plugin, where it came from, and all of them by name."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from types import ModuleType
from typing import Any

import pluggy

from micro.contract.contract import Contract, build_contract
from micro.errors import MicroError, PluginLoadError, PluginNotFound, one_line
from micro.plugin.concurrency import ConcurrencyLimit
from micro.plugin.entry_points import Package
from micro.plugin.imports.folders import PluginFolder
from micro.plugin.names import as_asked, slug, suggestion
from micro.plugin.pluginbase import PluginBase, PluginDescription

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Source:
    """The source of plugins: a plugin folder, or the entry point of an installed package."""

    name: str
    origin: str
    load: Callable[[], object]
    folder: PluginFolder | None = None
    package: Package | None = None

    @property
    def label(self) -> str:
        """The unique name under which pluggy registers the hooks of this source."""
        return f"{self.name} ({self.origin})"


@dataclass(frozen=True, eq=False)
class Plugin:
    """One loaded plugin: the class to run, how to call it, and where it came from."""

    name: str
    cls: type[PluginBase]
    description: PluginDescription
    source: Source
    slots: ConcurrencyLimit | None = None

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
        """Return the attribute of the description or, if unset, of the distribution."""
        value: str | None = getattr(self.description, attribute)
        if value is None and self.source.package:
            value = getattr(self.source.package, of_package)
        return value


@dataclass(frozen=True)
class LoadFailure:
    """A plugin that was not loaded, and the cause."""

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
        """Add the plugin. Raises PluginLoadError if its name is taken."""
        first = self._by_name.get(plugin.name)
        if first:
            raise PluginLoadError(f"its name {plugin.name!r} is taken by the plugin from {first.origin}")
        self._by_name[plugin.name] = plugin
        self._by_case.setdefault(plugin.name.casefold(), []).append(plugin)
        if plugin.slug:
            self._by_slug.setdefault(plugin.slug, []).append(plugin)

    def add_feature(self, module: ModuleType) -> None:
        """Register the hooks of a module of Micro, unless it is registered."""
        if not self.hooks.is_registered(module):
            self.hooks.register(module, name=module.__name__)

    def leave_out(self, name: str, origin: str, err: BaseException) -> None:
        """Record a plugin that cannot be loaded, and log one line about it."""
        cause = err.message if isinstance(err, MicroError) else one_line(err)
        self.failed.append(LoadFailure(name, origin, cause))
        log.error("Plugin %r (%s) was left out: %s", name, origin, cause)
        log.debug("Plugin %r (%s)", name, origin, exc_info=err)

    def failures(self) -> list[dict[str, str]]:
        """Return name, origin and cause of each plugin that was left out."""
        return [asdict(each) for each in self.failed]

    def find(self, name: str) -> Plugin:
        """Return the plugin of this name, else the one that matches by case or URL-safe form.

        Raises PluginNotFound; for an ambiguous name, the message lists the candidates.
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
        """Call each implementation of a hook; log exceptions, so that the others are called all the same."""
        for impl in reversed(getattr(self.hooks.hook, hook).get_hookimpls()):
            try:
                impl.function(*(arguments[name] for name in impl.argnames))
            except (Exception, SystemExit) as err:
                log.error("Hook %s of %s failed: %s", hook, impl.plugin_name, one_line(err))
                log.debug("Hook %s of %s", hook, impl.plugin_name, exc_info=True)
