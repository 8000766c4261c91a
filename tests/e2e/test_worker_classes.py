"""The worker classes of gunicorn that can serve REST."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.mark.parametrize(
    ("options", "worker"),
    [
        ({}, "BridgeWorker"),
        ({"threads": 2}, "BridgeWorker"),
        ({"worker_class": "asgi"}, "asgi"),
        ({"worker_class": "gthread"}, "gthread"),
        ({"worker_class": "sync"}, "sync"),
    ],
)
def test_rest_is_served_by_the_worker_class_of_the_file(
    start_micro: Callable[..., Any], plugins: Path, tmp_path: Path, options: dict[str, Any], worker: str
) -> None:
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"gunicorn": options}))
    micro = start_micro("-G", "-p", str(plugins / "good"), "-c", str(config), "-ll", "INFO")
    assert f"Using worker: {worker}" in micro.output()
    assert len(micro.call("/plugins")) > 1
    assert worker == "asgi" or "does not use threads" not in micro.output()
    assert micro.stop() == 0


def test_a_setting_that_the_worker_does_not_know_is_named_in_a_warning(
    start_micro: Callable[..., Any], plugins: Path, tmp_path: Path
) -> None:
    config = tmp_path / "config.json"
    config.write_text('{"gunicorn": {"worker_connections": 10, "keepalive": 5}}')
    micro = start_micro("-G", "-p", str(plugins / "good"), "-c", str(config))
    warning = "Setting 'gunicorn.worker_connections' is ignored: uvicorn's worker has no such setting"
    assert warning in micro.output()
    assert "keepalive" not in micro.output()
