"""What a plugin may rely on: micro_start, setup(), teardown() and micro_stop, each in its time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from textwrap import dedent
from threading import Barrier, Thread

import pytest

from micro.errors import InvalidParameters, PluginError, PluginFailed
from micro.service import Micro

LIVES = """
@classmethod
def setup(cls):
    note(f"setup {cls.__name__}")

@classmethod
def teardown(cls):
    note(f"teardown {cls.__name__}")

def run(self):
    return {"pid": os.getpid()}
"""
HOOKS = """
@hookimpl
def micro_start(micro):
    note("start")

@hookimpl
def micro_stop(micro):
    note("stop")
"""
PROGRAM = """
import os
import sys
from pathlib import Path
from micro.service import Micro
from micro.config.settings import Settings

# One that is gone when the process forks.
Micro(Settings())
micro = Micro(Settings(plugin_path=(Path(sys.argv[1]),)))
"""


@pytest.fixture
def plugin(load, interface) -> Callable[..., Micro]:
    """Make Micro with a plugin whose class has this body, and with further source after it."""
    return lambda body, more="": load({"plugin/interface.py": interface(body, more=more)})


@pytest.fixture
def lives(load, interface) -> Micro:
    """Micro with the plugins A and B that write down what is called, and hooks that do."""
    files = {"a/interface.py": interface(LIVES, "A", HOOKS), "b/interface.py": interface(LIVES, "B")}
    return load(files)


@pytest.fixture
def diary(tmp_path) -> Callable[[], list[str]]:
    """Read what the plugins have written down."""
    path = tmp_path / "plugins" / "diary"
    return lambda: path.read_text().splitlines() if path.exists() else []


def run(micro: Micro, name: str = "Plugin", **params: object) -> dict[str, object]:
    result: dict[str, object] = json.loads(micro.run(name, params))
    return result


def test_parameters_that_do_not_fit_are_refused_before_anything_is_started(lives, diary):
    with pytest.raises(InvalidParameters):
        run(lives, "A", unknown=1)
    assert diary() == []


def test_a_process_starts_once_and_sets_a_plugin_up_before_its_first_run(lives, diary):
    run(lives, "A")
    run(lives, "A")
    assert diary() == ["start", "setup A"]
    run(lives, "B")
    assert diary() == ["start", "setup A", "setup B"]


def test_stopping_tears_down_in_reverse_and_only_what_was_set_up(lives, diary):
    for name in ("B", "A"):
        run(lives, name)
    lives.stop()
    lives.stop()
    assert diary()[3:] == ["teardown A", "teardown B", "stop"]


def test_stopping_what_never_started_does_nothing(lives, diary):
    lives.stop()
    assert diary() == []


def test_a_server_may_start_before_the_first_run(lives, diary):
    lives.start()
    lives.start()
    assert diary() == ["start"]


def test_a_run_after_the_end_starts_anew(lives, diary):
    run(lives, "A")
    lives.stop()
    run(lives, "A")
    assert diary() == ["start", "setup A", "teardown A", "stop", "start", "setup A"]


@pytest.mark.parametrize("failure", ["ValueError('no')", "SystemExit(1)"])
def test_a_teardown_that_fails_is_logged_and_the_others_follow(load, interface, diary, caplog, failure):
    bad = f"def run(self): return {{}}\n@classmethod\ndef teardown(cls): raise {failure}"
    micro = load({"a/interface.py": interface(LIVES, "A", HOOKS), "b/interface.py": interface(bad, "B")})
    for name in ("A", "B"):
        run(micro, name)
    micro.stop()
    assert diary()[2:] == ["teardown A", "stop"]
    assert [each.getMessage().partition(":")[0] for each in caplog.records] == ["Plugin 'B'"]


def test_a_setup_that_fails_fails_the_run_and_is_tried_again(plugin, diary):
    micro = plugin("""
        @classmethod
        def setup(cls):
            note("setup")
            if not Path(__file__).with_name("model").exists():
                raise FileNotFoundError("model")

        def run(self):
            return {"works": True}
    """)
    with pytest.raises(PluginFailed):
        run(micro)
    (micro.settings.plugin_path[0] / "plugin" / "model").touch()
    assert [run(micro), run(micro)] == [{"works": True}] * 2
    assert diary() == ["setup", "setup"]


def test_a_setup_may_say_why_it_cannot(plugin):
    micro = plugin("""
        @classmethod
        def setup(cls):
            raise PluginError("the licence has expired", status=503)

        def run(self):
            return {}
    """)
    with pytest.raises(PluginError, match="the licence has expired"):
        run(micro)


def test_micro_start_may_run_a_plugin(plugin, diary):
    micro = plugin(
        LIVES,
        """
        @hookimpl
        def micro_start(micro):
            note("start")
            micro.run("Plugin", {})
        """,
    )
    run(micro)
    assert diary() == ["start", "setup Plugin"]


def test_threads_that_come_together_set_up_once(lives, diary):
    barrier = Barrier(8)

    def call(_: int) -> None:
        barrier.wait(timeout=5)
        run(lives, "A")

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(call, range(8)))
    assert diary() == ["start", "setup A"]


def test_a_slow_setup_holds_up_nobody_else(load, interface):
    slow = """
        import threading
        entered, leave = threading.Event(), threading.Event()

        @classmethod
        def setup(cls):
            cls.entered.set()
            assert cls.leave.wait(8)

        def run(self):
            return {}
    """
    micro = load({"a/interface.py": interface(slow, "Slow"), "b/interface.py": interface(LIVES, "Quick")})
    cls = micro.loaded.find("Slow").cls
    thread = Thread(target=run, args=(micro, "Slow"))
    thread.start()
    assert cls.entered.wait(8)
    assert run(micro, "Quick")["pid"] == os.getpid()
    assert thread.is_alive()
    cls.leave.set()
    thread.join(8)
    assert not thread.is_alive()


@pytest.fixture
def program(plugin_dir, interface) -> Callable[[str, str], str]:
    """Run a Python program in which ``micro`` has a plugin with this body; return its output."""

    def go(body: str, lines: str) -> str:
        path = plugin_dir({"plugin/interface.py": interface(body, more=HOOKS)})
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM + dedent(lines), path],
            check=True,
            capture_output=True,
            text=True,
            timeout=30,
        )
        return done.stdout

    return go


def test_a_forked_child_starts_and_sets_up_for_itself(program, diary):
    program(
        LIVES,
        """
        micro.run("Plugin", {})
        if child := os.fork():
            assert os.waitpid(child, 0)[1] == 0
        micro.run("Plugin", {})
        """,
    )
    life = ["start", "setup Plugin"]
    end = ["teardown Plugin", "stop"]
    assert diary() == [*life, *life, *end, *end]


def test_a_forked_child_that_runs_nothing_stops_nothing(program, diary):
    program(
        LIVES,
        """
        micro.run("Plugin", {})
        if child := os.fork():
            os.waitpid(child, 0)
        else:
            micro.stop()
        """,
    )
    assert diary() == ["start", "setup Plugin", "teardown Plugin", "stop"]


def test_a_fork_while_a_thread_sets_up_leaves_the_child_no_locked_lock(program):
    output = program(
        """
        import threading
        main, entered, leave = os.getpid(), threading.Event(), threading.Event()

        @classmethod
        def setup(cls):
            if os.getpid() == cls.main:
                cls.entered.set()
                cls.leave.wait(20)

        def run(self):
            return {}
        """,
        """
        import threading
        cls = micro.loaded.find("Plugin").cls
        thread = threading.Thread(target=micro.run, args=("Plugin", {}))
        thread.start()
        cls.entered.wait()
        if not (child := os.fork()):
            micro.run("Plugin", {})
            os._exit(0)
        print(os.waitpid(child, 0)[1])
        cls.leave.set()
        """,
    )
    assert output == "0\n"


def test_a_process_that_ends_without_a_word_tears_down_all_the_same(program, diary):
    program(LIVES, 'micro.run("Plugin", {})')
    assert diary() == ["start", "setup Plugin", "teardown Plugin", "stop"]
