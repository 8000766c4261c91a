"""Adds lines to a job's log, and drops its oldest ones when there are too many."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, delete, insert, select

from micro.jobs import rows
from micro.jobs.models import LogLine
from micro.jobs.schema import logs

MAX_LINES = 10_000
# How far a log may outgrow its bound before the oldest lines are looked for and dropped.
_SLACK = 1000


def add_lines(connection: Connection, job: str, lines: Sequence[LogLine], last: int, total: int) -> None:
    """Write ``lines``, of which the last has the number ``last`` and is the job's ``total``-th."""
    first = last - len(lines) + 1
    numbered = [rows.log_row(job, number, line) for number, line in enumerate(lines, first)]
    connection.execute(insert(logs), numbered[-MAX_LINES:])
    before = total - len(lines)
    if total > MAX_LINES and total // _SLACK > before // _SLACK:
        _trim(connection, job)


def warn(connection: Connection, notes: Iterable[tuple[str, int, str]]) -> None:
    """Write one line of Micro's own to each job's log: (job, number, text)."""
    moment = time.time()
    lines = [rows.log_row(job, number, LogLine("WARNING", text, moment)) for job, number, text in notes]
    connection.execute(insert(logs), lines)


def _trim(connection: Connection, job: str) -> None:
    newest = select(logs.c.number).where(logs.c.job == job).order_by(logs.c.number.desc())
    last_kept_out = newest.offset(MAX_LINES).limit(1).scalar_subquery()
    connection.execute(delete(logs).where(logs.c.job == job, logs.c.number <= last_kept_out))
