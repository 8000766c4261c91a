"""Runs the service: turns the settings into child processes, and supervises them."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from typing import TextIO

from micro.config.settings import Settings, check_plugin_path
from micro.errors import MicroError
from micro.runtime.folders import claimed, prepare_folders
from micro.runtime.ready_files import REST, has_left, process_names, read_ready
from micro.runtime.settings_file import settings_file, write_settings
from micro.server.broker import embedded_broker
from micro.server.child import Role, forget, reason_in
from micro.server.http.sockets import listening
from micro.server.log_config import json_line
from micro.server.log_filter import LogFilter
from micro.server.reload import requests
from micro.server.reload.generation import RELOAD
from micro.server.reload.reload import TRIAL, Reload
from micro.server.startup_warnings import can_watch, startup_warnings
from micro.server.status_writer import StatusWriter
from micro.server.supervisor.logfile import LogFile
from micro.server.supervisor.process import Process
from micro.server.supervisor.supervisor import NAME, ChildFailed, RestartLimits, Supervisor
from micro.telemetry.metrics_folder import metrics_variable, prepare_metrics, remove_metrics

WATCHER = "watcher"
GRACE_BEYOND_CHILDREN = 5
"""Seconds that child processes get beyond ``stop_timeout`` before they are killed."""


class StartFailed(MicroError):
    """A child process could not start. The message and the exit code come from that process."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


@dataclass(frozen=True)
class Serving:
    """The running service: the URLs to call, and the numbers of plugins that were loaded and left out."""

    rest_urls: tuple[str, ...]
    broker_url: str
    plugins: int
    failed: int


def serve(
    settings: Settings,
    announce: Callable[[Settings, Serving], None],
    stream: TextIO | None = None,
) -> int:
    """Run everything the settings ask for until SIGTERM or Ctrl-C; return the exit code.

    ``announce`` is called with the running service once it is ready. The output of the
    processes goes to the stream and to the log file.
    """
    check_plugin_path(settings)
    settings, moved = prepare_folders(settings)
    with ExitStack() as stack:
        stack.enter_context(claimed(settings.pid_folder_path))
        settings, unmeasured = prepare_metrics(settings)
        stack.callback(remove_metrics, settings)
        settings, broker = _with_broker(settings, stack)
        serving = _serving_processes(settings, stack)
        processes = [*broker, *serving(1), *_watcher(settings)]
        names = [*(each.name for each in processes), TRIAL]
        # Remove the files that a killed Micro has left.
        _forget(settings, names)
        stack.callback(_forget, settings, names)
        write_settings(settings)
        report = StatusWriter(settings, lambda text: output.line(NAME, text))
        output, log = _output(settings, names, stream, partial(report.fail, "log"))
        for each in filter(None, (moved, unmeasured, *startup_warnings(settings))):
            output.line(NAME, each)
        stack.callback(report.remove)
        reload = Reload(settings, serving, partial(_trial, settings), partial(report.fail, RELOAD))

        def begin() -> None:
            announce(settings, _serving(settings))
            reload.begin(supervisor)

        supervisor = Supervisor(
            processes,
            output,
            on_ready=begin,
            limits=RestartLimits(grace=settings.stop_timeout + GRACE_BEYOND_CHILDREN),
            on_hangup=lambda: reload.hang_up(supervisor.tell),
            on_change=report.update,
            on_reopen=log.reopen,
        )
        return _run(supervisor)


def _run(supervisor: Supervisor) -> int:
    try:
        return supervisor.run()
    except ChildFailed as err:
        if reason := reason_in(err.tail):
            raise StartFailed(reason, err.exit_code) from err
        raise


def _with_broker(settings: Settings, stack: ExitStack) -> tuple[Settings, list[Process]]:
    """Add the embedded broker and its URL, if Celery is on and no broker is configured."""
    if not settings.celery or settings.broker_url:
        return settings, []
    broker = stack.enter_context(embedded_broker(settings.state_folder_path / "broker"))
    return replace(settings, broker_url=broker.url), [broker.process]


def _serving_processes(settings: Settings, stack: ExitStack) -> Callable[[int], list[Process]]:
    """Open the listening socket; return a function that makes the processes that serve a generation."""
    listener = None
    if settings.gunicorn:
        listener = stack.enter_context(listening(settings.bind, settings.gunicorn_options)).fileno()

    def make(name: str, generation: int) -> Process:
        if name != REST:
            # In the same stop stage as REST, so that both have the whole stop timeout to finish.
            return _child(settings, Role(name, generation), "worker", 0)
        assert listener is not None
        role = Role(name, generation, f"fd://{listener}")
        return _child(settings, role, "http.gunicorn", 0, (listener,))

    return lambda generation: [make(name, generation) for name in process_names(settings)]


def _watcher(settings: Settings) -> Iterator[Process]:
    if settings.reload == "watch" and can_watch():
        yield _child(settings, Role(WATCHER), "reload.watcher", -1)


def _trial(settings: Settings, generation: int) -> Process:
    """Make the one-shot process that validates the plugins before a reload."""
    # metrics=False: runs of examples must not count as runs of the service.
    return _child(replace(settings, metrics=False), Role(TRIAL, generation), "reload.validate", -1)


def _forget(settings: Settings, names: list[str]) -> None:
    forget(settings, names)
    requests.forget(settings)


def _child(
    settings: Settings, role: Role, module: str, stop_order: int, pass_fds: tuple[int, ...] = ()
) -> Process:
    return Process(
        role.name,
        (*_command(module), str(settings_file(settings)), *role.arguments),
        env={**os.environ, "PYTHONUNBUFFERED": "1", **metrics_variable(settings)},
        ready=lambda pid: (read_ready(settings, role.name) or {}).get("pid") == pid,
        left=lambda pid: has_left(settings, role.name, pid),
        start_order=1,
        stop_order=stop_order,
        pass_fds=pass_fds,
        generation=role.generation,
        reopens_logs=role.name == REST,
    )


def _command(module: str) -> tuple[str, ...]:
    # -P: Python must not import modules from the current directory.
    return (sys.executable, "-P", "-m", "micro.server", module)


def _output(
    settings: Settings, names: list[str], stream: TextIO | None, fail: Callable[[str], None]
) -> tuple[LogFilter, LogFile]:
    path = settings.log_folder_path / settings.log_file_name
    as_json = settings.log_format == "json"
    log = LogFile(path, settings.log_max_size, lambda text: output.aside(NAME, text), fail)
    log.setFormatter(logging.Formatter("%(message)s" if as_json else "%(name)s | %(message)s"))
    shape = json_line if as_json else None
    output = LogFilter(stream, [NAME, *names], log, lambda name: bool(read_ready(settings, name)), shape)
    return output, log


def _serving(settings: Settings) -> Serving:
    told = {name: facts for name in process_names(settings) if (facts := read_ready(settings, name))}
    counts = next(iter(told.values()))
    addresses = told.get(REST, {}).get("addresses", ())
    broker_url = settings.broker_url if settings.celery else ""
    return Serving(tuple(addresses), broker_url, counts["plugins"], len(counts["failed"]))
