"""The Python client: one interface to a service of Micro, over HTTP or through its broker.

::

    from micro.client import connect

    micro = connect("http://localhost:8000")
    micro.run("Greeting", name="you")
    job = micro.submit("Report", year=2026)
    job.result(timeout=60)
"""

from __future__ import annotations

import os

from micro.client.client import Client
from micro.client.job import Job, Progress
from micro.client.service import Event
from micro.client.trouble import JobCancelled, NoAnswer, ServiceUnreachable

__all__ = [
    "Client",
    "Event",
    "Job",
    "JobCancelled",
    "NoAnswer",
    "Progress",
    "ServiceUnreachable",
    "connect",
]


def connect(
    url: str, *, queue: str = "micro", api_key: str | None = None, timeout: float | None = 60.0
) -> Client:
    """Return the client of a service at ``url``: ``http(s)://``, or that of its broker.

    ``queue`` is for brokers only, ``api_key`` for HTTP only; without it, it is that of the variable
    ``MICRO_API_KEY``. ``timeout`` is how many seconds an answer may take, a run's result among them.
    Nothing is connected yet; raises ConfigError for a URL of another kind.
    """
    # Imported late: each needs a library that the other does not.
    if url.lower().startswith(("http://", "https://")):
        from micro.client.http import HttpService
        from micro.client.wire import Wire

        key = os.environ.get("MICRO_API_KEY") if api_key is None else api_key
        return Client(HttpService(Wire(url, key, timeout)))
    from micro.client.broker import BrokerService

    return Client(BrokerService(url, queue, timeout))
