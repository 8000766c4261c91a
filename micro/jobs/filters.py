"""Reads the filters of a job listing, which callers send as text."""

from __future__ import annotations

import re
from collections.abc import Mapping, Set
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from micro.errors import BadRequest, Forbidden, PluginNotFound
from micro.jobs.models import MAX_PAGE, Page, State
from micro.plugin.plugin import Plugins

if TYPE_CHECKING:
    from micro.jobs.store.store import JobStore

_NAMES = ("plugin", "state", "since", "until", "limit", "cursor")
_PAGE = 50
_LEAP_SECOND = re.compile(r"(?<=:[0-5][0-9]):60")
_YEAR_0 = re.compile(r"^0000")


def read_filters(given: Mapping[str, str], plugins: Plugins) -> dict[str, Any]:
    """Return the arguments of ``JobStore.list_jobs``; raise BadRequest for an unknown or invalid filter."""
    for name in given.keys() - set(_NAMES):
        raise BadRequest(f"Jobs are filtered by {', '.join(_NAMES)}, found {name!r}")
    return {
        "plugin": _plugin(given.get("plugin"), plugins),
        "state": _state(given.get("state")),
        "since": _moment("since", given.get("since")),
        "until": _moment("until", given.get("until")),
        "limit": _limit(given.get("limit")),
        "cursor": given.get("cursor"),
    }


def list_within(store: JobStore, filters: Mapping[str, Any], plugins: Set[str] | None) -> Page:
    """Return the page of jobs that match the filters, of ``plugins`` only; None stands for all plugins.

    Raises Forbidden if the filters name another plugin.
    """
    if plugins is None or filters["plugin"] in plugins:
        return store.list_jobs(**filters)
    if filters["plugin"] is not None:
        # The message does not name the plugin. A caller who filters by another form of the name would learn
        # from it that the plugin exists.
        raise Forbidden("The API key is not for the jobs of this plugin")
    # One query for each plugin reads an index backwards; one query for all of them would sort all jobs.
    pages = [store.list_jobs(**{**filters, "plugin": each}) for each in plugins]
    found = sorted((job for page in pages for job in page.jobs), key=lambda job: job.id, reverse=True)
    shown = tuple(found[: filters["limit"]])
    more = len(found) > len(shown) or any(page.cursor for page in pages)
    return Page(shown, shown[-1].id if more else None)


def _plugin(name: str | None, plugins: Plugins) -> str | None:
    if name is None:
        return None
    try:
        return plugins.find(name).name
    except PluginNotFound:
        # The plugin may have been removed since its jobs ran. PostgreSQL refuses NUL in text.
        return name.replace("\0", "\N{REPLACEMENT CHARACTER}")


def _state(text: str | None) -> State | None:
    try:
        return None if text is None else State(text)
    except ValueError as err:
        raise BadRequest(f"'state' must be one of {', '.join(State)}, found {text!r}") from err


def _moment(name: str, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = _read_moment(text)
    except (ValueError, OverflowError) as err:
        raise BadRequest(
            f"'{name}' must be a time as in ISO 8601, such as 2026-01-31T12:00:00Z, found {text!r}"
        ) from err
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _read_moment(text: str) -> datetime:
    # RFC 3339 allows lower case, leap seconds and the year 0, which Python refuses. No job is so old that
    # year 4 in place of 0 makes a difference.
    plain, leaps = _LEAP_SECOND.subn(":59", text.upper(), count=1)
    return datetime.fromisoformat(_YEAR_0.sub("0004", plain)) + timedelta(seconds=leaps)


def _limit(text: str | None) -> int:
    if text is None:
        return _PAGE
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= MAX_PAGE:
        raise BadRequest(f"'limit' must be a whole number from 1 to {MAX_PAGE}, found {text!r}")
    return int(text)
