"""The operations of a service, over HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import urllib3
from urllib3.exceptions import HTTPError

from micro.client.errors import NoAnswer, ServiceUnreachable
from micro.client.http_transport import HttpTransport
from micro.client.parameters import to_json
from micro.client.service import Fields
from micro.models import Event, Feed
from micro.retry import Backoff

# Seconds after which a request that fails is not repeated any more.
_RETRY_SECONDS = 3.0


class HttpService:
    """The operations of the service that ``wire`` sends requests to."""

    def __init__(self, wire: HttpTransport) -> None:
        self._wire = wire
        self.url = wire.url

    def close(self) -> None:
        self._wire.close()

    def plugins(self) -> list[Fields]:
        found: list[Fields] = self._get("/plugins")
        return found

    def info(self, name: str) -> Fields:
        found: Fields = self._get(f"/info/{_quoted(name)}")
        return found

    def help(self, name: str) -> Fields:
        found: Fields = self._get(f"/help/{_quoted(name)}")
        return found

    def run(self, name: str, params: Mapping[str, Any]) -> Fields:
        result: Fields = self._ask("POST", f"/run/{_quoted(name)}", body=to_json(params), ran=True)
        return result

    def submit(self, name: str, params: Mapping[str, Any], key: str) -> Fields:
        headers = {"Prefer": "respond-async", "Idempotency-Key": key}
        path, body = f"/run/{_quoted(name)}", to_json(params)
        # The idempotency key makes a retry safe: the second of two equal calls gets the job of the first.
        job: Fields = self._ask("POST", path, body=body, headers=headers, repeatable=True)
        return job

    def job(self, job: str) -> Fields:
        found: Fields = self._get(_path(job))
        return found

    def jobs(self, filters: Mapping[str, str]) -> tuple[list[Fields], str | None]:
        page = self._get(f"/jobs?{urlencode(filters)}")
        following = parse_qs(urlsplit(page["next"] or "").query)
        return page["jobs"], following.get("cursor", [None])[0]

    def result(self, job: str) -> Fields:
        result: Fields = self._get(f"{_path(job)}/result", ran=True)
        return result

    def cancel(self, job: str) -> Fields:
        found: Fields = self._ask("POST", f"{_path(job)}/cancel", repeatable=True)
        return found

    def retry(self, job: str) -> Fields:
        found: Fields = self._ask("POST", f"{_path(job)}/retry")
        return found

    def delete(self, job: str) -> None:
        self._ask("DELETE", _path(job))

    def feeds(self, job: str, after: int) -> Generator[Feed, None, None]:
        told = True
        # After a stream with events, ask again: only status 204 says that no event will follow.
        while told:
            told = False
            for feed in self._stream(job, after):
                yield feed
                if feed.events:
                    after, told = feed.events[-1].number, True

    def _stream(self, job: str, after: int) -> Iterator[Feed]:
        headers = {"Accept": "text/event-stream", "Last-Event-ID": str(after)}
        path = f"{_path(job)}/events"
        with closing(self._wire.send("GET", path, headers=headers, stream=True)) as response:
            if response.status != HTTPStatus.OK:
                self._wire.content(response)
                yield Feed(over=True)
                return
            try:
                yield from map(_feed, _blocks(response))
            except HTTPError as err:
                raise ServiceUnreachable(f"{self.url} ended the events of job {job}: {err}") from err

    def _get(self, path: str, *, ran: bool = False) -> Any:
        return self._ask("GET", path, repeatable=True, ran=ran)

    def _ask(
        self, method: str, path: str, *, repeatable: bool = False, ran: bool = False, **options: Any
    ) -> Any:
        def call() -> Any:
            return self._wire.content(self._wire.send(method, path, **options), ran=ran)

        return _retry(call, repeatable=repeatable)


def _retry(call: Callable[[], Any], *, repeatable: bool) -> Any:
    """Retry ``call`` for three seconds; if it is not ``repeatable``, only while it cannot have arrived.

    NoAnswer is not retried: it has taken the whole timeout already.
    """
    backoff = Backoff(_RETRY_SECONDS, 0.1, 2.0)
    while True:
        try:
            return call()
        except NoAnswer:
            raise
        except ServiceUnreachable as err:
            if (err.sent and not repeatable) or not backoff.wait():
                raise


def _path(job: str) -> str:
    return f"/jobs/{_quoted(job)}"


def _quoted(name: str) -> str:
    return quote(name, safe="")


def _blocks(response: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    """Yield the blocks of an event stream, each as soon as it is complete."""
    rest = b""
    while chunk := response.read1():
        *blocks, rest = (rest + chunk).split(b"\n\n")
        yield from blocks


def _feed(block: bytes) -> Feed:
    fields = dict(line.split(": ", 1) for line in block.decode().splitlines() if ": " in line)
    if "data" not in fields:
        # A comment or the field ``retry``: no event, but it shows that the service still answers.
        return Feed()
    return Feed((Event(int(fields["id"]), fields["event"], json.loads(fields["data"])),))
