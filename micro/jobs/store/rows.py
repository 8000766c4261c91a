"""Converts new jobs to rows of the table, and rows to jobs and events."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from time import time
from typing import Any, TypeAlias

from sqlalchemy import Row

from micro.jobs.models import JobRecord, LogLine, NewJob, State, instant, is_id, new_id
from micro.models import Event, Progress

MAX_TEXT = 4000

Values = dict[str, Any]
AnyRow: TypeAlias = "Row[*tuple[Any, ...]]"

# Defaults of the columns that a statement does not return, because they are still empty or not needed.
NOT_YET: Mapping[str, Any] = dict.fromkeys(
    ("done", "total", "message", "finished", "result", "error"),
)


def new_row(new: NewJob, owner: str | None) -> Values:
    """Return the columns of a new job, except its times; with an ``owner`` it is already running."""
    return {
        "id": new_id(),
        "plugin": new.plugin,
        "queue": new.queue,
        "state": State.QUEUED if owner is None else State.RUNNING,
        "worker": owner,
        "attempt": 0 if owner is None else 1,
        "attempts": max(1, new.attempts),
        "lost": 0,
        "told": 0,
        "cancel_requested": False,
        "timeout": new.timeout,
        "last_event": 1,
        "state_event": 1,
        "progress_event": 0,
        "log_lines": 0,
        "idempotency_key": plain(new.idempotency_key),
        "fingerprint": fingerprint(new),
        "parent": new.parent if new.parent and is_id(new.parent) else None,
        "transport": plain(new.transport),
        "request_id": plain(new.request_id),
        "traceparent": plain(new.traceparent),
        "generation": None if new.generation is None else str(new.generation),
        "shown": None if new.shown is None else json.dumps(dict(new.shown)),
        "params": json.dumps(dict(new.params)),
    }


def fingerprint(new: NewJob) -> str | None:
    """Return a hash that tells two calls with the same idempotency key apart; None without a key.

    The parameters themselves cannot be compared once secrets have been masked. The key salts
    the hash, so that it reveals no parameter.
    """
    if new.idempotency_key is None:
        return None
    call = json.dumps([new.idempotency_key, new.plugin, dict(new.params)], sort_keys=True)
    return hashlib.sha256(call.encode()).hexdigest()


def begun_job(new: NewJob, owner: str) -> JobRecord:
    """Return a job that is in no table yet, for ``owner``, which starts the first attempt at once."""
    moment = instant(time())
    return JobRecord(
        id=new_id(),
        plugin=new.plugin,
        queue=new.queue,
        state=State.RUNNING,
        params=None,
        has_secrets=new.shown is not None,
        progress=None,
        result=None,
        error=None,
        created=moment,
        run_after=moment,
        started=moment,
        finished=None,
        worker=owner,
        attempt=1,
        attempts=max(1, new.attempts),
        lost=0,
        cancel_requested=False,
        timeout=new.timeout,
        idempotency_key=new.idempotency_key,
        parent=new.parent,
        transport=new.transport,
        request_id=new.request_id,
        traceparent=new.traceparent,
        generation=new.generation,
        last_event=1,
        log_lines=0,
    )


def shown_job(row: Mapping[Any, Any]) -> JobRecord:
    """Return the job of ``row`` for callers: secrets are masked."""
    return _job(row, row["params"] if row["shown"] is None else row["shown"])


def true_job(row: Mapping[Any, Any]) -> JobRecord:
    """Return the job of ``row`` for the worker that runs it: with its real parameters, without a result."""
    return _job({**NOT_YET, **row}, row["params"])


def brief_job(row: Mapping[Any, Any]) -> JobRecord:
    """Return the job of ``row`` for a listing: without parameters and result."""
    return _job({**NOT_YET, **row}, None)


def _job(row: Mapping[Any, Any], params: str | None) -> JobRecord:
    return JobRecord(
        id=row["id"],
        plugin=row["plugin"],
        queue=row["queue"],
        state=State(row["state"]),
        params=_json(params),
        has_secrets=row["shown"] is not None,
        progress=_progress(row),
        result=row["result"],
        error=_json(row["error"]),
        created=instant(row["created"]),
        run_after=instant(row["run_after"]),
        started=_instant(row["started"]),
        finished=_instant(row["finished"]),
        worker=row["worker"],
        attempt=row["attempt"],
        attempts=row["attempts"],
        lost=row["lost"],
        cancel_requested=row["cancel_requested"],
        timeout=row["timeout"],
        idempotency_key=row["idempotency_key"],
        parent=row["parent"],
        transport=row["transport"],
        request_id=row["request_id"],
        traceparent=row["traceparent"],
        generation=None if row["generation"] is None else int(row["generation"]),
        last_event=row["last_event"],
        log_lines=row["log_lines"],
    )


def state_event(row: AnyRow) -> Event:
    """Return the event of the job's current state."""
    data = {"state": row.state, "attempt": row.attempt, "cancel_requested": row.cancel_requested}
    return Event(row.state_event, "state", data)


def progress_event(row: AnyRow) -> Event:
    """Return the event of the job's newest progress report."""
    data = {"done": _number(row.done), "total": _number(row.total), "message": row.message}
    return Event(row.progress_event, "progress", data)


def log_event(row: AnyRow) -> Event:
    """Return the event of one log line."""
    data = {"time": instant(row.time).isoformat(), "level": row.level, "text": row.line}
    return Event(row.number, "log", data)


def log_row(job: str, number: int, line: LogLine) -> Values:
    """Return the columns of one log line."""
    level, text = plain(line.level), plain(line.text)
    return {"job": job, "number": number, "time": line.time, "level": level, "line": text}


def progress_values(progress: Progress) -> Values:
    """Return the values that the statement REPORT binds for a progress report."""
    done, total = float(progress.done), None if progress.total is None else float(progress.total)
    return {"b_done": done, "b_total": total, "b_message": plain(progress.message)}


def plain(text: str | None) -> str | None:
    """Return ``text`` as every database takes it: valid UTF-8, no NUL, at most MAX_TEXT characters."""
    if text is None:
        return None
    valid = text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")
    return valid if len(valid) <= MAX_TEXT else valid[: MAX_TEXT - 1] + "…"


def _progress(row: Mapping[Any, Any]) -> Progress | None:
    if row["done"] is None:
        return None
    return Progress(_number(row["done"]), _number(row["total"]), row["message"])


def _number(value: Any) -> Any:
    # The columns hold doubles; a reported 3 is returned as 3, not as 3.0.
    return int(value) if value is not None and value.is_integer() else value


def _json(text: str | None) -> Any:
    return None if text is None else json.loads(text)


def _instant(seconds: float | None) -> Any:
    return None if seconds is None else instant(seconds)
