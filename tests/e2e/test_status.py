from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.measured


def test_status_tells_the_same_on_the_command_line_and_over_rest(
    start_micro: Callable[..., Any], run_micro: Callable[..., Any], wait_for: Callable[..., Any]
) -> None:
    micro = start_micro("-G", "-C")
    # Both are asked for now and then only.
    wait_for(lambda: (found := micro.call("/status"))["jobs"] and found["queues"], seconds=60)
    told = json.loads(run_micro("status", "--json", "-pp", str(micro.pids)).stdout)
    assert {each["name"]: each["state"] for each in told["processes"]} == dict.fromkeys(
        ("broker", "rest", "worker1"), "up"
    )
    assert told["queues"] == [{"name": "micro", "depth": 0}]
    assert told["last_failure"] is None
    over_rest = micro.call("/status")
    assert {**over_rest, "queues": None} == {**told, "queues": None}


def test_status_follows_the_processes(
    start_micro: Callable[..., Any], run_micro: Callable[..., Any], wait_for: Callable[..., Any]
) -> None:
    micro = start_micro("-G", "-C")
    os.killpg(micro.pid("worker1"), signal.SIGKILL)
    failure = wait_for(lambda: micro.call("/status")["last_failure"], seconds=30)
    assert (failure["what"], failure["reason"]) == ("worker1", "was killed by SIGKILL")
    wait_for(lambda: all(each["state"] == "up" for each in micro.call("/status")["processes"]), seconds=60)
    shown = run_micro("status", "-pp", str(micro.pids))
    assert shown.returncode == 0
    assert "Last failure:" in shown.stdout and "worker1: was killed by SIGKILL" in shown.stdout


def test_status_where_nothing_runs_is_one_line_and_exit_1(run_micro: Callable[..., Any]) -> None:
    failed = run_micro("status")
    assert failed.returncode == 1
    assert failed.stderr.startswith("Error: Micro is not running with the PID folder")
    assert failed.stderr.count("\n") == 1
