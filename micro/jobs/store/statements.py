"""The SQL statements of a job's life, built once: building one costs more than running it."""

from __future__ import annotations

from sqlalchemy import Boolean, Integer, Text, and_, bindparam, case, func, not_, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from micro.jobs.models import ACTIVE, State
from micro.jobs.store.database import now
from micro.jobs.store.schema import jobs, logs

_c = jobs.c
_this = _c.id == bindparam("job")
# Not in_(), which SQLAlchemy renders again at each execution.
_active = or_(*(_c.state == each for each in ACTIVE))
_masked = func.coalesce(_c.shown, _c.params)
_next_event = _c.last_event + 1
_new_state = {"last_event": _next_event, "state_event": _next_event}
# The fence: no other worker has claimed the job since this attempt began. A sweep that takes a
# worker for lost keeps both columns, so that a worker that comes back in time can go on.
_held = and_(_this, _c.worker == bindparam("owner"), _c.attempt == bindparam("number"))

# Claims and listings leave out columns that may hold megabytes.
_unfinished = tuple(each for each in _c if each.name not in {"result", "error"})
BRIEF = (
    *(each for each in _c if each.name not in {"result", "params", "shown"}),
    case((_c.shown.is_not(None), "masked"), else_=None).label("shown"),
)

_times = {
    "created": now(),
    "run_after": now() + bindparam("delay"),
    "started": case((bindparam("running", type_=Boolean), now()), else_=None),
    "due": now() + bindparam("look"),
}
_new_key = {"index_elements": [_c.idempotency_key], "index_where": _c.idempotency_key.is_not(None)}
# Returns no row if the idempotency key is taken.
SUBMIT = {
    name: dialect.insert(jobs)
    .values(_times)
    .on_conflict_do_nothing(**_new_key)
    .returning(_c.created, _c.run_after, _c.started)
    for name, dialect in {"sqlite": sqlite, "postgresql": postgresql}.items()
}
BY_ID = select(*_c).where(_this)
BY_KEY = select(*_c).where(_c.idempotency_key == bindparam("key"))
STATE = select(_c.state).where(_this)
# Due at once, so that the next sweep publishes the job.
UNTOLD = update(jobs).where(_this, _c.state == State.QUEUED).values(due=_c.run_after)
FEED = select(
    _c.state, _c.attempt, _c.cancel_requested, _c.last_event, _c.state_event, _c.progress_event,
    _c.log_lines, _c.done, _c.total, _c.message,
).where(_this)  # fmt: skip

LINES = (
    select(logs)
    .where(logs.c.job == bindparam("job"), logs.c.number > bindparam("after"))
    .where(logs.c.number <= bindparam("last"))
    .order_by(logs.c.number)
    .limit(bindparam("most", type_=Integer))
)

CLAIM = (
    update(jobs)
    .where(
        _this,
        _c.attempt < _c.attempts,
        not_(_c.cancel_requested),
        or_(
            and_(_c.state == State.QUEUED, _c.run_after <= now()),
            and_(_c.state == State.RUNNING, _c.due <= now()),
        ),
    )
    .values(
        state=State.RUNNING,
        worker=bindparam("owner"),
        generation=func.coalesce(bindparam("generation", type_=Text), _c.generation),
        attempt=_c.attempt + 1,
        lost=_c.lost + case((_c.state == State.RUNNING, 1), else_=0),
        started=now(),
        due=now() + bindparam("lease"),
        done=None,
        total=None,
        message=None,
        progress_event=0,
        **_new_state,
    )
    .returning(*_unfinished)
)

RENEW = (
    update(jobs)
    .where(_held, _c.state == State.RUNNING)
    .values(
        due=now() + bindparam("lease"),
        last_event=_c.last_event + bindparam("lines"),
        log_lines=_c.log_lines + bindparam("lines"),
    )
    .returning(_c.cancel_requested, _c.last_event, _c.log_lines)
)
REPORT = RENEW.values(
    last_event=_c.last_event + bindparam("lines") + 1,
    progress_event=_c.last_event + bindparam("lines") + 1,
    done=bindparam("b_done"),
    total=bindparam("b_total"),
    message=bindparam("b_message"),
)
# A worker goes on with a job that a sweep has queued again, because its lease had run out.
TAKE_BACK = (
    update(jobs)
    .where(_held, _c.state == State.QUEUED)
    .values(state=State.RUNNING, due=now() + bindparam("lease"), lost=_c.lost - 1, **_new_state)
)

FINISH = (
    update(jobs)
    .where(_held, _active)
    .values(
        state=bindparam("b_state"),
        result=bindparam("b_result"),
        error=bindparam("b_error"),
        finished=now(),
        due=None,
        params=_masked,
        **_new_state,
    )
)
# Two events: a line in the log, then the new state.
RELEASE = (
    update(jobs)
    .where(_held, _c.state == State.RUNNING, not_(_c.cancel_requested))
    .values(
        state=State.QUEUED,
        worker=None,
        run_after=now() + bindparam("delay"),
        due=now() + bindparam("delay"),
        told=0,
        last_event=_c.last_event + 2,
        state_event=_c.last_event + 2,
        log_lines=_c.log_lines + 1,
    )
    .returning(_c.last_event)
)
HOLDER = select(_c.state, _c.worker, _c.attempt, _c.cancel_requested).where(_this)

_queued = _c.state == State.QUEUED
CANCEL = (
    update(jobs)
    .where(_this, _active, not_(_c.cancel_requested))
    .values(
        cancel_requested=True,
        state=case((_queued, State.CANCELLED), else_=_c.state),
        finished=case((_queued, now()), else_=None),
        due=case((_queued, None), else_=_c.due),
        params=case((_queued, _masked), else_=_c.params),
        **_new_state,
    )
)
