"""micro -G -C: serves in the foreground or as a daemon, and prints the addresses."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

import click

from micro._version import __version__
from micro.config.redaction import masked_urls
from micro.config.settings import Settings
from micro.errors import EXIT_OK
from micro.server.daemon import run_detached
from micro.server.launch import Serving, serve
from micro.server.log_config import json_line


def serve_in_foreground(settings: Settings) -> int:
    """Serve until a signal stops it; return the exit code."""
    return serve(settings, lambda *told: click.echo(_announcement(*told)), sys.stderr)


def serve_in_background(settings: Settings) -> int:
    """Serve in a daemon process; print its announcement and return 0 once it is ready."""

    def work(tell: Callable[[str], None]) -> int:
        return serve(settings, lambda *told: tell("\n".join((_announcement(*told), _how_to_go_on(*told)))))

    click.echo(run_detached(work))
    return EXIT_OK


def _announcement(settings: Settings, serving: Serving) -> str:
    if settings.log_format == "json":
        # One JSON object too: standard output and the log may go to the same place.
        where = " ".join((*serving.rest_urls, masked_urls(serving.broker_url)))
        return json_line("micro", f"Micro {__version__} serves {_count(serving)} at {where}".rstrip())
    return "\n".join(_lines(settings, serving))


def _count(serving: Serving) -> str:
    return f"{serving.plugins} plugin{'' if serving.plugins == 1 else 's'}"


def _lines(settings: Settings, serving: Serving) -> Iterator[str]:
    left_out = f", {serving.failed} left out (`micro plugins` tells why)" if serving.failed else ""
    yield f"Micro {__version__} serves {_count(serving)}{left_out}"
    if not serving.plugins and not serving.failed:
        yield "  Name a folder of plugin folders with -p, or install a plugin package."
    for url in serving.rest_urls:
        yield f"  REST    {url}"
    if serving.broker_url:
        queues = ", ".join(settings.task_queues)
        label = "queue" if len(settings.task_queues) == 1 else "queues"
        yield f"  Celery  {masked_urls(serving.broker_url)}  {label} {queues}"


def _how_to_go_on(settings: Settings, serving: Serving) -> str:
    log = settings.log_folder_path / settings.log_file_name
    return f"  Log     {log}\n`micro status` shows its state, `micro stop` stops it."
