"""Enforces a plugin's ``timeout`` over REST: answers in time, even if the run goes on."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future, wait
from contextvars import copy_context
from dataclasses import replace

from micro.errors import TimeLimit, TooManyRuns
from micro.plugin.context import NoReporter, RunContext
from micro.plugin.plugin import Plugin
from micro.service import Micro

log = logging.getLogger(__name__)

# Each overdue run occupies a thread until it returns, so refuse new runs of a plugin that has this many.
_MOST_OVERDUE = 8


class Deadline(NoReporter):
    """The reporter of a run with a time limit: asks the run to stop once its time is over.

    ``told`` is True once the run has looked at ``cancelled`` after that.
    """

    def __init__(self, seconds: float) -> None:
        self.told = False
        self._end = time.monotonic() + seconds

    def cancelled(self) -> bool:
        self.told = self.told or time.monotonic() >= self._end
        return self.told


class TimedRuns:
    """Starts runs over REST, and keeps track of overdue ones whose callers have already been answered.

    A thread cannot be interrupted, so an overdue run goes on in its own thread until it returns.
    A plugin can look at ``self.cancelled`` to stop early.
    """

    def __init__(self, micro: Micro) -> None:
        self._micro = micro
        self._overdue: dict[Plugin, list[Future[str]]] = {}

    def run(self, name: str, params: Mapping[str, object], context: RunContext) -> str:
        """Run the plugin like ``Micro.run``, but raise TimeLimit once the plugin's ``timeout`` has passed.

        Raises TooManyRuns while eight runs of the plugin are overdue.
        """
        plugin = self._micro.loaded.find(name)
        seconds = plugin.description.timeout
        if seconds is None:
            return self._micro.run(name, params, context)
        self._refuse_overdue(plugin)
        deadline = Deadline(seconds)
        run = self._begin(plugin, params, replace(context, reporter=deadline))
        ended = bool(wait((run,), seconds).done)
        # A run that was asked to stop has no valid result, even if it returned in time.
        if ended and not deadline.told:
            return run.result()
        if not ended:
            self._go_on(plugin, run, context)
        allowed = f"the {seconds:g} seconds that plugin {plugin.name!r} allows"
        raise TimeLimit(f"The run took longer than {allowed}")

    def _go_on(self, plugin: Plugin, run: Future[str], context: RunContext) -> None:
        self._overdue.setdefault(plugin, []).append(run)
        log.warning(
            "Plugin %r: the run of request %s is overdue but goes on, as a thread cannot be stopped;"
            " check self.cancelled in run(), or start it as a job",
            plugin.name,
            context.request_id,
        )

    def _refuse_overdue(self, plugin: Plugin) -> None:
        if plugin not in self._overdue:
            return
        self._overdue[plugin] = late = [each for each in self._overdue[plugin] if not each.done()]
        if len(late) >= _MOST_OVERDUE:
            raise TooManyRuns(
                f"{len(late)} runs of plugin {plugin.name!r} are overdue and still running; call again later"
            )

    def _begin(self, plugin: Plugin, params: Mapping[str, object], context: RunContext) -> Future[str]:
        run: Future[str] = Future()

        def fulfil() -> None:
            try:
                run.set_result(self._micro.run(plugin.name, params, context))
            except BaseException as err:
                run.set_exception(err)

        # Copy the context variables of the request, as hooks may use them. The thread is a daemon, so that
        # a run that never returns does not keep the process from exiting.
        target, arguments = copy_context().run, (fulfil,)
        threading.Thread(target=target, args=arguments, name=f"run-{plugin.slug}", daemon=True).start()
        return run
