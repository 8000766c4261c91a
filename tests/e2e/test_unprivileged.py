"""A user who may not write to the default folders: Micro keeps to the user's own, and says so."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

NOBODY = 65534
DEFAULTS = (Path("/var/log/micro"), Path("/var/run/micro"), Path("/var/lib/micro"))


@pytest.fixture
def as_user() -> list[str]:
    """What stands before a command so that an ordinary user runs it; nothing if one runs the tests."""
    if os.geteuid() != 0:
        return []
    if not shutil.which("setpriv"):
        pytest.skip("setpriv(1) is not installed, so root cannot be an ordinary user")
    # The tests' Python may lie in root's home, so the user may read all that root may.
    capabilities = ("--inh-caps=-all,+dac_read_search", "--ambient-caps=-all,+dac_read_search")
    before = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *capabilities]
    tried = subprocess.run([*before, sys.executable, "-c", ""], capture_output=True, text=True)
    if tried.returncode:
        pytest.skip(f"this system does not let root be an ordinary user: {tried.stderr.strip()}")
    return before


@pytest.fixture
def home(as_user: list[str]) -> Iterator[Path]:
    """The user's home; not in tmp_path, which nobody but the user that runs the tests may enter."""
    if not as_user and any(map(_may_be_written, DEFAULTS)):
        pytest.skip("this user may write to the default folders")
    with TemporaryDirectory() as folder:
        if as_user:
            os.chown(folder, NOBODY, NOBODY)
        yield Path(folder)


def _may_be_written(folder: Path) -> bool:
    there = next(each for each in (folder, *folder.parents) if each.exists())
    return os.access(there, os.W_OK)


def test_it_serves_from_the_users_own_folders(
    start_micro: Callable[..., Any],
    run_micro: Callable[..., Any],
    good_plugins: str,
    as_user: list[str],
    home: Path,
) -> None:
    folders = dict.fromkeys(f"MICRO_{name}_FOLDER_PATH" for name in ("LOG", "PID", "STATE"))
    own = {**folders, "HOME": str(home), "XDG_STATE_HOME": str(home / "state")}
    micro = start_micro("-G", "-C", "-p", good_plugins, before=as_user, **own)
    state = home / "state" / "micro"
    instead = ", ".join(str(state / name) for name in ("log", "run", "state"))
    before = ", ".join(map(str, DEFAULTS))
    assert f"{before} cannot be written; instead used: {instead}" in micro.output()
    assert "as root" not in micro.output()

    answer = micro.requests().run.delay("Twin one").get(timeout=10)
    assert json.loads(answer) == micro.call("/run/twin-one", {})
    assert micro.broker_url == f"redis+socket://{state}/state/broker/socket"

    # Who asks how it does finds it there too.
    health = run_micro("health", before=as_user, **own)
    assert health.returncode == 0, health.stdout + health.stderr
    assert micro.stop() == 0
    assert "SIGTERM: stopping" in (state / "log" / "micro.log").read_text()
    assert not list((state / "run").iterdir())
