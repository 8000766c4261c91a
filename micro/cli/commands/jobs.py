"""micro jobs: lists, shows, watches, cancels, retries and purges jobs."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from typing import Any

import click

from micro.cli.job_source import open_source, remember_source, source_options
from micro.cli.job_views import COLUMNS, print_details, row
from micro.cli.tables import print_table
from micro.cli.times import moment_option, seconds_option, write_duration
from micro.cli.watch import watch
from micro.jobs.models import State

_DEFAULT = "list"
_ID = click.argument("id")
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")


class JobsGroup(click.Group):
    """Runs ``micro jobs list`` if no subcommand is given."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if all(each.startswith("-") for each in args[:1]):
            words = {*self.commands, *ctx.help_option_names}
            args = args if words.intersection(args) else [_DEFAULT, *args]
        return super().parse_args(ctx, args)


@click.group(cls=JobsGroup)
@source_options
@click.pass_context
def command(ctx: click.Context, /, **source: Any) -> None:
    """List, show, watch, cancel, repeat and purge jobs; without a command, list them.

    These are the jobs of the Micro that runs with the same PID folder or, if none runs, of the job table
    that the settings name. With --url they are the jobs of another service.
    """
    remember_source(ctx, source)


@command.command("list")
@click.option("--plugin", metavar="NAME", help="Only jobs of this plugin.")
@click.option("--state", type=click.Choice([each.value for each in State]), help="Only jobs in this state.")
@click.option(
    "--since", metavar="TIME", callback=moment_option, help="Only jobs created since TIME, or 2h ago."
)
@click.option("--until", metavar="TIME", callback=moment_option, help="Only jobs created before TIME.")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="List at most so many.")
@_JSON
@source_options
@click.pass_context
def list_command(
    ctx: click.Context,
    /,
    plugin: str | None,
    state: str | None,
    since: datetime | None,
    until: datetime | None,
    limit: int,
    as_json: bool,
    **source: Any,
) -> None:
    """List jobs, newest first."""
    with open_source(ctx, source) as client:
        found = client.jobs(plugin=plugin, state=state, since=since, until=until, limit=limit)
        jobs = [job.known for job in found]
    if as_json:
        click.echo(json.dumps(jobs, indent=2))
    elif jobs:
        print_table(COLUMNS, map(row, jobs))
    else:
        click.echo("No jobs.")


@command.command("show")
@_ID
@_JSON
@source_options
@click.pass_context
def show_command(ctx: click.Context, /, id: str, as_json: bool, **source: Any) -> None:
    """Show all fields of one job.

    Its result or error and its log are shown once it has ended; `micro jobs watch` shows them as they come.
    """
    with open_source(ctx, source) as client:
        job = client.job(id)
        details = dict(job.details)
        if job.finished:
            details["result"] = job.result() if job.state == State.SUCCEEDED else None
            details["log"] = [event.data for event in job.events() if event.kind == "log"]
    if as_json:
        click.echo(json.dumps(details, indent=2))
    else:
        print_details(details)


@command.command("watch")
@_ID
@source_options
@click.pass_context
def watch_command(ctx: click.Context, /, id: str, **source: Any) -> None:
    """Follow a job to its end, and print its result.

    Exits with 0 if it succeeded, with 1 if it failed or was cancelled.
    """
    with open_source(ctx, source) as client:
        code = watch(client.job(id))
    ctx.exit(code)


@command.command("cancel")
@_ID
@source_options
@click.pass_context
def cancel_command(ctx: click.Context, /, id: str, **source: Any) -> None:
    """Cancel a queued job, or ask a running one to stop."""
    with open_source(ctx, source) as client:
        state = client.job(id).cancel().state
    click.echo(f"Job {id} is cancelled" if state == State.CANCELLED else f"Job {id} is asked to stop")


@command.command("retry")
@_ID
@source_options
@click.pass_context
def retry_command(ctx: click.Context, /, id: str, **source: Any) -> None:
    """Run an ended job again, as a new job, and print the new job's id."""
    with open_source(ctx, source) as client:
        click.echo(client.job(id).retry().id)


@command.command("purge")
@click.option(
    "--older",
    metavar="TIME",
    callback=seconds_option,
    required=True,
    help="Delete jobs that ended longer ago, such as 7d.",
)
@click.option("-y", "--yes", is_flag=True, help="Do not ask for confirmation.")
@source_options
@click.pass_context
def purge_command(ctx: click.Context, /, older: float, yes: bool, **source: Any) -> None:
    """Delete jobs that ended long ago."""
    if not yes and not sys.stdin.isatty():
        raise click.UsageError("There is no terminal to confirm this on; give --yes.")
    if not yes:
        click.confirm(f"Delete all jobs that ended more than {write_duration(older)} ago?", abort=True)
    with open_source(ctx, source) as client:
        count = client.purge(older)
    click.echo(f"{count} job{'' if count == 1 else 's'} deleted")
