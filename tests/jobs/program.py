"""Other processes at the same job table: each says it is ready, waits for a line, does one thing.

One process has imported Micro, and forks the others: importing it anew would take each of them half a second.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path

from micro.errors import MicroError
from micro.jobs.models import NewJob, State
from micro.jobs.store.store import JobStore


def ping(store: JobStore, _owner: str) -> str:
    """Open the store for the first time: the tables are created."""
    store.ping()
    return "pong"


def drain(store: JobStore, owner: str) -> list[str]:
    """Try every queued job, as if a copy of each message came here; return those that ran."""
    ran = []
    for job in reversed(store.list_jobs(limit=1000).jobs):
        claimed = store.claim(job.id, owner, lease=60)
        if claimed is not None:
            assert store.finish(claimed.hold, State.SUCCEEDED, f'{{"by": "{owner}"}}')
            ran.append(job.id)
    return ran


def submit_once(store: JobStore, number: str) -> list[object]:
    """Submit one job under the key that all the others use, with these parameters."""
    try:
        job, created = store.submit(NewJob("Adder", {"a": int(number)}, idempotency_key="the key"))
    except MicroError as err:
        return [err.code, False]
    return [job.id, created]


def submit_on(store: JobStore) -> None:
    """Submit jobs until killed, printing the id of each that was accepted."""
    while True:
        print(store.submit(NewJob("Adder", {}))[0].id, flush=True)


def claim_and_hang(store: JobStore, job: str, lease: str) -> None:
    """Claim a job, print the attempt, and wait to be killed."""
    claimed = store.claim(job, "worker-that-dies", float(lease))
    print(claimed.attempt if claimed else None, flush=True)
    sys.stdin.readline()


def half_write(store: JobStore, job: str) -> None:
    """Stop in the middle of a transaction, and wait to be killed."""
    claimed = store.claim(job, "worker-that-dies", 60)
    assert claimed is not None
    with store.database.transaction() as connection:
        connection.exec_driver_sql("DELETE FROM micro_jobs")
        print("written", flush=True)
        sys.stdin.readline()


def lead(store: JobStore, owner: str) -> bool:
    return store.lead("sweep", owner, 60)


def sweep(store: JobStore, _owner: str) -> list[str]:
    return [job for job, _queue in store.sweep(limit=1000).publish]


def fork(store: JobStore) -> dict[str, object]:
    """Fork again and again while threads use the store; the children use it too."""
    stop = threading.Event()
    submitted: list[str] = []

    def submit() -> None:
        while not stop.is_set():
            submitted.append(store.submit(NewJob("Adder", {}))[0].id)

    threads = [threading.Thread(target=submit) for _ in range(3)]
    for thread in threads:
        thread.start()
    reports = [_forked(store) for _ in range(5)]
    stop.set()
    for thread in threads:
        thread.join()
    renewed = store.submit(NewJob("Adder", {}))[0]
    return {"submitted": [*submitted, renewed.id], "children": reports}


def _forked(store: JobStore) -> dict[str, object]:
    """Return what a child found: the connections it inherited, and the job it ran."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        inherited = _connections()
        job = store.submit(NewJob("Adder", {}))[0]
        claimed = store.claim(job.id, "child", 60)
        done = claimed is not None and store.finish(claimed.hold, State.SUCCEEDED)
        store.close()
        os.write(writer, json.dumps({"inherited": inherited, "job": job.id, "done": done}).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as report:
        found: dict[str, object] = json.load(report)
    os.waitpid(child, 0)
    return found


def _connections() -> list[str]:
    """Return the open files that are a job table, or a socket to one; on Linux."""
    opened = [str(each.readlink()) for each in Path("/proc/self/fd").glob("*") if each.is_symlink()]
    return [name for name in opened if "jobs.db" in name or name.startswith("socket:")]


VERBS: dict[str, Callable[..., object]] = {
    each.__name__: each
    for each in (ping, drain, submit_once, submit_on, claim_and_hang, half_write, lead, sweep, fork)
}


def main(verb: str, url: str, *arguments: str) -> None:
    store = JobStore(url)
    print("ready", flush=True)
    sys.stdin.readline()
    print(json.dumps(VERBS[verb](store, *arguments)), flush=True)
    store.close()


def serve() -> None:
    """Fork a program for each message on standard input, a socket; answer with its process id.

    The message is the program's arguments as JSON, with the descriptors of its standard input and output.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    control = socket.socket(fileno=0)
    while True:
        command, descriptors, *_ = socket.recv_fds(control, 65536, 2)
        if not command:
            return
        child = os.fork()
        if child == 0:
            control.detach()
            _run(json.loads(command), descriptors)
        for each in descriptors:
            os.close(each)
        control.sendall(str(child).encode())


def _run(arguments: list[str], descriptors: list[int]) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for number, each in enumerate(descriptors):
        os.dup2(each, number)
        os.close(each)
    try:
        main(*arguments)
    except BaseException:
        traceback.print_exc()
    finally:
        # What the first process opened is not closed here.
        os._exit(0)


if __name__ == "__main__":
    serve()
