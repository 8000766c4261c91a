"""Maintenance of the job table: the sweep, the purge, and the lease of the process that does them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import accumulate, takewhile
from time import time
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from micro.jobs.models import LogLine, State, Swept, first_id
from micro.jobs.store import rows
from micro.jobs.store.database import Database, now
from micro.jobs.store.rows import AnyRow
from micro.jobs.store.schema import jobs, leases, logs

# The most lines that a job's log keeps.
MAX_LINES = 10_000
# How many lines a log may exceed its limit by before the oldest are deleted.
_SLACK = 1000
# Seconds. The wait before a queued job is published once more doubles up to this.
_LONGEST_WAIT = 900.0
# The most log lines deleted in one transaction; a job with more is deleted in one of its own.
MOST_LINES = 20_000

_c = jobs.c
_DUE = (
    select(
        _c.id, _c.queue, _c.state, _c.cancel_requested, _c.worker,
        _c.attempt, _c.attempts, _c.lost, _c.told, _c.last_event,
    )
    .where(_c.due <= now())
    .order_by(_c.due)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
)  # fmt: skip
_END = (
    update(jobs)
    .where(_c.id == bindparam("job"))
    .values(
        state=bindparam("b_state"),
        error=bindparam("b_error"),
        lost=bindparam("b_lost"),
        finished=now(),
        due=None,
        params=func.coalesce(_c.shown, _c.params),
        last_event=_c.last_event + 1,
        state_event=_c.last_event + 1,
    )
)
_TELL = update(jobs).where(_c.id == bindparam("job")).values(due=now() + bindparam("wait"), told=_c.told + 1)
_REQUEUE = _TELL.values(
    state=State.QUEUED,
    told=1,
    lost=_c.lost + 1,
    last_event=_c.last_event + 2,
    state_event=_c.last_event + 2,
    log_lines=_c.log_lines + 1,
)


def sweep(database: Database, republish: float, limit: int) -> Swept:
    """Handle up to ``limit`` jobs that are due, longest due first, in one transaction.

    A due job is a queued one whose delay, or whose wait for a worker, is over, or a running one
    whose lease has run out. If its cancellation was requested, it is cancelled; if it has used up its
    attempts, it fails; otherwise it is returned to be published, a running one after it was
    queued again. If the caller dies before it publishes, these jobs are due again after
    ``republish`` seconds, or later if they were published before.
    """
    with database.transaction() as connection:
        due = connection.execute(_DUE, {"most": limit}).all()
        cancelled = [row for row in due if row.cancel_requested]
        spent = [row for row in due if not row.cancel_requested and row.attempt >= row.attempts]
        rest = [row for row in due if not row.cancel_requested and row.attempt < row.attempts]
        lost = [row for row in rest if row.state == State.RUNNING]
        _execute(connection, _END, [_ended(row, State.CANCELLED, None) for row in cancelled])
        _execute(connection, _END, [_ended(row, State.FAILED, _spent(row)) for row in spent])
        _requeue(connection, lost, republish)
        waiting = [row for row in rest if row.state == State.QUEUED]
        _execute(connection, _TELL, [_told(row, republish) for row in waiting])
    return Swept(tuple((row.id, row.queue) for row in rest), _ids(spent), _ids(cancelled))


def purge(database: Database, keep: float, limit: int) -> int:
    """Delete up to ``limit`` jobs that finished more than ``keep`` seconds ago; return how many.

    Fewer jobs are deleted at once if their logs are long. This needs no index by end time: a job
    that finished before a moment has an id from before it, so it reads the oldest ids.
    """
    oldest = (
        select(_c.id, _c.log_lines)
        .where(_c.id < first_id(time() - keep), _c.finished < now() - keep)
        .order_by(_c.id)
        .limit(limit)
    )
    with database.connect() as connection:
        found = connection.execute(oldest).all()
        lines = accumulate(min(row.log_lines, MAX_LINES) for row in found)
        few_enough = sum(1 for _ in takewhile(lambda total: total <= MOST_LINES, lines))
        ids = _ids(found[: max(1, few_enough)])
        return connection.execute(delete(jobs).where(_c.id.in_(ids))).rowcount if ids else 0


def add_lines(connection: Connection, job: str, lines: Sequence[LogLine], last: int, total: int) -> None:
    """Write log lines. The last one has the number ``last``; with them the job has logged ``total`` lines."""
    first = last - len(lines) + 1
    numbered = [rows.log_row(job, number, line) for number, line in enumerate(lines, first)]
    connection.execute(insert(logs), numbered[-MAX_LINES:])
    before = total - len(lines)
    if total > MAX_LINES and total // _SLACK > before // _SLACK:
        _trim(connection, job)


def warn(connection: Connection, notes: Iterable[tuple[str, int, str]]) -> None:
    """Write one line of Micro's own to each job's log: (job, number, text)."""
    moment = time()
    lines = [rows.log_row(job, number, LogLine("WARNING", text, moment)) for job, number, text in notes]
    connection.execute(insert(logs), lines)


def lead(database: Database, task: str, owner: str, seconds: float) -> bool:
    """Take or renew the lease on ``task`` in one statement; return True if ``owner`` has it now."""
    with database.connect() as connection:
        dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
        wanted = dialect.insert(leases).values(name=task, owner=owner, until=now() + seconds)
        free = or_(leases.c.until <= now(), leases.c.owner == owner)
        taken = wanted.on_conflict_do_update(
            index_elements=[leases.c.name],
            set_={"owner": wanted.excluded.owner, "until": wanted.excluded.until},
            where=free,
        ).returning(leases.c.owner)
        return bool(connection.execute(taken).all())


def resign(database: Database, task: str, owner: str) -> None:
    """Give up the lease on ``task`` if ``owner`` has it."""
    with database.connect() as connection:
        connection.execute(delete(leases).where(leases.c.name == task, leases.c.owner == owner))


def _requeue(connection: Connection, lost: Sequence[AnyRow], wait: float) -> None:
    _execute(connection, _REQUEUE, [{"job": row.id, "wait": wait} for row in lost])
    notes = [(row.id, row.last_event + 1, f"{_lost(row)}; the job is queued again.") for row in lost]
    if notes:
        warn(connection, notes)


def _trim(connection: Connection, job: str) -> None:
    newest = select(logs.c.number).where(logs.c.job == job).order_by(logs.c.number.desc())
    last_kept_out = newest.offset(MAX_LINES).limit(1).scalar_subquery()
    connection.execute(delete(logs).where(logs.c.job == job, logs.c.number <= last_kept_out))


def _told(row: AnyRow, republish: float) -> dict[str, Any]:
    return {"job": row.id, "wait": min(republish * 2 ** min(row.told, 20), _LONGEST_WAIT)}


def _ended(row: AnyRow, state: State, error: str | None) -> dict[str, Any]:
    lost = row.lost + (row.state == State.RUNNING)
    return {"job": row.id, "b_state": state, "b_error": error, "b_lost": lost}


def _spent(row: AnyRow) -> str:
    lost = row.lost + (row.state == State.RUNNING)
    last = f"{row.attempt} of {row.attempts}"
    if lost:
        times = "1 time" if lost == 1 else f"{lost} times"
        reason = f"The worker was lost {times} while it ran this job (last {row.worker} in attempt {last})"
    else:
        reason = f"This job has had its last attempt ({last})"
    return json.dumps({"error": f"{reason}; it is not tried again.", "code": "worker-lost", "status": 500})


def _lost(row: AnyRow) -> str:
    return f"Worker {row.worker} was lost in attempt {row.attempt} of {row.attempts}"


def _execute(connection: Connection, statement: Any, values: list[dict[str, Any]]) -> None:
    if values:
        connection.execute(statement, values)


def _ids(found: Iterable[AnyRow]) -> tuple[str, ...]:
    return tuple(row.id for row in found)
