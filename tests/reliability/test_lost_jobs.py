"""Every job that was accepted ends, whatever dies meanwhile.

``MICRO_RELIABILITY_JOBS`` and ``_SEED`` set the number of jobs and the random seed.
"""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest

LONG = os.environ.get("MICRO_RELIABILITY") == "long"
BROKERS, STORES = ("embedded", "rabbitmq", "redis"), ("sqlite", "postgresql")
# What dies: Micro's own processes; the servers it needs; all of Micro, in order.
DYING = ("processes", "servers", "all")
# Each broker, each store and everything that dies once or twice; the long form has all combinations.
CASES = [
    ("embedded", "sqlite", "processes"),
    ("embedded", "sqlite", "all"),
    ("rabbitmq", "postgresql", "servers"),
    ("redis", "sqlite", "processes"),
]
if LONG:
    CASES = [(broker, store, " and ".join(DYING)) for broker in BROKERS for store in STORES]
CLIENTS = 4
Faults = dict[str, Callable[[], object]]

pytestmark = [pytest.mark.reliability, pytest.mark.timeout(1200 if LONG else 150)]


@dataclass(frozen=True)
class Scale:
    """How much there is to do, and how long everything may take, in seconds."""

    jobs: int
    trouble: float
    pause: float
    outage: float
    drain: float


SCALE = Scale(
    int(os.environ.get("MICRO_RELIABILITY_JOBS") or (1000 if LONG else 30)),
    *((120.0, 1.0, 10.0, 300.0) if LONG else (1.0, 0.3, 1.0, 60.0)),
)


@pytest.mark.parametrize(("broker", "store", "dying"), CASES)
def test_no_accepted_job_is_lost_or_stuck(
    broker: str, store: str, dying: str, request: pytest.FixtureRequest, tmp_path: Path,
    task_queue: str, make_service: Callable[..., Any], wait_for: Callable[..., Any],
    marks: Callable[[], list[str]], record_property: Callable[[str, object], None],
) -> None:  # fmt: skip
    seed = int(os.environ.get("MICRO_RELIABILITY_SEED") or time.time_ns() % 1_000_000)
    print(f"MICRO_RELIABILITY_SEED={seed}")
    chance = random.Random(seed)
    broker_url, broker_faults = prepare_broker(broker, request)
    store_url, store_faults = prepare_store(store, tmp_path, request)
    service = make_service(broker_url=broker_url, jobs_url=store_url, task_queues=task_queue)
    faults: Faults = {}
    if "processes" in dying:
        faults |= process_faults(service, chance)
    if "servers" in dying:
        faults |= broker_faults | store_faults
        if broker == "embedded":
            faults["broker killed"] = lambda: kill([service.broker()], chance)
    if "all" in dying:
        faults["supervisor stopped and started"] = lambda: (service.stop(), service.start())

    clients = Clients(service, tmp_path, chance)
    with Trouble(faults, chance, service) as trouble:
        clients.submit_all()
    wait_for(lambda: not service.has_active_jobs(), SCALE.drain)

    answers = {number: service.call(f"/jobs/{job}") for number, job in clients.accepted.items()}
    assert [body for status, body in answers.values() if status != 200] == []
    ended = {number: body for number, (_, body) in answers.items()}
    for line in tell(f"{broker}, {store}, {dying}", ended, marks(), trouble.made, clients.refused):
        print(line)
        record_property("reliability", line)
    assert len(ended) == SCALE.jobs
    assert [job for job in ended.values() if not is_right(job)] == []
    assert len({job["id"] for job in ended.values()}) == SCALE.jobs
    assert trouble.made.keys() == faults.keys()


def is_right(job: dict[str, Any]) -> bool:
    """Tell whether a job has succeeded, or failed with a reason that it may have."""
    if job["state"] == "succeeded":
        return bool(job["params"]["kind"] != "refuses")
    code = (job["error"] or {}).get("code")
    expected = {"plain": set(), "refuses": {"refused"}, "flaky": {"plugin-failed"}}[job["params"]["kind"]]
    return job["state"] == "failed" and code in {*expected, "worker-lost"}


def tell(
    pair: str, ended: dict[int, Any], marks: list[str], faults: Counter[str], refused: Counter[str]
) -> list[str]:
    """Say what happened; shown at the end of the tests."""
    outcomes = Counter((job["error"] or {}).get("code") or job["state"] for job in ended.values())
    # The plugin itself asks for another attempt at those that are flaky.
    steady = {str(number) for number, job in ended.items() if job["params"]["kind"] != "flaky"}
    again = [words.split() for words, count in Counter(marks).items() if count > 1]
    started, twice = (
        sum(number in steady and word == kind for number, word in again) for kind in ("started", "ended")
    )
    return [
        f"{pair}: {len(ended)} jobs accepted: {dict(outcomes)}",
        f"  started more than once: {started}, run to the end more than once: {twice}",
        f"  what went wrong: {dict(faults)}",
        f"  calls that were repeated: {dict(refused)}",
    ]


class Clients:
    """Submit jobs, each until it is accepted, whatever goes wrong meanwhile."""

    def __init__(self, service: Any, folder: Path, chance: random.Random) -> None:
        self._service = service
        self._calls = [_parameters(number, folder, chance) for number in range(SCALE.jobs)]
        self.accepted: dict[int, str] = {}
        self.refused: Counter[str] = Counter()

    def submit_all(self) -> None:
        with ThreadPoolExecutor(CLIENTS) as pool:
            list(pool.map(self._submit, self._calls))

    def _submit(self, params: dict[str, Any]) -> None:
        deadline = time.monotonic() + SCALE.drain
        while time.monotonic() < deadline:
            # As many as there are clients at a time, spread over the time of trouble.
            time.sleep(SCALE.trouble * CLIENTS / SCALE.jobs)
            try:
                status, body = self._service.submit(params, Idempotency_Key=f"number-{params['number']}")
            except (OSError, HTTPException, ValueError) as err:
                self.refused[type(err).__name__] += 1
                continue
            if status == 202:
                self.accepted[params["number"]] = body["id"]
                return
            assert status == 503, body
            self.refused[f"{status} {body['code']}"] += 1


def _parameters(number: int, folder: Path, chance: random.Random) -> dict[str, Any]:
    kind = chance.choices(("plain", "refuses", "flaky"), weights=(90, 5, 5))[0]
    return {"folder": str(folder), "number": number, "seconds": chance.uniform(0.01, 0.2), "kind": kind}


class Trouble:
    """Lets one thing after the other go wrong, in a thread, until it is over."""

    def __init__(self, faults: Faults, chance: random.Random, service: Any) -> None:
        self._faults, self._chance, self._service = faults, chance, service
        self._pool = ThreadPoolExecutor(1)
        self.made: Counter[str] = Counter()

    def __enter__(self) -> Trouble:
        self._over = self._pool.submit(self._run)
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()
        self._over.result()

    def _run(self) -> None:
        until = time.monotonic() + SCALE.trouble
        # Each of them at least once, in any order; in the short form, not more.
        order = self._chance.sample(sorted(self._faults), len(self._faults))
        while order or (LONG and time.monotonic() < until):
            self._service.assert_runs()
            assert time.monotonic() < until + SCALE.drain, f"could not happen: {order}"
            name = order.pop() if order else self._chance.choice(sorted(self._faults))
            if self._faults[name]() is not False:
                self.made[name] += 1
            elif name not in self.made:
                order.insert(0, name)
            time.sleep(self._chance.uniform(0.5, 1.5) * SCALE.pause)


def process_faults(service: Any, chance: random.Random) -> dict[str, Callable[[], object]]:
    """Return what may happen to Micro's own processes, by name."""

    def node() -> str:
        return chance.choice(("worker1", "worker2"))

    return {
        "pool process killed": lambda: kill(service.forked(node()), chance),
        "worker node killed": lambda: kill([service.leader(node())], chance),
        "gunicorn worker killed": lambda: kill(service.forked("rest"), chance),
    }


def prepare_broker(kind: str, request: pytest.FixtureRequest) -> tuple[str, Faults]:
    """Return the broker's URL, empty for the embedded one, and what may happen to it.

    The servers of this machine belong to others too: only the connections to them are cut.
    """
    if kind == "embedded":
        return "", {}
    if LONG:
        server = request.getfixturevalue("own_server")(kind)
        return server.url, {"broker killed": server.restart}
    cut = request.getfixturevalue({"rabbitmq": "cut_connections", "redis": "cut_redis"}[kind])
    return request.getfixturevalue(f"{kind}_url"), {"broker connections cut": cut}


def prepare_store(kind: str, folder: Path, request: pytest.FixtureRequest) -> tuple[str, Faults]:
    """Return the job table's URL, and how it is away for a while."""
    if kind == "sqlite":
        path = folder / "jobs.sqlite"
        return f"sqlite:///{path}", {"job table away": lambda: lock(path)}
    database = request.getfixturevalue("own_database")

    def shut() -> None:
        database.shut()
        time.sleep(SCALE.outage)
        database.open()

    return database.url, {"job table away": shut}


def lock(path: Path) -> None:
    """Let nobody write to the SQLite file for a while."""
    with closing(sqlite3.connect(path, isolation_level=None, timeout=30)) as table:
        table.execute("BEGIN IMMEDIATE")
        # Longer than a statement waits for its turn, in the long form.
        time.sleep(SCALE.outage * 1.2)
        table.execute("COMMIT")


def kill(pids: list[int], chance: random.Random) -> bool:
    """Kill one of the processes; False when there was none."""
    pids = [pid for pid in pids if pid]
    if pids:
        with suppress(ProcessLookupError):
            os.kill(chance.choice(pids), signal.SIGKILL)
            return True
    return False
