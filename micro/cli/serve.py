"""micro -G -C: serves in the foreground and says where."""

from __future__ import annotations

import click

from micro import __version__
from micro.secrets import masked_urls
from micro.server.launch import Serving, serve
from micro.server.logs import json_line
from micro.settings import Settings


def serve_in_foreground(settings: Settings) -> int:
    """Serve until told to stop; return the exit code."""
    return serve(settings, _announce)


def _count(serving: Serving) -> str:
    return f"{serving.plugins} plugin{'' if serving.plugins == 1 else 's'}"


def _announce(settings: Settings, serving: Serving) -> None:
    if settings.log_format == "json":
        # Where both streams go to one place, each line of it is an object.
        where = " ".join((*serving.rest_urls, masked_urls(serving.broker_url)))
        click.echo(json_line("micro", f"Micro {__version__} serves {_count(serving)} at {where}".rstrip()))
        return
    left_out = f", {serving.failed} left out (`micro plugins` tells why)" if serving.failed else ""
    click.echo(f"Micro {__version__} serves {_count(serving)}{left_out}")
    if not serving.plugins and not serving.failed:
        click.echo("  Name a folder of plugin folders with -p, or install a plugin package.")
    for url in serving.rest_urls:
        click.echo(f"  REST    {url}")
    if serving.broker_url:
        queues = ", ".join(settings.task_queues)
        label = "queue" if len(settings.task_queues) == 1 else "queues"
        click.echo(f"  Celery  {masked_urls(serving.broker_url)}  {label} {queues}")
