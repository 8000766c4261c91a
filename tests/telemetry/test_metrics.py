from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from micro import PluginError
from micro.errors import InvalidParameters, MicroError, PluginFailed
from micro.plugin.context import RunContext
from micro.service import Micro
from micro.telemetry.metric_files import MetricFiles
from micro.telemetry.metrics import meter_runs

MakeMicro = Callable[..., Micro]

# Three processes of one folder, one after the other and one forked; each prints what the next reads.
_PROCESS = """
import os, sys
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from micro.telemetry.metrics import Metrics

metrics = Metrics()
def run(number):
    for _ in range(number):
        metrics.meter.begin("p")
        metrics.meter.end("p", "rest", "succeeded", 0.003)
    metrics.meter.begin("p")
    metrics.meter.flush()

run(3)
child = os.fork()
if not child:
    run(4)
    os._exit(0)
os.waitpid(child, 0)
registry = CollectorRegistry()
MultiProcessCollector(registry, str(metrics.files.folder))
with metrics.files.settled():
    print(generate_latest(registry).decode())
print(*sorted(each.name for each in metrics.files.folder.glob("*.db")), sep=chr(10))
"""


def _value(metrics: object, name: str, **labels: str) -> float | None:
    value: float | None = metrics.registry.get_sample_value(name, labels)  # type: ignore[attr-defined]
    return value


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR", raising=False)


def test_runs_are_counted_by_plugin_transport_and_outcome(
    load: MakeMicro, interface: Callable[..., str]
) -> None:
    body = """
    def run(self, how: str = "well"):
        if how == "refuses":
            raise PluginError("no", status=409)
        if how == "breaks":
            raise ValueError(how)
        return {}
    """
    micro = load({"p/interface.py": interface(body)})
    metrics = meter_runs(micro)
    calls: list[tuple[dict[str, object], type[MicroError] | None]] = [
        ({}, None),
        ({}, None),
        ({"how": 1}, InvalidParameters),
        ({"how": "refuses"}, PluginError),
        ({"how": "breaks"}, PluginFailed),
    ]
    for params, error in calls:
        if error:
            with pytest.raises(error):
                micro.run("plugin", params, RunContext("rest"))
        else:
            micro.run("plugin", params, RunContext("rest"))
    assert metrics
    metrics.meter.flush()
    labels = {"plugin": "Plugin", "transport": "rest"}
    counted = {
        outcome: _value(metrics, "micro_runs_total", **labels, outcome=outcome)
        for outcome in ("succeeded", "refused", "failed")
    }
    assert counted == {"succeeded": 2, "refused": 2, "failed": 1}
    assert _value(metrics, "micro_run_seconds_count", **labels) == 5
    assert _value(metrics, "micro_runs_in_progress", plugin="Plugin") == 0


def test_a_run_that_goes_on_is_in_progress(load: MakeMicro, wait_for: Callable[..., object]) -> None:
    metrics = meter_runs(load({}))
    assert metrics
    metrics.meter.begin("p")
    # Nobody asks: the meter's own thread adds it up.
    wait_for(lambda: _value(metrics, "micro_runs_in_progress", plugin="p") == 1)
    metrics.meter.end("p", "celery", "succeeded", 400.0)
    wait_for(lambda: _value(metrics, "micro_runs_in_progress", plugin="p") == 0)
    buckets = {
        bound: _value(metrics, "micro_run_seconds_bucket", plugin="p", transport="celery", le=bound)
        for bound in ("300.0", "1800.0", "+Inf")
    }
    assert buckets == {"300.0": 0, "1800.0": 1, "+Inf": 1}
    assert _value(metrics, "micro_run_seconds_sum", plugin="p", transport="celery") == 400


def test_nothing_is_counted_when_metrics_are_off(load: MakeMicro) -> None:
    micro = load({}, metrics="no")
    assert meter_runs(micro) is None
    assert micro.observer is None


def test_processes_share_a_folder_and_what_dead_ones_counted_stays(tmp_path: Path) -> None:
    def process() -> list[str]:
        env = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
        done = subprocess.run(
            [sys.executable, "-c", _PROCESS], env=env, capture_output=True, text=True, check=True
        )
        return done.stdout.splitlines()

    labels = '{outcome="succeeded",plugin="p",transport="rest"}'
    first, second = process(), process()
    # Of the parent 3 and of its child, which is dead, 4; then the same again.
    assert f"micro_runs_total{labels} 7.0" in first
    assert f"micro_runs_total{labels} 14.0" in second
    assert 'micro_run_seconds_count{plugin="p",transport="rest"} 14.0' in second
    # Of those who live only, as what the dead had begun goes on no more.
    assert 'micro_runs_in_progress{plugin="p"} 1.0' in second
    # One of the dead and one of the living, of each kind, and no more with each that comes and goes.
    files = [line for line in second if line.endswith(".db")]
    assert len(files) == 5
    assert "counter_0.db" in files


def test_the_files_of_dead_processes_do_not_pile_up_where_nobody_asks_for_them(tmp_path: Path) -> None:
    files = MetricFiles(tmp_path)
    # More than any system counts up to.
    for pid in range(5_000_000, 5_000_100):
        files.prepare(pid)
    assert files.usable
    assert len(list(tmp_path.iterdir())) < 60


def test_a_folder_that_cannot_be_written_costs_the_numbers_and_no_run(tmp_path: Path) -> None:
    program = _PROCESS.partition("child = ")[0]
    env = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path / "nothing")}
    done = subprocess.run(
        [sys.executable, "-c", program], env=env, capture_output=True, text=True, check=True
    )
    assert done.stderr.count("Runs of this process are not counted") == 1


def test_a_file_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    files = MetricFiles(tmp_path, plugins=20)
    sizes: set[int] = set()
    stop = threading.Event()

    def look() -> None:
        while not stop.is_set():
            sizes.update(each.stat().st_size for each in tmp_path.glob("*.db"))

    looking = threading.Thread(target=look)
    looking.start()
    for pid in range(1, 11):
        files.prepare(pid)
    stop.set()
    looking.join()
    assert len(sizes | {(tmp_path / "counter_1.db").stat().st_size}) == 1
    assert not list(tmp_path.glob("*.new"))
