"""No call, however wild, gets an answer that the service's own OpenAPI document does not describe."""

from __future__ import annotations

import shutil
import subprocess
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SCHEMATHESIS = shutil.which("schemathesis", path=sysconfig.get_path("scripts")) or ""
TYPED = Path(__file__).parents[1] / "plugins" / "typed"
PATHS = [
    "/plugins",
    "/info/{name}",
    "/help/{name}",
    "/jobs/{id}",
    "/jobs/{id}/cancel",
    "/jobs/{id}/events",
    "/jobs/{id}/result",
    "/jobs/{id}/retry",
    "/run/anything",
    "/run/declared-errors",
    "/run/numbers",
    "/run/shapes-trees",
    "/run/texts",
    "/run/untyped",
]


@pytest.fixture(scope="module")
def service(start_shared_micro: Callable[..., Any]) -> Any:
    return start_shared_micro("-G", "-p", str(TYPED))


def test_every_path_is_tried(service: Any) -> None:
    # Schemathesis itself stumbles over a response with a tuple, whose schema it rewrites wrongly.
    assert {*PATHS, "/run/pairs"} <= service.call("/openapi.json")["paths"].keys()


@pytest.mark.parametrize("path", PATHS)
def test_no_call_breaks_the_document(service: Any, tmp_path: Path, path: str) -> None:
    done = subprocess.run(
        [
            SCHEMATHESIS,
            "run",
            f"{service.url}/openapi.json",
            f"--include-path={path}",
            "--phases=examples,coverage,fuzzing",
            "--max-examples=50",
            "--seed=1",
            "--generation-database=none",
            "--no-color",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout


def test_nothing_of_it_was_the_service_s_own_fault(service: Any) -> None:
    assert "Traceback" not in service.output()
