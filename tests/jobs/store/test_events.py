"""The events of a job are numbered, in order, and can be read on from any of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from micro.jobs.models import JobRecord, LogLine, State
from micro.jobs.store import maintenance
from micro.jobs.store.store import JobStore
from micro.models import Event, Feed, Progress

MOMENT = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)


def lines(*texts: str) -> Sequence[LogLine]:
    return [LogLine("INFO", text, MOMENT.timestamp()) for text in texts]


def texts(feed: Feed) -> list[str]:
    return [event.data["text"] for event in feed.events if event.kind == "log"]


def test_a_new_job_has_one_event(store: JobStore, queued: JobRecord) -> None:
    only = Event(1, "state", {"state": "queued", "attempt": 0, "cancel_requested": False})
    assert store.events(queued.id) == Feed((only,), over=False)


def test_a_run_told_from_its_start(store: JobStore, running: JobRecord) -> None:
    store.renew(running.hold, 60, lines=lines("one", "two"))
    store.renew(running.hold, 60, Progress(1, 2, "half"), lines("three"))
    store.finish(running.hold, State.SUCCEEDED, "{}")
    feed = store.events(running.id)
    assert [event.kind for event in feed.events] == ["log", "log", "log", "progress", "state"]
    assert [event.number for event in feed.events] == [3, 4, 5, 6, 7]
    assert texts(feed) == ["one", "two", "three"]
    assert feed.events[0].data == {"time": MOMENT.isoformat(), "level": "INFO", "text": "one"}
    assert feed.events[3].data == {"done": 1, "total": 2, "message": "half"}
    assert feed.events[4].data == {"state": "succeeded", "attempt": 1, "cancel_requested": False}
    assert feed.over


@pytest.mark.postgresql
@pytest.mark.parametrize("after", range(9))
def test_reading_on_misses_and_repeats_nothing(store: JobStore, running: JobRecord, after: int) -> None:
    store.renew(running.hold, 60, lines=lines("one", "two"))
    store.renew(running.hold, 60, Progress(1), lines("three"))
    store.finish(running.hold, State.SUCCEEDED, "{}")
    whole = store.events(running.id).events
    assert store.events(running.id, after).events == tuple(each for each in whole if each.number > after)


def test_reading_in_small_pieces_gives_the_same(store: JobStore, running: JobRecord) -> None:
    store.renew(running.hold, 60, Progress(1), lines("one", "two"))
    store.renew(running.hold, 60, lines=lines("three", "four"))
    store.finish(running.hold, State.FAILED)
    pieces, after, over = [], 0, False
    while not over:
        feed = store.events(running.id, after, limit=1)
        pieces += feed.events
        after, over = pieces[-1].number, feed.over
    assert tuple(pieces) == store.events(running.id).events


def test_only_the_newest_progress_is_kept(store: JobStore, running: JobRecord) -> None:
    for done in range(5):
        store.renew(running.hold, 60, Progress(done, 5))
    progress = [event.data["done"] for event in store.events(running.id).events if event.kind == "progress"]
    assert progress == [4]
    assert store.get(running.id).progress == Progress(4, 5)


@pytest.mark.parametrize("progress", [Progress(0), Progress(0.5, 1.5, "half"), Progress(3, 10, "a\0b")])
def test_progress_comes_back_as_it_was_reported(
    store: JobStore, running: JobRecord, progress: Progress
) -> None:
    store.renew(running.hold, 60, progress)
    found = store.get(running.id).progress
    assert found == Progress(progress.done, progress.total, progress.message.replace("\0", "\\x00"))
    assert found is not None
    assert type(found.done) is type(progress.done)


def test_a_request_to_cancel_is_an_event(store: JobStore, running: JobRecord) -> None:
    store.cancel(running.id)
    assert store.events(running.id, after=2).events[0].data["cancel_requested"]


def test_a_new_attempt_starts_its_progress_anew(store: JobStore, running: JobRecord) -> None:
    store.renew(running.hold, 60, Progress(1, 2))
    store.release(running.hold, 0, "the line was busy")
    claimed = store.claim(running.id, "worker-2", 60)
    assert claimed is not None
    assert claimed.progress is store.get(running.id).progress is None
    assert [event.kind for event in store.events(running.id).events] == ["log", "state"]


def test_what_made_a_job_start_again_is_in_its_log(store: JobStore, running: JobRecord) -> None:
    store.release(running.hold, 0, "the line was busy")
    store.claim(running.id, "worker-2", lease=-1)
    store.sweep()
    assert texts(store.events(running.id)) == [
        "the line was busy",
        "Worker worker-2 was lost in attempt 2 of 3; the job is queued again.",
    ]


@pytest.mark.postgresql
def test_any_text_can_be_logged(store: JobStore, running: JobRecord) -> None:
    store.renew(running.hold, 60, lines=lines("nul \0", "half \ud800", "ünï", "", "x" * 99_999))
    *short, long = texts(store.events(running.id))
    assert short == ["nul \\x00", "half \\ud800", "ünï", ""]
    assert long.endswith("x…")
    assert len(long) == 4000


@pytest.mark.postgresql
def test_a_log_is_bounded_and_keeps_its_newest_lines(store: JobStore, running: JobRecord) -> None:
    for start in range(0, 12_000, 3000):
        store.renew(running.hold, 60, lines=lines(*map(str, range(start, start + 3000))))
    kept, after = [], 0
    while events := store.events(running.id, after).events:
        kept += [event.data["text"] for event in events if event.kind == "log"]
        after = events[-1].number
    assert kept == [str(number) for number in range(2000, 12_000)]
    assert store.get(running.id).log_lines == 12_000


def test_more_lines_at_once_than_a_log_holds_keep_the_newest(store: JobStore, running: JobRecord) -> None:
    many = maintenance.MAX_LINES + 5
    store.renew(running.hold, 60, lines=lines(*map(str, range(many))))
    assert texts(store.events(running.id))[0] == "5"
    assert store.events(running.id, after=many + 1).events[0].data["text"] == str(many - 1)


def test_nothing_is_logged_for_a_job_that_is_no_longer_held(store: JobStore, running: JobRecord) -> None:
    store.finish(running.hold, State.SUCCEEDED)
    assert not store.renew(running.hold, 60, lines=lines("too late")).kept
    assert store.events(running.id, after=3) == Feed((), over=True)


def test_the_feed_is_over_only_when_everything_was_told(store: JobStore, running: JobRecord) -> None:
    store.renew(running.hold, 60, lines=lines("one", "two", "three"))
    store.finish(running.hold, State.SUCCEEDED)
    first = store.events(running.id, limit=2)
    assert not first.over
    assert store.events(running.id, first.events[-1].number, limit=2).over
