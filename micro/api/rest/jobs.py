"""REST routes for jobs: those below /jobs, and ``POST /run/<name>`` where it starts a job."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

from flask import Blueprint, Flask, Response, after_this_request, request, url_for

from micro.api.rest.app import read_parameters, request_context
from micro.api.rest.auth import current_grant
from micro.api.rest.prefer import Preference, read_preference
from micro.api.rest.probes import readiness_of
from micro.errors import MicroError
from micro.jobs.filters import list_within, read_filters
from micro.jobs.health_checks import reach_checks
from micro.jobs.models import JobRecord
from micro.jobs.service import Jobs, job_fields, outcome
from micro.models import Event, Feed
from micro.plugin.hookspecs import hookimpl

_LOOK_SECONDS = 0.3
_SILENCE_SECONDS = 15.0
_EVENT_ID = re.compile("[0-9]{1,18}")
_RETRY_AFTER = {"Retry-After": "1"}
_COME_BACK_MS = 1000

Rest = Callable[[float], bytes]


@hookimpl
def micro_app(app: Flask) -> None:
    """Add the routes below /jobs, and let ``POST /run/<name>`` start jobs."""
    jobs = Jobs(app.extensions["micro"])
    app.extensions["micro_jobs"] = jobs
    app.register_blueprint(create_blueprint(jobs))
    for name, check in reach_checks(jobs).items():
        readiness_of(app).add(name, check, remote=True)
    run_now = app.view_functions["micro.run"]

    def run(name: str) -> Any:
        # Resolve Flask's proxy once instead of at each attribute.
        current = request._get_current_object()  # type: ignore[attr-defined]
        preference = read_preference(current.headers) if _asks(current.environ) else None
        return _run_as_job(jobs, name, preference) if preference else run_now(name=name)

    app.view_functions["micro.run"] = run


def _asks(environ: dict[str, Any]) -> bool:
    # Most calls have neither header, and a look into environ is cheaper than Werkzeug's headers.
    return "HTTP_PREFER" in environ or "HTTP_IDEMPOTENCY_KEY" in environ


def create_blueprint(jobs: Jobs) -> Blueprint:
    """Make the blueprint with the routes below /jobs."""
    blueprint = Blueprint("jobs", __name__, url_prefix="/jobs")

    @blueprint.get("")
    def list_jobs() -> Response:
        return _listing(jobs)

    @blueprint.get("/<job_id>")
    def show(job_id: str) -> Response:
        return _job_response(jobs.store.get(job_id))

    @blueprint.get("/<job_id>/result")
    def result(job_id: str) -> Response:
        return _result_response(jobs.result(job_id))

    @blueprint.get("/<job_id>/events")
    def events(job_id: str) -> Response:
        return _event_stream(jobs, job_id)

    @blueprint.post("/<job_id>/cancel")
    def cancel(job_id: str) -> Response:
        return _job_response(jobs.store.cancel(job_id), 202)

    @blueprint.post("/<job_id>/retry")
    def retry(job_id: str) -> Response:
        return _accepted(jobs.retry(job_id, request_context()))

    @blueprint.delete("/<job_id>")
    def delete(job_id: str) -> Response:
        jobs.store.delete(job_id)
        return Response(status=204)

    return blueprint


def _run_as_job(jobs: Jobs, name: str, preference: Preference) -> Response:
    job = jobs.submit(name, read_parameters(), request_context(), preference.key)
    headers = {"Location": url_for("jobs.show", job_id=job.id)}
    if preference.applied:
        headers["Preference-Applied"] = preference.applied

    # The error handlers make the response for a failed job, which needs these headers too.
    @after_this_request
    def tell(response: Response) -> Response:
        response.headers.update(headers)
        return response

    if preference.wait:
        job = jobs.wait(job.id, preference.wait)
    return _result_response(job) if preference.wait and job.state.finished else _accepted(job)


def _accepted(job: JobRecord) -> Response:
    response = _job_response(job, 202)
    response.headers.update({**_RETRY_AFTER, "Location": url_for("jobs.show", job_id=job.id)})
    return response


def _job_response(job: JobRecord, status: int = 200) -> Response:
    return _json(_shown(job), status)


def _shown(job: JobRecord) -> dict[str, Any]:
    own = url_for("jobs.show", job_id=job.id)
    links = {"self": own, **{name: f"{own}/{name}" for name in ("result", "events", "cancel", "retry")}}
    return {**job_fields(job), "links": links}


def _result_response(job: JobRecord) -> Response:
    """Return the run's result alone, or raise the error that the job ended with."""
    return Response(outcome(job), mimetype="application/json")


def _listing(jobs: Jobs) -> Response:
    query = request.args
    grant = current_grant()
    filters = read_filters(query, jobs.micro.loaded)
    page = list_within(jobs.store, filters, grant.plugins if grant else None)
    following: dict[str, Any] = {**query.to_dict(), "cursor": page.cursor}
    link = url_for("jobs.list_jobs", **following) if page.cursor else None
    return _json({"jobs": [_shown(job) for job in page.jobs], "next": link})


def _event_stream(jobs: Jobs, job_id: str) -> Response:
    given = request.headers.get("Last-Event-ID", "")
    after = int(given) if _EVENT_ID.fullmatch(given) else 0
    feed = jobs.store.events(job_id, after)
    if feed.over and not feed.events and after:
        # No event will follow. After any other status than 204 a browser would reconnect again and again.
        return Response(status=204)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    # Micro's own server needs no thread while a stream waits; under other servers the thread sleeps.
    rest = request.environ.get("micro.rest", _sleep)
    return Response(_stream(jobs, job_id, feed, after, rest), mimetype="text/event-stream", headers=headers)


def _stream(jobs: Jobs, job_id: str, feed: Feed, after: int, rest: Rest) -> Iterator[bytes]:
    quiet_since = time.monotonic()
    # Sent at once, so that the client gets the head of the response; it says how soon to reconnect.
    yield b"retry: %d\n\n" % _COME_BACK_MS
    while True:
        for event in feed.events:
            after = event.number
            quiet_since = time.monotonic()
            yield _server_sent(event).encode()
        if feed.over:
            return
        if time.monotonic() - quiet_since > _SILENCE_SECONDS:
            # An SSE comment, so that proxies keep the connection open and a closed one is noticed.
            quiet_since = time.monotonic()
            yield b":\n\n"
        yield rest(_LOOK_SECONDS)
        try:
            feed = jobs.store.events(job_id, after)
        except MicroError:
            # The job was deleted, or the job table does not answer. The client reconnects and gets the error.
            return


def _sleep(seconds: float) -> bytes:
    time.sleep(seconds)
    return b""


def _server_sent(event: Event) -> str:
    return f"id: {event.number}\nevent: {event.kind}\ndata: {json.dumps(event.data)}\n\n"


def _json(value: object, status: int = 200) -> Response:
    return Response(json.dumps(value), status, mimetype="application/json")
