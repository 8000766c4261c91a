"""Client of a service's jobs through its job table, for commands on the same machine."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, NoReturn

from micro.api.job_tasks import answer_call
from micro.client import Client
from micro.client.tasks import TaskService
from micro.jobs.service import Jobs, open_store
from micro.plugin.context import RunContext
from micro.plugin.hooks import create_hook_manager
from micro.plugin.plugin import Plugins
from micro.service import Micro
from micro.settings import Settings

_AT_ONCE = 500


class TableService(TaskService):
    """The jobs in the table that the settings name; ``micro`` has its plugins where they are loaded."""

    def __init__(self, settings: Settings, micro: Micro | None = None) -> None:
        self.store = open_store(settings)
        self.url = self.store.database.name
        self._settings, self._given = settings, micro

    def close(self) -> None:
        self.store.close()

    def call(self, task: str, *arguments: Any, repeatable: bool = True) -> str:
        needs_plugins = task in ("submit", "retry") or (task == "jobs" and "plugin" in arguments[0])
        jobs = self._jobs if needs_plugins else self._jobs_alone
        return answer_call(jobs, task, RunContext("command"), arguments, {})

    def run(self, name: str, params: Mapping[str, Any]) -> NoReturn:
        raise NotImplementedError("a run without a job needs no job table")

    @cached_property
    def _jobs(self) -> Jobs:
        settings = self._settings
        shared = settings.jobs_url and not settings.broker_url
        # A shared table, but no broker to wake a worker through: a worker's sweep finds the job in seconds.
        wake = (lambda _job, _queue: False) if shared else None
        return Jobs(self._given or Micro(settings), self.store, wake)

    @cached_property
    def _jobs_alone(self) -> Jobs:
        # Loading the plugins may take long, and a list of jobs needs none.
        return Jobs(Micro(self._settings, Plugins(create_hook_manager())), self.store)


class TableClient(Client):
    """The client of a job table."""

    def __init__(self, settings: Settings, micro: Micro | None = None) -> None:
        self._table = TableService(settings, micro)
        super().__init__(self._table)

    def purge(self, older: float) -> int:
        count = 0
        while some := self._table.store.purge(older, _AT_ONCE):
            count += some
        return count
