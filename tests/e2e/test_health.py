from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.measured


def test_health_tells_of_each_process(start_micro: Callable[..., Any], run_micro: Callable[..., Any]) -> None:
    micro = start_micro("-G", "-C")
    checked = run_micro("health", "--json", "-pp", str(micro.pids))
    assert checked.returncode == 0
    assert [each["name"] for each in json.loads(checked.stdout)] == ["micro", "rest", "worker1"]


def test_health_fails_for_a_process_that_hangs_or_has_ended(
    start_micro: Callable[..., Any], run_micro: Callable[..., Any]
) -> None:
    micro = start_micro("-G")
    # A stopped supervisor starts nothing again.
    micro.process.send_signal(signal.SIGSTOP)
    os.killpg(micro.pid("rest"), signal.SIGKILL)
    failed = run_micro("health", "-pp", str(micro.pids))
    assert failed.returncode == 1
    assert "failed" in failed.stdout
    micro.process.send_signal(signal.SIGCONT)


def test_health_fails_where_nothing_runs(run_micro: Callable[..., Any]) -> None:
    failed = run_micro("health")
    assert failed.returncode == 1
    assert "not running with the PID folder" in failed.stdout
