"""A watch beside a run: leases, reports, cancellation, time limits; and the ticker that drives it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from math import inf, nan
from typing import Any

import pytest

from micro.errors import StoreUnavailable
from micro.jobs.models import JobRecord, State
from micro.jobs.store.store import JobStore
from micro.jobs.worker.monitor import Monitor, Terms
from micro.models import Progress
from micro.periodic import PeriodicCalls

Wait = Callable[..., Any]
Begin = Callable[..., Monitor]


@pytest.fixture
def killed() -> list[str]:
    """The jobs whose process would have been killed."""
    return []


@pytest.fixture
def watch(store: JobStore, running: JobRecord, killed: list[str]) -> Iterator[Begin]:
    """Watch the running job, looking every hundredth of a second."""
    terms = Terms(lease=0.03, grace=0.05, kill=killed.append, periodic=PeriodicCalls(0.01, linger=0))

    def begin(record: Any = store, **changes: Any) -> Monitor:
        return Monitor(record, replace(running, **changes), terms)

    return begin


def test_a_watch_keeps_the_lease(store: JobStore, running: JobRecord, watch: Begin, wait_for: Wait) -> None:
    def seconds_left() -> float:
        with store.database.connect() as connection:
            return float(connection.exec_driver_sql("SELECT due FROM micro_jobs").scalar_one())

    first = seconds_left()
    with watch():
        # The lease that the claim took was longer.
        wait_for(lambda: seconds_left() < first)
        second = seconds_left()
        wait_for(lambda: seconds_left() > second)


def test_reports_reach_the_table_while_the_run_goes_on(
    store: JobStore, running: JobRecord, watch: Begin, wait_for: Wait
) -> None:
    with watch() as reporter:
        reporter.progress(1, 3, "first")
        reporter.log("INFO", "a line")
        wait_for(lambda: store.get(running.id).log_lines)
        job = store.get(running.id)
        assert job.progress == Progress(1, 3, "first")
        assert [each.data["text"] for each in store.events(job.id).events if each.kind == "log"] == ["a line"]


def test_what_was_reported_last_is_not_lost(store: JobStore, running: JobRecord, watch: Begin) -> None:
    with watch() as reporter:
        for done in range(4):
            reporter.progress(done, 3, "")
        reporter.log("ERROR", "the end")
    job = store.get(running.id)
    assert (job.progress, job.log_lines) == (Progress(3, 3, ""), 1)


@pytest.mark.parametrize(
    ("done", "total", "kept"),
    [(1, inf, Progress(1, None)), (2, nan, Progress(2, None)), (nan, 3, None), (inf, None, None)],
)
def test_numbers_that_json_has_not_are_left_out(
    store: JobStore, running: JobRecord, watch: Begin, done: float, total: float, kept: Progress | None
) -> None:
    with watch() as reporter:
        reporter.progress(done, total, "")
    assert store.get(running.id).progress == kept


def test_a_run_is_told_to_stop_when_somebody_cancels_the_job(
    store: JobStore, running: JobRecord, watch: Begin, wait_for: Wait
) -> None:
    with watch() as reporter:
        assert not reporter.cancelled()
        store.cancel(running.id)
        wait_for(reporter.cancelled)


def test_or_takes_it_over(store: JobStore, running: JobRecord, watch: Begin, wait_for: Wait) -> None:
    with watch(attempt=0) as reporter:
        wait_for(reporter.cancelled)


def test_a_cancelled_run_that_does_not_stop_is_killed_after_the_grace(
    store: JobStore, running: JobRecord, watch: Begin, wait_for: Wait, killed: list[str]
) -> None:
    store.cancel(running.id)
    with watch():
        wait_for(lambda: killed)
    assert (killed, store.state(running.id)) == ([running.id], State.CANCELLED)


def test_a_run_past_its_time_and_the_grace_is_killed(
    store: JobStore, running: JobRecord, watch: Begin, wait_for: Wait, killed: list[str]
) -> None:
    with watch(timeout=0.02) as reporter:
        wait_for(reporter.is_out_of_time)
        wait_for(lambda: killed)
    job = store.get(running.id)
    assert job.state is State.FAILED
    assert job.error == {
        "error": "The run took longer than the 0.02 seconds that plugin 'Adder' allows",
        "code": "time-limit",
        "status": 504,
    }


class Away:
    """A job table that does not answer for some calls."""

    def __init__(self, store: JobStore, calls: int) -> None:
        self._store, self._calls = store, calls

    def renew(self, *given: Any) -> Any:
        return self._unless_away(self._store.renew, *given)

    def finish(self, *given: Any, **named: Any) -> Any:
        return self._unless_away(self._store.finish, *given, **named)

    def _unless_away(self, operation: Callable[..., Any], *given: Any, **named: Any) -> Any:
        self._calls -= 1
        if self._calls >= 0:
            raise StoreUnavailable("no answer")
        return operation(*given, **named)


def test_reports_wait_for_a_table_that_is_away(
    store: JobStore, running: JobRecord, watch: Begin, wait_for: Wait, caplog: pytest.LogCaptureFixture
) -> None:
    with watch(Away(store, 3)) as reporter:
        reporter.log("INFO", "one")
        reporter.progress(1, None, "")
        wait_for(lambda: "goes on, but the job table does not answer: no answer" in caplog.text)
        reporter.log("INFO", "two")
        wait_for(lambda: store.get(running.id).log_lines == 2)
    told = [each.data["text"] for each in store.events(running.id).events if each.kind == "log"]
    assert told == ["one", "two"]
    assert store.get(running.id).progress == Progress(1, None)


def test_a_run_is_killed_even_if_that_cannot_be_recorded(
    store: JobStore, watch: Begin, wait_for: Wait, killed: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    with watch(Away(store, 1000), timeout=0.02):
        wait_for(lambda: killed)
    assert "its end is not recorded, the job table does not answer: no answer" in caplog.text


# The ticker


def test_a_ticker_calls_again_and_again_until_told_to_stop(wait_for: Wait) -> None:
    calls: list[int] = []
    periodic = PeriodicCalls(0.001, linger=0)

    def call() -> None:
        calls.append(len(calls))

    periodic.add(call)
    wait_for(lambda: len(calls) > 2)
    periodic.remove(call)
    wait_for(lambda: periodic._thread is None)
    count = len(calls)
    periodic.add(call)
    wait_for(lambda: len(calls) > count)
    periodic.remove(call)


def test_a_call_that_fails_does_not_stop_the_others(wait_for: Wait, caplog: pytest.LogCaptureFixture) -> None:
    periodic = PeriodicCalls(0.001, linger=0)
    called = threading.Event()

    def fail() -> None:
        raise RuntimeError("out of order")

    periodic.add(fail)
    periodic.add(called.set)
    wait_for(lambda: called.is_set() and "out of order" in caplog.text)
    periodic.remove(fail)
    periodic.remove(called.set)
