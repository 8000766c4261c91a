"""Protocol of the operations that the client calls on a service, and the events of a job."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

Fields = dict[str, Any]


@dataclass(frozen=True)
class Event:
    """One event of a job; ``kind`` is ``state``, ``progress`` or ``log``.

    Numbers rise within a job, with gaps: of its states, and of its progress reports, only the newest is kept.
    """

    number: int
    kind: str
    data: Mapping[str, Any]


@dataclass(frozen=True)
class Feed:
    """Some events, in order; ``over`` is True if no events will follow these."""

    events: tuple[Event, ...] = ()
    over: bool = False


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
