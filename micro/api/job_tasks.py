"""Celery tasks to submit and manage jobs, and the calls of clients that only reach the broker."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from celery import Celery

from micro.correlation import accept_task, working_for
from micro.errors import BadRequest, MicroError, error_fields
from micro.jobs.filters import read_filters
from micro.jobs.service import Jobs, job_fields, outcome
from micro.plugin.context import RunContext

Call = Callable[..., str]


def add_job_tasks(app: Celery, jobs: Jobs) -> None:
    """Add ``Micro.submit``, ``status``, ``jobs``, ``result``, ``events``, ``cancel``, ``retry``, ``delete``.

    Each task returns a JSON string: the body that REST answers to the same request or, for an error,
    ``{"error", "code", "status"}``. ``result`` returns ``{"result": ...}``.
    """
    for name in _JOB_CALLS:
        _add_task(app, jobs, name)


def answer_call(
    jobs: Jobs, name: str, context: RunContext, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> str:
    """Perform the named call, and return the JSON of its result or of its error."""
    try:
        call = CALLS.get(name)
        if call is None:
            raise BadRequest(f"No such call: {name!r}; expected one of {', '.join(CALLS)}")
        _check(name, call, args, kwargs)
        return call(jobs, context, *args, **kwargs)
    except MicroError as err:
        return json.dumps({**error_fields(err), "status": err.status})


def _add_task(app: Celery, jobs: Jobs, name: str) -> None:
    # typing=False: wrong arguments are answered with an error body, like other invalid calls.
    # shared=False: Celery would add a shared task to every application in this process.
    @app.task(name=f"Micro.{name}", shared=False, typing=False)  # type: ignore[untyped-decorator]
    def task(*args: object, **kwargs: object) -> str:
        call = accept_task(task.request)
        with working_for(call):
            return answer_call(jobs, name, RunContext.of(call, "celery"), args, kwargs)


def _check(name: str, call: Call, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
    try:
        inspect.signature(call).bind(None, None, *args, **kwargs)
    except TypeError as err:
        raise BadRequest(f"Micro.{name}: {err}") from err


def _plugins(jobs: Jobs, context: RunContext) -> str:
    return json.dumps(jobs.micro.plugins())


def _info(jobs: Jobs, context: RunContext, name: str) -> str:
    return json.dumps(jobs.micro.info(name))


def _help(jobs: Jobs, context: RunContext, name: str) -> str:
    return json.dumps(jobs.micro.help(name))


def _submit(
    jobs: Jobs, context: RunContext, name: str, params: Mapping[str, Any], key: str | None = None
) -> str:
    return json.dumps(job_fields(jobs.submit(name, params, context, key)))


def _status(jobs: Jobs, context: RunContext, job: str) -> str:
    return json.dumps(job_fields(jobs.store.get(job)))


def _jobs(jobs: Jobs, context: RunContext, filters: Mapping[str, str] | None = None) -> str:
    page = jobs.store.list_jobs(**read_filters(filters or {}, jobs.micro.loaded))
    return json.dumps({"jobs": [job_fields(job) for job in page.jobs], "cursor": page.cursor})


def _result(jobs: Jobs, context: RunContext, job: str) -> str:
    return f'{{"result": {outcome(jobs.result(job))}}}'


def _events(jobs: Jobs, context: RunContext, job: str, after: int = 0) -> str:
    return json.dumps(asdict(jobs.store.events(job, after)))


def _cancel(jobs: Jobs, context: RunContext, job: str) -> str:
    return json.dumps(job_fields(jobs.store.cancel(job)))


def _retry(jobs: Jobs, context: RunContext, job: str) -> str:
    return json.dumps(job_fields(jobs.retry(job, context)))


def _delete(jobs: Jobs, context: RunContext, job: str) -> str:
    jobs.store.delete(job)
    return "null"


_JOB_CALLS: Mapping[str, Call] = {
    "submit": _submit,
    "status": _status,
    "jobs": _jobs,
    "result": _result,
    "events": _events,
    "cancel": _cancel,
    "retry": _retry,
    "delete": _delete,
}
CALLS: Mapping[str, Call] = {"plugins": _plugins, "info": _info, "help": _help, **_JOB_CALLS}
