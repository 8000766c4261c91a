"""Keeps the log from telling again what a command tells itself."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout

from micro.service import Micro
from micro.settings import Settings


@contextmanager
def silenced(*names: str) -> Iterator[None]:
    """Let these loggers log nothing but what is critical."""
    loggers = [logging.getLogger(name) for name in names]
    levels = [each.level for each in loggers]
    for each in loggers:
        each.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for each, level in zip(loggers, levels, strict=True):
            each.setLevel(level)


def load_quietly(settings: Settings) -> Micro:
    """Load the plugins; the failures are in ``loaded.failed`` and not logged as well."""
    with silenced("micro"):
        return load(settings)


def load(settings: Settings) -> Micro:
    """Load the plugins; what they print meanwhile is kept out of the command's own output."""
    with redirect_stdout(sys.stderr):
        return Micro(settings)
