"""How plugins are called by name: exactly, regardless of case, or by the URL-safe form."""

from __future__ import annotations

import re
from collections.abc import Iterable


def slug(name: str) -> str:
    """Return the URL-safe form of a name: ``Example Plugin`` becomes ``example-plugin``."""
    return re.sub(r"[\W_]+", "-", name.casefold()).strip("-")


def as_asked(name: str) -> str:
    """Return the form of a caller's name that is compared with slugs.

    Case and separators do not count. Other characters do: ``C++`` must not find ``C#``.
    """
    return re.sub(r"[\s_.-]+", "-", name.casefold()).strip("-")


def suggestion(name: str, names: Iterable[str]) -> str:
    """Return the end of a sentence that says a name is unknown."""
    from difflib import get_close_matches

    folded = {each.casefold(): each for each in names}
    if not folded:
        return "; no plugin is loaded, `micro plugins` says what to do"
    close = get_close_matches(name.casefold(), folded, n=1)
    if close:
        return f"; did you mean {folded[close[0]]!r}?"
    return "; GET /plugins or `micro plugins` lists them"
