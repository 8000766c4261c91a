"""Parsers of setting values: strings from the command line or environment, or JSON values.

Every parser returns the typed value, or raises ValueError that names the expected and the found value.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

_SWITCH = {
    "1": True,
    "true": True,
    "yes": True,
    "on": True,
    "0": False,
    "false": False,
    "no": False,
    "off": False,
}
_LOG_FORMATS = ("text", "json")
_RELOADS = ("off", "watch", "manual")
_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_LEVEL_ALIASES = {"WARN": "WARNING", "FATAL": "CRITICAL"}
_JSON_NAMES = {
    bool: "a boolean",
    int: "an integer",
    float: "a number",
    str: "a string",
    list: "a list",
    dict: "an object",
}


def found(raw: Any) -> str:
    """Describe a value, short enough for an error message."""
    if raw is None:
        return "null"
    text = repr(raw) if isinstance(raw, str | int | float) else ""
    return f"{_JSON_NAMES.get(type(raw), type(raw).__name__)} {text}".strip()


def text(raw: Any) -> str:
    if not isinstance(raw, str):
        raise ValueError(f"expected a string, found {found(raw)}")
    return raw


def switch(raw: Any) -> bool:
    value = _SWITCH.get(str(raw).strip().lower())
    if value is None or isinstance(raw, float):
        raise ValueError(f"expected one of 1/0/true/false/yes/no/on/off, found {found(raw)}")
    return value


def number(minimum: int) -> Callable[[Any], int]:
    """Return a parser of integers that are at least ``minimum``."""
    return lambda raw: _number(raw, minimum)


def _number(raw: Any, minimum: int) -> int:
    expected = f"expected a whole number from {minimum} on, found {found(raw)}"
    if isinstance(raw, bool | float) or not isinstance(raw, int | str):
        raise ValueError(expected)
    try:
        value = int(raw)
    except ValueError:
        raise ValueError(expected) from None
    if value < minimum:
        raise ValueError(expected)
    return value


def level(raw: Any) -> str:
    value = text(raw).strip().upper()
    value = _LEVEL_ALIASES.get(value, value)
    if value not in _LEVELS:
        raise ValueError(f"expected one of {', '.join(_LEVELS)}, found {found(raw)}")
    return value


def log_format(raw: Any) -> str:
    value = text(raw).strip().lower()
    if value not in _LOG_FORMATS:
        raise ValueError(f"expected one of {', '.join(_LOG_FORMATS)}, found {found(raw)}")
    return value


def reload(raw: Any) -> str:
    """Parse the reload mode: off, watch or manual. False means off, True means watch."""
    value = {True: "watch", False: "off"}.get(raw) if isinstance(raw, bool) else text(raw).strip().lower()
    if value not in _RELOADS:
        raise ValueError(f"expected one of {', '.join(_RELOADS)}, found {found(raw)}")
    return value


def names(raw: Any) -> tuple[str, ...]:
    """Parse a list of names: a JSON list, or a comma-separated string."""
    parts = raw.split(",") if isinstance(raw, str) else raw
    if not isinstance(parts, list | tuple) or not all(isinstance(part, str) for part in parts):
        raise ValueError(f"expected names separated by commas, found {found(raw)}")
    return tuple(part.strip() for part in parts if part.strip())


def names_or_none(raw: Any) -> tuple[str, ...] | None:
    return None if raw is None else names(raw)


def queues(raw: Any) -> tuple[str, ...]:
    """Parse queue names; empty means the queue ``micro``, as in configuration files of Micro 3."""
    return names(raw) or ("micro",)


def path(raw: Any) -> Path:
    value = text(raw)
    if not value:
        raise ValueError("expected a path, found an empty string")
    try:
        path = Path(value).expanduser()
    except RuntimeError as err:
        raise ValueError(f"expected a path, found {found(raw)}: that user has no home directory") from err
    # Keep symbolic links in the path, but resolve them if ".." could lead up from one.
    return path.resolve() if ".." in path.parts else path.absolute()


def path_or_none(raw: Any) -> Path | None:
    return None if raw is None or raw == "" else path(raw)


def paths(raw: Any) -> tuple[Path, ...]:
    """Parse folders: a JSON list, or a string with the separator of PATH; empty means none."""
    parts = raw.split(os.pathsep) if isinstance(raw, str) else raw
    if not isinstance(parts, list | tuple):
        raise ValueError(f"expected a folder, or several joined by '{os.pathsep}', found {found(raw)}")
    return tuple(path(part) for part in parts if part)


def broker_url(raw: Any) -> str:
    """Parse one broker URL, or several separated by semicolons; empty means none.

    The ValueError does not quote the URL, which may contain a password.
    """
    value = text(raw)
    for each in value.split(";") if value else ():
        scheme, separator, rest = each.partition("://")
        if not scheme or not separator:
            raise ValueError("expected a URL such as amqp://localhost// or redis://localhost, found no '://'")
        if not _has_sound_port(rest):
            raise ValueError(
                "expected a URL such as redis://localhost:6379/0, found a port that is no number up to 65535;"
                " in a password, write '/' as %2F and '@' as %40"
            )
    return value


def _has_sound_port(address: str) -> bool:
    # Import here, not at the top, to keep `micro -h` fast.
    from urllib.parse import urlsplit

    try:
        return urlsplit(f"//{address}").port != 0
    except ValueError:
        return False


def file_name(raw: Any) -> str:
    value = text(raw)
    if not value or value != Path(value).name:
        raise ValueError(f"expected a file name without folders, found {found(raw)}")
    return value


def node_host(raw: Any) -> str:
    value = text(raw)
    if not value or "@" in value or any(each.isspace() for each in value):
        raise ValueError(f"expected a host name, found {found(raw)}")
    return value


def bind(raw: Any) -> str:
    """Parse an address to listen on: HOST:PORT, [IPV6]:PORT, :PORT or unix:PATH."""
    value = text(raw)
    if value.startswith("unix:") and len(value) > len("unix:"):
        return value
    port = value.rpartition(":")[2]
    if ":" not in value or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ValueError(f"expected HOST:PORT or unix:PATH, found {found(raw)}")
    return value


def address_or_none(raw: Any) -> str:
    """Parse HOST:PORT, or an empty value."""
    value = text(raw).strip()
    if value.startswith("unix:"):
        raise ValueError(f"expected HOST:PORT, found {found(raw)}")
    return bind(value) if value else ""
