"""The class Job: one job of a service, for the client's caller."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any

from micro.client.errors import JobCancelled, ServiceUnreachable, error_of
from micro.client.service import Fields, Service
from micro.errors import StoreUnavailable
from micro.models import Event, Progress
from micro.retry import Backoff

_FINISHED = ("succeeded", "failed", "cancelled")
# Seconds between looks at a job.
_FIRST_LOOK, _LONGEST_LOOK = 0.01, 1.0
# Seconds without an answer until waiting for a job fails: a service may restart meanwhile.
_RETRY_SECONDS = 60.0


class Job:
    """One job of a service. Its properties ask the service for current values, until the job has ended."""

    def __init__(self, service: Service, fields: Fields, *, whole: bool = True) -> None:
        self._service = service
        self._fields = fields
        self._whole = whole

    def __repr__(self) -> str:
        return f"<Job {self.id} {self.plugin!r} {self._fields['state']}>"

    @property
    def id(self) -> str:
        """The job's id; with it, ``Client.job`` finds the job in any process."""
        return str(self._fields["id"])

    @property
    def plugin(self) -> str:
        """The name of the plugin that the job runs."""
        return str(self._fields["plugin"])

    @property
    def known(self) -> Mapping[str, Any]:
        """The job's fields in the last answer, without asking again; those of a listing lack parameters."""
        return self._fields

    @property
    def details(self) -> Mapping[str, Any]:
        """All fields of the job, as they are now; times are ISO 8601 text."""
        return self._current(whole=True)

    @property
    def state(self) -> str:
        """``queued``, ``running``, ``succeeded``, ``failed`` or ``cancelled``."""
        return str(self._current()["state"])

    @property
    def finished(self) -> bool:
        """True if the job has ended, with or without success."""
        return self.state in _FINISHED

    @property
    def progress(self) -> Progress | None:
        """The run's newest progress report; None if it has not reported any."""
        found = self._current()["progress"]
        return None if found is None else Progress(**found)

    @property
    def error(self) -> Exception | None:
        """The error that the job failed with, as ``result`` raises it; None if it did not fail."""
        fields = self._current()["error"]
        return error_of(fields, ran=True) if fields else None

    def refresh(self) -> Job:
        """Fetch the job's current fields from the service; return the job."""
        self._fields, self._whole = self._service.job(self.id), True
        return self

    def result(self, timeout: float | None = None) -> Fields:
        """Wait until the run has ended, and return its result.

        Raises the error of a run that failed; JobCancelled; and TimeoutError if the run has not ended after
        ``timeout`` seconds (None: no limit). The run then goes on.
        """
        self._wait(timeout)
        if self._fields["state"] == "succeeded":
            return self._service.result(self.id)
        if error := self.error:
            raise error
        raise JobCancelled(f"Job {self.id} was cancelled")

    def cancel(self) -> Job:
        """Cancel the job, or ask its run to stop; return it. Raises Conflict if it succeeded or failed."""
        self._fields, self._whole = self._service.cancel(self.id), True
        return self

    def retry(self) -> Job:
        """Submit the run of an ended job again; return the new job. Raises Conflict if it has not ended."""
        return Job(self._service, self._service.retry(self.id))

    def delete(self) -> None:
        """Delete the job and its result. Raises Conflict if it has not ended."""
        self._service.delete(self.id)

    def events(self, after: int = 0) -> Iterator[Event]:
        """Yield the job's events after number ``after``, until the job has ended.

        A lost connection is opened again, and no event is lost or repeated. Raises ServiceUnreachable or
        StoreUnavailable if there is no answer for a minute.
        """
        backoff = Backoff(_RETRY_SECONDS, 0.1, 2.0)
        lost = ServiceUnreachable(f"{self._service.url} keeps closing the event stream of job {self.id}")
        while True:
            try:
                with closing(self._service.feeds(self.id, after)) as feeds:
                    for feed in feeds:
                        backoff.reset()
                        for event in feed.events:
                            after = event.number
                            yield event
                        if feed.over:
                            return
                error: Exception = lost
            except (ServiceUnreachable, StoreUnavailable) as err:
                error = err
            if not backoff.wait():
                raise error

    def _current(self, *, whole: bool = False) -> Fields:
        if self._fields["state"] not in _FINISHED or (whole and not self._whole):
            self.refresh()
        return self._fields

    def _wait(self, timeout: float | None) -> None:
        backoff = Backoff(_RETRY_SECONDS, 0.1, 2.0)
        end = None if timeout is None else time.monotonic() + timeout
        pause = _FIRST_LOOK
        while True:
            try:
                if self.finished:
                    return
                backoff.reset()
            except (ServiceUnreachable, StoreUnavailable) as err:
                if not backoff.wait():
                    raise err
            left = pause if end is None else end - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"Job {self.id} is {self._fields['state']} after {timeout:g} seconds")
            time.sleep(min(pause, left))
            pause = min(pause * 1.15, _LONGEST_LOOK)
