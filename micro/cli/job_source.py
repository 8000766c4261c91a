"""The options that say whose jobs a command works on, and the client that they lead to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import click

from micro.cli.options import resolve, settings_options
from micro.cli.table_client import TableClient
from micro.client import Client, connect
from micro.runtime.discovery import settings_in_use

_GIVEN = "micro.cli.job_source"

Command = Callable[..., Any]


def source_options(function: Command) -> Command:
    """Add the options that say whose jobs the command works on."""
    key = click.option(
        "--api-key", metavar="KEY", envvar="MICRO_API_KEY", help="API key for --url. [env: MICRO_API_KEY]"
    )
    url = click.option("--url", metavar="URL", help="Use the jobs of this service: http://host:8000.")
    return url(key(settings_options("pid_folder_path", "plugin_path")(function)))


def remember_source(ctx: click.Context, given: Mapping[str, Any]) -> None:
    """Keep the options given to a group for its subcommands, which may override them."""
    ctx.meta[_GIVEN] = _named(given)


def open_source(ctx: click.Context, given: Mapping[str, Any]) -> Client:
    """Return a client of the service at ``--url``, or else of the job table that the settings name."""
    options = {**ctx.meta.get(_GIVEN, {}), **_named(given)}
    url, api_key = options.pop("url", None), options.pop("api_key", None)
    return connect(url, api_key=api_key) if url else TableClient(settings_in_use(resolve(ctx, options)))


def _named(given: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if value is not None}
