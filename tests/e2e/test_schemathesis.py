"""No call, however wild, gets an answer that the service's own OpenAPI document does not describe."""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SCHEMATHESIS = shutil.which("schemathesis", path=sysconfig.get_path("scripts")) or ""
TYPED = Path(__file__).parents[1] / "plugins" / "typed"
# Schemathesis itself stumbles over a response with a tuple, whose schema it rewrites wrongly.
LEFT_OUT = "/run/pairs"
LONG = os.environ.get("MICRO_RELIABILITY") == "long"
EXAMPLES = 25 if LONG else 4
# "coverage" tries every bound of every parameter, which takes longest.
PHASES = "examples,coverage,fuzzing" if LONG else "examples,fuzzing"
PARTS = {"plugins": "^/run/", "the rest": "^/(?!run/)"}


@pytest.fixture(scope="module")
def service(start_shared_micro: Callable[..., Any]) -> Any:
    return start_shared_micro("-G", "-p", str(TYPED))


@pytest.mark.timeout(180)
@pytest.mark.parametrize("paths", PARTS.values(), ids=PARTS)
def test_no_call_breaks_the_document(service: Any, tmp_path: Path, paths: str) -> None:
    done = subprocess.run(
        [
            SCHEMATHESIS,
            "run",
            f"{service.url}/openapi.json",
            f"--include-path-regex={paths}",
            f"--exclude-path={LEFT_OUT}",
            f"--phases={PHASES}",
            f"--max-examples={EXAMPLES}",
            "--seed=1",
            "--generation-database=none",
            "--no-color",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    print(done.stdout)


def test_nothing_of_it_was_the_service_s_own_fault(service: Any) -> None:
    assert "Traceback" not in service.output()
