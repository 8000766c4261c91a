"""Jobs are listed newest first, in pages that stay put, by the index made for it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest
from sqlalchemy import insert, text

from micro.errors import BadRequest
from micro.jobs.models import JobRecord, NewJob, Page, State, first_id, new_id
from micro.jobs.store import queries
from micro.jobs.store.schema import jobs
from micro.jobs.store.store import JobStore

PLUGINS = ("Adder", "Subtracter")


@pytest.fixture
def mixed(store: JobStore) -> list[JobRecord]:
    """Three jobs of each plugin in each state, oldest first."""
    submitted = [
        (state, submit(store, plugin, state)) for _ in range(3) for plugin, state in product(PLUGINS, State)
    ]
    found = [store.get(job) for _state, job in submitted]
    assert [job.state for job in found] == [state for state, _job in submitted]
    return found


def submit(store: JobStore, plugin: str, state: State) -> str:
    job, _ = store.submit(NewJob(plugin, {}))
    if state is State.CANCELLED:
        store.cancel(job.id)
    elif state is not State.QUEUED:
        claimed = store.claim(job.id, "worker-1", 60)
        assert claimed is not None
        if state.finished:
            store.finish(claimed.hold, state, '"a result"')
    return job.id


def pages(store: JobStore, limit: int, plugin: str | None = None) -> Iterator[Page]:
    page = store.list_jobs(plugin, limit=limit)
    yield page
    while page.cursor:
        page = store.list_jobs(plugin, limit=limit, cursor=page.cursor)
        yield page


def ids(page: Page) -> list[str]:
    return [job.id for job in page.jobs]


def test_jobs_are_listed_newest_first(store: JobStore, mixed: list[JobRecord]) -> None:
    for plugin, state in product([None, *PLUGINS, "Unknown"], [None, *State]):
        wanted = [job.id for job in mixed if plugin in {None, job.plugin} and state in {None, job.state}]
        assert ids(store.list_jobs(plugin, state)) == wanted[::-1], (plugin, state)


def test_a_listing_leaves_out_what_may_be_long(store: JobStore, mixed: list[JobRecord]) -> None:
    for listed, job in zip(store.list_jobs().jobs, reversed(mixed), strict=True):
        assert listed.params is listed.result is None
        assert (listed.id, listed.state, listed.created) == (job.id, job.state, job.created)


def test_a_listing_tells_which_jobs_have_secrets(store: JobStore) -> None:
    store.submit(NewJob("Login", {"password": "hunter2"}, shown={"password": "***"}))
    store.submit(NewJob("Login", {}))
    assert [job.has_secrets for job in store.list_jobs().jobs] == [False, True]


@pytest.mark.postgresql
def test_pages_add_up_to_the_whole(store: JobStore, mixed: list[JobRecord]) -> None:
    for limit, plugin in product([1, 4, 15, 100], [None, "Adder"]):
        found = list(pages(store, limit, plugin))
        wanted = [job.id for job in reversed(mixed) if plugin in {None, job.plugin}]
        assert [job for page in found for job in ids(page)] == wanted, (limit, plugin)
        assert all(len(page.jobs) == limit for page in found[:-1])
        assert found[-1].jobs


def test_a_page_stays_put_while_jobs_come_and_go(store: JobStore, mixed: list[JobRecord]) -> None:
    first = store.list_jobs(limit=10)
    submit(store, "Adder", State.QUEUED)
    store.cancel(submit(store, "Adder", State.QUEUED))
    finished = next(job for job in first.jobs if job.state.finished)
    store.delete(finished.id)
    second = store.list_jobs(limit=10, cursor=first.cursor)
    assert ids(second) == [job.id for job in reversed(mixed)][10:20]


def test_a_limit_out_of_bounds_is_brought_within(store: JobStore, mixed: list[JobRecord]) -> None:
    found = [len(store.list_jobs(limit=limit).jobs) for limit in (-1, 0, 10**9)]
    assert found == [1, 1, len(mixed)]


@pytest.mark.parametrize("cursor", ["", "7", "\0", "' OR 1=1"])
def test_a_cursor_that_no_page_gave_is_refused(store: JobStore, cursor: str) -> None:
    with pytest.raises(BadRequest, match="does not come from a page of jobs"):
        store.list_jobs(cursor=cursor)


@pytest.mark.postgresql
def test_jobs_of_a_time_are_listed(store: JobStore, mixed: list[JobRecord]) -> None:
    start, end = mixed[0].created - timedelta(seconds=1), datetime.now(UTC) + timedelta(seconds=1)
    assert len(store.list_jobs(since=start, until=end).jobs) == len(mixed)
    assert store.list_jobs(until=start).jobs == ()
    assert store.list_jobs(since=end, plugin="Adder").jobs == ()


@pytest.mark.postgresql
def test_since_and_until_part_the_jobs_between_them(store: JobStore) -> None:
    moments = [datetime(2030, 1, day, tzinfo=UTC) for day in (1, 2, 3)]
    made = [first_id(moment.timestamp()) for moment in moments]
    template, _ = store.submit(NewJob("Adder", {}))
    with store.database.transaction() as connection:
        row = dict(connection.execute(jobs.select()).one()._mapping)
        connection.execute(insert(jobs), [row | {"id": job} for job in made])
    assert ids(store.list_jobs(since=moments[1], until=moments[2])) == [made[1]]
    assert ids(store.list_jobs(until=moments[1])) == [made[0], template.id]


@pytest.mark.postgresql
def test_jobs_are_counted_by_state_and_queue(store: JobStore, mixed: list[JobRecord]) -> None:
    store.submit(NewJob("Adder", {}, queue="sums"))
    assert store.counts() == {state: 7 if state is State.QUEUED else 6 for state in State}
    assert store.queued() == {"": 6, "sums": 1}
    assert len(mixed) == 30


def test_an_empty_table_counts_to_nothing(store: JobStore) -> None:
    assert store.counts() == dict.fromkeys(State, 0)
    assert store.queued() == {}
    assert store.list_jobs() == Page((), None)


@pytest.mark.parametrize("cursor", [None, new_id()], ids=["first page", "next page"])
@pytest.mark.parametrize("state", [None, *State])
@pytest.mark.parametrize("plugin", [None, "Adder"])
def test_no_listing_reads_the_whole_table(
    sqlite: JobStore, plugin: str | None, state: State | None, cursor: str | None
) -> None:
    within = queries.bounds(None, None, cursor)
    query = queries.listing(plugin is not None, state, tuple(within))
    plan = plan_of(sqlite, query.params(**within, plugin=plugin, most=50))
    reads = [step for step in plan if "micro_jobs" in step]
    assert reads
    assert all("USING INDEX" in step or "COVERING INDEX" in step for step in reads)
    assert not any("TEMP B-TREE" in step for step in plan if plugin is None or state is not None)


def test_those_that_wait_are_counted_in_the_index_alone(sqlite: JobStore) -> None:
    for query in (queries.QUEUED, queries.COUNTS):
        reads = [step for step in plan_of(sqlite, query) if "micro_jobs" in step]
        assert reads
        assert all("USING COVERING INDEX" in step for step in reads)


def plan_of(store: JobStore, query: Any) -> list[str]:
    with store.database.connect() as connection:
        words = query.compile(connection, compile_kwargs={"literal_binds": True})
        return [row.detail for row in connection.execute(text(f"EXPLAIN QUERY PLAN {words}"))]
