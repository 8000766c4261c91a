"""Plugins that start processes, stream with a context, and lie beside files of odd names."""

from __future__ import annotations

import json
import signal
import urllib.request
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from micro.client import connect

PLUGIN = """
import multiprocessing
import time
from flask import Response, g, request, stream_with_context
from micro import PluginBase, PluginDescription, hookimpl

class Spread(PluginBase):
    def run(self) -> dict[str, list[int]]:
        with multiprocessing.get_context("fork").Pool(2) as pool:
            return {"found": pool.map(abs, [-1, 2])}

plugin = PluginDescription(instance=Spread, name="Spread", version="1", description="Uses two processes")

class Ended(PluginBase):
    def run(self) -> dict[str, int]:
        child = multiprocessing.get_context("fork").Process(target=time.sleep, args=[60])
        child.start()
        child.terminate()
        child.join(15)
        return {"exitcode": child.exitcode}

@hookimpl
def micro_plugins():
    yield PluginDescription(instance=Ended, name="Ended", version="1", description="Ends a process")

def user():
    if "user" not in g:
        g.user = request.headers.get("X-User", "nobody")
    return g.user

@hookimpl
def micro_app(app):
    @app.get("/lines")
    def lines():
        return Response(stream_with_context(f"{user()} " for _ in range(4)))

    @app.get("/user")
    def tell():
        return user()
"""


@pytest.fixture(scope="module")
def micro(start_shared_micro: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("current")
    (folder / "plugins" / "spread").mkdir(parents=True)
    (folder / "plugins" / "spread" / "interface.py").write_text(PLUGIN)
    # Where the processes would find these first, none could start.
    for name in ("email", "celery", "micro", "json"):
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text("raise SystemExit('not this one')")
    return start_shared_micro("-GC", "-p", "plugins", before=("env", "-C", str(folder)))


def text(micro: Any, path: str, user: str) -> str:
    asked = urllib.request.Request(micro.url + path, headers={"X-User": user})
    with urllib.request.urlopen(asked, timeout=20) as answer:
        return answer.read().decode()


def test_what_lies_in_the_current_directory_is_no_part_of_the_program(micro: Any) -> None:
    assert {each["name"] for each in micro.call("/plugins")} == {"Spread", "Ended"}
    assert "not this one" not in micro.output()


def test_a_run_may_start_processes_over_every_transport(micro: Any) -> None:
    found = {"found": [1, 2]}
    assert micro.call("/run/spread", {}) == found
    assert json.loads(micro.requests().run.delay("spread").get(timeout=20)) == found
    assert connect(micro.url).submit("spread").result(20) == found


def test_a_run_may_end_the_processes_it_starts_over_every_transport(micro: Any) -> None:
    ended = {"exitcode": -signal.SIGTERM}
    assert micro.call("/run/ended", {}) == ended
    assert json.loads(micro.requests().run.delay("ended").get(timeout=20)) == ended


def test_a_stream_has_the_context_of_its_request_and_leaves_it_to_no_other(micro: Any) -> None:
    for number in range(40):
        assert text(micro, "/lines", f"user{number}") == f"user{number} " * 4
    assert Counter(text(micro, "/user", "Bob") for _ in range(40)) == {"Bob": 40}
