"""The supervisor as a process among others: killed, as PID 1, on a terminal, under nohup."""

from __future__ import annotations

import json
import os
import pty
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from micro.server.broker import embedded_broker

pytestmark = pytest.mark.measured

CHILDREN = Path(__file__).with_name("children")
SUPERVISE = CHILDREN / "supervise.py"
FOREVER = "while :; do sleep 0.02; done"

Services = dict[str, dict[str, Any]]
GuardOf = Callable[[int], int | None]
IsGone = Callable[[int], bool]
WaitUntil = Callable[..., Any]


@dataclass(frozen=True)
class Running:
    """A supervisor that has told that all is up; its files are in ``folder``."""

    popen: subprocess.Popen[str]
    pids: list[int]
    folder: Path

    def end(self) -> tuple[int, str]:
        """Wait for its end; return exit code and stderr."""
        _, errors = self.popen.communicate(timeout=8)
        return self.popen.returncode, errors


Start = Callable[..., Running]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started = []

    def start(services: Services, *wrapper: str, **options: Any) -> Running:
        argv = [*wrapper, sys.executable, str(SUPERVISE), json.dumps(services)]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        popen = subprocess.Popen(argv, cwd=tmp_path, text=True, **{**pipes, **options})
        started.append(popen)
        assert popen.stdout is not None
        return Running(popen, json.loads(popen.stdout.readline()), tmp_path)

    yield start
    for popen in started:
        with popen:
            popen.kill()


def service(script: str, **options: Any) -> dict[str, Any]:
    return {"script": script, "up": "/", **options}


def words(path: Path) -> list[str]:
    return path.read_text().split() if path.exists() else []


def descendants(pids: list[int]) -> list[int]:
    """Return the process ids of the children of these, and of theirs."""
    found = [
        int(status.parent.name)
        for status in Path("/proc").glob("[0-9]*/status")
        if any(f"\nPPid:\t{pid}\n" in status.read_text() for pid in pids)
    ]
    return [*found, *descendants(found)] if found else []


def test_sigterm_ends_it_with_0_and_leaves_nothing(start: Start, is_gone: IsGone) -> None:
    running = start({"one": service(f"trap 'echo bye; exit 0' TERM; touch up; {FOREVER}", up="up")})
    running.popen.terminate()
    code, errors = running.end()
    assert (code, errors) == (0, "micro | SIGTERM: stopping\none   | bye\n")
    assert is_gone(running.pids[0])


def test_the_exit_code_is_that_of_the_process_that_never_came_up(start: Start, tmp_path: Path) -> None:
    services = {"one": service("echo Error: no broker; exit 3", up="never")}
    done = subprocess.run(
        (sys.executable, str(SUPERVISE), json.dumps(services)), capture_output=True, text=True, check=False
    )
    assert done.returncode == 3
    assert "one did not start: it exited with status 3. Its last line: Error: no broker" in done.stderr


def test_when_it_is_killed_its_processes_are_stopped_in_order(
    start: Start, is_gone: IsGone, wait_until: WaitUntil
) -> None:
    script = "trap 'sleep 0.1; echo {0} >> ended; exit 0' TERM; touch {0}; " + FOREVER
    running = start(
        {name: service(script.format(name), up=name, stop_order=order) for order, name in enumerate("abc")}
    )
    running.popen.kill()
    wait_until(lambda: all(is_gone(pid) for pid in running.pids))
    assert words(running.folder / "ended") == ["a", "b", "c"]


def test_when_it_is_killed_the_deaf_and_their_groups_are_killed_too(
    start: Start, is_gone: IsGone, wait_until: WaitUntil
) -> None:
    deaf = f"trap '' TERM; sleep 60 & echo $! > pool; touch deaf; {FOREVER}"
    quick = "sleep 60 & echo $! > left; touch quick; wait"
    running = start({"deaf": service(deaf, up="deaf"), "quick": service(quick, up="quick")})
    left = [int(words(running.folder / name)[0]) for name in ("pool", "left")]
    running.popen.kill()
    wait_until(lambda: all(is_gone(pid) for pid in [*running.pids, *left]))


def test_whatever_was_replaced_before_who_runs_is_stopped_when_it_is_killed(
    start: Start, guard_of: GuardOf, is_gone: IsGone, wait_until: WaitUntil
) -> None:
    running = start({"one": service(f"echo $$ >> pids; touch up; {FOREVER}", up="up")})
    pids = running.folder / "pids"
    first_guard = wait_until(lambda: guard_of(running.popen.pid))
    os.kill(first_guard, signal.SIGKILL)
    wait_until(lambda: is_gone(first_guard))
    os.kill(running.pids[0], signal.SIGKILL)
    wait_until(lambda: len(words(pids)) == 2)
    wait_until(lambda: guard_of(running.popen.pid))
    last = int(words(pids)[1])
    assert not is_gone(last)
    running.popen.kill()
    wait_until(lambda: is_gone(last))


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="finds processes through /proc")
def test_gunicorn_celery_and_the_broker_end_when_it_is_killed(
    start: Start, is_gone: IsGone, wait_until: WaitUntil
) -> None:
    with tempfile.TemporaryDirectory(prefix="micro-test-") as folder, embedded_broker(Path(folder)) as broker:
        variables = f"ADDER_BROKER={shlex.quote(broker.url)} PYTHONPATH={CHILDREN}"
        run = f"{variables} exec {sys.executable} -m"
        celery = f"{run} celery -A adder worker --concurrency 2 --without-mingle --loglevel warning"
        gunicorn = f"{run} gunicorn --no-control-socket --workers 2 --bind unix:{folder}/rest hello:app"
        running = start(
            {
                "broker": service(
                    f"exec {shlex.join(broker.process.argv)}",
                    up=f"{folder}/socket",
                    start_order=-1,
                    stop_order=2,
                ),
                "celery": service(celery, up="celery.up", stop_order=1),
                "rest": service(gunicorn, up=f"{folder}/rest"),
            }
        )
        # Two processes of the Celery pool, two gunicorn workers.
        wait_until(lambda: len(descendants(running.pids)) == 4)
        everything = [*running.pids, *descendants(running.pids)]
        running.popen.kill()
        wait_until(lambda: all(is_gone(pid) for pid in everything))


def test_a_guard_is_not_held_up_by_who_has_ended() -> None:
    ended = subprocess.Popen(("true",))
    ended.wait()
    told = f"+ {ended.pid} 0 {signal.SIGTERM.value}\n"
    program = "import sys; from micro.server.supervisor.orphan_guard import main; main(sys.stdin, 60)"
    subprocess.run([sys.executable, "-c", program], input=told, text=True, timeout=8, check=True)


def test_ctrl_c_on_a_terminal_reaches_the_supervisor_alone(start: Start) -> None:
    main, side = pty.openpty()
    script = f"trap 'echo hurt' INT; trap 'sleep 0.1; echo finished; exit 0' TERM; touch up; {FOREVER}"
    running = start(
        {"one": service(script, up="up")},
        sys.executable,
        "-c",
        # A session with the terminal as its own, as a shell would give it.
        "import os, sys, fcntl, termios; os.setsid(); fcntl.ioctl(0, termios.TIOCSCTTY, 0);"
        " os.execv(sys.argv[1], sys.argv[1:])",
        stdin=side,
    )
    os.write(main, b"\x03")
    code, errors = running.end()
    assert code == 0
    assert "finished" in errors
    assert "hurt" not in errors
    os.close(main)
    os.close(side)


def test_hangup_is_ignored_under_nohup(start: Start) -> None:
    stays = start({"one": service(f"touch up; {FOREVER}", up="up")}, "nohup")
    stays.popen.send_signal(signal.SIGHUP)
    assert stays.popen.poll() is None
    stays.popen.terminate()
    code, errors = stays.end()
    assert code == 0
    assert "SIGHUP" not in errors


def test_a_reader_that_reads_nothing_does_not_keep_it_from_stopping(start: Start) -> None:
    running = start({"one": service("touch up; exec yes", up="up")})
    assert running.popen.stderr is not None
    running.popen.terminate()
    assert running.popen.wait(timeout=8) == 0


@pytest.fixture(scope="module")
def as_pid_1() -> tuple[str, ...]:
    """The command that runs another as the first process of a PID namespace."""
    wrapper = ("unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount-proc")
    if not shutil.which("unshare"):
        pytest.skip("unshare(1) is not installed, so there is no PID namespace to be PID 1 of")
    tried = subprocess.run((*wrapper, "true"), capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"this system gives no PID namespace to be PID 1 of: {tried.stderr.strip()}")
    return wrapper


def test_as_pid_1_it_reaps_orphans_and_stops_on_sigterm(start: Start, as_pid_1: tuple[str, ...]) -> None:
    script = f"""
        trap 'echo bye; exit 0' TERM
        for i in 1 2 3 4 5; do (setsid sh -c 'exit 3' & exit 0); done
        touch up
        while [ ! -e ready ]; do sleep 0.02; done
        while grep -q '^State:.Z' /proc/[0-9]*/status; do sleep 0.02; done
        cat /proc/[0-9]*/cmdline > processes
        kill -TERM 1
        {FOREVER}
    """
    running = start({"one": service(script, up="up")}, *as_pid_1)
    assert running.pids == [2]
    code, errors = running.end()
    assert code == 0, errors
    assert "one   | bye" in errors
    assert "orphan_guard.py" not in (running.folder / "processes").read_text()


def test_as_pid_1_it_goes_on_restarting_what_dies(start: Start, as_pid_1: tuple[str, ...]) -> None:
    script = f"""
        echo x >> starts; touch up
        (setsid sh -c 'exit 3' & exit 0)
        [ $(wc -l < starts) = 3 ] && kill -TERM 1 && {FOREVER}
        while [ ! -e ready ]; do sleep 0.02; done
        exit 7
    """
    code, errors = start({"one": service(script, up="up")}, *as_pid_1).end()
    assert code == 0, errors
    assert errors.count("one exited with status 7; starting it again") == 2
