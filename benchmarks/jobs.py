"""Compares a job, and ``Micro.run``, with a bare Celery task on the same broker, in the same run.

    python benchmarks/jobs.py [--broker URL] [--store URL] [--rounds N] [--safe] [--old FOLDER] [--check]

Without ``--broker`` an embedded one is started. Each worker has one pool process: a plain Celery worker
with a plain task, and a worker of Micro. With --safe there is a second plain worker, whose task has of
RabbitMQ what a job has: a quorum queue, and a sender who waits until the broker has the message. With
--old there is also the worker of Micro 3.1.0, from an environment of Python 3.6 (see benchmarks/rest.py).
Latency is the median of round trips made one after the other; throughput is that of a burst, sent and
then waited for. The kinds take turns, and each figure is that of its best round, which other programs
disturb least. With --check the exit status is 1 when a job takes more than 1.6 times as long as the
task, or reaches less than 0.6 of its throughput.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from kombu import Connection

from micro.api.endpoints import Requests
from micro.config.loading import dump_settings, load_settings
from micro.config.settings import Settings
from micro.jobs.service import Jobs
from micro.plugin.context import RunContext
from micro.runtime.ready_files import read_ready
from micro.server.broker import embedded_broker
from micro.service import Micro

LONGEST_LATENCY, LEAST_THROUGHPUT = 1.6, 0.6
START_SECONDS = 30
PARAMS = {"name": "Ada", "times": 2}
PLUGIN = """
from micro.plugin.pluginbase import PluginBase, PluginDescription

class Greeting(PluginBase):
    def run(self, name: str, times: int = 1) -> dict:
        return {"msg": " ".join([f"Hello {name}!"] * times)}

plugin = PluginDescription(instance=Greeting, name="Greeting")
"""
BARE = """
import json
from celery import Celery

app = Celery("{name}", broker={broker!r}, backend="rpc://", set_as_current=False)
app.conf.update(task_default_queue={queue!r}, broker_connection_retry_on_startup=True)
app.conf.update({options!r})

@app.task(name="bare.greeting", shared=False)
def greeting(name, times=1):
    return json.dumps({{"msg": " ".join([f"Hello {{name}}!"] * times)}})
"""

# Without the queues of delayed messages, which would stay.
SAFE = {
    "task_default_queue_type": "quorum",
    "broker_transport_options": {"confirm_publish": True},
    "worker_consumer": "micro.api.celery.consumer:NodeConsumer",
}

Trip = Callable[[], object]
Burst = Callable[[int], object]
Kind = tuple[Trip, Burst]


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--broker", default="", help="URL of a broker to use instead of an embedded one")
    parser.add_argument("--store", default="", help="URL of an empty job table to use instead of SQLite")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--trips", type=int, default=50, help="round trips of each kind in a round")
    parser.add_argument("--burst", type=int, default=200, help="size of the burst of each kind in a round")
    parser.add_argument("--safe", action="store_true", help="measure also a task with a job's guarantees")
    parser.add_argument("--old", type=Path, help="folder of the commands of Micro 3.1.0")
    parser.add_argument("--check", action="store_true", help="fail when a job misses its goals")
    options = parser.parse_args(argv)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        broker = options.broker or stack.enter_context(_broker(folder / "broker"))
        kinds = stack.enter_context(_kinds(folder, broker, options))
        latency = _measure(kinds, options.rounds, min, lambda kind: _trips(kind[0], options.trips))
        pace = _measure(kinds, options.rounds, max, lambda kind: _burst(kind[1], options.burst))
    return _report(latency, pace, check=options.check)


def _report(latency: Mapping[str, float], pace: Mapping[str, float], *, check: bool) -> int:
    """Print the figures; return the exit status."""
    bare_latency, bare_pace = latency["bare"], pace["bare"]
    print(f"{'':12} {'round trip':>12} {'ratio':>6} {'a second':>9} {'ratio':>6}")
    for name, seconds in latency.items():
        trip = f"{seconds * 1000:9.2f} ms {seconds / bare_latency:6.2f}"
        print(f"{name:12} {trip} {pace[name]:9.0f} {pace[name] / bare_pace:6.2f}")
    missed = latency["job"] / bare_latency > LONGEST_LATENCY or pace["job"] / bare_pace < LEAST_THROUGHPUT
    if missed:
        print(f"goals: a ratio of at most {LONGEST_LATENCY} and of at least {LEAST_THROUGHPUT}")
    return int(check and missed)


def _measure(
    kinds: Mapping[str, Kind],
    rounds: int,
    best: Callable[[Sequence[float]], float],
    figure: Callable[[Kind], float],
) -> dict[str, float]:
    """Return the best of each kind's figures; the kinds take turns, the first round is not counted."""
    found: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(rounds + 1):
        for name, kind in kinds.items():
            found[name].append(figure(kind))
    return {name: best(figures[1:]) for name, figures in found.items()}


def _trips(trip: Trip, count: int) -> float:
    """Return the median time of a round trip, in seconds."""
    taken = []
    for _ in range(count):
        began = time.perf_counter()
        trip()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def _burst(burst: Burst, count: int) -> float:
    """Return the throughput of a burst, per second."""
    began = time.perf_counter()
    burst(count)
    return count / (time.perf_counter() - began)


@contextmanager
def _kinds(folder: Path, broker: str, options: argparse.Namespace) -> Iterator[dict[str, Kind]]:
    """Start a worker of each kind, and yield the kinds to measure by name."""
    mark = f"micro-benchmark-{folder.name}"
    plain: dict[str, dict[str, Any]] = {"bare": {}} | ({"safe": SAFE} if options.safe else {})
    try:
        with ExitStack() as stack:
            kinds = {
                name: _task_kind(
                    stack.enter_context(_bare_worker(folder, broker, name, f"{mark}-{name}", conf))
                )
                for name, conf in plain.items()
            }
            if options.old:
                send = stack.enter_context(_old_worker(folder, broker, options.old, f"{mark}-old"))
                kinds["Micro 3.1.0"] = _task_kind(send)
            settings = stack.enter_context(_micro_worker(folder, broker, mark, options.store))
            yield kinds | _micro_kinds(settings)
    finally:
        ends = ("-bare", "-safe", "-old", "", ".jobs", ".calls")
        _forget(broker, [f"{mark}{end}" for end in ends])


def _forget(broker: str, queues: Sequence[str]) -> None:
    """Delete the queues and exchanges, which would outlive the benchmark on a broker that is not its own."""
    with Connection(broker) as connection:
        for queue in queues:
            # Some queues have no exchange.
            with suppress(*connection.channel_errors):
                connection.channel().queue_delete(queue)
                connection.channel().exchange_delete(queue)


def _micro_kinds(settings: Settings) -> dict[str, Kind]:
    jobs = Jobs(Micro(settings))
    run = Requests(settings.broker_url, settings.task_queues[0]).run
    return {
        "Micro.run": _task_kind(lambda: run.delay("Greeting", **PARAMS)),
        "job": (lambda: _one_job(jobs), lambda count: _many_jobs(jobs, count)),
    }


def _task_kind(send: Callable[[], Any]) -> Kind:
    return (lambda: send().get(timeout=60), lambda count: _gather([send() for _ in range(count)]))


def _gather(results: Sequence[Any]) -> None:
    for each in results:
        each.get(timeout=60)


def _submit(jobs: Jobs) -> str:
    return jobs.submit("Greeting", PARAMS, RunContext("python")).id


def _one_job(jobs: Jobs) -> None:
    job = jobs.wait(_submit(jobs), 60)
    assert job.result and "msg" in json.loads(job.result)


def _many_jobs(jobs: Jobs, count: int) -> None:
    for each in [_submit(jobs) for _ in range(count)]:
        assert jobs.wait(each, 60).state.finished


@contextmanager
def _broker(folder: Path) -> Iterator[str]:
    with embedded_broker(folder) as broker, _process(broker.process.argv, folder) as process:
        assert broker.process.ready
        _wait_for(lambda: broker.process.ready(process.pid), "the embedded broker")
        yield broker.url


def _plugins(folder: Path) -> Path:
    place = folder / "plugins" / "greeting"
    place.mkdir(parents=True, exist_ok=True)
    (place / "interface.py").write_text(PLUGIN)
    return place.parent


@contextmanager
def _micro_worker(folder: Path, broker: str, queue: str, store: str) -> Iterator[Settings]:
    place = folder / "micro-state"
    place.mkdir()
    file = folder / "config.json"
    file.write_text(json.dumps({"celery": {"worker_concurrency": 1}}))
    flags = {
        "plugin_path": str(_plugins(folder)),
        "broker_url": broker,
        "task_queues": queue,
        "jobs_url": store,
    }
    places = dict.fromkeys(("log_folder_path", "pid_folder_path", "state_folder_path"), str(place))
    settings = load_settings({**flags, **places, "config_file": str(file)}, environ={})
    (place / "settings").write_text(dump_settings(settings))
    command = (sys.executable, "-m", "micro.server", "worker", str(place / "settings"), "worker1")
    with _process(command, folder):
        _wait_for(lambda: read_ready(settings, "worker1"), "the worker of Micro")
        yield settings


@contextmanager
def _old_worker(folder: Path, broker: str, scripts: Path, queue: str) -> Iterator[Callable[[], Any]]:
    """Run the Celery half of Micro 3.1.0; yield what sends it a run."""
    place = folder / "old"
    place.mkdir()
    conf = {
        "celery": {
            "broker_url": broker,
            "task_queues": queue,
            "worker_concurrency": 1,
            "result_backend": "rpc://",
        },
        "micro": {
            "plugin_path": str(_plugins(folder)),
            "log_folder_path": str(place),
            "pid_folder_path": str(place),
        },
    }
    (place / "config.json").write_text(json.dumps(conf))
    path = {"PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}"}
    command = [str(scripts / "micro"), "-C", "-c", str(place / "config.json")]
    subprocess.run(command, cwd=place, env=os.environ | path, stdout=subprocess.DEVNULL, check=True)
    run = Requests(broker, queue).run
    try:
        run.delay("Greeting", **PARAMS).get(timeout=START_SECONDS)
        yield lambda: run.delay("Greeting", **PARAMS)
    finally:
        # It is in the background; a folder has been made of the pattern for its file.
        for file in filter(Path.is_file, place.glob("celery/*.pid")):
            _end(int(file.read_text()))


def _end(pid: int) -> None:
    """End a process that is no child of this one: when told to or, as it may be stuck, without."""
    deadline = time.monotonic() + START_SECONDS
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
        while time.monotonic() < deadline:
            os.kill(pid, 0)
            time.sleep(0.05)
        os.kill(pid, signal.SIGKILL)


@contextmanager
def _bare_worker(
    folder: Path, broker: str, name: str, queue: str, conf: Mapping[str, Any]
) -> Iterator[Callable[[], Any]]:
    """Run a plain worker of a plain task; yield what sends it one."""
    text = BARE.format(name=name, broker=broker, queue=queue, options=dict(conf))
    (folder / f"{name}.py").write_text(text)
    options = ("-c", "1", "-l", "ERROR", "--without-mingle", "--without-gossip", "-n", f"{name}@%h")
    with _process((sys.executable, "-m", "celery", "-A", name, "worker", *options), folder):
        sys.path.insert(0, str(folder))
        task = import_module(name).greeting
        sys.path.remove(str(folder))
        task.delay(**PARAMS).get(timeout=START_SECONDS)
        yield lambda: task.delay(**PARAMS)


@contextmanager
def _process(command: Sequence[str], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.terminate()


def _wait_for(ready: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not ready():
        if time.monotonic() > deadline:
            raise SystemExit(f"{what} did not start within {START_SECONDS} seconds")
        time.sleep(0.05)


if __name__ == "__main__":
    raise SystemExit(main())
