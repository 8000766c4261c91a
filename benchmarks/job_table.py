"""Measures the job table with a million rows: each operation must stay within milliseconds.

    python benchmarks/job_table.py [--rows 1000000] [--url postgresql://...]

Prints each operation's median and 95th percentile, and the index that its query reads.
Without ``--url`` it uses a SQLite file in a temporary folder; a database that is named must
be empty, and is left filled.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import islice
from statistics import quantiles
from typing import Any

from sqlalchemy import insert, select, text
from sqlalchemy.sql import Executable

from micro.jobs.models import FINISHED, NewJob, State, first_id
from micro.jobs.store import queries as reading
from micro.jobs.store import rows, statements
from micro.jobs.store.schema import jobs
from micro.jobs.store.store import JobStore

DAY = 86400.0
CHUNK = 5000
REPEAT = 50
LIMIT_MS = 50.0


def history(count: int, now: float) -> Iterator[dict[str, Any]]:
    """Yield ``count`` rows of the last ten days, oldest first; one in a thousand is active."""
    rng = random.Random(1)
    for number in range(count):
        created = now - 10 * DAY * (count - number) / count
        row = rows.new_row(NewJob(f"Plugin {number % 20}", {"a": number, "name": "x" * 40}), None)
        row |= {"id": first_id(created)[:-12] + f"{number:012x}", "created": created, "run_after": created}
        yield row | (_active(row, now, number) if number % 1000 == 0 else _finished(created, rng))


def _active(row: dict[str, Any], now: float, number: int) -> dict[str, Any]:
    running = {"state": State.RUNNING, "attempt": 1, "worker": "worker-1", "started": row["created"]}
    return {**_NOTHING, **(running if number % 2000 else {}), "due": now + DAY}


def _finished(created: float, rng: random.Random) -> dict[str, Any]:
    # Few are cancelled, so that a listing of those has to look far without an index.
    state = rng.choices(FINISHED, weights=(9000, 999, 1))[0]
    return {
        **_NOTHING, "state": state, "attempt": 1, "worker": "worker-1", "started": created + 1,
        "finished": created + 2, "due": None, "result": '{"greeting": "Hello, Micro!"}',
    }  # fmt: skip


_NOTHING = {
    "state": State.QUEUED,
    "attempt": 0,
    "worker": None,
    "started": None,
    "finished": None,
    "result": None,
}


def fill(store: JobStore, count: int) -> None:
    began = time.perf_counter()
    source = history(count, time.time())
    while chunk := list(islice(source, CHUNK)):
        with store.database.transaction() as connection:
            connection.execute(insert(jobs), chunk)
    with store.database.connect() as connection:
        connection.execute(text("ANALYZE" if store.database.is_sqlite else "VACUUM ANALYZE"))
    print(f"{count:,} rows written in {time.perf_counter() - began:.0f} s\n")


def timed(name: str, operation: Callable[[], object]) -> float:
    """Run the operation again and again; print, and return, its median in milliseconds."""
    taken = []
    for _ in range(REPEAT):
        began = time.perf_counter()
        operation()
        taken.append((time.perf_counter() - began) * 1000)
    *_, last = quantiles(taken, n=20)
    median = sorted(taken)[REPEAT // 2]
    print(f"  {name:34} {median:8.2f} ms   {last:8.2f} ms")
    return median


def operations(store: JobStore) -> dict[str, Callable[[], object]]:
    """Return what is measured, by name; each may be repeated."""
    known = [job.id for job in store.list_jobs(limit=1000).jobs]
    middle = first_id(time.time() - 5 * DAY)
    key = NewJob("Plugin 1", {}, idempotency_key="benchmark")
    return {
        "get": lambda: store.get(random.choice(known)),
        "list the newest": store.list_jobs,
        "list from the middle": lambda: store.list_jobs(cursor=middle),
        "list one plugin's": lambda: store.list_jobs("Plugin 7"),
        "list one plugin's, from the middle": lambda: store.list_jobs("Plugin 7", cursor=middle),
        "list the failed": lambda: store.list_jobs(state=State.FAILED),
        "list the cancelled (0.01 %)": lambda: store.list_jobs(state=State.CANCELLED),
        "list the queued": lambda: store.list_jobs(state=State.QUEUED),
        "list one plugin's cancelled": lambda: store.list_jobs("Plugin 7", State.CANCELLED),
        "list an unknown plugin's": lambda: store.list_jobs("Unknown"),
        "events": lambda: store.events(random.choice(known)),
        "submit": lambda: store.submit(NewJob("Plugin 1", {"a": 1})),
        "submit with a known key": lambda: store.submit(key),
        "submit, claim, renew, finish": lambda: _one_life(store),
        "sweep with nothing due": store.sweep,
        "queued by queue": store.queued,
        "clean up 100 jobs": lambda: store.purge(7 * DAY, limit=100),
    }


def _one_life(store: JobStore) -> None:
    job, _ = store.submit(NewJob("Plugin 1", {"a": 1}))
    claimed = store.claim(job.id, "worker-1", 60)
    assert claimed is not None
    store.renew(claimed.hold, 60)
    store.finish(claimed.hold, State.SUCCEEDED, "{}")


def explain(store: JobStore) -> None:
    """Print the index that the database reads for each query."""
    ident = first_id(time.time() - 5 * DAY)
    page = {"plugin": "Plugin 7", "most": 50}
    queries: dict[str, Executable] = {
        "get": statements.BY_ID.params(job=ident),
        "claim": select(jobs.c.id).where(jobs.c.id == ident, jobs.c.state == State.QUEUED),
        "sweep": select(jobs.c.id).where(jobs.c.due <= time.time()).order_by(jobs.c.due).limit(100),
        "clean-up": select(jobs.c.id).where(jobs.c.id < ident, jobs.c.finished < 1.0).order_by(jobs.c.id),
        "list the newest": reading.listing(False, None, ()).params(**page),
        "list the failed": reading.listing(False, State.FAILED, ()).params(**page),
        "list the queued": reading.listing(False, State.QUEUED, ()).params(**page),
        "list one plugin's": reading.listing(True, None, ()).params(**page),
        "count by state": reading.COUNTS,
        "queued by queue": reading.QUEUED,
        "list one plugin's failed": reading.listing(True, State.FAILED, ()).params(**page),
    }
    prefix = "EXPLAIN QUERY PLAN" if store.database.is_sqlite else "EXPLAIN"
    with store.database.connect() as connection:
        for name, query in queries.items():
            words = query.compile(connection, compile_kwargs={"literal_binds": True})  # type: ignore[attr-defined]
            plan = [row[-1].strip() for row in connection.exec_driver_sql(f"{prefix} {words}")]
            reads = dict.fromkeys(step for step in plan if "micro_jobs" in step)
            print(f"  {name:34} " + f"\n  {'':34} ".join(reads))


def measure(store: JobStore, count: int) -> None:
    print(f"{store.database.name}\n")
    fill(store, count)
    print(f"  {'operation':34} {'median':>8}      {'95 %':>8}")
    medians = {name: timed(name, operation) for name, operation in operations(store).items()}
    timed("count by state (reads all rows)", store.counts)
    print()
    explain(store)
    slow = [name for name, median in medians.items() if median > LIMIT_MS]
    print(f"\nslower than {LIMIT_MS:.0f} ms: {', '.join(slow) or 'none'}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--url")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = JobStore(options.url or f"sqlite:///{folder}/jobs.db")
        measure(store, options.rows)
        store.close()


if __name__ == "__main__":
    main()
