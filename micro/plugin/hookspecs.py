"""The hooks that a plugin module or package may implement, each marked with ``micro.hookimpl``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

import pluggy

if TYPE_CHECKING:
    import celery
    import click
    import flask

    from micro.config.settings import Settings
    from micro.plugin.context import RunContext
    from micro.plugin.plugin import Plugin, Plugins
    from micro.plugin.pluginbase import PluginDescription


class MicroProtocol(Protocol):
    """What a hook may use of the service; ``docs/hooks.md`` promises the same."""

    @property
    def settings(self) -> Settings:
        """The resolved settings."""

    @property
    def generation(self) -> int:
        """How many sets of plugins the running service has loaded."""

    @property
    def loaded(self) -> Plugins:
        """The loaded plugins."""

    def plugins(self) -> list[dict[str, Any]]:
        """List the plugins: name, version, description."""

    def info(self, name: str) -> dict[str, Any]:
        """Describe one plugin; raise PluginNotFound."""

    def help(self, name: str) -> dict[str, Any]:
        """Return the plugin's help text; raise PluginNotFound."""

    def run(self, name: str, params: Mapping[str, object], context: RunContext | None = None) -> str:
        """Run the plugin and return its result as JSON text; raise MicroError."""


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
def micro_start(micro: MicroProtocol) -> None:
    """Called once in each process, before its first run."""


@hookspec
def micro_stop(micro: MicroProtocol) -> None:
    """Called when a process ends, if micro_start was called in it."""
