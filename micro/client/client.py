"""The client: the operations of a service, and its jobs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any
from uuid import uuid4

from micro.client.job import Job
from micro.client.service import Fields, Service
from micro.errors import JobNotFound

_PAGE = 100


class Client:
    """What a service offers; safe to share by threads, to be made anew in a forked process.

    Errors are those of ``micro.errors``, with the ``status`` and ``code`` that the service gave, a plugin's
    own as PluginError; ServiceUnreachable if it does not answer. What is safe to repeat is repeated for
    some seconds when a connection fails; a run is not, unless the call cannot have arrived.
    """

    def __init__(self, service: Service) -> None:
        self._service = service

    def __repr__(self) -> str:
        return f"<Client of {self._service.url}>"

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        self._service.close()

    def plugins(self) -> list[Fields]:
        """List the plugins: name, version, description."""
        return self._service.plugins()

    def info(self, name: str) -> Fields:
        """Describe one plugin, its parameters among it."""
        return self._service.info(name)

    def help(self, name: str) -> Fields:
        """Return the help of one plugin."""
        return self._service.help(name)

    def run(self, name: str, /, **params: Any) -> Fields:
        """Run the plugin with these parameters and return its result."""
        return self._service.run(name, params)

    def submit(self, name: str, /, **params: Any) -> Job:
        """Start a run that outlives this call, and return its job."""
        return self.submit_once(uuid4().hex, name, **params)

    def submit_once(self, key: str, name: str, /, **params: Any) -> Job:
        """Start a run under a key of the caller's: the same call again returns the same job.

        Raises Conflict when the key was used with another plugin or other parameters.
        """
        return Job(self._service, self._service.submit(name, params, key))

    def job(self, id: str) -> Job:
        """Return the job with that id; raise JobNotFound."""
        return Job(self._service, self._service.job(id))

    def jobs(
        self,
        *,
        plugin: str | None = None,
        state: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
    ) -> Iterator[Job]:
        """Yield jobs, newest first; ``since`` and ``until`` bound when they were made."""
        given = {"plugin": plugin, "state": state, "since": _iso(since), "until": _iso(until)}
        filters = {name: value for name, value in given.items() if value is not None}
        left = limit
        while left is None or left > 0:
            page, cursor = self._service.jobs({**filters, "limit": str(min(left or _PAGE, _PAGE))})
            yield from (Job(self._service, fields, whole=False) for fields in page)
            if cursor is None:
                return
            filters["cursor"] = cursor
            left = None if left is None else left - len(page)

    def purge(self, older: float) -> int:
        """Delete the jobs that ended more than ``older`` seconds ago; return how many these were."""
        before = datetime.now(UTC) - timedelta(seconds=older)
        count = 0
        for job in self.jobs(until=before):
            finished = job.known["finished"]
            if finished and datetime.fromisoformat(finished) < before:
                # Another may have deleted it meanwhile.
                with suppress(JobNotFound):
                    job.delete()
                    count += 1
        return count


def _iso(moment: datetime | None) -> str | None:
    # A time without a zone is meant as the caller's.
    return None if moment is None else moment.astimezone().isoformat()
