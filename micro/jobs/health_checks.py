"""Health checks of the broker and the job table."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from micro.runtime.health import Check

if TYPE_CHECKING:
    from micro.config.settings import Settings
    from micro.jobs.service import Jobs

_CONNECT_SECONDS = 2


def reach_checks(jobs: Jobs) -> dict[str, Check]:
    """Return the checks of broker and job table by name; none if no broker is configured: jobs need one."""
    settings = jobs.micro.settings
    if not settings.broker_url:
        return {}
    return {"broker": BrokerCheck(settings), "store": partial(_check_store, jobs)}


class BrokerCheck:
    """Checks that the broker answers, over one connection that is kept, so that frequent checks are cheap."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._connection: Any = None
        self._close: Callable[[], object] | None = None

    def __call__(self) -> str:
        """Return the broker's URL if it answers; raise the exception of its library if not."""
        try:
            # Opening a channel takes an answer of the broker, whatever its type.
            self._connected().channel().close()
        except Exception:
            self._drop()
            raise
        return self._settings.broker_url

    def _connected(self) -> Any:
        if self._connection is None:
            # Imported late: a service without jobs never needs Celery.
            from micro.jobs.queue import make_celery

            app = make_celery(self._settings)
            connection = app.connection_for_write(connect_timeout=_CONNECT_SECONDS, heartbeat=0)
            self._connection = connection
            # collect() closes without a handshake, which a broken connection might never answer.
            self._close = weakref.finalize(self, connection.collect)
            connection.ensure_connection(max_retries=1, interval_start=0, interval_step=0)
        return self._connection

    def _drop(self) -> None:
        self._connection = None
        if self._close:
            self._close()


def _check_store(jobs: Jobs) -> str:
    jobs.store.ping()
    return jobs.store.database.name
