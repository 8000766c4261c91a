"""micro stop: stops the running Micro and waits until it has ended."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from typing import Any

import click

from micro.cli.options import resolve, settings_options
from micro.errors import MicroError
from micro.runtime.discovery import find_running
from micro.runtime.files import is_alive
from micro.server.launch import GRACE_BEYOND_CHILDREN

_LOOK_SECONDS = 0.05
# Seconds that the supervisor needs, after the grace period, to kill and reap its processes.
_MORE_SECONDS = 10


class NotStopped(MicroError):
    """The running Micro cannot be stopped, or takes too long."""

    code = "not-stopped"


@click.command()
@settings_options("pid_folder_path")
@click.pass_context
def command(ctx: click.Context, /, **flags: Any) -> None:
    """Stop the Micro with this PID folder: it finishes what runs, at most for its stop_timeout.

    Exits 0 when it has ended, and also if none was running.
    """
    settings = resolve(ctx, flags)
    running = find_running(settings)
    if not running:
        click.echo(f"Micro is not running with the PID folder '{settings.pid_folder_path}'.", err=True)
        return
    patience = running.settings.stop_timeout + GRACE_BEYOND_CHILDREN + _MORE_SECONDS
    _ask(running.pid)
    if not _has_ended(running.pid, patience):
        raise NotStopped(
            f"Micro, process {running.pid}, has not stopped within {patience} seconds. Its log says what it"
            " waits for; a second `micro stop` ends it without waiting."
        )
    click.echo(f"Micro, process {running.pid}, has stopped.")


def _ask(pid: int) -> None:
    try:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    except PermissionError as err:
        raise NotStopped(f"Micro, process {pid}, belongs to another user; stop it as that user.") from err


def _has_ended(pid: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while is_alive(pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(_LOOK_SECONDS)
    return True
