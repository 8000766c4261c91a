"""Parses and formats times and durations for the command line."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import click

_UNITS = {"w": 7 * 86400, "d": 86400, "h": 3600, "m": 60, "s": 1}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([wdhms])(?:\s+ago)?")


def seconds_option(ctx: click.Context, param: click.Parameter, value: str) -> float:
    """Return the duration in an option, in seconds; for click."""
    seconds = read_duration(value)
    if seconds is None:
        raise click.BadParameter(f"expected a duration such as 90s, 1.5h or 7d, found {value!r}.")
    return seconds


def moment_option(ctx: click.Context, param: click.Parameter, value: str | None) -> datetime | None:
    """Return the time in an option: ISO 8601 (local without a zone) or an age such as ``2h``; for click."""
    if value is None:
        return None
    seconds = read_duration(value)
    try:
        if seconds is not None:
            return datetime.now(UTC) - timedelta(seconds=seconds)
        return datetime.fromisoformat(value).astimezone()
    except (ValueError, OverflowError) as err:
        raise click.BadParameter(
            f"expected a time such as 2026-01-31T12:00, or how long ago it was, such as 2h; found {value!r}."
        ) from err


def read_duration(text: str) -> float | None:
    """Return the seconds in a text such as ``2d``, ``1.5h`` or ``90s ago``; None if it is no duration."""
    found = _DURATION.fullmatch(text.strip().lower())
    return float(found[1]) * _UNITS[found[2]] if found else None


def write_duration(seconds: float) -> str:
    """Return a duration in the largest unit of which it has two or more, such as ``90s`` or ``3h``."""
    for unit in "dhms":
        if seconds >= 2 * _UNITS[unit]:
            return f"{seconds / _UNITS[unit]:.0f}{unit}"
    return f"{max(seconds, 0) * 1000:.0f}ms"


def seconds_between(iso: str, until: str | None = None) -> float:
    """Return the seconds from one ISO time to another, or to now."""
    end = datetime.fromisoformat(until) if until else datetime.now(UTC)
    return (end - datetime.fromisoformat(iso)).total_seconds()


def local(iso: str) -> str:
    """Return an ISO time as text in the local zone, to the second."""
    return datetime.fromisoformat(iso).astimezone().strftime("%Y-%m-%d %H:%M:%S")
