from __future__ import annotations

import re
import socket
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.measured

_SAMPLE = re.compile(r"^(\w+)\{(.*)\} ([\d.e+-]+)$", re.MULTILINE)


def _scrape(micro: Any, url: str = "") -> dict[tuple[str, str], float]:
    with urllib.request.urlopen(f"{url or micro.url}/metrics", timeout=20) as answer:
        text = answer.read().decode()
    return {(name, labels): float(value) for name, labels, value in _SAMPLE.findall(text)}


def _runs(found: dict[tuple[str, str], float], transport: str) -> float:
    return found.get(("micro_runs_total", f'outcome="succeeded",plugin="Process",transport="{transport}"'), 0)


def test_the_runs_of_all_processes_are_counted(
    start_micro: Callable[..., Any], good_plugins: str, wait_for: Callable[..., Any]
) -> None:
    micro = start_micro("-G", "-C", "-gw", "2", "-p", good_plugins, MICRO_LOG_LEVEL="INFO")
    for _ in range(12):
        micro.call("/run/process", {})
    requests = micro.requests()
    for _ in range(3):
        requests.run.delay("Process").wait(timeout=20)
    # Whichever REST process answers, it knows what the others and those of the pool did.
    wait_for(lambda: _runs(_scrape(micro), "celery") == 3)
    wait_for(lambda: _runs(_scrape(micro), "rest") == 12)
    # The job table learns of such runs a moment later, and is asked every few seconds only.
    wait_for(lambda: _scrape(micro).get(("micro_jobs", 'state="succeeded"')) == 3)
    wait_for(lambda: _scrape(micro).get(("micro_queue_depth", 'queue="micro"')) == 0)
    assert (micro.pids / "metrics").is_dir()
    assert micro.stop() == 0


def test_each_start_begins_to_count_anew(start_micro: Callable[..., Any], good_plugins: str) -> None:
    first = start_micro("-G", "-p", good_plugins)
    first.call("/run/process", {})
    assert first.stop() == 0
    second = start_micro("-G", "-p", good_plugins, MICRO_PID_FOLDER_PATH=str(first.pids))
    assert _runs(_scrape(second), "rest") == 0


def test_workers_without_rest_serve_metrics_at_an_address_of_their_own(
    start_micro: Callable[..., Any], good_plugins: str, free_tcp_port: int, wait_for: Callable[..., Any]
) -> None:
    address = f"127.0.0.1:{free_tcp_port}"
    micro = start_micro("-C", "-cw", "2", "-p", good_plugins, MICRO_METRICS_BIND=address)
    requests = micro.requests()
    for _ in range(4):
        requests.run.delay("Process").wait(timeout=20)
    wait_for(lambda: _runs(_scrape(micro, f"http://{address}"), "celery") == 4)
    names = {name for name, _ in _scrape(micro, f"http://{address}")}
    assert {"micro_build_info", "micro_plugin_info"} <= names
    assert not names & {"micro_jobs", "micro_queue_depth"}
    assert micro.stop() == 0


def test_metrics_are_served_on_while_the_node_is_replaced(
    start_micro: Callable[..., Any],
    run_micro: Callable[..., Any],
    good_plugins: str,
    free_tcp_port: int,
    wait_for: Callable[..., Any],
    gate: Any,
) -> None:
    address = f"127.0.0.1:{free_tcp_port}"
    micro = start_micro("-C", "-p", good_plugins, MICRO_METRICS_BIND=address, MICRO_LOG_LEVEL="INFO")
    running = micro.requests().run.delay("gate", **gate.params)
    wait_for(gate.started)
    assert run_micro("reload", "-pp", str(micro.pids)).returncode == 0
    # The old node is there as long as its run, and has given the address to the new one.
    wait_for(lambda: _is_up(address))
    assert "Metrics cannot be served" not in micro.output()
    gate.open()
    running.get(timeout=20)
    counted = ("micro_runs_total", 'outcome="succeeded",plugin="Gate",transport="celery"')
    wait_for(lambda: _scrape(micro, f"http://{address}").get(counted) == 1)
    assert micro.stop() == 0


def _is_up(address: str) -> bool:
    try:
        urllib.request.urlopen(f"http://{address}/metrics", timeout=20).close()
    except urllib.error.URLError:
        return False
    return True


def test_an_address_that_is_taken_costs_the_page_only(
    start_micro: Callable[..., Any], good_plugins: str, wait_for: Callable[..., Any]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = "127.0.0.1:{1}".format(*taken.getsockname())
        micro = start_micro("-C", "-p", good_plugins, MICRO_METRICS_BIND=address)
        wait_for(lambda: f"Metrics cannot be served at {address}" in micro.output())
        assert micro.requests().run.delay("Process").wait(timeout=20)
