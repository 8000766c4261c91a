"""micro reload: lets the running Micro reload its plugins, and prints the outcome."""

from __future__ import annotations

from typing import Any

import click

from micro.cli.options import resolve, settings_options
from micro.errors import EXIT_FAILED, ConfigError, MicroError
from micro.runtime.discovery import find_running
from micro.server.reload import requests


class NotRunning(MicroError):
    """No Micro is running with this PID folder."""

    code = "not-running"


@click.command()
@click.option("--timeout", type=float, default=600, show_default=True, help="Wait at most so many seconds.")
@settings_options("pid_folder_path")
@click.pass_context
def command(ctx: click.Context, /, timeout: float, **flags: Any) -> None:
    """Let the Micro with this PID folder reload its plugins.

    The plugins are checked first. If a changed one is broken, the running version continues to serve, the
    errors are listed, and the exit code is 1.
    """
    settings = resolve(ctx, flags)
    running = find_running(settings)
    if not running:
        raise NotRunning(f"No Micro runs with the PID folder '{settings.pid_folder_path}'; name it with -pp.")
    if running.settings.reload == "off":
        raise ConfigError(
            "This Micro was started with --reload off; start it with --reload manual, or watch."
        )
    outcome = requests.wait(running, requests.ask(running), timeout)
    if outcome.failure:
        click.echo(f"Error: {outcome.failure}", err=True)
        ctx.exit(EXIT_FAILED)
    plugins = f"{outcome.plugins} plugin{'' if outcome.plugins == 1 else 's'}"
    click.echo(f"Micro serves generation {outcome.generation}: {plugins}")
