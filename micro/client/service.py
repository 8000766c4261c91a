"""Protocol of the operations that the client calls on a service, and the events of a job."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any, Protocol

from micro.models import Feed

Fields = dict[str, Any]


class Service(Protocol):
    """The operations of a service, which raise MicroError; ``url`` names it in messages, without secrets."""

    url: str

    def plugins(self) -> list[Fields]: ...

    def info(self, name: str) -> Fields: ...

    def help(self, name: str) -> Fields: ...

    def run(self, name: str, params: Mapping[str, Any]) -> Fields: ...

    def submit(self, name: str, params: Mapping[str, Any], key: str) -> Fields: ...

    def job(self, job: str) -> Fields: ...

    def jobs(self, filters: Mapping[str, str]) -> tuple[list[Fields], str | None]:
        """Return a page of jobs, newest first, and the cursor of the next page."""

    def result(self, job: str) -> Fields: ...

    def cancel(self, job: str) -> Fields: ...

    def retry(self, job: str) -> Fields: ...

    def delete(self, job: str) -> None: ...

    def feeds(self, job: str, after: int) -> Generator[Feed, None, None]:
        """Yield the events after number ``after``, until the job has ended or the connection ends."""

    def close(self) -> None: ...
