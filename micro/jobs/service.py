"""Jobs for callers: submit a run, wait for it, get its result, run it again."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext, suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any

from micro.config.settings import Settings
from micro.errors import Conflict, NoWorker, RecordedError, ResultNotReady, StoreUnavailable
from micro.jobs.models import DEFAULT_ATTEMPTS, JobRecord, NewJob, State
from micro.plugin.context import RunContext
from micro.plugin.plugin import Plugin
from micro.service import Micro

if TYPE_CHECKING:
    from micro.jobs.store.store import JobStore

# Seconds between looks at a job: short at first, because most runs take milliseconds.
_FIRST_LOOK, _LAST_LOOK = 0.0005, 0.25
_LONGER = 1.1

Wake = Callable[[str, str], bool]


def open_store(settings: Settings) -> JobStore:
    """Return the job table that the settings name, without connecting to it."""
    # Imported late: SQLAlchemy is half of all that a REST server imports.
    from micro.jobs.store.store import JobStore

    url = settings.jobs_url or f"sqlite:///{settings.state_folder_path / 'jobs.sqlite'}"
    return JobStore(url)


class Jobs:
    """The jobs of one service.

    ``wake(job, queue)`` wakes a worker for a job, by default with a message through the broker; it returns
    True if that worked.
    """

    def __init__(self, micro: Micro, store: JobStore | None = None, wake: Wake | None = None) -> None:
        self.micro = micro
        self._store = store
        self._wake = wake or self._publish

    @cached_property
    def store(self) -> JobStore:
        """The job table."""
        return self._store or open_store(self.micro.settings)

    def submit(
        self,
        name: str,
        params: Mapping[str, Any],
        context: RunContext,
        key: str | None = None,
        parent: str | None = None,
    ) -> JobRecord:
        """Check the parameters, record the run, wake a worker, and return the job.

        ``key`` is an idempotency key: the same key with the same plugin and parameters returns the same
        job. Raises what ``Micro.run`` raises before a run; NoWorker; Conflict if the key belongs to another
        call; and StoreUnavailable.
        """
        plugin = self.micro.loaded.find(name)
        plugin.contract.check(params)
        self.require_worker()
        tracer = self.micro.tracer
        with tracer.submission(plugin, context) if tracer else nullcontext(context) as own:
            return self._record(new_job(plugin, params, own, self.queue_of(plugin), key, parent))

    def _record(self, new: NewJob) -> JobRecord:
        job, created = self.store.submit(new)
        if created and not self._wake(job.id, job.queue):
            # The job is recorded. If this fails too, a sweep finds it a little later.
            with suppress(StoreUnavailable):
                self.store.leave_to_sweep(job.id)
        return job

    def queue_of(self, plugin: Plugin) -> str:
        """Return the name of the queue for the plugin's jobs."""
        return plugin.description.queue or self.micro.settings.task_queues[0]

    def wait(self, job: str, seconds: float) -> JobRecord:
        """Return the job once it has ended, or as it is after ``seconds``."""
        deadline = time.monotonic() + seconds
        pause = _FIRST_LOOK
        while not self.store.state(job).finished and (left := deadline - time.monotonic()) > 0:
            time.sleep(min(pause, left))
            pause = min(pause * _LONGER, _LAST_LOOK)
        return self.store.get(job)

    def result(self, job: str) -> JobRecord:
        """Return the job if it has ended; raise ResultNotReady otherwise."""
        found = self.store.get(job)
        if not found.state.finished:
            raise ResultNotReady(f"Job {job} is {found.state}; its result is not ready yet.")
        return found

    def retry(self, job: str, context: RunContext) -> JobRecord:
        """Submit the run of an ended job again, as a new job whose parent is the old one.

        Raises Conflict if the job has not ended, or had secret parameters; and what ``submit`` raises.
        """
        old = self.store.get(job)
        if not old.state.finished:
            raise Conflict(
                f"Job {job} is {old.state}; only an ended one can be repeated.", "job-not-finished"
            )
        if old.has_secrets:
            raise Conflict(
                f"Job {job} had secret parameters, which are not kept; submit the run again.",
                "secrets-not-kept",
            )
        return self.submit(old.plugin, old.params or {}, context, parent=old.id)

    def require_worker(self) -> None:
        """Raise NoWorker if workers are woken through a broker and no broker is configured."""
        if self._wake == self._publish and not self.micro.settings.broker_url:
            raise NoWorker(
                "No worker is configured to run jobs;"
                " start Micro with -C, or name the broker of its workers with -B."
            )

    @cached_property
    def _celery(self) -> Any:
        # Imported late: a service without jobs never needs Celery.
        from micro.jobs.queue import make_celery, trust_broker

        app = make_celery(self.micro.settings)
        trust_broker(app, self.micro.settings)
        return app

    def _publish(self, job: str, queue: str) -> bool:
        from micro.jobs.queue import publish

        return publish(self._celery, job, queue)


def new_job(
    plugin: Plugin,
    params: Mapping[str, Any],
    context: RunContext,
    queue: str,
    key: str | None = None,
    parent: str | None = None,
) -> NewJob:
    """Return the run of a plugin as a job to record.

    It has more attempts than the plugin has retries, so that lost workers do not use up the retries.
    """
    shown = plugin.contract.mask(params)
    return NewJob(
        plugin=plugin.name,
        params=params,
        shown=None if shown == params else shown,
        queue=queue,
        attempts=DEFAULT_ATTEMPTS + plugin.description.retries,
        timeout=plugin.description.timeout,
        idempotency_key=key,
        parent=parent,
        transport=context.transport,
        request_id=context.request_id,
        traceparent=context.traceparent,
    )


def outcome(job: JobRecord) -> str:
    """Return the result of an ended job as JSON text; raise RecordedError if it has none."""
    if job.state is State.SUCCEEDED:
        return job.result or "{}"
    raise RecordedError(job.error) if job.error else was_cancelled(job.id)


def was_cancelled(job: str) -> RecordedError:
    """Return the error of a job that was cancelled."""
    return RecordedError({"error": f"Job {job} was cancelled", "code": "job-cancelled", "status": 409})


def job_fields(job: JobRecord) -> dict[str, Any]:
    """Return the job as every transport shows it, without its result; times are ISO 8601 text."""
    return {
        "id": job.id,
        "plugin": job.plugin,
        "state": job.state,
        "progress": progress_fields(job),
        "created": job.created.isoformat(),
        "started": job.started and job.started.isoformat(),
        "finished": job.finished and job.finished.isoformat(),
        "attempt": job.attempt,
        "attempts": job.attempts,
        "cancel_requested": job.cancel_requested,
        "params": job.params,
        "error": job.error,
        "queue": job.queue,
        "transport": job.transport,
        "worker": job.worker,
        "request_id": job.request_id,
        "traceparent": job.traceparent,
        "parent": job.parent,
        "generation": job.generation,
    }


def progress_fields(job: JobRecord) -> dict[str, Any] | None:
    """Return the run's newest progress report; None if it has not reported any."""
    progress = job.progress
    if progress is None:
        return None
    return {"done": progress.done, "total": progress.total, "message": progress.message}
