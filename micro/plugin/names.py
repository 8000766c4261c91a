"""Matches plugin names: exactly, ignoring case, or by the URL-safe form."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from micro.config.settings import Settings


def slug(name: str) -> str:
    """Return the URL-safe form of a name: ``Example Plugin`` becomes ``example-plugin``."""
    return re.sub(r"[\W_]+", "-", name.casefold()).strip("-")


def as_asked(name: str) -> str:
    """Normalize a name from a caller for comparison with slugs.

    Case and separators are ignored. Other characters are kept: ``C++`` must not match ``C#``.
    """
    return re.sub(r"[\s_.-]+", "-", name.casefold()).strip("-")


def suggestion(name: str, names: Iterable[str]) -> str:
    """Return the end of an error message about an unknown name: similar names, or all of them."""
    from difflib import get_close_matches

    folded = {each.casefold(): each for each in names}
    if not folded:
        return "; no plugin is loaded, `micro plugins` says what to do"
    close = get_close_matches(name.casefold(), folded, n=1)
    if close:
        return f"; did you mean {folded[close[0]]!r}?"
    return "; GET /plugins or `micro plugins` lists them"


class PluginSelection:
    """The two lists, matched loosely against folders, entry points and plugins.

    A name in them means whatever of these has it; where it means a folder or an entry point,
    that decides before anything is imported.
    """

    def __init__(self, settings: Settings, sources: Iterable[str]) -> None:
        allowed = settings.load_plugins
        self._allowed = None if allowed is None else {as_asked(name): name for name in allowed}
        self._denied = {as_asked(name): name for name in settings.disable_plugins}
        self._met = {form for name in sources for form in _forms(name)}
        # A name that no folder and no entry point has can only be found by importing all of them.
        self._all_known = self._allowed is not None and self._allowed.keys() <= self._met

    def imports(self, source: str) -> bool:
        """Return True if a folder or package may hold a plugin to serve."""
        names = _forms(source)
        if names & self._denied.keys():
            return False
        return not self._all_known or self._is_allowed(names)

    def serves(self, source: str, plugin: str = "") -> bool:
        """Return True if a plugin of that source is to be served; without a name, if its hooks are."""
        names = _forms(plugin)
        self._met |= names
        return not names & self._denied.keys() and self._is_allowed(names | _forms(source))

    def unmet(self) -> Iterator[tuple[str, str]]:
        """Yield the listed names that no plugin has, as pairs of setting and name."""
        lists = {"load_plugins": self._allowed or {}}
        if not self._all_known:
            # Without importing everything, a plugin that was not imported may have the name.
            lists["disable_plugins"] = self._denied
        for setting, names in lists.items():
            yield from ((setting, name) for form, name in names.items() if form not in self._met)

    def _is_allowed(self, names: set[str]) -> bool:
        return self._allowed is None or bool(names & self._allowed.keys())


def _forms(name: str) -> set[str]:
    return {as_asked(name), slug(name)} - {""}
