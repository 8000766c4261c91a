"""micro health: checks the processes of the running Micro; its exit code is the result."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import click

from micro.cli.options import resolve, settings_options
from micro.cli.tables import print_table
from micro.errors import EXIT_FAILED, EXIT_OK
from micro.server.health import check_health


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@settings_options("pid_folder_path")
@click.pass_context
def command(ctx: click.Context, /, as_json: bool, **flags: Any) -> None:
    """Check the processes of the Micro with this PID folder; exit 0 if all do their work, else 1.

    It imports no plugin and asks no broker, so a container may call it often.
    """
    checks = check_health(resolve(ctx, flags))
    if as_json:
        click.echo(json.dumps([asdict(each) for each in checks], indent=2))
    else:
        rows = [(each.name, "ok" if each.healthy else "failed", each.detail) for each in checks]
        print_table(("process", "health", "detail"), rows)
    ctx.exit(EXIT_OK if all(each.healthy for each in checks) else EXIT_FAILED)
