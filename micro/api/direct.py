"""Calls a plugin as a transport does, but directly, and keeps what caused its failure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from micro.errors import MicroError, error_fields
from micro.plugin.context import RunContext
from micro.service import Micro

ERROR_FIELDS = ("error", "code", "errors")


@dataclass(frozen=True)
class Answer:
    """What a caller gets: the result, or the error's fields; and the HTTP status, which Celery lacks."""

    body: Any
    status: int | None = None
    cause: BaseException | None = None

    @property
    def failed(self) -> bool:
        if self.status is None:
            return isinstance(self.body, dict) and {"error", "code"} <= self.body.keys() <= {*ERROR_FIELDS}
        return self.status != 200


def call_directly(micro: Micro, name: str, params: Mapping[str, Any], request_id: str) -> Answer:
    """Run the plugin."""
    try:
        text = micro.run(name, params, RunContext("python", request_id))
    except MicroError as err:
        return Answer(error_fields(err), err.status, err.__cause__)
    return Answer(json.loads(text), 200)
