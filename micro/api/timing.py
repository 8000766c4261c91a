"""Answers a run over REST in the time that its plugin allows, whether the run has ended or not."""

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

_MOST_OVERDUE = 8


class Deadline(NoReporter):
    """Tells a run to stop once its time is over, and remembers that it did."""

    def __init__(self, seconds: float) -> None:
        self.told = False
        self._end = time.monotonic() + seconds

    def cancelled(self) -> bool:
        self.told = self.told or time.monotonic() >= self._end
        return self.told


class TimedRuns:
    """The runs over REST, and those among them that go on although their callers have been answered.

    No thread can be interrupted: a run that is late goes on, in a thread of its own, until it returns;
    ``self.cancelled`` asks it to.
    """

    def __init__(self, micro: Micro) -> None:
        self._micro = micro
        self._overdue: dict[Plugin, list[Future[str]]] = {}

    def run(self, name: str, params: Mapping[str, object], context: RunContext) -> str:
        """Do what ``Micro.run`` does; raise TimeLimit once the plugin's ``timeout`` is over.

        Raises TooManyRuns while too many runs of the plugin are late.
        """
        plugin = self._micro.loaded.find(name)
        seconds = plugin.description.timeout
        if seconds is None:
            return self._micro.run(name, params, context)
        self._refuse_overdue(plugin)
        deadline = Deadline(seconds)
        run = self._begin(plugin, params, replace(context, reporter=deadline))
        ended = bool(wait((run,), seconds).done)
        # What a run that was told to stop has come to is no result.
        if ended and not deadline.told:
            return run.result()
        if not ended:
            self._go_on(plugin, run, context)
        allowed = f"the {seconds:g} seconds that plugin {plugin.name!r} allows"
        raise TimeLimit(f"The run took longer than {allowed}")

    def _go_on(self, plugin: Plugin, run: Future[str], context: RunContext) -> None:
        self._overdue.setdefault(plugin, []).append(run)
        log.warning(
            "Plugin %r: the run of request %s goes on beyond its time, as a thread cannot be ended;"
            " let it look at self.cancelled, or start it as a job",
            plugin.name,
            context.request_id,
        )

    def _refuse_overdue(self, plugin: Plugin) -> None:
        if plugin not in self._overdue:
            return
        self._overdue[plugin] = late = [each for each in self._overdue[plugin] if not each.done()]
        if len(late) >= _MOST_OVERDUE:
            raise TooManyRuns(
                f"{len(late)} runs of plugin {plugin.name!r} go on beyond their time; call again later"
            )

    def _begin(self, plugin: Plugin, params: Mapping[str, object], context: RunContext) -> Future[str]:
        run: Future[str] = Future()

        def fulfil() -> None:
            try:
                run.set_result(self._micro.run(plugin.name, params, context))
            except BaseException as err:
                run.set_exception(err)

        # With the context of the request, which hooks may ask for. A run that never returns must not keep
        # the process from its end.
        target, arguments = copy_context().run, (fulfil,)
        threading.Thread(target=target, args=arguments, name=f"run-{plugin.slug}", daemon=True).start()
        return run
