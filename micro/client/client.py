"""The class Client: the operations of a service, and its jobs."""

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
    """The operations of a service. Safe to share between threads; make a new one after a fork.

    Each operation raises the errors of ``micro.errors``, with the service's ``status`` and ``code``; a
    plugin's own error is a PluginError. Raises ServiceUnreachable if the service does not answer. If the
    connection fails, calls that are safe to repeat are retried for some seconds; a run is retried only if
    the call cannot have arrived.
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
        """Return the plugins; each has a name, a version and a description."""
        return self._service.plugins()

    def info(self, name: str) -> Fields:
        """Return the description of one plugin, including its parameters."""
        return self._service.info(name)

    def help(self, name: str) -> Fields:
        """Return the help of one plugin."""
        return self._service.help(name)

    def run(self, name: str, /, **params: Any) -> Fields:
        """Run the plugin with these parameters, and return its result once it has ended."""
        return self._service.run(name, params)

    def submit(self, name: str, /, **params: Any) -> Job:
        """Start a run as a job, without waiting for its end, and return the job."""
        return self.submit_once(uuid4().hex, name, **params)

    def submit_once(self, key: str, name: str, /, **params: Any) -> Job:
        """Start a run as a job under a key that the caller chooses: the same call returns the same job.

        Raises Conflict if the key was used with another plugin or other parameters.
        """
        return Job(self._service, self._service.submit(name, params, key))

    def job(self, id: str) -> Job:
        """Return the job with this id; raise JobNotFound if there is none."""
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
        """Yield at most ``limit`` jobs, newest first; ``since`` and ``until`` bound the time of creation."""
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
        """Delete the jobs that ended more than ``older`` seconds ago; return how many were deleted."""
        before = datetime.now(UTC) - timedelta(seconds=older)
        count = 0
        for job in self.jobs(until=before):
            finished = job.known["finished"]
            if finished and datetime.fromisoformat(finished) < before:
                # Another client may have deleted the job meanwhile.
                with suppress(JobNotFound):
                    job.delete()
                    count += 1
        return count


def _iso(moment: datetime | None) -> str | None:
    # A time without a zone is in the caller's local zone.
    return None if moment is None else moment.astimezone().isoformat()
