"""The Celery application with its tasks, for a worker, the ``celery`` command or Flower."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from celery import Celery

from micro.config.loading import load_settings
from micro.config.settings import Settings
from micro.contract.encoding import NOT_A_NUMBER, to_json
from micro.contract.json_errors import NotJson
from micro.correlation import accept_task, working_for
from micro.errors import BadRequest, BadResult, MicroError, PluginFailed, error_fields
from micro.jobs.queue import RUN_JOB, make_celery
from micro.jobs.service import open_store
from micro.jobs.worker.runner import JobRunner
from micro.plugin.context import RunContext
from micro.service import Micro
from micro.telemetry.metrics import meter_runs
from micro.telemetry.tracing import trace_runs


def create_celery(settings: Settings | None = None, *, micro: Micro | None = None) -> Celery:
    """Make the Celery application with the tasks Micro.plugins, .info, .help and .run.

    Without ``settings``, they are read from the ``MICRO_*`` variables and the file that these name.
    ``micro`` is a service that is already built, to use instead of loading the plugins again.
    """
    micro = micro or Micro(settings or load_settings())
    app = make_celery(micro.settings)
    meter_runs(micro)
    trace_runs(micro)
    _add_tasks(app, micro)
    micro.loaded.call_guarded("micro_celery", app=app)
    return app


def _add_tasks(app: Celery, micro: Micro) -> None:
    # shared=False: Celery would add a shared task to every application in this process.
    # typing=False: a call with wrong arguments is answered with the same error as over REST.
    def task(operation: str) -> Any:
        # throws: Celery logs these errors without a traceback; Micro has already logged the plugin's own.
        return app.task(name=f"Micro.{operation}", shared=False, typing=False, throws=(MicroError,))

    @task("plugins")  # type: ignore[untyped-decorator]
    def plugins() -> str:
        return json.dumps(micro.plugins())

    @task("info")  # type: ignore[untyped-decorator]
    def info(*args: object, **named: object) -> str:
        return _answer(lambda: json.dumps(micro.info(_take_name("name", args, named))))

    @task("help")  # type: ignore[untyped-decorator]
    def help(*args: object, **named: object) -> str:
        return _answer(lambda: json.dumps(micro.help(_take_name("name", args, named))))

    # Cached here and opened at the first use, so that each pool process has its own database connection.
    worker = cache(lambda: JobRunner(micro, open_store(micro.settings)))

    @task("run")  # type: ignore[untyped-decorator]
    def run(*args: object, **params: object) -> str:
        return _answer(lambda: start(run.request, _take_name("plugin_name", args, params), _as_json(params)))

    def start(request: Any, name: str, params: Mapping[str, object]) -> str:
        call = accept_task(request)
        context = RunContext.of(call, "celery")
        if request.is_eager:
            return micro.run(name, params, context)
        again = bool((request.delivery_info or {}).get("redelivered"))
        with working_for(call):
            return worker().run_message(request.id, name, params, context, redelivered=again)

    # Acknowledge at once: the job table, not the broker, is the record of a job, and a sweep republishes it.
    @app.task(name=RUN_JOB, shared=False, acks_late=False, ignore_result=True)  # type: ignore[untyped-decorator]
    def run_job(job: str) -> None:
        with working_for(accept_task(run_job.request, job)):
            worker().run_job(job)


def _take_name(key: str, args: tuple[object, ...], named: dict[str, object]) -> str:
    """Return the plugin's name: the only positional argument or, without one, the argument named ``key``.

    Raises BadRequest if there are more positional arguments or the name is not a string.
    """
    name, *more = args or (named.pop(key, None),)
    if more:
        raise BadRequest(
            f"Expected only the plugin's name by position, found {len(args)}; name the parameters"
        )
    if not isinstance(name, str):
        raise BadRequest(f"Expected the plugin's name ({key}), a string; found {name!r}")
    return name


def _as_json(params: dict[str, object]) -> Mapping[str, Any]:
    """Return the parameters as plain JSON values, as other transports pass them.

    Celery's serializer restores dates, UUIDs and the like as Python objects; here they become text again.
    """
    try:
        plain: dict[str, Any] = json.loads(to_json(params, suspects=NOT_A_NUMBER))
    except NotJson:
        # The plugin's contract checks the parameters next, and reports what is wrong.
        return params
    return plain


def _answer(operation: Callable[[], str]) -> str:
    """Return the JSON of the operation's result or error.

    If the plugin itself failed, the exception is raised, so that the Celery task fails.
    """
    try:
        return operation()
    except (BadResult, PluginFailed):
        raise
    except MicroError as error:
        return json.dumps(error_fields(error))
