"""One child process from its start to its end."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from micro.server.supervisor.process import Child, Process, describe_exit

ESCAPE = """
import os, sys
if os.fork() == 0:
    os.setsid()
    print(os.getpid(), flush=True)
    while True:
        os.write(1, b"talk " * 1000)
"""

WaitUntil = Callable[..., Any]
IsGone = Callable[[int], bool]
End = Callable[[Child], int]


def start(*argv: str, **options: Any) -> Child:
    return Child(Process("child", argv, **options))


def shell(script: str, **options: Any) -> Child:
    return start("sh", "-c", script, **options)


@pytest.fixture
def end(wait_until: WaitUntil) -> End:
    """Wait for the end of a child; return its exit status."""

    def end(child: Child) -> int:
        return int(wait_until(lambda: [] if child.poll() is None else [child.poll()])[0])

    return end


def test_both_streams_come_in_order_and_to_the_last_byte(end: End) -> None:
    child = shell("echo one; echo two >&2; printf three; exit 5")
    assert end(child) == 5
    assert child.bury() == ["one", "two", "three"]
    assert list(child.tail) == ["one", "two", "three"]
    assert child.fileno() is None


def test_reading_never_waits(end: End) -> None:
    child = shell("sleep 60")
    assert child.read() == []
    child.kill_group()
    assert end(child) == -signal.SIGKILL
    assert child.bury() == []


def test_the_end_of_its_output_is_not_its_end(end: End, wait_until: WaitUntil) -> None:
    child = shell("printf bye; exec >&- 2>&-; sleep 60")
    assert wait_until(child.read) == ["bye"]
    assert child.fileno() is None
    assert child.poll() is None
    child.send(signal.SIGTERM)
    assert end(child) == -signal.SIGTERM
    assert child.bury() == []


def test_the_tail_keeps_the_last_lines_that_say_something(end: End) -> None:
    child = shell("i=0; while [ $i -lt 50 ]; do echo line $i; echo; i=$((i+1)); done")
    end(child)
    child.bury()
    assert list(child.tail) == [f"line {number}" for number in range(30, 50)]


def test_what_a_dead_leader_leaves_in_its_group_is_killed(
    end: End, wait_until: WaitUntil, is_gone: IsGone
) -> None:
    child = shell("sleep 60 & echo $!")
    assert end(child) == 0
    pid = int(child.read()[0])
    assert not is_gone(pid)
    assert child.bury() == []
    wait_until(lambda: is_gone(pid))


def test_an_escaped_grandchild_that_goes_on_talking_holds_nothing_up(
    end: End, wait_until: WaitUntil, is_gone: IsGone
) -> None:
    child = start(sys.executable, "-c", ESCAPE)
    assert end(child) == 0
    pid = int(wait_until(child.read)[0])
    assert not is_gone(pid)
    assert child.bury()
    assert child.fileno() is None
    # Now that nobody reads, its next word ends it.
    wait_until(lambda: is_gone(pid))


def test_it_leads_a_session_of_its_own_and_has_no_input(end: End) -> None:
    child = shell("cat; echo end")
    assert os.getsid(child.pid) == child.pid
    end(child)
    assert child.bury() == ["end"]


def test_it_gets_the_environment_and_the_descriptors_it_is_to_have(tmp_path: Path, end: End) -> None:
    with (tmp_path / "note").open("w") as note:
        child = shell(
            f"echo $COLOUR $HOME; echo written > /dev/fd/{note.fileno()}",
            env={"COLOUR": "red", "PATH": os.environ["PATH"]},
            pass_fds=(note.fileno(),),
        )
        assert end(child) == 0
    assert child.bury() == ["red"]
    assert (tmp_path / "note").read_text() == "written\n"


def test_a_program_that_is_not_there_raises_oserror() -> None:
    with pytest.raises(FileNotFoundError, match="no-such-program"):
        start("/no-such-program")


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (0, "exited with status 0"),
        (3, "exited with status 3"),
        (-9, "was killed by SIGKILL"),
        (-63, "was killed by signal 63"),
    ],
)
def test_an_exit_status_is_told_in_words(status: int, words: str) -> None:
    assert describe_exit(status) == words
