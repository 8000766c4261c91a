"""Formats jobs for the terminal: as a row of a list, in full, and lines of the log."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import click

from micro.cli.times import local, seconds_between, write_duration

COLUMNS = ("id", "plugin", "state", "made", "took", "error")
_SHORT = 60

Details = Mapping[str, Any]


def row(details: Details) -> tuple[str, ...]:
    """Return the cells of a job in a list, in the order of COLUMNS."""
    error = details["error"]["error"] if details["error"] else ""
    return (
        details["id"],
        details["plugin"],
        _state(details),
        f"{write_duration(seconds_between(details['created']))} ago",
        _took(details),
        error if len(error) <= _SHORT else f"{error[: _SHORT - 1]}…",
    )


def print_details(details: Details) -> None:
    """Print all fields of one job that have a value, and its log."""
    for name, value in _facts(details):
        if value:
            click.echo(f"{name:<10}{value}")
    if details.get("log"):
        click.echo("log")
    for line in details.get("log", ()):
        click.echo(f"  {log_line(line)}")


def print_json(value: object) -> None:
    """Print JSON: indented on a terminal, otherwise in one line."""
    indent = 2 if sys.stdout.isatty() else None
    # As bytes: JSON is UTF-8, whatever encoding Python assumes for standard output.
    click.echo(json.dumps(value, indent=indent, ensure_ascii=False).encode())


def reason(details: Details) -> str:
    """Return in a few words why a job has no result."""
    error = details["error"]
    return f"{error['error']} [{error['code']}]" if error else f"job {details['id']} was {details['state']}"


def log_line(data: Mapping[str, Any]) -> str:
    """Return one line of a job's log, with its time and level."""
    return f"{local(data['time'])} {data['level']:<7} {data['text']}"


def _facts(details: Details) -> Iterator[tuple[str, str]]:
    yield "id", details["id"]
    yield "plugin", details["plugin"]
    yield "state", f"{_state(details)}{_attempt(details)}"
    for name in ("created", "started", "finished"):
        yield name, local(details[name]) if details[name] else ""
    yield "took", _took(details)
    yield "worker", details["worker"] or ""
    yield "parent", details["parent"] or ""
    yield "params", json.dumps(details["params"], ensure_ascii=False)
    yield "error", reason(details) if details["error"] else ""
    result = details.get("result")
    yield "result", "" if result is None else json.dumps(result, ensure_ascii=False)


def _state(details: Details) -> str:
    state, progress = str(details["state"]), details["progress"]
    if state != "running" or not progress or not progress["total"]:
        return state
    return f"{state} {100 * progress['done'] / progress['total']:.0f}%"


def _attempt(details: Details) -> str:
    return f", attempt {details['attempt']} of {details['attempts']}" if details["attempt"] > 1 else ""


def _took(details: Details) -> str:
    """Return how long the run took, or has taken so far; an empty text if it has not begun."""
    started = details["started"]
    return write_duration(seconds_between(started, details["finished"])) if started else ""
