"""Gives workers a lease and a grace of one second, so that tests need not wait for the usual ones."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from micro import hookimpl

if TYPE_CHECKING:
    from celery import Celery


@hookimpl
def micro_celery(app: Celery) -> None:
    from micro.api.celery import app as module
    from micro.jobs.worker.runner import JobRunner

    module.__dict__["JobRunner"] = partial(JobRunner, lease=1.0, grace=1.0)
