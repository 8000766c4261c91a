"""Parses API keys from settings and key files; stores only their SHA-256 digests."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from micro.errors import ConfigError

SHORTEST = 16
_HASHED = "sha256:"
_ENTRY = re.compile(r"(?P<name>[^:]*):(?P<key>sha256:[^:]*|[^:]*)(?::(?P<plugins>.*))?", re.DOTALL)
_NAME = re.compile(r"[\w.@/+-]{1,64}", re.ASCII)
# Printable ASCII, which HTTP headers carry unchanged, except "," and ":": they separate keys and fields.
_KEY = re.compile(rf"[!-+\--9;-~]{{{SHORTEST},512}}")
_DIGEST = re.compile(r"[0-9a-fA-F]{64}")
_FORM = "NAME:KEY or NAME:KEY:PLUGIN|PLUGIN"
_FIELDS = {"name", "key", "plugins"}


@dataclass(frozen=True)
class ApiKey:
    """One API key: its name (may be logged), the SHA-256 of the key, and the plugins it may call.

    ``plugins`` holds names as the operator wrote them; None means all plugins.
    """

    name: str
    digest: str = field(repr=False)
    plugins: tuple[str, ...] | None = None

    def as_raw(self) -> dict[str, Any]:
        """Return the JSON form, with the hashed key."""
        limits = {} if self.plugins is None else {"plugins": list(self.plugins)}
        return {"name": self.name, "key": _HASHED + self.digest, **limits}


def digest(key: str) -> str:
    """Return the SHA-256 of a key in hexadecimal; the key itself is never stored."""
    # Import here: hashlib loads OpenSSL, which would slow down `micro -h`.
    from hashlib import sha256

    return sha256(key.encode()).hexdigest()


def parse_keys(raw: Any) -> tuple[ApiKey, ...]:
    """Parse keys from comma-separated text, JSON text, or a list.

    Each is ``NAME:KEY`` or ``NAME:KEY:PLUGIN|PLUGIN``, or in JSON also
    ``{"name": ..., "key": ..., "plugins": [...]}``. Raises ValueError; its message never
    contains a key.
    """
    if isinstance(raw, str):
        raw = _from_json(raw) if raw.lstrip().startswith("[") else raw.split(",")
    if not isinstance(raw, list | tuple):
        raise ValueError(f"expected keys as {_FORM}, separated by commas, or a list of objects")
    entries = (each for each in raw if not isinstance(each, str) or each.strip())
    keys = tuple(_key(number, each) for number, each in enumerate(entries, 1))
    check_distinct(keys)
    return keys


def read_key_file(path: Path) -> tuple[ApiKey, ...]:
    """Read the keys in a file: a JSON list, or one key per line; ``#`` starts a comment.

    Raises ConfigError, also if the file holds no key: no caller could then use the service.
    """
    where = f"The file of API keys '{path}'"
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as err:
        raise ConfigError(f"{where} cannot be read: {err.strerror}.") from err
    except UnicodeDecodeError as err:
        raise ConfigError(f"{where}: expected text in UTF-8.") from err
    try:
        keys = parse_keys(_from_json(text) if text.lstrip().startswith("[") else list(_lines(text)))
    except ValueError as err:
        raise ConfigError(f"{where}: {err}.") from err
    if not keys:
        raise ConfigError(f"{where}: expected one key a line, as {_FORM}, found none.")
    return keys


def check_distinct(keys: Iterable[ApiKey]) -> None:
    """Raise ValueError if two keys share a name, or two names share a key."""
    names: set[str] = set()
    digests: dict[str, str] = {}
    for key in keys:
        if key.name in names:
            raise ValueError(f"expected a name of its own for each key, found {key.name!r} twice")
        if key.digest in digests:
            raise ValueError(f"expected different keys, found {digests[key.digest]!r} again as {key.name!r}")
        names.add(key.name)
        digests[key.digest] = key.name


def _from_json(text: str) -> Any:
    import json

    try:
        return json.loads(text)
    except ValueError as err:
        # Do not repeat the parser's message: it may quote a part of a key.
        raise ValueError("expected a JSON list of keys, found '[' and then no JSON") from err


def _lines(text: str) -> Iterator[str]:
    lines = (line.strip() for line in text.splitlines())
    return (line for line in lines if not line.startswith("#"))


def _key(number: int, entry: Any) -> ApiKey:
    name, key, plugins = _parts(number, entry)
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(f"key {number}: expected a name of letters, digits and ._-@/+ before the key")
    label = f"key {number} ({name!r})"
    if not isinstance(key, str):
        raise ValueError(f"{label}: expected the key as a string")
    if plugins is not None and not _are_names(plugins):
        raise ValueError(f"{label}: expected the names of plugins, or no list where it may call all")
    return ApiKey(name, _digest(label, key), None if plugins is None else tuple(plugins))


def _parts(number: int, entry: Any) -> tuple[Any, Any, Any]:
    if isinstance(entry, Mapping):
        if not {"name", "key"} <= entry.keys() <= _FIELDS:
            raise ValueError(f'key {number}: expected an object with "name", "key" and perhaps "plugins"')
        return entry["name"], entry["key"], entry.get("plugins")
    found = _ENTRY.fullmatch(entry.strip()) if isinstance(entry, str) else None
    if not found:
        raise ValueError(f"key {number}: expected {_FORM}")
    plugins = found["plugins"]
    return found["name"], found["key"], plugins if plugins is None else _names(plugins)


def _names(text: str) -> list[str]:
    return [each.strip() for each in text.split("|")]


def _are_names(plugins: Any) -> bool:
    return isinstance(plugins, list | tuple) and all(isinstance(each, str) and each for each in plugins)


def _digest(label: str, key: str) -> str:
    if key.startswith(_HASHED):
        hexadecimal = key.removeprefix(_HASHED)
        if not _DIGEST.fullmatch(hexadecimal):
            raise ValueError(f"{label}: expected 64 hexadecimal digits after '{_HASHED}'")
        return hexadecimal.lower()
    if not _KEY.fullmatch(key):
        raise ValueError(
            f"{label}: expected {SHORTEST} to 512 ASCII characters without spaces, ':' and ',';"
            " `python3 -c 'import secrets; print(secrets.token_urlsafe(32))'` makes a good one"
        )
    return digest(key)
