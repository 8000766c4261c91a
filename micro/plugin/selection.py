"""Selects the plugins to load by the allow-list and deny-list in the settings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from micro.plugin.names import as_asked, slug
from micro.settings import Settings


class Selection:
    """The allow-list and deny-list, matched loosely against folders, entry points and plugins.

    A name that matches a folder or entry point decides before anything is imported.
    """

    def __init__(self, settings: Settings, sources: Iterable[str]) -> None:
        allowed = settings.load_plugins
        self._allowed = None if allowed is None else {as_asked(name): name for name in allowed}
        self._denied = {as_asked(name): name for name in settings.disable_plugins}
        self._met = {form for name in sources for form in _forms(name)}
        # A name that matches no folder or entry point may be that of a plugin, known only after the import.
        self._all_known = self._allowed is not None and self._allowed.keys() <= self._met

    def imports(self, source: str) -> bool:
        """Return True if a folder or package must be imported."""
        names = _forms(source)
        if names & self._denied.keys():
            return False
        return not self._all_known or self._is_allowed(names)

    def serves(self, source: str, plugin: str = "") -> bool:
        """Return True if a plugin of the source, or without a name its hooks alone, is to be served."""
        names = _forms(plugin)
        self._met |= names
        return not names & self._denied.keys() and self._is_allowed(names | _forms(source))

    def unmet(self) -> Iterator[tuple[str, str]]:
        """Yield (setting, name) for each listed name that matches nothing."""
        lists = {"load_plugins": self._allowed or {}}
        if not self._all_known:
            # Otherwise a source that was not imported may have the denied names.
            lists["disable_plugins"] = self._denied
        for setting, names in lists.items():
            yield from ((setting, name) for form, name in names.items() if form not in self._met)

    def _is_allowed(self, names: set[str]) -> bool:
        return self._allowed is None or bool(names & self._allowed.keys())


def _forms(name: str) -> set[str]:
    return {as_asked(name), slug(name)} - {""}
