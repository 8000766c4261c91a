"""Loads the plugins for a command, without their output and log lines mixing into its own."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout

from micro.service import Micro
from micro.settings import Settings


@contextmanager
def silenced(*names: str) -> Iterator[None]:
    """Let these loggers log nothing below CRITICAL."""
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
    """Load the plugins without logging; those that failed are in ``loaded.failed``."""
    with silenced("micro"):
        return load(settings)


def load(settings: Settings) -> Micro:
    """Load the plugins; what they print meanwhile goes to standard error."""
    with redirect_stdout(sys.stderr):
        return Micro(settings)
