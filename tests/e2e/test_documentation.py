"""The calls that README and documentation show, made as they stand to a Micro that serves what is meant."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"```(\w*)\n(.*?)```", re.DOTALL)
PLUGIN = "PluginDescription("
NO_CALL = (PLUGIN, "def test_", "# celeryapp.py")
ADDRESS = "http://127.0.0.1:8000"
BROKERS = ("redis+socket:///var/lib/micro/broker/socket", "amqp://guest:guest@localhost//")


def _blocks(*kinds: str) -> Iterator[tuple[str, str]]:
    """Yield the blocks of code of these kinds, each after its place."""
    for page in PAGES:
        for number, (kind, code) in enumerate(BLOCK.findall(page.read_text())):
            if kind in kinds:
                yield f"{page.name}-{number}", code


def _curls() -> Iterator[Any]:
    """Yield each call with curl, and the answer that is shown below it, if one is."""
    for place, code in _blocks("sh", "console"):
        lines = [line.removeprefix("$ ") for line in code.splitlines()]
        for line, after in zip(lines, [*lines[1:], ""], strict=True):
            if line.startswith("curl ") and ADDRESS in line:
                shown = after if after.startswith(("{", "[")) else None
                yield pytest.param(line.partition("  #")[0], shown, id=f"{place}-{len(line)}")


PYTHON = [
    pytest.param(code, id=place)
    for place, code in _blocks("python")
    if not any(mark in code for mark in NO_CALL)
]


@pytest.fixture(scope="module")
def plugin_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The README's plugin, that of ``micro new``, and the examples."""
    path = tmp_path_factory.mktemp("documented") / "plugins"
    shutil.copytree(ROOT / "plugins_example" / "csv-statistics", path / "csv-statistics")
    (path / "greeting").mkdir()
    (path / "greeting" / "interface.py").write_text(
        next(code for _, code in _blocks("python") if PLUGIN in code)
    )
    command = [sys.executable, "-m", "micro", "new", "my-plugin", "--path", str(path)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=30)
    return path


@pytest.fixture(scope="module")
def micro(start_shared_micro: Callable[..., Any], plugin_path: Path) -> Any:
    return start_shared_micro("-G", "-C", "-p", str(plugin_path))


@pytest.fixture
def here(micro: Any) -> Callable[[str], str]:
    """Lead a call to the Micro of these tests."""

    def lead(text: str) -> str:
        for broker in BROKERS:
            text = text.replace(broker, micro.broker_url)
        return text.replace(ADDRESS, micro.url)

    return lead


@pytest.mark.skipif("not __import__('shutil').which('curl')", reason="curl is not installed")
@pytest.mark.parametrize(("line", "shown"), [*_curls()])
def test_a_call_with_curl_is_answered(here: Callable[[str], str], line: str, shown: str | None) -> None:
    command = f"{here(line)} --silent --show-error --fail --max-time 20"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr + done.stdout
    *_, answer = done.stdout.splitlines()
    assert json.loads(answer)
    if shown:
        assert json.loads(answer) == json.loads(shown)


@pytest.mark.parametrize("code", PYTHON)
def test_a_call_in_python_is_answered(here: Callable[[str], str], code: str) -> None:
    command = [sys.executable, "-W", "error", "-c", here(code)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    if "print(" in code:
        assert "Hello Ada!" in done.stdout


@pytest.mark.parametrize(
    "words", [("check", "my-plugin"), ("run", "-p", ".", "my-plugin", "name=Ada")], ids=" ".join
)
def test_a_command_of_the_five_minutes_is_answered(plugin_path: Path, words: tuple[str, ...]) -> None:
    assert f".venv/bin/micro {' '.join(words)} " in (ROOT / "docs" / "plugins.md").read_text()
    command = [sys.executable, "-m", "micro", *words]
    done = subprocess.run(command, cwd=plugin_path, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr + done.stdout


def test_the_tests_that_are_shown_pass(plugin_path: Path, tmp_path: Path) -> None:
    shutil.copytree(plugin_path / "greeting", tmp_path / "greeting")
    page = (ROOT / "docs" / "plugins.md").read_text()
    plugin, tests = (next(c for _, c in BLOCK.findall(page) if mark in c) for mark in (PLUGIN, "def test_"))
    (tmp_path / "greeting" / "interface.py").write_text(plugin)
    (tmp_path / "greeting" / "test_greeting.py").write_text(tests)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(
        command, cwd=tmp_path / "greeting", capture_output=True, text=True, timeout=60, env=os.environ
    )
    assert "2 passed" in done.stdout, done.stdout
