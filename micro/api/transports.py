"""Calls a plugin over each transport, all in this process, and tells where the answers differ."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from micro.api.access import IN_PROCESS
from micro.api.direct import ERROR_FIELDS, Answer, call_directly
from micro.api.endpoints import Requests
from micro.api.jsondiff import difference
from micro.api.rest import create_app
from micro.api.tasks import create_celery
from micro.errors import MicroError, error_fields
from micro.service import Micro


class Transports:
    """The direct call, REST and Celery of one Micro."""

    def __init__(self, micro: Micro) -> None:
        self._micro = micro
        self._client = create_app(micro=micro).test_client()
        self._client.environ_base[IN_PROCESS] = "1"
        app = create_celery(micro=micro)
        app.conf.update(task_always_eager=True, task_store_eager_result=False)
        self._requests = Requests.of(app)

    def call(self, name: str, params: Mapping[str, Any]) -> tuple[Answer, dict[str, str]]:
        """Return the direct answer and, by transport, how another differs from it."""
        request_id = uuid.uuid4().hex
        direct = self._direct(name, params, request_id)
        others = {
            "REST": self._rest(name, params, request_id),
            "Celery": self._celery(name, params, request_id),
        }
        compare = _compared if self._is_steady(name, params, direct, others) else _compared_loosely
        found = {transport: compare(direct, other) for transport, other in others.items()}
        return direct, {transport: told for transport, told in found.items() if told}

    def _is_steady(
        self, name: str, params: Mapping[str, Any], direct: Answer, others: Mapping[str, Answer]
    ) -> bool:
        """Tell whether the answers can be compared: a plugin that rolls dice differs from itself."""
        if direct.failed or not any(_compared(direct, other) for other in others.values()):
            return True
        return not _compared(direct, self._direct(name, params, uuid.uuid4().hex))

    def _direct(self, name: str, params: Mapping[str, Any], request_id: str) -> Answer:
        return call_directly(self._micro, name, params, request_id)

    def _rest(self, name: str, params: Mapping[str, Any], request_id: str) -> Answer:
        path = f"/run/{quote(name, safe='')}"
        response = self._client.post(path, json=params, headers={"X-Request-ID": request_id})
        body = response.get_json(force=True, silent=True)
        if response.status_code != 200 and isinstance(body, dict):
            body = {key: body[key] for key in ERROR_FIELDS if key in body}
        return Answer(body, response.status_code)

    def _celery(self, name: str, params: Mapping[str, Any], request_id: str) -> Answer:
        try:
            sent = self._requests.run.apply_async((name,), dict(params), task_id=request_id)
            return Answer(json.loads(sent.get()))
        except MicroError as err:
            return Answer(error_fields(err))
        # Whatever the task raised: the caller would see that.
        except Exception as err:
            return Answer({"error": f"{type(err).__name__}: {err}"})


def _compared(direct: Answer, other: Answer) -> str | None:
    if other.status not in (None, direct.status):
        return f"expected the status {direct.status} of the direct call, found {other.status}"
    return difference(direct.body, other.body)


def _compared_loosely(direct: Answer, other: Answer) -> str | None:
    return difference(direct.body, other.body) if other.failed else None
