"""The Python client of a service of Micro, over HTTP.

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
from micro.client.errors import JobCancelled, NoAnswer, ServiceUnreachable
from micro.client.http import HttpService
from micro.client.http_transport import HttpTransport
from micro.client.job import Job
from micro.models import Event, Progress

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


def connect(url: str, *, api_key: str | None = None, timeout: float | None = 60.0) -> Client:
    """Return the client of the service at the ``http(s)://`` URL. Nothing is connected yet.

    Without an ``api_key``, the variable ``MICRO_API_KEY`` is used. ``timeout`` is how many seconds an answer
    may take, including the result of a run. Raises ConfigError for a URL of another kind.
    """
    key = os.environ.get("MICRO_API_KEY") if api_key is None else api_key
    return Client(HttpService(HttpTransport(url, key, timeout)))
