"""Reloads plugins: validates them in a one-shot process, then replaces the serving processes one by one."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress

from micro.config.settings import Settings
from micro.runtime import ready_files
from micro.runtime.ready_files import read_ready
from micro.server.child import reason_in
from micro.server.reload import requests
from micro.server.reload.requests import ReloadOutcome
from micro.server.supervisor.managed_process import ChildFailed
from micro.server.supervisor.oneshot import End
from micro.server.supervisor.process import Process
from micro.server.supervisor.supervisor import Supervisor

TRIAL = "trial"
TRIAL_SECONDS = 120.0


class Hangup:
    """Decides what a SIGHUP means: remembers whether there was a terminal, and whether nohup(1) ran Micro."""

    def __init__(self) -> None:
        self._has_terminal = _has_terminal()
        self._outlives = signal.getsignal(signal.SIGHUP) == signal.SIG_IGN

    def closed(self) -> bool:
        """Return True, once, if the terminal has closed."""
        had, self._has_terminal = self._has_terminal, _has_terminal()
        return had and not self._has_terminal

    @property
    def ends(self) -> bool:
        """True if the process ends with its terminal, because nohup(1) did not start it."""
        return not self._outlives


class Reload:
    """Performs reloads. Each one starts a new generation of processes.

    ``processes(generation)`` makes the processes that serve a generation, ``trial(generation)`` the one-shot
    process that validates it. ``on_failure(message)`` is called if a reload is refused or fails.
    """

    def __init__(
        self,
        settings: Settings,
        processes: Callable[[int], list[Process]],
        trial: Callable[[int], Process],
        on_failure: Callable[[str], None],
    ) -> None:
        self.generation = 1
        self._settings = settings
        self._processes, self._trial, self._on_failure = processes, trial, on_failure
        self._hangup = Hangup()
        self._supervisor: Supervisor | None = None
        self._tokens: list[str] = []
        self._waiting: list[str] | None = None
        self._busy = False
        # The highest generation that was ever started, and the one on trial. Numbers are not used again for
        # another set of processes.
        self._newest, self._tried = 1, 1

    def begin(self, supervisor: Supervisor) -> None:
        """Start to perform reloads, as all processes are up now, beginning with those already requested."""
        self._supervisor = supervisor
        self._next()

    def hang_up(self, tell: Callable[[str], None]) -> bool:
        """Handle a SIGHUP. Return False if it means that the terminal has closed and Micro must stop."""
        tokens = requests.take(self._settings)
        if not tokens and self._hangup.closed():
            return not self._hangup.ends
        if self._settings.reload == "off":
            tell("SIGHUP: nothing is reloaded, as the setting 'reload' is off")
            return True
        self._waiting = [*(self._waiting or []), *tokens]
        self._next()
        return True

    def _next(self) -> None:
        if self._waiting is None or self._busy or not self._supervisor:
            return
        self._busy = True
        self._tokens, self._waiting = self._waiting, None
        self._tried = self._newest + 1
        ready_files.forget(self._settings, TRIAL)
        self._supervisor.tell(f"Reloading: validating the plugins as generation {self._tried}")
        self._supervisor.run_once(self._trial(self._tried), TRIAL_SECONDS, self._judge)

    def _successors(self) -> list[Process]:
        # Replace the Celery nodes first: REST must not accept a job for a plugin that no node has loaded.
        return self._processes(self._tried)[::-1]

    def _judge(self, end: End) -> None:
        assert self._supervisor
        if end.status == 0:
            self._newest = self._tried
            self._supervisor.renew(self._successors(), self._finish)
            return
        facts = read_ready(self._settings, TRIAL) or {}
        faults = facts.get("failed", [])
        reason = _listed(faults) or reason_in(end.tail) or f"the trial {end.reason}"
        self._fail(
            f"generation {self.generation} goes on serving, as generation {self._tried} was refused",
            reason,
            faults,
        )

    def _finish(self, failed: ChildFailed | None) -> None:
        served = ready_files.generations(self._settings)
        if failed and self._tried not in served.values():
            self._fail(f"generation {self.generation} goes on serving", failed.message, [])
        elif failed:
            old = ", ".join(name for name, each in served.items() if each != self._tried)
            self.generation = self._tried
            self._fail(f"generation {self.generation} serves, but not yet in {old}", failed.message, [])
        else:
            self.generation = self._tried
            plugins = ready_files.newest(self._settings).get("plugins", 0)
            self._conclude(
                ReloadOutcome(self.generation, plugins), f"Reloaded: generation {self.generation} serves"
            )

    def _fail(self, what: str, reason: str, faults: Sequence[dict[str, str]]) -> None:
        message = f"{what}: {reason}"
        self._on_failure(message)
        self._conclude(ReloadOutcome(self.generation, 0, message, faults), f"Reload failed: {message}")

    def _conclude(self, outcome: ReloadOutcome, told: str) -> None:
        assert self._supervisor
        self._supervisor.tell(told)
        requests.answer(self._settings, self._tokens, outcome)
        ready_files.forget(self._settings, TRIAL)
        self._busy = False
        self._next()


def _listed(faults: Sequence[dict[str, str]]) -> str:
    return "; ".join(f"plugin {each['name']!r} ({each['origin']}): {each['cause']}" for each in faults)


def _has_terminal() -> bool:
    with suppress(OSError):
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC))
        return True
    return False
