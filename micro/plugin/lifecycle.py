"""Calls micro_start and setup() once per process, and teardown() and micro_stop when it ends."""

from __future__ import annotations

import atexit
import logging
import os
import threading
import weakref

from micro.errors import one_line
from micro.plugin.hookspecs import MicroProtocol
from micro.plugin.plugin import Plugin, Plugins

log = logging.getLogger(__name__)


class Lifecycle:
    """Tracks what was started in this process; a forked child begins with nothing started."""

    def __init__(self, plugins: Plugins) -> None:
        self._plugins = plugins
        self._forget()
        reference = weakref.ref(self)
        os.register_at_fork(after_in_child=lambda: _forget(reference))

    def _forget(self) -> None:
        """Reset to nothing started, with new locks: a thread of the parent may have held the old ones."""
        self._lock = threading.RLock()
        self._starting = False
        self._started = False
        self._locks: dict[Plugin, threading.RLock] = {}
        self._set_up: dict[Plugin, None] = {}

    def start(self, micro: MicroProtocol) -> None:
        """Call micro_start, once per process."""
        if self._started:
            return
        with self._lock:
            # A micro_start hook may run a plugin, which calls start() again.
            if self._started or self._starting:
                return
            self._starting = True
            self._plugins.call_guarded("micro_start", micro=micro)
            self._started, self._starting = True, False
            # Some servers do not call stop() when their processes end.
            atexit.register(self.stop, micro)

    def prepare(self, plugin: Plugin) -> None:
        """Call the plugin's setup() before its first run here; if it raises, the next run calls it again."""
        if plugin in self._set_up:
            return
        with self._locks.setdefault(plugin, threading.RLock()):
            if plugin not in self._set_up:
                plugin.cls.setup()
                self._set_up[plugin] = None

    def stop(self, micro: MicroProtocol) -> None:
        """Call teardown() of every plugin set up here, last first, then micro_stop."""
        with self._lock:
            if not self._started:
                return
            self._started = False
            atexit.unregister(self.stop)
            while self._set_up:
                _tear_down(self._set_up.popitem()[0])
            self._plugins.call_guarded("micro_stop", micro=micro)


def _forget(reference: weakref.ref[Lifecycle]) -> None:
    lifecycle = reference()
    if lifecycle is not None:
        lifecycle._forget()


def _tear_down(plugin: Plugin) -> None:
    try:
        plugin.cls.teardown()
    except (Exception, SystemExit) as err:
        log.error("Plugin %r: teardown() failed: %s", plugin.name, one_line(err))
        log.debug("Plugin %r: teardown()", plugin.name, exc_info=True)
