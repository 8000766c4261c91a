"""Matches plugin names: exactly, ignoring case, or by the URL-safe form."""

from __future__ import annotations

import re
from collections.abc import Iterable


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
