"""Records the runs of Celery clients: long ones as they run, short ones in batches once they have ended.

A client waits for its answer, not for the record; two writes would take longer than most runs. What this
gives up: a process that is killed takes with it the record of what ended in its last moments.
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
from micro.jobs import rows, statements
from micro.jobs.database import Database, now
from micro.jobs.models import Hold, LogLine, NewJob, Progress, Renewal, State
from micro.jobs.schema import jobs
from micro.jobs.store import JobStore
from micro.jobs.ticker import Ticker

log = logging.getLogger(__name__)

_MOST_WAITING = 10_000
_AT_ONCE = 500
_PAUSE_AFTER_FAILURE = 2.0

_c = jobs.c
_new_key = {"index_elements": [_c.idempotency_key], "index_where": _c.idempotency_key.is_not(None)}
# How long ago it was, as only the database's clock is that of all.
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


class Ledger:
    """The ended runs of this process that are not on record yet; ``ticker`` has them written."""

    def __init__(self, database: Database, ticker: Ticker) -> None:
        self._database, self._ticker = database, ticker
        self._waiting: deque[MakeRow] = deque(maxlen=_MOST_WAITING)
        self._again_at = 0.0
        self._writing = threading.Lock()

    def add(self, make_row: MakeRow) -> None:
        """Take what makes the row of an ended run; its times are by this process's monotonic clock."""
        self._waiting.append(make_row)
        self._ticker.add(self._flush)

    def close(self) -> None:
        """Write what waits, if the job table answers."""
        self._again_at = 0.0
        while self._waiting and not self._again_at:
            self._flush()
        self._ticker.remove(self._flush)
        if self._waiting:
            log.error("%d ended runs of Celery clients are not on record", len(self._waiting))

    def _flush(self) -> None:
        with self._writing:
            if time.monotonic() < self._again_at:
                return
            # Removed before it is looked, so that what is added meanwhile brings it back.
            self._ticker.remove(self._flush)
            batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), _AT_ONCE))]
            try:
                self._write(batch)
            except StoreUnavailable as err:
                log.warning("%d ended runs wait for the job table: %s", len(batch), err.message)
                self._waiting.extendleft(reversed(batch))
                self._again_at = time.monotonic() + _PAUSE_AFTER_FAILURE
            if self._waiting:
                self._ticker.add(self._flush)

    def _write(self, batch: Sequence[MakeRow]) -> None:
        if not batch:
            return
        ended = [make_row() for make_row in batch]
        with self._database.transaction() as connection:
            moment = time.monotonic()
            ago = [{**row, "began": moment - row["began"], "ended": moment - row["ended"]} for row in ended]
            connection.execute(_ENDED[connection.dialect.name], ago)


class LateRecord:
    """Stands for the job table in the first attempt at a Celery client's run.

    The first renewal, as the run goes on for a while, puts it on record; the end of a shorter run comes
    from the ledger. Where another run has the same task id, this one stays unrecorded. The row is made
    when it is written, as the client waits for all that is done before.
    """

    def __init__(self, store: JobStore, ledger: Ledger, new: NewJob, owner: str) -> None:
        self._store, self._ledger, self._new = store, ledger, new
        # As they were sent: a plugin may change what it is given.
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
            self._ledger.add(partial(self._ended, time.monotonic(), state, result, error))
        return True

    def release(self, hold: Hold, delay: float, reason: str) -> bool:
        return self._put_on_record(delay) and self._store.release(hold, delay, reason)

    def _put_on_record(self, lease: float) -> bool:
        if self._recorded is None:
            given = self._row | {"delay": 0.0, "look": lease, "running": True}
            with self._store.database.connect() as connection:
                recorded = connection.execute(statements.SUBMIT[connection.dialect.name], given).first()
                # It may have been recorded before, by a statement whose answer was lost.
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
            # As it is with every finished job, secrets are gone.
            "params": row["params"] if row["shown"] is None else row["shown"],
            "last_event": 2,
            "state_event": 2,
            "began": self._began,
            "ended": moment,
        }
