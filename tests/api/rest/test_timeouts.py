"""Limits that a plugin sets on its runs over REST: how long one takes, and how many there are."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from micro.api.rest import create_app
from micro.service import Micro

PLUGIN = """
    import time
    import uuid
    from pathlib import Path
    from flask import has_request_context, request
    from micro import PluginBase, PluginDescription, PluginError

    class Waiter(PluginBase):
        def run(self, path: str = "", heed: bool = True, fail: bool = False):
            if fail:
                raise PluginError("as asked", status=418, code="teapot")
            folder = Path(path)
            asked = False
            if path:
                (folder / f"began-{uuid.uuid4()}").touch()
            while path and not (folder / "open").exists() and not (heed and (asked := self.cancelled)):
                time.sleep(0.01)
            if path:
                (folder / f"ended-{uuid.uuid4()}").touch()
            return {"asked": asked, "request": has_request_context() and request.headers["X-Request-ID"]}

    plugin = PluginDescription(name="Waiter", LIMITS)
"""
Beside = Callable[..., "Future[TestResponse]"]


class Folder:
    """Where the runs tell that they began and ended, and wait to be let go."""

    def __init__(self, path: Path) -> None:
        path.mkdir()
        self.path = str(path)

    def count(self, word: str) -> int:
        return len([*Path(self.path).glob(f"{word}-*")])

    def open(self) -> None:
        (Path(self.path) / "open").touch()


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    folder = Folder(tmp_path / "runs")
    yield folder
    folder.open()


@pytest.fixture
def serve(load: Callable[..., Micro]) -> Callable[[str], Flask]:
    """Make the application of the plugin with these limits."""
    return lambda limits: create_app(micro=load({"w/interface.py": PLUGIN.replace("LIMITS", limits)}))


@pytest.fixture
def beside() -> Iterator[Callable[..., Future[Any]]]:
    with ThreadPoolExecutor() as pool:
        yield pool.submit


def post(app: Flask, **params: object) -> TestResponse:
    return app.test_client().post("/run/waiter", json=params, headers={"X-Request-ID": "r7"})


def told(answer: TestResponse) -> tuple[int, str]:
    assert answer.mimetype == "application/problem+json"
    return answer.status_code, (answer.json or {})["code"]


def test_a_run_within_its_time_answers_as_any(serve: Callable[[str], Flask]) -> None:
    app = serve("timeout=30")
    answer = post(app)
    assert (answer.status_code, answer.json) == (200, {"asked": False, "request": "r7"})
    assert told(post(app, fail=True)) == (418, "teapot")
    assert told(post(app, path=7)) == (422, "invalid-parameters")


def test_a_late_run_is_answered_in_time_and_asked_to_stop(
    serve: Callable[[str], Flask],
    folder: Folder,
    wait_for: Callable[..., object],
) -> None:
    app = serve("timeout=0.1")
    began = time.monotonic()
    answer = post(app, path=folder.path)
    assert told(answer) == (504, "time-limit")
    assert (answer.json or {})["error"] == (
        "The run took longer than the 0.1 seconds that plugin 'Waiter' allows"
    )
    assert time.monotonic() - began < 5
    wait_for(lambda: folder.count("ended"))


def test_a_run_that_does_not_stop_is_told_of(
    serve: Callable[[str], Flask], folder: Folder, caplog: pytest.LogCaptureFixture
) -> None:
    assert told(post(serve("timeout=0.1"), path=folder.path, heed=False)) == (504, "time-limit")
    assert "the run of request r7 is overdue but goes on" in caplog.text


def test_runs_that_do_not_stop_are_bounded(
    serve: Callable[[str], Flask], folder: Folder, wait_for: Callable[..., object]
) -> None:
    app = serve("timeout=0.01")
    late = [told(post(app, path=folder.path, heed=False)) for _ in range(9)]
    assert late == [(504, "time-limit")] * 8 + [(429, "too-many-runs")]
    folder.open()
    wait_for(lambda: folder.count("ended") == 8)
    wait_for(lambda: post(app).status_code == 200)


def test_more_runs_than_the_plugin_does_at_once_are_to_come_again(
    serve: Callable[[str], Flask], folder: Folder, beside: Beside, wait_for: Callable[..., object]
) -> None:
    app = serve("concurrency=2")
    running = [beside(post, app, path=folder.path) for _ in range(2)]
    wait_for(lambda: folder.count("began") == 2)
    refused = post(app)
    assert told(refused) == (429, "too-many-runs")
    assert refused.headers["Retry-After"] == "1"
    assert (refused.json or {})["error"].startswith("Plugin 'Waiter' does 2 runs at a time, and is busy")
    # What is wrong with a call is told at any time.
    assert told(post(app, path=7)) == (422, "invalid-parameters")
    folder.open()
    assert [each.result().status_code for each in running] == [200, 200]
    assert post(app).status_code == 200


def test_a_run_that_fails_gives_its_place_back(serve: Callable[[str], Flask]) -> None:
    app = serve("concurrency=1")
    assert [post(app, fail=True).status_code for _ in range(3)] == [418] * 3


def test_a_late_run_keeps_its_place(
    serve: Callable[[str], Flask], folder: Folder, wait_for: Callable[..., object]
) -> None:
    app = serve("timeout=0.05, concurrency=1")
    assert told(post(app, path=folder.path, heed=False)) == (504, "time-limit")
    # On a busy machine the run may begin only after its time is over.
    wait_for(lambda: folder.count("began"))
    assert told(post(app)) == (429, "too-many-runs")
    folder.open()
    wait_for(lambda: post(app).status_code == 200)


def test_the_document_tells_of_the_limits(serve: Callable[[str], Flask]) -> None:
    def statuses(limits: str) -> set[str]:
        document = serve(limits).test_client().get("/openapi.json").json or {}
        return {*document["paths"]["/run/waiter"]["post"]["responses"]} & {"429", "504"}

    assert statuses("") == set()
    assert statuses("concurrency=1") == {"429"}


def test_the_document_tells_of_a_time_limit(serve: Callable[[str], Flask]) -> None:
    document = serve("timeout=1").test_client().get("/openapi.json").json or {}
    assert {"429", "504"} <= document["paths"]["/run/waiter"]["post"]["responses"].keys()


@pytest.mark.parametrize("wrong", ["0", "-1", "1.5", "True", "'2'"])
def test_a_wrong_limit_leaves_the_plugin_out(load: Callable[..., Micro], wrong: str) -> None:
    micro = load({"w/interface.py": PLUGIN.replace("LIMITS", f"concurrency={wrong}")})
    (failure,) = micro.loaded.failed
    assert "expected concurrency to be a whole number from 1 on" in failure.cause
