"""From an empty folder to a tested, served plugin in the five commands of the documentation."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "plugins.md"


@pytest.fixture
def commands() -> list[str]:
    """The commands as they stand in the page, without what is said of them."""
    block = re.findall(r"## In five minutes.*?```sh\n(.*?)```", PAGE.read_text(), re.DOTALL)[0]
    return [line.partition("#")[0].strip() for line in block.splitlines()]


def test_they_make_test_and_serve_a_plugin(
    commands: list[str], tmp_path: Path, start_micro: Callable[..., Any]
) -> None:
    make_environment, install, new, test, serve = commands
    assert make_environment == "python3 -m venv .venv"
    assert install == ".venv/bin/pip install Micro pytest"
    # Both are installed here already.
    (tmp_path / ".venv").symlink_to(sys.prefix)

    for command in (new, test):
        done = subprocess.run(
            command, shell=True, cwd=tmp_path, capture_output=True, text=True, timeout=60, env=os.environ
        )
        assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout

    assert serve == ".venv/bin/micro -G -p ."
    micro = start_micro("-G", "-p", str(tmp_path))
    assert "serves 1 plugin\n" in micro.output()
    assert micro.call("/run/my-plugin", {"name": "Ada"}) == {"message": "Hello Ada!"}
