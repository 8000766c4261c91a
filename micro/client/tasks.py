"""Reaches a service by tasks that return JSON, however these are called."""

from __future__ import annotations

import json
import time
from abc import ABC, abstractmethod
from collections.abc import Generator, Mapping
from typing import Any

from micro.client.parameters import to_json
from micro.client.service import Event, Feed, Fields
from micro.client.trouble import error_of

_LOOK_SECONDS = 0.3
_ERROR_KEYS = {"error", "code", "errors", "status"}


class TaskService(ABC):
    """The operations as tasks; what is left open is how a task is called."""

    url: str

    @abstractmethod
    def call(self, task: str, *arguments: Any, repeatable: bool = True) -> str:
        """Return the JSON that the task ``Micro.<task>`` returns."""

    @abstractmethod
    def run(self, name: str, params: Mapping[str, Any]) -> Fields: ...

    @abstractmethod
    def close(self) -> None: ...

    def plugins(self) -> list[Fields]:
        found: list[Fields] = self._ask("plugins")
        return found

    def info(self, name: str) -> Fields:
        return self._fields("info", name)

    def help(self, name: str) -> Fields:
        return self._fields("help", name)

    def submit(self, name: str, params: Mapping[str, Any], key: str) -> Fields:
        return self._fields("submit", name, plain(params), key)

    def job(self, job: str) -> Fields:
        return self._fields("status", job)

    def jobs(self, filters: Mapping[str, str]) -> tuple[list[Fields], str | None]:
        page = self._fields("jobs", dict(filters))
        return page["jobs"], page["cursor"]

    def result(self, job: str) -> Fields:
        content = json.loads(self.call("result", job))
        result: Fields = answer(content, ran=True)["result"]
        return result

    def cancel(self, job: str) -> Fields:
        return self._fields("cancel", job)

    def retry(self, job: str) -> Fields:
        return self._fields("retry", job, repeatable=False)

    def delete(self, job: str) -> None:
        self._ask("delete", job, repeatable=False)

    def feeds(self, job: str, after: int) -> Generator[Feed, None, None]:
        while True:
            found = self._fields("events", job, after)
            feed = Feed(tuple(Event(**each) for each in found["events"]), found["over"])
            yield feed
            if feed.over:
                return
            if feed.events:
                after = feed.events[-1].number
            else:
                time.sleep(_LOOK_SECONDS)

    def _fields(self, task: str, *arguments: Any, repeatable: bool = True) -> Fields:
        fields: Fields = self._ask(task, *arguments, repeatable=repeatable)
        return fields

    def _ask(self, task: str, *arguments: Any, repeatable: bool = True) -> Any:
        return answer(json.loads(self.call(task, *arguments, repeatable=repeatable)))


def answer(content: Any, *, ran: bool = False) -> Any:
    """Return what a task returned, or raise the error that it tells of.

    An error has nothing but a sentence, its code, status and bad fields; so a plugin's result that
    merely has the key ``error`` is none, nor is a job that failed.
    """
    is_error = (
        isinstance(content, dict)
        and {"error", "code"} <= content.keys() <= _ERROR_KEYS
        and isinstance(content["error"], str)
    )
    if is_error:
        raise error_of(content, ran=ran)
    return content


def plain(params: Mapping[str, Any]) -> Fields:
    """Return the parameters as JSON has them, as other encodings of a date would be no text."""
    fields: Fields = json.loads(to_json(params))
    return fields
