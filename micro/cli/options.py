"""Flags for settings, for ``micro`` itself and for its commands."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import Field
from typing import TYPE_CHECKING, Any

import click

from micro.config.loading import load_settings
from micro.config.settings import Settings, table, to_raw, variable

if TYPE_CHECKING:
    from micro.service import Micro

Command = Callable[..., Any]


def settings_options(*names: str) -> Callable[[Command], Command]:
    """Add ``-c`` and the flags of the named settings to a command; of all settings if none is named."""

    def decorate(function: Command) -> Command:
        for setting in reversed(list(table())):
            if setting.metadata["flags"] and (not names or setting.name in names):
                function = _option(setting)(function)
        help_text = "JSON file with settings. [env: MICRO_CONFIG_FILE]"
        return click.option("-c", "--config-file", metavar="FILE", help=help_text)(function)

    return decorate


def resolve(ctx: click.Context, flags: Mapping[str, Any]) -> Settings:
    """Load the settings with the flags of ``micro`` and of the command; the command's own win."""
    given = {name: value for name, value in flags.items() if value is not None}
    return load_settings({**(ctx.obj or {}), **given})


@contextmanager
def silenced(*names: str) -> Iterator[None]:
    """Silence these loggers below CRITICAL within the block."""
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
    """Load the plugins; their prints go to stderr, apart from the command's own output."""
    # Imported late: most commands load no plugin.
    from micro.service import Micro

    with redirect_stdout(sys.stderr):
        return Micro(settings)


def _option(setting: Field[Any]) -> Callable[[Command], Command]:
    default = to_raw(setting.default)
    note = f"[env: {variable(setting)}" + (f"; default: {default}]" if default not in ("", False) else "]")
    help_text = f"{setting.metadata['help']} {note}"
    if isinstance(setting.default, bool):
        # None, not False, if the flag is not given, so that the variable, file or default decides.
        return click.option(
            *setting.metadata["flags"], setting.name, flag_value=True, default=None, help=help_text
        )
    metavar = setting.name.rpartition("_")[2].upper()
    return click.option(*setting.metadata["flags"], setting.name, metavar=metavar, help=help_text)
