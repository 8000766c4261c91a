"""Writes lines to a job's log, and deletes the oldest lines of a log that is too long."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, delete, insert, select

from micro.jobs import rows
from micro.jobs.models import LogLine
from micro.jobs.schema import logs

MAX_LINES = 10_000
# Lines that a log may exceed MAX_LINES by before it is trimmed: trimming at each write would cost more.
_SLACK = 1000


def add_lines(connection: Connection, job: str, lines: Sequence[LogLine], last: int, total: int) -> None:
    """Write ``lines``; ``last`` is the last one's event number, ``total`` counts all lines of the job."""
    first = last - len(lines) + 1
    numbered = [rows.log_row(job, number, line) for number, line in enumerate(lines, first)]
    connection.execute(insert(logs), numbered[-MAX_LINES:])
    before = total - len(lines)
    if total > MAX_LINES and total // _SLACK > before // _SLACK:
        _trim(connection, job)


def warn(connection: Connection, notes: Iterable[tuple[str, int, str]]) -> None:
    """Write a warning of Micro's own to the log of each job; a note is (job id, event number, text)."""
    moment = time.time()
    lines = [rows.log_row(job, number, LogLine("WARNING", text, moment)) for job, number, text in notes]
    connection.execute(insert(logs), lines)


def _trim(connection: Connection, job: str) -> None:
    newest = select(logs.c.number).where(logs.c.job == job).order_by(logs.c.number.desc())
    last_kept_out = newest.offset(MAX_LINES).limit(1).scalar_subquery()
    connection.execute(delete(logs).where(logs.c.job == job, logs.c.number <= last_kept_out))
