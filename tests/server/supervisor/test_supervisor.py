"""What the supervisor does with the processes it is given, each a shell script."""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest

from micro.errors import MicroError
from micro.server.supervisor.output import Output
from micro.server.supervisor.supervisor import (
    NAME,
    ChildFailed,
    Process,
    ProcessState,
    RestartLimits,
    Status,
    Supervisor,
)

FAST = RestartLimits(
    grace=5, least_grace=0.3, boot=8, settle=0.05, pause=0.01, longest_pause=0.04, steady=60, poll=0.01
)
FOREVER = "while :; do sleep 0.02; done"
# Comes up, and lives until the supervisor has seen it and started the next stage with ENDER in it.
UP_ONCE = (
    "echo x >> starts;"
    " [ $(wc -l < starts) = 1 ] && { touch up; while [ -e up ]; do sleep 0.02; done; exit 7; }"
)
ENDER = Process("ender", ("sh", "-c", f"rm up; {FOREVER}"), start_order=1)
STUBBORN = f"trap '' TERM; touch stubborn; {FOREVER}"

GuardOf = Callable[[int], int | None]
IsGone = Callable[[int], bool]
WaitUntil = Callable[..., Any]


@dataclass(frozen=True)
class Outcome:
    """How a run ended, all lines it wrote, and each process as it was before the stop."""

    code: int
    lines: list[str]
    statuses: dict[str, Status]

    def said(self, text: str) -> bool:
        return any(text in line for line in self.lines)


class Supervise(Protocol):
    def __call__(
        self,
        *processes: Process,
        until: Callable[[], bool] = ...,
        then: Callable[[], None] = ...,
        limits: RestartLimits = ...,
        log: logging.Handler | None = ...,
    ) -> Outcome: ...


@pytest.fixture
def supervise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Supervise:
    """Run processes until a condition holds, then do something, by default ask the supervisor to stop."""
    monkeypatch.chdir(tmp_path)

    def supervise(
        *processes: Process,
        until: Callable[[], bool] = lambda: True,
        then: Callable[[], None] = lambda: signal.raise_signal(signal.SIGTERM),
        limits: RestartLimits = FAST,
        log: logging.Handler | None = None,
    ) -> Outcome:
        statuses: list[Status] = []

        def on_ready() -> None:
            statuses.extend(supervisor.snapshot())
            then()

        # The condition is what a last process waits for, so the supervisor's own loop looks at it.
        last = Process("last", ("sleep", "60"), ready=lambda _pid: until(), start_order=99, stop_order=-99)
        names = [process.name for process in processes]
        with (tmp_path / "output").open("w+") as stream:
            output = Output(stream, [*names, last.name, NAME], log)
            supervisor = Supervisor([*processes, last], output, on_ready, limits)
            code = supervisor.run()
            stream.seek(0)
            return Outcome(code, stream.read().splitlines(), {each.name: each for each in statuses})

    return supervise


def shell(name: str, script: str, **options: Any) -> Process:
    return Process(name, ("sh", "-c", script), **options)


def exists(name: str) -> Callable[[int], bool]:
    return lambda _pid: Path(name).exists()


def stop_once(condition: Callable[[], bool]) -> Callable[[int], bool]:
    """Never ready, but asks the supervisor to stop when the condition holds."""
    asked: list[bool] = []

    def ready(_pid: int) -> bool:
        if condition() and not asked:
            asked.append(True)
            signal.raise_signal(signal.SIGTERM)
        return False

    return ready


def words(name: str) -> list[str]:
    return Path(name).read_text().split() if Path(name).exists() else []


def test_stages_start_in_order_and_stop_in_theirs(supervise: Supervise) -> None:
    script = "echo +{0} >> order; touch {0}; trap 'sleep 0.05; echo -{0} >> order; exit 0' TERM; " + FOREVER
    orders = {"broker": (0, 9), "worker": (1, 2), "rest": (2, 1)}
    processes = [
        shell(name, script.format(name), ready=exists(name), start_order=start, stop_order=stop)
        for name, (start, stop) in reversed(orders.items())
    ]
    assert supervise(*processes).code == 0
    assert words("order") == ["+broker", "+worker", "+rest", "-rest", "-worker", "-broker"]


def test_a_stage_is_waited_for_before_the_next_one_starts(supervise: Supervise) -> None:
    slow = shell("slow", f"sleep 0.2; touch up; {FOREVER}", ready=exists("up"))
    quick = shell("quick", f"ls up; {FOREVER}", start_order=1)
    outcome = supervise(slow, quick, until=Path("up").exists)
    assert "quick | up" in outcome.lines


def test_the_output_of_all_is_forwarded_to_stream_and_log(supervise: Supervise, tmp_path: Path) -> None:
    log = logging.FileHandler(tmp_path / "log")
    log.setFormatter(logging.Formatter("%(name)s: %(message)s"))
    processes = [
        shell(name, f"echo {name}; echo oops >&2; touch {name}; {FOREVER}", ready=exists(name))
        for name in ("one", "three")
    ]
    outcome = supervise(*processes, log=log)
    log.close()
    assert {"one   | one", "one   | oops", "three | three"} <= set(outcome.lines)
    assert {"one: one", "three: oops", "micro: SIGTERM: stopping"} <= set(
        Path("log").read_text().splitlines()
    )


def test_a_flood_of_output_is_forwarded_whole_and_signals_are_heeded_in_it(supervise: Supervise) -> None:
    count = 20_000
    flood = shell("flood", f"seq {count}; touch done; exec yes")
    outcome = supervise(flood, until=Path("done").exists)
    assert outcome.code == 0
    said = [line.removeprefix("flood | ") for line in outcome.lines if line.startswith("flood | ")]
    assert said[:count] == [str(number) for number in range(1, count + 1)]
    assert set(said[count:]) <= {"y"}


def test_while_nobody_reads_the_stream_the_processes_wait_for_it(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    looks = []

    def has_waited(_pid: int) -> bool:
        looks.append(output.full)
        return looks.count(True) > 50

    talk = shell("talk", f"seq 300000; touch {tmp_path}/all; {FOREVER}", ready=has_waited)
    with os.fdopen(writer, "w") as stream:
        output = Output(stream, ["talk", NAME])
        supervisor = Supervisor([talk], output, lambda: signal.raise_signal(signal.SIGTERM), FAST)
        assert supervisor.run() == 0
    os.close(reader)
    assert not (tmp_path / "all").exists()


def test_a_process_that_dies_is_started_again_with_growing_pauses(supervise: Supervise) -> None:
    service = shell("service", f"{UP_ONCE}; touch up; exit 3", ready=exists("up"))
    outcome = supervise(service, ENDER, until=lambda: len(words("starts")) >= 5)
    assert outcome.code == 0
    assert outcome.statuses["service"].restarts >= 4
    assert [line for line in outcome.lines if line.startswith("micro   | service exited")][:4] == [
        "micro   | service exited with status 7; starting it again in 0.01 s",
        "micro   | service exited with status 3; starting it again in 0.02 s",
        "micro   | service exited with status 3; starting it again in 0.04 s",
        "micro   | service exited with status 3; starting it again in 0.04 s",
    ]


def test_a_process_that_was_up_for_long_is_started_again_at_once(supervise: Supervise) -> None:
    limits = RestartLimits(grace=5, settle=0.01, pause=0.01, steady=0.05, poll=0.01)
    service = shell("service", "echo x >> starts; sleep 0.8; exit 7")
    outcome = supervise(service, until=lambda: len(words("starts")) >= 3, limits=limits)
    assert sum("starting it again in 0.01 s" in line for line in outcome.lines) >= 2


def test_one_that_fails_to_come_up_again_is_tried_until_it_does(supervise: Supervise) -> None:
    script = f"{UP_ONCE}; [ $(wc -l < starts) -lt 4 ] && exit 3; touch up; {FOREVER}"
    outcome = supervise(
        shell("service", script, ready=exists("up")),
        ENDER,
        until=lambda: "service is up again" in Path("output").read_text(),
    )
    assert outcome.code == 0
    assert outcome.statuses["service"].restarts == 3
    assert outcome.statuses["service"].state is ProcessState.UP


def test_what_a_killed_leader_left_behind_is_killed_before_the_restart(
    supervise: Supervise, is_gone: IsGone
) -> None:
    script = f"sleep 60 & echo $! > pool; echo $$ >> leaders; touch up; {FOREVER}"

    def kill_leader() -> bool:
        os.kill(int(words("leaders")[0]), signal.SIGKILL)
        Path("pool").rename("old")
        return True

    killing = shell("killing", FOREVER, ready=lambda _pid: kill_leader(), start_order=1)
    outcome = supervise(
        shell("service", script, ready=exists("up")), killing, until=lambda: len(words("leaders")) == 2
    )
    assert outcome.said("service was killed by SIGKILL; starting it again")
    assert is_gone(int(words("old")[0]))


def test_a_guard_that_was_killed_is_replaced(supervise: Supervise, guard_of: GuardOf) -> None:
    killed = []

    def kill_guard(_pid: int) -> bool:
        guard = guard_of(os.getpid())
        if guard and not killed:
            killed.append(guard)
            os.kill(guard, signal.SIGKILL)
        return bool(killed)

    def is_replaced() -> bool:
        return guard_of(os.getpid()) not in [None, *killed]

    outcome = supervise(
        shell("service", f"{UP_ONCE}; touch up; {FOREVER}", ready=exists("up")),
        Process("killing", ("sleep", "60"), ready=kill_guard),
        ENDER,
        until=is_replaced,
    )
    assert outcome.code == 0


@pytest.mark.parametrize(
    ("script", "code", "message"),
    [
        (
            "echo Error: no plugins; exit 2",
            2,
            "service did not start: it exited with status 2. Its last line: Error: no plugins",
        ),
        ("exit 3", 3, "service did not start: it exited with status 3"),
        ("echo done; exit 0", 1, "service did not start: it exited with status 0. Its last line: done"),
        ("kill -9 $$", 1, "service did not start: it was killed by SIGKILL"),
    ],
)
def test_one_that_never_came_up_ends_all_with_its_reason(
    supervise: Supervise, is_gone: IsGone, script: str, code: int, message: str
) -> None:
    other = shell("other", f"echo $$ > other; {FOREVER}", ready=exists("other"))
    with pytest.raises(ChildFailed) as failure:
        supervise(other, shell("service", script, start_order=1))
    assert isinstance(failure.value, MicroError)
    assert failure.value.exit_code == code
    assert failure.value.message == message
    assert is_gone(int(words("other")[0]))


def test_the_last_lines_of_one_that_never_came_up_are_kept(supervise: Supervise) -> None:
    with pytest.raises(ChildFailed) as failure:
        supervise(shell("service", "echo one; echo; echo two >&2; exit 1"))
    assert failure.value.tail == ("one", "two")


def test_one_that_is_not_ready_in_time_ends_all(supervise: Supervise) -> None:
    service = shell("service", FOREVER, ready=exists("never"))
    with pytest.raises(ChildFailed, match=r"service did not start: it was not ready within 0\.1 s"):
        supervise(service, limits=RestartLimits(boot=0.1, poll=0.01))


def test_one_that_hangs_at_its_restart_is_killed_and_tried_again(supervise: Supervise) -> None:
    three_starts = stop_once(lambda: len(words("starts")) == 3)
    service = shell(
        "service", f"{UP_ONCE}; {FOREVER}", ready=lambda pid: exists("up")(pid) or three_starts(pid)
    )
    outcome = supervise(
        service, ENDER, then=lambda: None, limits=RestartLimits(boot=0.5, settle=0.01, pause=0.01)
    )
    assert outcome.code == 0
    assert outcome.said("service was not ready within 0.5 s; starting it again")


def test_a_program_that_is_not_there_ends_all(supervise: Supervise) -> None:
    with pytest.raises(ChildFailed, match=r"did not start: it could not be run .*'/no-such-program'"):
        supervise(Process("service", ("/no-such-program",)))


def test_a_program_that_disappears_is_tried_again(supervise: Supervise, tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\n{UP_ONCE}\n")
    program.chmod(0o700)
    ender = shell("ender", f"rm {program} up; {FOREVER}", start_order=1)
    outcome = supervise(
        Process("service", (str(program),), ready=exists("up")),
        ender,
        until=lambda: Path("output").read_text().count("service could not be run") > 1,
    )
    assert outcome.code == 0
    assert outcome.statuses["service"].pid is None
    assert outcome.statuses["service"].state is ProcessState.WAITING


def test_a_signal_while_they_start_stops_what_has_started(supervise: Supervise) -> None:
    script = f"trap 'echo bye; exit 0' TERM; touch up; {FOREVER}"
    slow = shell("slow", script, ready=stop_once(lambda: Path("up").exists()))
    later = shell("later", "touch later", start_order=1)
    outcome = supervise(slow, later, then=lambda: pytest.fail("not all are up"))
    assert outcome.code == 0
    assert outcome.said("slow  | bye")
    assert not Path("later").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_each_stop_signal_ends_it_in_order(supervise: Supervise, number: signal.Signals) -> None:
    service = shell("service", f"trap 'echo finished; exit 0' TERM; touch up; {FOREVER}", ready=exists("up"))
    before = signal.getsignal(number)
    outcome = supervise(service, then=lambda: signal.raise_signal(number))
    assert outcome.code == 0
    assert outcome.said("service | finished")
    assert outcome.said(f"{number.name}: stopping")
    assert signal.getsignal(number) == before


def test_only_the_leader_is_asked_to_stop(supervise: Supervise) -> None:
    pool = f"trap 'echo hurt > hurt' TERM; touch pool; {FOREVER}"
    leader = f"sh -c \"{pool}\" & trap 'sleep 0.1; echo finished; exit 0' TERM; {FOREVER}"
    outcome = supervise(shell("service", leader, ready=exists("pool")))
    assert outcome.code == 0
    assert outcome.said("service | finished")
    assert not Path("hurt").exists()


@pytest.mark.parametrize("script", [STUBBORN, "touch stubborn; kill -STOP $$"], ids=["deaf", "frozen"])
def test_one_that_does_not_stop_is_killed_after_the_grace_period(supervise: Supervise, script: str) -> None:
    limits = RestartLimits(grace=0.3, least_grace=0.1, settle=0.05, poll=0.01)
    polite = shell("polite", f"trap 'echo bye; exit 0' TERM; {FOREVER}", stop_order=1)
    started = time.monotonic()
    outcome = supervise(polite, shell("service", script, ready=exists("stubborn")), limits=limits)
    assert outcome.code == 1
    assert time.monotonic() - started < 5
    assert outcome.said("service has not stopped; killing it")
    # Stages that come later are still asked first.
    assert outcome.said("polite  | bye")


def test_a_second_signal_kills_at_once(supervise: Supervise) -> None:
    def stop_twice() -> None:
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)

    started = time.monotonic()
    outcome = supervise(
        shell("service", STUBBORN, ready=exists("stubborn")),
        then=stop_twice,
        limits=RestartLimits(grace=60, poll=0.01),
    )
    assert outcome.code == 1
    assert outcome.said("SIGINT again: killing")
    assert time.monotonic() - started < 8


def test_while_stopping_nothing_is_started_again(supervise: Supervise) -> None:
    fragile = shell(
        "fragile",
        "echo x >> starts; touch up; while [ ! -e going ]; do sleep 0.01; done; exit 1",
        ready=exists("up"),
        stop_order=2,
    )
    slow = shell("slow", f"trap 'touch going; sleep 0.3; exit 0' TERM; {FOREVER}", stop_order=1)
    assert supervise(fragile, slow).code == 0
    assert words("starts") == ["x"]


def test_an_error_of_our_own_leaves_nothing_running(supervise: Supervise, is_gone: IsGone) -> None:
    def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        supervise(shell("service", f"echo $$ > pid; {FOREVER}", ready=exists("pid")), then=fail)
    assert is_gone(int(words("pid")[0]))


def test_a_snapshot_tells_how_each_process_is(supervise: Supervise) -> None:
    before = time.time()
    status = supervise(shell("service", f"echo $$ > pid; {FOREVER}", ready=exists("pid"))).statuses["service"]
    assert status == Status("service", int(words("pid")[0]), ProcessState.UP, 0, status.since)
    assert before <= status.since <= time.time()
