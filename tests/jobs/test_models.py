"""Whatever callers, workers and sweeps do, and in whatever order, a job obeys its rules."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from micro.errors import Conflict
from micro.jobs.models import FINISHED, Hold, NewJob, State
from micro.jobs.store.store import JobStore
from micro.models import Progress

OVERDUE, SOON, LATER = -3600, 0, 3600
OWNERS = st.sampled_from(["worker-1", "worker-2"])
LEASES = st.sampled_from([OVERDUE, LATER])


@dataclass
class Expected:
    """What the rules say of one job: ``due`` for the sweep, ``ready`` to be claimed."""

    attempts: int
    due: bool
    ready: bool
    state: State = State.QUEUED
    attempt: int = 0
    lost: int = 0
    cancel_requested: bool = False
    hold: Hold | None = None
    seen: int = 0

    def claimable(self) -> bool:
        free = self.ready if self.state is State.QUEUED else self.state is State.RUNNING and self.due
        return free and self.attempt < self.attempts and not self.cancel_requested

    def end(self, state: State) -> None:
        self.state, self.due, self.ready, self.hold = state, False, False, None


class Jobs(RuleBasedStateMachine):
    jobs = Bundle("jobs")
    holds = Bundle("holds")

    def __init__(self, store: JobStore) -> None:
        super().__init__()
        self.store = store
        self.expected: dict[str, Expected] = {}

    @rule(target=jobs, attempts=st.integers(1, 3), delay=st.sampled_from([OVERDUE, SOON, LATER]))
    def submit(self, attempts: int, delay: float) -> str:
        job, _ = self.store.submit(NewJob("Adder", {}, attempts=attempts, delay=delay))
        self.expected[job.id] = Expected(attempts, due=delay == OVERDUE, ready=delay != LATER)
        return job.id

    @rule(target=holds, job=jobs, owner=OWNERS, lease=LEASES)
    def claim(self, job: str, owner: str, lease: float) -> object:
        claimed = self.store.claim(job, owner, lease)
        mine = self.expected.get(job)
        assert (claimed is not None) == (mine is not None and mine.claimable())
        if claimed is None or mine is None:
            return multiple()
        mine.lost += mine.state is State.RUNNING
        mine.attempt += 1
        mine.state, mine.due, mine.hold = State.RUNNING, lease == OVERDUE, claimed.hold
        assert claimed.hold == Hold(job, owner, mine.attempt)
        return claimed.hold

    @rule(hold=holds, lease=LEASES, report=st.booleans())
    def renew(self, hold: Hold, lease: float, report: bool) -> None:
        renewal = self.store.renew(hold, lease, Progress(1) if report else None)
        mine = self.holder(hold)
        assert renewal.kept == (mine is not None)
        if mine is not None:
            assert renewal.cancel_requested == mine.cancel_requested
            mine.lost -= mine.state is State.QUEUED
            mine.state, mine.due = State.RUNNING, lease == OVERDUE

    @rule(hold=holds, state=st.sampled_from(FINISHED))
    def finish(self, hold: Hold, state: State) -> None:
        mine = self.holder(hold)
        finished = self.store.finish(hold, state)
        if mine is not None:
            assert finished
            mine.end(state)

    @rule(hold=holds, delay=st.sampled_from([SOON, LATER]))
    def release(self, hold: Hold, delay: float) -> None:
        mine = self.holder(hold)
        released = self.store.release(hold, delay, "the line was busy")
        if mine is None or mine.state is State.QUEUED:
            return
        assert released
        if mine.cancel_requested:
            mine.end(State.CANCELLED)
        else:
            mine.state, mine.hold = State.QUEUED, None
            mine.due = mine.ready = delay == SOON

    @rule(job=jobs)
    def cancel(self, job: str) -> None:
        mine = self.expected.get(job)
        if mine is None:
            return
        if mine.state in {State.SUCCEEDED, State.FAILED}:
            with pytest.raises(Conflict):
                self.store.cancel(job)
            return
        self.store.cancel(job)
        mine.cancel_requested |= not mine.state.finished
        if mine.state is State.QUEUED:
            mine.end(State.CANCELLED)

    @rule(job=jobs)
    def delete(self, job: str) -> None:
        mine = self.expected.get(job)
        if mine is None:
            return
        if mine.state.finished:
            self.store.delete(job)
            del self.expected[job]
        else:
            with pytest.raises(Conflict):
                self.store.delete(job)

    @rule()
    def sweep(self) -> None:
        swept = self.store.sweep(limit=10_000)
        published = {job for job, _queue in swept.publish}
        for job, mine in self.expected.items():
            was_due, was_running = mine.due, mine.state is State.RUNNING
            if was_due:
                mine.lost += was_running
                mine.due = False
                self.settle(mine)
            assert (job in published) == (was_due and not mine.state.finished)
            assert (job in swept.failed) == (was_due and mine.state is State.FAILED)
            assert (job in swept.cancelled) == (was_due and mine.state is State.CANCELLED)

    @staticmethod
    def settle(mine: Expected) -> None:
        if mine.cancel_requested:
            mine.end(State.CANCELLED)
        elif mine.attempt >= mine.attempts:
            mine.end(State.FAILED)
        else:
            mine.state, mine.ready = State.QUEUED, True

    @invariant()
    def the_table_says_what_the_rules_say(self) -> None:
        for job, mine in self.expected.items():
            found = self.store.get(job)
            assert (found.state, found.attempt) == (mine.state, mine.attempt)
            assert (found.lost, found.cancel_requested) == (mine.lost, mine.cancel_requested)
            assert (found.finished is not None) == mine.state.finished

    @invariant()
    def a_reader_of_events_learns_every_state(self) -> None:
        for job, mine in self.expected.items():
            feed = self.store.events(job, mine.seen)
            numbers = [event.number for event in feed.events]
            assert numbers == sorted(set(numbers))
            assert feed.over == mine.state.finished
            told = [event.data["state"] for event in feed.events if event.kind == "state"]
            assert mine.seen or told
            assert told in ([], [mine.state])
            mine.seen = max([mine.seen, *numbers])

    def holder(self, hold: Hold) -> Expected | None:
        mine = self.expected.get(hold.job)
        return mine if mine is not None and mine.hold == hold else None


def test_a_job_obeys_its_rules(sqlite: JobStore) -> None:
    check(lambda: Jobs(sqlite), examples=25)


def test_a_job_obeys_its_rules_in_postgresql_too(postgresql_url: str) -> None:
    store = JobStore(postgresql_url)
    check(lambda: Jobs(store), examples=4)
    store.close()


def check(machine: Callable[[], Jobs], examples: int) -> None:
    limits = settings(
        max_examples=examples,
        stateful_step_count=25,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(machine, settings=limits)
