"""Processes take over from others, and errands are run beside them."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from micro.server.supervisor.managed_process import ChildFailed
from micro.server.supervisor.oneshot import End
from micro.server.supervisor.output import Output
from micro.server.supervisor.supervisor import NAME, Process, ProcessState, RestartLimits, Supervisor

LIMITS = RestartLimits(grace=5, least_grace=0.3, boot=8, settle=0.05, pause=0.01, poll=0.01)
FOREVER = "while :; do sleep 0.02; done"
WORK = "trap 'echo -{0} >> order; exit 0' TERM; echo +{0} >> order; touch {0}; " + FOREVER
Run = Callable[..., list[str]]


def process(name: str, generation: int, script: str = WORK, **options: Any) -> Process:
    mark = f"{name}{generation}"
    return Process(
        name,
        ("sh", "-c", script.format(mark)),
        ready=lambda _pid: Path(mark).exists(),
        generation=generation,
        **options,
    )


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run processes and do something with their supervisor once they are up; return the lines they wrote."""
    monkeypatch.chdir(tmp_path)

    def run(
        act: Callable[[Supervisor], None], *processes: Process, code: int = 0, handover: float = 0.2
    ) -> list[str]:
        limits = replace(LIMITS, handover=handover)
        names = dict.fromkeys([*(each.name for each in processes), "errand", NAME])
        with (tmp_path / "output").open("w+") as stream:
            output = Output(stream, names)
            supervisor = Supervisor(processes, output, lambda: act(supervisor), limits)
            assert supervisor.run() == code
            stream.seek(0)
            return stream.read().splitlines()

    return run


def stop() -> None:
    signal.raise_signal(signal.SIGTERM)


def order() -> list[str]:
    return Path("order").read_text().split()


def test_each_is_up_before_the_one_it_follows_stops(run: Run) -> None:
    ends: list[object] = []

    def renew(supervisor: Supervisor) -> None:
        supervisor.renew([process("a", 2), process("b", 2, stop_order=1)], done)

    def done(failed: ChildFailed | None) -> None:
        ends.append(failed)
        stop()

    run(renew, process("a", 1), process("b", 1, stop_order=1))
    assert ends == [None]
    done_by = {each: place for place, each in enumerate(order())}
    for name in ("a", "b"):
        assert done_by[f"+{name}1"] < done_by[f"+{name}2"] < done_by[f"-{name}1"]
    assert done_by["+a2"] < done_by["+b2"]


def test_one_that_does_not_come_up_leaves_the_old_in_service(run: Run) -> None:
    ends: list[ChildFailed | None] = []

    def renew(supervisor: Supervisor) -> None:
        def done(failed: ChildFailed | None) -> None:
            ends.append(failed)
            states = {each.name: (each.state, each.generation) for each in supervisor.snapshot()}
            assert states == {"a": (ProcessState.UP, 1), "b": (ProcessState.UP, 1)}
            stop()

        broken = process("a", 2, "echo no luck; exit 3")
        supervisor.renew([broken, process("b", 2)], done)

    run(renew, process("a", 1), process("b", 1))
    assert ends[0] and ends[0].message == "a did not start: it exited with status 3. Its last line: no luck"
    assert sorted(order()) == ["+a1", "+b1", "-a1", "-b1"]


def test_one_that_cannot_be_run_ends_the_renewal(run: Run) -> None:
    def renew(supervisor: Supervisor) -> None:
        supervisor.renew([Process("a", ("/no-such-program",))], lambda failed: stop() if failed else None)

    run(renew, process("a", 1))
    assert order() == ["+a1", "-a1"]


def test_the_old_gets_the_time_it_needs_and_is_asked_to_stop_once(run: Run) -> None:
    slow = "trap 'echo asked >> asked' TERM; echo +{0} >> order; touch {0};"
    slow += " while [ ! -e go ]; do sleep 0.02; done; echo -{0} >> order"

    def renew(supervisor: Supervisor) -> None:
        def done(_failed: object) -> None:
            both = [(each.state, each.generation) for each in supervisor.snapshot()]
            assert both == [(ProcessState.UP, 2), (ProcessState.STOPPING, 1)]
            # Far longer than the pauses between restarts: it is not started again either.
            supervisor.run_once(
                Process("errand", ("sh", "-c", "sleep 0.3; touch go")), 5, lambda _end: stop()
            )

        supervisor.renew([process("a", 2)], done)

    run(renew, process("a", 1, slow))
    assert sorted(order()) == ["+a1", "+a2", "-a1", "-a2"]
    assert Path("asked").read_text().split() == ["asked"]


def test_one_that_tells_that_it_takes_no_more_is_not_waited_for(run: Run) -> None:
    slow = "trap 'touch left' TERM; touch {0}; while [ ! -e go ]; do sleep 0.02; done; touch finished"

    def renew(supervisor: Supervisor) -> None:
        def done(_failed: object) -> None:
            assert (Path("left").exists(), Path("finished").exists()) == (True, False)
            Path("go").touch()
            stop()

        supervisor.renew([process("a", 2)], done)

    run(renew, process("a", 1, slow, left=lambda _pid: Path("left").exists()), handover=60)
    assert Path("finished").exists()


def test_a_stop_ends_a_renewal_in_the_middle(run: Run) -> None:
    def renew(supervisor: Supervisor) -> None:
        starting = process("a", 2, "trap 'echo -{0} >> order; exit 0' TERM; touch begun; " + FOREVER)
        supervisor.renew([starting, process("b", 2)], lambda _failed: pytest.fail("it went on"))
        supervisor.run_once(
            Process("errand", ("sh", "-c", "while [ ! -e begun ]; do sleep 0.02; done")),
            5,
            lambda _end: stop(),
        )

    run(renew, process("a", 1), process("b", 1))
    assert sorted(order()) == ["+a1", "+b1", "-a1", "-a2", "-b1"]


@pytest.mark.parametrize(
    ("argv", "seconds", "expected"),
    [
        (("sh", "-c", "echo said; exit 0"), 5, End(0, "exited with status 0", ("said",))),
        (("sh", "-c", "exit 3"), 5, End(3, "exited with status 3")),
        (("sh", "-c", FOREVER), 0.2, End(-9, "was not done within 0.2 s")),
        (("sh", "-c", "kill -9 $$"), 5, End(-9, "was killed by SIGKILL")),
    ],
)
def test_an_errand_tells_its_end(run: Run, argv: tuple[str, ...], seconds: float, expected: End) -> None:
    ends: list[End] = []

    def act(supervisor: Supervisor) -> None:
        supervisor.run_once(Process("errand", argv), seconds, lambda end: (ends.append(end), stop())[1])

    lines = run(act, process("a", 1))
    assert [(each.status, each.reason, tuple(each.tail)) for each in ends] == [
        (expected.status, expected.reason, tuple(expected.tail))
    ]
    assert ("errand | said" in lines) == (expected.tail == ("said",))


def test_an_errand_that_cannot_be_run_tells_so(run: Run) -> None:
    ends: list[End] = []

    def act(supervisor: Supervisor) -> None:
        supervisor.run_once(Process("errand", ("/no-such-program",)), 5, ends.append)
        stop()

    run(act, process("a", 1))
    assert ends[0].reason.startswith("could not be run")


def test_a_stop_kills_an_errand_and_tells_nobody(run: Run, is_gone: Callable[[int], bool]) -> None:
    def act(supervisor: Supervisor) -> None:
        script = f"trap '' TERM; echo $$ > pid.new; mv pid.new pid; {FOREVER}"
        supervisor.run_once(Process("errand", ("sh", "-c", script)), 60, lambda _end: pytest.fail("told"))
        starting = Process("a", ("sleep", "60"), ready=lambda _pid: Path("pid").exists(), generation=2)
        supervisor.renew([starting], lambda _failed: stop())

    run(act, process("a", 1))
    assert is_gone(int(Path("pid").read_text()))


@pytest.mark.parametrize("seen_to", [True, False])
def test_a_hangup_is_asked_about(run: Run, tmp_path: Path, seen_to: bool) -> None:
    asked: list[bool] = []

    def on_hangup() -> bool:
        asked.append(True)
        if seen_to:
            stop()
        return seen_to

    with (tmp_path / "stream").open("w+") as stream:
        supervisor = Supervisor(
            [process("a", 1)],
            Output(stream, ["a", NAME]),
            lambda: os.kill(os.getpid(), signal.SIGHUP),
            LIMITS,
            on_hangup,
        )
        assert supervisor.run() == 0
        stream.seek(0)
        assert ("SIGHUP: stopping" in stream.read()) == (not seen_to)
    assert asked == [True]
