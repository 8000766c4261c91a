"""The job table: what was accepted, who runs it, and what came of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Select, delete, text

from micro.errors import BadRequest, Conflict, JobNotFound
from micro.jobs import reading, rows, statements, upkeep
from micro.jobs.database import Database
from micro.jobs.models import (
    FINISHED,
    MAX_PAGE,
    Feed,
    Hold,
    Job,
    LogLine,
    NewJob,
    Page,
    Progress,
    Renewal,
    State,
    Swept,
    is_id,
)
from micro.jobs.rows import AnyRow
from micro.jobs.schema import jobs


class JobStore:
    """The jobs of every process that names the same database by ``url``.

    Safe to share by threads and to carry through a fork. Making one connects to nothing;
    each operation raises ``StoreUnavailable`` while the database does not answer, and works
    again when it does. ``republish`` is how many seconds a queued job waits before a sweep
    takes it for one that no worker was told of; it doubles each time.
    """

    def __init__(self, url: str, republish: float = 3.0) -> None:
        self.database = Database(url)
        self.republish = republish

    def close(self) -> None:
        """Close every connection; the next use opens new ones."""
        self.database.close()

    def ping(self) -> None:
        """Return when the database answers and its tables are those of this Micro."""
        with self.database.connect() as connection:
            connection.execute(text("SELECT version FROM micro_schema"))

    # What callers do

    def submit(self, new: NewJob, owner: str | None = None, lease: float = 0.0) -> tuple[Job, bool]:
        """Record a job, and return it and whether it is new.

        It is on record when this returns. A job with the same idempotency key, plugin and
        parameters is returned in its place; the same key for anything else is a conflict.
        With an ``owner`` the job is recorded as running, claimed by it for ``lease`` seconds.
        """
        row = rows.new_row(new, owner)
        look = lease if owner else new.delay + self.republish
        given = row | {"delay": new.delay, "look": look, "running": owner is not None}
        with self.database.connect() as connection:
            statement = statements.SUBMIT[connection.dialect.name]
            # Again only if the job that had the key is deleted between the two statements.
            while True:
                recorded = connection.execute(statement, given).first()
                if recorded:
                    return rows.shown_job({**rows.NOT_YET, **row, **recorded._mapping}), True
                twin = connection.execute(statements.BY_KEY, {"key": row["idempotency_key"]}).first()
                if twin:
                    return _same(twin, row["fingerprint"]), False

    def get(self, job: str) -> Job:
        """Return the job with the id ``job``."""
        return rows.shown_job(self._row(statements.BY_ID, job)._mapping)

    def state(self, job: str) -> State:
        """Return where the job stands: the cheap question for those who wait."""
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
        """Return jobs, newest first, without their parameters and results.

        ``since`` and ``until`` bound the time they were made, as the ids tell it; ``cursor``
        is that of the page before.
        """
        if cursor is not None and not is_id(cursor):
            raise BadRequest(f"The cursor {rows.plain(cursor)!r} is not one that a page of jobs gave.")
        limit = max(1, min(limit, MAX_PAGE))
        within = reading.bounds(since, until, cursor)
        query = reading.listing(plugin is not None, state, tuple(within))
        with self.database.connect() as connection:
            found = connection.execute(query, {**within, "plugin": plugin, "most": limit + 1}).all()
        page = tuple(rows.brief_job(row._mapping) for row in found[:limit])
        return Page(page, page[-1].id if len(found) > limit else None)

    def counts(self) -> dict[State, int]:
        """Return how many jobs are in each state; reads the index of all finished ones."""
        with self.database.connect() as connection:
            found = connection.execute(reading.COUNTS).all()
        return dict.fromkeys(State, 0) | {State(row.state): row.n for row in found}

    def queued(self) -> dict[str, int]:
        """Return how many jobs wait in each queue that has any."""
        with self.database.connect() as connection:
            return {row.queue: row.n for row in connection.execute(reading.QUEUED)}

    def events(self, job: str, after: int = 0, limit: int = MAX_PAGE) -> Feed:
        """Return what happened to the job after the event number ``after``, in order.

        ``limit`` bounds the log lines; the rest comes with the next call.
        """
        _check_id(job)
        with self.database.connect() as connection:
            row = _found(connection.execute(statements.FEED, {"job": job}).first(), job)
            lines: Sequence[AnyRow] = ()
            if row.log_lines and row.last_event > after:
                # Lines past last_event came after this row was read, as may a state between.
                bounds = {"job": job, "after": after, "last": row.last_event, "most": max(1, limit)}
                lines = connection.execute(statements.LINES, bounds).all()
        return reading.feed(row, lines, after, whole=len(lines) < max(1, limit))

    def cancel(self, job: str) -> Job:
        """Cancel a queued job, or ask the worker of a running one to stop; return the job."""
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
        """Delete a finished job and its log."""
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
        """Let the next sweep publish the queued job, as no worker could be told of it."""
        with self.database.connect() as connection:
            connection.execute(statements.UNTOLD, {"job": job})

    # What a worker does

    def claim(self, job: str, owner: str, lease: float, generation: int | None = None) -> Job | None:
        """Take the job for ``owner`` for ``lease`` seconds, with its real parameters.

        ``generation`` is that of the plugins it will run with.
        None when there is nothing to do: another copy of the message was faster, the job is
        finished, deleted, not yet due, cancelled or has had all its attempts.
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
        """Keep the job for ``lease`` more seconds, reporting progress and log lines on the way.

        ``kept`` is false when the job is no longer this attempt's: finished, deleted or taken
        over. A job that a sweep had taken for lost is taken back if nobody claimed it.
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
                upkeep.add_lines(connection, hold.job, lines, top, renewed[0].log_lines)
        return Renewal(True, renewed[0].cancel_requested) if renewed else Renewal(False)

    def finish(
        self,
        hold: Hold,
        state: State,
        result: str | None = None,
        error: Mapping[str, Any] | None = None,
    ) -> bool:
        """End the attempt and the job; secrets among its parameters are masked for good.

        ``result`` is JSON text. True when the job ended so, now or by an earlier call whose
        answer was lost; False when it is no longer this attempt's.
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

        A sweep publishes it when the time has come. A job that is to be cancelled ends here.
        """
        given = {**_fence(hold), "delay": delay}
        with self.database.transaction() as connection:
            released = connection.execute(statements.RELEASE, given).all()
            if released:
                upkeep.warn(connection, [(hold.job, released[0].last_event - 1, reason)])
                return True
            row = connection.execute(statements.HOLDER, {"job": hold.job}).first()
        if row is None or row.attempt != hold.attempt:
            return False
        if row.state == State.QUEUED:
            return row.worker is None
        return bool(row.cancel_requested) and self.finish(hold, State.CANCELLED)

    # What keeps the table in order

    def sweep(self, limit: int = 100) -> Swept:
        """Find the jobs that nobody runs, and say which to publish; see ``upkeep.sweep``."""
        return upkeep.sweep(self.database, self.republish, limit)

    def purge(self, keep: float, limit: int = 500) -> int:
        """Delete jobs that finished more than ``keep`` seconds ago; see ``upkeep.purge``."""
        return upkeep.purge(self.database, keep, limit)

    def lead(self, task: str, owner: str, seconds: float) -> bool:
        """Take or keep a task that one process at a time does; tell whether it is ``owner``'s."""
        return upkeep.lead(self.database, task, owner, seconds)

    def resign(self, task: str, owner: str) -> None:
        """Give the task up, so that another process need not wait for its lease to end."""
        upkeep.resign(self.database, task, owner)

    def _row(self, statement: Select[Any], job: str) -> AnyRow:
        _check_id(job)
        with self.database.connect() as connection:
            return _found(connection.execute(statement, {"job": job}).first(), job)


def _check_id(job: str) -> None:
    # What is no id is asked of no database: some refuse the characters it may hold.
    if not is_id(job):
        raise unknown_job(job)


def _found(row: AnyRow | None, job: str) -> AnyRow:
    if row is None:
        raise unknown_job(job)
    return row


def unknown_job(job: str) -> JobNotFound:
    """Make the error of an id that no job has."""
    return JobNotFound(
        f"No job has the id {rows.plain(job)!r}: it never existed, was deleted, or was kept no longer."
    )


def _same(twin: AnyRow, fingerprint: str | None) -> Job:
    if twin.fingerprint != fingerprint:
        raise Conflict(
            f"The idempotency key {twin.idempotency_key!r} belongs to job {twin.id}, which has another "
            "plugin or other parameters. Repeat the call as it was, or use a new key.",
            "idempotency-conflict",
        )
    return rows.shown_job(twin._mapping)


def _fence(hold: Hold) -> dict[str, Any]:
    return {"job": hold.job, "owner": hold.owner, "number": hold.attempt}
