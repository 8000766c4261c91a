"""The client that users of 3.x have installed: micro-dev 2.1.0 with Celery 4.1 on Python 3.6."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

PACKAGES = ("micro-dev==2.1.0", "celery==4.1.0", "vine==1.3.0", "redis<3")
SCRIPT = Path(__file__).with_name("client_of_3x.py")


@pytest.fixture(scope="session")
def python36() -> Path:
    """Python 3.6 with the client installed, kept for the next run."""
    interpreter = next(filter(_is_36, _interpreters()), None)
    if interpreter is None:
        pytest.skip("no Python 3.6 is installed, which the published client needs")
    environment = os.environ.get("TOX_ENV_DIR")
    # Beside tox's environments, which share it.
    parent = Path(environment).parent if environment else Path(tempfile.gettempdir())
    folder = parent / f"micro-dev-2.1.0-{os.getuid()}"
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            _install(interpreter, folder)
    return folder / "bin" / "python"


def _interpreters() -> Iterator[str]:
    yield from filter(None, [shutil.which("python3.6")])
    yield from map(str, Path.home().glob(".pyenv/versions/3.6.*/bin/python"))


def _is_36(interpreter: str) -> bool:
    version = subprocess.run([interpreter, "-V"], capture_output=True, text=True)
    return version.stdout.startswith("Python 3.6.")


def _install(interpreter: str, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([interpreter, "-m", "venv", folder], check=True)
    install = [
        folder / "bin" / "pip",
        "install",
        "-q",
        "--no-compile",
        "--disable-pip-version-check",
        *PACKAGES,
    ]
    subprocess.run(install, check=True)
    (folder / "complete").touch()


# The first of them installs the client, where no run before has.
@pytest.mark.timeout(300)
@pytest.mark.parametrize("broker", ["rabbitmq", "redis"])
def test_it_lists_and_runs_the_plugins(
    broker: str,
    start_micro: Callable[..., Any],
    plugins: Path,
    task_queue: str,
    python36: Path,
    request: pytest.FixtureRequest,
) -> None:
    url = request.getfixturevalue(f"{broker}_url")
    start_micro("-C", "-p", str(plugins / "e2e" / "three_x"), "-q", task_queue, "-B", url)
    env = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "COV"))}
    done = subprocess.run(
        [python36, SCRIPT, url, task_queue], capture_output=True, text=True, env=env, timeout=40
    )
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout)
    assert answers["plugins"] == [
        {"name": "Example Plugin", "version": "2.1", "description": "A very simple example plugin"}
    ]
    assert answers["info"]["author_email"] == "jhon@example.org"
    assert answers["help"]["help"] == "Params: name type string; A name to greet"
    assert answers["run"] == {"msg": "Hello Micro!!!", "then": "Bye"}
    assert "Nobody" in answers["unknown"]["error"]
