from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from micro.server.ahead import Ahead, ahead_of
from micro.server.process import Child, Process

# Says what it got, and what is in the descriptor that its last argument names.
CHILD = """
import os, sys
from micro.server.ahead import awaited_arguments
print("begun", flush=True)
arguments = awaited_arguments()
print(len(os.read(0, 1)), os.environ.get("GIVEN"), *arguments[:-1], flush=True)
if arguments:
    print(os.read(int(arguments[-1].removeprefix("fd://")), 100).decode(), flush=True)
"""
ARGV = (sys.executable, "-c", CHILD)

WaitUntil = Callable[..., object]
IsGone = Callable[[int], bool]


@pytest.fixture
def ahead() -> Iterator[Ahead]:
    started = Ahead(ARGV)
    yield started
    started.dismiss()


def _process(ahead: Ahead, fd: int) -> Process:
    argv = (*ARGV, "file", "rest", f"fd://{fd}")
    return Process("rest", argv, env={**os.environ, "GIVEN": "this"}, pass_fds=(fd,), ahead=ahead)


def _end(child: Child, wait_until: WaitUntil) -> list[str]:
    lines: list[str] = []
    wait_until(lambda: lines.extend(child.read()) or child.poll() is not None)
    return [*lines, *child.bury()]


def test_the_first_start_of_a_process_takes_what_was_started_ahead(
    ahead: Ahead, wait_until: WaitUntil
) -> None:
    pid = ahead.pid
    reader, writer = os.pipe()
    os.write(writer, b"handed over")
    os.close(writer)
    try:
        child = Child(_process(ahead, reader))
        assert child.pid == pid
        assert _end(child, wait_until) == ["begun", "0 this file rest", "handed over"]
        again = Child(_process(ahead, reader))
        assert again.pid != pid
        again.kill_group()
        _end(again, wait_until)
    finally:
        os.close(reader)


def test_one_that_has_ended_is_not_taken(ahead: Ahead, wait_until: WaitUntil, is_gone: IsGone) -> None:
    os.kill(ahead.pid, signal.SIGKILL)
    wait_until(lambda: is_gone(ahead.pid))
    assert ahead.take(ARGV, {}, ()) is None


def test_one_that_is_dismissed_ends(ahead: Ahead, is_gone: IsGone) -> None:
    pid = ahead.pid
    ahead.dismiss()
    assert is_gone(pid)
    assert ahead.take(ARGV, {}, ()) is None


def test_it_ends_with_a_program_that_was_killed(wait_until: WaitUntil, is_gone: IsGone) -> None:
    waiting = (sys.executable, "-c", "from micro.server.ahead import awaited_arguments as a; assert not a()")
    script = f"""if True:
        import os
        from micro.server.ahead import Ahead
        print(Ahead({waiting!r}).pid, flush=True)
        os.kill(os.getpid(), 9)
    """
    done = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, check=False, text=True)
    assert done.returncode == -signal.SIGKILL
    wait_until(lambda: is_gone(int(done.stdout)))


@pytest.mark.parametrize(
    ("arguments", "likely"),
    [
        ("-G", True),
        ("-p plugins --gunicorn", True),
        ("-GC", True),
        ("-CG -p plugins", True),
        ("-GD", False),
        ("-p -Gplugins", False),
        ("-G --daemon", False),
        ("-C", False),
        ("", False),
        ("run example -G", False),
        ("-G -D", False),
    ],
)
def test_rest_is_started_ahead_where_the_command_line_asks_for_it(
    arguments: str, likely: bool, is_gone: IsGone
) -> None:
    with ahead_of(arguments.split()) as ahead:
        assert (ahead is not None) is likely
        pid = ahead.pid if ahead else None
    assert pid is None or is_gone(pid)
