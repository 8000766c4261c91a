"""Plugins that change, come and go while the service runs."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

Start = Callable[..., Any]
Wait = Callable[..., Any]
RunMicro = Callable[..., Any]
SOURCE = """
    from micro import PluginBase, PluginDescription
    from .words import WORD

    class Word(PluginBase):
        def run(self):
            return {"word": WORD}

    plugin = PluginDescription(name="NAME", examples=[{"result": {"word": WORD}}])
"""


class Plugins:
    """A plugin path with plugins that answer with a word."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()

    def write(self, name: str, word: str, more: str = "") -> None:
        folder = self.path / name
        folder.mkdir(exist_ok=True)
        (folder / "words.py").write_text(f"WORD = {word!r}\n{more}")
        if not (folder / "interface.py").exists():
            (folder / "interface.py").write_text(dedent(SOURCE.replace("NAME", name)))

    def remove(self, name: str) -> None:
        folder = self.path / name
        for file in ("interface.py", "words.py"):
            (folder / file).unlink()


@pytest.fixture
def folders(tmp_path: Path) -> Plugins:
    plugins = Plugins(tmp_path / "plugins")
    plugins.write("one", "old")
    return plugins


def over_rest(micro: Any, name: str = "one") -> str:
    return str(micro.call(f"/run/{name}", {}).get("word"))


def over_celery(micro: Any, name: str = "one") -> str:
    return str(json.loads(micro.requests().run.delay(name).get(timeout=20)).get("word"))


def readiness(micro: Any) -> str:
    checks = {each["name"]: each for each in micro.call("/readyz?verbose")["checks"]}
    assert checks["generation"]["status"] == "passed"
    return str(checks["generation"]["detail"])


def test_what_changes_comes_and_goes_is_served_without_a_restart(
    start_micro: Start, wait_for: Wait, folders: Plugins
) -> None:
    micro = start_micro("-G", "-p", str(folders.path), MICRO_RELOAD="watch")
    assert over_rest(micro) == "old"

    folders.write("one", "new")
    folders.write("two", "second")
    # Until then either may answer, the old or the new.
    wait_for(lambda: "Reloaded: generation 2 serves" in micro.output(), 30)
    assert (over_rest(micro), over_rest(micro, "two")) == ("new", "second")

    # Of the same size, and it may be in the same second.
    folders.write("one", "bad", "raise ValueError('it is broken')")
    wait_for(lambda: "it is broken" in micro.output(), 30)
    wait_for(lambda: "Reload failed" in micro.output(), 30)
    assert over_rest(micro) == "new"
    assert "plugin 'one' (folder " in micro.output()

    folders.write("one", "fit")
    folders.remove("two")
    wait_for(lambda: "Reloaded: generation 3 serves" in micro.output(), 30)
    assert over_rest(micro) == "fit"
    assert [each["name"] for each in micro.call("/plugins")] == ["one"]
    assert readiness(micro).isdigit()
    assert micro.stop() == 0
    assert list(micro.pids.iterdir()) == []


def test_a_reload_by_hand_tells_what_came_of_it(
    start_micro: Start, run_micro: RunMicro, wait_for: Wait, folders: Plugins
) -> None:
    micro = start_micro("-GC", "-p", str(folders.path))
    folders.write("one", "new")
    folders.write("two", "second")
    done = run_micro("reload", "-pp", str(micro.pids))
    assert (done.returncode, done.stdout) == (0, "Micro serves generation 2: 2 plugins\n")
    assert (over_rest(micro), over_celery(micro)) == ("new", "new")
    assert (over_rest(micro, "two"), over_celery(micro, "two")) == ("second", "second")
    jobs = wait_for(lambda: len(found := micro.call("/jobs")["jobs"]) == 2 and found)
    assert [each["generation"] for each in jobs] == [2, 2]

    (folders.path / "one" / "interface.py").write_text("import no_such_thing")
    refused = run_micro("reload", "-pp", str(micro.pids))
    assert refused.returncode == 1
    assert refused.stderr.startswith("Error: generation 2 goes on serving, as generation 3 was refused")
    assert "No module named 'no_such_thing'" in refused.stderr
    assert (over_rest(micro), over_celery(micro)) == ("new", "new")
    assert readiness(micro).startswith("2; the last reload failed: generation 2 goes on serving")
    status = json.loads(run_micro("status", "--json", "-pp", str(micro.pids)).stdout)
    assert (status["generation"], status["last_failure"]["what"]) == (2, "reload")
    health = json.loads(run_micro("health", "--json", "-pp", str(micro.pids)).stdout)
    assert all(each["healthy"] for each in health)


@pytest.mark.measured
def test_an_example_that_fails_keeps_a_change_out(
    start_micro: Start, run_micro: RunMicro, folders: Plugins
) -> None:
    micro = start_micro("-G", "-p", str(folders.path))
    path = folders.path / "one" / "interface.py"
    path.write_text(path.read_text().replace('{"word": WORD}}]', '{"word": "other"}}]'))
    refused = run_micro("reload", "-pp", str(micro.pids))
    assert refused.returncode == 1
    assert "example 1: the result differs" in refused.stderr
    assert over_rest(micro) == "old"


def test_a_plugin_that_was_broken_before_keeps_no_other_out(
    start_micro: Start, run_micro: RunMicro, folders: Plugins
) -> None:
    folders.write("two", "bad", "raise ValueError")
    micro = start_micro("-G", "-p", str(folders.path))
    folders.write("one", "new")
    folders.write("two", "bad", "raise KeyError")
    assert run_micro("reload", "-pp", str(micro.pids)).returncode == 0
    assert over_rest(micro) == "new"


def test_what_runs_is_finished_by_the_old_while_the_new_serves(
    start_micro: Start, run_micro: RunMicro, wait_for: Wait, good_plugins: str, gate: Any, other_gate: Any
) -> None:
    micro = start_micro("-C", "-p", good_plugins, MICRO_STOP_TIMEOUT="1")
    running = micro.requests().run.delay("gate", **gate.params)
    wait_for(gate.started)
    old = micro.pid("worker1")
    assert run_micro("reload", "-pp", str(micro.pids)).returncode == 0
    reloaded = time.monotonic()
    # The old pool has one process for each core, the new one also; the new one takes what comes.
    other_gate.open()
    waits = micro.requests().run.delay("gate", **other_gate.params)
    assert json.loads(waits.get(timeout=20))["pid"] in other_gate.started()
    assert micro.pid("worker1") != old
    # It may take longer than a stop does.
    wait_for(lambda: time.monotonic() > reloaded + 2.5)
    gate.open()
    assert json.loads(running.get(timeout=20)) == {"pid": gate.started()[0]}
    wait_for(lambda: not Path(f"/proc/{old}/stat").exists(), 20)


def test_an_installed_plugin_appears(
    start_micro: Start, wait_for: Wait, tmp_path: Path, folders: Plugins
) -> None:
    site = tmp_path / "site"
    site.mkdir()
    paths = os.pathsep.join(filter(None, (str(site), os.environ.get("PYTHONPATH"))))
    micro = start_micro("-G", "-p", str(folders.path), MICRO_RELOAD="watch", PYTHONPATH=paths)
    source = dedent(SOURCE.replace("NAME", "Packed")).replace("from .words import WORD", "WORD = 'packed'")
    (site / "packed.py").write_text(source)
    metadata = site / "packed-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: packed\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[micro.plugins]\npacked = packed\n")
    wait_for(lambda: over_rest(micro, "packed") == "packed", 30)


def test_keys_that_cannot_be_read_are_not_taken(
    start_micro: Start, run_micro: RunMicro, folders: Plugins, tmp_path: Path
) -> None:
    keys = tmp_path / "keys"
    keys.write_text("caller:the-old-key-of-the-caller\n")
    micro = start_micro("-G", "-p", str(folders.path), MICRO_API_KEYS_FILE=str(keys))
    keys.write_text("caller:short\n")
    refused = run_micro("reload", "-pp", str(micro.pids))
    assert refused.returncode == 1
    assert "expected 16 to" in refused.stderr
    keys.write_text("caller:the-new-key-of-the-caller\n")
    assert run_micro("reload", "-pp", str(micro.pids)).returncode == 0


@pytest.mark.measured
def test_with_reload_off_nothing_is_reloaded(
    start_micro: Start, run_micro: RunMicro, wait_for: Wait, folders: Plugins
) -> None:
    micro = start_micro("-G", "-p", str(folders.path), MICRO_RELOAD="off")
    refused = run_micro("reload", "-pp", str(micro.pids))
    assert (refused.returncode, "--reload off" in refused.stderr) == (2, True)
    micro.process.send_signal(signal.SIGHUP)
    wait_for(lambda: "SIGHUP: nothing is reloaded" in micro.output())
    assert micro.stop() == 0


def test_where_nothing_runs_nothing_is_reloaded(run_micro: RunMicro) -> None:
    refused = run_micro("reload")
    assert refused.returncode == 1
    assert refused.stderr.startswith("Error: No Micro runs with the PID folder")


def test_the_old_takes_no_more_once_the_new_serves(
    start_micro: Start, run_micro: RunMicro, wait_for: Wait, folders: Plugins, good_plugins: str, gate: Any
) -> None:
    shutil.copytree(Path(good_plugins) / "gate", folders.path / "gate")
    micro = start_micro("-C", "-p", str(folders.path))
    requests = micro.requests()
    # With a process of its pool to spare, the old node could take what comes, and hold it until this ends.
    running = requests.run.delay("gate", **gate.params)
    wait_for(gate.started)
    folders.write("one", "new")
    folders.write("two", "second")
    assert run_micro("reload", "-pp", str(micro.pids)).returncode == 0
    sent = [requests.run.delay("one") for _ in range(10)]
    assert [json.loads(each.get(timeout=20)) for each in sent] == [{"word": "new"}] * 10
    gate.open()
    assert json.loads(running.get(timeout=20)) == {"pid": gate.started()[0]}
