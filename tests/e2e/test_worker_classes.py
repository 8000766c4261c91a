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
        ({"worker_class": "asgi", "threads": 2}, "BridgeWorker"),
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
    assert "does not use threads" not in micro.output()
    assert micro.stop() == 0
