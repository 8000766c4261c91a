"""Records the runs of Celery clients: long ones while they run, short ones in batches after they have ended.

A client must not wait for the record: two writes would take longer than most runs. The price is that a
process that is killed loses the records of the runs that ended in its last moments.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from typing import Any

from sqlalchemy import bindparam
from sqlalchemy.dialects import postgresql, sqlite

from micro.errors import StoreUnavailable
from micro.jobs.models import Hold, LogLine, NewJob, Renewal, State
from micro.jobs.store import rows, statements
from micro.jobs.store.database import Database, now
from micro.jobs.store.schema import jobs
from micro.jobs.store.store import JobStore
from micro.models import Progress
from micro.periodic import PeriodicCalls

log = logging.getLogger(__name__)

_MOST_WAITING = 10_000
_AT_ONCE = 500
_PAUSE_AFTER_FAILURE = 2.0

_c = jobs.c
_new_key = {"index_elements": [_c.idempotency_key], "index_where": _c.idempotency_key.is_not(None)}
# The bound values are seconds ago: times in the table are of the database's clock, which all machines share.
_times = {
    "created": now() - bindparam("began"),
    "run_after": now() - bindparam("began"),
    "started": now() - bindparam("began"),
    "finished": now() - bindparam("ended"),
}
_ENDED = {
    name: dialect.insert(jobs).values(_times).on_conflict_do_nothing(**_new_key)
    for name, dialect in {"sqlite": sqlite, "postgresql": postgresql}.items()
}


MakeRow = Callable[[], rows.Values]


class BatchWriter:
    """Queue of ended runs that are not recorded yet; ``ticker`` calls the function that writes them."""

    def __init__(self, database: Database, periodic: PeriodicCalls) -> None:
        self._database, self._periodic = database, periodic
        self._waiting: deque[MakeRow] = deque(maxlen=_MOST_WAITING)
        self._again_at = 0.0
        self._writing = threading.Lock()

    def add(self, make_row: MakeRow) -> None:
        """Queue an ended run. ``make_row`` returns its row, with times of this process's monotonic clock."""
        self._waiting.append(make_row)
        self._periodic.add(self._flush)

    def close(self) -> None:
        """Record the queued runs; if the job table does not answer, log how many are lost."""
        self._again_at = 0.0
        while self._waiting and not self._again_at:
            self._flush()
        self._periodic.remove(self._flush)
        if self._waiting:
            log.error("%d ended runs of Celery clients are not on record", len(self._waiting))

    def _flush(self) -> None:
        with self._writing:
            if time.monotonic() < self._again_at:
                return
            # Remove this call before reading the queue, so that a run added meanwhile adds it again.
            self._periodic.remove(self._flush)
            batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), _AT_ONCE))]
            try:
                self._write(batch)
            except StoreUnavailable as err:
                log.warning("%d ended runs wait for the job table: %s", len(batch), err.message)
                self._waiting.extendleft(reversed(batch))
                self._again_at = time.monotonic() + _PAUSE_AFTER_FAILURE
            if self._waiting:
                self._periodic.add(self._flush)

    def _write(self, batch: Sequence[MakeRow]) -> None:
        if not batch:
            return
        ended = [make_row() for make_row in batch]
        with self._database.transaction() as connection:
            moment = time.monotonic()
            ago = [{**row, "began": moment - row["began"], "ended": moment - row["ended"]} for row in ended]
            connection.execute(_ENDED[connection.dialect.name], ago)


class LateRecord:
    """Stands in for the job table during the first attempt at a Celery client's run.

    The first renewal of the lease records the run as a job. A run that ends earlier is recorded by the
    ledger. If another run has the same task id, this one stays unrecorded. The row is built only when it
    is written, because the client waits for everything that is done before its answer.
    """

    def __init__(self, store: JobStore, writer: BatchWriter, new: NewJob, owner: str) -> None:
        self._store, self._writer, self._new = store, writer, new
        # Serialized at once, because the plugin may change the parameters that it is given.
        self._params = json.dumps(dict(new.params))
        self._began = time.monotonic()
        self._recorded: bool | None = None
        self.job = rows.begun_job(new, owner)

    @cached_property
    def _row(self) -> rows.Values:
        new = replace(self._new, params=json.loads(self._params))
        return rows.new_row(new, self.job.worker) | {"id": self.job.id}

    def renew(
        self, hold: Hold, lease: float, progress: Progress | None = None, lines: Sequence[LogLine] = ()
    ) -> Renewal:
        if self._put_on_record(lease):
            return self._store.renew(hold, lease, progress, lines)
        return Renewal(kept=True)

    def finish(
        self, hold: Hold, state: State, result: str | None = None, error: Mapping[str, Any] | None = None
    ) -> bool:
        if self._recorded:
            return self._store.finish(hold, state, result, error)
        if self._recorded is None:
            self._writer.add(partial(self._ended, time.monotonic(), state, result, error))
        return True

    def release(self, hold: Hold, delay: float, reason: str) -> bool:
        return self._put_on_record(delay) and self._store.release(hold, delay, reason)

    def _put_on_record(self, lease: float) -> bool:
        if self._recorded is None:
            given = self._row | {"delay": 0.0, "look": lease, "running": True}
            with self._store.database.connect() as connection:
                recorded = connection.execute(statements.SUBMIT[connection.dialect.name], given).first()
                # An earlier statement, whose answer was lost, may have recorded this run already.
                mine = {"job": self._row["id"]}
                self._recorded = bool(recorded or connection.execute(statements.STATE, mine).first())
        return self._recorded

    def _ended(
        self, moment: float, state: State, result: str | None, error: Mapping[str, Any] | None
    ) -> rows.Values:
        row = self._row
        return {
            **row,
            "state": state,
            "result": result,
            "error": None if error is None else json.dumps(dict(error)),
            # Secrets are masked, as in every finished job.
            "params": row["params"] if row["shown"] is None else row["shown"],
            "last_event": 2,
            "state_event": 2,
            "began": self._began,
            "ended": moment,
        }
