"""The hooks that a plugin module or package may implement, each marked with ``micro.hookimpl``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    import celery
    import click
    import flask

    from micro.plugin.context import RunContext
    from micro.plugin.manager import Plugin
    from micro.plugin.pluginbase import PluginDescription
    from micro.service import Micro

hookspec = pluggy.HookspecMarker("micro")
hookimpl = pluggy.HookimplMarker("micro")


@hookspec
def micro_plugins() -> Iterable[PluginDescription]:  # type: ignore[empty-body]
    """Return the plugins this module offers; a module-level ``plugin`` is the short form for one."""


@hookspec(firstresult=True)
def micro_run(plugin: Plugin, params: dict[str, Any], context: RunContext) -> object:
    """Run the plugin with its checked parameters and return its result; wrap it to cache, time or refuse."""


@hookspec
def micro_app(app: flask.Flask) -> None:
    """Add to the Flask application: blueprints, error handlers, before_request."""


@hookspec
def micro_celery(app: celery.Celery) -> None:
    """Add to the Celery application: tasks, signals, configuration."""


@hookspec
def micro_commands(cli: click.Group) -> None:
    """Add commands to ``micro``."""


@hookspec
def micro_start(micro: Micro) -> None:
    """Called once in each process, before its first run."""


@hookspec
def micro_stop(micro: Micro) -> None:
    """Called when a process ends, if micro_start was called in it."""
