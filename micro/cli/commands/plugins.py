"""micro plugins: lists the loaded plugins, and those that failed, with the cause."""

from __future__ import annotations

import json
from typing import Any

import click

from micro.cli.options import load_quietly, resolve, settings_options
from micro.cli.tables import print_table


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@settings_options("plugin_path")
@click.pass_context
def command(ctx: click.Context, /, as_json: bool, **flags: Any) -> None:
    """List the plugins that are loaded (name, version, origin), and those left out and why."""
    micro = load_quietly(resolve(ctx, flags))
    loaded = [{"name": each.name, "version": each.version, "origin": each.origin} for each in micro.loaded]
    failed = micro.loaded.failures()
    if as_json:
        click.echo(json.dumps({"plugins": loaded, "failed": failed}, indent=2))
        return
    if loaded:
        print_table(("name", "version", "origin"), [tuple(each.values()) for each in loaded])
    else:
        click.echo(
            "No plugin is loaded; name a folder of plugin folders with -p, or install a plugin package."
        )
    if failed:
        print_table(("left out", "origin", "cause"), [tuple(each.values()) for each in failed])
