"""Queries that list and count jobs, and the ordered events of one job."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, CompoundSelect, Integer, Select, bindparam, func, select, union_all

from micro.jobs.models import FINISHED, State, first_id
from micro.jobs.store import rows
from micro.jobs.store.rows import AnyRow
from micro.jobs.store.schema import jobs
from micro.jobs.store.statements import BRIEF
from micro.models import Event, Feed

# The same conditions as in the partial indexes: a database uses a partial index for no others.
_ACTIVE = jobs.c.due.is_not(None)
_FINISHED = jobs.c.finished.is_not(None)
_MOST = bindparam("most", type_=Integer)
_COUNT = func.count().label("n")
COUNTS = union_all(
    *(select(jobs.c.state, _COUNT).where(part).group_by(jobs.c.state) for part in (_ACTIVE, _FINISHED))
)
QUEUED = select(jobs.c.queue, _COUNT).where(jobs.c.state == State.QUEUED, _ACTIVE).group_by(jobs.c.queue)

_BOUNDS = {
    "since": jobs.c.id >= bindparam("since"),
    "until": jobs.c.id < bindparam("until"),
    "cursor": jobs.c.id < bindparam("cursor"),
}

Conditions = tuple[ColumnElement[bool], ...]


def bounds(since: datetime | None, until: datetime | None, cursor: str | None) -> dict[str, str]:
    """Return bounds of a job's id, by name; an id begins with its time, so the index of ids serves all."""
    times = {"since": since, "until": until}
    named = {name: first_id(time.timestamp()) for name, time in times.items() if time is not None}
    return named if cursor is None else {**named, "cursor": cursor}


# Cached, because building a query takes longer than running it.
@cache
def listing(
    one_plugin: bool, state: State | None, within: Sequence[str]
) -> Select[Any] | CompoundSelect[Any]:
    """Return the query for the newest ``most`` jobs, of all plugins or the one bound as ``plugin``.

    ``within`` names the bounds to apply. Each query, or part of a union, reads one index backwards.
    """
    inside = tuple(_BOUNDS[name] for name in within)
    if not one_plugin and state is None:
        return _newest(inside)
    mine = (jobs.c.plugin == bindparam("plugin"), *inside) if one_plugin else inside
    if state is not None:
        return _newest((*_in_state(state), *mine))
    # The index has the state before the id, so that a filter by plugin and state is fast. A filter by plugin
    # alone therefore reads it once for each state.
    each = [(_ACTIVE, *mine), *((*_in_state(one), *mine) for one in FINISHED)]
    merged = union_all(*(select(_newest(where).subquery()) for where in each))
    return merged.order_by(merged.selected_columns.id.desc()).limit(_MOST)


def feed(row: AnyRow, lines: Sequence[AnyRow], after: int, *, whole: bool) -> Feed:
    """Return the events after number ``after``, in order, from a job's row and its log lines.

    ``whole`` is False if the job has more lines than these. A state or progress event with a
    higher number than the last line is then left to the next call.
    """
    events = [rows.log_event(line) for line in lines]
    end = row.last_event if whole else events[-1].number
    if after < row.state_event <= end:
        events.append(rows.state_event(row))
    if after < row.progress_event <= end:
        events.append(rows.progress_event(row))
    events.sort(key=_number)
    return Feed(tuple(events), over=whole and State(row.state).finished)


def _in_state(state: State) -> Conditions:
    return (jobs.c.state == state, _FINISHED if state.finished else _ACTIVE)


def _newest(where: Conditions) -> Select[Any]:
    return select(*BRIEF).where(*where).order_by(jobs.c.id.desc()).limit(_MOST)


def _number(event: Event) -> int:
    return event.number
