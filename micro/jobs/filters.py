"""Reads the filters of a listing of jobs, which callers send as text."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from micro.errors import BadRequest, PluginNotFound
from micro.jobs.models import State
from micro.jobs.store import MAX_PAGE
from micro.plugin.manager import Plugins

_PAGE = 50


def read_filters(given: Mapping[str, str], plugins: Plugins) -> dict[str, Any]:
    """Return the arguments of ``JobStore.list_jobs``; raise BadRequest for what cannot be read."""
    return {
        "plugin": _plugin(given.get("plugin"), plugins),
        "state": _state(given.get("state")),
        "since": _moment("since", given.get("since")),
        "until": _moment("until", given.get("until")),
        "limit": _limit(given.get("limit")),
        "cursor": given.get("cursor"),
    }


def _plugin(name: str | None, plugins: Plugins) -> str | None:
    if name is None:
        return None
    try:
        return plugins.find(name).name
    except PluginNotFound:
        # It may have been removed since its jobs ran.
        return name


def _state(text: str | None) -> State | None:
    try:
        return None if text is None else State(text)
    except ValueError as err:
        raise BadRequest(f"'state' must be one of {', '.join(State)}, found {text!r}") from err


def _moment(name: str, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as err:
        raise BadRequest(
            f"'{name}' must be a time as in ISO 8601, such as 2026-01-31T12:00:00Z, found {text!r}"
        ) from err
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _limit(text: str | None) -> int:
    if text is None:
        return _PAGE
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= MAX_PAGE:
        raise BadRequest(f"'limit' must be a whole number from 1 to {MAX_PAGE}, found {text!r}")
    return int(text)
