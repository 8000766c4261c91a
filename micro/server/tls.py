"""Tells whether gunicorn can speak TLS with its settings; by itself it would fail at every connection."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

from gunicorn.sock import ssl_context

from micro.errors import ConfigError

_FILES = ("certfile", "keyfile", "ca_certs")


def check_tls(cfg: Any, source: str) -> None:
    """Raise ConfigError when certificate and key, as gunicorn's configuration has them, cannot be used.

    ``source`` names the layer that gave them.
    """
    if not cfg.is_ssl:
        return
    where = f"Section 'gunicorn' ({source})"
    if not cfg.certfile:
        raise ConfigError(f"{where}: expected 'certfile' beside 'keyfile'; name the file of the certificate.")
    for name in _FILES:
        file = getattr(cfg, name)
        if file and not Path(file).is_file():
            raise ConfigError(f"{where}: '{name}' names '{file}', where no file is.")
    try:
        ssl_context(cfg)
    except (OSError, ssl.SSLError, ValueError) as err:
        files = ", ".join(f"{name} '{file}'" for name in _FILES if (file := getattr(cfg, name)))
        reason = getattr(err, "reason", None) or getattr(err, "strerror", None) or err
        raise ConfigError(
            f"{where}: {files}: expected a certificate and its key in PEM, without a password; {reason}."
        ) from err
