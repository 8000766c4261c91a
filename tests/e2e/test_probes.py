from __future__ import annotations

import http.client
import json
import signal
import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest

pytestmark = pytest.mark.measured


def _ask(connection: http.client.HTTPConnection, path: str) -> tuple[int, Any]:
    connection.request("GET", path)
    response = connection.getresponse()
    return response.status, json.load(response)


def test_a_service_that_stops_is_live_and_not_ready(
    start_micro: Callable[..., Any], good_plugins: str, gate: Any, wait_for: Callable[..., Any]
) -> None:
    micro = start_micro("-G", "-p", good_plugins)
    address = urlsplit(micro.url).netloc
    kept = http.client.HTTPConnection(address, timeout=20)
    assert _ask(kept, "/readyz")[0] == 200
    running = threading.Thread(target=micro.call, args=("/run/gate", gate.params))
    running.start()
    wait_for(gate.started)
    micro.process.send_signal(signal.SIGTERM)
    # The worker hears of it a moment later.
    wait_for(lambda: _ask(kept, "/readyz?verbose")[0] == 503)
    kept.close()
    gate.open()
    running.join(20)
    assert micro.process.wait(20) == 0
    assert gate.finished()


def test_health_and_readiness_tell_of_the_same_running_service(
    start_micro: Callable[..., Any],
    run_micro: Callable[..., Any],
    good_plugins: str,
    wait_for: Callable[..., Any],
) -> None:
    micro = start_micro("-G", "-C", "-p", good_plugins)
    wait_for(lambda: micro.call("/readyz")["status"] == "ready")
    found = micro.call("/readyz?verbose")
    assert {each["name"] for each in found["checks"]} == {
        "plugins",
        "serving",
        "generation",
        "broker",
        "store",
    }
    assert run_micro("health", "-pp", str(micro.pids)).returncode == 0


def test_probes_are_answered_while_every_thread_is_busy(
    start_micro: Callable[..., Any], good_plugins: str, gate: Any, wait_for: Callable[..., Any]
) -> None:
    micro = start_micro("-G", "-p", good_plugins, MICRO_GUNICORN_THREADS="2")
    running = [threading.Thread(target=micro.call, args=("/run/gate", gate.params)) for _ in range(3)]
    for each in running:
        each.start()
    wait_for(lambda: len(gate.started()) == 2)
    assert micro.call("/livez") == {"status": "live"}
    assert micro.call("/readyz") == {"status": "ready"}
    gate.open()
    for each in running:
        each.join(20)
    assert len(gate.finished()) == 3
