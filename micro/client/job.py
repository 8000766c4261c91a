"""A job as its caller holds it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from micro.client.patience import Patience
from micro.client.service import Event, Fields, Service
from micro.client.trouble import JobCancelled, ServiceUnreachable, error_of
from micro.errors import StoreUnavailable

_FINISHED = ("succeeded", "failed", "cancelled")
_FIRST_PAUSE, _LONGEST_PAUSE = 0.01, 1.0
# As long as a service may take to start anew while somebody waits for a job.
_PATIENCE = 60.0


@dataclass(frozen=True)
class Progress:
    """How far a run has come: ``done`` of ``total`` (None: unknown), and a word about it."""

    done: float
    total: float | None = None
    message: str = ""


class Job:
    """One job of a service. Its properties ask the service, until the job is over and cannot change."""

    def __init__(self, service: Service, fields: Fields, *, whole: bool = True) -> None:
        self._service = service
        self._fields = fields
        self._whole = whole

    def __repr__(self) -> str:
        return f"<Job {self.id} {self.plugin!r} {self._fields['state']}>"

    @property
    def id(self) -> str:
        """The job's id, under which any process finds it."""
        return str(self._fields["id"])

    @property
    def plugin(self) -> str:
        """The name of the plugin that it runs."""
        return str(self._fields["plugin"])

    @property
    def known(self) -> Mapping[str, Any]:
        """What was last told of the job, without asking again; in a list without the parameters."""
        return self._fields

    @property
    def details(self) -> Mapping[str, Any]:
        """All that the service tells of the job, times in ISO 8601, as it is now."""
        return self._current(whole=True)

    @property
    def state(self) -> str:
        """``queued``, ``running``, ``succeeded``, ``failed`` or ``cancelled``."""
        return str(self._current()["state"])

    @property
    def finished(self) -> bool:
        """Whether it is over."""
        return self.state in _FINISHED

    @property
    def progress(self) -> Progress | None:
        """How far the run is; None if it has not told."""
        found = self._current()["progress"]
        return None if found is None else Progress(**found)

    @property
    def error(self) -> Exception | None:
        """The error that the job failed with, as ``result`` raises it; None if it did not fail."""
        fields = self._current()["error"]
        return error_of(fields, ran=True) if fields else None

    def refresh(self) -> Job:
        """Ask the service how the job is, and return it."""
        self._fields, self._whole = self._service.job(self.id), True
        return self

    def result(self, timeout: float | None = None) -> Fields:
        """Wait until the run is over, and return what it returned.

        Raises the error that it failed with, JobCancelled, or TimeoutError when it is not over after
        ``timeout`` seconds; the run then goes on.
        """
        self._wait(timeout)
        if self._fields["state"] == "succeeded":
            return self._service.result(self.id)
        if error := self.error:
            raise error
        raise JobCancelled(f"Job {self.id} was cancelled")

    def cancel(self) -> Job:
        """Cancel the job, or ask its run to stop; return it. Raises Conflict if it has ended by itself."""
        self._fields, self._whole = self._service.cancel(self.id), True
        return self

    def retry(self) -> Job:
        """Submit the run of an ended job again; return the new job. Raises Conflict if it has not ended."""
        return Job(self._service, self._service.retry(self.id))

    def delete(self) -> None:
        """Delete the job and its result. Raises Conflict if it has not ended."""
        self._service.delete(self.id)

    def events(self, after: int = 0) -> Iterator[Event]:
        """Yield what happens to the job, from the event ``after`` on, until it is over.

        Goes on where it was when the connection is lost, unless the service stays away for a minute.
        """
        patience = Patience(_PATIENCE)
        lost = ServiceUnreachable(f"{self._service.url} ends the events of job {self.id} again and again")
        while True:
            try:
                with closing(self._service.feeds(self.id, after)) as feeds:
                    for feed in feeds:
                        patience.succeeded()
                        for event in feed.events:
                            after = event.number
                            yield event
                        if feed.over:
                            return
                error: Exception = lost
            except (ServiceUnreachable, StoreUnavailable) as err:
                error = err
            patience.wait(error)

    def _current(self, *, whole: bool = False) -> Fields:
        if self._fields["state"] not in _FINISHED or (whole and not self._whole):
            self.refresh()
        return self._fields

    def _wait(self, timeout: float | None) -> None:
        patience = Patience(_PATIENCE)
        end = None if timeout is None else time.monotonic() + timeout
        pause = _FIRST_PAUSE
        while True:
            try:
                if self.finished:
                    return
                patience.succeeded()
            except (ServiceUnreachable, StoreUnavailable) as err:
                patience.wait(err)
            left = pause if end is None else end - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"Job {self.id} is {self._fields['state']} after {timeout:g} seconds")
            time.sleep(min(pause, left))
            pause = min(pause * 1.15, _LONGEST_PAUSE)
