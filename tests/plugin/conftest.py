"""What the tests of plugin folders share: a case run in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from textwrap import dedent

import pytest

NamespaceCase = Callable[..., "subprocess.CompletedProcess[str]"]

PREAMBLE = """
import os, sys
from pathlib import Path
from micro.errors import PluginLoadError
from micro.plugin.imports.folders import *

PLUGINS = Path("plugins").absolute()
install([PLUGINS])

def folder(name):
    return next(each for each in find_folders([PLUGINS]) if each.name == name)

def load(name):
    return load_folder(folder(name))
"""


@pytest.fixture
def write_files(tmp_path: Path) -> Callable[[Path, Mapping[str, str]], None]:
    """Write files, each an indented text, below a folder."""

    def write(root: Path, files: Mapping[str, str]) -> None:
        for name, text in files.items():
            file = root / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(dedent(text), encoding="utf-8")

    return write


@pytest.fixture
def namespace_case(tmp_path: Path, write_files: Callable[[Path, Mapping[str, str]], None]) -> NamespaceCase:
    """Run a script of asserts in a new process beside plugin folders made of ``{"one/interface.py": "..."}``.

    The script may call ``load("one")``. ``installed`` are modules that anybody can import, ``flags``
    the interpreter's, ``env`` changes the environment (None: unset), ``command`` runs instead of a script.
    """

    def run(
        files: Mapping[str, str],
        script: str = "",
        *,
        installed: Mapping[str, str] | None = None,
        flags: Sequence[str] = ("-W", "error"),
        env: Mapping[str, str | None] | None = None,
        command: Sequence[str] = (),
    ) -> subprocess.CompletedProcess[str]:
        write_files(tmp_path / "plugins", files)
        write_files(tmp_path / "site", installed or {})
        path = os.pathsep.join([str(tmp_path / "site"), *os.environ.get("PYTHONPATH", "").split(os.pathsep)])
        # What a Micro in this process told its children is not for these.
        changes = {
            "_MICRO_PLUGIN_PATH": None,
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONPATH": path.rstrip(os.pathsep),
            **(env or {}),
        }
        environment = {key: value for key, value in {**os.environ, **changes}.items() if value is not None}
        done = subprocess.run(
            [sys.executable, "-P", *flags, *(command or ["-c", PREAMBLE + dedent(script)])],
            cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    return run
