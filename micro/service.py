"""The class Micro: the four operations that every transport offers: plugins, info, help and run."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol

from micro.config.settings import Settings
from micro.correlation import CALL, Call
from micro.errors import BadResult, MicroError, PluginFailed
from micro.plugin.context import RunContext
from micro.plugin.examples import usable_examples
from micro.plugin.lifecycle import Lifecycle
from micro.plugin.loading import load_plugins
from micro.plugin.plugin import Plugin, Plugins

log = logging.getLogger(__name__)

# Transports where Ctrl-C may interrupt a run.
_IN_FOREGROUND = {"command", "python"}
# Top-level packages whose frames are cut from a plugin's traceback.
_BETWEEN = {"micro", "pluggy", "asyncio"}


# Outcomes of a run. REFUSED means an error of the caller, or a PluginError with a status below 500.
SUCCEEDED, REFUSED, FAILED = "succeeded", "refused", "failed"


class Observer(Protocol):
    """Called before and after every run; keep it cheap."""

    def begin(self, plugin: str) -> None:
        """Called before a run of the plugin."""

    def end(self, plugin: str, transport: str, outcome: str, seconds: float) -> None:
        """Called after a run, with its outcome and its duration in seconds."""


class Tracer(Protocol):
    """Traces the submission of jobs."""

    def submission(self, plugin: Plugin, context: RunContext) -> AbstractContextManager[RunContext]:
        """Return a context manager for the submission, which yields the context to give to the job."""


class Micro:
    """The loaded plugins and the operations on them: plugins(), info(), help() and run().

    ``generation`` counts from 1 how often a running service has loaded its plugins; a reload adds 1.
    """

    def __init__(self, settings: Settings, plugins: Plugins | None = None, generation: int = 1) -> None:
        self.settings = settings
        self.generation = generation
        self.loaded = load_plugins(settings) if plugins is None else plugins
        self.observer: Observer | None = None
        self.tracer: Tracer | None = None
        self._lifecycle = Lifecycle(self.loaded)

    def plugins(self) -> list[dict[str, Any]]:
        """Return name, version and description of each plugin."""
        return [
            {"name": plugin.name, "version": plugin.version, "description": plugin.summary}
            for plugin in self.loaded
        ]

    def info(self, name: str) -> dict[str, Any]:
        """Return the description of one plugin. Raises PluginNotFound."""
        plugin = self.loaded.find(name)
        return {
            "name": plugin.name,
            "version": plugin.version,
            "url": plugin.url,
            "author": plugin.author,
            "author_email": plugin.author_email,
            "description": plugin.summary,
            "long_description": plugin.description.long_description,
            "parameters": plugin.contract.parameters,
            "returns": plugin.contract.returns,
            "origin": plugin.origin,
        }

    def help(self, name: str) -> dict[str, Any]:
        """Return the help text and examples of one plugin. Raises PluginNotFound."""
        plugin = self.loaded.find(name)
        return {
            "name": plugin.name,
            "version": plugin.version,
            "help": plugin.description.plugin_help,
            "examples": [each.as_dict() for each in usable_examples(plugin.description)],
        }

    def run(self, name: str, params: Mapping[str, object], context: RunContext | None = None) -> str:
        """Run the plugin and return its result as the JSON text that every transport sends.

        Raises PluginNotFound, InvalidParameters, TooManyRuns, BadResult, PluginFailed, or the PluginError
        that the plugin raised.
        """
        context = context or RunContext()
        plugin = self.loaded.find(name)
        call = Call(context.request_id, context.traceparent, context.tracestate, plugin.name, context.job)
        token = CALL.set(call)
        observer = self.observer
        if observer:
            observer.begin(plugin.name)
        outcome, began = FAILED, time.perf_counter()
        try:
            text = self._run(plugin, params, context)
            outcome = SUCCEEDED
            return text
        except MicroError as err:
            if err.status < MicroError.status:
                outcome = REFUSED
            raise
        finally:
            CALL.reset(token)
            if observer:
                observer.end(plugin.name, context.transport, outcome, time.perf_counter() - began)

    def _run(self, plugin: Plugin, params: Mapping[str, object], context: RunContext) -> str:
        # A process pool may fork while it handles an error, which must not appear as a cause of the plugin's.
        outer = sys.exception()
        try:
            arguments = plugin.contract.check(params)
            if plugin.slots is None:
                return self._perform(plugin, arguments, context)
            with plugin.slots.taken(context):
                return self._perform(plugin, arguments, context)
        except (BadResult, PluginFailed) as err:
            _log_failure(plugin, context, err, outer)
            raise
        except MicroError:
            raise
        except BaseException as err:
            # No exception of a plugin may end a thread or process, SystemExit included; only Ctrl-C may.
            if isinstance(err, KeyboardInterrupt) and context.transport in _IN_FOREGROUND:
                raise
            _log_failure(plugin, context, err, outer)
            raise PluginFailed(
                f"Plugin {plugin.name!r} failed; the log has the cause under request {context.request_id}"
            ) from err

    def _perform(self, plugin: Plugin, arguments: dict[str, Any], context: RunContext) -> str:
        self.start()
        self._lifecycle.prepare(plugin)
        result = self.loaded.hooks.hook.micro_run(plugin=plugin, params=arguments, context=context)
        return plugin.contract.encode(result)

    def start(self) -> None:
        """Call the micro_start hooks once per process; the first run does so if nothing else has."""
        self._lifecycle.start(self)

    def stop(self) -> None:
        """Call teardown() and the micro_stop hooks; does nothing if the process never started."""
        self._lifecycle.stop(self)


def _log_failure(
    plugin: Plugin, context: RunContext, err: BaseException, outer: BaseException | None
) -> None:
    """Log the exception of a run, with the traceback from the plugin's first frame and without ``outer``."""
    last = err
    while last.__context__ and last.__context__ is not outer:
        last = last.__context__
    if outer:
        last.__context__ = None
    frames = err.__traceback__
    while frames and frames.tb_frame.f_globals.get("__name__", "").partition(".")[0] in _BETWEEN:
        frames = frames.tb_next
    # Without a frame of the plugin, a MicroError needs no traceback; anything else is a bug of Micro.
    trace = frames if frames or isinstance(err, MicroError) else err.__traceback__
    exc_info = (type(err), err, trace)
    log.error("Plugin %r failed in request %s", plugin.name, context.request_id, exc_info=exc_info)
