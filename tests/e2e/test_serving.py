"""One ``micro -G -C`` with several nodes, workers and queues: everything that does not disturb the others."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

pytestmark = pytest.mark.measured

FOLDERS = ("good", "three_x", "broken")
NAMES = ["Crowd", "Example Plugin", "Gate", "Process", "Twin one", "Twin two"]


@pytest.fixture(scope="module")
def micro(start_shared_micro: Callable[..., Any], plugins: Path) -> Any:
    paths = os.pathsep.join(str(plugins / "e2e" / name) for name in FOLDERS)
    options = ("-gw", "2", "-cw", "2", "-q", "first, second", "-H", "test-%h")
    return start_shared_micro("-G", "-C", "-p", paths, *options)


@pytest.fixture(params=["REST", "Celery"])
def run(request: pytest.FixtureRequest, micro: Any) -> Callable[..., Any]:
    """Run a plugin over each of the transports."""

    def over_rest(plugin: str, /, **params: Any) -> Any:
        return micro.call(f"/run/{quote(plugin)}", params)

    def over_celery(plugin: str, /, **params: Any) -> Any:
        return json.loads(micro.requests("first").run.delay(plugin, **params).get(timeout=10))

    return over_rest if request.param == "REST" else over_celery


def test_it_says_what_it_serves_and_where(micro: Any) -> None:
    port = int(micro.url.rpartition(":")[2])
    assert (
        f"serves 6 plugins, 2 left out (`micro plugins` tells why)\n  REST    http://127.0.0.1:{port}\n"
        in (micro.output())
    )
    assert port > 0
    assert f"  Celery  {micro.broker_url}  queues first, second\n" in micro.output()


def test_the_loaded_plugins_are_served_and_the_broken_ones_are_named_with_their_cause(micro: Any) -> None:
    assert [each["name"] for each in micro.call("/plugins")] == NAMES
    assert "no licence found" in micro.output()
    assert "Traceback" not in micro.output()


@pytest.mark.parametrize("queue", ["first", "second"])
def test_each_queue_is_worked_on(micro: Any, queue: str) -> None:
    answer = micro.requests(queue).plugins.delay().get(timeout=10)
    assert [each["name"] for each in json.loads(answer)] == NAMES


def test_the_nodes_have_their_names(micro: Any, wait_for: Callable[..., Any]) -> None:
    control = micro.requests("first").run.app.control
    answers = wait_for(lambda: len(found := control.inspect(timeout=1).ping() or {}) == 2 and found)
    host = socket.gethostname()
    assert answers == {f"worker{number}@test-{host}": {"ok": "pong"} for number in (1, 2)}


def test_there_are_as_many_rest_workers_as_asked_for(micro: Any, wait_for: Callable[..., Any]) -> None:
    wait_for(lambda: len(micro.children(micro.pid("rest"))) == 2)


def test_the_pid_files_name_the_processes(micro: Any, runs: Callable[[int], bool]) -> None:
    assert micro.pid("micro") == micro.process.pid
    assert {path.stem for path in micro.pids.glob("*.pid")} == {"micro", "rest", "worker1", "worker2"}
    assert all(runs(micro.pid(name)) for name in ("rest", "worker1", "worker2"))


def test_the_settings_of_the_children_are_the_owners_alone(micro: Any) -> None:
    assert stat.S_IMODE((micro.pids / "micro.settings").stat().st_mode) == 0o600


def test_the_log_file_has_what_the_terminal_shows(micro: Any) -> None:
    shown = [line.partition("| ")[2] for line in micro.output().splitlines() if " | " in line]
    logged = [line.partition("| ")[2] for line in micro.log.read_text().splitlines()]
    assert shown
    assert shown == logged[: len(shown)]


def test_plugins_have_their_own_helpers_under_the_same_names(run: Callable[..., Any]) -> None:
    for which in ("one", "two"):
        expected = {"helper": f"helper of {which}", "core": f"core of {which}", "later": f"later of {which}"}
        assert run(f"twin-{which}") == expected


def test_a_plugin_of_3x_runs_as_it_is(run: Callable[..., Any]) -> None:
    assert run("Example Plugin", name="Micro") == {"msg": "Hello Micro!!!", "then": "Bye"}


def test_a_plugin_may_use_processes_of_its_own_in_a_rest_run(micro: Any) -> None:
    answer = micro.call("/run/crowd", {"numbers": [1, 2, 3]})
    assert answer == {"executor": [1, 4, 9], "pool": [1, 4, 9]}


def test_what_is_imported_before_the_forks_is_not_looked_at_for_garbage(run: Callable[..., Any]) -> None:
    told = run("Process")
    assert told["collects"]
    assert told["frozen"] > 50_000


def test_a_second_micro_stays_out_of_the_pid_folder(micro: Any, run_micro: Callable[..., Any]) -> None:
    second = run_micro("-G", "-pp", str(micro.pids))
    assert second.returncode == 4
    assert (
        f"(process {micro.process.pid}); `micro stop` ends it, or name another folder with -pp."
        in second.stderr
    )


def test_a_second_micro_stays_off_the_port(micro: Any, run_micro: Callable[..., Any]) -> None:
    address = micro.url.removeprefix("http://")
    second = run_micro("-G", "-b", address)
    assert second.returncode == 1
    assert second.stderr.splitlines()[-1] == (
        f"Error: The address {address} is in use; stop what listens there, or name another with -b."
    )
    assert "Traceback" not in second.stderr


@pytest.fixture(scope="module", autouse=True)
def _stopped_in_the_end(micro: Any) -> Iterator[None]:
    yield
    assert micro.stop(signal.SIGTERM) == 0
    assert list(micro.pids.iterdir()) == []
