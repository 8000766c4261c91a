"""Looks up API keys of the settings and of the key file, and reads the file again when it changes."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from hmac import compare_digest
from pathlib import Path

from micro.config.api_keys import ApiKey, check_distinct, read_key_file
from micro.config.settings import Settings
from micro.errors import ConfigError, PluginNotFound
from micro.plugin.plugin import Plugins

log = logging.getLogger(__name__)

Stamp = tuple[int, int, int] | None


@dataclass(frozen=True)
class Grant:
    """What an API key grants: the names of the plugins it may call, or None for all plugins.

    ``digest`` is the SHA-256 digest of the key.
    """

    name: str
    digest: bytes
    plugins: frozenset[str] | None

    def allows(self, plugin: str) -> bool:
        """Return True if the key may call the plugin of this exact name."""
        return self.plugins is None or plugin in self.plugins


class KeyStore:
    """The API keys of one service. Thread-safe.

    A changed key file is read again within ``look_seconds`` seconds. If it cannot be read or is not valid
    then, the previous keys stay in force and an error is logged. Raises ConfigError if the keys are not
    valid when the object is made.
    """

    def __init__(self, settings: Settings, plugins: Plugins, look_seconds: float = 1.0) -> None:
        self._fixed, self._file, self._plugins = settings.api_keys, settings.api_keys_file, plugins
        self._look_seconds = look_seconds
        self._look_at = time.monotonic() + look_seconds
        self._stamp = _stamp(self._file)
        self._looking = threading.Lock()
        self._grants = self._read()

    def find(self, key: str) -> Grant | None:
        """Return what the key grants, or None if the key is unknown.

        The lookup uses the key's digest, so that its timing reveals nothing about any key.
        """
        if self._file and time.monotonic() >= self._look_at:
            self._look_again()
        given = sha256(key.encode()).digest()
        grant = self._grants.get(given)
        return grant if grant and compare_digest(grant.digest, given) else None

    def _look_again(self) -> None:
        if not self._looking.acquire(blocking=False):
            return
        try:
            self._look_at = time.monotonic() + self._look_seconds
            # Stat the file before reading it, so that a change during the reading is noticed next time.
            stamp = _stamp(self._file)
            if stamp != self._stamp:
                self._stamp = stamp
                self._grants = self._read()
                log.warning("Read %d API keys, as '%s' has changed", len(self._grants), self._file)
        except ConfigError as err:
            log.error("The previous API keys stay valid, as the new ones cannot be used: %s", err.message)
        finally:
            self._looking.release()

    def _read(self) -> Mapping[bytes, Grant]:
        keys = (*self._fixed, *(read_key_file(self._file) if self._file else ()))
        try:
            check_distinct(keys)
        except ValueError as err:
            raise ConfigError(f"API keys of the settings and of '{self._file}': {err}.") from err
        grants = [self._grant(key) for key in keys]
        return {grant.digest: grant for grant in grants}

    def _grant(self, key: ApiKey) -> Grant:
        names = None if key.plugins is None else frozenset(self._named(key, each) for each in key.plugins)
        return Grant(key.name, bytes.fromhex(key.digest), names)

    def _named(self, key: ApiKey, name: str) -> str:
        try:
            return self._plugins.find(name).name
        except PluginNotFound as err:
            # Keep the name of a plugin that is not loaded: its jobs may still be in the job table.
            log.warning("API key %r: %s", key.name, err.message)
            return name


def _stamp(file: Path | None) -> Stamp:
    """Return a value that changes whenever the file does, or None if there is no file.

    Inode and size reveal a replacement within one tick of the file system's clock.
    """
    if file is None:
        return None
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size
