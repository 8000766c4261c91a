"""Calls a plugin without a transport, and keeps the exception that made it fail."""

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
    """The answer to a call: ``body`` is the result or the fields of the error.

    ``status`` is the HTTP status, None over Celery. ``cause`` is the exception behind the error, if any.
    """

    body: Any
    status: int | None = None
    cause: BaseException | None = None

    @property
    def failed(self) -> bool:
        if self.status is None:
            return isinstance(self.body, dict) and {"error", "code"} <= self.body.keys() <= {*ERROR_FIELDS}
        return self.status != 200


def call_directly(micro: Micro, name: str, params: Mapping[str, Any], request_id: str) -> Answer:
    """Run the plugin through ``Micro.run``, with the transport "python"."""
    try:
        text = micro.run(name, params, RunContext("python", request_id))
    except MicroError as err:
        return Answer(error_fields(err), err.status, err.__cause__)
    return Answer(json.loads(text), 200)
