"""Runs jobs in a worker process: claims a job, runs its plugin under a monitor, records the outcome."""

from __future__ import annotations

import faulthandler
import logging
import os
import random
import signal
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from types import FrameType
from typing import Any

from billiard import process
from celery.exceptions import Ignore

from micro.correlation import CALL, Call, working_for
from micro.errors import MicroError, PluginFailed, PluginNotFound, StoreUnavailable, error_fields
from micro.jobs.models import JobRecord, State
from micro.jobs.service import new_job, outcome, was_cancelled
from micro.jobs.store.store import JobStore
from micro.jobs.worker.batch_writer import BatchWriter, LateRecord
from micro.jobs.worker.monitor import Monitor, Record, Terms, time_limit
from micro.jobs.worker.retry import RETRY_SECONDS, retry
from micro.periodic import PeriodicCalls
from micro.plugin.context import RunContext
from micro.plugin.hookspecs import hookimpl
from micro.service import Micro

log = logging.getLogger(__name__)

# Seconds without a renewal after which the worker of a job counts as lost. Workers renew once a second: 15
# outlast a pause of the machine or the database, and a cut-off job does not wait long for another worker.
LEASE_SECONDS = 15.0
# Seconds that a cancelled or timed out run gets to end by itself, which is enough to close files and
# connections, before its process is killed.
GRACE_SECONDS = 10.0
# Seconds before the next attempt; the pause doubles with each.
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 300.0
# Seconds between looks at a job that another worker may have claimed.
_LOOK_AGAIN = 0.5
_LEAST_GRACE = 1.0
# By its number, because Celery replaces sys.stderr with an object that has none.
_STDERR = 2
# Seconds between rounds of the ticker.
_TICK = 0.2


class JobRunner:
    """Runs the jobs that this process is woken for, and the tasks of Celery clients as jobs.

    ``lease`` and ``grace`` are in seconds.
    """

    def __init__(
        self, micro: Micro, store: JobStore, *, lease: float = LEASE_SECONDS, grace: float = GRACE_SECONDS
    ) -> None:
        self._micro, self._store = micro, store
        self._owner = f"{socket.gethostname()}/{os.getpid()}"
        self._lease = lease
        periodic = PeriodicCalls(_TICK)
        self._writer = BatchWriter(store.database, periodic)
        self._grace = grace
        self._terms = Terms(self._lease, self._grace, _kill_pool_child, periodic)
        micro.loaded.hooks.register(self)

    @hookimpl
    def micro_stop(self) -> None:
        """Record the ended runs that are still queued, when the process ends."""
        self._writer.close()

    def run_job(self, job_id: str) -> None:
        """Claim and run the job; do nothing if another worker has claimed it or it has ended."""
        # The job table already has the error of a run. If the table does not answer, the job is left to a
        # sweep, and this process is free for runs that need no table.
        with suppress(MicroError):
            job = self._claim(job_id, limit=self._lease)
            if job:
                self._attempt(job, job.params or {}, self._store)

    def run_message(
        self,
        task_id: str,
        name: str,
        params: Mapping[str, Any],
        context: RunContext | None = None,
        *,
        redelivered: bool = False,
    ) -> str:
        """Run the task of a Celery client, recorded as a job, and return its JSON.

        The task's id is the job's idempotency key: if its message is delivered again, this returns the
        recorded result, or takes the run over once its worker is lost. If the job table does not answer,
        the run is not recorded. Raises what ``Micro.run`` raises, and Celery's Ignore if the run of the
        first delivery is still going on and will answer.
        """
        plugin = self._micro.loaded.find(name)
        plugin.contract.check(params)
        queue = plugin.description.queue or self._micro.settings.task_queues[0]
        context = context or RunContext("celery", task_id)
        new = new_job(plugin, params, context, queue, key=f"celery:{task_id}")
        new = replace(new, generation=self._micro.generation)
        if not redelivered:
            late = LateRecord(self._store, self._writer, new, self._owner)
            return self._attempt(late.job, params, late) or self._go_on(late.job.id, params)
        try:
            job, created = self._store.submit(new, self._owner, self._lease)
        except StoreUnavailable as err:
            log.warning("Task %s runs unrecorded: %s", task_id, err.message)
            return self._micro.run(name, params, context)
        if created:
            return self._attempt(job, params, self._store) or self._go_on(job.id, params)
        return self._go_on(job.id, params, leave_at=time.monotonic() + self._lease + _LOOK_AGAIN)

    def _go_on(self, job_id: str, params: Mapping[str, Any], leave_at: float | None = None) -> str:
        """Return the job's result or raise its error; run it whenever no other worker does.

        After ``leave_at``, of the monotonic clock, raise Ignore if the first attempt is still running: that
        one answers the client.
        """
        while True:
            job = self._claim(job_id)
            if job:
                end = self._attempt(job, params, self._store)
                if end is not None:
                    return end
            found = retry(lambda: self._store.get(job_id), f"look at job {job_id}")
            if found.state.finished:
                return outcome(found)
            goes_on = found.state is State.RUNNING and found.attempt == 1
            if goes_on and leave_at and time.monotonic() > leave_at:
                raise Ignore
            time.sleep(_LOOK_AGAIN)

    def _claim(self, job_id: str, limit: float = RETRY_SECONDS) -> JobRecord | None:
        what = f"claim of job {job_id}"
        generation = self._micro.generation
        return retry(lambda: self._store.claim(job_id, self._owner, self._lease, generation), what, limit)

    def _attempt(self, job: JobRecord, params: Mapping[str, Any], record: Record) -> str | None:
        """Run the claimed job and record the outcome; return its JSON or raise its error.

        Returns None if the job is queued for another attempt.
        """
        with working_for(_call(job)):
            return self._attempt_as_called(job, params, record)

    def _attempt_as_called(self, job: JobRecord, params: Mapping[str, Any], record: Record) -> str | None:
        with Monitor(record, job, self._terms) as watch:
            context = replace(
                RunContext.of(_call(job), job.transport or "celery"),
                reporter=watch,
                job=job.id,
                attempt=job.attempt,
                # A job may wait for a free slot of its plugin. A Celery client is waiting for its answer.
                patient=not isinstance(record, LateRecord),
            )
            end: str | MicroError
            try:
                with _time_limit(job), _last_resort(job, self._grace):
                    end = self._micro.run(job.plugin, params, context)
            except MicroError as err:
                # A plugin may have caught the TimeLimit and raised another error instead.
                end = time_limit(job) if isinstance(err, PluginFailed) and watch.is_out_of_time() else err
        # After the monitor has written its last reports, which a job that has ended would not accept.
        return self._conclude(job, end, record, stopped=watch.cancelled())

    def _conclude(
        self, job: JobRecord, end: str | MicroError, record: Record, *, stopped: bool
    ) -> str | None:
        """Record the end of an attempt; a job that was asked to stop is cancelled, whatever its outcome."""
        if stopped:
            _finish(record, job, State.CANCELLED)
            raise was_cancelled(job.id)
        if isinstance(end, str):
            _finish(record, job, State.SUCCEEDED, result=end)
            return end
        if self._try_again(job, end, record):
            return None
        _finish(record, job, State.FAILED, error={**error_fields(end), "status": end.status})
        raise end

    def _try_again(self, job: JobRecord, error: MicroError, record: Record) -> bool:
        """Queue the job again if its plugin lists the exception in ``retry_on`` and has retries left."""
        if isinstance(error, PluginNotFound) or job.attempt >= job.attempts:
            return False
        description = self._micro.loaded.find(job.plugin).description
        raised = error.__cause__ if isinstance(error, PluginFailed) else error
        retries = job.attempt - job.lost
        if retries > description.retries or not isinstance(raised, description.retry_on):
            return False
        pause = min(_FIRST_PAUSE * 2 ** (retries - 1), _LONGEST_PAUSE) * random.uniform(0.5, 1.5)
        reason = f"Attempt {job.attempt} failed: {error.message}; the next one is in {pause:.1f} seconds"
        return retry(lambda: record.release(job.hold, pause, reason), f"retry of job {job.id}")


def _call(job: JobRecord) -> Call:
    """Return the call that submitted the job; its tracestate is in the message only, not in the table."""
    message = CALL.get()
    state = message.tracestate if message and message.traceparent == job.traceparent else None
    return Call(job.request_id or job.id, job.traceparent, state, job.plugin, job.id)


def _finish(
    record: Record,
    job: JobRecord,
    state: State,
    result: str | None = None,
    error: Mapping[str, Any] | None = None,
) -> None:
    kept = retry(lambda: record.finish(job.hold, state, result, error), f"end of job {job.id}")
    if not kept:
        log.warning("Job %s has %s, but another attempt had taken it over", job.id, state)


@contextmanager
def _time_limit(job: JobRecord) -> Iterator[None]:
    """Raise TimeLimit in the run after its time limit; only a main thread can be interrupted by a signal."""
    if not job.timeout or threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise time_limit(job)

    before = signal.signal(signal.SIGALRM, interrupt)
    timer = signal.setitimer(signal.ITIMER_REAL, job.timeout)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        signal.setitimer(signal.ITIMER_REAL, *timer)


@contextmanager
def _last_resort(job: JobRecord, grace: float) -> Iterator[None]:
    """End the process if neither the time limit nor the monitor could end the run.

    Such a run is one long call of C code, during which Python runs no signal handler and no other thread.
    """
    if not job.timeout or not _is_pool_child():
        yield
        return
    seconds = job.timeout + grace + max(grace, _LEAST_GRACE)
    faulthandler.dump_traceback_later(seconds, exit=True, file=_STDERR)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()


def _is_pool_child() -> bool:
    return bool(process.current_process()._parent_pid)


def _kill_pool_child(job_id: str) -> None:
    """Kill this process if it belongs to a worker's pool; the pool starts another."""
    if _is_pool_child():
        log.warning("Job %s did not stop when it was asked to; its process is killed", job_id)
        os.kill(os.getpid(), signal.SIGKILL)
    log.error("Job %s did not stop when it was asked to, and its pool has no processes to kill", job_id)
