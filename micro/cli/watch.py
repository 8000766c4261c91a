"""Follows a job on the terminal: shows a progress bar and its log, and finally prints its result."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from typing import Any

import click

from micro.cli.job_views import log_line, print_json, reason
from micro.cli.progress import ProgressBar
from micro.cli.table_client import TableClient
from micro.client import Event, Job
from micro.errors import EXIT_FAILED, EXIT_OK
from micro.service import Micro

_INTERRUPTED = 128 + signal.SIGINT


def run_as_job(micro: Micro, name: str, params: Mapping[str, Any]) -> int:
    """Submit the run to the job table of ``micro``'s settings, watch it, and return the exit code.

    The settings must come from ``settings_in_use``: then a worker of the running Micro runs the job.
    """
    with TableClient(micro.settings, micro) as client:
        job = client.submit(name, **params)
        click.echo(f"Job {job.id} is submitted", err=True)
        return watch(job)


def watch(job: Job) -> int:
    """Follow the job until it has ended, print its result, and return the exit code.

    Ctrl-C ends the watching and leaves the job running; the exit code is then 130.
    """
    try:
        with ProgressBar() as bar:
            for event in job.events():
                _show(bar, event)
    except KeyboardInterrupt:
        click.echo(f"Job {job.id} goes on; `micro jobs cancel {job.id}` cancels it", err=True)
        return _INTERRUPTED
    return finish(job)


def finish(job: Job) -> int:
    """Print the result of a job that has ended, or why it has none; return the exit code."""
    if job.state == "succeeded":
        print_json(job.result())
        return EXIT_OK
    click.echo(f"Error: {reason(job.details)}", err=True)
    return EXIT_FAILED


def _show(bar: ProgressBar, event: Event) -> None:
    if event.kind == "progress":
        bar.progress(**event.data)
    elif event.kind == "log":
        bar.line(log_line(event.data))
    elif event.kind == "state":
        bar.line(_state_line(event.data))


def _state_line(data: Mapping[str, Any]) -> str:
    state = data["state"]
    again = f", attempt {data['attempt']}" if state == "running" and data["attempt"] > 1 else ""
    asked = ", asked to stop" if state == "running" and data["cancel_requested"] else ""
    return f"The job is {state}{again}{asked}" if state in ("queued", "running") else f"The job has {state}"
