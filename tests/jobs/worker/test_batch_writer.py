"""The record of Celery clients' runs: late, in batches, and at most once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

import pytest

from micro.jobs.models import LogLine, NewJob, State
from micro.jobs.store.store import JobStore
from micro.jobs.worker.batch_writer import BatchWriter, LateRecord
from micro.models import Progress
from micro.periodic import PeriodicCalls

pytestmark = pytest.mark.postgresql

Wait = Callable[..., object]


@pytest.fixture
def writer(store: JobStore) -> Iterator[BatchWriter]:
    writer = BatchWriter(store.database, PeriodicCalls(0.01, linger=0))
    yield writer
    writer.close()


@pytest.fixture
def record(store: JobStore, writer: BatchWriter) -> Callable[[str], LateRecord]:
    """Begin a run of the message with this id."""

    def begin(task: str) -> LateRecord:
        new = NewJob("Adder", {"a": 1}, idempotency_key=f"celery:{task}")
        return LateRecord(store, writer, new, "worker-1")

    return begin


Begin = Callable[[str], LateRecord]


def test_nothing_is_on_record_when_a_run_begins(store: JobStore, record: Begin) -> None:
    record("1")
    assert store.list_jobs().jobs == ()


def test_an_ended_run_is_on_record_soon(
    store: JobStore, writer: BatchWriter, record: Begin, wait_for: Wait
) -> None:
    late = record("1")
    assert late.finish(late.job.hold, State.SUCCEEDED, "{}")
    wait_for(lambda: store.list_jobs().jobs)
    job = store.get(late.job.id)
    assert (job.state, job.result, job.worker, job.attempt) == ("succeeded", "{}", "worker-1", 1)
    (event,) = store.events(job.id).events
    assert event.data["state"] == "succeeded"


def test_parameters_are_on_record_as_they_were_sent(store: JobStore, writer: BatchWriter) -> None:
    items = [1]
    late = LateRecord(store, writer, NewJob("Adder", {"items": items}), "worker-1")
    items.append(2)
    late.finish(late.job.hold, State.SUCCEEDED, "{}")
    writer.close()
    assert store.get(late.job.id).params == {"items": [1]}


def test_many_are_written_together(store: JobStore, writer: BatchWriter, record: Begin) -> None:
    for number in range(700):
        late = record(str(number))
        late.finish(late.job.hold, State.FAILED, error={"error": "no"})
    writer.close()
    assert store.counts()[State.FAILED] == 700


def test_a_renewal_puts_a_run_on_record(store: JobStore, record: Begin) -> None:
    late = record("1")
    assert late.renew(late.job.hold, 60, Progress(1, 2), [LogLine("INFO", "on my way", 0)]).kept
    job = store.get(late.job.id)
    assert (job.state, job.progress, job.log_lines) == ("running", Progress(1, 2, ""), 1)
    assert late.finish(late.job.hold, State.CANCELLED)
    assert store.state(late.job.id) is State.CANCELLED


def test_a_run_that_is_to_be_tried_again_is_put_on_record(store: JobStore, record: Begin) -> None:
    late = record("1")
    assert late.release(late.job.hold, 60, "no luck")
    assert store.state(late.job.id) is State.QUEUED


def test_of_two_runs_with_one_id_the_second_is_left_out(
    store: JobStore, writer: BatchWriter, record: Begin
) -> None:
    first, second, third = record("1"), record("1"), record("1")
    assert first.renew(first.job.hold, 60).kept
    # It goes on all the same.
    assert second.renew(second.job.hold, 60).kept
    assert second.finish(second.job.hold, State.SUCCEEDED, "{}")
    assert not second.release(second.job.hold, 60, "no luck")
    third.finish(third.job.hold, State.SUCCEEDED, "{}")
    writer.close()
    (job,) = store.list_jobs().jobs
    assert (job.id, job.state) == (first.job.id, State.RUNNING)


def test_a_record_whose_answer_was_lost_is_not_taken_for_anothers(store: JobStore, record: Begin) -> None:
    late = record("1")
    late.renew(late.job.hold, 60)
    late._recorded = None
    assert late.renew(late.job.hold, 60).kept
    assert late.finish(late.job.hold, State.SUCCEEDED, "{}")
    assert store.state(late.job.id) is State.SUCCEEDED


def test_a_ledger_with_nothing_to_write_closes_in_silence(
    writer: BatchWriter, caplog: pytest.LogCaptureFixture
) -> None:
    writer.close()
    assert [each for each in caplog.records if each.levelno >= logging.WARNING] == []
