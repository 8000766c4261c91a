"""The job table: records jobs, hands them to workers, and keeps their logs and results."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Select, delete, text

from micro.errors import BadRequest, Conflict, JobNotFound
from micro.jobs.models import (
    FINISHED,
    MAX_PAGE,
    Hold,
    JobRecord,
    LogLine,
    NewJob,
    Page,
    Renewal,
    State,
    Swept,
    is_id,
)
from micro.jobs.store import maintenance, queries, rows, statements
from micro.jobs.store.database import Database
from micro.jobs.store.rows import AnyRow
from micro.jobs.store.schema import jobs
from micro.models import Feed, Progress


class JobStore:
    """The jobs of every process that names the same database by ``url``.

    Safe to share between threads and across a fork. The constructor connects to nothing. Each
    operation raises ``StoreUnavailable`` while the database does not answer, and works again
    when it does. ``get``, ``state``, ``events``, ``cancel`` and ``delete`` raise ``JobNotFound``
    for an unknown id. After ``republish`` seconds a sweep takes the message about a queued job
    for lost and publishes it again; the wait doubles each time.
    """

    def __init__(self, url: str, republish: float = 3.0) -> None:
        self.database = Database(url)
        self.republish = republish

    def close(self) -> None:
        """Close every connection; the next use opens new ones."""
        self.database.close()

    def ping(self) -> None:
        """Raise StoreUnavailable unless the database answers and has the tables."""
        with self.database.connect() as connection:
            connection.execute(text("SELECT version FROM micro_schema"))

    # Operations for callers

    def submit(self, new: NewJob, owner: str | None = None, lease: float = 0.0) -> tuple[JobRecord, bool]:
        """Record a job; return it, and True if it is new.

        The job is committed when this returns. If a job has the same idempotency key, plugin and
        parameters, that job is returned instead; raises Conflict if the key belongs to another call.
        With an ``owner`` the job is recorded as running, claimed by that worker for ``lease`` seconds.
        """
        row = rows.new_row(new, owner)
        look = lease if owner else new.delay + self.republish
        given = row | {"delay": new.delay, "look": look, "running": owner is not None}
        with self.database.connect() as connection:
            statement = statements.SUBMIT[connection.dialect.name]
            # Repeats only if the job that had the key is deleted between the two statements.
            while True:
                recorded = connection.execute(statement, given).first()
                if recorded:
                    return rows.shown_job({**rows.NOT_YET, **row, **recorded._mapping}), True
                twin = connection.execute(statements.BY_KEY, {"key": row["idempotency_key"]}).first()
                if twin:
                    return _same(twin, row["fingerprint"]), False

    def get(self, job: str) -> JobRecord:
        """Return the job with the id ``job``."""
        return rows.shown_job(self._row(statements.BY_ID, job)._mapping)

    def state(self, job: str) -> State:
        """Return the job's state; cheaper than ``get``, for callers that poll."""
        return State(self._row(statements.STATE, job).state)

    def list_jobs(
        self,
        plugin: str | None = None,
        state: State | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page:
        """Return a page of at most ``limit`` jobs, newest first, without parameters and results.

        ``since`` and ``until`` bound the time of creation, by the time in a job's id. ``cursor``
        is that of the page before; raises BadRequest if it is malformed.
        """
        if cursor is not None and not is_id(cursor):
            raise BadRequest(f"The cursor {rows.plain(cursor)!r} does not come from a page of jobs.")
        limit = max(1, min(limit, MAX_PAGE))
        within = queries.bounds(since, until, cursor)
        query = queries.listing(plugin is not None, state, tuple(within))
        with self.database.connect() as connection:
            found = connection.execute(query, {**within, "plugin": plugin, "most": limit + 1}).all()
        page = tuple(rows.brief_job(row._mapping) for row in found[:limit])
        return Page(page, page[-1].id if len(found) > limit else None)

    def counts(self) -> dict[State, int]:
        """Return how many jobs are in each state; this reads the whole index of finished jobs."""
        with self.database.connect() as connection:
            found = connection.execute(queries.COUNTS).all()
        return dict.fromkeys(State, 0) | {State(row.state): row.n for row in found}

    def queued(self) -> dict[str, int]:
        """Return how many queued jobs each queue has; a queue without any is left out."""
        with self.database.connect() as connection:
            return {row.queue: row.n for row in connection.execute(queries.QUEUED)}

    def events(self, job: str, after: int = 0, limit: int = MAX_PAGE) -> Feed:
        """Return the job's events after number ``after``, in order.

        ``limit`` is the most log lines that are returned; the next call returns the rest.
        """
        _check_id(job)
        with self.database.connect() as connection:
            row = _found(connection.execute(statements.FEED, {"job": job}).first(), job)
            lines: Sequence[AnyRow] = ()
            if row.log_lines and row.last_event > after:
                # Lines with a higher number were written after the row was read; a state event that is not in
                # the row may come before them.
                bounds = {"job": job, "after": after, "last": row.last_event, "most": max(1, limit)}
                lines = connection.execute(statements.LINES, bounds).all()
        return queries.feed(row, lines, after, whole=len(lines) < max(1, limit))

    def cancel(self, job: str) -> JobRecord:
        """Cancel a queued job, or ask the worker of a running one to stop; return the job.

        Raises Conflict if the job has succeeded or failed.
        """
        _check_id(job)
        with self.database.connect() as connection:
            connection.execute(statements.CANCEL, {"job": job})
            row = _found(connection.execute(statements.BY_ID, {"job": job}).first(), job)
        if row.state in {State.SUCCEEDED, State.FAILED}:
            raise Conflict(
                f"Job {job} has already {row.state}; only a queued or running one can be cancelled.",
                "job-finished",
            )
        return rows.shown_job(row._mapping)

    def delete(self, job: str) -> None:
        """Delete a finished job and its log; raise Conflict if it has not finished."""
        _check_id(job)
        query = delete(jobs).where(jobs.c.id == job, jobs.c.state.in_(FINISHED))
        with self.database.connect() as connection:
            if connection.execute(query).rowcount:
                return
            row = _found(connection.execute(statements.STATE, {"job": job}).first(), job)
        raise Conflict(
            f"Job {job} is {row.state}; only a finished one can be deleted. Cancel it first.",
            "job-not-finished",
        )

    def leave_to_sweep(self, job: str) -> None:
        """Let the next sweep publish the queued job, because the broker did not take its message."""
        with self.database.connect() as connection:
            connection.execute(statements.UNTOLD, {"job": job})

    # Operations for workers

    def claim(self, job: str, owner: str, lease: float, generation: int | None = None) -> JobRecord | None:
        """Claim the job for ``owner`` for ``lease`` seconds; return it with its real parameters.

        ``generation`` is the generation of plugins that it will run with. Returns None if there is
        nothing to run: another worker has claimed the job, or it is finished, deleted, not yet due,
        to be cancelled, or has used up its attempts.
        """
        if not is_id(job):
            return None
        with self.database.connect() as connection:
            told = None if generation is None else str(generation)
            given = {"job": job, "owner": owner, "lease": lease, "generation": told}
            claimed = connection.execute(statements.CLAIM, given).all()
        return rows.true_job(claimed[0]._mapping) if claimed else None

    def renew(
        self, hold: Hold, lease: float, progress: Progress | None = None, lines: Sequence[LogLine] = ()
    ) -> Renewal:
        """Renew the lease for ``lease`` seconds from now; write progress and log lines.

        ``kept`` is False if the job is no longer this attempt's: it is finished, deleted or claimed
        by another worker. A job that a sweep has queued again is taken back if no worker has
        claimed it.
        """
        statement = statements.RENEW if progress is None else statements.REPORT
        given = {**_fence(hold), "lease": lease, "lines": len(lines)}
        if progress is not None:
            given |= rows.progress_values(progress)
        with self.database.transaction() if lines else self.database.connect() as connection:
            renewed = connection.execute(statement, given).all()
            if not renewed and connection.execute(statements.TAKE_BACK, given).rowcount:
                renewed = connection.execute(statement, given).all()
            if renewed and lines:
                top = renewed[0].last_event - (progress is not None)
                maintenance.add_lines(connection, hold.job, lines, top, renewed[0].log_lines)
        return Renewal(True, renewed[0].cancel_requested) if renewed else Renewal(False)

    def finish(
        self,
        hold: Hold,
        state: State,
        result: str | None = None,
        error: Mapping[str, Any] | None = None,
    ) -> bool:
        """End the attempt and the job; secrets among its parameters are masked for good.

        ``result`` is JSON text. Return True if the job has ended so, by this call or by an earlier
        one whose answer was lost; False if the job is no longer this attempt's.
        """
        outcome = {
            "b_state": state,
            "b_result": result,
            "b_error": None if error is None else json.dumps(dict(error)),
        }
        with self.database.connect() as connection:
            if connection.execute(statements.FINISH, {**_fence(hold), **outcome}).rowcount:
                return True
            row = connection.execute(statements.HOLDER, {"job": hold.job}).first()
        return row is not None and (row.worker, row.attempt, row.state) == (hold.owner, hold.attempt, state)

    def release(self, hold: Hold, delay: float, reason: str) -> bool:
        """Queue the job again, to run after ``delay`` seconds; ``reason`` goes to its log.

        A sweep publishes it after the delay. A job whose cancellation was requested is cancelled
        instead. Return False if the job is no longer this attempt's.
        """
        given = {**_fence(hold), "delay": delay}
        with self.database.transaction() as connection:
            released = connection.execute(statements.RELEASE, given).all()
            if released:
                maintenance.warn(connection, [(hold.job, released[0].last_event - 1, reason)])
                return True
            row = connection.execute(statements.HOLDER, {"job": hold.job}).first()
        if row is None or row.attempt != hold.attempt:
            return False
        if row.state == State.QUEUED:
            return row.worker is None
        return bool(row.cancel_requested) and self.finish(hold, State.CANCELLED)

    # Maintenance

    def sweep(self, limit: int = 100) -> Swept:
        """Handle up to ``limit`` jobs that are due, and return which to publish; see ``upkeep.sweep``."""
        return maintenance.sweep(self.database, self.republish, limit)

    def purge(self, keep: float, limit: int = 500) -> int:
        """Delete jobs that finished more than ``keep`` seconds ago; return how many. See ``upkeep.purge``."""
        return maintenance.purge(self.database, keep, limit)

    def lead(self, task: str, owner: str, seconds: float) -> bool:
        """Take or renew the lease on a task for one process at a time; return True if ``owner`` has it."""
        return maintenance.lead(self.database, task, owner, seconds)

    def resign(self, task: str, owner: str) -> None:
        """Give up the lease on a task, so that another process can take it at once."""
        maintenance.resign(self.database, task, owner)

    def _row(self, statement: Select[Any], job: str) -> AnyRow:
        _check_id(job)
        with self.database.connect() as connection:
            return _found(connection.execute(statement, {"job": job}).first(), job)


def _check_id(job: str) -> None:
    # Do not query with a malformed id: some databases refuse characters that it may contain.
    if not is_id(job):
        raise unknown_job(job)


def _found(row: AnyRow | None, job: str) -> AnyRow:
    if row is None:
        raise unknown_job(job)
    return row


def unknown_job(job: str) -> JobNotFound:
    """Return the error for an id that no job has."""
    return JobNotFound(
        f"No job has the id {rows.plain(job)!r}: it never existed, was deleted, or has expired."
    )


def _same(twin: AnyRow, fingerprint: str | None) -> JobRecord:
    if twin.fingerprint != fingerprint:
        raise Conflict(
            f"The idempotency key {twin.idempotency_key!r} belongs to job {twin.id}, which has another "
            "plugin or other parameters. Repeat the call as it was, or use a new key.",
            "idempotency-conflict",
        )
    return rows.shown_job(twin._mapping)


def _fence(hold: Hold) -> dict[str, Any]:
    return {"job": hold.job, "owner": hold.owner, "number": hold.attempt}
