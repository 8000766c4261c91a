"""micro logs: shows the end of the log file, and follows it."""

from __future__ import annotations

import os
import shutil
from typing import Any

import click

from micro.cli.options import resolve, settings_options
from micro.errors import ConfigError
from micro.runtime.discovery import settings_in_use

_NAMES = ("log_folder_path", "log_file_name", "pid_folder_path")


@click.command()
@click.option("-f", "--follow", is_flag=True, help="Print new lines as they are written, until Ctrl-C.")
@click.option(
    "-n",
    "--lines",
    type=click.IntRange(0),
    default=20,
    metavar="N",
    help="Show the last N lines.",
)
@settings_options(*_NAMES)
@click.pass_context
def command(ctx: click.Context, /, follow: bool, lines: int, **flags: Any) -> None:
    """Show the log of the Micro with this PID folder; if none runs, that of the last one."""
    settings = settings_in_use(resolve(ctx, flags))
    path = settings.log_folder_path / settings.log_file_name
    if not os.access(path, os.R_OK):
        why = (
            "cannot be read by this user" if path.exists() else "does not exist: no Micro has written it yet"
        )
        raise ConfigError(f"The log file '{path}' {why}; name its folder with -lp.")
    tail = shutil.which("tail")
    if not tail:
        raise ConfigError(f"There is no `tail` to show the log file '{path}' with.")
    # tail -F follows the name: Micro moves a full log file away and creates a new one.
    os.execv(tail, [tail, "-n", str(lines), *(["-F"] if follow else []), str(path)])
