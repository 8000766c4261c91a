"""Client of a service's jobs through its job table, for commands on the same machine."""

from __future__ import annotations

import json
import time
from collections.abc import Generator, Mapping
from functools import cached_property
from typing import Any, NoReturn

from micro.client import Client, Event
from micro.client.parameters import to_json
from micro.client.service import Fields
from micro.config.settings import Settings
from micro.jobs.filters import read_filters
from micro.jobs.service import Jobs, job_fields, open_store, outcome
from micro.models import Feed
from micro.plugin.context import RunContext
from micro.plugin.hook_manager import create_hook_manager
from micro.plugin.plugin import Plugins
from micro.service import Micro

_AT_ONCE = 500
_LOOK_SECONDS = 0.3
_TRANSPORT = "command"


class TableService:
    """The jobs in the table that the settings name; ``micro`` has its plugins where they are loaded."""

    def __init__(self, settings: Settings, micro: Micro | None = None) -> None:
        self.store = open_store(settings)
        self.url = self.store.database.name
        self._settings, self._given = settings, micro

    def close(self) -> None:
        self.store.close()

    def plugins(self) -> list[Fields]:
        return self._jobs.micro.plugins()

    def info(self, name: str) -> Fields:
        return self._jobs.micro.info(name)

    def help(self, name: str) -> Fields:
        return self._jobs.micro.help(name)

    def run(self, name: str, params: Mapping[str, Any]) -> NoReturn:
        raise NotImplementedError("a run without a job needs no job table")

    def submit(self, name: str, params: Mapping[str, Any], key: str) -> Fields:
        plain = json.loads(to_json(params))
        return job_fields(self._jobs.submit(name, plain, RunContext(_TRANSPORT), key))

    def job(self, job: str) -> Fields:
        return job_fields(self.store.get(job))

    def jobs(self, filters: Mapping[str, str]) -> tuple[list[Fields], str | None]:
        # Only a plugin's name needs the plugins, and loading them may take long.
        plugins = self._jobs.micro.loaded if "plugin" in filters else Plugins(create_hook_manager())
        page = self.store.list_jobs(**read_filters(filters, plugins))
        return [job_fields(job) for job in page.jobs], page.cursor

    def result(self, job: str) -> Fields:
        result: Fields = json.loads(outcome(self.store.get(job)))
        return result

    def cancel(self, job: str) -> Fields:
        return job_fields(self.store.cancel(job))

    def retry(self, job: str) -> Fields:
        return job_fields(self._jobs.retry(job, RunContext(_TRANSPORT)))

    def delete(self, job: str) -> None:
        self.store.delete(job)

    def feeds(self, job: str, after: int) -> Generator[Feed, None, None]:
        while True:
            found = self.store.events(job, after)
            yield Feed(tuple(Event(each.number, each.kind, each.data) for each in found.events), found.over)
            if found.over:
                return
            if found.events:
                after = found.events[-1].number
            else:
                time.sleep(_LOOK_SECONDS)

    @cached_property
    def _jobs(self) -> Jobs:
        settings = self._settings
        shared = settings.jobs_url and not settings.broker_url
        # A shared table, but no broker to wake a worker through: a worker's sweep finds the job in seconds.
        wake = (lambda _job, _queue: False) if shared else None
        return Jobs(self._given or Micro(settings), self.store, wake)


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
