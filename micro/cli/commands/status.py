"""micro status: shows the processes, plugins, queues and jobs of the running Micro."""

from __future__ import annotations

import json
from typing import Any

import click

from micro.cli.options import resolve, settings_options
from micro.cli.tables import print_table
from micro.cli.times import local, seconds_between, write_duration
from micro.config.settings import Settings
from micro.errors import EXIT_FAILED, EXIT_OK
from micro.jobs.service import Jobs
from micro.jobs.stats import Backlog
from micro.plugin.hook_manager import create_hook_manager
from micro.plugin.plugin import Plugins
from micro.runtime.discovery import find_running
from micro.runtime.status import read_status, waiting
from micro.service import Micro

_UNKNOWN = "unknown, as there was no answer"


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs: what GET /status answers.")
@settings_options("pid_folder_path")
@click.pass_context
def command(ctx: click.Context, /, as_json: bool, **flags: Any) -> None:
    """Show the processes, plugins, queues and jobs of the Micro with this PID folder.

    Exits 0 if all its processes are up, 1 if one is not or if none runs.
    """
    settings = resolve(ctx, flags)
    running = find_running(settings)
    if not running:
        click.echo(
            f"Error: Micro is not running with the PID folder '{settings.pid_folder_path}'; start it with"
            " `micro -G -C`, or name another folder with -pp.",
            err=True,
        )
        ctx.exit(EXIT_FAILED)
    status = {**read_status(running.settings), **_waiting(running.settings)}
    if as_json:
        click.echo(json.dumps(status, indent=2))
    else:
        _show(status)
    ctx.exit(EXIT_OK if all(each["state"] == "up" for each in status["processes"]) else EXIT_FAILED)


def _waiting(settings: Settings) -> dict[str, Any]:
    """Return queue depths and job counts, without loading any plugin."""
    if not settings.broker_url:
        return {}
    jobs = Jobs(Micro(settings, Plugins(create_hook_manager())))
    backlog = Backlog(lambda: jobs)
    backlog.load()
    counts = backlog.counts()
    return waiting(counts.queues, counts.jobs)


def _show(status: dict[str, Any]) -> None:
    plugins = status["plugins"]
    count = f"{plugins['loaded']} plugin{'' if plugins['loaded'] == 1 else 's'}"
    left_out = f", {len(plugins['failed'])} left out" if plugins["failed"] else ""
    click.echo(
        f"Micro {status['version']}, process {status['pid']}, since {local(status['started'])}:"
        f" generation {status['generation']}, {count}{left_out}"
    )
    rows = [
        (each["name"], each["state"], each["pid"], each["generation"], each["restarts"], _age(each["since"]))
        for each in status["processes"]
    ]
    print_table(("process", "state", "pid", "generation", "restarts", "for"), rows)
    _show_waiting(status)
    for each in plugins["failed"]:
        click.echo(f"Left out: {each['name']} ({each['origin']}): {each['cause']}")
    if failure := status["last_failure"]:
        click.echo(f"Last failure: {local(failure['time'])}, {failure['what']}: {failure['reason']}")


def _show_waiting(status: dict[str, Any]) -> None:
    """Print queue depths and job counts; nothing for a Micro without workers that has no counts."""
    if "worker1" in (each["name"] for each in status["processes"]) or status["queues"] or status["jobs"]:
        queues, jobs = status["queues"], status["jobs"]
        depths = ", ".join(f"{each['name']} {each['depth']}" for each in queues or ())
        click.echo(f"Waiting: {_UNKNOWN if queues is None else depths}")
        counted = _UNKNOWN if jobs is None else f"{jobs['queued']} queued, {jobs['running']} running"
        click.echo(f"Jobs: {counted}")


def _age(since: str) -> str:
    return write_duration(seconds_between(since))
